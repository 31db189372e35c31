"""bench engine - what the engine's API serves and what it costs to keep running, as ratios against the figures that
the original was measured with on such a machine (issue 4: 8 clients).

Starts `kellet serve` on SQLite and on PostgreSQL, stores IMAGES images by SQL (what a fleet looks like to the
lists), analyses real images through a registry, and asks with wrk, 8 connections.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import engines  # noqa: E402
from registries import Registry  # noqa: E402

ORIGINAL = {"GET /images/{digest}": 37, "GET /images?fulltag=": 37, "check?detail=true": 3.7}
SEED = """
INSERT INTO catalog_image (account, image_digest, parent_digest, image_id, image_type, arch, distro, distro_version,
  dockerfile_mode, dockerfile, image_size, layer_count, annotations, analysis_status, image_status, analyzed_at,
  created_at, last_updated)
  SELECT 'admin', {digest}, {digest}, {id}, 'docker', 'amd64', 'debian', '12', 'Guessed', 'RlJPTSBzY3JhdGNo', 123456789, 7,
  '{{}}', 'analyzed', 'active', {now}, {now} + n, {now} FROM {series};
INSERT INTO catalog_image_tag (account, registry, repo, tag, image_digest, fulltag, image_id, tag_detected_at,
  created_at, last_updated)
  SELECT 'admin', 'registry.invalid:5000', 'team/app' || n, 'v1', {digest}, 'registry.invalid:5000/team/app' || n || ':v1', {id},
  {now}, {now}, {now} FROM {series};
"""


def seed(engine, postgres, name, images):
    now = int(time.time() * 1e6)
    if postgres:
        sql = SEED.format(digest="'sha256:' || lpad(to_hex(n), 64, '0')", id="lpad(to_hex(n), 64, '1')", now=now,
                          series=f"generate_series(1, {images}) AS s(n)") + "ANALYZE;"
        subprocess.run([postgres.bin / "psql", "-q", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "kellet", name],
                       input=sql, text=True, check=True)
    else:
        series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {images}) SELECT n FROM s)"
        sql = SEED.format(digest="'sha256:' || printf('%064x', n)", id="'1' || printf('%063x', n)", now=now, series=series)
        import sqlite3
        with sqlite3.connect(engine.directory / "kellet.db", timeout=60) as db:
            db.executescript(sql)


def wrk(port, path, seconds=5, connections=8):
    """(requests a second, p50 ms, p99 ms, errors)"""
    import base64
    head = "Authorization: Basic " + base64.b64encode(f"admin:{engines.PASSWORD}".encode()).decode()
    out = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}", "--latency", "-H", head,
                          f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True).stdout
    def milliseconds(word):
        m = re.search(rf"^\s+{word}\s+([\d.]+)(us|ms|s)$", out, re.M)
        return float(m[1]) * {"us": 0.001, "ms": 1, "s": 1000}[m[2]] if m else float("nan")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return float(rate[1]) if rate else 0.0, milliseconds("50%"), milliseconds("99%"), int(bad[1]) if bad else 0


def memory_and_cpu(processes, seconds=20):
    """MiB (proportional set size: shared pages are counted once) of all processes, and their share of one core."""
    def ticks():
        total = 0
        for p in processes:
            fields = pathlib.Path(f"/proc/{p.pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total
    before = ticks()
    time.sleep(seconds)
    used = (ticks() - before) / 100 / seconds
    pss = 0
    for p in processes:
        pss += int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{p.pid}/smaps_rollup").read_text(), re.M)[1])
    return pss / 1024, used * 100


def analysed(engine, registry, layouts):
    """Seconds from POST to analyzed of real images, beside a cold scan of the same reference."""
    for name in layouts:
        layout = pathlib.Path("/tmp/kellet-images") / name / "oci"
        if not layout.is_dir() or not shutil.which("skopeo"):
            continue
        reference = f"127.0.0.1:{registry.port}/bench/{name}:1"
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{reference}"], check=True)
        start = time.monotonic()
        subprocess.run([engine.binary, "sbom", "--no-cache", f"registry:{reference}"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        scan = time.monotonic() - start
        start = time.monotonic()
        added = engine.client("POST", "/v1/images", {"tag": reference})
        if added.status != 200:
            print(f"  {name}: {added}")
            continue
        image = engine.client.wait_analyzed(added.json[0]["imageDigest"], 300)
        print(f"  {name:<17} POST to {image['analysis_status']} {time.monotonic() - start:6.2f} s; cold scan {scan:6.2f} s")
        rate = wrk(engine.port("apiext"), f"/v1/images/{image['imageDigest']}/content/files")
        print(f"  {name:<17} content/files: {rate[0]:8.0f} req/s, p50 {rate[1]:.2f} ms, p99 {rate[2]:.2f} ms, errors {rate[3]} (original: p50 666 ms)")
        rate = wrk(engine.port("apiext"), f"/v1/images/{image['imageDigest']}/vuln/all")
        print(f"  {name:<17} vuln/all:      {rate[0]:8.0f} req/s, p50 {rate[1]:.2f} ms, p99 {rate[2]:.2f} ms, errors {rate[3]}")
        check(engine, name, image["imageDigest"], reference)


def check(engine, name, digest, tag):
    """Evaluations by the default bundle; also as seconds of this engine's processors."""
    def seconds():
        fields = [pathlib.Path(f"/proc/{p.pid}/stat").read_text().rsplit(")", 1)[1].split() for p in engine.processes]
        return sum(int(f[11]) + int(f[12]) for f in fields) / 100
    path = f"/v1/images/{digest}/check?detail=true&tag={tag}"
    engine.client.get(path)
    before, start = seconds(), time.monotonic()
    rate, p50, p99, bad = wrk(engine.port("apiext"), path)
    cores = (seconds() - before) / (time.monotonic() - start)
    print(f"  {name:<17} check:         {rate:8.0f} req/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, errors {bad}, "
          f"{cores:.2f} cores: {rate / cores if cores else 0:.0f} req/s a core, {rate / ORIGINAL['check?detail=true']:.0f}x the original's 3.7")


def run(engine, postgres, name, registry, images):
    print(f"{'PostgreSQL' if postgres else 'SQLite'}, {images} stored images, 8 clients")
    pss, cpu = memory_and_cpu(engine.processes)
    print(f"  idle, six services in {len(engine.processes)} process(es): {pss:.0f} MiB, {cpu:.2f} % of a core (original: 776 MB, 20 %)")
    seed(engine, postgres, name, images)
    digest = "sha256:" + f"{images // 2:x}".rjust(64, "0")
    port = engine.port("apiext")
    for what, path in (("GET /images/{digest}", f"/v1/images/{digest}"),
                       ("GET /images?fulltag=", f"/v1/images?fulltag=registry.invalid:5000/team/app{images // 2}:v1"),
                       ("GET /subscriptions", "/v1/subscriptions"), ("GET /health", "/health")):
        rate, p50, p99, bad = wrk(port, path)
        ratio = f"{rate / ORIGINAL[what]:.0f}x the original's {ORIGINAL[what]}" if what in ORIGINAL else ""
        print(f"  {what:<22} {rate:8.0f} req/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, errors {bad} {ratio}")
    start = time.monotonic()
    listed = engine.client.get("/v1/images")
    print(f"  GET /images (all)      {len(listed.body) / 1e6:.1f} MB in {time.monotonic() - start:.2f} s")
    analysed(engine, registry, ("alpine-3.18", "debian-bookworm", "node-app"))


def main(images):
    binary = str(ROOT / "build/kellet")
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        work = pathlib.Path(work)
        work.chmod(0o755)
        (work / "registry").mkdir()
        registry = Registry(work / "registry", work / "root", "bench") if shutil.which("docker-registry") else None
        postgres = engines.Postgres(work / "postgres") if engines.postgres_bin() else None
        try:
            for base in (None, postgres):
                if base is None or postgres:
                    name = "bench"
                    for split in ((False,) if base is None else (False, True)):
                        where = work / f"engine{bool(base)}{split}"
                        url = base.database(name := f"bench{int(split)}") if base else None
                        engine = engines.Engine(binary, where, url, split=split)
                        try:
                            run(engine, base, name, registry, images)
                        finally:
                            engine.stop()
        finally:
            if registry:
                registry.stop()
            if postgres:
                postgres.stop("immediate")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000)

"""bench analysed - how much longer than a scan it takes from POST to `analyzed`: both from the same registry, in turn, on SQLite and
on PostgreSQL, each time with a new engine and no layer that is known already.

    script/bench analysed [--runs N] [--images DIR] [sqlite|postgres] [IMAGE...]    alpine-3.18 debian-bookworm node-app

The scan is `kellet sbom --no-cache`. Medians of N rounds (default 3) of the difference, of both times and of the CPU seconds
(user + system; the engine's with its analyser, without PostgreSQL's). The peak is the largest process of the engine. Wants
docker-registry and skopeo. The status is asked for every 20 ms. Look at the load: on a busy machine CPU is the figure to trust.
"""
import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import engines  # noqa: E402
from registries import Registry  # noqa: E402

BINARY = os.environ.get("KELLET", str(ROOT / "build/kellet"))
IMAGES = ["alpine-3.18", "debian-bookworm", "node-app"]


def tree(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [p for child in children for p in tree(int(child))]


def cpu(pids):
    """Seconds that these processes and those that they waited for have used."""
    used = 0
    for pid in pids:
        used += sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return used / os.sysconf("SC_CLK_TCK")


def peak(pids):
    return max(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{p}/status").read_text())[1]) for p in pids) / 1024


def scan(name):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([BINARY, "sbom", "--no-cache", f"registry:{name}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def analysis(name, where, database):
    engine = engines.Engine(BINARY, where, database, log_level="WARN")
    try:
        engine.client.get("/v1/images")  # the password is known from then on
        pids = tree(engine.processes[0].pid)
        used, start = cpu(pids), time.monotonic()
        digest = engine.client("POST", "/v1/images", {"tag": name}).json[0]["imageDigest"]
        status = None
        while status not in ("analyzed", "analysis_failed"):
            time.sleep(0.02)
            status = engine.client.get(f"/v1/images/{digest}").json[0]["analysis_status"]
        wall = time.monotonic() - start
        if status != "analyzed":
            raise SystemExit(f"{name}: {status}")
        return wall, cpu(pids) - used, peak(pids)
    finally:
        engine.stop()


def rounds(name, runs, postgres, work):
    rows = []
    for _ in range(runs):
        scanned, scan_cpu = scan(name)
        new = f"bench{len(list(work.iterdir()))}"
        took, used, size = analysis(name, work / new, postgres.database(new) if postgres else None)
        rows.append((took - scanned, scanned, took, scan_cpu, used, size))
    return [statistics.median(column) for column in zip(*rows)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--images", type=pathlib.Path, default=pathlib.Path("/tmp/kellet-images"))
    ap.add_argument("names", nargs="*")
    args = ap.parse_intermixed_args()
    kinds = [k for k in ("sqlite", "postgres") if k in args.names] or ["sqlite", "postgres"]
    names = [n for n in args.names if n not in kinds] or IMAGES
    with tempfile.TemporaryDirectory(prefix="kellet-analysed-") as d:
        where = pathlib.Path(d)
        where.chmod(0o755)
        (where / "work").mkdir()
        registry = Registry(where, where / "registry", "bench")
        postgres = engines.Postgres(where / "postgres") if "postgres" in kinds else None
        try:
            for name in names:
                layout = args.images / name / "oci"
                if not layout.is_dir():
                    print(f"{name} skipped: {layout} is not there (../shared/images/make-images makes it)")
                    continue
                ref = f"127.0.0.1:{registry.port}/bench/{name}:1"
                subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{ref}"], check=True)
                for kind in kinds:
                    more, scanned, took, scan_cpu, used, size = rounds(
                        ref, args.runs, postgres if kind == "postgres" else None, where / "work")
                    print(f"{name}, {kind}: analyzed {more:+.2f} s after a scan's time ({took:.2f} s, scan {scanned:.2f} s); "
                          f"CPU {used:.2f} s, scan {scan_cpu:.2f} s; peak {size:.0f} MiB; load {os.getloadavg()[0]:.1f}",
                          flush=True)
        finally:
            registry.stop()
            if postgres:
                postgres.stop("immediate")


main()

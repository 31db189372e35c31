"""bench latency - from a new advisory in the feed to the notification received, with many images stored.

    script/bench latency [--images N]       default 100000 images of 200 owners, a tenth of them subscribed

The engine polls the feed service each second; each of KELLET_LATENCY_SAMPLES (100) advisories names one package, which one
image in 5,000 has. The clock starts when the advisory is there to be fetched and stops when the receiver has the last
notice of it. KELLET_LATENCY_DATABASE=sqlite (default) or postgres; KELLET_LATENCY_STORED names an SQLite database
that tests/bench/herd.c has filled already (it is used, and grows).
"""
import os
import pathlib
import random
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import engines  # noqa: E402
import herds  # noqa: E402

SAMPLES = int(os.environ.get("KELLET_LATENCY_SAMPLES", 100))
CLAIMS = int(os.environ.get("KELLET_LATENCY_CLAIMS", 3000))
RARE = 5000  # as in herd.c


def cpu_of(engine):
    """User and system seconds of the engine's processes."""
    ticks = 0
    for p in engine.processes:
        fields = pathlib.Path(f"/proc/{p.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def sample(herd, n, rare, wanted):
    cve = f"CVE-2099-{n:05}"
    before = cpu_of(herd.engine)
    herd.records.append(herds.advisory(cve, f"rare-{rare}"))
    served = time.monotonic()
    end = served + 120
    while time.monotonic() < end:
        rows = {row for m in herd.told()[0].values() for row in m if row[2] == cve}
        if len(rows) >= wanted:
            return time.monotonic() - served, cpu_of(herd.engine) - before
        time.sleep(0.02)
    raise SystemExit(f"{cve}: {len(rows)} of {wanted} notices after two minutes\n{herd.engine.log()[-3000:]}")


def main(images):
    stored = os.environ.get("KELLET_LATENCY_STORED")
    subscribed = int(os.environ.get("KELLET_LATENCY_SUBSCRIBED", images // 10))
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        work = pathlib.Path(work)
        work.chmod(0o755)
        server = engines.Postgres(work / "pg") if os.environ.get("KELLET_LATENCY_DATABASE") == "postgres" else None
        began = time.monotonic()
        herd = herds.Herd(str(ROOT / "build/kellet"), work / "engine", images, 200, subscribed, server=server, path=stored,
                          feed_sync=-1, claims=CLAIMS)
        try:
            print(f"{images} images stored, {subscribed} subscribed, {CLAIMS} claims: {time.monotonic() - began:.0f} s; load "
                  f"{os.getloadavg()[0]:.1f}", flush=True)
            began = time.monotonic()
            herd.wait_baseline(3600)
            while herd.query("SELECT COUNT(*) FROM finding_summary") < images:
                time.sleep(1)
            print(f"all indexed, subscribers' images looked at for the first time: {time.monotonic() - began:.0f} s", flush=True)
            random.seed(1)
            times, cpu = [], []
            for n in range(SAMPLES):
                rare = random.randrange(min(RARE, subscribed))
                wanted = len(range(rare, subscribed, RARE))
                seconds, used = sample(herd, n, rare, wanted)
                times.append(seconds)
                cpu.append(used)
                time.sleep(random.uniform(0, 1))
            times.sort()
            print(f"{SAMPLES} advisories: from served to received p50 {times[len(times) // 2]:.2f} s, "
                  f"p99 {times[min(len(times) - 1, int(len(times) * 0.99))]:.2f} s, most {times[-1]:.2f} s; CPU of the engine "
                  f"{sum(cpu) / len(cpu):.2f} s an advisory, at most {max(cpu):.2f}; load {os.getloadavg()[0]:.1f}")
        finally:
            herd.stop()
            if server:
                server.stop("immediate")


main(int(sys.argv[1]))

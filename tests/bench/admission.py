"""bench admission - AdmissionReviews of a pod whose image is known by its digest, judged by its policy: as many as go, and
paced at about 1,000 a second. On SQLite in one process, and on PostgreSQL with a process for each service.

Wants wrk and docker-registry. The machine's load is part of the output: on a busy one the tail is the scheduler's.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import engines  # noqa: E402
from registries import Image, Registry, apk_files, push  # noqa: E402

SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
function delay() return %d end
function response(status, headers, body)
  if status ~= 200 or not body:find('"allowed": true', 1, true) then refused = (refused or 0) + 1; wrk.thread:set("refused", refused) end
end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, t in ipairs(threads) do bad = bad + (t:get("refused") or 0) end
  io.write(string.format("RESULT %%.0f %%.2f %%.2f %%.2f %%d\\n", summary.requests / summary.duration * 1e6,
           latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000, bad))
end
"""


def wrk(port, where, body, connections, delay):
    script = where / "review.lua"
    script.write_text(SCRIPT % (body, delay))
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", "-d10", "-s", script,
                          f"http://127.0.0.1:{port}/v1/admission?timeout=10s"], capture_output=True, text=True).stdout
    return re.search(r"RESULT (\S+) (\S+) (\S+) (\S+) (\S+)", out).groups()


def cpu(engine):
    """Seconds that the engine's processes have used."""
    used = 0
    for p in engine.processes:
        fields = pathlib.Path(f"/proc/{p.pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


def main():
    binary = os.environ.get("KELLET", str(ROOT / "build/kellet"))
    for kind in ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory() as d:
            where = pathlib.Path(d)
            where.chmod(0o755)
            postgres = engines.Postgres(where / "postgres") if kind == "postgres" else None
            registry = Registry(where, where / "registry", "bench")
            engine = engines.Engine(binary, where / "engine", postgres and postgres.database("bench"), split=bool(postgres),
                                    log_level="WARN")
            try:
                image = Image(apk_files({"musl": "1.2.4-r2"}), {"etc/motd": b"bench\n"})
                push(registry.port, "bench/app", "1", image)
                name = f"127.0.0.1:{registry.port}/bench/app:1"
                engine.client("POST", "/v1/images", {"tag": name})
                engine.client.wait_analyzed(image.digest)
                pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "a", "image": f"{name}@{image.digest}"}]}}
                body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                    "uid": "0b4bbd4c-0000-4000-8000-000000000000", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                    "namespace": "default", "operation": "CREATE", "object": pod}})
                for text, connections, delay in (("all out, 8 connections", 8, 0), ("paced, 16 connections", 16, 15)):
                    before = cpu(engine)
                    rate, p50, p99, most, bad = wrk(engine.port("kubernetes_webhook"), where, body, connections, delay)
                    print(f"{kind}: {text}: {rate} requests/s, p50 {p50} ms, p99 {p99} ms, max {most} ms, {bad} bad, "
                          f"{(cpu(engine) - before) / float(rate) * 100:.3f} ms of CPU each; "
                          f"load average {os.getloadavg()[0]:.1f}", flush=True)
            finally:
                engine.stop()
                registry.stop()
                if postgres:
                    postgres.stop("immediate")


main()

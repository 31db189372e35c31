"""Engines that keep many images of many owners under watch (stored by tests/bench/herd.c), a feed whose advisories the
caller writes, a receiver that counts: for test_digest.py, `script/bench digest` and `script/bench latency`."""
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import engines
from feed_service import FeedService
from test_notifications import Receiver

ROOT = Path(__file__).resolve().parents[2]
STORE = Path(os.environ.get("KELLET_HERD", ROOT / "build/tests/bench/bench-herd"))
TIMERS = "    cycle_timers: {reindex: -1, vuln_update: -1, vulndata: -1%s}\n"


def advisory(cve, package, severity="High", fixed="99.0-1"):
    return {"Vulnerability": {
        "Name": cve, "NamespaceName": "debian:12", "Severity": severity, "Link": f"http://vuln.example/{cve}",
        "Description": "made up", "Metadata": {},
        "FixedIn": [{"Name": package, "NamespaceName": "debian:12", "Version": fixed, "VersionFormat": "dpkg",
                     "VendorAdvisory": {"NoAdvisory": False, "AdvisorySummary": []}}]}}


class Herd:
    """Images of owners, the first `subscribed` with vuln_update. server: an engines.Postgres (then each service is a
    process of its own), else all is one process on SQLite. path: an SQLite database that is stored already."""

    def __init__(self, binary, directory, images, owners, subscribed=None, server=None, digest=0, path=None, feed_sync=None,
                 claims=0):
        self.images, self.owners, self.subscribed = images, owners, images if subscribed is None else subscribed
        self.directory, self.server, self.lock = Path(directory), server, threading.Lock()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.database = server.database("herd") if server else f"sqlite:{path or self.directory / 'kellet.db'}"
        if not path:
            subprocess.run([STORE, self.database, str(images), str(owners), str(self.subscribed)], check=True)
        self.receiver = Receiver()
        self.records = [advisory(f"CVE-2098-{n:05}", f"common-{n % 3000}", fixed="0.1-1") for n in range(claims + 1)]
        self.feed = FeedService({"vulnerabilities": {"debian:12": self.records}}, page=1000)
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        hook = f"http://127.0.0.1:{self.receiver.server_port}/<notification_type>/<userId>"
        extra = (f"feeds: {{url: '{self.feed.url}'}}\n"
                 f"webhooks: {{vuln_update: {{url: '{hook}', digest_seconds: {digest}}}}}\n")
        sync = "    vulnerabilities: {sync: {enabled: %s}}\n" % ("true" if feed_sync else "false")
        more = {"policy_engine": sync + TIMERS % (f", feed_sync: {feed_sync}" if feed_sync else ""),
                "catalog": "    cycle_timers: {image_watcher: -100000}\n"}
        self.engine = engines.Engine(binary, self.directory, self.database, split=bool(server), environment=environment,
                                     extra=extra, more=more, log_level="WARN")

    def query(self, sql):
        """The first column of the first row, an integer."""
        if self.server:
            return int(subprocess.run([self.server.bin / "psql", "-h", "127.0.0.1", "-p", str(self.server.port), "-U", "kellet",
                                       "-At", "-c", sql, "herd"], check=True, capture_output=True, text=True).stdout or 0)
        with sqlite3.connect(f"file:{self.database.partition(':')[2]}?mode=ro", uri=True, timeout=30) as db:
            return db.execute(sql).fetchone()[0] or 0

    def sync(self, seconds=120):
        """Until one synchronisation is done, whoever is killed meanwhile."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                client = engines.Client(self.engine.port("apiext"))
                last = client("POST", "/v1/system/feeds?sync=true", timeout=60)
                if last.status == 200 and all(f["status"] == "success" for f in last.json):
                    return
            except (OSError, StopIteration, EOFError, engines.http.client.HTTPException) as problem:
                last = problem
            time.sleep(0.3)
        raise AssertionError(f"no synchronisation: {last!r}\n{self.engine.log()[-3000:]}")

    def wait_baseline(self, seconds=60):
        """Until the subscribers' images have been looked at for the first time."""
        end = time.monotonic() + seconds
        while self.query("SELECT COUNT(*) FROM vuln_scan") < self.subscribed:
            assert time.monotonic() < end, self.engine.log()[-3000:]
            time.sleep(0.2)

    def kill(self, service=None):
        """SIGKILL to a process (of a service, else any), and another one in its place."""
        with self.lock:
            living = [p for p in self.engine.processes if p.poll() is None and (not self.server or service in (None, p.service))]
            victim = random.choice(living)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            self.engine.add(victim.service)
        return victim.service

    def told(self):
        """{key: [(user, tag, CVE), ...]} of all messages; the same key twice must be the same message."""
        out, count = {}, 0
        with self.receiver.lock:
            got = list(self.receiver.got)
        for _, headers, body in got:
            payload = json.loads(body)["data"]["notification_payload"]
            rows = [(p["userId"], p["subscription_key"], x["CVE_ID"]) for p in payload.get("digest", [payload])
                    for x in p["diff_vulnerability_result"]["added"]]
            assert out.setdefault(headers["Idempotency-Key"], rows) == rows, "one key, two messages"
            count += 1
        return out, count

    def stop(self):
        self.engine.stop()
        self.receiver.shutdown()
        self.feed.stop()


class Chaos(threading.Thread):
    """Kills services and takes the receiver away, until told to stop."""

    def __init__(self, herd, before=None, pause=(1, 4)):
        super().__init__(daemon=True)
        self.herd, self.pause, self.stopping, self.problems = herd, pause, threading.Event(), []
        self.kills, self.outages = (before.kills, before.outages) if before else ({}, 0)

    def run(self):
        while not self.stopping.wait(random.uniform(*self.pause)):
            try:
                service = self.herd.kill() or "all in one"
                self.kills[service] = self.kills.get(service, 0) + 1
            except Exception as problem:  # told by the caller
                self.problems.append(repr(problem))
            self.herd.receiver.down = random.random() < 0.4
            self.herd.receiver.slow = random.choice((0, 0, 0.5))
            self.outages += self.herd.receiver.down

    def stop(self):
        self.stopping.set()
        self.join()
        self.herd.receiver.down, self.herd.receiver.slow = False, 0
        assert not self.problems, self.problems

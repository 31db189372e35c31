"""Notifications: what happens is told to the receivers that the configuration names - at least once, in order for each
key, through outages of the receiver and kills of the process, visible and replayable - in each of the formats."""
import collections
import http.server
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.parse

import pytest

import engines
from registries import Image, apk_files, push


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it gets; `down` answers 503 and keeps nothing; `slow` takes its time."""

    def __init__(self, port=0):
        self.got, self.down, self.slow, self.lock = [], False, 0, threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def kind(self, kind):
        with self.lock:
            return [(path, headers, body) for path, headers, body in self.got if path.strip("/").split("/")[0] == kind]

    def wait(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError([(p, h.get("Idempotency-Key")) for p, h, _ in self.got])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.slow)
        if not self.server.down:
            with self.server.lock:
                self.server.got.append((self.path, dict(self.headers), body))
        try:
            self.send_response(503 if self.server.down else 200)
            self.end_headers()
        except OSError:
            pass

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request, tmp_path_factory):
    if request.param == "sqlite":
        yield None
        return
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    server = engines.Postgres(tmp_path_factory.mktemp("notifications-postgres"))
    yield server.database("notifications")
    server.stop("immediate")


@pytest.fixture(scope="module")
def receiver():
    server = Receiver()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def slack():
    server = Receiver()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def engine(kellet_binary, tmp_path_factory, receiver, slack, database):
    receiver.got.clear()
    slack.got.clear()
    extra = f"""\
webhooks:
  general: {{url: 'http://127.0.0.1:{receiver.server_port}/<notification_type>/<userId>'}}
  analysis_update: {{url: 'http://127.0.0.1:{slack.server_port}/slack', format: slack}}
  event_log: {{url: 'http://127.0.0.1:{slack.server_port}/events', format: cloudevents, digest_seconds: 2}}
"""
    more = {**engines.MORE, "catalog": "    cycle_timers: {image_watcher: -1}\n    event_log: {notification: {enabled: true}}\n"}
    engine = engines.Engine(kellet_binary, tmp_path_factory.mktemp("notifications"), database, extra=extra, more=more)
    yield engine
    engine.stop()


def add(engine, registry, name, tag, text):
    image = Image(apk_files({"musl": "1.2.4-r2"}), {"opt/text": text + "\n"})
    push(registry.port, name, tag, image)
    full = f"127.0.0.1:{registry.port}/{name}:{tag}"
    added = engine.client("POST", "/v1/images", {"tag": full})
    assert added.status == 200, added
    engine.client.wait_analyzed(image.digest)
    return full, image


def test_an_analysis_is_told_to_both(engine, receiver, slack, registry_open):
    full, image = add(engine, registry_open, f"notify/{time.monotonic_ns()}", "1", "one")
    receiver.wait(lambda: receiver.kind("analysis_update") and slack.kind("slack"))
    path, headers, body = receiver.kind("analysis_update")[-1]
    body = json.loads(body)
    assert path == "/analysis_update/admin" and headers["Content-Type"] == "application/json"
    assert body["queueId"] == body["data"]["notification_type"] == "analysis_update" and body["userId"] == "admin"
    payload = body["data"]["notification_payload"]
    assert payload["subscription_key"] == full and payload["subscription_type"] == "analysis_update"
    assert payload["curr_eval"]["analysis_status"] == "analyzed" and payload["last_eval"]["analysis_status"] == "analyzing"
    assert payload["curr_eval"]["imageDigest"] == image.digest
    assert headers["Idempotency-Key"].startswith(body["dataId"])
    words = json.loads(slack.kind("slack")[-1][2])
    assert list(words) == ["text"] and full in words["text"] and "analyzed" in words["text"]


def test_a_tag_that_moves(engine, receiver, registry_open):
    name = f"notify/{time.monotonic_ns()}"
    full, first = add(engine, registry_open, name, "moving", "first")
    subscription = engine.client.get("/v1/subscriptions", subscription_key=full, subscription_type="tag_update").json[0]
    subscription["active"] = True
    assert engine.client("PUT", f"/v1/subscriptions/{subscription['subscription_id']}", subscription).status == 200
    second = Image(apk_files({"musl": "1.2.4-r2"}), {"opt/text": "second\n"})
    push(registry_open.port, name, "moving", second)
    receiver.wait(lambda: receiver.kind("tag_update"))
    payload = json.loads(receiver.kind("tag_update")[-1][2])["data"]["notification_payload"]
    assert (payload["last_eval"], payload["curr_eval"]) == ([first.digest], [second.digest])
    assert len(receiver.kind("tag_update")) == 1


def test_events_come_as_a_digest(engine, slack):
    slack.wait(lambda: slack.kind("events"))
    _, headers, body = slack.kind("events")[0]
    event = json.loads(body)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert event["specversion"] == "1.0" and event["type"] == "kellet.event_log" and event["id"]
    told = event["data"]["digest"] if "digest" in event["data"] else [event["data"]]
    assert all(n["event"]["type"] for n in told)


def test_what_was_told_is_listed_and_can_be_told_again(engine, receiver):
    listed = engine.client.get("/v1/notifications", detail="true", limit=1000).json
    one = next(n for n in listed if n["notification_type"] == "tag_update")
    assert [d["state"] for d in one["deliveries"]] == ["delivered"] and one["payload"]["curr_eval"]
    assert engine.client.get("/v1/notifications", state="failed").json == []
    assert engine.client("POST", f"/v1/notifications/{one['id']}/replay").status == 204
    receiver.wait(lambda: len(receiver.kind("tag_update")) == 2)
    keys = {h["Idempotency-Key"] for _, h, _ in receiver.kind("tag_update")}
    assert len(keys) == 1
    assert engine.client("POST", "/v1/notifications/99999999/replay").status == 404


def test_what_failed_is_tried_when_the_receiver_answers(engine, receiver, registry_open, database):
    """A message that waits for hours comes as soon as the receiver takes another one."""
    def told():
        return {key(body) for _, _, body in receiver.kind("analysis_update")}

    def tries(full):
        return [d["tries"] for n in engine.client.get("/v1/notifications", state="pending", detail="true").json
                if n["payload"].get("subscription_key") == full for d in n["deliveries"] if d["state"] == "pending"]

    receiver.down = True
    waits, _ = add(engine, registry_open, f"notify/{time.monotonic_ns()}", "1", "waits")
    receiver.wait(lambda: any(tries(waits)))
    later = "UPDATE outbox_delivery SET next_try = next_try + 7200000000 WHERE state = 0 AND tries > 0"
    if database:
        subprocess.run(["psql", "-q", database, "-c", later], check=True)
    else:
        with sqlite3.connect(engine.database[len("sqlite:"):], timeout=30) as db:
            db.execute(later)
    receiver.down = False
    comes, _ = add(engine, registry_open, f"notify/{time.monotonic_ns()}", "1", "comes")
    receiver.wait(lambda: {waits, comes} <= told())


def test_an_outage_and_kills_lose_nothing(kellet_binary, tmp_path, registry_open, database):
    """The receiver is down, the process is killed; every analysis still is told, one message to the receiver's eye."""
    receiver = Receiver()
    receiver.down = True
    slow = Receiver()
    slow.slow = 3
    extra = (f"webhooks:\n  general: {{url: 'http://127.0.0.1:{receiver.server_port}/<notification_type>/<userId>'}}\n"
             f"  analysis_update: {{url: 'http://127.0.0.1:{slow.server_port}/slow'}}\n")
    url = database and database.replace("/notifications", "/outage")
    if url:
        parts = urllib.parse.urlsplit(url)
        subprocess.run(["createdb", "-h", "127.0.0.1", "-p", str(parts.port), "-U", "kellet", "outage"], check=True)
    engine = engines.Engine(kellet_binary, tmp_path / "outage", url, extra=extra)
    wanted = []
    for i in range(6):
        full, _ = add(engine, registry_open, f"outage/{time.monotonic_ns()}", "1", f"outage {i}")
        wanted.append(full)
        if i in (2, 4):
            old = engine.processes[-1]
            old.send_signal(signal.SIGKILL)
            old.wait()
            engine.add()
            engine.client = engines.Client(engine.port("apiext"))
    assert receiver.kind("analysis_update") == []
    waiting = engine.client.get("/v1/notifications", state="pending").json
    assert len(waiting) == 6
    receiver.down = False
    receiver.wait(lambda: len({key(b) for _, _, b in receiver.kind("analysis_update")}) == 6, 90)
    counts = collections.Counter(h["Idempotency-Key"] for _, h, _ in receiver.kind("analysis_update"))
    assert len(counts) == 6
    assert sorted(key(b) for k, b in {h["Idempotency-Key"]: b for _, h, b in receiver.kind("analysis_update")}.items()) == sorted(wanted)
    assert engine.stop()[-1] == 0
    receiver.shutdown()
    slow.shutdown()


def key(body):
    return json.loads(body)["data"]["notification_payload"]["subscription_key"]

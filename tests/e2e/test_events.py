"""Events: they go when they are old, and nothing that is secret is in them or stands in the database as it is."""
import json
import sqlite3
import time

import pytest

import engines
from registries import free_port

SECRET = "s3cret-of-the-registry"


@pytest.fixture
def engine(kellet_binary, tmp_path):
    more = {**engines.MORE, "catalog": "    cycle_timers: {image_watcher: -1}\n    event_log: {retention_days: 30}\n"}
    e = engines.Engine(kellet_binary, tmp_path / "events", more=more,
                       extra="webhooks: {general: {url: 'http://hook:hook-pass@127.0.0.1:9/', webhook_pass: 'hook-secret'}}\n")
    yield e
    e.stop()


def events(engine, **query):
    return engine.client.get("/v1/events", **query).json["results"]


def test_secrets_and_retention(engine):
    host = f"127.0.0.1:{free_port()}"
    added = engine.client("POST", "/v1/registries?validate=false", {
        "registry": host, "registry_user": "me", "registry_pass": SECRET, "registry_type": "docker_v2", "registry_verify": False})
    assert added.status == 200, added
    refused = engine.client("POST", "/v1/images", {"tag": f"{host}/nothing:1"})
    assert refused.status >= 400 and SECRET not in refused.body.decode()
    engine.client("POST", "/v1/system/webhooks/general/test?notification_type=tag_update")
    user = engine.client("POST", "/v1/accounts", {"name": "tenant", "email": "t@tenant.example"})
    assert user.status == 200, user
    engine.client("POST", "/v1/accounts/tenant/users", {"username": "tenant-user", "password": "s3cret-of-the-user"})
    repo = engine.client("POST", f"/v1/subscriptions", {"subscription_key": f"{host}/repo", "subscription_type": "repo_update",
                                                        "subscription_value": json.dumps({"autosubscribe": False})})
    assert repo.status in (200, 400, 404), repo
    end = time.monotonic() + 30
    while not events(engine) and time.monotonic() < end:
        time.sleep(0.2)
    assert events(engine), "a registry that does not answer is an event"
    path = engine.database.partition(":")[2]
    told = json.dumps(engine.client.get("/v1/events", limit=1000).json) + engine.log()
    with sqlite3.connect(path) as db:
        stored = "\n".join(db.iterdump())
        old = db.execute("SELECT MIN(id) FROM events").fetchone()[0]
        db.execute("UPDATE events SET created_at = created_at - 31 * 86400000000 WHERE id = ?", (old,))
        kept = db.execute("SELECT COUNT(*) FROM events").fetchone()[0] - 1
    for secret in (SECRET, "s3cret-of-the-user", "hook-pass", "hook-secret", engines.PASSWORD):
        assert secret not in told and secret not in stored, secret
    engine.stop()
    engine.add()
    with sqlite3.connect(path) as db:
        while db.execute("SELECT COUNT(*) FROM events WHERE id = ?", (old,)).fetchone()[0]:
            assert time.monotonic() < end + 60, "an old event stays"
            time.sleep(0.2)
        assert db.execute("SELECT COUNT(*) FROM events").fetchone()[0] >= kept

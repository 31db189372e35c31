"""From the answer to an activation on everything that becomes different is told once, whatever the order in which data, the index
and the watchers come: here these run only when newer data wake them, so that nothing of a tag was looked at before."""
import json
import subprocess
import time
import urllib.parse

import engines
import pytest
from test_upgrade import previous  # noqa: F401
from test_vuln_update import BUNDLE, VEX_RULE, World, activate, advisory, database, diff  # noqa: F401

TIMERS = "reindex: 600, vuln_update: 600, policy_update: 600"


@pytest.fixture(scope="module")
def world(kellet_binary, tmp_path_factory, database, registry_open):  # noqa: F811
    url = database and database.replace("/vuln_update", "/subscribed")
    if url:
        port = urllib.parse.urlsplit(url).port
        subprocess.run(["createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "kellet", "subscribed"], check=True)
    w = World(kellet_binary, tmp_path_factory.mktemp("subscribed"), url, registry_open, TIMERS, "image_watcher: -1, policy_change: 1")
    for watcher in ("reindex", "vuln_update", "policy_update"):  # those of the start
        w.wait_rounds(max(0, 1 - w.rounds(watcher)), watcher)
    yield w
    w.stop()


def subscribe(world, full, kind="vuln_update", active=True, value=None):
    one = world.client.get("/v1/subscriptions", subscription_key=full, subscription_type=kind).json[0]
    value = one["subscription_value"] if value is None else value
    answer = world.client("PUT", f"/v1/subscriptions/{one['subscription_id']}", {**one, "active": active, "subscription_value": value})
    assert answer.status == 200 and answer.json[0]["active"] == active, answer


def added(world, full):
    return [x["CVE_ID"] for p in world.told(full) for x in p["diff_vulnerability_result"]["added"]]


def quiet(world):
    """Another tag's notice, of data that come later, has come: what was to be told before has been."""
    name = f"quiet{time.monotonic_ns()}"
    full, _ = world.push(name, {name: "1-r0"})
    subscribe(world, full)
    world.records.append(advisory("CVE-2099-9999", name))
    world.sync()
    world.wait_told(full, 1)
    world.records.pop()


def test_data_before_the_index_knows_the_image(world):
    """The index sees the image's packages for the first time with the newer data: for it nothing changed."""
    full, image = world.push(f"first{time.monotonic_ns()}", {"first": "1-r0"})
    world.records.append(advisory("CVE-2099-1000", "first"))
    world.sync()
    subscribe(world, full)
    world.records[-1:] = [advisory("CVE-2099-1001", "first")]
    world.sync()
    payload = world.wait_told(full, 1)
    assert diff(payload) == {"added": [("CVE-2099-1001", "first", "High", "99.0-r0")],
                             "removed": [("CVE-2099-1000", "first", "High", "99.0-r0")], "updated": []}
    assert payload["imageDigest"] == image.digest
    quiet(world)
    assert len(world.told(full)) == 1


def test_taken_up_again(world):
    """What came while it was not active is not told, and what comes after is."""
    full, _ = world.push(f"again{time.monotonic_ns()}", {"again": "1-r0"})
    for k, active in enumerate((True, False, True)):
        subscribe(world, full, active=active)
        world.records.append(advisory(f"CVE-2099-110{k}", "again"))
        if not active:
            world.sync()
            quiet(world)
    world.sync()
    assert [x["CVE_ID"] for x in world.wait_told(full, 1)["diff_vulnerability_result"]["added"]] == ["CVE-2099-1102"]
    quiet(world)
    assert len(world.told(full)) == 1


def test_older_images(world):
    """Those that the subscription names begin when it names them."""
    name = f"older{time.monotonic_ns()}"
    full, first = world.push(name, {"oldpart": "1-r0"})
    _, second = world.push(name, {"newpart": "1-r0"})
    subscribe(world, full)
    subscribe(world, full, value=json.dumps({"digests": [first.digest, second.digest, "sha256:" + 64 * "0"]}))
    world.records += [advisory("CVE-2099-1201", "oldpart"), advisory("CVE-2099-1202", "newpart")]
    world.sync()
    world.receiver.wait(lambda: len(world.told(full)) == 2, 40)
    assert {(p["imageDigest"], p["diff_vulnerability_result"]["added"][0]["CVE_ID"]) for p in world.told(full)} == {
        (first.digest, "CVE-2099-1201"), (second.digest, "CVE-2099-1202")}


def test_an_image_that_comes_later(world):
    """There was no image when it was asked for: what its first report says is known, what comes after is told."""
    name = f"later{time.monotonic_ns()}"
    full = f"127.0.0.1:{world.registry.port}/{name}:1"
    body = {"subscription_key": full, "subscription_type": "vuln_update", "active": True}
    assert world.client("POST", "/v1/subscriptions", body).status == 200
    world.records.append(advisory("CVE-2099-1301", "later"))
    world.sync()
    _, image = world.push(name, {"later": "1-r0"})
    rows = world.client.get(f"/v1/images/{image.digest}/vuln/all").json["vulnerabilities"]
    assert [x["vuln"] for x in rows] == ["CVE-2099-1301"]
    world.records.append(advisory("CVE-2099-1302", "later"))
    world.sync()
    world.wait_told(full, 1)
    assert added(world, full) == ["CVE-2099-1302"]


def test_verdicts(world):
    full, _ = world.push(f"verdict{time.monotonic_ns()}", {"verdict": "1-r0"})
    bundle = {**BUNDLE, "id": "verdict", "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [VEX_RULE]}]}
    activate(world.client, bundle)
    subscribe(world, full, "policy_eval")
    world.records.append(advisory("CVE-2099-1401", "verdict"))
    world.sync()
    world.receiver.wait(lambda: world.verdicts(full) == ["fail"], 40)


def test_another_bundle(world):
    """The verdict that counts is the active bundle's, whichever that is; what others say of it was never known."""
    def bundle(name, action):
        rule = {"id": "r", "gate": "always", "trigger": "always", "action": action, "params": []}
        return {**BUNDLE, "id": name, "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [rule]}]}

    name = f"bundles{time.monotonic_ns()}"
    full, image = world.push(name, {"bundles": "1-r0"})
    activate(world.client, bundle("goes", "GO"))
    subscribe(world, full, "policy_eval")
    assert world.client("POST", "/v1/policies", bundle("stops", "STOP")).status == 200
    seen = world.client.get(f"/v1/images/{image.digest}/check", tag=full, policyId="stops").json[0][image.digest][full][0]
    assert seen["status"] == "fail"

    def told():
        return [(p["last_eval"]["final_action"], p["curr_eval"]["final_action"]) for _, p in world.payloads("policy_eval")
                if p["subscription_key"] == full]

    activate(world.client, bundle("stops", "STOP"))
    world.receiver.wait(lambda: told(), 40)
    assert [[x.lower() for x in t] for t in told()] == [["go", "stop"]]
    activate(world.client, bundle("stops-too", "STOP"))
    activate(world.client, bundle("goes", "GO"))
    world.receiver.wait(lambda: len(told()) >= 2, 40)
    activate(world.client, bundle("goes-too", "GO"))
    activate(world.client, bundle("stops", "STOP"))
    world.receiver.wait(lambda: len(told()) >= 3, 40)
    quiet(world)
    assert [[x.lower() for x in t] for t in told()] == [["go", "stop"], ["stop", "go"], ["go", "stop"]]


def test_an_image_added_under_the_tag(world):
    """By whoever, not only by the watcher of tags."""
    name = f"moved{time.monotonic_ns()}"
    full, first = world.push(name, {"moved": "1-r0"})
    subscribe(world, full, "tag_update")
    _, second = world.push(name, {"moved": "2-r0"})
    world.receiver.wait(lambda: any(p["subscription_key"] == full for _, p in world.payloads("tag_update")), 40)
    again = world.client("POST", "/v1/images", {"tag": full})
    assert again.status == 200 and again.json[0]["imageDigest"] == second.digest
    quiet(world)
    told = [p for _, p in world.payloads("tag_update") if p["subscription_key"] == full]
    assert [(p["last_eval"], p["curr_eval"]) for p in told] == [([first.digest], [second.digest])]



def test_no_policy_engine(kellet_binary, tmp_path):
    """Nobody can say what is known: nothing is changed, and other subscriptions need nobody."""
    engine = engines.Engine(kellet_binary, tmp_path, services=("catalog", "apiext", "simplequeue"))
    try:
        for kind, status in (("vuln_update", 503), ("policy_eval", 503), ("tag_update", 200)):
            body = {"subscription_key": "docker.io/library/x:1", "subscription_type": kind, "active": True}
            answer = engine.client("POST", "/v1/subscriptions", body)
            assert answer.status == status and (status == 200 or "policy" in answer.json["message"]), answer
            body["active"] = False
            one = engine.client("POST", "/v1/subscriptions", body)
            assert one.status == (409 if status == 200 else 200), one
            if status != 200:
                path = f"/v1/subscriptions/{one.json[0]['subscription_id']}"
                assert engine.client("PUT", path, {**one.json[0], "active": True}).status == status
                assert engine.client("GET", path).json == one.json
    finally:
        engine.stop()


def test_beside_an_older_process(previous, kellet_binary, tmp_path, registry_open, database):  # noqa: F811
    """An older one leads the watchers, then ends: each change is told once, whoever took the subscription."""
    if not database:
        pytest.skip("processes of several builds share a PostgreSQL")
    url, port = database.replace("/vuln_update", "/beside"), urllib.parse.urlsplit(database).port
    subprocess.run(["createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "kellet", "beside"], check=True)
    world = World(previous, tmp_path, url, registry_open)
    try:
        world.engine.binary = kellet_binary
        ports = [world.engine.processes[0].ports["apiext"], world.engine.add().ports["apiext"]]
        tags = []
        for k, port in enumerate(ports):
            tags.append(world.push(f"beside{k}-{time.monotonic_ns()}", {"beside": "1-r0"})[0])
            world.client = engines.Client(port)
            subscribe(world, tags[-1])
        for watcher in ("reindex", "vuln_update"):  # of the older one, which needs them to know what was
            world.wait_rounds(2, watcher)
        for k in range(2):
            world.records.append(advisory(f"CVE-2099-160{k}", "beside"))
            world.sync()
            world.receiver.wait(lambda k=k: all(len(world.told(t)) == k + 1 for t in tags), 60)
            if k == 0:
                world.engine.processes[0].terminate()
                assert world.engine.processes[0].wait(60) == 0
                world.engine.client = world.client
        world.wait_rounds()
        for full in tags:
            assert added(world, full) == ["CVE-2099-1600", "CVE-2099-1601"]
    finally:
        world.stop()

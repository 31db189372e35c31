"""Stored evaluations: history, changes as events and notifications, re-evaluation when the active bundle changes; on
both databases, in one process and in many."""
import time

import pytest

import engines
from registries import Image, apk_files, push

CATALOG = "    cycle_timers: {policy_change: 1}\n"


def bundle(name, action, **more):
    return {"id": name, "name": name, "version": "1_0", "whitelists": [],
            "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [
                {"id": "r", "gate": "always", "trigger": "always", "action": action, "params": []}]}],
            "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                          "policy_ids": ["p"], "whitelist_ids": []}], **more}


@pytest.fixture(scope="module", params=["sqlite", "postgres-split"])
def site(request, kellet_binary, tmp_path_factory, registry_open):
    where = tmp_path_factory.mktemp(f"eval-{request.param}")
    database = None
    if request.param != "sqlite":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        database = request.getfixturevalue("postgres").database("policyeval")
    e = engines.Engine(kellet_binary, where, database, split=database is not None, more={"catalog": CATALOG, **engines.MORE})
    push(registry_open.port, "judged", "1", Image(apk_files({"musl": "1.2.4-r2"})))
    e.tag = f"127.0.0.1:{registry_open.port}/judged:1"
    e.client("POST", "/v1/registries?validate=false", {"registry": e.tag.split("/")[0], "registry_user": "x",
                                                       "registry_pass": "y", "registry_verify": False})
    e.digest = e.client("POST", "/v1/images", {"tag": e.tag}).json[0]["imageDigest"]
    assert e.client.wait_analyzed(e.digest)["analysis_status"] == "analyzed"
    yield e
    e.stop()


def check(site, **query):
    text = "&".join(f"{k}={v}" for k, v in {"tag": site.tag, **query}.items())
    answer = site.client.get(f"/v1/images/{site.digest}/check?{text}")
    assert answer.status == 200, answer
    return answer.json[0][site.digest][site.tag]


def put(site, value, active=False):
    assert site.client("POST", "/v1/policies", value).status == 200
    if active:
        answer = site.client("PUT", f"/v1/policies/{value['id']}?active=true", {"policyId": value["id"], "active": True,
                                                                              "policybundle": value})
        assert answer.status == 200, answer


def changes(site):
    path = "/v1/events?event_type=user.checks.tag.policy_evaluation.update"
    return [e["event"] for e in site.client.get(path).json["results"]]


def test_history_is_of_changes(site):
    put(site, bundle("first", "STOP"))
    for _ in range(3):
        assert check(site, policyId="first")[0]["status"] == "fail"
    assert len(check(site, policyId="first", history="true")) == 1
    assert not changes(site)
    put(site, bundle("first", "GO"))
    assert check(site, policyId="first", interactive="true")[0]["status"] == "pass"
    assert not changes(site), "an interactive evaluation is not kept"
    assert check(site, policyId="first")[0]["status"] == "pass"
    told = changes(site)
    assert len(told) == 1 and told[0]["resource"]["id"] == site.tag
    assert told[0]["details"]["last_final_action"] == "STOP" and told[0]["details"]["curr_final_action"] == "GO"
    history = check(site, policyId="first", history="true", detail="true")
    assert [e["status"] for e in history] == ["pass", "fail"]
    assert [e["detail"]["result"]["final_action"] for e in history] == ["go", "stop"]
    assert all(e["detail"]["result"]["created_at"] > 0 for e in history)


def test_a_changed_rule_is_seen_at_once(site):
    put(site, bundle("second", "WARN"))
    assert check(site, policyId="second")[0]["detail"]["result"]["final_action"] == "warn"
    put(site, bundle("second", "STOP"))
    assert check(site, policyId="second")[0]["detail"]["result"]["final_action"] == "stop"


def test_an_allowlist_item_expires_while_the_verdict_is_kept(site):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    value = bundle("expiring", "STOP", whitelists=[{"id": "w", "name": "w", "version": "1_0", "items": [
        {"id": "i", "gate": "always", "trigger_id": "always", "expires_on": soon}]}])
    value["mappings"][0]["whitelist_ids"] = ["w"]
    put(site, value)
    assert check(site, policyId="expiring")[0]["status"] == "pass"
    end = time.monotonic() + 20
    while check(site, policyId="expiring")[0]["status"] == "pass" and time.monotonic() < end:
        time.sleep(0.3)
    assert check(site, policyId="expiring")[0]["status"] == "fail"


def test_subscribed_tags_follow_the_active_bundle(site):
    put(site, bundle("calm", "GO"), active=True)
    assert check(site)[0]["status"] == "pass"
    found = site.client.get(f"/v1/subscriptions?subscription_key={site.tag}&subscription_type=policy_eval").json[0]
    answer = site.client("PUT", f"/v1/subscriptions/{found['subscription_id']}", {"active": True})
    assert answer.status == 200, answer
    put(site, bundle("calm", "STOP"))
    end = time.monotonic() + 30
    while not any(e["details"].get("policy_id") == "calm" for e in changes(site)) and time.monotonic() < end:
        time.sleep(0.2)
    told = next(e for e in changes(site) if e["details"]["policy_id"] == "calm")
    assert told["details"]["last_final_action"] == "GO" and told["details"]["curr_final_action"] == "STOP"
    history = check(site, policyId="calm", history="true", detail="false")
    assert [e["status"] for e in history] == ["fail", "pass"]


def test_errors(site):
    path = f"/v1/images/{site.digest}/check"
    assert site.client.get(path).status == 400
    unknown = site.client.get(f"/v1/images/sha256:{'0' * 64}/check?tag=x")
    assert unknown.status == 404 and unknown.json["message"] == "image not found in DB"
    missing = site.client.get(path + "?tag=x&policyId=nosuch")
    assert missing.status == 404 and missing.json["message"] == "Policy bundle nosuch not found in DB"
    assert site.client.get(path + "?tag=a%20b").status == 400


def test_lint(site):
    def lint(value):
        answer = site.client("POST", "/v1/policies/lint", value)
        assert answer.status == 200, answer
        return answer.json
    assert lint(bundle("fine", "STOP")) == {"valid": True, "total": 0, "problems": []}
    broken = bundle("broken", "STOP")
    broken["policies"][0]["rules"][0]["gate"] = "nogate"
    found = lint(broken)
    assert not found["valid"] and found["problems"][0]["problem_type"] == "GateNotFoundError"
    assert not lint({})["valid"]
    assert not lint({"policies": 1, "mappings": "x", "whitelists": {}, "id": [], "version": None})["valid"]
    warned = bundle("warned", "STOP")
    warned["policies"].append({"id": "unused", "name": "u", "version": "1_0", "rules": []})
    found = lint(warned)
    assert found["valid"] and found["total"] and {p["severity"] for p in found["problems"]} == {"warn"}
    # a bundle may have this name
    put(site, bundle("lint", "GO"))
    assert site.client.get("/v1/policies/lint").json[0]["policyId"] == "lint"
    assert site.client("POST", "/v1/policies/lint", [1]).status == 400


def test_dry_run(site):
    def dry_run(value, **query):
        text = "&".join(f"{k}={v}" for k, v in query.items())
        return site.client("POST", f"/v1/policies/dry_run?{text}", value)
    second = site.tag.replace("judged:1", "judged:2")
    registry = site.tag.split("/")[0]
    push(int(registry.split(":")[1]), "judged", "2", Image(apk_files({"musl": "1.2.4-r1", "zlib": "1.2.13-r1"})))
    digest = site.client("POST", "/v1/images", {"tag": second}).json[0]["imageDigest"]
    assert site.client.wait_analyzed(digest)["analysis_status"] == "analyzed"
    put(site, bundle("base", "GO"), active=True)
    told = len(changes(site))
    new = bundle("new", "STOP")
    new["policies"][0]["rules"] = [{"gate": "packages", "trigger": "blacklist", "action": "STOP",
                                    "params": [{"name": "name", "value": "zlib"}]}]
    answer = dry_run(new)
    assert answer.status == 200, answer
    assert answer.json["images"] == [{"tag": second, "image_digest": digest, "old_final_action": "go",
                                      "new_final_action": "stop"}]
    assert answer.json["counts"] == {"evaluated": 2, "changed": 1, "failed": 0, "old": {"stop": 0, "warn": 0, "go": 2},
                                     "new": {"stop": 1, "warn": 0, "go": 1}}
    assert answer.json["policyId"] == "base" and answer.json["next"] is None
    # page by page, and all
    nowhere = [{"id": "p", "version": "1_0", "rules": [{"id": "r", "gate": "nogate", "trigger": "x", "action": "stop"}]}]
    for _ in range(20):
        assert dry_run({**new, "policies": nowhere}).status == 400
    first = dry_run(new, all="true", limit=1).json
    assert [i["tag"] for i in first["images"]] == [site.tag] and first["next"]
    last = dry_run(new, all="true", limit=1, after=first["next"]).json
    assert [i["tag"] for i in last["images"]] == [second] and last["next"] is None
    # against another one: nothing changes
    put(site, {**new, "id": "same"})
    assert dry_run(new, policyId="same").json["counts"]["changed"] == 0
    # nothing was stored, nobody told
    assert len(changes(site)) == told
    assert "new" not in [p["policyId"] for p in site.client.get("/v1/policies").json]
    assert check(site, history="true", policyId="base")[0]["status"] == "pass"
    assert dry_run(new, policyId="nosuch").status == 404
    assert dry_run(new, after="x").status == 400
    assert dry_run(new, limit=0).status == 400 and dry_run(new, limit=1001).status == 400
    assert dry_run({"id": "x"}).status == 400
    new["policies"][0]["rules"][0]["gate"] = "nogate"
    refused = dry_run(new)
    assert refused.status == 400 and refused.json["detail"]["validation_details"], refused

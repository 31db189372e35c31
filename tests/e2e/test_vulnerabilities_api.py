"""Vulnerabilities over the engine's API: feeds from a small stand-in of the old feed service that serves the recorded
data set, reports of images, and questions about both."""
import copy
import json
import os
import time

import pytest

import engines
import test_recorded
from conftest import SHARED
from feed_service import FeedService
from registries import Image, apk_files, push

FEEDS = SHARED / "data/api/golden/feeds.json"
ALPINE = {"musl": "1.1.22-r4", "busybox": "1.30.1-r5", "zlib": "1.2.11-r1", "alpine-keys": "2.1-r2"}


@pytest.fixture(scope="module")
def service():
    if not FEEDS.exists():
        pytest.skip(f"{FEEDS} is not here")
    s = FeedService(json.loads(FEEDS.read_text()))
    yield s
    s.stop()


def start(kellet_binary, directory, url, **options):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return engines.Engine(kellet_binary, directory, environment=environment, extra=f"feeds: {{url: '{url}'}}", **options)


@pytest.fixture(scope="module")
def engine(kellet_binary, tmp_path_factory, service):
    e = start(kellet_binary, tmp_path_factory.mktemp("vuln-engine"), service.url)
    yield e
    e.stop()


@pytest.fixture(scope="module")
def synced(engine):
    engine.client("POST", "/v1/system/feeds?sync=true&flush=true", timeout=120)
    return engine.client


@pytest.fixture(scope="module")
def digest(synced, registry_open):
    push(registry_open.port, "vulnerable", "1", Image(apk_files(ALPINE, "3.10.9")))
    host = f"127.0.0.1:{registry_open.port}"
    synced("POST", "/v1/registries?validate=false", {"registry": host, "registry_user": "x", "registry_pass": "y",
                                                     "registry_type": "docker_v2", "registry_verify": False})
    added = synced("POST", "/v1/images", {"source": {"tag": {"pullstring": f"{host}/vulnerable:1"}}})
    assert added.status == 200, added
    d = added.json[0]["imageDigest"]
    assert synced.wait_analyzed(d)["analysis_status"] == "analyzed"
    return d


def feeds(client):
    return {f["name"]: f for f in client.get("/v1/system/feeds").json}


def test_sync(engine, service):
    client = engine.client
    done = client("POST", "/v1/system/feeds?sync=true&flush=true", timeout=120)
    assert done.status == 200, done
    counts = {f["feed"]: {g["group"]: g["updated_record_count"] for g in f["groups"]} for f in done.json}
    assert counts == {f: {g: len(r) for g, r in groups.items()} for f, groups in service.data.items()}
    assert all(f["status"] == "success" and all(g["status"] == "success" for g in f["groups"]) for f in done.json)
    again = client("POST", "/v1/system/feeds?sync=true", timeout=120).json
    assert all(g["updated_record_count"] == 0 for f in again for g in f["groups"])
    listed = feeds(client)
    assert list(listed) == ["vulnerabilities", "nvdv2", "github", "packages"]
    assert all(f["last_full_sync"] and f["enabled"] for f in listed.values())
    assert [(g["name"], g["record_count"]) for g in listed["vulnerabilities"]["groups"]] == [
        ("alpine:3.10", 8), ("alpine:3.18", 8), ("debian:12", 7), ("ubuntu:20.04", 1)]


def test_toggle_and_delete(synced):
    group = "/v1/system/feeds/vulnerabilities/ubuntu:20.04"
    assert synced("DELETE", group).status == 409
    assert synced("DELETE", "/v1/system/feeds/github").status == 409
    off = synced("PUT", group + "?enabled=false")
    assert off.status == 200 and off.json["enabled"] is False and off.json["record_count"] == 1
    assert synced("PUT", "/v1/system/feeds/vulnerabilities/nosuch?enabled=false").json["message"] == "Resource nosuch not found"
    gone = synced("DELETE", group)
    assert gone.status == 200 and gone.json["record_count"] == 0 and gone.json["last_sync"] is None
    assert synced.get("/v1/query/vulnerabilities", id="CVE-2099-2001").json["total_count"] == 0
    skipped = synced("POST", "/v1/system/feeds?sync=true", timeout=120).json
    assert "ubuntu:20.04" not in [g["group"] for g in skipped[0]["groups"]]
    assert synced("PUT", group + "?enabled=true").json["enabled"] is True
    back = synced("POST", "/v1/system/feeds?sync=true", timeout=120).json
    assert {g["group"]: g["updated_record_count"] for g in back[0]["groups"]}["ubuntu:20.04"] == 1
    assert synced.get("/v1/query/vulnerabilities", id="CVE-2099-2001").json["total_count"] == 1


def test_source_down(synced, service):
    service.down = True
    try:
        answer = synced("POST", "/v1/system/feeds?sync=true", timeout=120)
    finally:
        service.down = False
    assert answer.status == 200 and answer.json == []
    assert synced.get("/v1/query/vulnerabilities", id="CVE-2099-0001").json["total_count"] == 3
    events = synced.get("/v1/events", event_type="system.feeds.sync.failed").json["results"]
    assert events and events[0]["event"]["level"] == "error"


def test_report(synced, digest):
    assert synced.get(f"/v1/images/{digest}/vuln").json == ["os", "non-os", "all"]
    report = synced.get(f"/v1/images/{digest}/vuln/all")
    assert report.status == 200, report
    rows = {(r["vuln"], r["package"]): r for r in report.json["vulnerabilities"]}
    assert set(rows) == {("CVE-2099-0001", "musl-1.1.22-r4"), ("CVE-2099-0002", "busybox-1.30.1-r5")}
    assert report.json["imageDigest"] == digest and report.json["vulnerability_type"] == "all"
    row = rows["CVE-2099-0001", "musl-1.1.22-r4"]
    assert row == {
        "feed": "vulnerabilities", "feed_group": "alpine:3.10", "fix": "99.0-r0", "package": "musl-1.1.22-r4",
        "package_cpe": "None", "package_cpe23": "None", "package_name": "musl", "package_path": "pkgdb",
        "package_type": "APKG", "package_version": "1.1.22-r4", "severity": "High", "vendor_data": [],
        "url": "http://vuln.example/CVE-2099-0001", "vuln": "CVE-2099-0001", "will_not_fix": False,
        "nvd_data": [{"id": "CVE-2099-0001",
                      "cvss_v2": {"base_score": 7.5, "exploitability_score": 10.0, "impact_score": 6.4},
                      "cvss_v3": {"base_score": 8.1, "exploitability_score": 2.2, "impact_score": 5.9}}]}
    everything = synced.get(f"/v1/images/{digest}/vuln/all", vendor_only="false").json["vulnerabilities"]
    assert {r["vuln"] for r in everything} == {"CVE-2099-0001", "CVE-2099-0002", "CVE-2099-0007"}
    assert len(synced.get(f"/v1/images/{digest}/vuln/os").json["vulnerabilities"]) == 2
    assert synced.get(f"/v1/images/{digest}/vuln/non-os").json["vulnerabilities"] == []
    anew = synced.get(f"/v1/images/{digest}/vuln/all", force_refresh="true")
    assert anew.body == report.body
    assert synced.get(f"/v1/images/{digest}/vuln/bogus").json["message"] == "content type (bogus) not available"
    assert synced.get(f"/v1/images/sha256:{'c' * 64}/vuln/all").json["message"] == "image not found in DB"


def test_report_follows_the_data(synced, digest, service):
    before = copy.deepcopy(service.data)
    service.data["vulnerabilities"]["alpine:3.10"][2]["Vulnerability"]["FixedIn"][0]["Version"] = "99.0-r0"
    try:
        synced("POST", "/v1/system/feeds?sync=true", timeout=120)
        found = {r["vuln"] for r in synced.get(f"/v1/images/{digest}/vuln/all").json["vulnerabilities"]}
        assert found == {"CVE-2099-0001", "CVE-2099-0002", "CVE-2099-0003"}
    finally:
        service.data = before
        synced("POST", "/v1/system/feeds?sync=true", timeout=120)
    assert len(synced.get(f"/v1/images/{digest}/vuln/all").json["vulnerabilities"]) == 2


def test_questions_about_images(synced, digest):
    found = synced.get("/v1/query/images/by_vulnerability", vulnerability_id="CVE-2099-0001").json
    assert found["total_count"] == 1 and found["page"] == "1" and "next_page" not in found
    assert found["images"][0]["vulnerable_packages"] == [
        {"name": "musl", "namespace": "alpine:3.10", "severity": "High", "type": "APKG", "version": "1.1.22"}]
    assert found["images"][0]["image"]["imageDigest"] == digest
    assert found["images"][0]["image"]["tag_history"][0]["repo"] == "vulnerable"
    for narrow in ({"severity": "Low"}, {"namespace": "debian:12"}, {"affected_package": "zz"}):
        none = synced.get("/v1/query/images/by_vulnerability", vulnerability_id="CVE-2099-0001", **narrow).json
        assert none == {"images": [], "page": "1", "returned_count": 0, "total_count": 0}
    hidden = {"vulnerability_id": "CVE-2099-0007"}
    assert synced.get("/v1/query/images/by_vulnerability", **hidden).json["total_count"] == 0
    assert synced.get("/v1/query/images/by_vulnerability", vendor_only="false", **hidden).json["total_count"] == 1
    have = synced.get("/v1/query/images/by_package", name="musl").json["images"]
    assert [i["packages"] for i in have] == [[{"name": "musl", "type": "APKG", "version": "1.1.22-r4"}]]
    assert synced.get("/v1/query/images/by_package", name="musl", version="0").json["images"] == []
    assert synced.get("/v1/query/images/by_package", name="musl", package_type="apkg").json["images"] == []
    assert synced.get("/v1/query/images/by_package", name="musl", package_type="APKG").json["total_count"] == 1


def test_pages(synced):
    ids = "CVE-2099-0001,CVE-2099-0002,CVE-2099-0003"
    ask = lambda **q: synced.get("/v1/query/vulnerabilities", id=ids, **q)
    whole = ask().json
    assert whole["total_count"] == whole["returned_count"] == 8
    pages = [ask(limit=3, page=n).json for n in (1, 2, 3)]
    assert [p["returned_count"] for p in pages] == [3, 3, 2]
    assert [p.get("next_page") for p in pages] == ["2", "3", None]
    together = [json.dumps(v, sort_keys=True) for p in pages for v in p["vulnerabilities"]]
    assert sorted(together) == sorted(json.dumps(v, sort_keys=True) for v in whole["vulnerabilities"])
    assert ask(limit=3, page=99).json == {"page": "99", "returned_count": 0, "total_count": 8, "vulnerabilities": []}
    assert ask(limit=0).json["returned_count"] == 8
    assert ask(limit=-1).json["returned_count"] == 7
    assert ask(page="x").status == 400
    assert synced.get("/v1/query/vulnerabilities").status == 400
    assert synced.get("/v1/query/vulnerabilities", id="CVE-2099-0001", affected_package_version="1").status == 400


def test_accounts_are_apart(engine, synced, digest):
    synced("POST", "/v1/accounts", {"name": "other", "email": "o@example.com"})
    other = engines.Client(engine.client.port, account="other")
    assert other.get("/v1/query/images/by_package", name="musl").json["images"] == []
    assert other.get("/v1/query/images/by_vulnerability", vulnerability_id="CVE-2099-0001").json["images"] == []
    assert other.get(f"/v1/images/{digest}/vuln/all").status == 404


def recorded(name):
    return [json.loads(line) for line in (SHARED / f"data/api/{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_recorded_feeds(kellet_binary, tmp_path, service):
    """The original's answers about feeds, from the empty table on (but for the events and the webhooks after them)."""
    e = start(kellet_binary, tmp_path, service.url)
    try:
        replayer = test_recorded.Replayer(e.port("apiext"), "nohost")
        found = {x["name"]: replayer.difference(x) for x in recorded("07_feeds") if x["n"] <= 18}
        assert not any(found.values()), found
        told = [x["event"] for x in e.client.get("/v1/events", event_type="system.feeds.*", limit=1000).json["results"]]
        wanted = [x["event"] for x in recorded("07_feeds")[18]["response_body"]["results"]]
        shapes = lambda events: {json.dumps(test_recorded.shape({k: v for k, v in x.items() if k != "source"}), sort_keys=True)
                                 for x in events if x["resource"]["id"] != "packages/npm"}
        assert shapes(wanted) <= shapes(told)
    finally:
        e.stop()


def test_another_policy_engine_gets_the_data(kellet_binary, tmp_path, service, postgres):
    """Two processes with data directories of their own: the second serves what the first synchronised."""
    e = start(kellet_binary, tmp_path / "first", service.url, database=postgres.database("shared_feeds"))
    try:
        assert e.client("POST", "/v1/system/feeds?sync=true", timeout=120).status == 200
        second = start(kellet_binary, tmp_path / "second", "http://127.0.0.1:1/", database=e.database)
        try:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                if second.client.get("/v1/query/vulnerabilities", id="CVE-2099-0001").json["total_count"] == 3:
                    break
                time.sleep(0.2)
            assert second.client.get("/v1/query/vulnerabilities", id="CVE-2099-0001").json["total_count"] == 3
        finally:
            second.stop()
    finally:
        e.stop()

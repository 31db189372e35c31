"""The memory of findings: newer data reach the images that they name, are told once, and stay known with their dates."""
import copy
import json
import os
import subprocess
import time

import pytest

import engines
from registries import Image, apk_files, push
from test_vulnerabilities_api import FeedService

ALPINE = {"musl": "1.1.22-r4", "busybox": "1.30.1-r5", "zlib": "1.2.11-r1"}


def record(name, package, fixed, severity):
    return {"Vulnerability": {
        "Name": name, "NamespaceName": "alpine:3.10", "Description": "", "Severity": severity, "Metadata": {},
        "Link": f"https://advisories.example/{name}",
        "FixedIn": [{"Name": package, "NamespaceName": "alpine:3.10", "Version": fixed, "VersionFormat": "apk",
                     "VendorAdvisory": {"NoAdvisory": False, "AdvisorySummary": []}}]}}


FIRST = [record("CVE-2099-1", "zlib", "1.2.12-r0", "Medium"), record("CVE-2099-2", "musl", "1.1.23-r0", "Low"),
         record("CVE-2099-3", "curl", "8.0-r0", "High")]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def watched(request, kellet_binary, tmp_path_factory, registry_open):
    """(engine, feed service, digest) of an image that is in the index."""
    database = request.getfixturevalue("postgres").database("t_history") if request.param == "postgres" else None
    ghsa = {"Advisory": {"ghsaId": "GHSA-2222-3333-4444", "CVE": ["CVE-2099-1"], "Severity": "Medium", "Summary": "", "Metadata": {},
                         "url": "https://advisories.example/GHSA-2222-3333-4444", "FixedIn": []}}
    service = FeedService({"vulnerabilities": {"alpine:3.10": copy.deepcopy(FIRST)}, "github": {"github:python": [ghsa]}})
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    engine = engines.Engine(kellet_binary, tmp_path_factory.mktemp("history"), database, environment=environment,
                            extra=f"feeds: {{url: '{service.url}'}}")
    client, host = engine.client, f"127.0.0.1:{registry_open.port}"
    sync(client)
    push(registry_open.port, "remembered", "1", Image(apk_files(ALPINE, "3.10.9")))
    client("POST", "/v1/registries?validate=false", {"registry": host, "registry_user": "x", "registry_pass": "y",
                                                     "registry_type": "docker_v2", "registry_verify": False})
    added = client("POST", "/v1/images", {"source": {"tag": {"pullstring": f"{host}/remembered:1"}}})
    digest = added.json[0]["imageDigest"]
    assert client.wait_analyzed(digest)["analysis_status"] == "analyzed"
    until(lambda: findings(client, digest))
    yield engine, service, digest
    engine.stop()
    service.stop()


def sync(client):
    answer = client("POST", "/v1/system/feeds?sync=true&flush=true", timeout=120)
    assert answer.status == 200, answer


def until(question, seconds=60):
    end = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer


def findings(client, digest):
    answer = client("GET", f"/v1/history/images/{digest}")
    return [(f["vuln"], f["package_name"], f["severity"], f["to"] is None) for f in answer.json["findings"]] \
        if answer.status == 200 else []


def affected(client, vuln, **query):
    text = "&".join(f"{k}={v}" for k, v in query.items())
    return [i["imageDigest"] for i in client("GET", f"/v1/history/vulnerabilities/{vuln}?{text}").json["images"]]


def test_newer_data_are_told_once_and_remembered(watched):
    engine, service, digest = watched
    client = engine.client
    assert findings(client, digest) == [("CVE-2099-1", "zlib", "Medium", True), ("CVE-2099-2", "musl", "Low", True)]
    assert client("GET", "/v1/history/changes").json == {"images": [], "next": 0}
    time.sleep(1.1)
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    service.data["vulnerabilities"]["alpine:3.10"] = [
        record("CVE-2099-1", "zlib", "1.2.12-r0", "Critical"), FIRST[2],
        record("CVE-2099-4", "busybox", "1.31-r0", "High")]
    sync(client)
    changed = until(lambda: client("GET", "/v1/history/changes").json["images"])
    assert [i["imageDigest"] for i in changed] == [digest]
    assert [(c["vuln"], c["package_name"], c["kinds"], c["severity"]) for c in
            sorted(changed[0]["changes"], key=lambda c: c["vuln"])] == [
        ("CVE-2099-1", "zlib", ["severity"], "Critical"), ("CVE-2099-2", "musl", ["removed"], "Unknown"),
        ("CVE-2099-4", "busybox", ["added"], "High")]
    place = client("GET", "/v1/history/changes").json["next"]
    assert client("GET", f"/v1/history/changes?after={place}").json == {"images": [], "next": place}
    assert findings(client, digest) == [
        ("CVE-2099-1", "zlib", "Medium", False), ("CVE-2099-1", "zlib", "Critical", True),
        ("CVE-2099-2", "musl", "Low", False), ("CVE-2099-4", "busybox", "High", True)]
    assert affected(client, "CVE-2099-2", at=before) == [digest]
    assert affected(client, "CVE-2099-2") == []
    assert affected(client, "CVE-2099-4", at=before) == []
    assert affected(client, "CVE-2099-4", at=before, known="now") == [digest]
    assert affected(client, "CVE-2099-3") == []


def test_the_list_of_images_of_an_update(watched):
    client, digest = watched[0].client, watched[2]
    update = client("GET", "/v1/history/updates?limit=1").json["updates"][0]
    assert update["started_at"] <= update["listed_at"]
    assert update["data_generation"] != update["data_generation_before"]
    listed = client("GET", f"/v1/history/updates/{update['id']}/images").json
    assert [i["imageDigest"] for i in listed["images"]] == [digest]
    assert client("GET", f"/v1/history/updates/{update['id']}/images?after={listed['next']}").json["images"] == []
    assert client("GET", f"/v1/history/updates/{update['id'] + 1000}/images").status == 404
    assert client("GET", f"/v1/history/updates?before={update['id']}").json["updates"][0]["id"] < update["id"]


def test_any_name_of_a_vulnerability_is_asked_for(watched):
    client, digest = watched[0].client, watched[2]
    answer = client("GET", "/v1/history/vulnerabilities/GHSA-2222-3333-4444").json
    assert [i["imageDigest"] for i in answer["images"]] == [digest]
    assert answer["aliases"] == ["CVE-2099-1"]
    assert client("GET", "/v1/history/vulnerabilities/CVE-2099-1").json["aliases"] == ["GHSA-2222-3333-4444"]
    assert client("GET", "/v1/history/vulnerabilities/CVE-2099-3").json == {"vuln": "CVE-2099-3", "aliases": [], "images": []}
    assert affected(client, "no%2Fsuch%20name") == []


def test_days_are_counted(watched):
    client = watched[0].client
    days = until(lambda: client("GET", "/v1/history/trends?days=2").json["days"])
    assert days[-1]["images"] == 1
    assert sum(days[-1]["findings"].values()) == 2


def test_nobody_sees_others_images(watched):
    client, digest = watched[0].client, watched[2]
    client("POST", "/v1/accounts", {"name": "other", "email": "o@example.org"})
    client("POST", "/v1/accounts/other/users", {"username": "other1", "password": "other-password-1"})
    other = engines.Client(client.port, "other1", "other-password-1")
    assert other("GET", f"/v1/history/images/{digest}").status == 404
    assert affected(other, "CVE-2099-1") == []
    assert other("GET", "/v1/history/changes").json["images"] == []
    update = client("GET", "/v1/history/updates?limit=1").json["updates"][0]["id"]
    assert other("GET", f"/v1/history/updates/{update}/images").json["images"] == []


def test_bad_questions(watched):
    client = watched[0].client
    assert client("GET", "/v1/history/images/sha256:" + "0" * 64).status == 404
    assert client("GET", "/v1/history/vulnerabilities/CVE-2099-1?at=tomorrow").status == 400
    assert client("GET", "/v1/history/vulnerabilities/CVE-2099-1?known=never").status == 400
    assert client("GET", "/v1/history/trends?days=0").status == 400


def test_command_line(watched, kellet_binary, tmp_path):
    """`kellet history` reads the engine's own database."""
    engine, _, digest = watched
    environment = {**os.environ, "KELLET_DATA": str(tmp_path)}

    def ask(*arguments):
        return subprocess.run([kellet_binary, "history", "--config", str(engine.processes[-1].where), *arguments],
                              env={**environment, "ANCHORE_ADMIN_PASSWORD": engines.PASSWORD}, capture_output=True, text=True, timeout=60)

    api = engine.client("GET", f"/v1/history/images/{digest}").json["findings"]
    done = ask(digest, "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["imageDigest"] == digest and len(told["findings"]) == len(api) > 0
    for ours, theirs in zip(told["findings"], api):
        assert {k: ours[k] for k in ("vuln", "package_name", "severity", "fix", "first_seen", "to")} == {
            k: theirs[k] for k in ("vuln", "package_name", "severity", "fix", "first_seen", "to")}
    tag = engine.client("GET", f"/v1/images/{digest}").json[0]["image_detail"][0]["fulltag"]
    table = ask(tag)
    assert table.returncode == 0 and table.stdout.startswith("VULNERABILITY")
    assert len(table.stdout.splitlines()) == len(api) + 1 and api[0]["vuln"] in table.stdout
    nobody = ask("docker.io/library/none:1")
    assert nobody.returncode == 5 and "has no image" in nobody.stderr
    assert ask(digest, "--account", "other").returncode == 5
    assert ask(digest, "-o", "yaml").returncode == 2 and ask().returncode == 2
    elsewhere = subprocess.run([kellet_binary, "history", "--db-connect", engine.database, digest], env=environment,
                               capture_output=True, text=True, timeout=60)
    assert elsewhere.returncode == 0 and elsewhere.stdout == ask(digest).stdout

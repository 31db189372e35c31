"""vuln_update: what became different about the findings of a subscribed tag's image is told once, whatever the reason -
a new advisory, a changed one, one that was taken back, another image under the tag - and across kills."""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "differential"))
import engines  # noqa: E402
import policy_files  # noqa: E402
from registries import Image, apk_files, push  # noqa: E402
from test_notifications import Receiver  # noqa: E402
from test_vulnerabilities_api import FeedService  # noqa: E402

ENTRY = {"CVE_ID", "Severity", "Vulnerable_Package", "Fix_Available", "URL", "Package_Name", "Package_Version",
         "Package_Type", "Feed", "Feed_Group"}


def advisory(cve, package, severity="High", fixed="99.0-r0"):
    return {"Vulnerability": {
        "Name": cve, "NamespaceName": "alpine:3.18", "Severity": severity, "Link": f"http://vuln.example/{cve}",
        "Description": "made up", "Metadata": {},
        "FixedIn": [{"Name": package, "NamespaceName": "alpine:3.18", "Version": fixed, "VersionFormat": "apk",
                     "VendorAdvisory": {"NoAdvisory": False, "AdvisorySummary": []}}]}}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request, tmp_path_factory):
    if request.param == "sqlite":
        yield None
        return
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    server = engines.Postgres(tmp_path_factory.mktemp("vuln-update-postgres"))
    yield server.database("vuln_update")
    server.stop("immediate")


class World:
    """An engine, its feed, its receiver."""

    def __init__(self, binary, directory, database, registry, timers="", catalog="image_watcher: -1"):
        self.registry, self.receiver = registry, Receiver()
        self.records = [advisory("CVE-2099-1000", "unheard-of")]
        self.feed = FeedService({"vulnerabilities": {"alpine:3.18": self.records}})
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        extra = (f"feeds: {{url: '{self.feed.url}'}}\n"
                 f"webhooks: {{general: {{url: 'http://127.0.0.1:{self.receiver.server_port}/<notification_type>/<userId>'}}}}\n")
        self.engine = engines.Engine(binary, directory, database, environment=environment, extra=extra,
                                     more={"policy_engine": engines.MORE["policy_engine"] + f"    cycle_timers: {{{timers}}}\n",
                                           "catalog": f"    cycle_timers: {{{catalog}}}\n"})
        self.client = self.engine.client
        self.sync()

    def sync(self, flush=True):
        done = self.client("POST", f"/v1/system/feeds?sync=true&flush={str(flush).lower()}", timeout=120)
        assert done.status == 200 and all(f["status"] == "success" for f in done.json), done

    def rounds(self, watcher="vuln_update"):
        """How many rounds of the watcher were done."""
        page = self.engine.client("GET", "/metrics").body.decode()
        name = 'anchore_monitor_runtime_seconds_count{function="%s"' % watcher
        return sum(int(float(line.split()[-1])) for line in page.splitlines() if line.startswith(name))

    def payloads(self, kind):
        """What the receiver got: (idempotency key, payload) of each message."""
        return [(headers["Idempotency-Key"], json.loads(body)["data"]["notification_payload"])
                for _, headers, body in self.receiver.kind(kind)]

    def verdicts(self, full):
        """What the receiver was told that a tag's verdict is now."""
        return [p["curr_eval"]["status"] for _, p in self.payloads("policy_eval") if p["subscription_key"] == full]

    def wait_rounds(self, n=2, watcher="vuln_update"):
        start, end = self.rounds(watcher), time.monotonic() + 30
        while self.rounds(watcher) < start + n:
            assert time.monotonic() < end, self.engine.log()[-3000:]
            time.sleep(0.1)

    def push(self, name, packages, tag="1", files={}):
        image = Image(apk_files(packages), {"opt/text": f"{name} {time.monotonic_ns()}\n", **files})
        push(self.registry.port, name, tag, image)
        full = f"127.0.0.1:{self.registry.port}/{name}:{tag}"
        added = self.client("POST", "/v1/images", {"tag": full})
        assert added.status == 200, added
        self.client.wait_analyzed(image.digest)
        return full, image

    def subscribe(self, full, active=True, wait=True):
        one = self.client.get("/v1/subscriptions", subscription_key=full, subscription_type="vuln_update").json[0]
        answer = self.client("PUT", f"/v1/subscriptions/{one['subscription_id']}", {**one, "active": active})
        assert answer.status == 200, answer
        if wait:
            self.wait_rounds()

    def kill(self):
        """The engine, and another one goes on."""
        old = self.engine.processes[-1]
        old.send_signal(signal.SIGKILL)
        old.wait()
        self.engine.add()
        self.client = self.engine.client = engines.Client(self.engine.port("apiext"))

    def told(self, full):
        """The payloads for a tag, one for each key that the receiver saw."""
        seen = {}
        for key, payload in self.payloads("vuln_update"):
            if payload["subscription_key"] == full:
                seen.setdefault(key, payload)
        return list(seen.values())

    def wait_told(self, full, n):
        self.receiver.wait(lambda: len(self.told(full)) >= n, 40)
        return self.told(full)[n - 1]

    def stop(self):
        self.engine.stop()
        self.receiver.shutdown()
        self.feed.stop()


@pytest.fixture(scope="module")
def world(kellet_binary, tmp_path_factory, database, registry_open):
    w = World(kellet_binary, tmp_path_factory.mktemp("vuln-update"), database, registry_open)
    yield w
    w.stop()


def diff(payload):
    return {k: [(x["CVE_ID"], x["Package_Name"], x["Severity"], x["Fix_Available"]) for x in v]
            for k, v in payload["diff_vulnerability_result"].items()}


def test_new_changed_and_gone(world):
    name = f"vu{time.monotonic_ns()}"
    full, image = world.push(name, {"musl": "1.2.4-r2", "zlib": "1.2.13-r1"})
    other, _ = world.push(name + "-other", {"musl": "1.2.4-r2"})
    elsewhere, _ = world.push(name + "-elsewhere", {"busybox": "1.36.1-r5"})
    world.subscribe(full)
    world.subscribe(elsewhere)

    world.records.append(advisory("CVE-2099-1001", "musl"))
    world.sync()
    payload = world.wait_told(full, 1)
    assert diff(payload) == {"added": [("CVE-2099-1001", "musl", "High", "99.0-r0")], "removed": [], "updated": []}
    entry = payload["diff_vulnerability_result"]["added"][0]
    assert set(entry) == ENTRY and entry["Vulnerable_Package"] == "musl-1.2.4-r2" and entry["Package_Type"] == "APKG"
    assert (entry["Feed"], entry["Feed_Group"], entry["URL"]) == (
        "vulnerabilities", "alpine:3.18", "http://vuln.example/CVE-2099-1001")
    assert payload["imageDigest"] == image.digest and payload["annotations"] == {}
    assert payload["subscription_type"] == "vuln_update" and payload["userId"] == "admin"

    world.records[-1] = advisory("CVE-2099-1001", "musl", "Critical", "98.0-r0")
    world.sync()
    assert diff(world.wait_told(full, 2)) == {
        "added": [], "removed": [], "updated": [("CVE-2099-1001", "musl", "Critical", "98.0-r0")]}

    world.records.pop()
    world.sync()
    assert diff(world.wait_told(full, 3)) == {
        "added": [], "removed": [("CVE-2099-1001", "musl", "Critical", "98.0-r0")], "updated": []}

    world.sync()  # the same again: nothing
    world.wait_rounds()
    assert len(world.told(full)) == 3 and world.told(other) == [] and world.told(elsewhere) == []
    events = world.client.get("/v1/events", event_type="user.checks.tag.vulnerabilities.update", resource_id=full).json
    assert len(events["results"]) == 3
    details = events["results"][0]["event"]["details"]
    assert details["subscription_type"] == "vuln_update" and details["removed"] == 1


def test_another_image_under_the_tag(world):
    name = f"vu{time.monotonic_ns()}"
    world.records.append(advisory("CVE-2099-2001", "musl", fixed="1.2.5-r0"))
    world.records.append(advisory("CVE-2099-2002", "curl"))
    world.sync()
    full, _ = world.push(name, {"musl": "1.2.4-r2"})
    world.subscribe(full)
    assert world.told(full) == []
    _, second = world.push(name, {"musl": "1.2.5-r0", "curl": "8.5.0-r0"})
    payload = world.wait_told(full, 1)
    assert diff(payload) == {"added": [("CVE-2099-2002", "curl", "High", "99.0-r0")],
                             "removed": [("CVE-2099-2001", "musl", "High", "1.2.5-r0")], "updated": []}
    assert payload["imageDigest"] == second.digest
    world.subscribe(full, False)
    world.records.append(advisory("CVE-2099-2003", "curl"))
    world.sync()
    world.wait_rounds()
    assert len(world.told(full)) == 1


def test_older_images_that_the_subscription_names(world):
    name = f"vu{time.monotonic_ns()}"
    full, first = world.push(name, {"older": "1-r0"})
    _, second = world.push(name, {"newer": "1-r0"})
    world.subscribe(full)
    one = world.client.get("/v1/subscriptions", subscription_key=full, subscription_type="vuln_update").json[0]
    value = json.dumps({"digests": [first.digest, second.digest, "sha256:" + 64 * "0"]})
    answer = world.client("PUT", f"/v1/subscriptions/{one['subscription_id']}", {**one, "subscription_value": value})
    assert answer.status == 200, answer
    world.wait_rounds()
    assert world.told(full) == [], "what is looked at for the first time is not told"
    world.records.append(advisory("CVE-2099-2101", "older"))
    world.sync()
    payload = world.wait_told(full, 1)
    assert payload["imageDigest"] == first.digest and payload["subscription_key"] == full
    assert [x["CVE_ID"] for x in payload["diff_vulnerability_result"]["added"]] == ["CVE-2099-2101"]
    world.records.append(advisory("CVE-2099-2102", "newer"))
    world.sync()
    assert world.wait_told(full, 2)["imageDigest"] == second.digest
    world.wait_rounds()
    assert len(world.told(full)) == 2
    world.records[-2:] = []


BUNDLE = {
    "id": "by-severity", "name": "by severity", "version": "1_0", "whitelists": [],
    "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [
        {"id": "r", "gate": "vulnerabilities", "trigger": "package", "action": "STOP", "params": [
            {"name": "package_type", "value": "all"}, {"name": "severity_comparison", "value": ">="},
            {"name": "severity", "value": "high"}]}]}],
    "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                  "policy_ids": ["p"], "whitelist_ids": []}]}


VEX_RULE = {"id": "r", "gate": "vulnerabilities", "trigger": "package", "action": "STOP", "params": [
    {"name": "package_type", "value": "all"}, {"name": "severity_comparison", "value": ">="},
    {"name": "severity", "value": "low"}, {"name": "vex_status", "value": "none, affected, under_investigation"}]}


def activate(client, bundle):
    name = bundle["id"]
    assert client("POST", "/v1/policies", bundle).status == 200
    answer = client("PUT", f"/v1/policies/{name}?active=true", {"policyId": name, "active": True, "policybundle": bundle})
    assert answer.status == 200, answer


def subscribe(client, full):
    found = client.get("/v1/subscriptions", subscription_key=full, subscription_type="policy_eval").json[0]
    answer = client("PUT", f"/v1/subscriptions/{found['subscription_id']}", {**found, "active": True})
    assert answer.status == 200, answer


def test_verdicts_follow_the_data(world):
    """Only the tag whose image is affected is evaluated again."""
    activate(world.client, BUNDLE)
    name, tags = f"vu{time.monotonic_ns()}", []
    for package in ("sqlite", "readline"):
        full, image = world.push(f"{name}-{package}", {package: "3.41.2-r2"})
        tags.append((full, image))
        subscribe(world.client, full)
        verdict = world.client.get(f"/v1/images/{image.digest}/check", tag=full).json[0][image.digest][full][0]
        assert verdict["status"] == "pass"
    world.wait_rounds(1, "policy_update")
    world.records.append(advisory("CVE-2099-4001", "sqlite"))
    world.sync()

    def told():
        return [payload for _, payload in world.payloads("policy_eval")]

    world.receiver.wait(told, 40)
    assert told()[0]["subscription_key"] == tags[0][0]
    full, image = tags[1]
    history = world.client.get(f"/v1/images/{image.digest}/check", tag=full, history="true").json[0][image.digest][full]
    assert len(history) == 1
    assert {p["subscription_key"] for p in told()} == {tags[0][0]}


def test_vex_documents_are_told(world):
    """Who subscribed to a tag's verdict is told when somebody says that a finding does not affect it, and when it is taken back."""
    full, image = world.push("vextold", {"vextold-package": "1.0-r0"})
    world.records.append(advisory("CVE-2099-7001", "vextold-package"))
    world.sync()
    client = world.client
    bundle = {**BUNDLE, "id": "vextold", "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [VEX_RULE]}]}
    activate(client, bundle)
    subscribe(client, full)

    def verdict():
        return client.get(f"/v1/images/{image.digest}/check", tag=full).json[0][image.digest][full][0]["status"]

    end = time.monotonic() + 30
    while verdict() != "fail" and time.monotonic() < end:
        time.sleep(0.2)
    before = len(world.verdicts(full))
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2024-01-01T00:00:00Z", "statements": [
        {"vulnerability": {"name": "CVE-2099-7001"}, "products": [{"@id": "pkg:apk/alpine/vextold-package"}],
         "status": "not_affected"}]}
    assert client("PUT", "/v1/vex/told.json", document).status == 200
    world.receiver.wait(lambda: "pass" in world.verdicts(full)[before:], 40)
    assert client("DELETE", "/v1/vex/told.json").status == 204
    world.receiver.wait(lambda: world.verdicts(full)[-1] == "fail", 40)


def test_what_only_cpes_say_is_told(world):
    """Findings by the CPEs of the old feed service's nvdv2: no package of the index has them."""
    name = f"cpe{time.monotonic_ns()}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    full, image = world.push(name, {f"{name}-os": "1.0-r0"},
                             files={f"usr/lib/python3.11/site-packages/{name}-1.0.dist-info/METADATA": metadata})
    bundle = {**BUNDLE, "id": name, "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [VEX_RULE]}]}
    activate(world.client, bundle)
    assert world.client.get(f"/v1/images/{image.digest}/check", tag=full).json[0][image.digest][full][0]["status"] == "pass"
    subscribe(world.client, full)
    world.subscribe(full)
    record = {"cve": {"CVE_data_meta": {"ID": "CVE-2099-8001"}, "description": {"description_data": []}}, "severity": "High",
              "vulnerable_cpes": [f"cpe:2.3:a:{name}:{name}:1.0:*:*:*:*:*:*:*"], "external_references": []}
    world.feed.data["nvdv2"] = {"nvdv2:cves": [record]}
    try:
        world.sync()
        told = diff(world.wait_told(full, 1))
        assert told["added"] == [("CVE-2099-8001", name, "High", "None")] and not told["removed"] and not told["updated"], told
        world.receiver.wait(lambda: "fail" in world.verdicts(full), 40)
        record["vulnerable_cpes"] = [f"cpe:2.3:a:{name}:{name}:2.0:*:*:*:*:*:*:*"]
        world.sync()
        assert diff(world.wait_told(full, 2))["removed"] == [("CVE-2099-8001", name, "High", "None")]
        world.receiver.wait(lambda: world.verdicts(full)[-1] == "pass", 40)
    finally:
        del world.feed.data["nvdv2"]


def github(name, package, ecosystem):
    return {"Advisory": {
        "ghsaId": name, "namespace": f"github:{ecosystem}", "Summary": "", "Severity": "High", "withdrawn": None,
        "url": f"http://g.example/{name}", "CVE": [], "Metadata": {"CVE": []},
        "FixedIn": [{"ecosystem": ecosystem, "name": package, "namespace": f"github:{ecosystem}", "range": "< 2.0.0",
                     "identifier": "2.0.0"}]}, "Vulnerability": {}}


def test_packages_at_several_places(world):
    """A jar that was copied, into an archive too, and a module of two programs: a row for each place, told and counted once."""
    name, module = f"places{time.monotonic_ns()}", "github.com/x/places"
    inner = policy_files.jar("org.x", name, "1.0.0")
    full, image = world.push(name, {}, files={
        "opt/a.jar": inner, "srv/b.war": policy_files.jar("org.y", "web", "1.0", ("WEB-INF/lib/c.jar", inner)),
        **{f"usr/bin/{p}": policy_files.go_program(f"x.example/{p}", [(module, "v1.0.0")]) for p in ("one", "two")}})
    jars, programs = ["/opt/a.jar", "/srv/b.war:WEB-INF/lib/c.jar"], ["/usr/bin/one", "/usr/bin/two"]
    for kind, package, places in (("java", name, jars), ("go", module, programs)):
        rows = world.client.get(f"/v1/images/{image.digest}/content/{kind}").json["content"]
        assert sorted(x["location"] for x in rows if x["package"] == package) == places
    world.subscribe(full)
    world.feed.data["github"] = {"github:java": [github("GHSA-aaaa-bbbb-0001", f"org.x:{name}", "java")],
                                 "github:go": [github("GHSA-aaaa-bbbb-0002", module, "go")]}
    try:
        world.sync()
        told = [diff(world.wait_told(full, 1))]
        if len(told[0]["added"]) == 1:  # one feed after the other
            told.append(diff(world.wait_told(full, 2)))
        world.wait_rounds()
        assert len(world.told(full)) == len(told)
        assert sorted(x for t in told for x in t["added"]) == [("GHSA-aaaa-bbbb-0001", name, "High", "2.0.0"),
                                                               ("GHSA-aaaa-bbbb-0002", module, "High", "2.0.0")]
        assert not any(t["removed"] or t["updated"] for t in told)
        rows = world.client.get(f"/v1/images/{image.digest}/vuln/all").json["vulnerabilities"]
        assert sorted((x["vuln"], x["package_path"]) for x in rows) == [
            *(("GHSA-aaaa-bbbb-0001", p) for p in jars), *(("GHSA-aaaa-bbbb-0002", p) for p in programs)]
        assert not any("repeated" in x for x in rows)

        def messages(trigger, **params):
            rule = {"id": "r", "gate": "vulnerabilities", "trigger": trigger, "action": "STOP",
                    "params": [{"name": n, "value": v} for n, v in params.items()]}
            bundle = {**BUNDLE, "id": name, "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [rule]}]}
            assert world.client("POST", "/v1/policies", bundle).status == 200
            check = world.client.get(f"/v1/images/{image.digest}/check", tag=full, policyId=name, detail="true").json[0]
            result = check[image.digest][full][0]["detail"]["result"]["result"]
            return [row[5] for row in list(result.values())[0]["result"]["rows"]]

        found = messages("package", package_type="non-os", severity="high", severity_comparison="=",
                         package_path_exclude="/opt/.*|/usr/bin/two")
        assert [m.split(" - ")[1].split(" ")[0] for m in found] == [jars[1], programs[0]], found
        assert messages("count", max_count="1")[0].startswith("2 findings ") and not messages("count", max_count="2")
    finally:
        del world.feed.data["github"]


def test_too_many_places_are_the_image_s_own_problem(world):
    """A report that would have more rows than it may: questions about all images and reports go on, policies refuse it."""
    name = f"module{time.monotonic_ns()}"
    world.feed.data["github"] = {"github:npm": [github(f"GHSA-cccc-0000-{i:04d}", name, "npm") for i in range(450)]}
    module = json.dumps({"name": name, "version": "1.0.0"})
    try:
        world.sync()
        large, image = world.push(f"{name}-many", {}, files={f"opt/{i}/node_modules/{name}/package.json": module for i in range(450)})
        _, other = world.push(f"{name}-one", {}, files={f"opt/node_modules/{name}/package.json": module})
        found = world.client.get("/v1/query/images/by_vulnerability", vulnerability_id="GHSA-cccc-0000-0001")
        assert {i["image"]["imageDigest"] for i in found.json["images"]} == {image.digest, other.digest}
        answer = world.client.get(f"/v1/images/{image.digest}/check", tag=large)
        assert answer.status == 413 and "policies cannot judge the image" in answer.json["message"], answer
        assert world.client.get(f"/v1/images/{other.digest}/check", tag=large.replace("-many", "-one")).status == 200
    finally:
        del world.feed.data["github"]


def test_kills_and_an_outage_lose_nothing(kellet_binary, tmp_path, registry_open, database, request):
    url = database and database.replace("/vuln_update", "/kills")
    if url:
        subprocess.run(["createdb", "-h", "127.0.0.1", "-p", str(urllib.parse.urlsplit(url).port), "-U", "kellet", "kills"],
                       check=True)
    world = World(kellet_binary, tmp_path / "kills", url, registry_open)
    request.addfinalizer(world.stop)
    name = f"vu{time.monotonic_ns()}"
    tags = [world.push(f"{name}-{i}", {"musl": "1.2.4-r2", f"own{i}": "1"})[0] for i in range(4)]
    for full in tags:
        world.subscribe(full, wait=full != tags[-1])
    world.receiver.down = True
    world.kill()  # when it has answered that the last one is active
    for k in range(3):
        world.records.append(advisory(f"CVE-2099-300{k}", "musl"))
        world.sync()
        world.kill()
    world.receiver.down = False

    def added(full):
        return [x["CVE_ID"] for p in world.told(full) for x in p["diff_vulnerability_result"]["added"]]

    wanted = [f"CVE-2099-300{k}" for k in range(3)]
    world.receiver.wait(lambda: all(len(added(full)) >= 3 for full in tags), 60)
    for full in tags:
        assert sorted(added(full)) == wanted


def test_vex_documents_reach_verdicts(world):
    """A rule that leaves out what somebody said not to be affected: at once when that is said, and when it is taken back."""
    name = "vexed"
    full, image = world.push(name, {"vexed-package": "1.0-r0"})
    world.records.append(advisory("CVE-2099-7000", "vexed-package"))
    world.sync()
    client = world.client
    policy = {"id": "vex", "name": "vex", "version": "1_0", "whitelists": [],
              "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [VEX_RULE]}],
              "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                            "policy_ids": ["p"], "whitelist_ids": []}]}
    assert client("POST", "/v1/policies", policy).status == 200

    def verdict():
        answer = client.get(f"/v1/images/{image.digest}/check", tag=full, policyId="vex")
        assert answer.status == 200, answer
        return answer.json[0][image.digest][full][0]["status"]

    def document(status, package="pkg:apk/alpine/vexed-package"):
        return {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2024-01-01T00:00:00Z", "statements": [
            {"vulnerability": {"name": "CVE-2099-7000"}, "products": [{"@id": package}, {"@id": "cpe:/a:x"}], "status": status}]}

    end = time.monotonic() + 30
    while verdict() != "fail" and time.monotonic() < end:
        time.sleep(0.2)
    assert verdict() == "fail" and client.get("/v1/vex").json == []
    put = client("PUT", "/v1/vex/team.json", document("not_affected"))
    assert put.status == 200 and put.json == {"name": "team.json", "statements": 1, "unusable_products": 1}
    assert verdict() == "pass"
    assert client.get("/v1/vex/team.json").json == document("not_affected")
    assert [d["name"] for d in client.get("/v1/vex").json] == ["team.json"]
    assert client("PUT", "/v1/vex/team.json", document("affected")).status == 200
    assert verdict() == "fail"
    assert client("PUT", "/v1/vex/team.json", document("not_affected", "pkg:apk/alpine/other")).status == 200
    assert verdict() == "fail", "said of another package"
    assert client("PUT", "/v1/vex/second", document("fixed")).status == 200
    assert verdict() == "pass"
    for path, body in (("team.json", {}), ("team.json", {"@context": "https://openvex.dev/ns/v0.2.0", "statements": 7}),
                       ("a%2Fb", document("fixed")), ("x" * 129, document("fixed"))):
        refused = client("PUT", f"/v1/vex/{path}", body)
        assert refused.status == 400 and refused.json["message"], refused
    assert verdict() == "pass"
    assert client("POST", "/v1/accounts", {"name": "vexless"}).status == 200
    assert client("POST", "/v1/accounts/vexless/users", {"username": "vexless", "password": "password1"}).status == 200
    stranger = engines.Client(client.port, "vexless", "password1")
    assert stranger.get("/v1/vex").json == [] and stranger.get("/v1/vex/second").status == 404
    assert stranger("DELETE", "/v1/vex/second").status == 404 and verdict() == "pass"
    assert client("DELETE", "/v1/vex/second").status == 204 and client("DELETE", "/v1/vex/second").status == 404
    assert verdict() == "fail"

"""Bundles that are far too large, of the wrong types or made to explode, through the API and the commands: the documented
answer in bounded time, and never an internal error."""
import copy
import functools
import json
import os
import subprocess
import time

import pytest

import engines
from conftest import ROOT
from registries import Image, apk_files, push

KELLET = os.environ.get("KELLET", str(ROOT / "build" / "kellet"))
WATCHDOG = 120  # seconds: what no answer may take, whatever else the machine does
MEMORY = 2048  # MiB: of the engine's process at most


def rule(gate, trigger, action="STOP", **params):
    return {"id": "r", "gate": gate, "trigger": trigger, "action": action,
            "params": [{"name": k, "value": v} for k, v in params.items()]}


def bundle(rules, items=None, **more):
    lists = [] if items is None else [{"id": "w", "name": "w", "version": "1_0", "items": items}]
    return {"id": "limits", "name": "limits", "version": "1_0", "whitelists": lists,
            "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": rules}],
            "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                          "policy_ids": ["p"], "whitelist_ids": [w["id"] for w in lists]}], **more}


def item(trigger_id, gate="files", **more):
    return {"id": "i", "gate": gate, "trigger_id": trigger_id, **more}


ANY_FILE = rule("files", "name_match", regex=".*")
LONG = "etc/" + "a" * 60


def of_text(size):
    return bundle([rule("always", "always")], comment="x" * size)


# name: the bundle, what POST /policies answers, what a problem or message of it says, the verdict where it is stored
BUNDLES = {
    "15 MB of text": (lambda: of_text(15_000_000), 200, "", "stop"),
    "50 MB of text": (lambda: of_text(50_000_000), 413, "capacity limit", "stop"),
    "65 MiB": (lambda: of_text(65 << 20), 413, "capacity limit", None),
    "100,000 rules": (lambda: bundle([rule("always", "always", "WARN")] * 100_000), 200, "", "warn"),
    "200,001 rules": (lambda: bundle([rule("always", "always")] * 200_001), 413, "capacity limit", None),
    "20,000 rules about nothing": (lambda: bundle([rule("nogate", "x")] * 20_000), 400, "GateNotFoundError", None),
    "20,000 expressions": (lambda: bundle([rule("files", "name_match", regex=f".*{n}x.*") for n in range(20_000)]), 200, "", "go"),
    "50,000 allowlist items": (lambda: bundle([rule("always", "always")], [
        item(f"CVE-2099-{n}+p*", "vulnerabilities", expires_on="2099-01-01T00:00:00Z") for n in range(50_000)]), 200, "", "stop"),
    "20,000 items without a date": (lambda: bundle([rule("always", "always")], [
        item("x", expires_on=f"2020-13-45T99:99:{n % 60:02}Z") for n in range(20_000)]), 400, "could not convert input value", None),
    "20,000 policies of one id": (lambda: bundle([], policies=[
        {"id": "p", "name": "p", "version": "1_0", "rules": []}] * 20_000), 400, "DuplicateIdentifierFoundError", None),
    "1,000 policies that name each other": (lambda: bundle([], policies=[
        {"id": f"p{n}", "name": "p", "version": "1_0", "policy_ids": [f"p{n - 1}"], "rules": []} for n in range(1000)],
        mappings=[{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                   "policy_ids": [f"p{n}" for n in range(1000)] * 20, "whitelist_ids": []}]), 200, "", "go"),
    "20,000 mappings": (lambda: bundle([rule("always", "always")], mappings=[
        {"name": "x", "registry": "(", "repository": "regexp:(", "image": {"type": "tag", "value": "*a" * 20},
         "policy_ids": ["p"], "whitelist_ids": []}] * 20_000), 200, "", "go"),
    "expressions that explode": (lambda: bundle([rule("files", "name_match", regex="/etc/(a|aa)+[bc]" + "?" * (n % 2) + "[bc]" * (n // 2)) for n in range(1000)]),
                                 200, "", "stop"),
    "expressions that are none": (lambda: bundle([rule("files", "name_match", regex=x) for x in (
        "(a|aa)+" * 500, "(" * 3000 + ")" * 3000, "a{65000}{65000}", "(?R)", "(.*)*(.*)*(.*)*\\1\\2!", "(?<n>a)(?<n>b)", "[", "\0")]),
        200, "", "stop"),
    "allowlists that explode": (lambda: bundle([ANY_FILE], [item(f"regexp:(([a-f0-9])+.)+[A-Z]([a-z])+${n}")
                                                            for n in range(1000)]), 200, "", "stop"),
    "stars": (lambda: bundle([ANY_FILE], [item("*a" * 5000) for _ in range(100)]), 200, "", "stop"),
}


@functools.cache
def text_of(name):
    return json.dumps(BUNDLES[name][0]())


WITHOUT_AN_ENGINE = ("50 MB of text", "65 MiB", "200,001 rules", "20,000 rules about nothing", "20,000 items without a date",
                     "expressions that explode", "allowlists that explode")
IN_BOTH_STORES = ("15 MB of text", "50,000 allowlist items", "expressions that are none", "65 MiB")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request, kellet_binary, tmp_path_factory, registry_open):
    where = tmp_path_factory.mktemp(f"limits-{request.param}")
    database = None
    if request.param == "postgres":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        database = request.getfixturevalue("postgres").database("policylimits")
    e = engines.Engine(kellet_binary, where, database, more=engines.MORE)
    push(registry_open.port, "limits", "1", Image({**apk_files({"musl": "1.2.4-r2"}), LONG: b"x"}))
    e.name = request.param
    e.tag = f"127.0.0.1:{registry_open.port}/limits:1"
    e.client("POST", "/v1/registries?validate=false", {"registry": e.tag.split("/")[0], "registry_user": "x",
                                                       "registry_pass": "y", "registry_verify": False})
    e.digest = e.client("POST", "/v1/images", {"tag": e.tag}).json[0]["imageDigest"]
    assert e.client.wait_analyzed(e.digest)["analysis_status"] == "analyzed"
    yield e
    peak = max(memory(p.pid) for p in e.processes)
    e.stop()
    assert peak < MEMORY, f"{peak} MiB"


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmHWM:")) >> 10


def asked(site, what, *arguments):
    start = time.monotonic()
    answer = site.client(*arguments, timeout=WATCHDOG)
    print(f"{what}: {answer.status} after {time.monotonic() - start:.2f} s")
    assert answer.status < 500, answer
    return answer


def sent(site, what, path, file):
    """POST by curl, which reads the answer to a body that is refused before it was sent whole."""
    start = time.monotonic()
    done = subprocess.run(["curl", "-sS", "-u", "admin:foobar", "-H", "Content-Type: application/json", "-w", "\n%{http_code}",
                           "--data-binary", f"@{file}", f"http://127.0.0.1:{site.client.port}{path}"], capture_output=True,
                          text=True, timeout=WATCHDOG)
    body, _, status = done.stdout.rpartition("\n")
    print(f"{what}: {status} after {time.monotonic() - start:.2f} s")
    assert done.returncode == 0 and int(status) < 500, (done.stderr, body[:1000])
    return int(status), json.loads(body)


@pytest.mark.parametrize("name", BUNDLES)
def test_sizes(site, name, tmp_path):
    _, status, said, verdict = BUNDLES[name]
    if site.name == "postgres" and name not in IN_BOTH_STORES:
        pytest.skip("the store has no part in it")
    file = tmp_path / "bundle.json"
    file.write_text(text_of(name))
    code, lint = sent(site, "lint", "/v1/policies/lint", file)
    assert code == (status if status == 413 else 200), str(lint)[:1000]
    assert code == 413 or lint["valid"] == (status == 200), str(lint)[:1000]
    code, stored = sent(site, "store", "/v1/policies", file)
    assert code == status and said in str(stored), str(stored)[:1000]
    if status == 200:
        answer = asked(site, "check", "GET", f"/v1/images/{site.digest}/check?tag={site.tag}&policyId=limits&detail=false")
        assert answer.status == 200, answer
        assert answer.json[0][site.digest][site.tag][0]["status"] == ("fail" if verdict == "stop" else "pass"), answer
        asked(site, "delete", "DELETE", "/v1/policies/limits")
    assert site.client.get("/v1/status").status == 200


def wrong_types():
    """Each part of a bundle in turn as every other type."""
    base = bundle([rule("dockerfile", "exposed_ports", ports="22", type="blacklist")], [
        item("x", "always", expires_on="2099-01-01T00:00:00Z", package="a", version="< 2", reason="r")],
        whitelisted_images=[{"id": "a", "name": "a", "registry": "r", "repository": "r", "image": {"type": "id", "value": "x"}}])
    values = [None, 5, -1.5, "x", [], {}, True, [None], [[]], [{}], ["x"]]

    def paths(value, here=()):
        for key, child in (value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
            yield (*here, key)
            yield from paths(child, (*here, key))
    for path in paths(base):
        for value in values:
            changed = copy.deepcopy(base)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            yield path, value, changed


def test_wrong_types(site):
    stored = refused = 0
    for path, value, changed in wrong_types():
        changed["id"] = changed["id"] if path == ("id",) else "limits"
        lint = site.client("POST", "/v1/policies/lint", changed)
        answer = site.client("POST", "/v1/policies", changed)
        assert lint.status in (200, 400) and answer.status in (200, 400), (path, value, lint, answer)
        stored, refused = stored + (answer.status == 200), refused + (answer.status == 400)
        if answer.status == 200 and path != ("id",):
            answer = site.client.get(f"/v1/images/{site.digest}/check?tag={site.tag}&policyId=limits&detail=false")
            assert answer.status == 200, (path, value, answer)
    print(f"{stored} stored, {refused} refused")
    assert stored > 20 and refused > 200


ALLOWED = {"package": "musl", "version": ">= 1.2, < 2", "purl": "pkg:apk/alpine/musl", "reason": "known", "owner": "me",
           "created": "2024-01-01", "expires_on": "2199-01-01T00:00:00+02:00"}


@pytest.mark.parametrize("change, status, said", [
    ({}, 200, ""), ({"package": "mus*"}, 200, ""), ({"expires_on": "2199-01-01T00:00:00.5-11:30"}, 200, ""),
    ({"gate": "packages", "trigger_id": "*"}, 200, ""), ({"version": "< 1"}, 200, "fail"), ({"package": "zlib"}, 200, "fail"),
    ({"path": "/usr/**"}, 200, "fail"), ({"vulnerability_id": "CVE-1"}, 200, "fail"),
    ({"expires_on": "2020-01-01T00:00:00+02:00"}, 200, "fail"),
    ({"version": ">= 1,"}, 400, "no constraint of versions"), ({"purl": "apk/musl"}, 400, "no package URL"),
    ({"expires_on": "2199-01-01T00:00:00+0200"}, 400, "does not match"),
    ({"expires_on": "2199-13-01T00:00:00+02:00"}, 400, "could not convert"), ({"version": 5}, 400, "is not of type"),
    ({"package": ["musl"]}, 400, "is not of type"),
    ({k: None for k in ("package", "version", "purl")}, 400, "'trigger_id' is a required property")], ids=str)
def test_members_of_allowlist_items(site, change, status, said):
    """Those of our own, through the API's schema into the verdict."""
    entry = {k: v for k, v in {**ALLOWED, **change}.items() if v is not None}
    value = bundle([rule("packages", "blacklist", name="musl")], [{"id": "i", **entry}])
    answer = site.client("POST", "/v1/policies", value)
    assert answer.status == status, answer
    if status != 200:
        assert said in answer.json.get("detail", "") or said in str(answer.json), answer
        return
    answer = site.client.get(f"/v1/images/{site.digest}/check?tag={site.tag}&policyId=limits")
    found = answer.json[0][site.digest][site.tag][0]
    assert found["status"] == (said or "pass"), answer
    row = list(found["detail"]["result"]["result"].values())[0]["result"]["rows"][0]
    assert (row[7] is False) == bool(said) and (said or row[7]["matched_rule_id"] == "i"), row


def test_the_commands(tmp_path):
    """kellet policy lint and kellet check say the same without an engine."""
    image = tmp_path / "rootfs"
    (image / "lib/apk/db").mkdir(parents=True)
    (image / "lib/apk/db/installed").write_text("P:musl\nV:1-r0\n\n")
    (image / "etc").mkdir()
    (image / LONG).write_text("x")
    for name in WITHOUT_AN_ENGINE:
        _, status, said, verdict = BUNDLES[name]
        path = tmp_path / "bundle.json"
        path.write_text(text_of(name))
        for command in (["policy", "lint", path], ["check", f"dir:{image}", "--policy", path, "--data", tmp_path / "data", "-q"]):
            start = time.monotonic()
            done = subprocess.run(["/usr/bin/time", "-f", "%U user, %M KiB", KELLET, *map(str, command)], capture_output=True,
                                  text=True, timeout=WATCHDOG)
            print(f"{command[0]} {name}: {done.returncode} after {time.monotonic() - start:.2f} s, {done.stderr.splitlines()[-1]}")
            if status == 413 and not verdict:
                assert done.returncode in (2, 5) and ("limit" in done.stderr or "more than 200000 rules" in done.stderr), done
                continue
            want = 0 if status != 400 and (command[0] == "policy" or verdict != "stop") else 1
            assert done.returncode == want, (name, command, done.stdout[:2000], done.stderr[:500])
            assert status != 400 or command[0] == "check" or said in done.stdout
    # a mapping of the wrong type would match nothing, and nothing would be judged
    for part in ("registry", "repository"):
        changed = bundle([rule("always", "always")])
        changed["mappings"][0][part] = 5
        path.write_text(json.dumps(changed))
        for command in (["policy", "lint", path], ["check", f"dir:{image}", "--policy", path, "--data", tmp_path / "data", "-q"]):
            done = subprocess.run([KELLET, *map(str, command)], capture_output=True, text=True, timeout=WATCHDOG)
            assert done.returncode == 1 and (command[0] == "check" or f"mappings.0.{part} is not a text" in done.stdout), done

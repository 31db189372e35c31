"""`digests: [md5, sha1]` in a running engine: what dpkg and apk state of their files is compared by `packages.verify`."""
import base64
import hashlib

import pytest

import engines
from registries import Image, push

GOOD, BAD = b"as installed\n", b"changed here\n"
SHA1 = "Q1" + base64.b64encode(hashlib.sha1(GOOD).digest()).decode()
FILES = {"usr/bin/same": GOOD, "usr/bin/other": BAD}
IMAGES = {
    "apk": {"etc/os-release": "ID=alpine\nVERSION_ID=3.18.4\n",
            "lib/apk/db/installed": "P:musl\nV:1-r0\nA:x86_64\nF:usr/bin\n" + "".join(
                f"R:{name}\na:0:0:644\nZ:{SHA1}\n" for name in ("same", "other")) + "\n"},
    "dpkg": {"etc/os-release": "ID=debian\nVERSION_ID=12\n",
             "var/lib/dpkg/status": "Package: musl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n\n",
             "var/lib/dpkg/info/musl.list": "/usr/bin/same\n/usr/bin/other\n",
             "var/lib/dpkg/info/musl.md5sums": "".join(
                 f"{hashlib.md5(GOOD).hexdigest()}  usr/bin/{name}\n" for name in ("same", "other"))}}


def bundle(name, *params):
    return {"id": name, "name": name, "version": "1_0", "whitelists": [],
            "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [
                {"id": "r", "gate": "packages", "trigger": "verify", "action": "STOP",
                 "params": [{"name": k, "value": v} for k, v in params]}]}],
            "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                          "policy_ids": ["p"], "whitelist_ids": []}]}


class Site:
    def __init__(self, engine, host):
        self.engine, self.host, self.digests = engine, host, {}

    def analyse(self, kind, **query):
        path = "/v1/images" + ("?force=true" if query.get("force") else "")
        answer = self.engine.client("POST", path, {"tag": f"{self.host}/digests/{kind}:1"})
        assert answer.status == 200, answer
        self.digests[kind] = answer.json[0]["imageDigest"]
        assert self.engine.client.wait_analyzed(self.digests[kind])["analysis_status"] == "analyzed", self.engine.log()[-2000:]

    def verdict(self, kind, policy):
        """The messages of the rows, and the problems."""
        tag = f"{self.host}/digests/{kind}:1"
        answer = self.engine.client.get(f"/v1/images/{self.digests[kind]}/check", tag=tag, policyId=policy, detail="true")
        assert answer.status == 200, answer
        result = answer.json[0][self.digests[kind]][tag][0]["detail"]["result"]
        rows = list(result["result"].values())[0]["result"]["rows"]
        return [r[5] for r in rows if r[4] == "verify"], result["evaluation_problems"]

    def files(self, kind):
        answer = self.engine.client.get(f"/v1/images/{self.digests[kind]}/content/files")
        assert answer.status == 200, answer
        return {f["filename"]: f for f in answer.json["content"]}


@pytest.fixture(params=["sqlite", "postgres"])
def site(request, kellet_binary, tmp_path, registry_open):
    database = None
    if request.param == "postgres":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        database = request.getfixturevalue("postgres").database("filedigests")
    e = engines.Engine(kellet_binary, tmp_path, database, host_id="digests")
    host = f"127.0.0.1:{registry_open.port}"
    for kind, database in IMAGES.items():
        push(registry_open.port, f"digests/{kind}", "1", Image({**database, **FILES}))
    e.client("POST", "/v1/registries?validate=false", {"registry": host, "registry_user": "x", "registry_pass": "y",
                                                       "registry_verify": False})
    for value in (bundle("plain"), bundle("digests", ("digests", "true"))):
        assert e.client("POST", "/v1/policies", value).status == 200
    yield Site(e, host)
    e.stop()


def restart_with_digests(engine):
    assert engine.stop() == [0]
    settings = engine.directory / f"process{len(engine.processes)}/service"
    settings.mkdir(parents=True)
    (settings / "analyzer_config.yaml").write_text("digests: [md5, sha1]\n")
    engine.add()
    engine.client = engines.Client(engine.port("apiext"))


def test_digests_of_the_analysis(site):
    for kind in IMAGES:
        site.analyse(kind)
        assert site.verdict(kind, "plain") == ([], [])
        rows, problems = site.verdict(kind, "digests")
        assert problems and not any("/usr/bin" in r for r in rows), (rows, problems)
        assert not {"md5", "sha1"} & site.files(kind)["/usr/bin/other"].keys()
    restart_with_digests(site.engine)
    for kind in IMAGES:
        assert site.verdict(kind, "digests")[1], "the image was analysed without them"
        site.analyse(kind, force=True)
        other = site.files(kind)["/usr/bin/other"]
        assert (other["md5"], other["sha1"]) == (hashlib.md5(BAD).hexdigest(), hashlib.sha1(BAD).hexdigest()), other
        assert site.verdict(kind, "plain") == ([], [])
        assert site.verdict(kind, "digests") == (
            ["VERIFY check against package db for package 'musl' failed on entry '/usr/bin/other' with status: 'changed'"], [])

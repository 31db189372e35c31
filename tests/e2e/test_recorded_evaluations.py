"""Replays the recorded evaluations of the original: one bundle per gate with all of its triggers, actions, allowlists,
lists of images, mappings, parameters of the check, and those of an imported image. All rows that the original ever
gave on these images come out, with their ids."""
import csv
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

import engines
import registries
import test_analyze
import test_vulnerabilities_api
from conftest import SHARED, need
from test_recorded import DATA, Replayer, replay

# From where the bundles begin; the images' records are compared by test_recorded.py.
FILES = {"06_evaluations": range(4, 167), "13_imports": range(64, 70)}
IMPORTED = "sha256:1e7f8916f63487119372e1328c1f6160cb42c0b298618031f41e7d41e81a8326"
FEED_DAY = re.compile(r"(max_days_since_(?:creation|fix))=\d{4}-\d\d-\d\d")
# Rows that only ours gives: the original did not know the operating system of its images.
OURS = ("Attribute check for attribute: 'os_type'",)

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here")


def load(name):
    with open(DATA / f"{name}.jsonl", encoding="utf-8") as f:
        lines = [x for x in map(json.loads, f) if x["n"] in FILES[name]]
    for x in lines:
        if x["path"] == "/v1/events":  # the two events before are of 05, which is replayed on another engine
            events = x["response_body"]["results"]
            kept = [e for e in events if e["event"]["details"]["current_policy_bundle_id"] == "g-files"]
            assert (len(events), len(kept)) == (3, 1)
            x["response_body"].update(results=kept, item_count=1)
    return lines


def without_ours(v):
    """Without rows that the original could not give, and with their count; days of feeds without their date."""
    if isinstance(v, list):
        return [without_ours(x) for x in v if not (isinstance(x, list) and len(x) == 9 and str(x[5]).startswith(OURS))]
    if isinstance(v, str):
        return FEED_DAY.sub(r"\1=DAY", v)
    if not isinstance(v, dict):
        return v
    kept = {k: without_ours(x) for k, x in v.items()}
    if isinstance(v.get("rows"), list) and "row_count" in v:
        assert v["row_count"] == len(v["rows"])
        kept["row_count"] = len(kept["rows"])
    return kept


class EvaluationReplayer(Replayer):
    def __init__(self, port, registry):
        super().__init__(port, registry)
        self.rows = set()

    def collect(self, v):
        if isinstance(v, list) and len(v) == 9 and isinstance(v[5], str):
            self.rows.add((v[3], v[4], v[2], FEED_DAY.sub(r"\1=DAY", v[5])))
        elif isinstance(v, (list, dict)):
            for x in v.values() if isinstance(v, dict) else v:
                self.collect(x)

    def difference(self, x):
        return super().difference({**x, "response_body": without_ours(x["response_body"])})

    def send(self, x):
        status, content_type, body = super().send(x)
        if content_type == "application/json" and "/check" in x["path"]:
            body = json.loads(body)
            self.collect(body)
            body = json.dumps(without_ours(body)).encode()
        return status, content_type, body


def add_image(engine, tag, **body):
    answer = engine.client("POST", "/v1/images", {"tag": f"{engine.registry.host}/{tag}", **body})
    assert answer.status == 200, answer
    return answer.json[0]["imageDigest"]


def import_kitchen(engine, image):
    operation = engine.client("POST", "/v1/imports/images").json["uuid"]
    base = f"/v1/imports/images/{operation}"
    with gzip.open(DATA / "golden/kitchen1/sbom_native.json.gz") as f:
        packages = f.read()
    contents = {"packages": test_analyze.upload(engine, base + "/packages", packages),
                "manifest": test_analyze.upload(engine, base + "/manifest", image.manifest),
                "image_config": test_analyze.upload(engine, base + "/image_config", image.blobs[image.config]),
                "dockerfile": test_analyze.upload(engine, base + "/dockerfile", b"FROM scratch\nUSER root\n")}
    answer = engine.client("POST", "/v1/images", {"source": {"import": {
        "digest": IMPORTED, "local_image_id": image.config, "operation_uuid": operation,
        "contents": contents, "tags": ["docker.io/imported/kitchen:latest"]}}})
    assert answer.status == 200, answer


def layout_push(engine, repository, tag, where):
    def blob(digest):
        return (where / "blobs" / digest.replace(":", "/")).read_bytes()
    digest = json.loads((where / "index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads(blob(digest))

    class Image:
        pass
    image = Image()
    image.manifest, image.digest = blob(digest), digest
    image.blobs = {d["digest"]: blob(d["digest"]) for d in [manifest["config"], *manifest["layers"]]}
    test_analyze.registry_push(engine.registry, repository, tag, image)
    return image


def kitchen(engine, where, variant, *tags):
    """The image of the recording, from its own builder."""
    subprocess.run([sys.executable, DATA / "scenarios/make_fixture.py", SHARED / "data/images/oci/alpine-3.10", where,
                    variant], check=True, stdout=subprocess.DEVNULL)
    image = test_analyze.Kitchen.__new__(test_analyze.Kitchen)
    image.manifest = (where / "manifest.json").read_bytes()
    document = json.loads(image.manifest)
    image.digest = "sha256:" + hashlib.sha256(image.manifest).hexdigest()
    image.config = document["config"]["digest"]
    image.blobs = {d["digest"]: (where / d["digest"].split(":")[1]).read_bytes()
                   for d in [document["config"], *document["layers"]]}
    for tag in tags:
        test_analyze.registry_push(engine.registry, "bench/kitchen", tag, image)
    return image


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request, kellet_binary, tmp_path_factory):
    need("docker-registry")
    where = tmp_path_factory.mktemp(f"evaluations-{request.param}")
    feeds = test_vulnerabilities_api.FeedService(json.loads((DATA / "golden/feeds.json").read_text()))
    settings = where / "engine/process0/service"
    options = {}
    if request.param == "postgres":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        options["database"] = request.getfixturevalue("postgres").database("evaluations")
    settings.mkdir(parents=True)
    (settings / "analyzer_config.yaml").write_text(test_analyze.SETTINGS)
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    e = engines.Engine(kellet_binary, where / "engine", environment=environment,
                       extra=f"enable_hints: true\nfeeds: {{url: '{feeds.url}'}}",
                       more={"analyzer": "    enable_hints: true\n", **engines.MORE}, **options)
    e.registry = registries.Registry(where, where / "registry", "evaluations")
    e.replayer = EvaluationReplayer(e.port("apiext"), e.registry.host)
    assert e.client("POST", "/v1/system/feeds?sync=true&flush=true", timeout=120).status == 200
    e.client("POST", "/v1/registries?validate=false", {"registry": e.registry.host, "registry_user": "x",
                                                       "registry_pass": "y", "registry_verify": False})
    first = kitchen(e, where / "v1", "1", "first")
    kitchen(e, where / "v2", "2", "v2", "v1", "bydigest2")
    kitchen(e, where / "df", "4", "df")
    layout_push(e, "library/alpine", "latest", SHARED / "data/images/oci/alpine-3.18")
    dockerfile = next(x for x in map(json.loads, open(DATA / "04_images.jsonl", encoding="utf-8")) if x["n"] == 34)
    added = [add_image(e, f"bench/kitchen:{tag}") for tag in ("v2", "v1", "bydigest2")]
    added += [add_image(e, "library/alpine:latest")]
    e.df = add_image(e, "bench/kitchen:df", dockerfile=dockerfile["request_body"]["dockerfile"])
    import_kitchen(e, first)
    for digest in {*added, e.df, IMPORTED}:
        assert e.client.wait_analyzed(digest)["analysis_status"] == "analyzed", e.log()[-2000:]
    yield e
    e.stop()
    e.registry.stop()
    feeds.stop()


def test_evaluations(engine):
    replay(engine, "06_evaluations", load("06_evaluations"), {})


def test_imported(engine):
    replay(engine, "13_imports", load("13_imports"), {})


def rules_of(rows):
    """The rules that gave these rows about Dockerfiles: their messages say them."""
    for _, trigger, _, message in rows:
        said = re.match(r"Dockerfile directive '(\w+)' check '(\w+|=|!=)' matched against '(.*)' for line", message, re.S)
        if said:
            params = {"instruction": said[1], "check": said[2], **({"value": said[3]} if said[3] else {})}
            yield {"gate": "dockerfile", "trigger": trigger, "action": "WARN",
                   "params": [{"name": k, "value": v} for k, v in params.items()]}
    for ports, kind in (("22", "blacklist"), ("443", "blacklist"), ("8080", "blacklist"), ("1", "whitelist")):
        yield {"gate": "dockerfile", "trigger": "exposed_ports", "action": "WARN",
               "params": [{"name": "ports", "value": ports}, {"name": "type", "value": kind}]}


def check_dockerfile(engine, rows):
    """The evaluations of the image with a Dockerfile were not recorded, only their rows."""
    bundle = {"id": "df", "name": "df", "version": "1_0", "whitelists": [],
              "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": list(rules_of(rows))}],
              "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                            "policy_ids": ["p"], "whitelist_ids": []}]}
    assert engine.client("POST", "/v1/policies", bundle).status == 200
    path = f"/v1/images/{engine.df}/check?tag={engine.registry.host}/bench/kitchen:df&policyId=df"
    answer = engine.client.get(path)
    assert answer.status == 200, answer
    engine.replayer.collect(answer.json)


def test_all_rows(engine):
    with open(DATA / "golden/trigger_rows.tsv", encoding="utf-8", newline="") as f:
        want = [tuple(r[k] for k in ("gate", "trigger", "trigger_id", "message"))
                for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]
    check_dockerfile(engine, [r for r in want if r[0] == "dockerfile"])
    want = {(*r[:3], FEED_DAY.sub(r"\1=DAY", r[3])) for r in want}
    assert len(want) == 251  # the file has 252 lines: one is the head
    missing = sorted(want - engine.replayer.rows)
    assert not missing, f"{len(missing)} of {len(want)} rows are missing:\n" + "\n".join(map(str, missing[:40]))

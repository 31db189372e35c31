"""Images that go through the analyzer: what is kept equals what the original kept of the same images; work whose worker
died is done by another; images that come as an SBOM."""
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import engines
from conftest import SHARED, need
from registries import Image, Registry, apk_files, push

GOLDEN = SHARED / "data/api/golden"
FIXTURE = SHARED / "data/api/scenarios/make_fixture.py"

SETTINGS = """\
retrieve_files: {max_file_size_kb: 1000, file_list: ['/etc/passwd', '/etc/os-release', '/etc/app.conf']}
content_search:
  match_params: ['MAXFILESIZE=10000']
  regexp_match: ['PASSWORD_LINE=(?i).*password *=.*', 'TODO_MARK=.*TODO.*']
"""


class Kitchen:
    """The original's recorded test image, in the form that push() takes."""

    def __init__(self, where, variant="1"):
        base = SHARED / "data/images/oci/alpine-3.10"
        subprocess.run([sys.executable, FIXTURE, base, where, variant], check=True, stdout=subprocess.DEVNULL)
        self.manifest = (where / "manifest.json").read_bytes()
        document = json.loads(self.manifest)
        self.digest = "sha256:" + hashlib.sha256(self.manifest).hexdigest()
        self.config = document["config"]["digest"]
        self.blobs = {d["digest"]: (where / d["digest"].split(":")[1]).read_bytes()
                      for d in [document["config"], *document["layers"]]}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    need("docker-registry")
    where = tmp_path_factory.mktemp("registry")
    one = Registry(where, where / "root", "analyze")
    one.path = where / "root"
    yield one
    one.stop()


@pytest.fixture(scope="module")
def site(kellet_binary, tmp_path_factory, registry):
    where = tmp_path_factory.mktemp("analyze")
    settings = where / "process0/service"
    settings.mkdir(parents=True)
    (settings / "analyzer_config.yaml").write_text(SETTINGS)
    engine = engines.Engine(kellet_binary, where, more={"analyzer": "    enable_hints: true\n", **engines.MORE},
                            extra="enable_hints: true")
    yield engine
    engine.stop()


def golden(name):
    return json.loads((GOLDEN / "kitchen1" / name).read_text())


@pytest.fixture(scope="module")
def kitchen(site, registry, tmp_path_factory):
    if not GOLDEN.is_dir():
        pytest.skip("../shared/data/api is not here")
    image = Kitchen(tmp_path_factory.mktemp("kitchen"))
    # A manifest in Docker's form.
    registry_push(registry, "bench/kitchen", "v1", image)
    answer = site.client("POST", "/v1/images", {"tag": f"{registry.host}/bench/kitchen:v1"})
    assert answer.status == 200, answer
    record = site.client.wait_analyzed(image.digest)
    assert record["analysis_status"] == "analyzed", site.log()[-2000:]
    image.record, image.path = record, f"/v1/images/{image.digest}"
    return image


class Layout:
    """The one image of an OCI layout."""

    def __init__(self, where):
        def blob(digest):
            return (where / "blobs" / digest.replace(":", "/")).read_bytes()
        self.digest = json.loads((where / "index.json").read_text())["manifests"][0]["digest"]
        self.manifest = blob(self.digest)
        document = json.loads(self.manifest)
        self.blobs = {d["digest"]: blob(d["digest"]) for d in [document["config"], *document["layers"]]}


def registry_push(registry, repository, tag, image):
    import registries
    kept, registries.OCI_MANIFEST = registries.OCI_MANIFEST, json.loads(image.manifest)["mediaType"]
    try:
        push(registry.port, repository, tag, image)
    finally:
        registries.OCI_MANIFEST = kept


def test_record(kitchen):
    expected = golden("image.json")[0]["image_content"]["metadata"]
    assert kitchen.record["image_content"]["metadata"] == expected
    assert kitchen.record["image_detail"][0]["dockerfile"] == golden("image.json")[0]["image_detail"][0]["dockerfile"]


@pytest.mark.parametrize("kind", ["os", "binary", "go", "malware", "npm", "gem", "python"])
def test_content(site, kitchen, kind):
    assert site.client.get(f"{kitchen.path}/content/{kind}").json == golden(f"content_{kind}.json")


def test_content_of_java(site, kitchen):
    """An archive without name and version is no package here."""
    want = golden("content_java.json")
    want["content"] = [p for p in want["content"] if p["version"] != "*"]
    assert site.client.get(f"{kitchen.path}/content/java").json == want


def test_files(site, kitchen):
    def by_name(document):
        return {f["filename"]: f for f in document["content"]}
    want, got = by_name(golden("content_files.json")), by_name(site.client.get(f"{kitchen.path}/content/files").json)
    extra = set(got) - set(want)  # directories that the original loses with what was in them
    assert {got[name]["type"] for name in extra} <= {"dir"} and extra <= {"/etc/apk", "/etc/apk/keys", "/sbin"}, extra
    assert {name: got[name] for name in want} == want
    by_id = site.client.get(f"/v1/images/by_id/{kitchen.config.split(':')[1]}/content/files")
    assert by_name(by_id.json) == got


@pytest.mark.parametrize("kind", ["manifest", "docker_history", "dockerfile"])
def test_metadata(site, kitchen, kind):
    assert site.client.get(f"{kitchen.path}/metadata/{kind}").json == golden(f"metadata_{kind}.json")


@pytest.mark.parametrize("kind", ["retrieved_files", "file_content_search", "secret_search"])
def test_artifacts(site, kitchen, kind):
    assert site.client.get(f"{kitchen.path}/artifacts/{kind}").json == golden(f"artifacts_{kind}.json")


def test_sbom(site, kitchen):
    answer = site.client.get(f"{kitchen.path}/sboms/native")
    assert answer.status == 200
    document = json.loads(gzip.decompress(answer.body))
    with gzip.open(GOLDEN / "kitchen1/sbom_native.json.gz") as f:
        expected = {(a["type"], a["name"], a["version"]) for a in json.load(f)["artifacts"] if a["version"]}
    assert expected <= {(a["type"], a["name"], a["version"]) for a in document["artifacts"]}


def test_unknown(site, kitchen):
    unknown = "/v1/images/sha256:" + "c" * 64
    assert site.client.get(f"{unknown}/content").status == 200
    answer = site.client.get(f"{unknown}/content/os")
    assert answer.status == 404 and answer.json["message"] == "image not found in DB"
    assert site.client.get(f"{unknown}/artifacts/retrieved_files").status == 404
    assert site.client.get(f"{kitchen.path}/content/bogus").json["message"] == "content type (bogus) not available"


def test_missing_image_fails_with_reason(site, registry):
    image = Image(apk_files({"musl": "1.0"}))
    push(registry.port, "bench/gone", "v1", image)
    del image.blobs[image.layers[0]]
    path = registry.path / "docker/registry/v2/blobs/sha256"
    name = image.layers[0].split(":")[1]
    (path / name[:2] / name / "data").unlink()
    answer = site.client("POST", "/v1/images", {"tag": f"{registry.host}/bench/gone:v1"})
    assert answer.status == 200, answer
    record = site.client.wait_analyzed(image.digest, 150)
    assert record["analysis_status"] == "analysis_failed"
    events = site.client.get("/v1/events", event_type="user.image.analysis.failed").json["results"]
    assert events, "no event"


# ---- imports

def upload(site, path, data):
    answer = site.client("POST", path, data, {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return answer.json["digest"]


def test_import(site, kitchen):
    operation = site.client("POST", "/v1/imports/images").json["uuid"]
    base = f"/v1/imports/images/{operation}"
    with gzip.open(GOLDEN / "kitchen1/sbom_native.json.gz") as f:
        packages = f.read()
    contents = {"packages": upload(site, base + "/packages", packages),
                "manifest": upload(site, base + "/manifest", kitchen.manifest),
                "image_config": upload(site, base + "/image_config", kitchen.blobs[kitchen.config]),
                "dockerfile": upload(site, base + "/dockerfile", b"FROM scratch\nUSER root\n")}
    assert contents["packages"] == hashlib.sha256(packages).hexdigest()
    digest = "sha256:" + "1e" * 32
    source = {"digest": digest, "local_image_id": kitchen.config, "operation_uuid": operation, "contents": contents,
              "tags": ["docker.io/imported/kitchen:latest", "docker.io/imported/kitchen:v9"]}
    for broken in ({"digest": "abc"}, {"tags": []}, {"tags": ["a b"]}):
        assert site.client("POST", "/v1/images", {"source": {"import": {**source, **broken}}}).status == 400
    answer = site.client("POST", "/v1/images", {"source": {"import": source}, "annotations": {"src": "import"}})
    assert answer.status == 200, answer
    assert answer.json[0]["annotations"] == {"anchore.system/import_operation_id": operation, "src": "import"}
    record = site.client.wait_analyzed(digest)
    assert record["analysis_status"] == "analyzed", site.log()[-2000:]
    assert len(record["image_detail"]) == 2 and record["image_content"]["metadata"]["dockerfile_mode"] == "Actual"
    assert record["image_content"]["metadata"]["image_size"] == 2875516
    assert site.client.get(f"/v1/images/{digest}/content/files").json["content"] == []
    got = site.client.get(f"/v1/images/{digest}/content/os").json["content"]
    assert got == golden("content_os.json")["content"]
    assert site.client.get(base).json["status"] == "complete"
    again = site.client("POST", "/v1/images", {"source": {"import": source}})
    assert again.status == 409 and again.json["detail"]["status"] == "complete"


# ---- a worker that dies

@pytest.mark.parametrize("how", ["killed", "ended"])
def test_another_worker_goes_on(kellet_binary, postgres, registry, tmp_path, how):
    image = Image(apk_files({"musl": "1.2.3-r4", how: "1"}))
    push(registry.port, "bench/slow", how, image)
    engine = engines.Engine(kellet_binary, tmp_path / "split", postgres.database(f"t_worker_{how}"), split=True)
    stopped = False
    try:
        worker = next(p for p in engine.processes if p.service == "analyzer")
        worker.send_signal(signal.SIGSTOP)  # nothing is taken until the registry hangs
        assert engine.client("POST", "/v1/images", {"tag": f"{registry.host}/bench/slow:{how}"}).status == 200
        registry.process.send_signal(signal.SIGSTOP)
        stopped = True
        worker.send_signal(signal.SIGCONT)
        record = engine.client.wait_analyzed(image.digest, 30, ("analyzing",))
        assert record["analysis_status"] == "analyzing"
        if how == "killed":
            worker.kill()
            worker.wait()
        else:  # handed back at once, though the registry still hangs
            worker.terminate()
            engine.client.wait_analyzed(image.digest, 10, ("not_analyzed",))
        registry.process.send_signal(signal.SIGCONT)
        stopped = False
        began = time.monotonic()
        engine.add("analyzer")
        assert engine.client.wait_analyzed(image.digest, 60)["analysis_status"] == "analyzed"
        assert time.monotonic() - began < (60 if how == "killed" else 25)
    finally:
        if stopped:
            os.kill(registry.process.pid, signal.SIGCONT)
        engine.stop()

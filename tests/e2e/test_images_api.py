"""Images, registries and repositories of the engine's API, with images in a real registry."""
import base64
import time

import pytest

import engines
from conftest import need
from registries import Image, Registry, apk_files, push

UNKNOWN = "sha256:" + "c" * 64


def eventually(look, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come to that in time")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request, kellet_binary, tmp_path_factory):
    """An engine without workers (nothing is analysed) and a registry."""
    need("docker-registry")
    where = tmp_path_factory.mktemp("images")
    database = None
    if request.param == "postgres":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        server = engines.Postgres(where / "postgres")
        database = server.database("kellet")
    registry = Registry(where, where / "registry", "plain")
    engine = engines.Engine(kellet_binary, where / "engine", database=database,
                            services=("catalog", "apiext", "simplequeue", "policy_engine"),
                            more={**engines.MORE, "catalog": "    cycle_timers: {image_gc: -1, repo_watcher: -1}\n"})
    engine.registry = registry
    engine.one, engine.two = Image(apk_files({"musl": "1.1.22-r4"})), Image(apk_files({"musl": "1.2.4-r0"}))
    engine.arm = Image(apk_files({"musl": "1.2.5-r0"}), architecture="arm64")
    push(registry.port, "bench/app", "v1", engine.one)
    push(registry.port, "bench/app", "v2", engine.two)
    push(registry.port, "bench/list", "latest", [engine.one, engine.arm])
    push(registry.port, "bench/arm", "latest", [engine.arm])
    yield engine
    engine.stop()
    registry.stop()
    if request.param == "postgres":
        server.stop("immediate")


def add(site, body, query=""):
    return site.client("POST", "/v1/images" + query, body)


def test_add_and_read(site):
    tag = f"{site.registry.host}/bench/app:v1"
    answer = add(site, {"tag": tag, "annotations": {"a": 1}})
    assert answer.status == 200, answer
    record, = answer.json
    assert record["imageDigest"] == record["parentDigest"] == site.one.digest
    assert record["analysis_status"] == "not_analyzed" and record["image_status"] == "active"
    assert record["annotations"] == {"a": 1}
    detail, = record["image_detail"]
    assert detail["fulltag"] == tag and len(detail["imageId"]) == 64
    for path in (f"/v1/images/{site.one.digest}", f"/v1/images?fulltag={tag}", f"/v1/images/by_id/{detail['imageId']}",
                 f"/v1/images?fulltag={site.registry.host}/bench/app@{site.one.digest}"):
        got = site.client("GET", path)
        assert got.status == 200 and got.json == [record], path
    again, = add(site, {"tag": tag, "annotations": {"n": "2"}}).json
    assert again["annotations"] == {"a": 1, "n": "2"} and again["created_at"] == record["created_at"]
    types = {s["subscription_type"]: s["active"] for s in
             site.client("GET", f"/v1/subscriptions?subscription_key={tag}").json}
    assert types == {"policy_eval": False, "tag_update": False, "vuln_update": False, "analysis_update": True}


def test_forms(site):
    host = site.registry.host
    by_source = add(site, {"source": {"tag": {"pullstring": f"{host}/bench/app:v2"}}}, "?autosubscribe=true")
    assert by_source.json[0]["imageDigest"] == site.two.digest
    active = site.client("GET", f"/v1/subscriptions?subscription_key={host}/bench/app:v2&subscription_type=tag_update")
    assert active.json[0]["active"] is True
    answer = add(site, {"digest": f"{host}/bench/app@{site.two.digest}", "tag": f"{host}/bench/app:late",
                        "created_at": "2021-02-03T04:05:06Z"})
    assert {d["tag"] for d in answer.json[0]["image_detail"]} == {"v2", "late"}
    text = base64.b64encode(b"FROM scratch\n").decode()
    refused = add(site, {"tag": f"{host}/bench/app:v2", "dockerfile": text})
    assert refused.status == 400 and refused.json["detail"]["digest"] == site.two.digest
    forced, = add(site, {"tag": f"{host}/bench/app:v2", "dockerfile": text}, "?force=true").json
    assert forced["image_content"]["metadata"]["dockerfile_mode"] == "Actual"
    assert all(d["dockerfile"] == text for d in forced["image_detail"])


def test_lists_of_platforms(site):
    host = site.registry.host
    record, = add(site, {"tag": f"{host}/bench/list"}).json
    assert record["imageDigest"] == site.one.digest
    refused = add(site, {"tag": f"{host}/bench/arm"})
    assert refused.status == 400 and refused.json["detail"]["error_codes"] == ["OSARCH_MISMATCH"]


@pytest.mark.parametrize("name, code", [("bench/app:nope", "REGISTRY_IMAGE_NOT_FOUND"),
                                        ("bench/nosuch", "REGISTRY_IMAGE_NOT_FOUND"),
                                        ("Bench/App:v1", "SKOPEO_UNKNOWN_ERROR")])
def test_names_that_lead_nowhere(site, name, code):
    answer = add(site, {"tag": f"{site.registry.host}/{name}"})
    assert answer.status == 400 and answer.json["detail"]["error_codes"] == [code], answer
    assert answer.json["message"] == "cannot fetch image digest/manifest from registry"


def test_tag_history(site):
    tag = f"{site.registry.host}/bench/moving:t"
    for image in (site.one, site.two):
        push(site.registry.port, "bench/moving", "t", image)
        assert add(site, {"tag": tag}).json[0]["imageDigest"] == image.digest
    digests = lambda query: [r["imageDigest"] for r in site.client("GET", f"/v1/images?fulltag={tag}{query}").json]
    assert digests("") == [site.two.digest]
    assert digests("&history=true") == [site.two.digest, site.one.digest]
    tags = [(s["fulltag"], s["imageDigest"]) for s in site.client("GET", "/v1/summaries/imagetags").json]
    assert (tag, site.one.digest) in tags and (tag, site.two.digest) in tags


def test_other_accounts_see_nothing(site):
    assert site.client("POST", "/v1/accounts", {"name": "others", "email": "o@example.org"}).status == 200
    other = engines.Client(site.port("apiext"), account="others")
    assert other("GET", "/v1/images").json == [] and other("GET", "/v1/summaries/imagetags").json == []
    assert other("GET", f"/v1/images/{site.one.digest}").status == 404
    assert other("GET", f"/v1/images?fulltag={site.registry.host}/bench/app:v1").status == 404
    gone = other("DELETE", f"/v1/images/{site.one.digest}?force=true")
    assert gone.status == 200 and gone.json["status"] == "not_found"
    assert site.client("GET", f"/v1/images/{site.one.digest}").json[0]["image_status"] == "active"


def test_deletion(site):
    image = Image(apk_files({"zlib": "1.2.11-r1"}))
    push(site.registry.port, "bench/short", "lived", image)
    add(site, {"tag": f"{site.registry.host}/bench/short:lived"})
    refused = site.client("DELETE", f"/v1/images/{image.digest}").json
    assert refused == {"digest": image.digest, "status": "delete_failed", "detail":
                       "cannot delete image that is the latest of its tags, and has active subscription"}
    many = site.client("DELETE", f"/v1/images?imageDigests={image.digest},{UNKNOWN}&force=true").json
    assert [x["status"] for x in many] == ["deleting", "not_found"]
    eventually(lambda: site.client("GET", f"/v1/images/{image.digest}").status == 404, 90)
    # A new start.
    assert add(site, {"tag": f"{site.registry.host}/bench/short:lived"}).status == 200


def test_registries(site):
    login = {"registry": "reg.example/team/*", "registry_user": "u", "registry_pass": "p", "registry_type": "docker_v2"}
    record, = site.client("POST", "/v1/registries?validate=false", login).json
    assert "registry_pass" not in record and record["registry_verify"] is None
    assert site.client("POST", "/v1/registries?validate=false", login).status == 409
    assert site.client("GET", "/v1/registries/reg.example/team/*").json == [record]
    refused = site.client("POST", "/v1/registries", {**login, "registry": site.registry.host})
    assert refused.status == 406 and "cannot ping supplied registry" in refused.json["message"]
    assert site.client("DELETE", "/v1/registries/reg.example/team/*").json is True
    assert site.client("GET", "/v1/registries").json == []


def test_repositories(site):
    repo = f"{site.registry.host}/bench/watched"
    for n in range(3):
        push(site.registry.port, "bench/watched", f"t{n}", Image(apk_files({"musl": f"1.0.{n}-r0"})))
    dry, = site.client("POST", f"/v1/repositories?repository={repo}&dryrun=true").json
    assert "created_at" not in dry and not dry["active"]
    real, = site.client("POST", f"/v1/repositories?repository={repo}&autosubscribe=true").json
    assert real["active"] and real["subscription_id"] == dry["subscription_id"]
    assert site.client("POST", f"/v1/repositories?repository={site.registry.host}/bench/none").status == 404
    seen = lambda: {s["fulltag"] for s in site.client("GET", "/v1/summaries/imagetags").json}
    eventually(lambda: {f"{repo}:t{n}" for n in range(3)} <= seen(), 90)

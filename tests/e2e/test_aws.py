"""On AWS: moto stands for its services (S3, ECR, STS), docker-registry that knows one login for a registry of ECR, whose
name ends in .localhost: that is the only address besides Amazon's own that its tokens are sent to."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import engines
from conftest import need
from registries import Image, Registry, apk_files, free_port, make_certificates, push, wait_for

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
PACKAGES = {"musl": "1.2.4-r2", **{f"package-{os.urandom(8).hex()}": "1.0-r0" for _ in range(400)}}  # large documents
ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    program = ROOT / ".venv/bin/moto_server"
    if not program.exists():
        pytest.skip("moto is not installed (tests/requirements.txt)")
    port = free_port()
    log = open(tmp_path_factory.mktemp("moto") / "log", "wb")
    process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    wait_for(port, process, 60)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def ecr(tmp_path_factory):
    """A registry with TLS where only ECR's token is a login; .host as ECR would name it."""
    need("docker-registry", "htpasswd", "openssl")
    where = tmp_path_factory.mktemp("ecr")
    make_certificates(where)
    with open(where / "htpasswd", "wb") as out:
        out.write(subprocess.run(["htpasswd", "-Bbn", "AWS", f"{ACCOUNT}-auth-token"], check=True,
                                 capture_output=True).stdout)
    filling = Registry(where, where / "root", "filling")
    push(filling.port, "app", "1", Image(apk_files(PACKAGES), {"big.bin": os.urandom(300000)}))
    filling.stop()
    registry = Registry(where, where / "root", "ecr", tls=where,
                        auth={"htpasswd": {"realm": "ecr", "path": str(where / "htpasswd")}})
    registry.host = f"{ACCOUNT}.dkr.ecr.us-east-1.localhost:{registry.port}"
    yield registry
    registry.stop()


def environment(aws, **more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
    return {**clean, "AWS_ENDPOINT_URL": aws, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", **KEYS, **more}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request, kellet_binary, tmp_path_factory, aws):
    """Documents are in a bucket that it makes."""
    where = tmp_path_factory.mktemp("engine")
    database, server = None, None
    if request.param == "postgres":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        server = engines.Postgres(where / "postgres")
        database = server.database("engine")
    store = {"object_store": {"storage_driver": {"name": "s3", "config": {
        "url": aws, "region": "us-east-1", "bucket": f"documents-{request.param}", "create_bucket": "true",
        "prefix": "engine/", "access_key": "key", "secret_key": "secret", "server_side_encryption": "AES256"}}}}
    one = engines.Engine(kellet_binary, where, database, environment=environment(aws),
                         more={**engines.MORE, "catalog": f"    object_store: {json.dumps(store['object_store'])}\n"})
    one.bucket = f"documents-{request.param}"
    yield one
    one.stop()
    if server:
        server.stop()


def keys_of(aws, bucket):
    boto3 = pytest.importorskip("boto3")
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1", aws_access_key_id="a",
                          aws_secret_access_key="b")
    return [o["Key"] for o in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


LOGINS = [("awsauto", "awsauto"), ("_iam_role", f"{ROLE};an-external-id"), ("_iam_role", ROLE), ("AKIAKEY", "its secret")]


@pytest.mark.parametrize("user, password", LOGINS)
def test_logins_of_ecr(engine, ecr, user, password):
    record = {"registry": ecr.host, "registry_type": "awsecr", "registry_user": user, "registry_pass": password,
              "registry_verify": False}
    answer = engine.client("POST", "/v1/registries", record)
    assert answer.status == 200, answer
    assert answer.json[0]["registry_user"] == user and "registry_pass" not in answer.json[0]
    answer = engine.client("POST", "/v1/images?force=true", {"tag": f"{ecr.host}/app:1"})
    assert answer.status == 200, answer
    digest = answer.json[0]["imageDigest"]
    assert engine.client.wait_analyzed(digest)["analysis_status"] == "analyzed", engine.log()[-2000:]
    packages = engine.client.get(f"/v1/images/{digest}/content/os").json["content"]
    assert {p["package"] for p in packages} == set(PACKAGES)
    assert engine.client("DELETE", f"/v1/registries/{ecr.host}").status == 200


def test_documents_are_in_the_bucket(engine, aws):
    keys = keys_of(aws, engine.bucket)
    assert keys and all(k.startswith("engine/") for k in keys)


@pytest.mark.parametrize("registry, user, password, says", [
    ("registry.example", "awsauto", "awsauto", "has not the form"),
    (f"{ACCOUNT}.dkr.ecr.us-east-1.example", "awsauto", "awsauto", "only looks like one of Amazon's"),
    (f"{ACCOUNT}.dkr.ecr.us-east-1.localhost", "_iam_role", "not an arn", "a role's ARN"),
])
def test_records_that_make_no_sense(engine, registry, user, password, says):
    record = {"registry": registry, "registry_type": "awsecr", "registry_user": user, "registry_pass": password}
    answer = engine.client("POST", "/v1/registries", record)
    assert answer.status == 406 and says in answer.json["message"], answer
    assert engine.client("POST", "/v1/registries?validate=false", record).status == 200
    assert engine.client("DELETE", f"/v1/registries/{registry}").status == 200


def test_awsauto_must_be_allowed(kellet_binary, tmp_path, aws):
    engine = engines.Engine(kellet_binary, tmp_path, environment=environment(aws), extra="allow_awsecr_iam_auto: false")
    try:
        answer = engine.client("POST", "/v1/registries?validate=false", {
            "registry": f"{ACCOUNT}.dkr.ecr.us-east-1.localhost", "registry_type": "awsecr",
            "registry_user": "awsauto", "registry_pass": ""})
        assert answer.status == 406 and answer.json["message"] == "'awsauto' is not enabled in service configuration"
    finally:
        engine.stop()


def test_scan_with_our_own_credentials(kellet, aws, ecr):
    name = f"registry:{ecr.host}/app:1"
    done = kellet("scan", "--insecure", name, env=environment(aws))
    assert done.returncode in (0, 3, 4), done.stderr
    assert "musl" in kellet("sbom", "--insecure", name, env=environment(aws)).stdout
    none = environment(aws, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    done = kellet("scan", "--insecure", "--no-cache", name, env=none)
    assert done.returncode == 5 and "there are no AWS credentials" in done.stderr


def test_mirrors(kellet_binary, tmp_path, aws):
    """The mirror has it; the mirror is down; the mirror does not have it."""
    need("docker-registry")
    image = Image(apk_files({"zlib": "1.3-r0"}))
    origin, mirror = Registry(tmp_path, tmp_path / "o", "origin"), Registry(tmp_path, tmp_path / "m", "mirror")
    push(mirror.port, "cache/app", "1", image)
    push(origin.port, "only-here", "1", image)
    engine = engines.Engine(kellet_binary, tmp_path / "engine", environment=environment(aws),
                            extra=f"registry_mirrors: {{'{origin.host}': '{mirror.host}/cache'}}")
    try:
        for name in ("app", "only-here"):
            answer = engine.client("POST", "/v1/images", {"tag": f"{origin.host}/{name}:1"})
            assert answer.status == 200, answer
            assert engine.client.wait_analyzed(answer.json[0]["imageDigest"])["analysis_status"] == "analyzed"
        mirror.stop()
        assert engine.client("POST", "/v1/images?force=true", {"tag": f"{origin.host}/only-here:1"}).status == 200
        answer = engine.client("POST", "/v1/images", {"tag": f"{origin.host}/nowhere:1"})
        assert answer.status == 400 and "mirror" in answer.body.decode()
    finally:
        engine.stop()
        origin.stop()
        if mirror.process.poll() is None:
            mirror.stop()


def test_a_bucket_that_refuses(kellet_binary, tmp_path):
    """The engine says why it does not start, and ends."""
    config = """\
credentials: {database: {db_connect: 'sqlite:'}}
services:
  catalog:
    enabled: true
    endpoint_hostname: localhost
    listen: 127.0.0.1
    port: %d
    object_store: {storage_driver: {name: s3, config: {url: '%s', bucket: not-there, access_key: a, secret_key: b}}}
"""
    program = ROOT / ".venv/bin/moto_server"
    if not program.exists() or not shutil.which("curl"):
        pytest.skip("moto is not installed")
    port = free_port()
    moto = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        wait_for(port, moto, 60)
        (tmp_path / "config.yaml").write_text(config % (free_port(), f"http://127.0.0.1:{port}"))
        done = subprocess.run([kellet_binary, "serve", "--config", str(tmp_path), "catalog"], capture_output=True,
                              text=True, timeout=120, env={**os.environ, "KELLET_DATA": str(tmp_path / "data")})
        assert done.returncode != 0 and "create_bucket" in done.stderr
    finally:
        moto.terminate()
        moto.wait(10)

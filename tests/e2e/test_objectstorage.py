"""anchore-manager objectstorage migrate: an engine's documents go from the database into files, to S3 (moto) and back, stopped
in the middle once; after each step an engine of the new configuration serves the same bytes."""
import json
import os
import subprocess

import pytest
import yaml

import engines
from registries import Image, apk_files, push
from test_aws import PACKAGES, aws, environment, keys_of  # noqa: F401 (aws is a fixture)


def run(binary, database, *arguments, env=None, stdin=""):
    return subprocess.run([binary, "manager", "objectstorage", "--db-connect", database, *map(str, arguments)], env=env,
                          capture_output=True, text=True, timeout=120, input=stdin)


class Place:
    """A driver: its section, as engine configuration and as anchore-manager's file."""

    def __init__(self, where, name, config=None):
        self.name = name
        self.section = {"storage_driver": {"name": name, "config": config or {}}}
        self.file = where / f"{name}.yaml"
        self.file.write_text(yaml.safe_dump({"services": {"catalog": {"object_store": self.section}}}))


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    return f"sqlite:{tmp_path}/kellet.db" if request.param == "sqlite" else request.getfixturevalue("postgres").database(
        "t_objectstorage")


def answers(client, digest):
    paths = [f"/v1/images/{digest}/content/{kind}" for kind in ("os", "files")] + [f"/v1/images/{digest}/metadata/manifest",
                                                                                   "/v1/policies?detail=true"]
    found = [client.get(path) for path in paths]
    assert [a.status for a in found] == [200] * len(paths)
    return [a.body for a in found]


def test_documents_move(kellet_binary, tmp_path, database, registry_open, aws):  # noqa: F811
    kind = database.partition(":")[0]
    env, bucket = environment(aws), f"moved-{kind}"
    places = [Place(tmp_path, "db"), Place(tmp_path, "localfs", {"archive_data_dir": str(tmp_path / "documents")}),
              Place(tmp_path, "s3", {"url": aws, "region": "us-east-1", "bucket": bucket, "create_bucket": "true", "prefix": "p/",
                                     "access_key": "key", "secret_key": "secret", "server_side_encryption": "AES256"}),
              Place(tmp_path, "db")]
    image = Image(apk_files(PACKAGES), {f"opt/file{i}": os.urandom(8).hex() for i in range(1000)})
    push(registry_open.port, "storage/app", "1", image)

    def serve(place, number):
        return engines.Engine(kellet_binary, tmp_path / f"engine{number}", database, environment=env, more={
            **engines.MORE, "catalog": f"    cycle_timers: {{image_gc: -1}}\n    object_store: {json.dumps(place.section)}\n"})

    engine = serve(places[0], 0)
    try:
        engine.client("POST", "/v1/images", {"tag": f"127.0.0.1:{registry_open.port}/storage/app:1"})
        assert engine.client.wait_analyzed(image.digest)["analysis_status"] == "analyzed"
        before = answers(engine.client, image.digest)
    finally:
        assert engine.stop() == [0]
    for number, (source, target) in enumerate(zip(places, places[1:]), 1):
        refused = run(kellet_binary, database, "migrate", source.file, target.file, env=env, stdin="n\n")
        assert refused.returncode == 5 and "nothing was done" in refused.stderr
        kept = run(kellet_binary, database, "migrate", source.file, target.file, "--dontask", "--nodelete", env=env)
        assert kept.returncode == 0 and f"were moved to {'fs' if target.name == 'localfs' else target.name}" in kept.stdout, kept
        assert not kept.stdout.startswith("0 contents")
        again = run(kellet_binary, database, "migrate", source.file, target.file, "--dontask", env=env)
        assert again.returncode == 0 and again.stdout.startswith("0 contents are to be moved"), again
        engine = serve(target, number)
        try:
            assert answers(engine.client, image.digest) == before
        finally:
            assert engine.stop() == [0]
        if target.name == "localfs":
            assert [p for p in (tmp_path / "documents").rglob("*") if p.is_file()]
        if target.name == "s3":
            assert keys_of(aws, bucket) and all(k.startswith("p/") for k in keys_of(aws, bucket))


def test_what_cannot_be(kellet_binary, tmp_path, aws):  # noqa: F811
    env, url = environment(aws), f"sqlite:{tmp_path}/kellet.db"
    db, files = Place(tmp_path, "db"), Place(tmp_path, "localfs", {"archive_data_dir": str(tmp_path / "documents")})
    other = tmp_path / "other.yaml"
    for text, said in (("services: {catalog: {object_store: {storage_driver: {name: swift}}}}", "no such storage driver"),
                       ("services: {catalog: {}}", "has no storage_driver"), ("a: [", "other.yaml"),
                       ("services: {catalog: {object_store: {storage_driver: {name: s3, config: {bucket: b}}}}}", "access_key")):
        other.write_text(text)
        for order in ((db.file, other), (other, db.file)):
            done = run(kellet_binary, url, "migrate", *order, "--dontask", env=env)
            assert done.returncode == 5 and said in done.stderr, done
    done = run(kellet_binary, url, "migrate", files.file, files.file, "--dontask", env=env)
    assert done.returncode == 5 and "both files name the driver fs" in done.stderr
    done = run(kellet_binary, url, "migrate", db.file, env=env)
    assert done.returncode == 2
    assert run(kellet_binary, url, "check", files.file, env=env).returncode == 0

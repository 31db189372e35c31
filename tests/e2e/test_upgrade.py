"""From an older build to this one. Databases that an older build made (tests/data/upgrade: SQLite and PostgreSQL, as SQL) are
opened by this one. With KELLET_PREVIOUS, a commit or the program of an older build, a fleet on PostgreSQL is replaced process
by process while images are added; KELLET_RECORD=DIR writes such SQL with it.

    KELLET_PREVIOUS=HEAD~20 .venv/bin/pytest tests/e2e/test_upgrade.py"""
import os
import random
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

import engines
from conftest import ROOT
from registries import Image, apk_files, push
from test_admission import BUNDLE, POLICY

RECORDED = ROOT / "tests/data/upgrade"
USER, USER_PASSWORD, ACCOUNT = "olduser", "before the upgrade", "oldaccount"
PACKAGES = {"musl": "1.2.4-r2", "busybox": "1.36.1-r7"}
RECORDED_HOSTS = {"sqlite": "ce3d1370-ad29-4b07-8f1a-6150c4edf091", "postgres": "e3f2a894-0e1d-42f9-88eb-861731a8b71d"}
QUIET = {**engines.MORE, "catalog": "    cycle_timers: {image_gc: -1}\n"}
ROLLED = ("catalog", "policy_engine", "simplequeue", "apiext", "kubernetes_webhook", "analyzer")


def old_image():
    """The same bytes at every run, so that a recording knows its digest."""
    return Image(apk_files(PACKAGES), {"etc/motd": b"from before the upgrade\n"})


@pytest.fixture(scope="session")
def previous(tmp_path_factory):
    """The program of an older build."""
    named = os.environ.get("KELLET_PREVIOUS")
    if not named:
        pytest.skip("KELLET_PREVIOUS names no older build")
    if Path(named).is_file():
        return str(Path(named).resolve())
    where = tmp_path_factory.mktemp("previous") / "tree"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", str(where), named], check=True)
    try:
        subprocess.run(["meson", "setup", "build", "--buildtype=release"], cwd=where, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", "build", "kellet"], cwd=where, check=True, stdout=subprocess.DEVNULL)
        program = where.parent / "kellet"
        (where / "build/kellet").rename(program)
    finally:
        subprocess.run([*git, "remove", "--force", str(where)], check=True)
    return str(program)


def schema_step(binary, database):
    """(exit code, what it says) of kellet db check."""
    done = subprocess.run([binary, "db", "check", "--db-connect", database], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


# ---- a database that an older build made


def furnish(engine, registry_port):
    """Something of everything that must survive."""
    client, image = engine.client, old_image()
    push(registry_port, "upgrade/old", "1", image)
    name = f"127.0.0.1:{registry_port}/upgrade/old:1"
    assert client("POST", "/v1/images", {"tag": name, "annotations": {"team": "blue"}}).status == 200
    assert client.wait_analyzed(image.digest)["analysis_status"] == "analyzed"
    assert client("POST", "/v1/policies", BUNDLE).status == 200
    record = client.get(f"/v1/policies/{POLICY}", detail="true").json[0]
    assert client("PUT", f"/v1/policies/{POLICY}?active=true", {**record, "active": True}).status == 200
    assert client.get(f"/v1/images/{image.digest}/check", tag=name).status == 200
    assert client("POST", "/v1/accounts", {"name": ACCOUNT, "email": "a@b.example"}).status == 200
    assert client("POST", f"/v1/accounts/{ACCOUNT}/users", {"username": USER, "password": USER_PASSWORD}).status == 200
    assert client("POST", "/v1/registries?validate=false", {
        "registry": "registry.example:5000", "registry_user": "x", "registry_pass": "y", "registry_type": "docker_v2",
        "registry_verify": False}).status == 200
    return name


def check_furnishing(client, port):
    """What furnish() made, asked of a later build."""
    digest = old_image().digest
    found = client.get(f"/v1/images/{digest}").json[0]
    assert found["analysis_status"] == "analyzed" and found["annotations"] == {"team": "blue"}
    name = found["image_detail"][0]["fulltag"]
    packages = client.get(f"/v1/images/{digest}/content/os").json["content"]
    assert {p["package"]: p["version"] for p in packages} == PACKAGES
    for package, version in PACKAGES.items():
        having = client.get("/v1/query/images/by_package", name=package).json["images"]
        ours = [found["packages"] for found in having if found["image"]["imageDigest"] == digest]
        assert ours == [[{"name": package, "version": version, "type": "APKG"}]]
    assert any(f["filename"] == "/etc/motd" for f in client.get(f"/v1/images/{digest}/content/files").json["content"])
    assert client.get(f"/v1/images/{digest}/vuln/all").json["vulnerabilities"] == []
    verdict = client.get(f"/v1/images/{digest}/check", tag=name, policyId=POLICY).json[0][digest][name][0]
    assert verdict["status"] == "pass" and verdict["policyId"] == POLICY
    assert [p["policyId"] for p in client.get("/v1/policies").json if p["active"]] == [POLICY]
    assert [r["registry"] for r in client.get("/v1/registries").json] == ["registry.example:5000"]
    theirs = engines.Client(port, USER, USER_PASSWORD)
    assert theirs.get("/v1/images").json == [] and theirs.get("/v1/account").json["name"] == ACCOUNT


def postgres_tool(name, *arguments, **options):
    return subprocess.run([engines.postgres_bin() / name, *map(str, arguments)], check=True, capture_output=True, timeout=120, **options)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_record(previous, kind, tmp_path, request, registry_open):
    """Writes what the next test reads."""
    target = os.environ.get("KELLET_RECORD")
    if not target:
        pytest.skip("KELLET_RECORD names no directory")
    url = request.getfixturevalue("postgres").database("t_record") if kind == "postgres" else None
    engine = engines.Engine(previous, tmp_path / "old", url, more=QUIET)
    try:
        furnish(engine, registry_open.port)
    finally:
        assert engine.stop() == [0]
    out = Path(target) / f"{kind}.sql"
    if kind == "sqlite":
        with sqlite3.connect(tmp_path / "old/kellet.db") as db:
            out.write_text("\n".join(db.iterdump()) + "\n")
    else:
        text = postgres_tool("pg_dump", "--no-owner", "--inserts", url).stdout.decode()
        out.write_text("\n".join(x for x in text.splitlines() if x and not x.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))) + "\n")


def package_names(kind, tmp_path, url):
    if kind == "postgres":
        return postgres_tool("psql", "-At", "-c", "SELECT convert_from(name, 'UTF8') FROM posting_package ORDER BY name", url).stdout.decode().split()
    with sqlite3.connect(tmp_path / "new/kellet.db") as db:
        return [name.decode() for (name,) in db.execute("SELECT name FROM posting_package ORDER BY name")]


def history(kind, tmp_path, url):
    """[(change, why)] of the recorded image, and the names of the hosts that its lines give numbers of."""
    text = f"SELECT history FROM catalog_image WHERE image_digest = '{old_image().digest}'"
    hosts = "SELECT id, name FROM host"
    if kind == "postgres":
        text = postgres_tool("psql", "-At", "-c", text, url).stdout.decode()
        hosts = [line.split("|") for line in postgres_tool("psql", "-At", "-c", hosts, url).stdout.decode().split()]
    else:
        with sqlite3.connect(tmp_path / "new/kellet.db") as db:
            text, hosts = db.execute(text).fetchone()[0], db.execute(hosts).fetchall()
    lines = [line.split(" ", 3) for line in text.strip("\n").split("\n")]
    assert [int(since) for since, *_ in lines] == sorted(int(since) for since, *_ in lines)
    names = {str(number): name for number, name in hosts}
    return [(change, why) for _, change, _, why in lines], {names.get(number) for _, _, number, _ in lines}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_database_of_an_older_build(kellet_binary, kind, tmp_path, request, registry_open):
    recorded = RECORDED / f"{kind}.sql"
    if kind == "sqlite":
        (tmp_path / "new").mkdir()
        url = f"sqlite:{tmp_path}/new/kellet.db"
        with sqlite3.connect(tmp_path / "new/kellet.db") as db:
            db.executescript(recorded.read_text())
        db.close()
    else:
        url = request.getfixturevalue("postgres").database("t_older")
        postgres_tool("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", recorded, url)
    code, said = schema_step(kellet_binary, url)
    assert code == 1, said
    engine = engines.Engine(kellet_binary, tmp_path / "new", None if kind == "sqlite" else url, more=QUIET)
    try:
        assert schema_step(kellet_binary, url)[0] == 0
        assert package_names(kind, tmp_path, url) == sorted(PACKAGES)
        changes, hosts = history(kind, tmp_path, url)
        assert changes == [("nn", "asked for by admin"), ("na", "taken by a worker, try 1 of 5"), ("ad", "analysis completed")]
        assert hosts == {None, RECORDED_HOSTS[kind]}
        check_furnishing(engine.client, engine.port("apiext"))
        image = Image(apk_files(PACKAGES), {"etc/motd": b"after the upgrade\n"})
        push(registry_open.port, "upgrade/new", "1", image)
        assert engine.client("POST", "/v1/images", {"tag": f"127.0.0.1:{registry_open.port}/upgrade/new:1"}).status == 200
        assert engine.client.wait_analyzed(image.digest)["analysis_status"] == "analyzed"
    finally:
        assert engine.stop() == [0]


# ---- a fleet that is replaced while it works


class Adder(threading.Thread):
    """Adds images one after another by the original's client, at whichever API there is."""

    def __init__(self, engine, program, names):
        super().__init__(daemon=True)
        self.engine, self.program, self.names, self.added, self.problems = engine, program, names, 0, []

    def run(self):
        for name in self.names:
            end = time.monotonic() + 120
            while True:
                ports = [p.ports["apiext"] for p in self.engine.processes if p.poll() is None and "apiext" in p.ports]
                done = subprocess.run(
                    [self.program, "--u", "admin", "--p", engines.PASSWORD, "--url", f"http://127.0.0.1:{random.choice(ports)}/v1",
                     "image", "add", name], capture_output=True, text=True, timeout=120)
                if done.returncode == 0:
                    break
                if time.monotonic() > end:
                    self.problems.append(done.stdout + done.stderr)
                    return
                time.sleep(0.2)
            self.added += 1


def test_rolling_upgrade(previous, kellet_binary, postgres, tmp_path, registry_open):
    program = ROOT / ".venv-anchorecli/bin/anchore-cli"
    if not program.exists():
        pytest.skip("anchorecli is not installed: script/setup test")
    count = int(os.environ.get("KELLET_UPGRADE_IMAGES", 24))
    images = [Image(apk_files(PACKAGES), {"opt/number": f"{i}\n", "opt/filler": os.urandom(100_000)}) for i in range(count)]
    for i, image in enumerate(images):
        push(registry_open.port, f"rolling/image{i}", "1", image)
    url = postgres.database("t_rolling")
    engine = engines.Engine(previous, tmp_path / "fleet", url, split=True, more=QUIET)
    try:
        furnish(engine, registry_open.port)
        step_before = schema_step(kellet_binary, url)
        adder = Adder(engine, program, [f"127.0.0.1:{registry_open.port}/rolling/image{i}:1" for i in range(count)])
        adder.start()
        engine.binary = kellet_binary
        for service in ROLLED:
            while adder.is_alive() and adder.added < count * ROLLED.index(service) // len(ROLLED):
                time.sleep(0.1)
            old = next(p for p in engine.processes if p.service == service and p.poll() is None)
            engine.add(service)
            port = engine.processes[-1].ports["apiext"] if service == "apiext" else engine.port("apiext")
            assert engines.Client(port).get("/v1/images").status == 200  # beside the old ones
            old.terminate()
            assert old.wait(60) == 0
        adder.join(300)
        assert not adder.is_alive() and not adder.problems and adder.added == count
        client = engines.Client(engine.port("apiext"))
        for image in images:
            assert client.wait_analyzed(image.digest, 120)["analysis_status"] == "analyzed"
            assert client.get(f"/v1/images/{image.digest}/content/os").json["content"]
        assert schema_step(kellet_binary, url)[0] == 0, step_before
        check_furnishing(client, engine.port("apiext"))
        rows = postgres_tool("psql", "-At", "-c", "SELECT image_digest FROM (SELECT image_digest FROM image_transition WHERE to_state = 'analyzed'"
                             " UNION ALL SELECT image_digest FROM catalog_image, regexp_matches(history, '^\\+[0-9]+ .d ', 'gn')) AS x"
                             " GROUP BY 1 HAVING COUNT(*) > 1", url).stdout
        assert rows == b""  # nothing was analysed twice
    except AssertionError as problem:
        raise AssertionError(f"{problem}\n{engine.log()[-6000:]}") from None
    finally:
        engine.stop()


def test_the_older_build_on_the_newer_database(previous, kellet_binary, tmp_path):
    """It works, as steps only add, or says what is wrong; it never fails silently."""
    url = f"sqlite:{tmp_path}/new/kellet.db"
    engine = engines.Engine(kellet_binary, tmp_path / "new", more=QUIET)
    assert engine.stop() == [0]
    try:
        engine = engines.Engine(previous, tmp_path / "old", url, more=QUIET)
    except RuntimeError as problem:
        assert "newer version of kellet" in str(problem)
        return
    try:
        assert engine.client.get("/v1/images").json == []
    finally:
        assert engine.stop() == [0]

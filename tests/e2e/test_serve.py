"""The engine's life: start with and without a configuration, ports, TLS, SIGTERM, second instances, databases that are
not there, and the drop-in name anchore-manager."""
import http.client
import json
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import time

import engines
import pytest
from registries import free_port, wait_for

PORTS = {"apiext": 8228, "catalog": 8082, "simplequeue": 8083, "policy_engine": 8087, "analyzer": 8084,
         "kubernetes_webhook": 8338}


def get(port, path, context=None):
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    connection = kind("127.0.0.1", port, timeout=10, **({"context": context} if context else {}))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Served:
    def __init__(self, binary, env, log, *arguments):
        self.log = log
        self.process = subprocess.Popen([binary, *arguments], env=env, stdout=open(log, "ab"),
                                        stderr=subprocess.STDOUT)

    def text(self):
        return self.log.read_text()

    def wait_text(self, pattern, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None and not re.search(pattern, self.text()):
                break
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} in:\n{self.text()}")

    def stop(self, seconds=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@pytest.fixture
def serve(kellet_binary, clean_environment, tmp_path):
    running = []

    def run(*arguments, env=None, name="log"):
        for word in ("ANCHORE_ENGINE_SERVICES", "KELLET_SERVICES", "ANCHORE_CONFIG_DIR"):
            clean_environment.pop(word, None)
        one = Served(kellet_binary, {**clean_environment, **(env or {})}, tmp_path / f"{name}.log", *arguments)
        running.append(one)
        return one
    yield run
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def configuration(where, services, database="sqlite:", extra="", **more):
    where.mkdir(parents=True, exist_ok=True)
    lines = [extra, "credentials:", "  database:", f"    db_connect: '{database}'", "services:"]
    ports = {}
    for name in services:
        ports[name] = free_port()
        lines += [f"  {name}:", "    enabled: true", "    endpoint_hostname: 127.0.0.1", "    listen: 127.0.0.1",
                  f"    port: {ports[name]}", *(f"    {k}: {v}" for k, v in more.items())]
    (where / "config.yaml").write_text("\n".join(lines) + "\n")
    return ports


def free_default_ports():
    import socket
    for port in PORTS.values():
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                pytest.skip(f"port {port} is taken on this machine")


def test_no_configuration(serve, service_ports):
    free_default_ports()
    one = serve("serve", env={"ANCHORE_FEEDS_ENABLED": "false"})
    password = one.wait_text(r'user "admin" .*: (\S+)\n').group(1)
    one.wait_text("ready, as host")
    for port in PORTS.values():
        assert get(port, "/health") == (200, b'"ok"\n')
        assert json.loads(get(port, "/version")[1])["service"]["version"] == "1.1.0"
        status, body = get(port, "/ready")
        assert json.loads(body)["checks"]["database"] == "ok"
    client = engines.Client(PORTS["apiext"], password=password)
    states = client.get("/v1/system").json["service_states"]
    assert {s["servicename"] for s in states} == set(PORTS)
    assert all(s["service_detail"]["up"] and s["status_message"] == "available" for s in states)
    assert engines.Client(PORTS["apiext"], password="wrong").get("/v1/system").status == 401
    catalog = next(s for s in states if s["servicename"] == "catalog")
    path = f"/v1/system/services/catalog/{catalog['hostid']}"
    assert client.get("/v1/system/services/nosuch").json == []
    assert [s["base_url"] for s in client.get(path).json] == [catalog["base_url"]]
    assert client("DELETE", path).status == 409
    assert client("DELETE", "/v1/system/services/catalog/nobody").status == 404
    assert one.stop() == 0
    assert "stopped" in one.text()
    again = serve("serve", env={"ANCHORE_FEEDS_ENABLED": "false"}, name="again")
    again.wait_text("ready, as host")
    assert "was made with this password" not in again.text()
    assert again.stop() == 0


def test_password_of_the_environment(serve, tmp_path):
    ports = configuration(tmp_path / "c", ["apiext"], extra="default_admin_password: ${ANCHORE_ADMIN_PASSWORD}")
    one = serve("serve", "--config", str(tmp_path / "c"), env={"ANCHORE_ADMIN_PASSWORD": "00123"})
    one.wait_text("ready, as host")
    assert engines.Client(ports["apiext"], password="00123").get("/v1/system").status == 200
    assert "00123" not in one.text()
    assert one.stop() == 0


def test_tls(serve, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
                           "-keyout", key, "-out", cert, "-days", "2"], capture_output=True)
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    ports = configuration(tmp_path / "c", ["apiext"], ssl_enable="true", ssl_cert=cert, ssl_key=key,
                          external_tls="false")
    one = serve("serve", "--config", str(tmp_path / "c"), env={"ANCHORE_ADMIN_PASSWORD": "x"})
    one.wait_text("ready, as host")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert get(ports["apiext"], "/health", context)[0] == 200
    assert one.stop() == 0
    rows = sqlite3.connect(tmp_path / "data/kellet.db").execute("select count(*) from services").fetchone()
    assert rows == (0,)


def test_check_config(kellet, tmp_path):
    where = tmp_path / "c"
    configuration(where, ["apiext", "catalog"], database="postgresql+pg8000://me:hush@db/x", extra="""\
default_admin_password: hush
keys: {secret: hush}
webhooks: {webhook_user: u, webhook_pass: hush, general: {url: 'http://u:hush@127.0.0.1/'}}
runtime_inventory: {}""")
    good = kellet("serve", "--check-config", "--config", where)
    assert good.returncode == 0 and not good.stderr, good
    assert "hush" not in good.stdout and "********" in good.stdout
    assert "postgresql://me:********@db/x" in good.stdout
    (where / "config.yaml").write_text("log_levle: x\nservices:\n  apiext:\n    port: 1\n    enabled: perhaps\n"
                                       "host_id: ${ANCHORE_NOT_SET_AT_ALL}\n")
    bad = kellet("serve", "--check-config", "--config", where)
    assert bad.returncode == 2
    lines = [line.split("config.yaml")[-1] for line in bad.stderr.splitlines()]
    for start in (':1: warning: unknown key "log_levle"', ":5: error: services.apiext.enabled must be true or false",
                  ":6: error: variable overrides found in configuration file that are unset"):
        assert any(line.startswith(start) for line in lines), lines
    assert any("db_connect is missing" in line for line in lines)
    assert kellet("serve", "--config", where).returncode == 2
    assert kellet("serve", "--config", tmp_path / "nowhere").returncode == 2


def test_services_are_chosen(serve, tmp_path, kellet):
    ports = configuration(tmp_path / "c", list(PORTS))
    env = {"ANCHORE_ENGINE_SERVICES": "anchore-catalog simplequeue  nonsense", "KELLET_SERVICES": "apiext"}
    one = serve("serve", "--config", str(tmp_path / "c"), env=env)
    one.wait_text("ready, as host")
    assert 'nonsense' in one.text()
    assert get(ports["catalog"], "/health")[0] == 200 and get(ports["simplequeue"], "/health")[0] == 200
    with pytest.raises(OSError):
        get(ports["apiext"], "/health")
    assert one.stop() == 0
    two = serve("serve", "--config", str(tmp_path / "c"), "anchore-worker", env=env, name="two")
    two.wait_text("ready, as host")
    assert get(ports["analyzer"], "/health")[0] == 200
    assert two.stop() == 0
    nothing = kellet("serve", "--config", tmp_path / "c", "nonsense")
    assert nothing.returncode == 1 and "No services found" in nothing.stderr
    same = tmp_path / "same"
    configuration(same, ["apiext", "catalog"])
    text = (same / "config.yaml").read_text()
    (same / "config.yaml").write_text(re.sub(r"port: \d+", "port: 18399", text))
    clash = kellet("serve", "--config", same)
    assert clash.returncode == 2 and "both listen on port 18399" in clash.stderr


def test_port_is_taken(serve, tmp_path):
    ports = configuration(tmp_path / "c", ["apiext"])
    one = serve("serve", "--config", str(tmp_path / "c"))
    one.wait_text("ready, as host")
    two = serve("serve", "--config", str(tmp_path / "c"), name="two")
    assert two.process.wait(30) == 5
    assert str(ports["apiext"]) in two.text()
    assert get(ports["apiext"], "/health")[0] == 200


def test_database_is_not_there(serve, tmp_path):
    port = free_port()
    configuration(tmp_path / "c", ["apiext"], database=f"postgresql://u:hush@127.0.0.1:{port}/x")
    one = serve("serve", "--config", str(tmp_path / "c"))
    one.wait_text("the database does not answer")
    assert one.stop() == 5
    assert "hush" not in one.text()
    configuration(tmp_path / "d", ["apiext"], database="mysql://u:p@h/x")
    two = serve("serve", "--config", str(tmp_path / "d"), name="two")
    assert two.process.wait(30) == 2
    configuration(tmp_path / "e", ["apiext"], database="sqlite:/proc/nowhere/x.db")
    three = serve("serve", "--config", str(tmp_path / "e"), name="three")
    assert three.process.wait(30) == 5 and "/proc/nowhere" in three.text()


def rows(postgres, database):
    out = subprocess.run([postgres.bin / "psql", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "kellet", "-At",
                          "-c", "select servicename, hostid, status from services order by 1, 2", database],
                         capture_output=True, text=True, check=True, cwd="/").stdout
    return [tuple(line.split("|")) for line in out.splitlines()]


def test_many_processes_on_postgresql(serve, postgres, tmp_path):
    url = postgres.database("life")
    ids = "host_id: one\ndefault_admin_password: foobar"
    first = configuration(tmp_path / "a", ["catalog", "simplequeue"], database=url, extra=ids)
    second = configuration(tmp_path / "b", ["catalog", "apiext"], database=url, extra=ids)
    api = serve("serve", "--config", str(tmp_path / "b"), "apiext", name="api")
    api.wait_text("waiting for the catalog to bring the database")
    a = serve("serve", "--config", str(tmp_path / "a"), name="a")
    a.wait_text("ready, as host one")
    api.wait_text("ready, as host one")
    b = serve("serve", "--config", str(tmp_path / "b"), "catalog", name="b")
    b.wait_text("ready, as host one-2")
    assert "another living process has the host id one" in b.text()
    assert rows(postgres, "life") == [("apiext", "one", "1"), ("catalog", "one", "1"), ("catalog", "one-2", "1"),
                                      ("simplequeue", "one", "1")]
    a.process.kill()
    a.process.wait()
    client = engines.Client(second["apiext"])
    died, seen_down = time.monotonic(), False
    while time.monotonic() - died < 60:
        left = rows(postgres, "life")
        seen_down = seen_down or ("catalog", "one", "0") in left
        if len(left) == 2:
            break
        time.sleep(1)
    assert seen_down
    assert rows(postgres, "life") == [("apiext", "one", "1"), ("catalog", "one-2", "1")]
    types = [e["event"]["type"] for e in client.get("/v1/events").json["results"]]
    assert "system.service.state_transition.down" in types and "system.service.removed" in types
    assert b.stop() == 0 and api.stop() == 0
    assert rows(postgres, "life") == []
    assert first != second


def test_database_goes_and_comes_back(serve, tmp_path):
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    server = engines.Postgres(tmp_path / "pg")
    try:
        ports = configuration(tmp_path / "c", ["apiext", "catalog"], database=server.database("goes"),
                              extra="default_admin_password: foobar")
        one = serve("serve", "--config", str(tmp_path / "c"))
        one.wait_text("ready, as host")
        client = engines.Client(ports["apiext"])
        assert client.get("/v1/system").status == 200
        server.stop("immediate")
        assert get(ports["apiext"], "/health")[0] == 200
        status, body = get(ports["apiext"], "/ready")
        assert status == 503 and json.loads(body)["checks"]["database"] == "does not answer"
        assert client.get("/v1/system").status in (500, 503)
        assert one.process.poll() is None
        server.start()
        end = time.monotonic() + 30
        while get(ports["apiext"], "/ready")[0] != 200:
            assert time.monotonic() < end, one.text()
            time.sleep(0.2)
        assert client.get("/v1/system").status == 200
        assert one.stop() == 0
    finally:
        server.stop("immediate")


def test_webhook_of_kubernetes(serve, tmp_path):
    ports = configuration(tmp_path / "c", ["kubernetes_webhook", "apiext"])
    one = serve("serve", "--config", str(tmp_path / "c"))
    one.wait_text("ready, as host")
    port = ports["kubernetes_webhook"]

    def ask(annotations, *images):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/v1/imagepolicywebhook", json.dumps(
            {"kind": "ImageReview", "apiVersion": "imagepolicy.k8s.io/v1alpha1",
             "spec": {"annotations": annotations, "containers": [{"image": i} for i in images]}}),
            {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())["status"]
    user = {"anchore.image-policy.k8s.io/userId": "admin"}
    assert "need to specify" in ask({}, "alpine")["reason"]
    assert ask(user)["allowed"] is False
    assert ask(user, "alpine", "no name")["allowed"] is False
    database = sqlite3.connect(tmp_path / "data/kellet.db")
    digest = "sha256:" + "1" * 64
    now = time.time_ns() // 1000
    with database:
        database.execute("insert into catalog_image (account, image_digest, analysis_status, image_status, created_at,"
                         " last_updated) values ('admin', ?, 'analyzed', 'active', ?, ?)", (digest, now, now))
        database.execute("insert into catalog_image_tag (account, registry, repo, tag, image_digest, fulltag,"
                         " tag_detected_at, created_at, last_updated) values ('admin', 'docker.io', 'alpine', 'latest',"
                         " ?, 'docker.io/alpine:latest', ?, ?, ?)", (digest, now, now, now))
    assert "no policy evaluation" in ask(user, "alpine")["reason"]
    for action, allowed in (("go", True), ("stop", False), ("warn", True)):
        now += 1
        with database:
            database.execute("insert into policy_eval (account, image_digest, tag, policy_id, created_at, final_action,"
                             " eval_id, last_updated) values ('admin', ?, 'docker.io/alpine:latest', 'p', ?, ?, ?, ?)",
                             (digest, now, action, action, now))
        assert ask(user, "alpine:latest")["allowed"] is allowed
    assert ask(user, "alpine", "busybox")["allowed"] is False
    other = {**user, "anchore.image-policy.k8s.io/policyBundleId": "q"}
    assert ask(other, "alpine")["allowed"] is False
    assert ask({"anchore.image-policy.k8s.io/userId": "else"}, "alpine")["allowed"] is False
    assert one.stop() == 0


def test_database_commands(kellet, tmp_path):
    assert kellet("db", "check").returncode == 1
    first = kellet("db", "upgrade")
    assert first.returncode == 0 and "step 1" in first.stdout
    assert "nothing to do" in kellet("db", "upgrade").stdout
    assert kellet("db", "check").returncode == 0
    assert kellet("db").returncode == 2


def test_manager(kellet_binary, clean_environment, tmp_path):
    program = tmp_path / "anchore-manager"
    os.symlink(kellet_binary, program)

    def run(*arguments, **more):
        return subprocess.run([program, *map(str, arguments)], env=clean_environment, capture_output=True, text=True,
                              timeout=60, **more)
    (tmp_path / "data").mkdir()
    database = f"sqlite:{tmp_path}/data/m.db"
    assert run("service", "list").stdout.split() == ["catalog", "apiext", "simplequeue", "policy_engine", "analyzer",
                                                     "kubernetes_webhook"]
    assert run("--version").returncode == 0
    assert run("service", "start").returncode == 2
    assert run("nothing").returncode == 2
    upgraded = run("db", "--db-connect", database, "--db-retries", "3", "upgrade", "--dontask")
    assert upgraded.returncode == 0 and "is at version" in upgraded.stdout
    assert run("db", "--db-connect", database, "upgrade", input="n\n").returncode == 2
    assert "localfs" in run("objectstorage", "list-drivers").stdout
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(f"object_store: {{storage_driver: {{name: localfs, config: {{archive_data_dir: {tmp_path}/o}}}}}}")
    bad.write_text("object_store: {storage_driver: {name: floppy}}")
    checked = run("objectstorage", "--db-connect", database, "check", good)
    assert checked.returncode == 0, checked
    assert run("objectstorage", "--db-connect", database, "check", bad).returncode == 5


def test_manager_starts_services(kellet_binary, serve, tmp_path):
    ports = configuration(tmp_path / "c", ["apiext", "catalog"])
    one = serve("manager", "--configdir", str(tmp_path / "c"), "service", "start", "--no-auto-upgrade", "apiext")
    one.wait_text("ready, as host")
    wait_for(ports["apiext"], one.process, 10)
    assert one.stop() == 0

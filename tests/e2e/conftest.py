"""Fixtures that several end-to-end tests share: the binary, real registries, a podman service."""
import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import engines
import registries
from registries import Image, Registry, TokenServer, apk_files, push

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("KELLET_SHARED", ROOT.parent / "shared"))


# The files that take longest, longest first: a parallel run begins with them.
LONG = ("test_anchorecli", "test_vuln_update", "test_topology", "test_hostile", "test_serve", "test_notifications", "test_recorded",
        "test_images", "test_packages", "test_accounts", "test_analyze", "test_deploy_ecs", "test_openapi")


def pytest_collection_modifyitems(items):
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda i: LONG.index(i.path.stem) if i.path.stem in LONG else len(LONG))


@pytest.fixture(scope="module")
def service_ports():
    """The services' own ports, 8228 and so on, are for one module at a time."""
    with open(Path(tempfile.gettempdir()) / "kellet-service-ports.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def kellet_binary():
    candidates = (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet")
    found = next((p for p in candidates if p and Path(p).exists()), None)
    return str(found) if found else pytest.skip("kellet is not built")


@pytest.fixture
def clean_environment(tmp_path):
    """No proxies, no credentials, no engines, no data but this test's own."""
    env = {k: v for k, v in os.environ.items()
           if not k.lower().endswith("_proxy") and k not in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR",
                                                             "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE")}
    env.update(HOME=str(tmp_path / "home"), KELLET_DATA=str(tmp_path / "data"),
               DOCKER_HOST="unix:///nonexistent", CONTAINER_HOST="unix:///nonexistent")
    (tmp_path / "home").mkdir(exist_ok=True)
    return env


@pytest.fixture
def kellet(kellet_binary, clean_environment):
    """kellet(ARGUMENT..., env={}, stdin="") -> CompletedProcess"""
    def run(*arguments, env=None, stdin=None, timeout=120):
        return subprocess.run([kellet_binary, *map(str, arguments)], env={**clean_environment, **(env or {})},
                              input=stdin, capture_output=True, text=True, timeout=timeout)
    return run


# ---- registries


IMAGES = {
    "plain": Image(apk_files({"musl": "1.2.4-r2", "busybox": "1.36.1-r7"}),
                   apk_files({"musl": "1.2.4-r2", "busybox": "1.36.1-r7", "curl": "8.5.0-r0"})),
    "large": Image(apk_files({"musl": "1.2.4-r2"}), {"big.bin": os.urandom(6 << 20)}),
    "arm": Image(apk_files({"only-on-arm": "1.0-r0"}), architecture="arm64"),
    "amd": Image(apk_files({"only-on-amd": "1.0-r0"}), architecture="amd64"),
}


@pytest.fixture(scope="session")
def registry_root(tmp_path_factory):
    return tmp_path_factory.mktemp("registry-root")


@pytest.fixture(scope="session")
def registry_open(tmp_path_factory, registry_root):
    """Everybody may read; all images are there: plain:1, deep/er/plain:1, large:1, multi:1, private/plain:1."""
    need("docker-registry")
    registry = Registry(tmp_path_factory.mktemp("registry"), registry_root, "open")
    for repository in ("plain", "deep/er/plain", "private/plain"):
        push(registry.port, repository, "1", IMAGES["plain"])
    push(registry.port, "large", "1", IMAGES["large"])
    push(registry.port, "multi", "1", [IMAGES["arm"], IMAGES["amd"]])
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def registry_basic(tmp_path_factory, registry_root, registry_open):
    need("docker-registry", "htpasswd")
    where = tmp_path_factory.mktemp("registry-basic")
    subprocess.run(["htpasswd", "-Bbc", where / "htpasswd", registries.USER, registries.PASSWORD], check=True,
                   capture_output=True)
    registry = Registry(where, registry_root, "basic",
                        auth={"htpasswd": {"realm": "kellet test", "path": str(where / "htpasswd")}})
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def token_server(tmp_path_factory):
    need("openssl")
    return TokenServer(tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="session")
def registry_token(tmp_path_factory, registry_root, registry_open, token_server):
    need("docker-registry")
    registry = Registry(tmp_path_factory.mktemp("registry-token"), registry_root, "token", auth={"token": {
        "realm": token_server.realm, "service": registries.SERVICE, "issuer": registries.ISSUER,
        "rootcertbundle": str(token_server.where / "token.pem")}})
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    need("openssl")
    where = tmp_path_factory.mktemp("certificates")
    registries.make_certificates(where)
    return where


@pytest.fixture(scope="session")
def registry_tls(tmp_path_factory, registry_root, registry_open, certificates):
    need("docker-registry")
    registry = Registry(tmp_path_factory.mktemp("registry-tls"), registry_root, "tls", tls=certificates)
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def registry_http2(tmp_path_factory, registry_open, certificates):
    need("nginx")
    nginx = registries.Nginx(tmp_path_factory.mktemp("nginx"), registry_open.port, certificates)
    yield nginx
    nginx.stop()


@pytest.fixture(scope="session")
def failing_proxy_server(registry_open):
    return registries.FailingProxy(registry_open.port)


@pytest.fixture
def failing_proxy(failing_proxy_server):
    failing_proxy_server.set(None)
    return failing_proxy_server


# ---- engines


@pytest.fixture(scope="session")
def podman_socket(tmp_path_factory):
    """podman's API service with one image, localhost/kellet-test:1, made of IMAGES["plain"]."""
    need("podman")
    where = tmp_path_factory.mktemp("podman")
    podman = ["podman", "--storage-driver", "vfs", "--root", str(where / "root"), "--runroot", str(where / "run"),
              "--tmpdir", str(where / "tmp")]
    layout = where / "layout"
    write_layout(layout, IMAGES["plain"])
    done = subprocess.run([*podman, "pull", f"oci:{layout}"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("podman cannot store an image here: " + done.stderr.strip()[-200:])
    image = done.stdout.split()[-1]
    subprocess.run([*podman, "tag", image, "localhost/kellet-test:1"], check=True, capture_output=True)
    path = where / "podman.sock"
    service = subprocess.Popen([*podman, "system", "service", "--time=0", f"unix://{path}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        if path.exists():
            break
        if service.poll() is not None:
            pytest.skip("podman's API service does not start here")
        registries.time.sleep(0.05)
    yield path
    service.terminate()
    service.wait(10)


def write_layout(where, image):
    (where / "blobs/sha256").mkdir(parents=True)
    for digest, data in {**image.blobs, image.digest: image.manifest}.items():
        (where / "blobs/sha256" / digest.split(":")[1]).write_bytes(data)
    (where / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (where / "index.json").write_text(registries.json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": registries.OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)}]}))


# ---- engines


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    server = engines.Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop("immediate")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request, kellet_binary, tmp_path_factory):
    """All services in one process; each module that uses it runs once on SQLite and once on PostgreSQL."""
    directory = tmp_path_factory.mktemp("engine")
    database = None
    if request.param == "postgres":
        name = "t_" + request.module.__name__.replace("-", "_").lower()
        database = request.getfixturevalue("postgres").database(name)
    one = engines.Engine(kellet_binary, directory, database, more={"catalog": "    cycle_timers: {image_gc: -1}\n"})
    yield one
    one.stop()


@pytest.fixture(scope="session")
def anchore_cli():
    """anchore_cli(engine, ARGUMENT...) -> CompletedProcess, with the original's client."""
    program = ROOT / ".venv-anchorecli/bin/anchore-cli"
    if not program.exists():
        pytest.skip("anchorecli is not installed: script/setup test")

    def run(engine, *arguments, user="admin", password=engines.PASSWORD, timeout=120):
        return subprocess.run([program, "--u", user, "--p", password, "--url",
                               f"http://127.0.0.1:{engine.port('apiext')}/v1", *map(str, arguments)],
                              capture_output=True, text=True, timeout=timeout)
    return run

"""What people install: the container image (the same bytes twice, small, started by runc), the Debian package, the compose
files and the systemd unit."""
import json
import os
import re
import subprocess
import tarfile
import time

import pytest

import engines
from conftest import ROOT, need
from registries import free_port, wait_for

COMPOSE = ROOT / "deploy/compose"


@pytest.fixture(scope="module")
def image(kellet_binary, tmp_path_factory):
    """The image of the binary under test; script/image takes build/kellet."""
    need("dpkg-query", "strip")
    if not os.path.samefile(kellet_binary, ROOT / "build/kellet"):
        pytest.skip("script/image packs build/kellet, and another binary is under test")
    out = tmp_path_factory.mktemp("image")
    for name in ("one", "two"):
        done = subprocess.run([ROOT / "script/image", "--out", out / name], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return out


def manifest(layout):
    index = json.loads((layout / "index.json").read_text())
    return read(layout, index["manifests"][0])


def read(layout, descriptor):
    return json.loads((layout / "blobs/sha256" / descriptor["digest"].split(":")[1]).read_text())


@pytest.fixture(scope="module")
def rootfs(image, tmp_path_factory):
    root = tmp_path_factory.mktemp("rootfs")
    layer = manifest(image / "one")["layers"][0]
    with tarfile.open(image / "one/blobs/sha256" / layer["digest"].split(":")[1]) as archive:
        archive.extractall(root)
    root.chmod(0o755)
    return root


def test_the_image_is_the_same_twice_and_small(image):
    assert (image / "one/index.json").read_bytes() == (image / "two/index.json").read_bytes()
    assert (image / "one.tar").read_bytes() == (image / "two.tar").read_bytes()
    assert sum(layer["size"] for layer in manifest(image / "one")["layers"]) <= 30_000_000


def test_the_image_holds_no_shell_and_runs_as_nobody_special(image, rootfs):
    config = read(image / "one", manifest(image / "one")["config"])["config"]
    assert config["User"] == "1000:1000" and config["StopSignal"] == "SIGTERM"
    assert {"org.opencontainers.image.title", "org.opencontainers.image.version"} <= set(config["Labels"])
    programs = [p.name for d in ("usr/bin", "bin", "usr/sbin", "sbin") if (rootfs / d).is_dir() for p in (rootfs / d).iterdir()]
    assert sorted(programs) == ["anchore-engine", "anchore-manager", "kellet"]


def test_the_image_says_what_is_in_it(image, kellet, rootfs):
    inside = json.loads((rootfs / "usr/share/doc/kellet/sbom.cdx.json").read_text())
    libraries = {c["name"] for c in inside["components"] if c["type"] == "library"}
    assert {"libc6", "libsqlite3-0", "libpq5"} <= libraries
    scan = kellet("sbom", f"oci-dir:{image}/one", "-o", "json")
    assert scan.returncode == 0, scan.stderr
    found = {p["name"] for p in json.loads(scan.stdout)["packages"]}
    assert found == libraries
    files = {re.sub(r"\.so.*", "", p.name) for p in (rootfs / "usr/lib").rglob("*.so*")}
    assert len(files) <= len(found) + 12  # a package brings a few; none comes from nowhere


@pytest.fixture
def bundle(image, rootfs, tmp_path):
    need("runc")
    if os.getuid() != 0:
        pytest.skip("starting a container takes root here")
    config = read(image / "one", manifest(image / "one")["config"])["config"]
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    spec = json.loads((tmp_path / "config.json").read_text())
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 1000, 1000)
    spec["process"].update(terminal=False, user={"uid": 1000, "gid": 1000}, capabilities={}, noNewPrivileges=True)
    spec["root"] = {"path": str(rootfs), "readonly": True}
    spec["mounts"].append({"destination": "/var/lib/kellet", "type": "bind", "source": str(data), "options": ["bind", "rw"]})
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "network"]
    for parent in (tmp_path, rootfs, *tmp_path.parents, *rootfs.parents):  # pytest's directories are private to root
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)

    def start(arguments, environment=()):
        spec["process"].update(args=[*config["Entrypoint"], *(arguments or config["Cmd"])], env=[*config["Env"], *environment])
        (tmp_path / "config.json").write_text(json.dumps(spec))
        name = f"kellet-test-{os.getpid()}-{time.monotonic_ns()}"
        return subprocess.Popen(["runc", "run", "--bundle", str(tmp_path), name], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True), name
    probe, _ = start(["version"])
    out, _ = probe.communicate(timeout=60)
    if probe.returncode != 0 and "kellet" not in out:
        pytest.skip(f"runc cannot start containers here: {out.strip()[-200:]}")
    return start


def test_the_image_scans(bundle):
    process, _ = bundle(["sbom", "dir:/"])
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert "libc6" in out and "Complete" in out


def test_the_image_serves(bundle):
    port = free_port()
    config = "\n".join([
        "credentials: {database: {db_connect: 'sqlite:'}}", "services:",
        *(f"  {name}: {{enabled: true, endpoint_hostname: 127.0.0.1, listen: 127.0.0.1, port: {p}}}"
          for name, p in {**{n: free_port() for n in engines.SERVICES}, "apiext": port}.items())])
    process, name = bundle(None, ["ANCHORE_ADMIN_PASSWORD=foobar", f"KELLET_CONFIG_YAML={config}"])
    try:
        wait_for(port, process, 60)
        assert engines.Client(port).get("/v1/system").status == 200
    finally:
        subprocess.run(["runc", "kill", name, "TERM"], check=False)
        try:
            out, _ = process.communicate(timeout=60)
        finally:
            subprocess.run(["runc", "delete", "-f", name], capture_output=True)
    assert process.returncode == 0, out


def test_the_debian_package(kellet_binary, tmp_path):
    need("dpkg-deb", "dpkg-shlibdeps")
    done = subprocess.run([ROOT / "script/deb"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    package = ROOT / done.stdout.split("==> ")[-1].split(":")[0]
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    assert subprocess.run([tmp_path / "usr/bin/kellet", "version"], capture_output=True, text=True).stdout.startswith("kellet ")
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True).stdout
    for library in ("libc6", "libpq5", "libsqlite3-0", "libcurl", "ca-certificates"):
        assert library in depends
    assert (tmp_path / "usr/lib/systemd/system/kellet.service").exists()
    assert os.readlink(tmp_path / "usr/bin/anchore-manager") == "kellet"
    for page in ("usr/share/man/man1/kellet.1.gz", "usr/share/bash-completion/completions/kellet"):
        assert (tmp_path / page).stat().st_size > 500


def test_the_systemd_unit(tmp_path, kellet_binary):
    need("systemd-analyze")
    text = (ROOT / "deploy/systemd/kellet.service").read_text().replace("/usr/bin/kellet", kellet_binary)
    (tmp_path / "kellet.service").write_text(text.replace("Documentation=man:kellet(1)\n", ""))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / "kellet.service"], capture_output=True, text=True)
    complaints = [l for l in done.stderr.splitlines() if "kellet.service" in l]
    assert complaints == []


@pytest.mark.parametrize("name,services", [("docker-compose.yaml", 1), ("docker-compose-fleet.yaml", 7)])
def test_compose(name, services):
    compose = ROOT / ".venv/bin/podman-compose"
    if not compose.exists():
        pytest.skip("podman-compose is not installed: script/setup test")
    import yaml
    environment = {**os.environ, "ANCHORE_ADMIN_PASSWORD": "x", "ANCHORE_AUTH_SECRET": "y"}
    done = subprocess.run([compose, "-f", COMPOSE / name, "config"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    read_back = yaml.safe_load(done.stdout)["services"]
    assert len(read_back) == services
    selected = sorted(s["environment"]["ANCHORE_ENGINE_SERVICES"] for s in read_back.values()
                      if "ANCHORE_ENGINE_SERVICES" in s.get("environment", {}))
    assert selected == (sorted(engines.SERVICES) if services == 7 else [])

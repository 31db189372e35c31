"""kellet scan, sbom, explain, completion and man, as users run them."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import pty
import re
import select
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("KELLET_SHARED", ROOT.parent / "shared"))
KELLET = os.environ.get("KELLET", str(ROOT / "build" / "kellet"))
IMAGE = SHARED / "data" / "images" / "oci" / "alpine-3.18"

if not pathlib.Path(KELLET).exists():
    pytest.skip(f"{KELLET} is not built", allow_module_level=True)

SECDB = """distroversion: v3.18
reponame: main
packages:
  - pkg:
      name: busybox
      secfixes:
        1.36.1-r99:
          - CVE-2099-0001
        1.0.0-r0:
          - CVE-2099-0002
  - pkg:
      name: openssl
      secfixes:
        3.0.0-r0:
          - CVE-2099-0003
        "0":
          - CVE-2099-0004
"""
NVD = {
    "format": "NVD_CVE",
    "version": "2.0",
    "vulnerabilities": [
        {
            "cve": {
                "id": "CVE-2099-0001",
                "published": "2099-01-01T00:00:00.000",
                "lastModified": "2099-01-02T00:00:00.000",
                "vulnStatus": "Analyzed",
                "descriptions": [{"lang": "en", "value": "A made-up hole"}],
                "metrics": {
                    "cvssMetricV31": [
                        {
                            "source": "nvd@nist.gov",
                            "type": "Primary",
                            "cvssData": {
                                "version": "3.1",
                                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                                "baseScore": 9.8,
                                "baseSeverity": "CRITICAL",
                            },
                        }
                    ]
                },
                "references": [],
            }
        }
    ],
}


def run(*args, data, stdin=None, env=None):
    environment = dict(os.environ, KELLET_DATA=str(data), NO_COLOR="", **(env or {}))
    return subprocess.run([KELLET, *map(str, args)], input=stdin, capture_output=True, text=True,
                          env=environment, timeout=120)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    home = tmp_path_factory.mktemp("data")
    secdb = home / "main.yaml"
    secdb.write_text(SECDB)
    nvd = home / "nvd.json"
    nvd.write_text(json.dumps(NVD))
    for feed, path in (("alpine", secdb), ("nvd", nvd)):
        done = run("feeds", "load", feed, path, data=home)
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory):
    """An Alpine file system with an old busybox, made here."""
    root = tmp_path_factory.mktemp("rootfs")
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('ID=alpine\nVERSION_ID=3.18.4\nNAME="Alpine Linux"\n')
    (root / "lib/apk/db").mkdir(parents=True)
    (root / "lib/apk/db/installed").write_text(
        "P:ssl_client\nV:1.36.1-r2\nA:x86_64\no:busybox\nL:GPL-2.0-only\n\n"
        "P:libssl3\nV:3.1.3-r0\nA:x86_64\no:openssl\nL:Apache-2.0\n\n")
    return root


def layout(directory, layers, config=None):
    """Writes an OCI layout of gzip layers, given as {path: bytes} each."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return f"sha256:{digest}", len(content)

    descriptors, diff_ids = [], []
    for files in layers:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for path, content in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        diff_ids.append("sha256:" + hashlib.sha256(raw.getvalue()).hexdigest())
        digest, size = blob(gzip.compress(raw.getvalue(), mtime=0))
        descriptors.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                            "digest": digest, "size": size})
    document = {"architecture": "amd64", "os": "linux", "config": {},
                "rootfs": {"type": "layers", "diff_ids": diff_ids}, **(config or {})}
    digest, size = blob(json.dumps(document).encode())
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                           "digest": digest, "size": size}, "layers": descriptors}
    digest, size = blob(json.dumps(manifest).encode())
    (directory / "index.json").write_text(json.dumps(
        {"schemaVersion": 2, "manifests": [
            {"mediaType": manifest["mediaType"], "digest": digest, "size": size}]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return directory


def test_finding(data, rootfs):
    done = run("scan", f"dir:{rootfs}", "-o", "json", data=data)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert [f["id"] for f in report["findings"]] == ["CVE-2099-0001"]
    finding = report["findings"][0]
    assert finding["package"]["name"] == "ssl_client"
    assert finding["claimed_package"] == "busybox"
    assert finding["severity"] == "Critical" and finding["severity_source"] == "nvd"
    assert finding["fix"] == {"state": "fixed", "versions": ["1.36.1-r99"]}
    assert finding["evidence"][0]["path"] == "lib/apk/db/installed"
    assert report["completeness"]["complete"] is True
    assert {d["name"] for d in report["data"]} == {"alpine", "nvd"}


def test_schemas(data, rootfs, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    done = run("scan", f"dir:{rootfs}", "-o", f"json={tmp_path}/r.json",
               "-o", f"cyclonedx={tmp_path}/r.cdx", "-o", "table", data=data)
    assert done.returncode == 0
    assert "CVE-2099-0001" in done.stdout
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), schema)
    bom = json.loads((tmp_path / "r.cdx").read_text())
    assert bom["specVersion"] == "1.6" and bom["vulnerabilities"][0]["id"] == "CVE-2099-0001"


def test_deterministic(data, rootfs):
    source = f"dir:{rootfs}"
    for form in ("json", "cyclonedx", "table"):
        reports = {run("scan", source, "-o", form, "--threads", n, data=data).stdout
                   for n in (1, 4)}
        assert len(reports) == 1
    stamped = run("scan", source, "-o", "json", "--timestamp", data=data,
                  env={"SOURCE_DATE_EPOCH": "1700000000"})
    assert json.loads(stamped.stdout)["timestamp"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("options, code", [
    ([], 0),
    (["--fail-on", "critical"], 1),
    (["--fail-on", "Low"], 1),
    (["--fail-on", "unknown", "--only-fixed"], 1),
    (["--max-data-age", "36500"], 0),
    (["--fail-on", "terrible"], 2),
    (["--max-data-age", "soon"], 2),
    (["-o", "xml"], 2),
    (["-o", "json", "-o", "table"], 2),
    (["--username", "me"], 2),
    (["--nonsense"], 2),
    (["second-source"], 2),
])
def test_exit_codes(data, rootfs, options, code):
    done = run("scan", f"dir:{rootfs}", *options, data=data)
    assert done.returncode == code, done.stderr
    if code == 2:
        assert done.stdout == "" and done.stderr.startswith("kellet: ")


def test_no_data(rootfs, tmp_path):
    done = run("scan", f"dir:{rootfs}", data=tmp_path)
    assert done.returncode == 4
    assert "nothing was looked up" in done.stdout and "feeds" in done.stderr
    assert run("scan", f"dir:{rootfs}", "--allow-incomplete", data=tmp_path).returncode == 0


def test_uncovered(data, tmp_path):
    (tmp_path / "node_modules/x").mkdir(parents=True)
    (tmp_path / "node_modules/x/package.json").write_text('{"name": "x", "version": "1.0.0"}')
    done = run("scan", f"dir:{tmp_path}", data=data)
    assert done.returncode == 4
    assert "no vulnerability data for npm" in done.stdout


def test_broken_file_is_told(data, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=alpine\nVERSION_ID=3.18.4\n")
    (tmp_path / "lib/apk/db").mkdir(parents=True)
    (tmp_path / "lib/apk/db/installed").write_text("P:zlib\nV:1.2.13-r0\nA:x86_64\n\n")
    (tmp_path / "node_modules/x").mkdir(parents=True)
    (tmp_path / "node_modules/x/package.json").write_text('{"name": "x", "version": ')
    done = run("scan", f"dir:{tmp_path}", data=data)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Incomplete" in done.stdout and "node_modules/x/package.json" in done.stdout


def test_nothing_recognised(data, tmp_path):
    done = run("scan", f"dir:{tmp_path}", data=data)
    assert done.returncode == 3
    assert "No packages were recognised" in done.stdout


@pytest.mark.parametrize("source, text", [
    ("dir:/does/not/exist", "No such file"),
    ("oci-dir:/etc", "oci-dir:/etc"),
    ("docker-archive:/etc/passwd", "/etc/passwd"),
])
def test_cannot_scan(data, source, text):
    done = run("scan", source, data=data)
    assert done.returncode == 5
    assert done.stdout == "" and done.stderr.startswith("kellet: cannot scan") and text in done.stderr


def test_explain(data, rootfs):
    yes = run("explain", f"dir:{rootfs}", "CVE-2099-0001", data=data)
    assert yes.returncode == 1 and "below 1.36.1-r99" in yes.stdout
    fixed = run("explain", f"dir:{rootfs}", "CVE-2099-0002", data=data)
    assert fixed.returncode == 0 and "does not cover 1.36.1-r2" in fixed.stdout
    never = run("scan", f"dir:{rootfs}", "--explain", "CVE-2099-0004", data=data)
    assert never.returncode == 0 and "not affected" in never.stdout
    other = run("explain", f"dir:{rootfs}", "CVE-2099-9999", data=data)
    assert other.returncode == 0 and "no claim names a package" in other.stdout


def test_hostile_names(data, tmp_path):
    hostile = "evil\u001b[31m\u202e\u0007"
    package = json.dumps({"name": hostile, "version": "1.0.0\u001b]0;x\u0007"}).encode()
    image = layout(tmp_path / "image", [
        {"etc/os-release": b"ID=alpine\nVERSION_ID=3.18.4\x1b[2J\n",
         "lib/apk/db/installed": b"P:a\x1b[1mb\nV:1-r0\x07\nA:x86_64\no:busybox\n\n",
         "node_modules/x/package.json": package,
         "node_modules/\x1b[32my/package.json": b"{"}])
    for command in (["scan", "-o", "table"], ["scan", "-o", "json"], ["sbom", "-o", "table"],
                    ["sbom", "-o", "cyclonedx"], ["explain", "CVE-2099-0001"]):
        done = run(command[0], f"oci-dir:{image}", *command[1:], data=data)
        assert done.returncode in (0, 1, 3, 4), done.stderr
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr), command
        if "json" in command or "cyclonedx" in command:
            json.loads(done.stdout)


def test_corrupt_layer(data, tmp_path):
    image = layout(tmp_path / "image", [{"etc/os-release": b"ID=alpine\nVERSION_ID=3.18.4\n"}])
    for blob in (image / "blobs/sha256").iterdir():
        content = blob.read_bytes()
        if content[:2] == b"\x1f\x8b":
            blob.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    done = run("scan", f"oci-dir:{image}", data=data)
    assert done.returncode in (3, 5)
    assert "No known vulnerabilities found in" not in done.stdout or "Incomplete" in done.stdout


@pytest.mark.skipif(not IMAGE.exists(), reason=f"{IMAGE} is not here")
def test_alpine_image(data):
    done = run("scan", f"oci-dir:{IMAGE}", "-o", "json", data=data)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["distro"]["id"] == "alpine" and report["distro"]["version"].startswith("3.18")
    assert report["completeness"]["packages"]["apk"] == len(report["packages"]) == 15
    assert report["image"]["layers"][0]["diff_id"].startswith("sha256:")
    affected = {f["package"]["name"] for f in report["findings"]}
    assert affected == {"busybox", "busybox-binsh", "ssl_client"}
    again = run("scan", f"oci-dir:{IMAGE}", "-o", "json", data=data)
    assert again.stdout == done.stdout, "from the cache, the same bytes"


def test_terminal(data, rootfs):
    """On a terminal: colours and a status line that is gone at the end; on a pipe: neither."""
    master, slave = pty.openpty()
    env = dict(os.environ, KELLET_DATA=str(data), TERM="xterm")
    env.pop("NO_COLOR", None)
    process = subprocess.Popen([KELLET, "scan", f"dir:{rootfs}"], stdout=slave, stderr=slave, env=env)
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 30)[0]:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait(30) == 0
    os.close(master)
    assert b"\x1b[1;31mCritical" in seen
    piped = run("scan", f"dir:{rootfs}", data=data)
    assert "\x1b" not in piped.stdout and piped.stderr == ""


@pytest.mark.parametrize("words, want", [
    (["kellet", "sc"], "scan"),
    (["kellet", "scan", "--fail-on", "cr"], "critical"),
    (["kellet", "sbom", "--plat"], "--platform"),
    (["kellet", "feeds", "lo"], "load"),
    (["kellet", "feeds", "load", "--a"], "--as"),
])
def test_completion(data, words, want):
    script = run("completion", "bash", data=data).stdout
    script += f"\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _kellet"
    script += "\necho ${COMPREPLY[@]}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout == want + "\n" and done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_parse(data, shell):
    script = run("completion", shell, data=data).stdout
    assert "fail-on" in script and "load" in script
    try:
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"{shell} is not installed")
    assert done.returncode == 0 and done.stderr == ""


def test_unknown_shell(data):
    assert run("completion", "tcsh", data=data).returncode == 2


def test_man(data):
    page = run("man", data=data).stdout
    assert page.startswith(".TH KELLET 1") and "\\-\\-fail\\-on" in page
    assert ".SS kellet scan SOURCE" in page and ".SS kellet feeds load" in page
    assert "kellet man" not in run("help", data=data).stdout


def test_every_option_is_in_help(data):
    for command in ("scan", "sbom", "explain"):
        done = run(command, "--help", data=data)
        assert done.returncode == 0 and "Options:" in done.stdout and "Exit codes:" in done.stdout


def test_other_platform_is_refused(data):
    if not IMAGE.exists():
        pytest.skip(f"{IMAGE} is not here")
    r = run("scan", f"oci-dir:{IMAGE}", "--platform", "windows/amd64", data=data)
    assert r.returncode == 5
    assert "linux/amd64 only" in r.stderr
    assert run("scan", f"oci-dir:{IMAGE}", "--platform", "linux/amd64", data=data).returncode in (0, 1)


def test_report_to_a_device(data, rootfs):
    """A report for a device or a pipe is written into it; nothing is put in its place."""
    before = os.stat("/dev/null")
    r = run("scan", f"dir:{rootfs}", "-o", "json=/dev/null", data=data)
    assert r.returncode in (0, 3), r.stderr
    assert os.stat("/dev/null").st_ino == before.st_ino

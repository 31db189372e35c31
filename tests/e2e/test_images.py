"""What is in an image: layers, whiteouts, links, archives of every kind."""
import gzip
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import threading
import time

import pytest

from images import *

if not pathlib.Path(KELLET).exists():
    pytest.skip(f"{KELLET} is not built", allow_module_level=True)

BOTH = ["sed=2", "tar=1"]
UPPER = layer(file("usr/lib/python3/dist-packages/six-1.16.dist-info/METADATA",
                   "Metadata-Version: 2.1\nName: six\nVersion: 1.16\n"))


def scan_layers(tmp_path, *layers, code=0):
    return sbom(Layout(*layers).write(tmp_path / "image"), code=code)


# ---- shapes and compressions


@pytest.mark.parametrize("compress, kind", [(plain, "tar"), (gz, "tar+gzip"), (zstd, "tar+zstd"),
                                            (gz, "tar"), (plain, "tar+gzip")])
@pytest.mark.parametrize("shape", ["write", "archive"])
def test_compressions(tmp_path, compress, kind, shape):
    source = getattr(Layout(BASE, UPPER, compress=compress, kind=kind), shape)(tmp_path / "image")
    report = sbom(source)
    assert packages(report) == ["sed=2", "six=1.16", "tar=1"]
    assert report["distro"]["id"] == "debian"
    assert [l["diff_id"] for l in report["image"]["layers"]] == [sha(BASE), sha(UPPER)]


def test_multi_member_gzip(tmp_path):
    image = Layout(BASE, compress=lambda raw: gz(raw[:700]) + gz(raw[700:]) + gz(b""))
    assert packages(sbom(image.write(tmp_path / "image"))) == BOTH


def test_same_findings_from_every_shape(tmp_path):
    seen = set()
    for source in (docker_archive(tmp_path / "d.tar", ("app:1", [BASE, UPPER])),
                   Layout(BASE, UPPER).write(tmp_path / "o"), Layout(BASE, UPPER).archive(tmp_path / "o.tar")):
        report = sbom(source)
        seen.add(json.dumps([report[k] for k in ("packages", "distro", "completeness")]))
    assert len(seen) == 1


def test_same_bytes_whatever_the_threads_and_the_cache(tmp_path):
    layers = [BASE] + [layer(file(f"app{i}/node_modules/m/package.json",
                                  json.dumps({"name": "m", "version": f"{i}.0.0"})),
                             whiteout(f"app{i - 1}")) for i in range(12)]
    source = Layout(*layers).write(tmp_path / "image")
    reports = {kellet("sbom", source, "-o", "json", "--threads", n).stdout for n in (1, 2, 8)}
    for _ in range(2):
        reports.add(kellet("sbom", source, "-o", "json", data=tmp_path / "data").stdout)
    assert len(reports) == 1
    assert packages(json.loads(reports.pop())) == ["m=11.0.0", "sed=2", "tar=1"]
    assert len(list((tmp_path / "data/cache/layers").rglob("*.klr"))) == len(layers)


def test_cache_spares_reading(tmp_path):
    """A layer whose facts are known is not opened again; a damaged record is."""
    image = Layout(BASE, UPPER)
    source = image.write(tmp_path / "image")
    data = tmp_path / "data"
    first = kellet("sbom", source, "-o", "json", data=data)
    for raw in (BASE, UPPER):
        (tmp_path / "image/blobs/sha256" / sha(gz(raw))[7:]).write_bytes(b"gone")
    assert kellet("sbom", source, "-o", "json", data=data).stdout == first.stdout
    image.write(tmp_path / "image")
    for record in (data / "cache/layers").rglob("*.klr"):
        whole = record.read_bytes()
        for at in [*range(0, len(whole), max(1, len(whole) // 20)), len(whole) - 1]:
            record.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1:])
            again = kellet("sbom", source, "-o", "json", data=data)
            assert again.stdout == first.stdout and again.returncode == 0, (record, at)
            assert record.read_bytes() == whole, f"a damaged record stays: byte {at}"
        for size in (0, 1, 63, 64, len(whole) - 1):
            record.write_bytes(whole[:size])
            assert kellet("sbom", source, "-o", "json", data=data).stdout == first.stdout


# ---- what upper layers do to lower ones


@pytest.mark.parametrize("upper, want", [
    ([whiteout(STATUS)], []),
    ([whiteout("var/lib/dpkg")], []),
    ([whiteout("var")], []),
    ([opaque("var/lib")], []),
    ([opaque("var/lib"), file(STATUS, dpkg("new=9"))], ["new=9"]),
    ([file(STATUS, dpkg("new=9")), opaque("var/lib")], ["new=9"]),
    ([file(STATUS, dpkg("tar=2"))], ["tar=2"]),
    ([file("var/lib/dpkg", "a file now")], []),
    ([directory(STATUS)], []),
    ([symlink(STATUS, "nowhere")], []),
    ([entry(STATUS, tarfile.FIFOTYPE)], []),
    ([entry("var/lib", tarfile.CHRTYPE)], []),
    ([directory("var/lib/dpkg"), directory("var")], BOTH),
    ([whiteout("var/lib/dpkg/status-old"), whiteout("var/lib/dpk")], BOTH),
    ([file("var/lib/dpkg/.wh..wh.plnk/1.2"), file("var/lib/.wh..wh.aufs"), file("var/lib/.wh.")], BOTH),
    ([file("./" + STATUS, dpkg("dot=1"))], ["dot=1"]),
    ([file("/" + STATUS, dpkg("slash=1"))], ["slash=1"]),
])
def test_upper_layer(tmp_path, upper, want):
    report = scan_layers(tmp_path, BASE, layer(*upper), code=0 if want else 3)
    assert packages(report) == want
    assert report["distro"]["id"] == "debian"


def test_what_was_removed_comes_back(tmp_path):
    report = scan_layers(tmp_path, BASE, layer(whiteout("var")), layer(file(STATUS, dpkg("back=1"))))
    assert packages(report) == ["back=1"]


def test_directory_over_link(tmp_path):
    """A directory replaces the link that a lower layer has at its place."""
    lower = layer(file("etc/os-release", DEBIAN), directory("data/dpkg"), symlink("var/lib", "../data"),
                  file("data/dpkg/status", dpkg("old=1")))
    assert packages(scan_layers(tmp_path / "1", lower)) == ["old=1"]
    report = scan_layers(tmp_path / "2", lower, layer(directory("var/lib"), file(STATUS, dpkg("new=1"))))
    assert packages(report) == ["new=1"]


def test_twice_in_one_archive(tmp_path):
    """tar -r appends: what comes last counts."""
    report = scan_layers(tmp_path, layer(file("etc/os-release", DEBIAN), file(STATUS, dpkg("old=1")),
                                         file(STATUS, dpkg("new=2"))))
    assert packages(report) == ["new=2"]


# ---- links


RPM = rpmdb("bash=5.2", "zlib=1.3")
FEDORA = file("usr/lib/os-release", 'ID=fedora\nVERSION_ID=41\n')
REAL = file("usr/lib/sysimage/rpm/rpmdb.sqlite", RPM)


@pytest.mark.parametrize("layers", [
    [[FEDORA, REAL]],
    [[FEDORA, REAL, symlink("var/lib/rpm", "../../usr/lib/sysimage/rpm")]],
    [[FEDORA, symlink("var/lib/rpm", "/opt/db"), file("opt/db/rpmdb.sqlite", RPM)]],
    [[FEDORA, file("opt/db/rpmdb.sqlite", RPM), symlink("var/lib", "../state"), symlink("state/rpm", "../opt/db")]],
    [[FEDORA, file("opt/db", RPM), symlink("var/lib/rpm/rpmdb.sqlite", "../../../opt/db")]],
    [[FEDORA, file("opt/db/rpmdb.sqlite", RPM)], [symlink("var/lib/rpm", "../../opt/db")]],
    [[FEDORA, symlink("var/lib/rpm", "../../opt/db")], [file("opt/db/rpmdb.sqlite", RPM)]],
    [[FEDORA, symlink("var/lib/rpm", "../../../../../../opt/db"), file("opt/db/rpmdb.sqlite", RPM)]],
    [[symlink("etc/os-release", "a"), symlink("etc/a", "/etc/b/../c"), directory("etc/b"),
      symlink("etc/c", "../opt/release"), file("opt/release", 'ID=fedora\nVERSION_ID=41\n'), REAL]],
    [[FEDORA, symlink("var", "state"), file("state/lib/rpm/rpmdb.sqlite", RPM)]],
    [[FEDORA, file("opt/copy", RPM), hardlink("var/lib/rpm/rpmdb.sqlite", "opt/copy")]],
])
def test_linked_databases(tmp_path, layers):
    image = [layer(*entries) for entries in layers]
    for source in (Layout(*image).write(tmp_path / "image"), docker_archive(tmp_path / "i.tar", ("a:1", image))):
        report = sbom(source)
        assert packages(report) == ["bash=5.2-1", "zlib=1.3-1"]
        assert report["distro"]["id"] == "fedora"
        assert [len(p["evidence"]) for p in report["packages"]] == [1, 1]


def test_link_replaced_by_upper_layer(tmp_path):
    lower = layer(FEDORA, symlink("var/lib/rpm", "../../opt/db"), file("opt/db/rpmdb.sqlite", RPM))
    assert packages(scan_layers(tmp_path / "1", lower, layer(whiteout("var/lib/rpm")), code=3)) == []
    assert packages(scan_layers(tmp_path / "2", lower, layer(whiteout("opt/db")), code=3)) == []


def test_link_loops(tmp_path):
    report = scan_layers(tmp_path, layer(
        file("etc/os-release", DEBIAN), symlink("var/lib/dpkg", "../lib/rpm"), symlink("var/lib/rpm", "dpkg"),
        symlink("lib", "lib"), symlink("usr/lib", "../lib/x/../../lib")), code=3)
    assert packages(report) == []
    assert any("circles" in p["detail"] for p in problems(report))


def test_hard_linked_status(tmp_path):
    lower = layer(file("etc/os-release", DEBIAN), file("a/first", dpkg("tar=1")), hardlink(STATUS, "a/first"))
    assert packages(scan_layers(tmp_path / "1", lower)) == ["tar=1"]
    # the other name goes: the file stays
    assert packages(scan_layers(tmp_path / "2", lower, layer(whiteout("a")))) == ["tar=1"]
    assert packages(scan_layers(tmp_path / "3", lower, layer(whiteout(STATUS)), code=3)) == []


def test_hard_linked_package_files(tmp_path):
    """Two names of one file: the package is there as long as one of them is."""
    name = "usr/lib/python3/dist-packages/six-1.16.dist-info/METADATA"
    text = "Metadata-Version: 2.1\nName: six\nVersion: 1.16\n"
    lower = layer(file("pkgs/" + name, text), hardlink(name, "pkgs/" + name))
    for upper, want in (([], "pkgs/" + name), ([whiteout("pkgs")], name), ([whiteout("usr")], "pkgs/" + name),
                        ([whiteout("usr"), whiteout("pkgs")], None)):
        report = scan_layers(tmp_path / str(len(list(tmp_path.iterdir()))), BASE, lower, layer(*upper))
        found = [p["evidence"][0]["path"] for p in report["packages"] if p["name"] == "six"]
        assert found == ([want] if want else [])


def test_linked_database_in_a_stream(tmp_path):
    """A pipe cannot be read twice: the report says what is missing."""
    image = [layer(FEDORA, symlink("var/lib/rpm", "../../opt/db"), file("opt/db/rpmdb.sqlite", RPM))]
    docker_archive(tmp_path / "i.tar", ("a:1", image))
    report = sbom("-", stdin=(tmp_path / "i.tar").read_bytes(), code=3)
    assert any("stream" in p["detail"] for p in problems(report))


# ---- tar formats


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_formats(tmp_path, form):
    deep = "usr/" + "d" * 90 + "/" + ("e" * 30 + "/") * (0 if form == tarfile.USTAR_FORMAT else 10)
    report = scan_layers(tmp_path, layer(
        file(deep + "node_modules/m/package.json", '{"name": "m", "version": "1.0.0"}'), form=form))
    assert packages(report) == ["m=1.0.0"]


@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "oldgnu", "v7"])
@pytest.mark.parametrize("sparse", [[], ["--sparse", "--sparse-version=0.0"], ["--sparse", "--sparse-version=0.1"],
                                    ["--sparse", "--sparse-version=1.0"]])
def test_gnu_tar(tmp_path, form, sparse):
    if sparse and form in ("ustar", "v7"):
        pytest.skip("these formats know no sparse files")
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    with open(root / STATUS, "wb") as status:
        status.write(dpkg("tar=1").encode())
        status.seek(1 << 20)
        status.write(b"\n\n" + dpkg("sed=2").encode())
        status.truncate(2 << 20)
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text(DEBIAN)
    raw = subprocess.run(["tar", "-C", root, f"--format={form}", *sparse, "-c", "."], capture_output=True,
                         check=True).stdout
    assert (len(raw) < 100000) == bool(sparse)
    report = json.loads(kellet("sbom", Layout(raw).write(tmp_path / "image"), "-o", "json").stdout)
    assert "tar=1" in packages(report) and report["distro"]["id"] == "debian"


# ---- archives


def test_several_images(tmp_path):
    source = docker_archive(tmp_path / "i.tar", ("app:1", [BASE]), ("docker.io/library/other:latest", [UPPER]))
    scan_fails(source, "several images", "app:1", "other:latest", code=2)
    assert packages(sbom(source + ":app:1")) == BOTH
    assert packages(sbom(source + ":other")) == ["six=1.16"]
    scan_fails(source + ":third:1", "no such image", "app:1")


def test_named_in_layout(tmp_path):
    note = "org.opencontainers.image.ref.name"
    image = Layout()
    image.image([BASE], fields={"annotations": {note: "one"}})
    image.image([UPPER], fields={"annotations": {note: "two"}})
    for source in (image.write(tmp_path / "dir"), image.archive(tmp_path / "a.tar")):
        scan_fails(source, "several images", "one", "two", code=2)
        assert packages(sbom(source + ":two")) == ["six=1.16"]
        scan_fails(source + ":three", "three", "one")


def test_named_for_several_platforms(tmp_path):
    image = Layout()
    for layers, architecture in (([BASE], "arm64"), ([UPPER], "s390x")):
        image.image(layers, architecture=architecture,
                    fields={"platform": {"os": "linux", "architecture": architecture},
                            "annotations": {"org.opencontainers.image.ref.name": "app:1"}})
    source = image.write(tmp_path / "image") + ":app:1"
    assert packages(sbom(source, "--platform", "linux/arm64")) == BOTH
    assert packages(sbom(source, "--platform", "linux/s390x")) == ["six=1.16"]
    done = kellet("sbom", source, "--platform", "linux/riscv64")
    assert done.returncode == 5 and b"linux/arm64, linux/s390x" in done.stderr


def test_platforms(tmp_path):
    image = Layout()
    image.image([BASE], fields={"platform": {"os": "linux", "architecture": "amd64"}})
    image.image([UPPER], architecture="arm", variant="v7",
                fields={"platform": {"os": "linux", "architecture": "arm", "variant": "v7"}})
    image.manifests.append({**image.manifests[0], "platform": {"os": "unknown", "architecture": "unknown"}})
    source = image.write(tmp_path / "image")
    assert packages(sbom(source, "--platform", "linux/amd64")) == BOTH
    assert packages(sbom(source, "--platform", "linux/arm/v7")) == ["six=1.16"]
    assert packages(sbom(source, "--platform", "linux/arm")) == ["six=1.16"]
    done = kellet("sbom", source, "--platform", "linux/s390x")
    assert done.returncode == 5 and b"linux/amd64, linux/arm/v7" in done.stderr


def test_legacy_docker_save(tmp_path):
    """Older engines store a layer once and link to it."""
    document = config([BASE, BASE, UPPER])
    (tmp_path / "i.tar").write_bytes(layer(
        file("aaa/VERSION", "1.0"), file("aaa/json", "{}"), file("aaa/layer.tar", BASE),
        symlink("bbb/layer.tar", "../aaa/layer.tar"), file("ccc/layer.tar", UPPER), file("c.json", document),
        file("repositories", "{}"),
        file("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["a:1"],
                                           "Layers": ["aaa/layer.tar", "bbb/layer.tar", "ccc/layer.tar"]}]))))
    assert packages(sbom(f"docker-archive:{tmp_path}/i.tar")) == ["sed=2", "six=1.16", "tar=1"]
    assert packages(sbom("-", stdin=(tmp_path / "i.tar").read_bytes())) == ["sed=2", "six=1.16", "tar=1"]


@pytest.mark.parametrize("compress", [plain, gz, zstd])
@pytest.mark.parametrize("oci", [False, True])
def test_standard_input(tmp_path, compress, oci):
    if oci:
        Layout(BASE, UPPER).archive(tmp_path / "i.tar")
    else:
        docker_archive(tmp_path / "i.tar", ("a:1", [BASE, UPPER]))
    packed = compress((tmp_path / "i.tar").read_bytes())
    (tmp_path / "packed").write_bytes(packed)
    for report in (sbom("-", stdin=packed), sbom(f"{tmp_path}/packed"),
                   sbom("-", stdin=packed, data=tmp_path / "data"), sbom("-", stdin=packed, data=tmp_path / "data")):
        assert packages(report) == ["sed=2", "six=1.16", "tar=1"]


@pytest.mark.parametrize("step", [1, 7, 300])
@pytest.mark.parametrize("compress", [plain, gz, zstd])
@pytest.mark.parametrize("oci", [gz, zstd, None])
def test_dribbling_pipe(tmp_path, step, compress, oci):
    """Reads give whatever is there; that must not decide what a member is taken for."""
    small = layer(file(STATUS, dpkg("tar=1")))
    if oci:
        Layout(small, compress=oci).archive(tmp_path / "i.tar")
    else:
        docker_archive(tmp_path / "i.tar", ("a:1", [small]))
    packed = compress((tmp_path / "i.tar").read_bytes())
    child = subprocess.Popen([KELLET, "sbom", "-", "-o", "json", "--no-cache"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for at in range(0, len(packed), step):
        # slow only at the start of headers and members: there a view may be cut
        os.write(child.stdin.fileno(), packed[at:at + step])
        if at % 512 < step * 3 and at < 20000 and step > 1:
            time.sleep(0.0002)
    child.stdin.close()
    assert packages(json.loads(child.stdout.read())) == ["tar=1"], child.stderr.read()
    assert child.wait() == 0


def test_duplicate_empty_and_foreign_layers(tmp_path):
    empty = layer()
    report = scan_layers(tmp_path / "1", BASE, empty, BASE, empty, b"\0" * 1024)
    assert packages(report) == BOTH and len(report["image"]["layers"]) == 5
    assert {e["layer"] for p in report["packages"] for e in p["evidence"]} == {sha(BASE)}
    report = scan_layers(tmp_path / "2", BASE, layer(whiteout("var")), BASE)
    assert packages(report) == BOTH
    image = Layout()
    stored = image.blob(gz(BASE), MEDIA + "layer.v1.tar+gzip")
    away = {"mediaType": MEDIA + "layer.nondistributable.v1.tar+gzip", "digest": sha(gz(UPPER)), "size": 9,
            "urls": ["http://127.0.0.1:1/x"]}
    image.manifest({"schemaVersion": 2, "layers": [stored, away],
                    "config": image.blob(config([BASE, UPPER]), MEDIA + "config.v1+json")})
    report = sbom(image.write(tmp_path / "3"), code=3)
    assert packages(report) == BOTH and "foreign" in problems(report)[0]["detail"]


def test_no_layers(tmp_path):
    image = Layout()
    image.image([])
    report = sbom(image.write(tmp_path / "image"), code=3)
    assert packages(report) == [] and report["completeness"]["no_packages"] is True


def test_thousands_of_layers(tmp_path):
    layers = [BASE] + [layer(file(f"f{i}")) for i in range(3000)]
    source = docker_archive(tmp_path / "i.tar", ("a:1", layers))
    assert packages(sbom(source)) == BOTH
    lower = layer(FEDORA, symlink("var/lib/rpm", "../../opt/db"), file("opt/db/rpmdb.sqlite", RPM))
    source = docker_archive(tmp_path / "i.tar", ("a:1", [lower] + layers[1:]))
    assert packages(sbom(source)) == ["bash=5.2-1", "zlib=1.3-1"]  # read a second time for the link
    source = docker_archive(tmp_path / "i.tar", ("a:1", layers + [layer(file(f"g{i}")) for i in range(2000)]))
    scan_fails(source, "5001", "4096")


# ---- directories


def rootfs(path, status=dpkg("tar=1")):
    (path / "var/lib/dpkg").mkdir(parents=True)
    (path / "etc").mkdir()
    (path / "etc/os-release").write_text(DEBIAN)
    (path / STATUS).write_text(status)
    return path


def test_directory_stays_inside(tmp_path):
    outside = rootfs(tmp_path / "outside", dpkg("outside=1"))
    root = rootfs(tmp_path / "root")
    (root / STATUS).unlink()
    (root / STATUS).symlink_to(outside / STATUS)
    (root / "usr").symlink_to(outside)
    (root / "opt").mkdir()
    (root / "opt/up").symlink_to("../../outside")
    assert packages(sbom(f"dir:{root}", code=3)) == []


def test_directory_links(tmp_path):
    root = rootfs(tmp_path / "root")
    (root / "etc/os-release").write_text("ID=fedora\nVERSION_ID=41\n")
    (root / "opt/db").mkdir(parents=True)
    (root / "opt/db/rpmdb.sqlite").write_bytes(RPM)
    (root / "usr/lib/sysimage").mkdir(parents=True)
    shutil.rmtree(root / "var")
    (root / "var/lib").mkdir(parents=True)
    (root / "var/lib/rpm").symlink_to("/opt/db")
    report = sbom(f"dir:{root}")
    assert packages(report) == ["bash=5.2-1", "zlib=1.3-1"]
    (root / "usr/lib/sysimage/rpm").mkdir()
    shutil.move(root / "opt/db/rpmdb.sqlite", root / "usr/lib/sysimage/rpm/rpmdb.sqlite")
    (root / "var/lib/rpm").unlink()
    (root / "var/lib/rpm").symlink_to("../../usr/lib/sysimage/rpm")
    report = sbom(f"dir:{root}")
    assert packages(report) == ["bash=5.2-1", "zlib=1.3-1"]
    assert [len(p["evidence"]) for p in report["packages"]] == [1, 1]


def test_directory_odd_files(tmp_path):
    root = rootfs(tmp_path / "root")
    os.mkfifo(root / "package.json")
    os.mkfifo(root / "etc/alpine-release")
    (root / "loop.jar").symlink_to("loop.jar")
    (root / "node_modules/m/package.json").mkdir(parents=True)
    assert packages(sbom(f"dir:{root}")) == ["tar=1"]


def test_directory_nesting(tmp_path):
    root = rootfs(tmp_path / "root")
    here = os.getcwd()
    try:
        os.chdir(root)
        for _ in range(400):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.chdir(here)
    report = sbom(f"dir:{root}", code=3)
    assert packages(report) == ["tar=1"]
    assert [p["what"] for p in problems(report)] == ["limit"]
    subprocess.run(["rm", "-rf", root], check=True)


def as_nobody():
    os.setgid(65534)
    os.setuid(65534)


def reachable(path):
    while path != path.parent:
        path.chmod(path.stat().st_mode | 0o055)
        path = path.parent


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("what, mode", [(STATUS, 0), ("var/lib/dpkg", 0), ("var/lib/dpkg", 0o744), ("var", 0)])
def test_directory_without_permission(tmp_path, what, mode):
    root = rootfs(tmp_path / "root")
    reachable(tmp_path)
    (root / what).chmod(mode)
    report = sbom(f"dir:{root}", code=3, preexec_fn=as_nobody)
    assert [p["what"] for p in problems(report)] == ["unreadable"]
    assert problems(report)[0]["path"] in STATUS
    (root / what).chmod(0o755)


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
def test_source_without_permission(tmp_path):
    Layout(BASE).archive(tmp_path / "i.tar")
    Layout(BASE).write(tmp_path / "dir")
    (tmp_path / "root").mkdir(mode=0o700)
    reachable(tmp_path)
    (tmp_path / "i.tar").chmod(0)
    blob = tmp_path / "dir/blobs/sha256" / sha(gz(BASE))[7:]
    blob.chmod(0)
    for source in (f"oci-archive:{tmp_path}/i.tar", f"dir:{tmp_path}/root"):
        scan_fails(source, "Permission denied", source.split(":")[1], preexec_fn=as_nobody)
    scan_fails(f"oci-dir:{tmp_path}/dir", "Permission denied", blob.name, preexec_fn=as_nobody)


def test_host():
    report = json.loads(kellet("sbom", "host:/", "-o", "json", timeout=300).stdout)
    assert report["image"]["kind"] == "host"
    paths = {e["path"].split("/")[0] for p in report["packages"] for e in p["evidence"]}
    assert report["packages"] and not paths & {"proc", "sys", "tmp", "dev", "run"}

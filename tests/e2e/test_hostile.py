"""Bad images: each must end in bounded time and memory, say what is wrong, and never look clean."""
import contextlib
import io
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import tarfile
import time
import zipfile
import zlib

import pytest

from images import *

if not pathlib.Path(KELLET).exists():
    pytest.skip(f"{KELLET} is not built", allow_module_level=True)

ROOT_USER = os.getuid() == 0
NOISE = random.Random(1).randbytes(3 << 20)


def blob_path(root, raw):
    return root / "blobs/sha256" / sha(raw)[7:]


# ---- cut short, damaged


@pytest.mark.parametrize("shape", ["docker", "oci"])
@pytest.mark.parametrize("pipe", [False, True])
def test_truncated_archive(tmp_path, shape, pipe):
    whole = tmp_path / "whole.tar"
    source = docker_archive(whole, ("a:1", [BASE])) if shape == "docker" else Layout(BASE).archive(whole)
    content = whole.read_bytes()
    end = len(content.rstrip(b"\0"))
    cuts = {0, 1, 511, 512, 513, 1024, *range(700, end, end // 25)}
    for cut in sorted(cuts):
        (tmp_path / "cut.tar").write_bytes(content[:cut])
        where = "-" if pipe else source.replace("whole.tar", "cut.tar")
        done = kellet("sbom", where, "-o", "json", stdin=content[:cut] if pipe else None)
        text = done.stderr.decode()
        assert done.returncode == 5 and done.stdout == b"", (cut, text, done.stdout[:500])
        assert "archive" in text or "layer" in text, (cut, text)


@pytest.mark.parametrize("compress", [plain, gz, zstd])
def test_truncated_layer_blob(tmp_path, compress):
    source = Layout(BASE, compress=compress).write(tmp_path)
    blob = blob_path(tmp_path, compress(BASE))
    content = blob.read_bytes()
    for cut in (0, 1, 5, 17, len(content) // 2, len(content) - 9, len(content) - 1):
        blob.write_bytes(content[:cut])
        scan_fails(source, "layer", blob.name, "pull or copy the image again")


@pytest.mark.parametrize("compress", [plain, gz, zstd])
def test_damaged_layer_blob(tmp_path, compress):
    source = Layout(BASE, compress=compress).write(tmp_path)
    blob = blob_path(tmp_path, compress(BASE))
    content = blob.read_bytes()
    for at in range(0, len(content), max(1, len(content) // 40)):
        blob.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1:])
        scan_fails(source, "layer", blob.name, "pull or copy the image again")
    blob.write_bytes(content + b"more")
    scan_fails(source, "layer", blob.name)


@pytest.mark.parametrize("compress", [plain, gz, zstd])
@pytest.mark.parametrize("cut", [1500, 1600, len(BASE.rstrip(b"\0")) - 1])
def test_broken_layer_as_promised(tmp_path, compress, cut):
    """The digests are right, the archive inside is not: what was found is kept, the rest is told."""
    report = sbom(Layout(BASE[:cut], compress=compress).write(tmp_path), code=3)
    assert report["distro"]["id"] == "debian"
    found, = problems(report)
    assert found["what"] == "parse" and found["layer"] == sha(BASE[:cut]) and "broken after" in found["detail"]


@pytest.mark.parametrize("content", [gz(BASE)[:-9], gz(BASE)[:60], b"\x1f\x8b" + NOISE[:1000], zstd(BASE)[:-5]])
def test_broken_compression_as_promised(tmp_path, content):
    image = Layout()
    image.manifest({"schemaVersion": 2,
                    "config": image.blob(config([BASE]), MEDIA + "config.v1+json"),
                    "layers": [image.blob(content, MEDIA + "layer.v1.tar+gzip")]})
    report = sbom(image.write(tmp_path), code=3)
    assert [p["what"] for p in problems(report)] == ["parse"]


def test_wrong_diff_id(tmp_path):
    scan_fails(Layout(BASE, rootfs={"type": "layers", "diff_ids": [sha(b"x")]}).write(tmp_path / "dir"),
               "layer", "diff_id", sha(b"x"), sha(BASE))
    docker_archive(tmp_path / "a.tar", ("a:1", [BASE]))
    content = (tmp_path / "a.tar").read_bytes().replace(b"Version: 1\n", b"Version: 7\n")
    (tmp_path / "a.tar").write_bytes(content)
    for where, stdin in ((f"{tmp_path}/a.tar", None), ("-", content)):
        scan_fails(where, "layer 1", "diff_id", sha(BASE), stdin=stdin)


def test_one_blob_with_two_diff_ids(tmp_path):
    image = Layout()
    stored = image.blob(gz(BASE), MEDIA + "layer.v1.tar+gzip")
    image.manifest({"schemaVersion": 2, "layers": [stored, stored],
                    "config": image.blob(config([BASE, b"x"]), MEDIA + "config.v1+json")})
    scan_fails(image.write(tmp_path), "layers 1 and 2", "same blob")


# ---- lies in headers


def header(name, size=b"00000000000\0", kind=b"0", prefix=b""):
    raw = bytearray(512)
    raw[0:len(name)] = name
    raw[100:108], raw[108:116], raw[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    raw[124:136], raw[136:148], raw[148:156], raw[156:157] = size, b"00000000000\0", b" " * 8, kind
    raw[257:265], raw[345:345 + len(prefix)] = b"ustar\x0000", prefix
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


@pytest.mark.parametrize("size", [b"77777777777\0", b"\x80\0\0\0" + b"\xff" * 8, b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7,
                                  b"\xff" * 12, b"-0000000001\0", b"zzzzzzzzzzz\0"])
@pytest.mark.parametrize("path", [STATUS.encode(), b"other"])
def test_lying_sizes(tmp_path, size, path):
    good = layer(file("etc/os-release", DEBIAN))[:1024]
    report = sbom(Layout(good + header(path, size) + b"Package: x\n" * 100).write(tmp_path), code=3)
    assert report["distro"]["id"] == "debian" and "parse" in {p["what"] for p in problems(report)}


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../b", "..", "/../../x/package.json", "a/.."])
def test_paths_that_leave(tmp_path, path):
    report = sbom(Layout(BASE, layer(file(path, "{}"))).write(tmp_path), code=3)
    assert [p["what"] for p in problems(report)] == ["unsafe-path"]
    assert packages(report) == ["sed=2", "tar=1"]


def test_long_paths(tmp_path):
    report = sbom(Layout(BASE, layer(file("a/" * 30000 + "package.json", "{}"), file("x"))).write(tmp_path / "1"))
    assert packages(report) == ["sed=2", "tar=1"]
    report = sbom(Layout(BASE, layer(file("a/" * 40000, "{}"))).write(tmp_path / "2"), code=3)
    assert [p["what"] for p in problems(report)] == ["limit"]


def test_many_links(tmp_path):
    links = [hardlink(f"x/{i}.jar", f"y/{i}") for i in range(20001)]
    report = sbom(Layout(BASE, layer(*links)).write(tmp_path), code=3)
    assert [p["what"] for p in problems(report)] == ["limit"]


def test_archive_of_many_members(tmp_path):
    """Not an image, or one that wants memory: 50,000 members, long names, and many small texts."""
    for name, entries in (("many", [file(f"{i}") for i in range(50001)]),
                          ("long", [file(f"{i}/" + "x/" * 10000 + "x") for i in range(3000)]),
                          ("texts", [file(f"{i}", b"{" + b" " * (4 << 20)) for i in range(12)])):
        raw = layer(*entries)
        (tmp_path / name).write_bytes(raw)
        for where, stdin in ((f"docker-archive:{tmp_path / name}", None), ("-", raw)):
            assert "archive" in scan_fails(where, stdin=stdin, rss=64)


# ---- jars in jars


def jar(name, content):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, content)
    return raw.getvalue()


def test_nested_jars(tmp_path):
    content = jar("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    for i in range(30):
        content = jar(f"{i}.jar", content)
    report = sbom(Layout(BASE, layer(file("app.jar", content))).write(tmp_path), code=3)
    assert [(p["what"], p["path"].split(":")[0]) for p in problems(report)] == [("limit", "app.jar")]
    report = sbom(Layout(BASE, layer(file("app.jar", content)), layer(whiteout("app.jar"))).write(tmp_path))
    assert report["completeness"]["complete"] is True


# ---- documents of wrong shapes


WRONG = [b"", b"null", b"[]", b"{}", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 100000, b'{"layers": 7}',
         b'{"schemaVersion": 2, "layers": [{}], "config": {}}',
         b'{"schemaVersion": 2, "layers": [], "config": {"digest": "sha256:xyz"}}',
         b'{"schemaVersion": 2, "layers": [], "config": {"digest": 5}}',
         b'{"schemaVersion": 2, "manifests": [{"digest": "sha512:00"}]}',
         b'{"schemaVersion": 2, "manifests": []}', b'{"schemaVersion": 2, "manifests": {"a": 1}}',
         b'{"schemaVersion": 1, "fsLayers": []}']


@pytest.mark.parametrize("text", WRONG)
def test_wrong_index(tmp_path, text):
    source = Layout(BASE).write(tmp_path / "dir")
    (tmp_path / "dir/index.json").write_bytes(text)
    assert "image" in scan_fails(source)
    archive = tmp_path / "a.tar"
    archive.write_bytes(layer(file("index.json", text)))
    scan_fails(f"oci-archive:{archive}")


@pytest.mark.parametrize("text", WRONG)
def test_wrong_manifest(tmp_path, text):
    image = Layout()
    image.manifests.append(image.blob(text, MEDIA + "manifest.v1+json"))
    assert "manifest" in scan_fails(image.write(tmp_path / "dir"))
    archive = tmp_path / "a.tar"
    archive.write_bytes(layer(file("manifest.json", text)))
    scan_fails(f"docker-archive:{archive}", "manifest.json")


@pytest.mark.parametrize("text", [*WRONG[:9], b'{"rootfs": []}', b'{"rootfs": {"diff_ids": "x"}}',
                                  b'{"rootfs": {"diff_ids": [1]}}', b'{"rootfs": {"diff_ids": []}}',
                                  b'{"rootfs": {"diff_ids": ["sha256:zz"]}}'])
def test_wrong_config(tmp_path, text):
    image = Layout()
    image.image([BASE], document=text or b" ")
    assert "configuration" in scan_fails(image.write(tmp_path))


def test_nested_indexes(tmp_path):
    image = Layout(BASE)
    for depth in range(1, 8):
        inner = image.manifests.pop()
        image.manifest({"schemaVersion": 2, "manifests": [inner]})
        source = image.write(tmp_path / str(depth))
        if depth <= 3:
            assert packages(sbom(source)) == ["sed=2", "tar=1"]
        elif depth >= 5:
            scan_fails(source, "nested")


def test_artifact_and_huge_documents(tmp_path):
    image = Layout()
    image.manifest({"schemaVersion": 2, "layers": [],
                    "config": image.blob(b"{}", "application/vnd.cncf.helm.config.v1+json")})
    scan_fails(image.write(tmp_path / "artifact"), "artifact", "helm")
    source = Layout(BASE).write(tmp_path / "big")
    with open(tmp_path / "big/index.json", "ab") as f:
        f.write(b" " * (100 << 20))
    scan_fails(source, "index.json", "limit", rss=48)
    image = Layout()
    image.image([BASE], document=b'{"a": [' + b"0," * (4 << 20 >> 1) + b"0]}")
    scan_fails(image.write(tmp_path / "config"), "configuration", rss=128)


def test_missing_parts(tmp_path):
    for name, absent in (("layer", sha(gz(BASE))), ("configuration", sha(config([BASE]))), ("manifest", None)):
        image = Layout(BASE)
        absent = absent or image.manifests[0]["digest"]
        del image.blobs[absent]
        text = scan_fails(image.write(tmp_path / name), absent[7:], "incomplete")
        assert "is the name right" not in text
        for where, stdin in ((image.archive(tmp_path / "a.tar"), None), ("-", (tmp_path / "a.tar").read_bytes())):
            scan_fails(where, absent[7:], "incomplete", stdin=stdin)
    scan_fails(f"oci-archive:{tmp_path}/none.tar", "none.tar")
    scan_fails(f"oci-dir:{tmp_path}", "index.json")
    (tmp_path / "tar.tar").write_bytes(BASE)
    scan_fails(f"docker-archive:{tmp_path}/tar.tar", "manifest.json", "index.json")
    (tmp_path / "text").write_text("hello\n" * 1000)
    scan_fails(f"{tmp_path}/text", "no image archive")


def test_odd_blobs(tmp_path):
    blob = blob_path(tmp_path, gz(BASE))
    source = Layout(BASE).write(tmp_path)
    for make in (os.mkfifo, os.mkdir):
        blob.unlink()
        make(blob)
        scan_fails(source, blob.name, "no regular file")
        blob.rmdir() if make is os.mkdir else None
    (tmp_path / "elsewhere").write_bytes(gz(BASE))
    blob.unlink(missing_ok=True)
    blob.symlink_to("../../elsewhere")
    assert packages(sbom(source)) == ["sed=2", "tar=1"]
    for target, word in (("/etc/passwd", "out of the layout"), (blob.name, "symbolic links")):
        blob.unlink()
        blob.symlink_to(target)
        scan_fails(source, blob.name, word)
    os.unlink(tmp_path / "index.json")
    os.mkfifo(tmp_path / "index.json")
    scan_fails(source, "index.json", "no regular file")


# ---- a machine in need


@contextlib.contextmanager
def small_disk(path, *options):
    path.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=1m", *options]), "tmpfs", path],
                          capture_output=True)
    if done.returncode:
        pytest.skip("cannot mount a file system here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.skipif(not ROOT_USER, reason="only root may mount")
def test_full_temporary_directory(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as z:
        z.writestr("noise", NOISE)
        z.writestr("META-INF/maven/g/a/pom.properties", "groupId=g\nartifactId=a\nversion=1\n")
    database = rpmdb("bash=5") + NOISE
    source = Layout(BASE, layer(file("app.jar", content.getvalue()), file("var/lib/rpm/rpmdb.sqlite", database))
                    ).write(tmp_path / "image")
    with small_disk(tmp_path / "full") as full:
        report = sbom(source, code=3, env={"TMPDIR": str(full)}, data=tmp_path / "data")
        assert [(p["path"], p["what"]) for p in problems(report)] == [
            ("app.jar", "unreadable"), ("var/lib/rpm/rpmdb.sqlite", "unreadable")]
        assert all("space" in p["detail"] for p in problems(report))
    # what the machine could not do is not remembered
    assert "a=1" in packages(sbom(source, data=tmp_path / "data"))


@pytest.mark.skipif(not ROOT_USER, reason="only root may mount")
@pytest.mark.parametrize("options", [[], ["ro"]])
def test_cache_cannot_be_written(tmp_path, options):
    source = Layout(BASE).write(tmp_path / "image")
    with small_disk(tmp_path / "data", *options) as data:
        if not options:
            with contextlib.suppress(OSError), open(data / "fill", "wb", 0) as fill:
                while fill.write(b"x" * 4096):
                    pass
        for _ in range(2):
            assert packages(sbom(source, data=data)) == ["sed=2", "tar=1"]
        assert list(data.rglob("*.klr*")) == []


def children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(p) for p in text.split()]


def waiting_scan():
    """A scan that waits for its standard input, and the process that reads it."""
    parent = subprocess.Popen([KELLET, "sbom", "-", "-o", "json", "--no-cache"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(200):
        if children(parent.pid):
            return parent, children(parent.pid)[0]
        time.sleep(0.02)
    raise AssertionError("no analyser")


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_analyser_killed(with_signal):
    parent, child = waiting_scan()
    os.kill(child, with_signal)
    out, err = parent.communicate(timeout=20)
    assert parent.returncode == 5 and out == b"" and b"analyser" in err, err


def test_parent_killed():
    parent, child = waiting_scan()
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not pathlib.Path(f"/proc/{child}").exists() or "Z" in pathlib.Path(f"/proc/{child}/stat").read_text().split()[2]:
            return
        time.sleep(0.02)
    raise AssertionError("the analyser outlives its parent")


def test_reader_of_the_report_is_gone(tmp_path):
    source = Layout(BASE, *(layer(file(f"{i}/package.json", json.dumps({"name": "m" * 1000, "version": f"{i}"})))
                            for i in range(200))).write(tmp_path)
    done = subprocess.run(f"'{KELLET}' sbom '{source}' --no-cache -o json | head -c 10; exit ${{PIPESTATUS[0]}}", shell=True,
                          executable="/bin/bash", capture_output=True, timeout=60)
    assert done.returncode in (5, 128 + signal.SIGPIPE)


# ---- bombs


def gzip_stream(path, parts):
    """Writes parts, each (bytes, how often), as gzip members; gives the digest of the plain bytes."""
    digest = hashlib.sha256()
    with open(path, "wb") as out:
        for part, times in parts:
            packed = gzip.compress(part, 1, mtime=0)
            for _ in range(times):
                digest.update(part)
                out.write(packed)
    return "sha256:" + digest.hexdigest()


def big_image(path, parts):
    """A layout with one layer too large to hold in memory."""
    blob = path / "layer"
    path.mkdir()
    diff_id = gzip_stream(blob, parts)
    with open(blob, "rb") as f:
        digest = "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()
    image = Layout()
    document = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [diff_id]}}).encode()
    image.manifest({"schemaVersion": 2, "config": image.blob(document, MEDIA + "config.v1+json"),
                    "layers": [{"mediaType": MEDIA + "layer.v1.tar+gzip", "digest": digest,
                                "size": blob.stat().st_size}]})
    source = image.write(path)
    blob.rename(path / "blobs/sha256" / digest[7:])
    return source


def headers(count):
    """Empty files, 1000 a directory."""
    raw = header(b"d0000000/f000")
    plain_sum = sum(raw) - sum(raw[148:156]) + 8 * 32
    for d in range(count // 1000):
        name = b"d%07d/f" % d
        base = plain_sum + sum(name) - sum(b"d0000000/f")
        block = []
        for f in range(1000):
            tail = b"%03d" % f
            block.append(name + tail + raw[13:148] + b"%06o\0 " % (base + sum(tail) - 144) + raw[156:])
        yield b"".join(block)


def empty_files(count):
    block = []
    for part in headers(count):
        block.append(part)
        if len(block) == 30:
            yield b"".join(block), 1
            block = []
    yield b"".join(block), 1


END = (b"\0" * 1024, 1)
FIRST = (BASE.rstrip(b"\0") + b"\0" * (-len(BASE.rstrip(b"\0")) % 512), 1)


def test_three_million_files(tmp_path):
    source = big_image(tmp_path / "image", [FIRST, *empty_files(3000000), END])
    report = sbom(source, rss=64, timeout=300)
    assert packages(report) == ["sed=2", "tar=1"]
    report = sbom(source, rss=64, timeout=300, data=tmp_path / "data")
    report = sbom(source, rss=64, timeout=300, data=tmp_path / "data")
    assert packages(report) == ["sed=2", "tar=1"]


def test_ten_gigabytes_of_zeros(tmp_path):
    size = 10 << 30
    big = header(b"big", b"\x80" + size.to_bytes(11, "big"))
    source = big_image(tmp_path / "image", [FIRST, (big, 1), (bytes(64 << 20), size >> 26), END])
    report = sbom(source, rss=64, timeout=300)
    assert packages(report) == ["sed=2", "tar=1"]


@pytest.mark.parametrize("path", ["var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages", STATUS, "lib/apk/db/installed",
                                  "app.jar", "etc/os-release", "package.json"])
def test_huge_database(tmp_path, path):
    """10 GB that take no room: sparse in a tar that comes through a pipe."""
    root = tmp_path / "root"
    (root / path).parent.mkdir(parents=True)
    with open(root / path, "wb") as f:
        f.write(dpkg("tar=1").encode())
        f.truncate(10 << 30)
    raw = subprocess.run(["tar", "-C", root, "--sparse", "--format=posix", "-c", "."], capture_output=True, check=True
                         ).stdout
    assert len(raw) < 100000
    with open(tmp_path / "plain.tar", "wb") as f:
        f.truncate(1)
    document = json.dumps({"rootfs": {"diff_ids": [sha(raw)]}}).encode()
    archive = layer(file("manifest.json", json.dumps([{"Config": "c.json", "Layers": ["l/layer.tar"]}])),
                    file("c.json", document), file("l/layer.tar", raw))
    report = sbom("-", stdin=archive, code=3, rss=64, timeout=300)
    assert {(p["path"], p["what"]) for p in problems(report)} <= {(path, "limit"), (path, "parse")}
    assert problems(report)

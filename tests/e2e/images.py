"""Images made by hand, well formed or not, and kellet run over them."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import sqlite3
import struct
import subprocess
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KELLET = os.environ.get("KELLET", str(ROOT / "build" / "kellet"))

# ---- what is in layers


def file(path, content="", **fields):
    info = tarfile.TarInfo(path)
    content = content.encode() if isinstance(content, str) else content
    info.size = len(content)
    for name, value in fields.items():
        setattr(info, name, value)
    return info, content


def entry(path, kind, target=""):
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info, b""


def directory(path):
    return entry(path, tarfile.DIRTYPE)


def symlink(path, target):
    return entry(path, tarfile.SYMTYPE, target)


def hardlink(path, target):
    return entry(path, tarfile.LNKTYPE, target)


def whiteout(path):
    head, _, name = path.rpartition("/")
    return file(f"{head}/.wh.{name}" if head else f".wh.{name}")


def opaque(path):
    return file(f"{path}/.wh..wh..opq")


def layer(*entries, form=tarfile.PAX_FORMAT):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def dpkg(*packages):
    """A status file of packages written as name=version."""
    return "".join(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n"
                   f"Version: {version}\n\n"
                   for name, version in (p.split("=") for p in packages))


def rpm_header(name, version, release="1"):
    tags, store = [], b""
    for tag, text in ((1000, name), (1001, version), (1002, release), (1022, "x86_64")):
        tags.append(struct.pack(">IIII", tag, 6, len(store), 1))
        store += text.encode() + b"\0"
    return struct.pack(">II", len(tags), len(store)) + b"".join(tags) + store


def rpmdb(*packages):
    """An rpmdb.sqlite of packages written as name=version, or as their headers."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    for package in packages:
        header = package if isinstance(package, bytes) else rpm_header(*package.split("="))
        db.execute("INSERT INTO Packages (blob) VALUES (?)", (header,))
    db.commit()
    path = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"rpmdb-{os.getpid()}.sqlite"
    path.unlink(missing_ok=True)
    db.execute("VACUUM INTO ?", (str(path),))
    content = path.read_bytes()
    path.unlink()
    return content


DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
STATUS = "var/lib/dpkg/status"
BASE = layer(file("etc/os-release", DEBIAN), file(STATUS, dpkg("tar=1", "sed=2")))

# ---- images


def sha(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def gz(raw):
    return gzip.compress(raw, 1, mtime=0)


def zstd(raw):
    return subprocess.run(["zstd", "-qc"], input=raw, capture_output=True, check=True).stdout


def plain(raw):
    return raw


MEDIA = "application/vnd.oci.image."


def config(layers, **members):
    return json.dumps({"architecture": "amd64", "os": "linux", "rootfs":
                       {"type": "layers", "diff_ids": [sha(raw) for raw in layers]}, **members}).encode()


def docker_archive(path, *images):
    """Writes a `docker save` archive of (tag, [layer]) pairs."""
    members, manifest = {}, []
    for tag, layers in images:
        document = config(layers)
        names = []
        for raw in layers:
            names.append(sha(raw)[7:] + "/layer.tar")
            members[names[-1]] = raw
        members[sha(document)[7:] + ".json"] = document
        manifest.append({"Config": sha(document)[7:] + ".json", "RepoTags": [tag] if tag else None,
                         "Layers": names})
    members["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(layer(*(file(n, c) for n, c in members.items())))
    return f"docker-archive:{path}"


class Layout:
    """An OCI layout in memory: blobs by digest, and an index."""

    def __init__(self, *layers, compress=gz, kind="tar+gzip", **members):
        self.blobs, self.manifests = {}, []
        if layers:
            self.image(layers, compress, kind, **members)

    def blob(self, content, media_type, **fields):
        self.blobs[sha(content)] = content
        return {"mediaType": media_type, "digest": sha(content), "size": len(content), **fields}

    def manifest(self, document, **fields):
        d = self.blob(json.dumps(document).encode(), MEDIA + "manifest.v1+json", **fields)
        self.manifests.append(d)
        return d

    def image(self, layers, compress=gz, kind="tar+gzip", document=None, fields=None, **members):
        stored = [self.blob(compress(raw), MEDIA + "layer.v1." + kind) for raw in layers]
        return self.manifest({
            "schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "layers": stored,
            "config": self.blob(document or config(layers, **members), MEDIA + "config.v1+json")},
            **(fields or {}))

    def files(self):
        yield "oci-layout", b'{"imageLayoutVersion": "1.0.0"}'
        yield "index.json", json.dumps({"schemaVersion": 2, "manifests": self.manifests}).encode()
        for digest, content in self.blobs.items():
            yield "blobs/sha256/" + digest[7:], content

    def write(self, path):
        for name, content in self.files():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return f"oci-dir:{path}"

    def archive(self, path):
        path.write_bytes(layer(*(file(n, c) for n, c in self.files())))
        return f"oci-archive:{path}"


# ---- kellet


def kellet(*args, data=None, stdin=None, env=None, timeout=120, rss=None, **more):
    """rss: how many MiB each of its processes may have resident at most."""
    command = [KELLET, *map(str, args), *([] if data else ["--no-cache"])]
    environment = {**os.environ, "NO_COLOR": "1", "KELLET_DATA": str(data or "/nonexistent"), **(env or {})}
    if not rss:
        return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=timeout, **more)
    # a small process between: a fork of this one would count with all its memory
    with tempfile.NamedTemporaryFile() as measured:
        command = ["/usr/bin/time", "-q", "-f", "%M", "-o", measured.name, *command]
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=timeout, **more)
        peak = int(measured.read())
    print(f"peak resident: {peak >> 10} MiB: {' '.join(map(str, args))}")
    assert peak <= rss << 10, f"{peak >> 10} MiB resident, {rss} allowed"
    return done


def sbom(source, *args, code=0, **more):
    done = kellet("sbom", source, "-o", "json", *args, **more)
    assert done.returncode == code, (done.returncode, done.stderr.decode(), done.stdout.decode()[-900:])
    return json.loads(done.stdout)


def packages(report):
    return sorted(f"{p['name']}={p['version']}" for p in report["packages"])


def scan_fails(source, *words, code=5, **more):
    """The scan ends with an error that names what is wrong, and advice, and with no report."""
    done = kellet("sbom", source, "-o", "json", **more)
    text = done.stderr.decode()
    assert done.returncode == code, (done.returncode, text, done.stdout.decode()[:2000])
    assert done.stdout == b"" and text.startswith("kellet: ") and text.count("\n") <= 2, text
    for word in words:
        assert word in text, text
    return text


def problems(report):
    assert report["completeness"]["complete"] is False
    return report["completeness"]["problems"]

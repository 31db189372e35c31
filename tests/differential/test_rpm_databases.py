"""`kellet sbom` on rpm databases against `rpm -qa`: databases written by rpm itself, and Berkeley DB files of every
page size and byte order written by db5.3_load from the same headers.

Oracles (Debian packages): rpm (rpmbuild too), db5.3-util. What is not installed, and a back end that the
installed rpm cannot write (ndb before Debian 13), is skipped with its reason. KELLET names the binary.
"""

import json
import os
import shutil
import sqlite3
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUERY = "%{NAME}\t%{EPOCH}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{VENDOR}\t%{LICENSE}\t%{MODULARITYLABEL}\n"

# name: (version, release, epoch, module, files, further packages)
SOURCES = {
    "plain": ("1.0", "1", None, None, 3, []),
    "zero-epoch": ("2.0~rc1", "3.el9", 0, None, 1, []),
    "with-epoch": ("5.32.1", "479.el9^git1", 4, None, 700, ["with-epoch-libs", "other_name"]),
    "modular": ("16.14.0", "5.el9_0", 1, "modular:16:9000020220411:rhel9", 40, ["modular-docs"]),
    "no-files": ("0", "0", None, None, 0, []),
}


def kellet():
    for path in (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet"):
        if path and Path(path).exists():
            return str(Path(path).resolve())
    pytest.skip("kellet is not built")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def spec(name):
    version, release, epoch, module, files, more = SOURCES[name]
    lines = [f"Name: {name}", f"Version: {version}", f"Release: {release}", "Summary: s", "License: GPLv2+ and MIT",
             "Vendor: Ünïcode, Inc.", "BuildArch: noarch"]
    lines += [f"Epoch: {epoch}"] if epoch is not None else []
    lines += [f"ModularityLabel: {module}"] if module else []
    lines += ["%description", "d"]
    for package in more:
        lines += [f"%package -n {package}", "Summary: s", f"%description -n {package}", "d"]
    lines += ["%install", f"mkdir -p %{{buildroot}}/usr/share/{name}",
              f"for i in $(seq 1 {files}); do echo $i > %{{buildroot}}/usr/share/{name}/a-file-with-number-$i; done"]
    lines += ["%files", f"/usr/share/{name}"]
    for package in more:
        lines += [f"%files -n {package}"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def rpms(tmp_path_factory):
    need("rpm", "rpmbuild")
    top = tmp_path_factory.mktemp("rpmbuild")
    for name in SOURCES:
        (top / f"{name}.spec").write_text(spec(name))
        subprocess.run(["rpmbuild", "-bb", "--quiet", "--nodeps", "--define", f"_topdir {top}", top / f"{name}.spec"],
                       check=True, capture_output=True)
    return sorted(top.glob("RPMS/*/*.rpm"))


class Database:
    def __init__(self, directory, backend):
        self.directory, self.options = directory, ["--dbpath", str(directory), "--define", f"_db_backend {backend}"]
        directory.mkdir(parents=True)

    def rpm(self, *arguments):
        return subprocess.run(["rpm", *self.options, *arguments], check=True, capture_output=True).stdout.decode()

    def install(self, rpms):
        self.rpm("--justdb", "--nodeps", "--nosignature", "--noscripts", "-i", *map(str, rpms))

    def answer(self):
        return sorted(as_kellet(line) for line in self.rpm("-qa", "--qf", QUERY).splitlines())


def as_kellet(line):
    name, epoch, version, arch, source, vendor, licence, module = (
        "" if field == "(none)" else field for field in line.split("\t"))
    source_name, source_version, source_release = source.removesuffix(".src.rpm").rsplit("-", 2)
    return (name, f"{epoch}:{version}" if epoch else version, arch, source_name, f"{source_version}-{source_release}",
            vendor, licence, module)


def scan(root):
    done = subprocess.run([kellet(), "sbom", f"dir:{root}", "-o", "json"], capture_output=True)
    assert done.stdout, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["completeness"]["problems"] == [], done.stderr.decode()
    return sorted(tuple(p.get(key, "") for key in ("name", "version", "architecture", "source_name", "source_version",
                                                   "vendor", "licence", "module"))
                  for p in report["packages"] if p["type"] == "rpm")


@pytest.fixture(scope="module")
def sqlite_root(rpms, tmp_path_factory):
    root = tmp_path_factory.mktemp("sqlite")
    database = Database(root / "usr/lib/sysimage/rpm", "sqlite")
    database.install(rpms)
    return root, database.answer()


def test_sqlite(sqlite_root):
    root, answer = sqlite_root
    assert len(answer) == 8
    assert scan(root) == answer


def test_sqlite_with_a_hot_log(sqlite_root, tmp_path):
    """What is only in the write-ahead log counts, as it does for rpm."""
    root, answer = sqlite_root
    directory = tmp_path / "root/var/lib/rpm"
    directory.mkdir(parents=True)
    work = shutil.copy(root / "usr/lib/sysimage/rpm/rpmdb.sqlite", tmp_path / "x")
    connection = sqlite3.connect(work)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    gone, = connection.execute("SELECT hnum FROM Packages ORDER BY length(blob) DESC LIMIT 1").fetchone()
    blob, = connection.execute("SELECT blob FROM Packages WHERE hnum = ?", (gone,)).fetchone()
    connection.execute("DELETE FROM Packages WHERE hnum = ?", (gone,))
    connection.execute("DELETE FROM Name WHERE hnum = ?", (gone,))
    connection.commit()
    for suffix in ("", "-wal"):
        shutil.copy(f"{work}{suffix}", directory / f"rpmdb.sqlite{suffix}")
    assert (directory / "rpmdb.sqlite-wal").stat().st_size > 0 and blob
    found = scan(tmp_path / "root")
    assert len(found) == len(answer) - 1 and set(found) < set(answer)
    connection.close()


def test_ndb(rpms, tmp_path):
    database = Database(tmp_path / "var/lib/rpm", "ndb")
    try:
        database.install(rpms)
    except subprocess.CalledProcessError:
        pytest.skip("the installed rpm cannot write ndb")
    if not (tmp_path / "var/lib/rpm/Packages.db").exists():
        pytest.skip("the installed rpm cannot write ndb")
    assert scan(tmp_path) == database.answer()
    database.rpm("--justdb", "--nodeps", "-e", "plain", "modular")
    assert scan(tmp_path) == database.answer()


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("order", ["1234", "4321"])
@pytest.mark.parametrize("page_size", [512, 1024, 4096, 16384, 65536])
def test_berkeley_db(sqlite_root, tmp_path, page_size, order, checksums):
    need("db5.3_load")
    root, answer = sqlite_root
    source = sqlite3.connect(f"file:{root}/usr/lib/sysimage/rpm/rpmdb.sqlite?mode=ro", uri=True)
    number = "<I" if order == "1234" else ">I"
    records = [(0, struct.pack(number, 99))] + source.execute("SELECT hnum, blob FROM Packages").fetchall()
    file = tmp_path / "var/lib/rpm/Packages"
    file.parent.mkdir(parents=True)
    load = ["db5.3_load", "-c", f"db_pagesize={page_size}", "-c", f"db_lorder={order}"]
    load += ["-c", "chksum=1", str(file)] if checksums else [str(file)]
    # First larger values than the real ones: their pages are freed again.
    for values in ([(key, value * 3) for key, value in records], records):
        text = "VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n"
        text += "".join(f" {struct.pack(number, key).hex()}\n {value.hex()}\n" for key, value in values)
        subprocess.run(load, input=text + "DATA=END\n", text=True, check=True)
    assert scan(tmp_path) == answer

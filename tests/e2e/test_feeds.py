"""`kellet feeds load|status|dump|verify` with made-up OSV files, and with the real sets where they are."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("KELLET_SHARED", ROOT.parent / "shared")) / "data/feeds"
MANIFEST = "vulndb/manifest.json"


def binary():
    candidates = (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet")
    return next((p for p in candidates if p and Path(p).exists()), None) or pytest.skip("kellet is not built")


def feeds(data, *arguments, **options):
    done = subprocess.run([binary(), "feeds", arguments[0], "--data", data, *map(str, arguments[1:])],
                          capture_output=True, text=True, **options)
    return done.returncode, done.stdout, done.stderr


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def advisory(number, package="made-up", fixed="1.2.3", **more):
    return {"id": f"MADE-UP-{number}", "modified": "2024-01-01T00:00:00Z", "aliases": [f"CVE-2099-{number}"],
            "summary": "made up", "details": f"Story {number}.",
            "affected": [{"package": {"ecosystem": "PyPI", "name": package},
                          "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": fixed}]}]}],
            **more}


@pytest.fixture
def osv(tmp_path):
    directory = tmp_path / "osv"
    directory.mkdir()
    for number in range(20):
        (directory / f"{number}.json").write_text(json.dumps(advisory(number)))
    return directory


def test_no_data_yet(tmp_path):
    for command in ("status", "dump", "verify"):
        code, out, error = feeds(tmp_path, command)
        assert (code, out) == (4, "") and "no vulnerability data" in error and "feeds sync" in error


def test_load_dump_status_verify(tmp_path, osv):
    code, out, error = feeds(tmp_path, "load", "osv", osv)
    assert (code, error) == (0, "")
    assert out == "osv: 20 records, 20 vulnerabilities, 20 claims stored, 0 dropped\n"
    code, out, _ = feeds(tmp_path, "dump")
    claims = lines(out)
    assert code == 0 and len(claims) == 20
    assert claims[3] == {"id": "MADE-UP-11", "source": "osv", "ecosystem": "PyPI", "package": "made-up",
                         "package_kind": "language", "kind": "affected", "state": "fixed", "scheme": "pep440-public",
                         "ranges": [{"from": "1.0", "before": "1.2.3"}], "fixed": "1.2.3"}
    code, out, _ = feeds(tmp_path, "dump", "osv", "--vulns")
    vuln = lines(out)[0]
    assert (vuln["details"], vuln["aliases"]) == ("Story 0.", [{"id": "CVE-2099-0", "kind": "same"}])
    assert vuln["modified"] == "2024-01-01T00:00:00Z"
    code, out, _ = feeds(tmp_path, "status", "-o", "json")
    source = json.loads(out)["sources"][0]
    assert (source["name"], source["records"], source["claims"], source["dropped"]) == ("osv", 20, 20, 0)
    assert feeds(tmp_path, "status")[1].splitlines()[1].startswith("osv ")
    assert feeds(tmp_path, "verify") == (0, "1 sources: every file is what was installed\n", "")


def test_sources_live_side_by_side_and_replace_themselves(tmp_path, osv):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.json").write_text(json.dumps(advisory(7, package="other")))
    assert feeds(tmp_path, "load", "osv", "--as", "mine", osv)[0] == 0
    assert feeds(tmp_path, "load", "osv", "--as", "theirs", other)[0] == 0
    assert len(lines(feeds(tmp_path, "dump")[1])) == 21
    assert feeds(tmp_path, "load", "osv", "--as", "mine", other)[0] == 0
    assert [c["source"] for c in lines(feeds(tmp_path, "dump")[1])] == ["mine", "theirs"]
    files = {shard["file"] for source in json.loads((tmp_path / MANIFEST).read_text())["sources"]
             for shard in source["shards"]}
    on_disk = {p.name for p in (tmp_path / "vulndb/shards").iterdir()}
    assert files < on_disk and len(on_disk - files) == 1  # the alias index


def test_same_bytes_whatever_the_order(tmp_path, osv):
    names = sorted(osv.iterdir())
    digests = set()
    for order in (names, names[::-1], names[7:] + names[:7] + names[:2]):
        assert feeds(tmp_path, "load", "osv", *order)[0] == 0
        digests.add(json.loads(feeds(tmp_path, "status", "-o", "json")[1])["sources"][0]["digest"])
    assert len(digests) == 1


def test_broken_input_leaves_what_was_there(tmp_path, osv):
    assert feeds(tmp_path, "load", "osv", osv)[0] == 0
    before = (tmp_path / MANIFEST).read_text()
    (osv / "5.json").write_text('{"id": "MADE-UP-5", "affected": [')
    code, out, error = feeds(tmp_path, "load", "osv", osv)
    assert (code, out) == (5, "") and "5.json" in error
    assert feeds(tmp_path, "load", "osv", tmp_path / "absent")[0] == 5
    assert (tmp_path / MANIFEST).read_text() == before


def test_full_disk_leaves_what_was_there(tmp_path, osv):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    assert feeds(tmp_path, "load", "osv", osv)[0] == 0
    before = sorted(p.name for p in (tmp_path / "vulndb/shards").iterdir())
    (osv / "more.json").write_text(json.dumps(advisory(99)))
    code, out, error = feeds(tmp_path, "load", "osv", osv, preexec_fn=limit)
    assert (code, out) == (5, "") and "what was there stays" in error and "File too large" in error
    assert sorted(p.name for p in (tmp_path / "vulndb/shards").iterdir()) == before
    assert feeds(tmp_path, "verify")[0] == 0


def test_two_loads_at_once_keep_both(tmp_path, osv):
    assert feeds(tmp_path, "load", "osv", osv)[0] == 0
    command = [binary(), "feeds", "load", "osv", "--data", tmp_path]
    with open(tmp_path / "vulndb/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = [subprocess.Popen([*command, "--as", f"n{i}", osv], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True) for i in range(4)]
        time.sleep(0.5)
        assert all(p.poll() is None for p in running)
    for process in running:
        assert "waiting for it" in process.communicate()[1] and process.returncode == 0
    status = json.loads(feeds(tmp_path, "status", "-o", "json")[1])["sources"]
    assert [s["name"] for s in status] == ["n0", "n1", "n2", "n3", "osv"]


def test_damage_is_found(tmp_path, osv):
    assert feeds(tmp_path, "load", "osv", osv)[0] == 0
    shard = next((tmp_path / "vulndb/shards").glob("osv.PyPI-*"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    code, out, error = feeds(tmp_path, "verify")
    assert (code, out) == (5, "") and shard.name in error
    shard.write_bytes(content[:-1])
    assert feeds(tmp_path, "status")[0] == 5
    assert feeds(tmp_path, "load", "osv", osv)[0] == 0
    assert feeds(tmp_path, "verify")[0] == 0


@pytest.mark.parametrize("arguments, what", [
    (("load",), "takes a source"), (("load", "osv"), "takes a source"), (("load", "nosuch", "x"), "there are alpine"),
    (("load", "osv", "--as", "a/b", "x"), "cannot name a source"), (("status", "x"), "no arguments"),
    (("status", "-o", "xml"), "-o table"), (("dump", "a", "b"), "one source"), (("nosuch",), "there is no"),
])
def test_wrong_usage(tmp_path, arguments, what):
    code, out, error = feeds(tmp_path, *arguments)
    assert (code, out) == (2, "") and what in error


@pytest.mark.parametrize("name, path, records, claims", [
    ("osv", "alma/osv-database.tar.zst", 5680, 60000), ("osv", "go/vulndb-osv.tar.zst", 4291, 6125),
    ("osv", "pypa/advisory-database.tar.zst", 2661, 2600), ("kev", "kev/known_exploited_vulnerabilities.json", 1404, 0),
    ("alpine", "alpine/secdb-2020.tar.zst", 12028, 11900),
])
def test_real_sets(tmp_path, name, path, records, claims):
    if not (SHARED / path).exists():
        pytest.skip(f"../shared/data/feeds/{path} is not here")
    assert feeds(tmp_path, "load", name, SHARED / path)[0] == 0
    source = json.loads(feeds(tmp_path, "status", "-o", "json")[1])["sources"][0]
    assert source["records"] == records and source["claims"] >= claims
    assert source["dropped"] == sum(source["drops"].values())
    assert len(lines(feeds(tmp_path, "dump")[1])) == source["claims"]
    assert len(lines(feeds(tmp_path, "dump", "--vulns")[1])) >= source["vulns"]


def old_record(name, version, group="alpine:3.18", package="zlib"):
    return {"Vulnerability": {"Name": name, "NamespaceName": group, "Severity": "High", "Link": "l", "FixedIn": [
        {"Name": package, "NamespaceName": group, "Version": version, "VersionFormat": "apk"}]}}


def test_records_of_the_old_feed_service(tmp_path):
    def load(value, *more):
        (tmp_path / "f.json").write_text(value if isinstance(value, str) else json.dumps(value))
        return feeds(tmp_path / "data", "load", "anchore", tmp_path / "f.json", *more)

    def sources():
        return {s["name"]: s["records"] for s in json.loads(feeds(tmp_path / "data", "status", "-o", "json")[1])["sources"]}
    two = {"vulnerabilities": {"alpine:3.18": [old_record("CVE-1", "2"), old_record("CVE-2", "None")],
                               "alpine:3.19": [old_record("CVE-1", "3", "alpine:3.19")]},
           "packages": {"npm": [{"a": {"versions": ["1"], "latest": "1"}}]}}
    code, out, _ = load(two)
    assert code == 0 and "alpine:3.18: 2 records" in out and "packages:npm: 1 records" in out
    assert sources() == {"alpine:3.18": 2, "alpine:3.19": 1, "packages:npm": 1}
    # whatever is wrong, nothing changes
    for broken in ("{", "[]", {"elsewhere": {}}, {"github": []}, {"github": {"../x": []}}, {"github": {"x": {}}},
                   {"vulnerabilities": {"alpine:3.18": [old_record("CVE-9", "2")], "alpine:3.19": [7]}}):
        assert load(broken)[0] == 5, broken
    assert load(two, "--as", "mine")[0] == 2
    assert sources() == {"alpine:3.18": 2, "alpine:3.19": 1, "packages:npm": 1}
    # a group that has become empty goes, one that is not named stays
    assert load({"vulnerabilities": {"alpine:3.18": [old_record("CVE-1", "2")], "alpine:3.19": []}})[0] == 0
    assert sources() == {"alpine:3.18": 1, "packages:npm": 1}
    # the engine's own files
    where = tmp_path / "kept/vulnerabilities"
    where.mkdir(parents=True)
    (where / "alpine:3.19.jsonl").write_text("\n".join(json.dumps(old_record(f"CVE-{n}", "2")) for n in range(3)) + "\n")
    (where / "alpine:3.19.loaded").write_text("a digest")
    assert feeds(tmp_path / "data", "load", "anchore", tmp_path / "kept")[0] == 0
    assert sources() == {"alpine:3.18": 1, "alpine:3.19": 3, "packages:npm": 1}

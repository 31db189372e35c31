"""`script/bench history`, small: two feeds' repositories of our own making, a commit a week, in which advisories are withdrawn and
come back, get CVEs, aliases and other ids, change their ranges and go. The engine goes through them step by step while images
come; every answer by what was known then and now, every list of changed images and every first-seen date is compared with what
each step's own data say."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests/bench/history.py"
BEGIN, WEEK = 1577836800, 7 * 86400  # 2020-01-01: before any clock of the machine
IMAGES, EACH, WEEKS = 600, 4, 9


def go(number, module, *events, aliases=(), **more):
    record = {"schema_version": "1.3.1", "id": f"GO-2099-{number:04}", "modified": "2030-01-01T00:00:00Z", "published": "2030-01-01T00:00:00Z",
              "aliases": list(aliases), "summary": f"made up {number}", "details": "made up",
              "affected": [{"package": {"name": module, "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": list(events)}]}], **more}
    return {f"data/osv/GO-2099-{number:04}.json": json.dumps(record)}


def pypi(name, package, versions, aliases=(), **more):
    record = {"id": name, "modified": "2030-01-01T00:00:00Z", "published": "2030-01-01T00:00:00Z", "aliases": list(aliases),
              "details": "made up", "affected": [{"package": {"name": package, "ecosystem": "PyPI"}, "versions": versions}], **more}
    return {f"vulns/{package}/{name}.yaml": json.dumps(record, indent=2).replace('"id": ', '"id":  ')}


def since(start, end=None):
    return ({"introduced": start}, {"fixed": end}) if end else ({"introduced": start},)


A, B, C, D = (f"example.org/{n}" for n in ("alpha", "beta", "gamma", "delta"))
VERSIONS = ["1.0", "1.1", "1.2", "2.0"]
WITHDRAWN = {"withdrawn": "2030-02-01T00:00:00Z"}


def go_weeks():
    """{path: text} of each week; None: as the week before."""
    first = {**go(1, A, *since("0", "1.5.0")), **go(2, B, *since("0")), **go(5, D, *since("1.0.0", "1.3.0"), aliases=["CVE-2099-50"]),
             # An alias that two CVEs have in common makes them no one.
             **go(6, C, *since("1.3.0"), aliases=["CVE-2099-61", "GHSA-kkkk-llll-mmmm"]),
             **go(7, D, *since("0", "1.2.0"), aliases=["CVE-2099-62", "GHSA-kkkk-llll-mmmm"])}
    yield first
    yield {**first, **go(1, A, *since("0", "1.5.0"), aliases=["CVE-2099-1"])}  # it gets its CVE: findings move there
    second = {**first, **go(1, A, *since("1.2.0", "1.7.0"), aliases=["CVE-2099-1", "GHSA-aaaa-bbbb-cccc"]), **go(2, B, *since("0", "2.0.0"))}
    yield second  # another range, an alias more; a fix
    # Withdrawn: its aliases are known by nothing else from here on. An alias of the other changes without any finding that does.
    third = {**second, **go(1, A, *since("1.2.0", "1.7.0"), aliases=["CVE-2099-1", "GHSA-aaaa-bbbb-cccc"], **WITHDRAWN),
             **go(2, B, *since("0", "2.0.0"), aliases=["GHSA-dddd-eeee-ffff"])}
    yield third
    yield None
    # Back again; the second is gone, with its names; one advisory about two CVEs, one of which others know.
    fourth = {**second, **go(3, C, *since("0", "1.4.0"), aliases=["CVE-2099-3", "CVE-2099-50"])}
    del fourth["data/osv/GO-2099-0002.json"]
    yield fourth
    fifth = {**fourth, **go(20, B, *since("0", "1.1.0"), aliases=["CVE-2099-2"])}  # the second, under other names
    yield fifth
    yield {**fifth, **go(1, A, *since("1.2.0", "1.7.0"), aliases=["CVE-2099-9"])}  # the CVE was the wrong one
    yield {**fifth, **go(1, A, *since("1.2.0", "1.7.0"), aliases=["CVE-2099-9"], **WITHDRAWN)}
    yield {**fifth, **go(21, A, *since("0"), aliases=["GHSA-aaaa-bbbb-cccc"])}  # the alias is another's now


def pypi_weeks():
    other = pypi("PYSEC-2099-7", "other", ["1.0"], ["CVE-2099-70", "GHSA-gggg-hhhh-jjjj"])
    yield {**other, **pypi("PYSEC-0000-CVE-2099-6", "thing", VERSIONS[:2])}
    yield None
    yield {**other, **pypi("PYSEC-2099-6", "thing", VERSIONS[:2], ["CVE-2099-6"])}  # a name for the time being, then a number
    yield None
    yield {**other, **pypi("PYSEC-2099-6", "thing", VERSIONS, ["CVE-2099-6"], **WITHDRAWN)}
    yield {**other, **pypi("PYSEC-2099-6", "thing", VERSIONS[1:], ["CVE-2099-6"])}
    yield {**pypi("PYSEC-2099-8", "other", ["1.0", "1.1"], ["GHSA-gggg-hhhh-jjjj"]), **pypi("PYSEC-2099-6", "thing", VERSIONS[1:], ["CVE-2099-6"])}
    yield None
    yield {**pypi("PYSEC-2099-8", "other", ["1.0", "1.1"], ["CVE-2099-70"])}
    yield None


def repository(path, weeks):
    """Commits of the weeks; the last one is always a commit, so that histories end in the same week."""
    def git(*args, **env):
        subprocess.run(["git", "-C", path, *args], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **env, **{f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "t"), ("EMAIL", "t@t"))}})
    path.mkdir()
    git("init", "-q")
    for week, files in enumerate(weeks):
        if files is not None:
            for folder in ("data", "vulns"):
                shutil.rmtree(path / folder, ignore_errors=True)
            for name, text in files.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_text(text)
        git("add", "-A")
        when = f"{BEGIN + week * WEEK} +0000"
        git("commit", "-q", "--allow-empty", "-m", "week", GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE=when)
    return path


@pytest.fixture(scope="module")
def steps(kellet_binary, tmp_path_factory):
    work = tmp_path_factory.mktemp("feed-history")
    out = subprocess.run([sys.executable, SCRIPT, kellet_binary, work, str(WEEKS), repository(work / "go", go_weeks()),
                          repository(work / "pypi", pypi_weeks())], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert f"{WEEKS + 1} steps" in out
    return work


def bench(kellet_binary, work, what, check=True, **environment):
    program = Path(kellet_binary).parent / "tests/bench/bench-history"
    if not program.exists():
        pytest.skip("bench-history is not built")
    done = subprocess.run([program, work, str(IMAGES), what, str(EACH)], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **environment}, timeout=300)
    assert not check or done.returncode == 0, done.stdout
    return done


def test_every_answer_is_what_the_data_of_the_day_say(kellet_binary, steps, tmp_path):
    work = tmp_path / "fleet"
    shutil.copytree(steps, work)
    bench(kellet_binary, work, "prepare")
    out = bench(kellet_binary, work, "ask").stdout
    assert out.count("FIGURE affected on date D") == 2
    out = bench(kellet_binary, work, "verify").stdout
    assert " missing" in out and all(" 0 missing, 0 too many" in line for line in out.splitlines() if " missing" in line), out
    more = next(line for line in out.splitlines() if "more questions, by names" in line)
    assert int(more.split()[0]) >= 10
    # The comparison sees what is wrong: names that are lost, a finding that ends too early.
    with sqlite3.connect(work / "fleet.db") as db:
        db.execute("DELETE FROM finding_name")
    assert bench(kellet_binary, work, "verify", check=False).returncode == 1
    shutil.rmtree(work)


def test_a_span_that_is_wrong_is_seen(kellet_binary, steps, tmp_path):
    work = tmp_path / "fleet"
    shutil.copytree(steps, work)
    bench(kellet_binary, work, "prepare")
    with sqlite3.connect(work / "fleet.db") as db:
        db.execute("UPDATE finding_span SET opened_at = opened_at + 86400000000 * 20 WHERE vulnerability = 'CVE-2099-6'")
    out = bench(kellet_binary, work, "verify", check=False)
    assert out.returncode == 1 and "first-seen dates" in out.stdout


def test_the_same_on_postgresql(kellet_binary, steps, postgres):
    database = postgres.database("t_feed_history")
    bench(kellet_binary, steps, "prepare", FLEET_DB=database)
    out = bench(kellet_binary, steps, "verify", FLEET_DB=database).stdout
    assert " missing" in out and all(" 0 missing, 0 too many" in line for line in out.splitlines() if " missing" in line), out

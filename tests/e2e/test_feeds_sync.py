"""`kellet feeds sync` against a local server that behaves as badly as real ones do."""

import gzip
import hashlib
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEV = "/sites/default/files/feeds/known_exploited_vulnerabilities.json"


def kev(count, word="one", pad=0):
    rows = [{"cveID": f"CVE-2024-{1000 + i}", "vulnerabilityName": word, "dateAdded": "2024-02-03",
             "shortDescription": word * pad} for i in range(count)]
    return json.dumps({"catalogVersion": f"2024.{count}", "count": count, "vulnerabilities": rows}).encode()


class Upstream:
    """Files by path; each path may have a queue of misbehaviours that go before good answers."""

    def __init__(self):
        self.files, self.plans, self.log = {}, {}, []
        self.etags = True
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                outer.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def plan(self, path, *steps):
        self.plans.setdefault(path, []).extend(steps)

    def requests(self, path):
        return [headers for p, headers in self.log if p == path]

    def answer(self, h):
        self.log.append((h.path, {k.lower(): v for k, v in h.headers.items()}))
        steps = self.plans.get(h.path)
        step = steps.pop(0) if steps else None
        if isinstance(step, tuple):  # (status, headers)
            return self.send(h, step[0], b"no", step[1])
        body = self.files.get(h.path)
        if body is None:
            return self.send(h, 404, b"no")
        etag = '"%s"' % hashlib.sha256(body).hexdigest()[:16]
        headers = {"ETag": etag} if self.etags else {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        asked = h.headers
        if asked.get("If-None-Match") == etag or (
                not self.etags and asked.get("If-Modified-Since") == headers.get("Last-Modified")):
            return self.send(h, 304, b"", headers)
        start = 0
        if asked.get("Range") and asked.get("If-Range", etag) == etag:
            start = int(asked["Range"].removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.send(h, 206 if start else 200, body[start:], headers, step)

    def send(self, h, status, body, headers=None, step=None):
        h.send_response(status)
        for name, value in (headers or {}).items():
            h.send_header(name, value)
        if status != 304:
            h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        if step in ("cut", "hang"):
            h.wfile.write(body[:len(body) // 2])
            h.wfile.flush()
            h.close_connection = True
            if step == "hang":
                self.release.wait(30)
            return
        h.wfile.write(body)


@pytest.fixture
def upstream():
    u = Upstream()
    yield u
    u.release.set()
    u.server.shutdown()


def binary():
    candidates = (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet")
    return next((p for p in candidates if p and Path(p).exists()), None) or pytest.skip("kellet is not built")


def command(data, upstream, *arguments):
    return [binary(), "feeds", "sync", "--data", str(data), "--base-url", upstream.url, *arguments]


def sync(data, upstream, *arguments, env=None):
    done = subprocess.run(command(data, upstream, *arguments), capture_output=True, timeout=60,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def sources(data):
    manifest = data / "vulndb/manifest.json"
    if not manifest.exists():
        return {}
    return {s["name"]: s for s in json.loads(manifest.read_text())["sources"]}


@pytest.mark.parametrize("etags", [True, False])
def test_unchanged_is_not_fetched_nor_built_again(tmp_path, upstream, etags):
    upstream.files[KEV] = kev(3)
    upstream.etags = etags
    code, out, error = sync(tmp_path, upstream, "kev")
    assert (code, error) == (0, "")
    assert "1 of 1 files changed" in out and "loaded: 3 records" in out
    first = (tmp_path / "vulndb/manifest.json").read_bytes()
    code, out, error = sync(tmp_path, upstream, "kev")
    assert (code, error) == (0, "")
    assert out == "kev: 0 of 1 files changed; the database is up to date\n"
    assert (tmp_path / "vulndb/manifest.json").read_bytes() == first
    assert ("if-none-match" in upstream.requests(KEV)[1]) == etags
    assert ("if-modified-since" in upstream.requests(KEV)[1]) == (not etags)


def test_changed_is_loaded(tmp_path, upstream):
    upstream.files[KEV] = kev(3)
    sync(tmp_path, upstream, "kev")
    upstream.files[KEV] = kev(5)
    code, out, _ = sync(tmp_path, upstream, "kev")
    assert code == 0 and "loaded: 5 records" in out
    assert sources(tmp_path)["kev"]["records"] == 5


def test_force_and_a_lost_database_load_again(tmp_path, upstream):
    upstream.files[KEV] = kev(3)
    sync(tmp_path, upstream, "kev")
    assert "loaded: 3 records" in sync(tmp_path, upstream, "kev", "--force")[1]
    (tmp_path / "vulndb/manifest.json").unlink()
    assert "loaded: 3 records" in sync(tmp_path, upstream, "kev")[1]


def test_passing_trouble_is_retried(tmp_path, upstream):
    upstream.files[KEV] = kev(3)
    upstream.plan(KEV, (503, {}), (429, {"Retry-After": "1"}))
    start = time.monotonic()
    code, _, error = sync(tmp_path, upstream, "kev")
    assert (code, error) == (0, "")
    assert len(upstream.requests(KEV)) == 3
    assert time.monotonic() - start >= 1


def test_a_long_retry_after_is_reported_and_the_data_stay(tmp_path, upstream):
    upstream.files[KEV] = kev(3)
    sync(tmp_path, upstream, "kev")
    before = sources(tmp_path)
    upstream.files[KEV] = kev(4)
    upstream.plan(KEV, (429, {"Retry-After": "3600"}))
    start = time.monotonic()
    code, out, error = sync(tmp_path, upstream, "kev")
    assert code == 5 and out == ""
    assert "3600 seconds" in error and "last good data stay" in error
    assert time.monotonic() - start < 20
    assert sources(tmp_path) == before
    assert sync(tmp_path, upstream, "kev")[0] == 0
    assert sources(tmp_path)["kev"]["records"] == 4


def test_a_body_cut_short_goes_on_where_it_broke(tmp_path, upstream):
    upstream.files[KEV] = kev(500, pad=50)
    upstream.plan(KEV, "cut")
    code, _, error = sync(tmp_path, upstream, "kev")
    assert (code, error) == (0, "")
    assert upstream.requests(KEV)[1]["range"].startswith("bytes=")
    assert (tmp_path / "feeds/kev/known_exploited_vulnerabilities.json").read_bytes() == upstream.files[KEV]


def stopped_halfway(data, upstream):
    """A run that is killed when half of the file has come."""
    upstream.plan(KEV, "hang")
    process = subprocess.Popen(command(data, upstream, "kev"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = data / "feeds/kev/known_exploited_vulnerabilities.json.part"
    for _ in range(300):
        if part.exists() and part.stat().st_size >= len(upstream.files[KEV]) // 2:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert part.stat().st_size == len(upstream.files[KEV]) // 2
    return part


def test_the_next_run_goes_on_where_a_killed_one_was(tmp_path, upstream):
    upstream.files[KEV] = kev(2000, pad=50)
    part = stopped_halfway(tmp_path, upstream)
    half = part.stat().st_size
    code, _, error = sync(tmp_path, upstream, "kev")
    assert (code, error) == (0, "")
    assert upstream.requests(KEV)[-1]["range"] == f"bytes={half}-"
    assert sources(tmp_path)["kev"]["records"] == 2000
    assert not part.exists()


def test_a_file_that_changed_meanwhile_is_fetched_whole(tmp_path, upstream):
    upstream.files[KEV] = kev(2000, pad=50)
    part = stopped_halfway(tmp_path, upstream)
    upstream.files[KEV] = kev(1999, "two", pad=50)
    code, _, error = sync(tmp_path, upstream, "kev")
    assert (code, error) == (0, "")
    assert (tmp_path / "feeds/kev/known_exploited_vulnerabilities.json").read_bytes() == upstream.files[KEV]
    assert not part.exists()


@pytest.mark.parametrize("garbage", [b"<html>Please log in</html>", b"", b'{"vulnerabilities": [', kev(3)[:-20],
                                     b'{"count": 9, "vulnerabilities": []}'])
def test_wrong_content_leaves_the_last_good_data(tmp_path, upstream, garbage):
    upstream.files[KEV] = kev(3)
    sync(tmp_path, upstream, "kev")
    before = sources(tmp_path)
    upstream.files[KEV] = garbage
    for _ in range(2):
        code, out, error = sync(tmp_path, upstream, "kev")
        assert code == 5 and out == ""
        assert "known_exploited_vulnerabilities.json" in error
        assert sources(tmp_path) == before
    upstream.files[KEV] = kev(4)
    assert sync(tmp_path, upstream, "kev")[0] == 0
    assert sources(tmp_path)["kev"]["records"] == 4


def test_a_server_that_hangs_is_given_up(tmp_path, upstream):
    upstream.files[KEV] = kev(2000, pad=50)
    upstream.etags = False
    upstream.plan(KEV, "hang", "hang", "hang", "hang", "hang")
    start = time.monotonic()
    code, _, error = sync(tmp_path, upstream, "kev", "--timeout", "1", "--retries", "1")
    assert code == 5 and "kev" in error
    assert time.monotonic() - start < 30


def test_other_sources_go_on_when_one_fails(tmp_path, upstream):
    upstream.files["/epss_scores-current.csv.gz"] = gzip.compress(
        b"#model_version:v2025.03.14,score_date:2025-03-20T00:00:00+0000\ncve,epss,percentile\n"
        b"CVE-2024-1000,0.5,0.9\n")
    code, out, error = sync(tmp_path, upstream, "kev", "epss")
    assert code == 5
    assert error.startswith("kellet: kev: ") and "epss" not in error
    assert "epss: 1 of 1 files changed" in out
    assert set(sources(tmp_path)) == {"epss"}


DEBIAN = {
    "/tracker/data/json": json.dumps({"zlib": {"CVE-2024-1": {"releases": {
        "bookworm": {"status": "resolved", "repositories": {"bookworm": "1"}, "fixed_version": "1.2-3",
                     "urgency": "low"}}}}}).encode(),
    "/security-tracker-team/security-tracker/raw/master/data/DSA/list":
        b"[01 Feb 2024] DSA-9000-1 zlib - security update\n\t{CVE-2024-1}\n\t[bookworm] - zlib 1.2-3\n",
    "/security-tracker-team/security-tracker/raw/master/data/DLA/list":
        b"[01 Feb 2024] DLA-1-1 zlib - security update\n\t{CVE-2024-1}\n\t[buster] - zlib 1.1-3\n",
}


def test_a_source_with_one_file_missing_is_not_built(tmp_path, upstream):
    upstream.files.update(DEBIAN)
    lost = "/security-tracker-team/security-tracker/raw/master/data/DSA/list"
    del upstream.files[lost]
    code, _, error = sync(tmp_path, upstream, "debian")
    assert code == 5 and "DSA/list" in error
    assert sources(tmp_path) == {}
    upstream.files[lost] = DEBIAN[lost]
    code, out, error = sync(tmp_path, upstream, "debian")
    assert (code, error) == (0, "")
    assert "1 of 3 files changed" in out and "loaded" in out
    assert sources(tmp_path)["debian"]["claims"] == 2


SECDB = {"urlprefix": "x", "apkurl": "y", "packages": [{"pkg": {"name": "zlib", "secfixes": {
    "1.2-r3": ["CVE-2024-1", "CVE-2024-2"]}}}]}


def test_alpine_follows_its_index(tmp_path, upstream):
    upstream.files["/"] = (b'<html><a href="../">../</a><a href="edge/">edge/</a><a href="v3.2/">v3.2/</a>'
                           b'<a href="v3.18/">v3.18/</a><a href="license.txt">l</a><a href="../../etc/">e</a></html>')
    for release in ("edge", "v3.2", "v3.18"):
        upstream.files[f"/{release}/main.json"] = json.dumps(
            {**SECDB, "distroversion": release, "reponame": "main"}).encode()
    upstream.files["/alpine/security/security-rejections/-/raw/master/main.yaml"] = b"zlib:\n  - CVE-2024-2\n"
    code, out, error = sync(tmp_path, upstream, "alpine")
    assert (code, error) == (0, "")
    assert "4 of 8 files changed" in out and "4 not there" in out
    # In three releases: one fix, and one rejection instead of the other.
    assert sources(tmp_path)["alpine"]["claims"] == 6
    assert sorted(p.name for p in (tmp_path / "feeds/alpine").iterdir() if p.is_dir()) == [
        "edge", "rejections", "v3.18", "v3.2"]


def test_an_index_without_releases_is_an_error(tmp_path, upstream):
    upstream.files["/"] = b"<html>maintenance</html>"
    code, _, error = sync(tmp_path, upstream, "alpine")
    assert code == 5 and "names no release" in error


def test_base_url_from_the_environment(tmp_path, upstream):
    upstream.files[KEV] = kev(2)
    for name in ("KELLET_FEED_BASE_URL", "KELLET_FEED_BASE_URL_KEV"):
        data = tmp_path / name
        env = {**os.environ, name: upstream.url + "/"}
        done = subprocess.run([binary(), "feeds", "sync", "kev", "--data", data], capture_output=True, env=env)
        assert done.returncode == 0, done.stderr
        assert sources(data)["kev"]["records"] == 2


def test_wrong_usage(tmp_path, upstream):
    code, _, error = sync(tmp_path, upstream, "none-such")
    assert code == 2 and "none-such" in error
    assert upstream.log == []


def test_two_runs_at_once(tmp_path, upstream):
    upstream.files[KEV] = kev(2000, pad=50)
    upstream.plan(KEV, "hang")
    first = subprocess.Popen(command(tmp_path, upstream, "kev"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        if upstream.log:
            break
        time.sleep(0.05)
    code, _, error = sync(tmp_path, upstream, "kev")
    first.kill()
    first.wait()
    assert code == 5 and "another" in error

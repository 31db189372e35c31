"""`kellet watch`: only what has changed is told - about findings, tags, images, verdicts - once, across kills, by look-up
where the image is known, and never silently clean."""
import http.server
import json
import signal
import subprocess
import threading
import time

import pytest

from conftest import need
from registries import FailingProxy, Image, Registry, apk_files, free_port, push
from test_feeds_sync import Upstream
from test_notifications import Receiver

def secdb(claims):
    """claims: {package: {fixed version: [CVE]}}"""
    return json.dumps({"distroversion": "v3.18", "reponame": "main", "packages": [
        {"pkg": {"name": name, "secfixes": fixes}} for name, fixes in claims.items()]})


def nvd(scores):
    """scores: {CVE: (score, word, vector)}"""
    vectors = {"CRITICAL": ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
               "MEDIUM": ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:N/A:N", 5.5)}
    return json.dumps({"format": "NVD_CVE", "version": "2.0", "vulnerabilities": [{"cve": {
        "id": cve, "published": "2099-01-01T00:00:00.000", "lastModified": "2099-01-02T00:00:00.000",
        "vulnStatus": "Analyzed", "descriptions": [{"lang": "en", "value": "made up"}], "references": [],
        "metrics": {"cvssMetricV31": [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": {
            "version": "3.1", "vectorString": vectors[word][0], "baseScore": vectors[word][1], "baseSeverity": word}}]}}}
        for cve, word in scores.items()]})


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    need("docker-registry")
    where = tmp_path_factory.mktemp("watch-registry")
    r = Registry(where, where / "root", "watch")
    r.root = where / "root"
    yield r
    r.stop()


class World:
    """A watcher's data, a registry behind a proxy that counts, and what it is told of."""

    def __init__(self, kellet, binary, environment, directory, registry):
        self.kellet, self.binary, self.environment, self.directory = kellet, binary, environment, directory
        self.registry, self.proxy = registry, FailingProxy(registry.port)
        self.name = f"w{time.monotonic_ns()}"
        self.claims({"curl": {"99.0-r0": ["CVE-2099-0001"]}})

    def claims(self, claims, scores=None):
        (self.directory / "main.json").write_text(secdb({"unheard-of": {"1-r0": ["CVE-2099-9999"]}, **claims}))
        (self.directory / "nvd.json").write_text(nvd({"CVE-2099-9999": "MEDIUM", **(scores or {})}))
        for feed, name in (("alpine", "main.json"), ("nvd", "nvd.json")):
            done = self.kellet("feeds", "load", feed, self.directory / name)
            assert done.returncode == 0, done.stderr

    def push(self, tag="1", name=None, **packages):
        packages = packages or {"curl": "8.5.0-r0", "musl": "1.2.4-r2"}
        image = Image(apk_files(packages), {"opt/text": f"{tag} {time.monotonic_ns()}\n"})
        push(self.registry.port, name or self.name, tag, image)
        return image

    def ref(self, tag="1", host=None):
        return f"{host or self.proxy.host}/{self.name}:{tag}"

    def once(self, *arguments, code=0, **more):
        """The changes as JSON lines."""
        done = self.kellet("watch", "--once", "--no-sync", "-o", "json", *(arguments or (self.ref(),)), **more)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        self.stderr = done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def blobs(self):
        return [path for path, _ in self.proxy.seen if "/blobs/" in path]


@pytest.fixture
def world(kellet, kellet_binary, clean_environment, tmp_path, registry):
    return World(kellet, kellet_binary, clean_environment, tmp_path, registry)


def short(changes):
    return [(c["change"], c.get("vulnerability"), c["worse"]) for c in changes]


def test_findings_by_look_up(world):
    image = world.push()
    assert world.once() == []
    assert "now watching" in world.stderr and "1 Unknown" in world.stderr
    world.proxy.set(None)
    assert world.once() == [] and "now watching" not in world.stderr
    assert set(world.proxy.methods) == {"HEAD"}, "an image that is known is not pulled"
    world.claims({"curl": {"99.0-r0": ["CVE-2099-0001"]}, "musl": {"1.3.0-r0": ["CVE-2099-0002"]}},
                 {"CVE-2099-0001": "MEDIUM", "CVE-2099-0002": "CRITICAL"})
    changes = world.once(code=1)
    assert sorted(short(changes)) == [("finding-changed", "CVE-2099-0001", True), ("finding-new", "CVE-2099-0002", True)]
    new = next(c for c in changes if c["change"] == "finding-new")
    assert (new["image"], new["digest"], new["severity"], new["package"], new["version"], new["fix"]) == (
        world.ref(), image.digest, "Critical", "musl", "1.2.4-r2", "1.3.0-r0")
    changed = next(c for c in changes if c["change"] == "finding-changed")
    assert (changed["severity"], changed["severity_before"]) == ("Medium", "Unknown")
    assert not world.blobs(), "looked up, not pulled"
    # another fix, one retracted
    world.claims({"curl": {"100.0-r0": ["CVE-2099-0001"]}}, {"CVE-2099-0001": "MEDIUM"})
    changes = world.once()
    assert sorted(short(changes)) == [("finding-changed", "CVE-2099-0001", False), ("finding-gone", "CVE-2099-0002", False)]
    assert {(c["fix"], c.get("fix_before")) for c in changes if c["change"] == "finding-changed"} == {("100.0-r0", "99.0-r0")}
    assert world.once() == []


def test_min_severity(world):
    world.push()
    world.once()
    world.claims({"curl": {"99.0-r0": ["CVE-2099-0001", "CVE-2099-0003"]}, "musl": {"1.3.0-r0": ["CVE-2099-0002"]}},
                 {"CVE-2099-0003": "MEDIUM", "CVE-2099-0002": "CRITICAL"})
    assert short(world.once(world.ref(), "--min-severity", "high", code=1)) == [("finding-new", "CVE-2099-0002", True)]


def test_tag_moves(world):
    before = world.push()
    world.once()
    same_package_newer = world.push(curl="8.6.0-r0", musl="1.2.4-r2", zlib="1.3-r0")
    changes = world.once()
    assert [(c["change"], c["digest_before"], c["digest"]) for c in changes] == [
        ("tag-moved", before.digest, same_package_newer.digest)], "still affected is no news"
    fixed = world.push(curl="99.0-r0")
    assert short(world.once()) == [("tag-moved", None, False), ("finding-gone", "CVE-2099-0001", False)]
    # an image that is known is not pulled again
    world.proxy.set(None)
    push(world.registry.port, world.name, "2", fixed)
    assert world.once(world.ref(), world.ref("2")) == [] and not world.blobs()


def test_repositories_and_gone(world):
    team = f"{world.name}/team"
    world.push("1", f"{team}/a"), world.push("1", f"{team}/b"), world.push("other", f"{team}/b")
    pattern = f"{world.registry.host}/{team}/*:[0-9]*"
    assert world.once(pattern) == [] and world.stderr.count("now watching") == 2
    two = world.push("2", f"{team}/b")
    changes = world.once(pattern)
    assert [(c["change"], c["image"], c["severities"]) for c in changes] == [
        ("tag-new", f"{world.registry.host}/{team}/b:2", {"Unknown": 1})]
    subprocess.run(["rm", "-r", f"{world.registry.root}/docker/registry/v2/repositories/{team}/b/_manifests/tags/2"], check=True)
    assert [(c["change"], c["image"], c["digest"]) for c in world.once(pattern)] == [
        ("image-gone", f"{world.registry.host}/{team}/b:2", two.digest)]
    assert world.once(pattern) == []


def test_file_and_not_checked(world, tmp_path):
    world.push()
    images = tmp_path / "images.txt"
    dead = f"127.0.0.1:{free_port()}"
    images.write_text(f"# ours\n{world.ref()}   # the one\n\n{world.ref('none')}\n{dead}/x:1\n{dead}/y:1\n{dead}/z:1\n")
    changes = world.once("-f", images, code=3)
    assert sorted((c["change"], c["image"].split("/")[1]) for c in changes) == sorted(
        [("not-checked", f"{world.name}:none")] + [("not-checked", f"{x}:1") for x in "xyz"])
    assert "4 of 5 could not be checked" in world.stderr
    assert world.once("-f", images, code=3) == [], "told once, but never clean"
    # what could not be reached is judged by what is remembered
    world.proxy.set(lambda path, headers, nth: lambda h, answer: h.answer(503, b"{}"))
    world.claims({"curl": {"99.0-r0": ["CVE-2099-0001", "CVE-2099-0005"]}})
    changes = world.once(code=1)
    assert short(changes) == [("finding-new", "CVE-2099-0005", True), ("not-checked", None, False)]
    world.proxy.set(None)
    assert short(world.once()) == [("checked-again", None, False)]


def test_no_data(world, kellet, tmp_path):
    world.push()
    empty = {"KELLET_DATA": str(tmp_path / "empty")}
    assert world.once(world.ref(), code=4, env=empty) == [] and "feeds sync" in world.stderr
    # data that stop covering the image take nothing back
    world.once()
    other = tmp_path / "v3.19.json"
    other.write_text(secdb({"curl": {"1-r0": ["CVE-2099-0001"]}}).replace("v3.18", "v3.19"))
    assert kellet("feeds", "load", "alpine", other).returncode == 0
    changes = world.once(code=3)
    assert short(changes) == [("incomplete", None, False)] and "alpine:3.18" in changes[0]["reason"]
    world.claims({"curl": {"99.0-r0": ["CVE-2099-0001"]}})
    assert short(world.once()) == [("complete", None, False)]


def bundle(tmp_path, severity):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({
        "id": "b", "version": "1_0", "name": "b", "comment": "", "whitelists": [], "whitelisted_images": [],
        "blacklisted_images": [], "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [
            {"id": "r", "gate": "vulnerabilities", "trigger": "package", "action": "STOP", "params": [
                {"name": "package_type", "value": "all"}, {"name": "severity_comparison", "value": ">="},
                {"name": "severity", "value": severity}]}]}],
        "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                      "policy_ids": ["p"], "whitelist_ids": []}]}))
    return path


def test_policy(world, tmp_path):
    world.push()
    policy = bundle(tmp_path, "critical")
    assert world.once(world.ref(), "--policy", policy) == [] and "policy: go" in world.stderr
    world.proxy.set(None)
    world.claims({"curl": {"99.0-r0": ["CVE-2099-0001"]}}, {"CVE-2099-0001": "CRITICAL"})
    changes = world.once(world.ref(), "--policy", policy, code=1)
    assert short(changes) == [("finding-changed", "CVE-2099-0001", True), ("verdict", None, True)]
    assert (changes[1]["verdict"], changes[1]["verdict_before"]) == ("stop", "go") and not world.blobs()
    policy.write_text(policy.read_text().replace('"STOP"', '"WARN"'))
    assert [(c["change"], c["verdict"]) for c in world.once(world.ref(), "--policy", policy)] == [("verdict", "warn")]


def test_posts_survive(world):
    """A receiver that is down gets its messages later, each once, in order, from another run."""
    receiver = Receiver()
    to = ["--post", f"http://127.0.0.1:{receiver.server_port}/<notification_type>"]
    world.push()
    world.once(world.ref(), *to)
    port = receiver.server_port
    receiver.shutdown(), receiver.server_close()
    world.claims({"curl": {"99.0-r0": ["CVE-2099-0001", "CVE-2099-0002"]}})
    world.once(world.ref(), *to, code=1)
    assert "could not be posted" in world.stderr
    world.push(curl="99.0-r0")
    receiver = Receiver(port)
    assert short(world.once(world.ref(), *to)) == [
        ("tag-moved", None, False), ("finding-gone", "CVE-2099-0001", False), ("finding-gone", "CVE-2099-0002", False)]
    assert [path.strip("/") for path, _, _ in receiver.got] == ["vuln_update", "tag_update", "vuln_update"]
    assert len({h["Idempotency-Key"] for _, h, _ in receiver.got}) == 3
    first = json.loads(receiver.got[0][2])
    payload = first["data"]["notification_payload"]
    assert payload["subscription_key"] == world.ref() and first["queueId"] == "vuln_update"
    assert [x["CVE_ID"] for x in payload["diff_vulnerability_result"]["added"]] == ["CVE-2099-0002"]
    receiver.shutdown()


def test_formats_of_posts(world):
    slack, events = Receiver(), Receiver()
    forms = [["--name", form, "--post-format", form, "--post", f"http://127.0.0.1:{r.server_port}/"]
             for form, r in (("slack", slack), ("cloudevents", events))]
    image = world.push()
    for form in forms:
        world.once(f"{world.registry.host}/{world.name}:*", *form)
    world.push("2", curl="99.0-r0")
    subprocess.run(["rm", "-r", f"{world.registry.root}/docker/registry/v2/repositories/{world.name}/_manifests/tags/1"],
                   check=True)
    for form in forms:
        assert sorted(c["change"] for c in world.once(f"{world.registry.host}/{world.name}:*", *form)) == [
            "image-gone", "tag-new"]
    words = "\n".join(json.loads(body)["text"] for _, _, body in slack.got)
    assert f"{world.name}:2: a new tag" in words and f"{world.name}:1: gone (its repository" in words
    got = [json.loads(body) for _, _, body in events.got]
    assert {(e["type"], e["subject"].split(":")[-1]) for e in got} == {("kellet.repo_update", "2"), ("kellet.analysis_update", "1")}
    assert next(e for e in got if e["subject"].endswith(":1"))["data"]["imageDigest"] == image.digest
    slack.shutdown(), events.shutdown()


def test_fetches_data(world, kellet, tmp_path):
    upstream = Upstream()
    upstream.files["/"] = b'<a href="v3.18/">v3.18/</a>'
    upstream.files["/v3.18/main.json"] = secdb({"curl": {"99.0-r0": ["CVE-2099-0001"]}}).encode()
    env = {"KELLET_DATA": str(tmp_path / "fetched"), "KELLET_FEED_BASE_URL": upstream.url}
    world.push()

    def once():
        return kellet("watch", "--once", "--sync", "alpine", world.ref(), env=env)
    done = once()
    assert done.returncode == 0 and "now watching" in done.stderr, done.stderr
    upstream.files["/v3.18/main.json"] = secdb({"curl": {"99.0-r0": ["CVE-2099-0001", "CVE-2099-0006"]}}).encode()
    done = once()
    assert done.returncode == 1 and "+ CVE-2099-0006" in done.stdout
    env["KELLET_FEED_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    done = once()
    assert done.returncode == 0 and "the last good ones count" in done.stderr


def test_killed_anywhere(world):
    """Kills at any moment: what is told in the end, over all runs, is each change once."""
    names = [f"k{i}" for i in range(12)]
    for tag in names:
        world.push(tag)
    receiver = Receiver()
    arguments = [world.registry.host + f"/{world.name}:*", "--post", f"http://127.0.0.1:{receiver.server_port}/x"]
    world.once(*arguments)
    told = []
    for change in range(4):
        cves = [f"CVE-2099-{100 + n:04}" for n in range(change + 1)]
        world.claims({"curl": {"99.0-r0": ["CVE-2099-0001", *cves]}})
        for n in range(4):
            p = subprocess.Popen([world.binary, "watch", "--once", "--no-sync", "-o", "json", *arguments],
                                 env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            threading.Timer(0.02 + 0.05 * n, p.send_signal, (signal.SIGKILL,)).start()
            told += p.communicate(timeout=60)[0].splitlines()
    done = world.kellet("watch", "--once", "--no-sync", "-o", "json", *arguments)
    told += done.stdout.splitlines()
    lines = {json.loads(line)["id"]: json.loads(line) for line in told}
    assert sorted((c["image"].split(":")[-1], c["vulnerability"]) for c in lines.values()) == sorted(
        (tag, f"CVE-2099-{100 + n:04}") for tag in names for n in range(4))
    posted = {}
    for _, headers, body in receiver.got:
        posted.setdefault(headers["Idempotency-Key"], json.loads(body)["data"]["notification_payload"])
    assert sorted((p["subscription_key"].split(":")[-1], x["CVE_ID"]) for p in posted.values()
                  for x in p["diff_vulnerability_result"]["added"]) == sorted(
        (tag, f"CVE-2099-{100 + n:04}") for tag in names for n in range(4))
    receiver.shutdown()


def test_goes_on(world, tmp_path):
    """Without --once: newer data and moved tags are told while it runs; SIGTERM ends it; one at a time."""
    world.push()
    p = subprocess.Popen([world.binary, "watch", "--no-sync", "--interval", "5", world.ref()], env=world.environment,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    guard = threading.Timer(60, p.kill)
    guard.start()
    try:
        assert "now watching" in p.stderr.readline()
        busy = world.kellet("watch", "--once", "--no-sync", world.ref())
        assert busy.returncode == 5 and "another `kellet watch` is running" in busy.stderr
        world.claims({"curl": {"99.0-r0": ["CVE-2099-0001", "CVE-2099-0002"]}}, {"CVE-2099-0002": "CRITICAL"})
        assert p.stdout.readline() == f"{world.ref()}\n"
        assert p.stdout.readline() == "  + CVE-2099-0002  Critical  curl 8.5.0-r0  fixed in 99.0-r0\n"
        world.push(curl="99.0-r0")
        assert p.stdout.readline() == f"{world.ref()}\n"
        assert p.stdout.readline().startswith("  > the tag has moved from sha256:")
        p.send_signal(signal.SIGTERM)
        rest = p.stdout.read()
        assert p.wait(20) == 0 and rest.count("no longer affected") == 2, (rest, p.stderr.read())
    finally:
        guard.cancel()
        p.kill()


def test_a_hanging_registry_holds_up_nobody(world):
    class Hanging(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            time.sleep(60)

        do_GET = do_HEAD

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.push()
    world.once()
    world.push(curl="99.0-r0")
    p = subprocess.Popen([world.binary, "watch", "--once", "--no-sync", f"127.0.0.1:{server.server_port}/x:1", world.ref()],
                         env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    guard = threading.Timer(60, p.kill)
    guard.start()
    try:
        assert p.stdout.readline() == f"{world.ref()}\n", "told while the other one hangs"
        p.send_signal(signal.SIGINT)
        assert p.wait(20) == 5
    finally:
        guard.cancel()
        p.kill()
        server.shutdown()


@pytest.mark.parametrize("arguments, text", [
    ([], "watch what?"),
    (["docker-archive:x.tar"], "only images of registries"),
    (["UPPER/case"], "UPPER/case"),
    (["*/x:1"], "begins with its registry"),
    (["a.example/x", "--post", "ftp://x"], "--post takes a URL"),
    (["a.example/x", "--post", "http://x", "--post-format", "poem"], "--post-format takes"),
    (["a.example/x", "-o", "table"], "text or json"),
    (["a.example/x", "--min-severity", "bad"], "--min-severity takes"),
    (["a.example/x", "--name", "../x"], "--name takes"),
    (["a.example/x", "--interval", "1"], "at least 5 seconds"),
    (["a.example/x", "-f", "/nonexistent"], "/nonexistent"),
    (["a.example/x", "b.example/x", "--username", "me", "--password-stdin"], "for one registry"),
])
def test_usage(kellet, arguments, text):
    done = kellet("watch", "--once", "--no-sync", *arguments, stdin="pw\n")
    assert done.returncode == 2 and text in done.stderr, (done.returncode, done.stderr)


def test_bad_line_is_named(kellet, tmp_path):
    (tmp_path / "f").write_text("# x\nalpine\nNo Such\n")
    done = kellet("watch", "--once", "--no-sync", "-f", tmp_path / "f")
    assert done.returncode == 2 and "f, line 3" in done.stderr

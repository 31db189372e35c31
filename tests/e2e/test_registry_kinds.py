"""Registries as the known kinds of them behave: how they ask for a login, what their token servers want and give, how they
hand out layers, how they limit. Stand-ins on the loopback, each a row of a table; the hosts are made up."""
import base64
import json
import time
import urllib.parse

import pytest

import engines
from registries import OCI_MANIFEST, Image, Quiet, apk_files, serve

IMAGE = Image(apk_files({"musl": "1.2.4-r2", "busybox": "1.36.1-r7"}), {"opt/big": "x" * 200_000})
PACKAGES = {"musl", "busybox"}
KEY_FILE = json.dumps({"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nAB+/=\n-----END PRIVATE KEY-----\n",
                       "client_email": "reader@project.example"}, indent=2)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class StandIn:
    """One registry with one image under every name, and where layers are kept, on a second port."""

    def __init__(self, kind):
        self.kind, self.seen, self.stored, self.granted = kind, [], [], 0
        outer = self

        class Handler(Quiet):
            def do_HEAD(self):
                self.do_GET()

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
                outer.handle(self, form)

            def do_GET(self):
                outer.handle(self, None)

        class Storage(Quiet):
            def do_GET(self):
                outer.stored.append(dict(self.headers))
                digest = urllib.parse.urlsplit(self.path).path.rpartition("/")[2]
                self.answer(200, IMAGE.blobs[digest], {"Content-Type": "application/octet-stream"})

        self.server, self.storage = serve(Handler), serve(Storage)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"

    def stop(self):
        for server in (self.server, self.storage):
            server.shutdown()
            server.server_close()

    def handle(self, h, form):
        path, _, query = h.path.partition("?")
        given = h.headers.get("Authorization")
        self.seen.append((h.command, h.path, given))
        if path == self.kind.get("token_path"):
            return self.token(h, dict(urllib.parse.parse_qsl(query)) if form is None else form, given)
        limited = self.kind.get("limited")
        if limited and limited(self, h):
            return None
        if not self.kind.get("may", lambda s, given: True)(self, given):
            repository = path.removeprefix("/v2/").rpartition("/manifests/")[0].rpartition("/blobs/")[0] or \
                path.removeprefix("/v2/").rpartition("/manifests/")[0]
            return h.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', {
                "WWW-Authenticate": self.kind["challenge"].format(base=f"http://{self.host}", repository=repository),
                "Content-Type": "application/json"})
        return self.serve(h, path)

    def token(self, h, asked, given):
        status, answer = self.kind["token"](self, asked, given)
        self.granted += status == 200
        return h.answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def serve(self, h, path):
        extra = self.kind.get("headers", {})
        if path in ("/v2/", "/v2"):
            return h.answer(200, b"{}", extra)
        if "/manifests/" in path:
            head = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": IMAGE.digest, **extra}
            for name in self.kind.get("without", ()):
                head.pop(name)
            return h.answer(200, IMAGE.manifest, head)
        digest = path.rpartition("/")[2]
        if digest not in IMAGE.blobs:
            return h.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"unknown"}]}')
        where = self.kind.get("stored")
        if where == "elsewhere":
            return h.answer(307, b"", {"Location": f"http://localhost:{self.storage.server_address[1]}/store/{digest}?signature=abc"})
        if where == "relative" and not path.startswith("/downloads/"):
            return h.answer(302, b"", {"Location": f"/downloads/{digest}"})
        return h.answer(200, IMAGE.blobs[digest], {"Content-Type": "application/octet-stream"})


def bearer(token):
    return lambda s, given: given == f"Bearer {token}"


def grant(answer, user=None, password=None, check=None):
    """A token server's answer to whoever logs in with this name; anybody else gets 401."""
    def run(stand_in, asked, given):
        if check and not check(asked):
            return 400, {"details": f"unexpected: {asked}"}
        if user is not None and given != basic(user, password):
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
        return 200, answer
    return run


KINDS = {
    # both names of the token, its life, limits in headers, layers at another host
    "hub": {"challenge": 'Bearer realm="{base}/token",service="registry.hub.example",scope="repository:{repository}:pull"',
            "token_path": "/token", "may": bearer("T1"), "stored": "elsewhere",
            "token": grant({"token": "T1", "access_token": "T1", "expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"},
                           check=lambda q: q.get("service") == "registry.hub.example"),
            "headers": {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "3;w=21600", "docker-ratelimit-source": "192.0.2.1"}},
    # a key file of several lines as the password, a name with underscores, layers behind a relative address
    "cloud artifacts": {"challenge": 'Bearer realm="{base}/v2/token",service="artifacts"', "token_path": "/v2/token", "may": bearer("T2"),
                        "token": grant({"token": "T2", "expires_in": 3600}, "_json_key", KEY_FILE), "login": ("_json_key", KEY_FILE),
                        "stored": "relative"},
    # only access_token in the answer
    "cloud registry": {"challenge": 'Bearer realm="{base}/oauth2/token",service="127.0.0.1",scope="repository:{repository}:metadata_read,pull"',
                       "token_path": "/oauth2/token", "may": bearer("T3"), "stored": "elsewhere",
                       "token": grant({"access_token": "T3"}, "00000000-0000-0000-0000-000000000000", "refresh.me"),
                       "login": ("00000000-0000-0000-0000-000000000000", "refresh.me")},
    # "$" in the robot's name, an empty access_token beside the token
    "harbour": {"challenge": 'Bearer realm="{base}/service/token",service="harbour-registry",scope="repository:{repository}:pull"',
                "token_path": "/service/token", "may": bearer("T4"),
                "token": grant({"token": "T4", "access_token": "", "expires_in": 1800, "issued_at": ""}, "robot$project+reader", "s$cret:'\""),
                "login": ("robot$project+reader", "s$cret:'\""), "headers": {"Set-Cookie": "sid=1; Path=/; HttpOnly"}},
    # "+" in the robot's name, nothing but the token
    "quay-like": {"challenge": 'Bearer realm="{base}/v2/auth",service="127.0.0.1",scope="repository:{repository}:pull"',
                  "token_path": "/v2/auth", "may": bearer("T5"), "token": grant({"token": "T5"}, "org+robot", "ABC"),
                  "login": ("org+robot", "ABC"), "stored": "elsewhere"},
    # an error in the challenge, a token of its own for each scope
    "forge": {"challenge": 'Bearer realm="{base}/jwt/auth",service="container_registry",scope="repository:{repository}:pull",error="invalid_token"',
              "token_path": "/jwt/auth", "may": bearer("T6"), "token": grant({"token": "T6"}, "deploy-token", "gl-1"),
              "login": ("deploy-token", "gl-1")},
    # no life, no digest in the answer to manifests
    "git hosting": {"challenge": 'Bearer realm="{base}/token",service="127.0.0.1",scope="repository:{repository}:pull"', "token_path": "/token",
                    "may": bearer("T7"), "token": grant({"token": "T7"}, "someone", "ghp"), "login": ("someone", "ghp"),
                    "without": ["Docker-Content-Digest"]},
    # two challenges in one field, the basic one first
    "repository manager": {"challenge": 'Basic realm="Realm, of \\"ours\\"", Bearer realm="{base}/api/docker/v2/token",service="127.0.0.1"',
                           "token_path": "/api/docker/v2/token", "may": bearer("T8"), "token": grant({"token": "T8", "expires_in": 1}, "u", "p"),
                           "login": ("u", "p"), "headers": {"X-Repository-Id": "node"}},
    # basic, its name in capitals
    "nexus-like": {"challenge": 'BASIC realm="Repository Manager"', "may": lambda s, given: given == basic("u", "p w"), "login": ("u", "p w")},
    # small letters, no quotes, another order
    "home-made": {"challenge": 'bearer service=home , scope=repository:{repository}:pull ,  realm="{base}/t"', "token_path": "/t",
                  "may": bearer("T9"), "token": grant({"token": "T9"}, check=lambda q: q.get("service") == "home")},
}


@pytest.fixture
def stand_in(request):
    one = StandIn(KINDS[request.param])
    yield one
    one.stop()


def sbom(kellet, reference, *more, **options):
    return kellet("sbom", reference, "-o", "cyclonedx", "--no-cache", *more, **options)


def packages(done):
    assert done.returncode == 0, done.stderr
    return {c["name"] for c in json.loads(done.stdout)["components"] if c["type"] == "library"}


def login_file(tmp_path, stand_in):
    user, password = stand_in.kind["login"]
    where = tmp_path / "docker"
    where.mkdir(exist_ok=True)
    (where / "config.json").write_text(json.dumps({"auths": {stand_in.host: {
        "auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}}))
    return {"DOCKER_CONFIG": str(where)}


@pytest.mark.parametrize("stand_in", KINDS, indirect=True)
def test_images_are_read(kellet, stand_in, tmp_path):
    env = login_file(tmp_path, stand_in) if "login" in stand_in.kind else {}
    assert packages(sbom(kellet, f"{stand_in.host}/group/sub/app:1", env=env)) == PACKAGES
    assert not any("Authorization" in headers for headers in stand_in.stored)
    if "token" in stand_in.kind:  # the password goes to the token server only
        assert stand_in.granted and all((given or "").startswith("Basic ") is False for _, path, given in stand_in.seen
                                        if not path.startswith(stand_in.kind["token_path"]))


@pytest.mark.parametrize("stand_in", [k for k in KINDS if "login" in KINDS[k]], indirect=True)
def test_wrong_logins_are_told(kellet, stand_in, tmp_path):
    done = sbom(kellet, f"{stand_in.host}/group/sub/app:1")
    assert done.returncode == 5 and "log in" in done.stderr
    user, _ = stand_in.kind["login"]
    done = sbom(kellet, f"{stand_in.host}/group/sub/app:1", "--username", user, "--password-stdin", stdin="not-the-one")
    assert done.returncode == 5 and "refused the credentials" in done.stderr and "not-the-one" not in done.stderr


# ---- limits


class Limit:
    """429 for the first `times` requests of manifests."""

    def __init__(self, times, headers, body):
        self.times, self.headers, self.body, self.asked = times, headers, body, []

    def __call__(self, stand_in, h):
        if "/manifests/" not in h.path:
            return False
        self.asked.append(time.monotonic())
        if len(self.asked) > self.times:
            return False
        h.answer(429, self.body, self.headers)
        return True


TOO_MANY = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your unauthenticated pull rate limit."}]}).encode()


def test_a_limit_that_passes(kellet):
    limit = Limit(2, {"Retry-After": "1", "ratelimit-remaining": "0;w=21600"}, TOO_MANY)
    one = StandIn({"limited": limit})
    try:
        assert packages(sbom(kellet, f"{one.host}/app:1")) == PACKAGES
        assert len(limit.asked) >= 3 and all(b - a >= 0.9 for a, b in zip(limit.asked[:2], limit.asked[1:3]))
    finally:
        one.stop()


def test_a_limit_for_hours(kellet):
    limit = Limit(1000, {"Retry-After": "21600", "ratelimit-remaining": "0;w=21600"}, TOO_MANY)
    one = StandIn({"limited": limit})
    try:
        done = sbom(kellet, f"{one.host}/app:1")
        assert done.returncode == 5 and "limits how much may be pulled" in done.stderr
        assert "unauthenticated pull rate limit" in done.stderr and "21600 seconds" in done.stderr
        assert len(limit.asked) <= 2
    finally:
        one.stop()


# ---- the engine's records


@pytest.fixture(scope="module")
def stand_ins():
    made = {name: StandIn(KINDS[name]) for name in ("cloud artifacts", "harbour", "quay-like", "nexus-like")}
    yield made
    for one in made.values():
        one.stop()


def test_records_of_each_kind(engine, stand_ins):
    """docker_v2 records with the names and passwords that these registries give out; one for a group of repositories."""
    client = engine.client
    for name, one in stand_ins.items():
        user, password = one.kind["login"]
        record = f"{one.host}/group/*" if name == "quay-like" else one.host
        body = {"registry": record, "registry_user": user, "registry_pass": password, "registry_type": "docker_v2", "registry_verify": False}
        added = client("POST", "/v1/registries?validate=false", body)
        assert added.status == 200, added
        answer = client("POST", "/v1/images", {"tag": f"{one.host}/group/sub/app:1"})
        assert answer.status == 200, (name, answer)
        assert answer.json[0]["imageDigest"] == IMAGE.digest
    assert client.wait_analyzed(IMAGE.digest)["analysis_status"] == "analyzed"
    found = {p["package"] for p in client.get(f"/v1/images/{IMAGE.digest}/content/os").json["content"]}
    assert found == PACKAGES
    outside = client("POST", "/v1/images", {"tag": f"{stand_ins['quay-like'].host}/another/app:1"})
    assert outside.status != 200  # the record is of group/* alone


def test_mirror_before_the_registry(kellet_binary, tmp_path):
    """docker.io comes from a stand-in on this machine, with the login of that one's own record."""
    one = StandIn(KINDS["harbour"])
    engine = engines.Engine(kellet_binary, tmp_path / "engine", more={**engines.MORE, "catalog": "    cycle_timers: {image_gc: -1}\n"},
                            extra=f"registry_mirrors: {{docker.io: '{one.host}/proxy'}}")
    try:
        user, password = one.kind["login"]
        assert engine.client("POST", "/v1/registries?validate=false", {
            "registry": one.host, "registry_user": user, "registry_pass": password, "registry_type": "docker_v2",
            "registry_verify": False}).status == 200
        added = engine.client("POST", "/v1/images", {"tag": "docker.io/library/app:1"})
        assert added.status == 200, added
        assert engine.client.wait_analyzed(IMAGE.digest)["analysis_status"] == "analyzed"
        assert {d["fulltag"] for d in engine.client.get(f"/v1/images/{IMAGE.digest}").json[0]["image_detail"]} == {"docker.io/library/app:1"}
        assert any("/v2/proxy/library/app/manifests/" in path for _, path, _ in one.seen)
    finally:
        assert engine.stop() == [0]
        one.stop()

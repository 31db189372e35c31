"""Images from real registries: every way to log in, and everything that goes wrong on the way."""
import base64
import json

import pytest

from conftest import IMAGES
from registries import PASSWORD, USER, ConnectProxy

BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def packages(done):
    """Names of the packages in an SBOM; the run must have succeeded."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return {c["name"] for c in json.loads(done.stdout)["components"] if c["type"] == "library"}


def sbom(kellet, reference, *more, **options):
    return kellet("sbom", reference, "-o", "cyclonedx", "--no-cache", *more, **options)


def refused(done, *words):
    """Not scanned, nothing on standard output, and a message that has the words and no secret."""
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr
    assert PASSWORD not in done.stderr and BASIC not in done.stderr
    return done.stderr


def docker_config(tmp_path, config):
    where = tmp_path / "docker-config"
    where.mkdir(exist_ok=True)
    (where / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(where)}


PLAIN = {"musl", "busybox", "curl"}
LAYERS = IMAGES["large"].layers
LARGE = {"musl"}


# ---- open


@pytest.mark.parametrize("name", ["plain:1", "deep/er/plain:1", "plain@" + IMAGES["plain"].digest,
                                  "plain:1@" + IMAGES["plain"].digest])
def test_open(kellet, registry_open, name):
    assert packages(sbom(kellet, f"{registry_open.host}/{name}")) == PLAIN


def test_open_by_name_of_the_host(kellet, registry_open):
    assert packages(sbom(kellet, f"localhost:{registry_open.port}/plain:1", "--plain-http")) == PLAIN


def test_registry_prefix(kellet, registry_open):
    assert packages(sbom(kellet, f"registry:{registry_open.host}/plain:1")) == PLAIN


@pytest.mark.parametrize("platform,name", [("linux/arm64", "only-on-arm"), ("linux/amd64", "only-on-amd")])
def test_platforms(kellet, registry_open, platform, name):
    assert packages(sbom(kellet, f"{registry_open.host}/multi:1", "--platform", platform)) == {name}


def test_missing_platform(kellet, registry_open):
    refused(sbom(kellet, f"{registry_open.host}/multi:1", "--platform", "linux/s390x"), "s390x")


def test_missing_tag_and_repository(kellet, registry_open):
    refused(sbom(kellet, f"{registry_open.host}/plain:nope"), "plain:nope", "does not have it")
    refused(sbom(kellet, f"{registry_open.host}/nope:1"), "nope:1", "does not have it")
    refused(sbom(kellet, f"{registry_open.host}/plain@sha256:" + "0" * 64), "does not have it")


def test_missing_host(kellet):
    refused(sbom(kellet, "registry.invalid/a:1"), "registry.invalid")
    refused(sbom(kellet, "127.0.0.1:1/a:1"), "127.0.0.1")


# ---- basic


def test_basic_by_option(kellet, registry_basic):
    done = sbom(kellet, f"{registry_basic.host}/plain:1", "--username", USER, "--password-stdin", stdin=PASSWORD + "\n")
    assert packages(done) == PLAIN


@pytest.mark.parametrize("key", ["{host}", "http://{host}", "https://{host}/v1/", "https://{host}/v2/", "{host}/plain"])
def test_basic_by_docker_config(kellet, registry_basic, tmp_path, key):
    env = docker_config(tmp_path, {"auths": {key.format(host=registry_basic.host): {"auth": BASIC}}})
    assert packages(sbom(kellet, f"{registry_basic.host}/plain:1", env=env)) == PLAIN


def test_basic_by_podman_login_file(kellet, registry_basic, tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": {registry_basic.host: {"auth": BASIC}}}))
    done = sbom(kellet, f"{registry_basic.host}/plain:1", env={"REGISTRY_AUTH_FILE": str(path)})
    assert packages(done) == PLAIN


@pytest.mark.parametrize("config", [{"credsStore": "kellet-test"}, {"credHelpers": {"HOST": "kellet-test"}}])
def test_basic_by_helper(kellet, registry_basic, tmp_path, config):
    helper = tmp_path / "docker-credential-kellet-test"
    helper.write_text("#!/bin/sh\nread server\n"
                      f"[ \"$server\" = {registry_basic.host} ] || {{ echo credentials not found; exit 1; }}\n"
                      + "echo '" + json.dumps({"Username": USER, "Secret": PASSWORD}) + "'\n")
    helper.chmod(0o755)
    env = docker_config(tmp_path, json.loads(json.dumps(config).replace("HOST", registry_basic.host)))
    env["PATH"] = f"{tmp_path}:/usr/bin:/bin"
    assert packages(sbom(kellet, f"{registry_basic.host}/plain:1", env=env)) == PLAIN


def test_basic_refused(kellet, registry_basic, tmp_path):
    reference = f"{registry_basic.host}/plain:1"
    refused(sbom(kellet, reference), "docker login " + registry_basic.host)
    refused(sbom(kellet, reference, "--username", USER, "--password-stdin", stdin="wrong"), "credentials of " + USER)
    env = docker_config(tmp_path, {"auths": {"127.0.0.1:1": {"auth": BASIC}, "127.0.0.1": {"auth": BASIC}}})
    refused(sbom(kellet, reference, env=env), "docker login")
    env = docker_config(tmp_path, {"credsStore": "is-not-here"})
    refused(sbom(kellet, reference, env=env), "docker-credential-is-not-here")


# ---- tokens


def test_token_anonymous(kellet, registry_token, token_server):
    token_server.seen.clear()
    assert packages(sbom(kellet, f"{registry_token.host}/plain:1")) == PLAIN
    # one token serves manifest, configuration and layers
    assert [s[:2] for s in token_server.seen] == [("GET", None)]


def test_token_with_credentials(kellet, registry_token, token_server, tmp_path):
    env = docker_config(tmp_path, {"auths": {registry_token.host: {"auth": BASIC}}})
    token_server.seen.clear()
    assert packages(sbom(kellet, f"{registry_token.host}/private/plain:1", env=env)) == PLAIN
    method, authorization, query = token_server.seen[0]
    assert (method, authorization) == ("GET", "Basic " + BASIC)
    assert query["scope"] == "repository:private/plain:pull"


def test_token_by_identity_token(kellet, registry_token, token_server, tmp_path):
    env = docker_config(tmp_path, {"auths": {registry_token.host: {"identitytoken": "identity-of-reader"}}})
    token_server.seen.clear()
    assert packages(sbom(kellet, f"{registry_token.host}/private/plain:1", env=env)) == PLAIN
    assert token_server.seen[0][0] == "POST"


def test_token_ready_made(kellet, registry_token, token_server):
    token = token_server.sign([{"type": "repository", "name": "private/plain", "actions": ["pull"]}])
    assert packages(sbom(kellet, f"{registry_token.host}/private/plain:1", "--token", token)) == PLAIN
    refused(sbom(kellet, f"{registry_token.host}/private/plain:1", "--token", "x.y.z"), "refused the token")


def test_token_refused(kellet, registry_token, tmp_path):
    reference = f"{registry_token.host}/private/plain:1"
    refused(sbom(kellet, reference), "docker login")
    wrong = base64.b64encode(b"reader:wrong").decode()
    env = docker_config(tmp_path, {"auths": {registry_token.host: {"auth": wrong}}})
    refused(sbom(kellet, reference, env=env), "credentials of reader")


# ---- TLS


def test_tls(kellet, registry_tls, certificates):
    reference = f"localhost:{registry_tls.port}/plain:1"
    refused(sbom(kellet, reference), "certificate", "not trusted")
    assert packages(sbom(kellet, reference, "--ca-cert", certificates / "ca.pem")) == PLAIN
    assert packages(sbom(kellet, reference, "--insecure")) == PLAIN
    assert packages(sbom(kellet, reference, env={"SSL_CERT_FILE": str(certificates / "ca.pem")})) == PLAIN
    refused(sbom(kellet, reference, "--ca-cert", "/nonexistent"), "/nonexistent")
    refused(sbom(kellet, reference, "--plain-http"))


def test_http2(kellet, registry_http2, certificates):
    reference = f"localhost:{registry_http2.port}/large:1"
    assert packages(sbom(kellet, reference, "--ca-cert", certificates / "ca.pem")) == LARGE
    log = registry_http2.access_log.read_text()
    assert "HTTP/2.0" in log and "HTTP/1" not in log
    refused(sbom(kellet, f"localhost:{registry_http2.port}/large:nope", "--insecure"), "does not have it")


def test_tunnel_of_the_company(kellet, registry_tls, certificates):
    """https_proxy with CONNECT, with and without a login."""
    login = "Basic " + base64.b64encode(b"clerk:hunter2").decode()
    proxy = ConnectProxy(registry_tls.port, wants=login)
    done = sbom(kellet, "registry.invalid/plain:1", "--insecure",
                env={"https_proxy": f"http://clerk:hunter2@{proxy.address}"})
    assert packages(done) == PLAIN
    assert set(proxy.seen) == {"registry.invalid:443"}
    refused(sbom(kellet, "registry.invalid/plain:1", env={"https_proxy": f"http://{proxy.address}"}),
            "proxy wants a login")
    text = refused(sbom(kellet, "registry.invalid/plain:1", env={"https_proxy": f"http://clerk:hunter3@{proxy.address}"}),
                   "proxy wants a login")
    assert "hunter" not in text
    # what the environment excepts does not go there
    proxy.seen.clear()
    refused(sbom(kellet, "registry.invalid/plain:1",
                 env={"https_proxy": f"http://{proxy.address}", "no_proxy": ".invalid"}), "registry.invalid")
    assert proxy.seen == []


# ---- what goes wrong on the way


def is_manifest(path):
    return "/manifests/" in path


def is_layer(path):
    return any(path.endswith(layer) for layer in LAYERS)


def status(code, body=b"", headers=None):
    return lambda handler, real: handler.answer(code, body, headers)


def oci_error(message):
    return json.dumps({"errors": [{"code": "X", "message": message}]}).encode()


@pytest.mark.parametrize("code,words", [
    (401, ["docker login"]), (403, ["docker login"]), (404, ["does not have it"]),
    (429, ["limits how much may be pulled", "log in", "the limit of today", "7200 seconds"]), (500, ["try again later"]),
    (503, ["try again later"]), (418, ["418"])])
@pytest.mark.parametrize("which", [is_manifest, is_layer])
def test_statuses_that_stay(kellet, failing_proxy, code, words, which):
    failing_proxy.set(lambda path, headers, nth: which(path) and status(
        code, oci_error("the limit of today"), {"Retry-After": "7200"}))
    refused(sbom(kellet, f"{failing_proxy.host}/large:1"), *words)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_statuses_that_pass(kellet, failing_proxy, code):
    failing_proxy.set(lambda path, headers, nth: nth == 1 and status(code, b"", {"Retry-After": "0"}))
    assert packages(sbom(kellet, f"{failing_proxy.host}/large:1")) == LARGE


def cut(bytes_sent):
    """Sends a part of the body only."""
    def act(handler, real):
        code, headers, body = real
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:bytes_sent])
        handler.close_connection = True
    return act


def test_layers_that_break_off_are_resumed(kellet, failing_proxy):
    failing_proxy.set(lambda path, headers, nth: is_layer(path) and cut(1 << 20))
    assert packages(sbom(kellet, f"{failing_proxy.host}/large:1")) == LARGE
    ranges = [h.get("Range") for p, h in failing_proxy.seen if p.endswith(LAYERS[1])]
    assert ranges[:3] == [None, "bytes=1048576-", "bytes=2097152-"]


def test_layers_that_always_break_off(kellet, failing_proxy):
    failing_proxy.set(lambda path, headers, nth: is_layer(path) and cut(0))
    refused(sbom(kellet, f"{failing_proxy.host}/large:1"))


@pytest.mark.parametrize("what", ["manifest", "layer", "config"])
def test_wrong_bytes(kellet, failing_proxy, what):
    """Whoever is in between cannot change an image that is asked for by digest, nor its parts."""
    def rule(path, headers, nth):
        hit = is_manifest(path) if what == "manifest" else "/blobs/" in path and is_layer(path) == (what == "layer")
        if not hit:
            return None

        def act(handler, real):
            code, h, body = real
            middle = len(body) // 2
            handler.answer(code, body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:], h)
        return act
    failing_proxy.set(rule)
    done = sbom(kellet, f"{failing_proxy.host}/large@{IMAGES['large'].digest}")
    assert done.returncode == 5, (done.returncode, done.stderr, done.stdout[:300])
    assert "does not match" in done.stderr or "sha256:" in done.stderr


def test_too_many_bytes(kellet, failing_proxy):
    failing_proxy.set(lambda path, headers, nth: is_layer(path) and (
        lambda handler, real: handler.answer(real[0], real[2] + b"x" * 1000, real[1])))
    refused(sbom(kellet, f"{failing_proxy.host}/large:1"))


def test_too_few_bytes(kellet, failing_proxy):
    failing_proxy.set(lambda path, headers, nth: is_layer(path) and (
        lambda handler, real: handler.answer(real[0], real[2][:-10], real[1])))
    refused(sbom(kellet, f"{failing_proxy.host}/large:1"))


def test_circle(kellet, failing_proxy):
    failing_proxy.set(lambda path, headers, nth: is_layer(path.split("?")[0]) and status(
        307, b"", {"Location": path}))
    refused(sbom(kellet, f"{failing_proxy.host}/large:1"), "circle")


def test_storage_host(kellet, failing_proxy, registry_open, registry_basic, tmp_path):
    """Layers live elsewhere, as with most registries; the credentials do not travel there."""
    other = f"http://localhost:{failing_proxy.port}"

    def rule(path, headers, nth):
        if is_layer(path) and headers["Host"].startswith("127."):
            return status(307, b"", {"Location": other + path + "?sig=1"})
        return None
    failing_proxy.set(rule)
    done = sbom(kellet, f"{failing_proxy.host}/large:1", "--token", "made-up")
    assert packages(done) == LARGE
    stored = [h for p, h in failing_proxy.seen if h["Host"].startswith("localhost")]
    assert stored and not any("Authorization" in h for h in stored)
    asked = [h for p, h in failing_proxy.seen if h["Host"].startswith("127.")]
    assert all(h.get("Authorization") == "Bearer made-up" for h in asked)


def test_storage_host_refuses(kellet, failing_proxy):
    other = f"http://localhost:{failing_proxy.port}"
    failing_proxy.set(lambda path, headers, nth: is_layer(path.split("?")[0]) and (
        status(307, b"", {"Location": other + path + "?sig=hunter2"}) if headers["Host"].startswith("127.")
        else status(403, b"<Error>expired</Error>")))
    assert "hunter2" not in refused(sbom(kellet, f"{failing_proxy.host}/large:1"), "localhost", "403")


def test_not_a_registry(kellet, failing_proxy):
    failing_proxy.set(lambda path, headers, nth: status(200, b"<html>Please log in to the hotel's network</html>",
                                                        {"Content-Type": "text/html"}))
    refused(sbom(kellet, f"{failing_proxy.host}/large:1"))


def test_proxy_of_the_company(kellet, failing_proxy, registry_open):
    """http_proxy is used for names that are not this machine's, and its refusal is told."""
    done = sbom(kellet, "registry.invalid/plain:1", "--plain-http",
                env={"http_proxy": f"http://127.0.0.1:{registry_open.port}"})
    # docker-registry is no proxy, but it answers a request in absolute form
    assert packages(done) == PLAIN
    done = sbom(kellet, "registry.invalid/plain:1", env={"https_proxy": "http://user:hunter2@127.0.0.1:1"})
    assert "hunter2" not in refused(done, "127.0.0.1")


# ---- engines


def test_podman(kellet, podman_socket):
    env = {"CONTAINER_HOST": f"unix://{podman_socket}"}
    assert packages(sbom(kellet, "podman:localhost/kellet-test:1", env=env)) == PLAIN
    assert packages(sbom(kellet, "localhost/kellet-test:1", env=env)) == PLAIN
    refused(sbom(kellet, "podman:localhost/nope:1", env=env), "nope")


def test_podman_speaks_for_docker(kellet, podman_socket):
    env = {"DOCKER_HOST": f"unix://{podman_socket}"}
    assert packages(sbom(kellet, "docker:localhost/kellet-test:1", env=env)) == PLAIN

"""The webhooks of Kubernetes over HTTP: AdmissionReviews as API servers send them, judged by each mode; digests pinned; bad
reviews; settings and certificates that change."""
import base64
import json
import socket
import ssl
import subprocess
import time
import uuid

import pytest

import engines
from conftest import need
from registries import Image, apk_files, push

POLICY = "admission-tests"
BUNDLE = {
    "id": POLICY, "name": "of the tests", "version": "1_0", "whitelists": [], "whitelisted_images": [], "blacklisted_images": [],
    "policies": [
        {"id": "stop", "name": "stop", "version": "1_0", "rules": [
            {"id": "r1", "gate": "always", "trigger": "always", "action": "STOP", "params": []}]},
        {"id": "go", "name": "go", "version": "1_0", "rules": []}],
    "mappings": [
        {"id": "m1", "name": "bad", "registry": "*", "repository": "adm/bad", "image": {"type": "tag", "value": "*"},
         "policy_ids": ["stop"], "whitelist_ids": []},
        {"id": "m2", "name": "rest", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
         "policy_ids": ["go"], "whitelist_ids": []}]}
SETTINGS = """\
    admission:
      validator: {requestAnalysis: true}
      deadlineSeconds: 8
      policySelectors:
      - {selector: {resourceType: namespace, selectorKeyRegex: name, selectorValueRegex: '^free$'},
         policyReference: {username: admin}, mode: breakglass}
      - {selector: {resourceType: namespace, selectorKeyRegex: name, selectorValueRegex: '^seen$'},
         policyReference: {username: admin}, mode: analysis}
      - {selector: {resourceType: namespace, selectorKeyRegex: '^(example.com/)?env$', selectorValueRegex: '^trial$'},
         policyReference: {username: admin}, mode: breakglass}
      - {selector: {resourceType: resource, selectorKeyRegex: '^team$', selectorValueRegex: '^other$'},
         policyReference: {username: nobody}, mode: analysis}
      - {selector: {resourceType: resource, selectorKeyRegex: '^bundle$', selectorValueRegex: '^gone$'},
         policyReference: {username: admin, policyBundleId: no-such-bundle}, mode: policy}
      - {selector: {resourceType: namespace, selectorKeyRegex: name, selectorValueRegex: '^strict$'},
         policyReference: {username: admin}, mode: policy}
"""


def wrap(kind, pod):
    template = {"template": {"spec": pod}}
    return {"Pod": pod, "CronJob": {"jobTemplate": {"spec": template}}}.get(kind, template)


KINDS = ("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")


def review(*images, kind="Pod", namespace="strict", labels=None, operation="CREATE", old=None, where="containers", **request):
    pod = {"containers": [], where: [{"name": f"c{i}", "image": image} for i, image in enumerate(images)]}
    if not pod["containers"]:
        del pod["containers"]
    made = {"metadata": {"name": "web", "namespace": namespace, "labels": labels or {}}, "spec": wrap(kind, pod)}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": str(uuid.uuid4()), "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": kind.lower() + "s"}, "name": "web", "namespace": namespace,
        "operation": operation, "userInfo": {"username": "someone", "groups": ["system:authenticated"]}, "object": made,
        "oldObject": old, "dryRun": False, "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}, **request}}


class Hook:
    def __init__(self, port):
        self.client = engines.Client(port)

    def raw(self, body, path="/v1/admission?timeout=10s", **headers):
        return self.client("POST", path, body, {"Content-Type": "application/json", "Authorization": "", **headers})

    def __call__(self, asked, path="/v1/admission?timeout=10s"):
        answer = self.raw(json.dumps(asked).encode(), path)
        assert answer.status == 200, answer
        assert answer.json["kind"] == "AdmissionReview" and answer.json["apiVersion"] == asked["apiVersion"]
        response = answer.json["response"]
        assert response["uid"] == asked["request"]["uid"]
        if not response["allowed"]:
            assert response["status"]["message"]
        return response


def refusal(response):
    assert response["allowed"] is False, response
    return response["status"]["message"]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def fleet(request, kellet_binary, tmp_path_factory):
    """On PostgreSQL each service is a process of its own, so that the policy engine is asked over HTTP."""
    split, database = request.param == "postgres", None
    if split:
        database = request.getfixturevalue("postgres").database("t_admission")
    more = {**engines.MORE, "kubernetes_webhook": SETTINGS, "catalog": "    cycle_timers: {image_gc: -1}\n"}
    one = engines.Engine(kellet_binary, tmp_path_factory.mktemp("admission"), database, split=split, more=more)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def hook(fleet):
    return Hook(fleet.port("kubernetes_webhook"))


@pytest.fixture(scope="module")
def images(fleet, registry_open):
    """Two images that are analysed, one that the policy stops: {name: (reference, digest)}."""
    base, out = apk_files({"musl": "1.2.4-r2"}), {}
    for name in ("good", "bad"):
        image = Image(base, {"etc/motd": f"{name}\n".encode()})
        push(registry_open.port, f"adm/{name}", "1", image)
        out[name] = f"127.0.0.1:{registry_open.port}/adm/{name}:1", image.digest
        assert fleet.client("POST", "/v1/images", {"tag": out[name][0]}).status == 200
    for _, digest in out.values():
        assert fleet.client.wait_analyzed(digest)["analysis_status"] == "analyzed"
    assert fleet.client("POST", "/v1/policies", BUNDLE).status == 200
    record = fleet.client.get(f"/v1/policies/{POLICY}", detail="true").json[0]
    assert fleet.client("PUT", f"/v1/policies/{POLICY}?active=true", {**record, "active": True}).status == 200
    return out


@pytest.fixture(scope="module")
def judged(fleet, images):
    """The images, where the engine evaluates policies."""
    if fleet.client.get(f"/v1/images/{images['good'][1]}/check", tag=images["good"][0]).status == 501:
        pytest.skip("this build has no policy evaluation")
    return images


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_judged(hook, judged, kind):
    assert hook(review(judged["good"][0], kind=kind))["allowed"] is True
    message = refusal(hook(review(judged["good"][0], judged["bad"][0], kind=kind)))
    assert judged["bad"][0] in message and judged["good"][0] not in message and judged["bad"][1] in message
    assert "failed the checks" in message


@pytest.mark.parametrize("where", ["initContainers", "ephemeralContainers"])
def test_no_container_gets_by(hook, judged, where):
    assert "failed the checks" in refusal(hook(review(judged["bad"][0], where=where)))
    assert hook(review(judged["good"][0], where=where))["allowed"] is True


def test_by_digest(hook, judged):
    name, digest = judged["bad"]
    assert digest in refusal(hook(review(f"{name.rpartition(':')[0]}@{digest}")))
    assert digest in refusal(hook(review(f"{name}@{digest}")))
    good, digest = judged["good"]
    assert hook(review(f"{good.rpartition(':')[0]}@{digest}"))["allowed"] is True


def test_a_bundle_that_is_not_there(hook, judged):
    message = refusal(hook(review(judged["good"][0], labels={"bundle": "gone"}, namespace="x")))
    assert "no verdict" in message and "no-such-bundle" in message


def test_analysis_is_enough(hook, images):
    assert hook(review(images["bad"][0], namespace="seen"))["allowed"] is True
    assert "not known" in refusal(hook(review("127.0.0.1:1/none:1", namespace="seen")))


def test_breakglass_allows_and_warns(hook, images):
    response = hook(review("127.0.0.1:1/none:2", images["bad"][0], namespace="free"))
    assert response["allowed"] is True and len(response["warnings"]) == 1
    assert "127.0.0.1:1/none:2" in response["warnings"][0] and "not known" in response["warnings"][0]


def test_what_no_selector_fits_is_allowed(hook):
    assert hook(review("anything:1", namespace="elsewhere"))["allowed"] is True


def test_a_user_that_is_not_there(hook):
    assert 'there is no user "nobody"' in refusal(hook(review("a:1", labels={"team": "other"}, namespace="x")))


def test_what_runs_already_is_not_asked_about(hook, images):
    """A change that brings no new image (a finalizer, a status) goes through whatever has become of the image."""
    old = review("127.0.0.1:1/none:1")["request"]["object"]
    assert hook(review("127.0.0.1:1/none:1", operation="UPDATE", old=old))["allowed"] is True
    assert "none:3" in refusal(hook(review("127.0.0.1:1/none:1", "127.0.0.1:1/none:3", operation="UPDATE", old=old)))
    assert hook(review("127.0.0.1:1/none:1", operation="DELETE", object=None))["allowed"] is True


def test_other_kinds_pass(hook):
    assert hook(review(kind="ConfigMap", object={"metadata": {}, "data": {}}))["allowed"] is True


def test_an_unknown_image_is_asked_for_and_then_known(fleet, hook, registry_open):
    image = Image(apk_files({"musl": "1.2.4-r2"}), {"etc/motd": b"asked for by the webhook\n"})
    push(registry_open.port, "adm/new", "1", image)
    name = f"127.0.0.1:{registry_open.port}/adm/new:1"
    dry = review(name, namespace="seen", dryRun=True)
    assert "asked for" not in refusal(hook(dry))
    assert fleet.client.get(f"/v1/images/{image.digest}").status == 404
    assert "its analysis has been asked for" in refusal(hook(review(name, namespace="seen")))
    end = time.monotonic() + 60
    while not hook(review(name, namespace="seen"))["allowed"]:
        assert time.monotonic() < end, fleet.log()
        time.sleep(0.2)
    record = fleet.client.get(f"/v1/images/{image.digest}").json[0]
    assert record["annotations"] == {"requestor": "anchore-admission-controller"}


def test_an_unknown_image_named_by_tag_and_digest(fleet, hook, registry_open):
    image = Image(apk_files({"musl": "1.2.4-r2"}), {"etc/motd": b"asked for by its digest\n"})
    push(registry_open.port, "adm/pinned", "1", image)
    name = f"127.0.0.1:{registry_open.port}/adm/pinned:1@{image.digest}"
    assert "its analysis has been asked for" in refusal(hook(review(name, namespace="seen")))
    end = time.monotonic() + 60
    while not hook(review(name, namespace="seen"))["allowed"]:
        assert time.monotonic() < end, fleet.log()
        time.sleep(0.2)


def test_an_unknown_image_named_by_its_digest_alone(fleet, hook, registry_open):
    image = Image(apk_files({"musl": "1.2.4-r2"}), {"etc/motd": b"of a digest and no tag\n"})
    push(registry_open.port, "adm/bare", "1", image)
    name = f"127.0.0.1:{registry_open.port}/adm/bare@{image.digest}"
    assert "its analysis has been asked for" in refusal(hook(review(name, namespace="seen")))
    end = time.monotonic() + 60
    while not hook(review(name, namespace="seen"))["allowed"]:
        assert time.monotonic() < end, fleet.log()
        time.sleep(0.2)
    record = fleet.client.get(f"/v1/images/{image.digest}").json[0]
    assert [d["fulltag"] for d in record["image_detail"]] == [
        f"127.0.0.1:{registry_open.port}/adm/bare:untagged-{image.digest.partition(':')[2]}"]
    assert hook(review(name))["allowed"] is True  # and by its policy
    assert "asked for" in refusal(hook(review(f"127.0.0.1:{registry_open.port}/adm/none@sha256:{'0' * 64}", namespace="seen")))


@pytest.mark.parametrize("path, allowed", [
    ("/v1/admission/namespace/env/trial", True), ("/v1/admission/namespace/example.com/env/trial", True),
    ("/v1/admission/namespace/env/prod", False), ("/v1/admission/namespace/trial/env", False), ("/v1/admission", False)])
def test_namespaces_by_their_labels(hook, path, allowed):
    """The label that the webhook's configuration has chosen the namespace by."""
    assert hook(review("127.0.0.1:1/none:5"), path)["allowed"] is allowed
    assert "patch" not in hook(review("127.0.0.1:1/none:5"), path.replace("admission", "admission/mutate"))


def test_pinned_to_digests(hook, images):
    (good, digest), (bad, bad_digest) = images["good"], images["bad"]
    asked = review(good, "127.0.0.1:1/none:9", f"{bad}@{bad_digest}", bad, kind="CronJob", namespace="free")
    response = hook(asked, "/v1/admission/mutate")
    assert response["allowed"] is True and response["patchType"] == "JSONPatch"
    base = "/spec/jobTemplate/spec/template/spec/containers"
    assert json.loads(base64.b64decode(response["patch"])) == [
        {"op": "replace", "path": f"{base}/0/image", "value": f"{good}@{digest}"},
        {"op": "replace", "path": f"{base}/3/image", "value": f"{bad}@{bad_digest}"}]
    assert len(response["warnings"]) == 1 and "none:9" in response["warnings"][0]
    assert "patch" not in hook(review(f"{good}@{digest}"), "/v1/admission/mutate")


def test_v1beta1_is_answered_in_kind(hook):
    asked = review("a:1", namespace="elsewhere")
    asked["apiVersion"] = "admission.k8s.io/v1beta1"
    assert hook(asked)["allowed"] is True


@pytest.mark.parametrize("body, status", [
    (b"", 400), (b"no JSON", 400), (b"{}", 400), (b"[]", 400), (b"null", 400), (b"[" * 100_000, 400),
    (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": null}', 400),
    (json.dumps({**review("a"), "apiVersion": "admission.k8s.io/v9"}).encode(), 400),
    (json.dumps(review("a")).encode()[:-20], 400),
    (json.dumps(review(*(f"a:{i}" for i in range(600)))).encode(), 400),
    (b'{"a": "' + b"x" * (17 << 20) + b'"}', 413),
], ids=range(11))
def test_bad_reviews(hook, body, status):
    for path in ("/v1/admission", "/v1/admission/mutate"):
        answer = hook.raw(body, path)
        assert answer.status == status and answer.json["status"] == status and answer.json["detail"], answer


def test_a_large_review_is_judged(hook):
    asked = review("127.0.0.1:1/none:1")
    asked["request"]["object"]["metadata"]["annotations"] = {f"k{i}": "v" * 1000 for i in range(1000)}
    assert "not known" in refusal(hook(asked))


def test_strange_timeouts_do_no_harm(hook):
    for timeout in ("1s", "0s", "10", "s", "-5s", "99999999999999999999s", "5m"):
        assert hook(review("a:1", namespace="elsewhere"), f"/v1/admission?timeout={timeout}")["allowed"] is True


def test_get_is_not_allowed(hook):
    assert hook.client("GET", "/v1/admission").status == 405


# ---- an engine whose policy engine does not answer; settings of a file


def config_file(tmp_path, **settings):
    path = tmp_path / "admission.json"
    fresh = tmp_path / "fresh.json"
    fresh.write_text(json.dumps(settings))
    fresh.rename(path)
    return path


SELECT_ALL = {"Selector": {"ResourceType": "image", "SelectorKeyRegex": ".*", "SelectorValueRegex": ".*"},
              "PolicyReference": {"Username": "admin", "PolicyBundleId": POLICY}}


def start(kellet_binary, tmp_path, section, services=("kubernetes_webhook", "apiext", "catalog", "analyzer"), **options):
    return engines.Engine(kellet_binary, tmp_path / "engine", services=services,
                          more={"kubernetes_webhook": section, "catalog": "    cycle_timers: {image_gc: -1}\n"}, **options)


def test_the_file_is_read_again(kellet_binary, tmp_path):
    path = config_file(tmp_path, Validator={"RequestAnalysis": False}, PolicySelectors=[{**SELECT_ALL, "Mode": "breakglass"}])
    engine = start(kellet_binary, tmp_path, f"    admission: {{configFile: '{path}'}}\n", services=engines.SERVICES)
    try:
        hook = Hook(engine.port("kubernetes_webhook"))
        assert hook(review("a:1"))["allowed"] is True
        config_file(tmp_path, PolicySelectors=[{**SELECT_ALL, "Mode": "strictly"}])
        end = time.monotonic() + 30
        while "settings remain as they were" not in engine.log():
            assert hook(review("a:1"))["allowed"] is True
            assert time.monotonic() < end
            time.sleep(0.1)
        config_file(tmp_path, PolicySelectors=[{**SELECT_ALL, "Mode": "analysis"}], Validator={"RequestAnalysis": False},
                    digests="require")
        end = time.monotonic() + 30
        while hook(review("a:1"))["allowed"]:
            assert time.monotonic() < end
            time.sleep(0.1)
        message = refusal(hook(review("a:1")))
        assert "not known" in message and "asked for" not in message and "must be named by its digest" in message
    finally:
        engine.stop()


@pytest.mark.parametrize("on_error", ["allow", "deny"])
def test_without_a_policy_engine(kellet_binary, tmp_path, registry_open, on_error):
    """Its address is a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = start(kellet_binary, tmp_path, f"    admission: {{onError: {on_error}, deadlineSeconds: 1}}\n",
                       services=("kubernetes_webhook", "apiext", "catalog", "simplequeue", "analyzer"),
                       extra=f"policy_engine_endpoint: 'http://127.0.0.1:{port}/v1'")
        try:
            name = f"127.0.0.1:{registry_open.port}/plain:1"
            digest = engine.client("POST", "/v1/images", {"tag": name}).json[0]["imageDigest"]
            assert engine.client.wait_analyzed(digest)["analysis_status"] == "analyzed"
            response = Hook(engine.port("kubernetes_webhook"))(review(name))
            assert response["allowed"] is (on_error == "allow")
            said = response["warnings"][0] if response["allowed"] else response["status"]["message"]
            assert said == "kellet could not judge the images in time"
        finally:
            assert engine.stop() == [0]  # nobody waits for that port any longer


@pytest.mark.parametrize("section, said", [
    ("{policySelectors: 3}", "policySelectors must be a list"),
    ("{deadlineSeconds: 30}", "deadlineSeconds must be a number from 1 to 9"),
    ("{policySelectors: [{selector: {selectorValueRegex: '(('}}]}", "selectorValueRegex"),
    ("{configFile: /nonexistent/admission.json}", "/nonexistent/admission.json"),
])
def test_wrong_settings_are_found_before_the_start(kellet_binary, tmp_path, section, said):
    """By --check-config, and by a process that has this service; another one goes on."""
    (tmp_path / "config.yaml").write_text("credentials: {database: {db_connect: 'sqlite:'}}\n"
                                          f"services:\n  kubernetes_webhook:\n    enabled: true\n    admission: {section}\n"
                                          "  catalog: {enabled: true}\n")
    for service, code in (("kubernetes_webhook", 2), ("catalog", 0)):
        done = subprocess.run([kellet_binary, "serve", "--check-config", "--config", tmp_path, service], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == code and (said in done.stderr) == (code == 2), done.stderr
    with pytest.raises(RuntimeError) as stopped:
        start(kellet_binary, tmp_path, f"    admission: {section}\n")
    assert said in str(stopped.value)


# ---- TLS


def certificate(where, name):
    """A new one in place of the old, as kubelets do it: by renaming."""
    fresh = where / name
    fresh.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", fresh / "tls.key", "-out",
                    fresh / "tls.crt"], check=True, capture_output=True)
    link = where / "link"
    link.symlink_to(fresh)
    link.rename(where / "now")
    return (fresh / "tls.crt").read_text()


def connect(port, trusted):
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    return ssl.create_default_context(cadata=trusted).wrap_socket(plain, server_hostname="localhost")


def ask(connection, asked):
    body = json.dumps(asked).encode()
    connection.sendall(b"POST /v1/admission HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536) or pytest.fail(f"closed after {got}")
    head, _, rest = got.partition(b"\r\n\r\n")
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split(b":")[1])
    while len(rest) < length:
        rest += connection.recv(65536) or pytest.fail("closed in the body")
    return json.loads(rest)["response"]


def test_certificates_are_replaced(kellet_binary, tmp_path):
    need("openssl")
    first = certificate(tmp_path, "first")
    section = (f"    ssl_enable: true\n    ssl_cert: '{tmp_path}/now/tls.crt'\n    ssl_key: '{tmp_path}/now/tls.key'\n"
               "    admission: {policySelectors: []}\n")
    engine = start(kellet_binary, tmp_path, section)
    try:
        port = engine.port("kubernetes_webhook")
        kept = connect(port, first)
        assert ask(kept, review("a:1"))["allowed"] is True
        (tmp_path / "first/tls.key").write_text("no key\n")  # half of a pair: nothing changes
        time.sleep(2.5)
        connect(port, first).close()
        second = certificate(tmp_path, "second")
        end = time.monotonic() + 30
        while True:
            try:
                fresh = connect(port, second)
                break
            except ssl.SSLCertVerificationError:
                assert time.monotonic() < end
                time.sleep(0.2)
        assert ask(fresh, review("a:1"))["allowed"] is True
        assert ask(kept, review("a:1"))["allowed"] is True  # it was there before
        with pytest.raises(ssl.SSLError):
            connect(port, first)
        kept.close()
        third = certificate(tmp_path, "third")
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                connect(port, third).close()
                break
            except ssl.SSLCertVerificationError:
                time.sleep(0.2)
        else:
            pytest.fail("the third certificate is not served")
        assert ask(fresh, review("a:1"))["allowed"] is True
    finally:
        assert engine.stop() == [0]

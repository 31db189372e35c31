"""kellet's webhooks asked by a real kube-apiserver, with kubectl in front: what is admitted, what is refused, and what a
user then reads. The configurations of the webhooks are the chart's own. `script/test kubernetes` makes the programs."""
import json
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
import yaml

import engines
from apiserver import Cluster, image_policy, tool
from conftest import ROOT, need
from registries import Image, apk_files, push
from test_admission import BUNDLE, POLICY, certificate

CHART = ROOT / "deploy/helm/kellet"
NAMESPACES = {"strict": {}, "seen": {}, "free": {}, "pinned": {"pin": "true"}, "exempt": {"exclude.admission.anchore.io": "true"},
              "watched": {"fail": "closed"}, "lenient": {"fail": "open"}, "hurried": {"deadline": "short"},
              "trial": {"stage": "trial"}, "final": {"stage": "final"}, "unstaged": {"labelled": "no"}}
SETTINGS = """\
    ssl_enable: true
    ssl_cert: '{where}/now/tls.crt'
    ssl_key: '{where}/now/tls.key'
    admission:
      validator: {{requestAnalysis: true}}
      onError: {on_error}
      deadlineSeconds: {deadline}
      policySelectors:
      - {{selector: {{resourceType: resource, selectorKeyRegex: '^stage$', selectorValueRegex: '^trial$'}},
         policyReference: {{username: admin}}, mode: breakglass}}
      - {{selector: {{resourceType: namespace, selectorKeyRegex: '^stage$', selectorValueRegex: '^trial$'}},
         policyReference: {{username: admin}}, mode: breakglass}}
      - {{selector: {{resourceType: namespace, selectorKeyRegex: name, selectorValueRegex: '^(free|pinned)$'}},
         policyReference: {{username: admin}}, mode: breakglass}}
      - {{selector: {{resourceType: namespace, selectorKeyRegex: name, selectorValueRegex: '^seen$'}},
         policyReference: {{username: admin}}, mode: analysis}}
      - {{selector: {{resourceType: namespace, selectorKeyRegex: name, selectorValueRegex: '^imagepolicy$'}},
         policyReference: {{username: admin}}, mode: breakglass}}
      - {{selector: {{resourceType: image, selectorValueRegex: '.*'}}, policyReference: {{username: admin}}, mode: policy}}
"""
KINDS = {"Pod": "v1", "ReplicationController": "v1", "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1",
         "DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1"}


def settings(where, on_error="deny", deadline=8):
    return SETTINGS.format(where=where, on_error=on_error, deadline=deadline)


def manifest(kind, name, *images, where="containers", namespace="strict", labels=None, annotations=None):
    """An object of a kind that API servers take, with the images in `where`."""
    pod = {"restartPolicy": "Never" if kind in ("Job", "CronJob") else "Always",
           "containers": [{"name": f"c{i}", "image": image} for i, image in enumerate(images)]}
    if where != "containers":
        pod.update({where: [{"name": f"x{i}", "image": image} for i, image in enumerate(images[1:])]})
        pod["containers"] = pod["containers"][:1]
    marks = {"app": name, **(labels or {})}
    template = {"metadata": {"labels": marks}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind == "Pod":
        spec = pod
    elif kind == "Job":
        spec = {"template": template}
    elif kind == "CronJob":
        spec = {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": template}}}
    elif kind == "ReplicationController":
        spec["selector"] = {"app": name}
    elif kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": KINDS[kind], "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "labels": marks, "annotations": annotations or {}}}


def chart(tmp_path, name, port, trusted, **admission):
    """The chart's webhook configurations, asking the service at a port of this machine instead of one of the cluster's."""
    values = {"fullnameOverride": name, "secrets": {"existingSecret": "given"}, "webhook": {"tls": {"existingSecret": "given"}},
              "admission": {"enabled": True, "caBundle": trusted, **admission}}
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    done = subprocess.run([tool("helm"), "template", name, CHART, "-n", "kellet", "-f", path, "--show-only", "templates/admission.yaml",
                           "--kube-version", "1.34.0"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    for one in made:
        for hook in one["webhooks"]:
            service = hook["clientConfig"].pop("service")
            assert service["port"] == 443 and service["name"] == f"{name}-kubernetes-webhook"
            hook["clientConfig"]["url"] = f"https://localhost:{port}{service['path']}"
    return made


class World:
    """The API servers (`plain`, and `policed` with the plugin ImagePolicyWebhook), the engine and its images."""

    def __init__(self, where, cluster, engine, registry_port):
        self.where, self.cluster, self.engine, self.registry = where, cluster, engine, registry_port
        self.plain, self.policed, self.images, self.trusted = None, None, {}, None

    def kubectl(self, *arguments, stdin=None, namespace=None, server=None):
        return self.cluster.kubectl(server or self.plain, *arguments, stdin=stdin, namespace=namespace)

    def good(self, *arguments, **options):
        done = self.kubectl(*arguments, **options)
        assert done.returncode == 0, f"{done.stderr}\n{self.engine.log()[-3000:]}"
        return done

    def refused(self, *arguments, **options):
        """What kubectl says of it."""
        done = self.kubectl(*arguments, **options)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stderr

    def add_image(self, name, wanted=True):
        image = Image(apk_files({"musl": "1.2.4-r2"}), {"etc/motd": f"{name}\n".encode()})
        push(self.registry, f"adm/{name}", "1", image)
        reference = f"127.0.0.1:{self.registry}/adm/{name}:1"
        if wanted:
            assert self.engine.client("POST", "/v1/images", {"tag": reference}).status == 200
            assert self.engine.client.wait_analyzed(image.digest)["analysis_status"] == "analyzed"
        return SimpleNamespace(name=reference, digest=image.digest)

    def hook(self, **options):
        """One more process of the webhook, with settings of its own; (process, port)."""
        extra = options.pop("extra", "")
        self.engine.more["kubernetes_webhook"], before = settings(self.where, **options), self.engine.extra
        self.engine.extra = extra
        process = self.engine.add("kubernetes_webhook")
        self.engine.extra = before
        return process, process.ports["kubernetes_webhook"]

    def install(self, tmp_path, name, port, **admission):
        for one in chart(tmp_path, name, port, self.trusted, **admission):
            self.good("apply", "-f", "-", stdin=one)

    def until(self, said, *arguments, seconds=60, **options):
        """Tries until kubectl succeeds (said None) or says this: API servers take configurations up a moment later."""
        end = time.monotonic() + seconds
        while True:
            done = self.kubectl(*arguments, **options)
            if (done.returncode == 0) if said is None else (done.returncode != 0 and said in done.stderr):
                return done
            assert time.monotonic() < end, done.stdout + done.stderr
            time.sleep(0.2)


@pytest.fixture(scope="module")
def world(kellet_binary, tmp_path_factory, registry_open, postgres):
    need("openssl")
    where = tmp_path_factory.mktemp("kubernetes")
    for name in ("etcd", "kube-apiserver", "kubectl", "helm"):
        tool(name)
    trusted = certificate(where, "first")
    more = {**engines.MORE, "kubernetes_webhook": settings(where), "catalog": "    cycle_timers: {image_gc: -1}\n"}
    cluster = engine = None
    try:
        cluster = Cluster(where / "cluster")
        engine = engines.Engine(kellet_binary, where / "engine", postgres.database("t_apiserver"), split=True, more=more)
        one = World(where, cluster, engine, registry_open.port)
        one.trusted = trusted
        one.plain = cluster.add_server()
        url = f"https://localhost:{engine.port('kubernetes_webhook')}/v1/imagepolicywebhook"
        one.policed = cluster.add_server(*image_policy(where, url, trusted))
        one.images = {name: one.add_image(name) for name in ("good", "bad")}
        assert engine.client("POST", "/v1/policies", BUNDLE).status == 200
        record = engine.client.get(f"/v1/policies/{POLICY}", detail="true").json[0]
        assert engine.client("PUT", f"/v1/policies/{POLICY}?active=true", {**record, "active": True}).status == 200
        for port in (one.plain, one.policed):
            cluster.wait_ready(port)
        for name, labels in {**NAMESPACES, "imagepolicy": {}}.items():
            one.good("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        port = engine.port("kubernetes_webhook")
        one.install(where, "kellet", port, failurePolicy="Fail", namespaceSelector=[
            {"key": key, "operator": "DoesNotExist"} for key in ("fail", "deadline", "pin", "stage", "labelled")])
        one.install(where, "pinning", port, failurePolicy="Fail", pinDigests=True, namespaceSelector=[
            {"key": "pin", "operator": "In", "values": ["true"]}])
        one.until("denied the request", "run", "probe", f"--image={one.images['bad'].name}", "--dry-run=server", namespace="strict")
        yield one
    except RuntimeError as problem:
        raise RuntimeError(f"{problem}\n{cluster and cluster.log()}") from None
    finally:
        if engine:
            engine.stop()
        if cluster:
            cluster.stop()


# ---- ValidatingWebhookConfiguration


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_admitted_or_refused(world, kind):
    good, bad = world.images["good"], world.images["bad"]
    done = world.good("apply", "-f", "-", stdin=manifest(kind, f"good-{kind.lower()}", good.name))
    assert "created" in done.stdout and "Warning" not in done.stderr
    said = world.refused("apply", "-f", "-", stdin=manifest(kind, f"bad-{kind.lower()}", good.name, bad.name))
    assert 'admission webhook "validating.kellet.dev" denied the request: ' in said
    assert f"image '{bad.name}' ({bad.digest}) failed the checks of the active policy" in said and good.name not in said
    assert "NotFound" in world.refused("get", kind, f"bad-{kind.lower()}", namespace="strict")


def test_as_people_type_it(world):
    good, bad = world.images["good"].name, world.images["bad"].name
    for command in (("run", "typed"), ("create", "deployment", "typed"), ("create", "job", "typed"),
                    ("create", "cronjob", "typed", "--schedule=0 4 * * *")):
        assert "failed the checks" in world.refused(*command, f"--image={bad}", namespace="strict")
        assert "created" in world.good(*command, f"--image={good}", namespace="strict").stdout
    assert "failed the checks" in world.refused("set", "image", "deployment/typed", f"*={bad}", namespace="strict")
    assert world.good("get", "deployment", "typed", "-o", "jsonpath={.spec.template.spec.containers[0].image}",
                      namespace="strict").stdout == good
    assert "scaled" in world.good("scale", "deployment/typed", "--replicas=3", namespace="strict").stdout
    assert "failed the checks" in world.refused("create", "job", "by-hand", f"--image={bad}", namespace="strict")
    assert "created" in world.good("create", "job", "by-hand", "--from=cronjob/typed", namespace="strict").stdout


def test_init_and_ephemeral_containers(world):
    good, bad = world.images["good"].name, world.images["bad"].name
    said = world.refused("apply", "-f", "-", stdin=manifest("Pod", "init", good, bad, where="initContainers"))
    assert "failed the checks" in said
    world.good("apply", "-f", "-", stdin=manifest("Pod", "init", good, good, where="initContainers"))
    said = world.refused("debug", "init", f"--image={bad}", "-c", "d", "--profile=general", "--attach=false", namespace="strict")
    assert bad in said and "failed the checks" in said
    world.good("debug", "init", f"--image={good}", "-c", "d", "--profile=general", "--attach=false", namespace="strict")
    assert world.good("get", "pod", "init", "-o", "jsonpath={.spec.ephemeralContainers[*].image}", namespace="strict").stdout == good


def test_analysis_is_enough(world):
    assert "created" in world.good("run", "bad", f"--image={world.images['bad'].name}", namespace="seen").stdout


def test_breakglass_allows_and_warns(world):
    done = world.good("run", "bad", f"--image={world.images['bad'].name}", namespace="free")
    assert "created" in done.stdout and not done.stderr
    done = world.good("run", "none", "--image=127.0.0.1:1/none:2", namespace="free")
    assert "created" in done.stdout
    assert done.stderr.startswith("Warning: image '127.0.0.1:1/none:2' is not known in the account 'admin'")
    assert "created" in world.good("apply", "-f", "-", stdin=manifest(
        "Pod", "trial", world.images["bad"].name, labels={"stage": "trial"})).stdout  # by its label, where others are refused


def test_namespaces_that_are_excluded(world):
    done = world.good("run", "bad", f"--image={world.images['bad'].name}", namespace="exempt")
    assert not done.stderr
    assert not world.good("run", "bad", f"--image={world.images['bad'].name}", namespace="kube-system").stderr


def test_an_unknown_image_is_asked_for_and_then_admitted(world):
    new = world.add_image("new", wanted=False)
    dry = world.refused("run", "new", f"--image={new.name}", "--dry-run=server", namespace="strict")
    assert "is not known in the account 'admin'" in dry and "asked for" not in dry
    assert world.engine.client.get(f"/v1/images/{new.digest}").status == 404
    said = world.refused("run", "new", f"--image={new.name}", namespace="strict")
    assert f"image '{new.name}' is not known in the account 'admin'" in said and "its analysis has been asked for" in said
    assert "created" in world.until(None, "run", "new", f"--image={new.name}", namespace="strict").stdout
    assert world.engine.client.get(f"/v1/images/{new.digest}").json[0]["annotations"] == {"requestor": "anchore-admission-controller"}


def test_a_registry_that_never_answers_holds_nothing_up(world):
    """The image is queued; the answer is kellet's own and not that of an API server that waited for it in vain."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1]}/silent:1"
        said = world.refused("run", "silent", f"--image={name}", namespace="strict")
        assert "denied the request" in said and "its analysis has been asked for" in said
        done = world.good("run", "silent", f"--image={name}", namespace="free")
        assert "created" in done.stdout and "Warning" in done.stderr


def test_namespaces_by_their_labels(world, tmp_path):
    """A webhook for each value of a label, which tells it, and one for the rest."""
    bad = f"--image={world.images['bad'].name}"
    world.install(tmp_path, "staged", world.engine.port("kubernetes_webhook"), failurePolicy="Fail",
                  namespaceLabel={"key": "stage", "values": ["trial", "final"]},
                  namespaceSelector=[{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["trial", "final", "unstaged"]}])
    for namespace in ("final", "unstaged"):
        said = world.until("denied the request", "run", "bad", bad, "--dry-run=server", namespace=namespace).stderr
        assert ('"final.validating.kellet.dev"' if namespace == "final" else '"validating.kellet.dev"') in said
    done = world.good("run", "none", "--image=127.0.0.1:1/none:7", namespace="trial")
    assert "created" in done.stdout and "Warning" in done.stderr


def test_images_are_pinned(world):
    good = world.images["good"]
    world.until(None, "run", "probe", f"--image={good.name}", "--dry-run=server", namespace="pinned")
    done = world.good("apply", "-f", "-", stdin=manifest("CronJob", "pinned", good.name, "127.0.0.1:1/none:1", namespace="pinned"))
    assert "Warning: " in done.stderr and "127.0.0.1:1/none:1" in done.stderr
    found = world.good("get", "cronjob", "pinned", "-o", "json", namespace="pinned").stdout
    containers = json.loads(found)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert [c["image"] for c in containers] == [f"{good.name}@{good.digest}", "127.0.0.1:1/none:1"]
    world.good("run", "pod", f"--image={good.name}", namespace="pinned")
    assert world.good("get", "pod", "pod", "-o", "jsonpath={.spec.containers[0].image}",
                      namespace="pinned").stdout == f"{good.name}@{good.digest}"


# ---- ImagePolicyWebhook


def policed(name, *images, user="admin", bundle=None, **options):
    notes = {"anchore.image-policy.k8s.io/userId": user, "anchore.image-policy.k8s.io/policyBundleId": bundle}
    return manifest("Pod", name, *images, annotations={k: v for k, v in notes.items() if v}, **options)


def test_image_policy_by_stored_evaluations(world):
    good, bad, server = world.images["good"], world.images["bad"], {"server": world.policed}
    said = world.refused("apply", "-f", "-", stdin=manifest("Pod", "p", good.name, namespace="imagepolicy"), **server)
    assert "need to specify an anchore.image-policy.k8s.io/userId annotation" in said
    said = world.refused("apply", "-f", "-", stdin=policed("p", "127.0.0.1:1/none:1", namespace="imagepolicy"), **server)
    assert "image '127.0.0.1:1/none:1' is not known in the account 'admin'" in said
    for image in (good, bad):
        world.engine.client.get(f"/v1/images/{image.digest}/check", tag=image.name)
    said = world.refused("apply", "-f", "-", stdin=policed("p", bad.name, namespace="imagepolicy"), **server)
    assert f"image '{bad.name}' (tag '{bad.name}') failed policy checks: 'STOP'" in said and "ImagePolicyWebhook" not in said
    said = world.refused("apply", "-f", "-", stdin=policed("p", good.name, bundle="other", namespace="imagepolicy"), **server)
    assert "no policy evaluation available" in said
    assert "created" in world.good("apply", "-f", "-", stdin=policed(
        "p", good.name, bundle=POLICY, namespace="imagepolicy"), **server).stdout
    said = world.refused("apply", "-f", "-", stdin=policed("i", good.name, bad.name, where="initContainers", namespace="imagepolicy"),
                         **server)
    assert bad.name in said


def test_both_webhooks_at_once(world):
    """The plugin lets it through; the other webhook, by the policy, does not know the image under this name."""
    good, server = world.images["good"], {"server": world.policed}
    assert "created" in world.good("apply", "-f", "-", stdin=policed("both", good.name), **server).stdout
    said = world.refused("apply", "-f", "-", stdin=policed("both-bad", world.images["bad"].name), **server)
    assert "failed policy checks" in said


# ---- when things are away


def test_fail_open_and_fail_closed(world, tmp_path):
    process, port = world.hook()
    for name, label, failure in (("closed", "closed", "Fail"), ("opened", "open", "Ignore")):
        world.install(tmp_path, name, port, failurePolicy=failure, namespaceSelector=[
            {"key": "fail", "operator": "In", "values": [label]}])
    bad = world.images["bad"].name
    for namespace in ("watched", "lenient"):
        world.until("failed the checks", "run", "bad", f"--image={bad}", "--dry-run=server", namespace=namespace)
    process.terminate()
    assert process.wait(30) == 0
    said = world.refused("run", "web", f"--image={world.images['good'].name}", namespace="watched")
    assert 'failed calling webhook "validating.kellet.dev"' in said and "connection refused" in said
    assert "created" in world.good("run", "web", f"--image={bad}", namespace="lenient").stdout


def test_the_policy_engine_is_away(world, tmp_path):
    """A webhook whose policy engine takes connections and never answers: by onError, before the API server gives up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"policy_engine_endpoint: 'http://127.0.0.1:{silent.getsockname()[1]}/v1'"
        good = f"--image={world.images['good'].name}"
        for on_error in ("deny", "allow"):
            process, port = world.hook(on_error=on_error, deadline=1, extra=endpoint)
            world.install(tmp_path, "hurried", port, failurePolicy="Fail", namespaceSelector=[{"key": "deadline", "operator": "Exists"}])
            if on_error == "deny":
                said = world.until("could not judge", "run", "web", good, namespace="hurried").stderr
                assert "denied the request: kellet could not judge the images in time" in said
            else:
                done = world.until(None, "run", "web", good, namespace="hurried")
                assert "Warning: kellet could not judge the images in time" in done.stderr
            process.terminate()
            assert process.wait(30) == 0


# ---- TLS; the last test: other certificates than the ones of the other tests' configurations


def test_certificates_are_replaced(world, tmp_path):
    bad, port = world.images["bad"].name, world.engine.port("kubernetes_webhook")
    before = world.trusted
    world.trusted = certificate(world.where, "second")
    world.install(tmp_path, "renewed", port, failurePolicy="Fail", namespaceSelector=[
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["seen"]}])
    world.until("not known", "run", "x", "--image=127.0.0.1:1/none:1", "--dry-run=server", namespace="seen")
    # fresh connections with the old certificate's bundle are refused by the API server: the new one is really served
    world.trusted = before
    world.install(tmp_path, "outdated", port, failurePolicy="Fail", namespaceSelector=[
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["exempt2"]}])
    world.good("create", "namespace", "exempt2")
    world.until("failed to verify certificate", "run", "x", f"--image={bad}", "--dry-run=server", namespace="exempt2")

"""deploy/helm and deploy/kubernetes: the chart linted, rendered with several sets of values, every object checked against
Kubernetes' own schemas, and what the pods are given taken by kellet itself."""
import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import ROOT

CHART = ROOT / "deploy/helm/kellet"
PLAIN = ROOT / "deploy/kubernetes"
TOOLS = ROOT / ".tools"
SERVICES = {"api": ("apiext", 8228), "catalog": ("catalog", 8082), "simplequeue": ("simplequeue", 8083),
            "policy-engine": ("policy_engine", 8087), "worker": ("analyzer", 8084),
            "kubernetes-webhook": ("kubernetes_webhook", 8338)}
FOREIGN = {"ServiceMonitor", "Issuer", "Certificate"}  # of operators: Kubernetes has no schema of them

PASSWORDS = {"secrets": {"adminPassword": "p: #1", "authSecret": "long enough", "databasePassword": "x.y-z"}}
VALUES = {
    "small": {**PASSWORDS},
    "external": {"secrets": {"existingSecret": "mine"}, "postgresql": {"enabled": False},
                 "database": {"host": "db.example.com", "port": 5433, "sslmode": "verify-full"}, "serviceAccount": {
                     "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/kellet"}}},
    "all": {**PASSWORDS, "imagePullSecrets": [{"name": "pull"}], "fullnameOverride": "scanner",
            "metrics": {"enabled": True, "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
            "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a/b": "c"}},
            "networkPolicy": {"apiFrom": [{"namespaceSelector": {"matchLabels": {"ci": "true"}}}],
                              "metricsFrom": [{"namespaceSelector": {"matchLabels": {"monitoring": "true"}}}]},
            "webhook": {"tls": {"certManager": True, "issuerRef": {"kind": "ClusterIssuer", "name": "ca"}}},
            "admission": {"enabled": True, "pinDigests": True, "failurePolicy": "Fail", "objectSelector": {
                "matchLabels": {"x": "z"}}, "namespaceSelector": [{"key": "env", "operator": "In", "values": ["prod"]}],
                "settings": {"policySelectors": [{"mode": "policy"}], "digests": "require", "deadlineSeconds": 3}}, "config": {"log_level": "DEBUG", "services": {
                "catalog": {"cycle_timers": {"repo_watcher": 120}}}}, "analyzerConfig": "malware:\n  clamav: {enabled: false}\n",
            "postgresql": {"storageClassName": "fast"},
            "services": {name: {"autoscaling": {"enabled": True}, "env": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
                                "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
                                "podAnnotations": {"x": "z"}} for name in ("api", "worker", "webhook", "policyEngine")}},
    "bare": {**PASSWORDS, "networkPolicy": {"enabled": False}, "metrics": {"enabled": False}, "serviceAccount": {"create": False},
             "webhook": {"tls": {"existingSecret": "given"}},
             "admission": {"enabled": True, "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
             "services": {name: {"replicas": 1, "autoscaling": {"enabled": False}} for name in (
                 "api", "catalog", "simplequeue", "policyEngine", "worker", "webhook")}},
}


def tool(name):
    for candidate in (TOOLS / "bin" / name, shutil.which(name)):
        if candidate and Path(candidate).exists():
            return str(candidate)
    pytest.skip(f"{name} is not there: script/setup test installs it where Go is")


def helm(*arguments, **options):
    """For Kubernetes 1.34: what a helm built from its module believes in otherwise is an old one."""
    return subprocess.run([tool("helm"), *map(str, arguments), "--kube-version", "1.34.0"], capture_output=True, text=True,
                          timeout=120, **options)


def values_file(tmp_path, values):
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


RENDERED = {}  # helm takes a second to start: once for each set of values


def template(tmp_path, values):
    key = json.dumps(values)
    RENDERED[key] = RENDERED.get(key) or render(tmp_path, values)
    return RENDERED[key]


def render(tmp_path, values):
    done = helm("template", "kellet", CHART, "--namespace", "kellet", "-f", values_file(tmp_path, values))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=VALUES)
def rendered(request, tmp_path):
    return template(tmp_path, VALUES[request.param])


def objects(text):
    return [o for o in yaml.safe_load_all(text) if o]


def of_kind(text, kind):
    return {o["metadata"]["name"]: o for o in objects(text) if o["kind"] == kind}


@pytest.fixture(scope="module")
def schemas():
    where = TOOLS / "kubernetes-schemas"
    if not (where / "_definitions.json").exists():
        pytest.skip("Kubernetes' schemas are not there: script/setup test makes them where Go is")
    return where


def conform(text, schemas):
    return subprocess.run([tool("kubeconform"), "-strict", "-summary", "-skip", ",".join(FOREIGN), "-schema-location",
                           f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"], input=text, capture_output=True,
                          text=True, timeout=120)


@pytest.mark.parametrize("values", [VALUES["small"], VALUES["all"]], ids=["small", "all"])
def test_lint(tmp_path, values):
    done = helm("lint", "--strict", CHART, "-f", values_file(tmp_path, values))
    assert done.returncode == 0, done.stdout


def test_objects_are_kubernetes_own(rendered, schemas):
    done = conform(rendered, schemas)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0" in done.stdout


@pytest.mark.parametrize("old, new", [("replicas: 2", "replicas: two"), ("maxUnavailable: 1", "maxUnavailble: 1"),
                                      ("containerPort: 8228", "containerPort: [8228]")])
def test_the_schemas_can_say_no(tmp_path, schemas, old, new):
    text = template(tmp_path, VALUES["small"])
    assert old in text
    done = conform(text.replace(old, new), schemas)
    assert done.returncode == 1 and "Invalid: " in done.stdout


def test_plain_manifests_are_the_chart():
    done = helm("template", "kellet", CHART, "--namespace", "kellet", "-f", PLAIN / "values.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (PLAIN / "kellet.yaml").read_text(), "render it again: deploy/kubernetes/values.yaml says how"


def test_plain_manifests_are_valid(schemas):
    done = conform((PLAIN / "kellet.yaml").read_text(), schemas)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values, said", [
    ({}, "secrets.adminPassword"),
    ({**PASSWORDS, "postgresql": {"enabled": False}}, "database.host"),
    ({**PASSWORDS, "loglevel": "INFO"}, "loglevel"),
    ({**PASSWORDS, "services": {"worker": {"replicas": "2"}}}, "replicas"),
    ({"secrets": {**PASSWORDS["secrets"], "databasePassword": "a/b@c"}}, "databasePassword"),
    ({"secrets": {**PASSWORDS["secrets"], "adminPassword": "a\"b"}}, "adminPassword"),
    ({**PASSWORDS, "webhook": {"tls": {"certManager": True, "existingSecret": "x"}}}, "not both"),
    ({**PASSWORDS, "admission": {"enabled": True}}, "admission.enabled needs webhook.tls"),
    ({**PASSWORDS, "admission": {"enabled": True}, "webhook": {"tls": {"existingSecret": "x"}}}, "admission.caBundle"),
    ({**PASSWORDS, "admission": {"failurePolicy": "Maybe"}}, "failurePolicy"),
    ({**PASSWORDS, "metrics": {"authDisabled": False, "serviceMonitor": {"enabled": True}}}, "authDisabled"),
])
def test_wrong_values_are_refused(tmp_path, values, said):
    done = helm("template", "kellet", CHART, "-f", values_file(tmp_path, values))
    assert done.returncode != 0 and said in done.stderr


# ---- what the objects say


def test_a_deployment_for_each_service(rendered):
    deployments = of_kind(rendered, "Deployment")
    found = {o["metadata"]["labels"]["app.kubernetes.io/component"] for o in deployments.values()}
    assert found == set(SERVICES)
    services = of_kind(rendered, "Service")
    for name, deployment in deployments.items():
        service, port = SERVICES[deployment["metadata"]["labels"]["app.kubernetes.io/component"]]
        pod = deployment["spec"]["template"]
        container, = pod["spec"]["containers"]
        environment = {v["name"]: v for v in container["env"]}
        assert environment["ANCHORE_ENGINE_SERVICES"]["value"] == service
        assert environment["ANCHORE_ENDPOINT_HOSTNAME"]["value"] == name
        assert services[name]["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"] == port
        selector = services[name]["spec"]["selector"]
        assert selector == deployment["spec"]["selector"]["matchLabels"]
        assert selector.items() <= pod["metadata"]["labels"].items()


def test_pods_have_no_rights_and_say_how_they_are(rendered):
    pods = [o["spec"]["template"]["spec"] for o in objects(rendered) if o["kind"] in ("Deployment", "StatefulSet")]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}
            assert container["resources"]["limits"]["memory"]
            probes = [container[p] for p in ("startupProbe", "livenessProbe", "readinessProbe")]
            if container["name"] == "kellet":
                assert [p["httpGet"]["path"] for p in probes] == ["/health", "/health", "/ready"]


def test_names_in_objects_lead_somewhere(rendered):
    """Volumes, secrets, accounts, scalers and budgets name what is rendered, or what the values gave."""
    everything = objects(rendered)
    names = {(o["kind"], o["metadata"]["name"]) for o in everything}
    given = {("Secret", n) for n in ("mine", "given", "scanner-webhook-tls")} | {("ServiceAccount", "default")}
    for o in everything:
        if o["kind"] == "HorizontalPodAutoscaler":
            assert ("Deployment", o["spec"]["scaleTargetRef"]["name"]) in names
            assert "replicas" not in next(d for d in everything if d["kind"] == "Deployment"
                                          and d["metadata"]["name"] == o["spec"]["scaleTargetRef"]["name"])["spec"]
        if o["kind"] == "Deployment":
            pod = o["spec"]["template"]["spec"]
            assert ("ServiceAccount", pod["serviceAccountName"]) in names | given
            for volume in pod["volumes"]:
                if "configMap" in volume:
                    assert ("ConfigMap", volume["configMap"]["name"]) in names
                if "secret" in volume:
                    assert ("Secret", volume["secret"]["secretName"]) in names | given
            assert {m["name"] for m in pod["containers"][0]["volumeMounts"]} == {v["name"] for v in pod["volumes"]}


WORKLOADS = {"pods", "pods/ephemeralcontainers", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets",
             "jobs", "cronjobs"}


@pytest.mark.parametrize("name, configurations", [
    ("small", []), ("bare", [("ValidatingWebhookConfiguration", "kellet", "/v1/admission", "Ignore")]),
    ("all", [("ValidatingWebhookConfiguration", "scanner", "/v1/admission", "Fail"),
             ("MutatingWebhookConfiguration", "scanner", "/v1/admission/mutate", "Ignore")])])
def test_api_servers_are_told_where_to_ask(tmp_path, name, configurations):
    text = template(tmp_path, VALUES[name])
    found = [o for o in objects(text) if o["kind"].endswith("WebhookConfiguration")]
    assert {o["kind"] for o in found} == {c[0] for c in configurations}
    for kind, release, path, policy in configurations:
        configuration, = of_kind(text, kind).values()
        webhook, = configuration["webhooks"]
        service = webhook["clientConfig"]["service"]
        target = of_kind(text, "Service")[service["name"]]
        assert (service["path"], service["namespace"], configuration["metadata"]["name"]) == (path, "kellet", release)
        assert service["port"] in [p["port"] for p in target["spec"]["ports"]]
        assert webhook["failurePolicy"] == policy and webhook["sideEffects"] == "NoneOnDryRun"
        assert {r for rule in webhook["rules"] for r in rule["resources"]} == WORKLOADS
        excluded = webhook["namespaceSelector"]["matchExpressions"][0]
        assert excluded["operator"] == "NotIn" and {"kube-system", "kellet"} <= set(excluded["values"])
        if name == "bare":
            assert base64.b64decode(webhook["clientConfig"]["caBundle"]).startswith(b"-----BEGIN CERTIFICATE")
        else:
            certificate, = of_kind(text, "Certificate").values()
            assert configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"] == (
                f"kellet/{certificate['metadata']['name']}")
            assert f"{service['name']}.kellet.svc" in certificate["spec"]["dnsNames"]


def variables(container, secret):
    """The environment of a container as the kubelet makes it."""
    out = {}
    for v in container["env"]:
        source = v.get("valueFrom", {})
        out[v["name"]] = (v["value"] if "value" in v else secret[source["secretKeyRef"]["key"]] if "secretKeyRef" in source
                          else f"pod-of-{container['name']}")
    return out


def test_kellet_takes_the_configuration(rendered, kellet_binary, tmp_path):
    (tmp_path / "config").mkdir()
    config_map, = of_kind(rendered, "ConfigMap").values()
    text = config_map["data"]["config.yaml"]
    tls = "ssl_cert: /tls" in text
    for name in ("tls.crt", "tls.key"):  # what the pod has in /tls
        (tmp_path / name).write_text("")
    (tmp_path / "config/config.yaml").write_text(text.replace("/tls/", f"{tmp_path}/"))
    secret = next(iter(of_kind(rendered, "Secret").values()), {}).get("stringData") or dict.fromkeys(
        ("ANCHORE_ADMIN_PASSWORD", "ANCHORE_AUTH_SECRET", "ANCHORE_DB_PASSWORD"), "given")
    for deployment in of_kind(rendered, "Deployment").values():
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("ANCHORE", "KELLET"))},
                       **variables(container, secret), "KELLET_DATA": str(tmp_path / "data")}
        done = subprocess.run([kellet_binary, "serve", "--config", tmp_path / "config", "--check-config"],
                              capture_output=True, text=True, env=environment, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
        effective = yaml.safe_load(done.stdout)
        assert effective["services"]["kubernetes_webhook"].get("ssl_enable", False) is tls
    assert json.dumps(effective)  # all of it plain values

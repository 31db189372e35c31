"""A real Kubernetes API server for the end-to-end tests: etcd, kube-apiserver (one or more on one etcd) and kubectl. There
are no nodes and no controllers: objects are admitted and stored, and nothing runs."""
import base64
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from conftest import ROOT
from registries import free_port, wait_for

TOOLS = ROOT / ".tools/bin"
TOKEN = "a-token-of-the-tests"


def tool(name):
    """Of .tools, else the machine's; the test is skipped without it."""
    for candidate in (TOOLS / name, shutil.which(name)):
        if candidate and Path(candidate).exists():
            return str(candidate)
    pytest.skip(f"{name} is not there: script/test kubernetes makes it")


class Cluster:
    def __init__(self, where):
        self.where, self.processes, self.programs = Path(where), [], {n: tool(n) for n in ("etcd", "kube-apiserver", "kubectl")}
        self.where.mkdir(parents=True, exist_ok=True)
        (self.where / "tokens.csv").write_text(f'{TOKEN},tester,1,"system:masters"\n')
        subprocess.run(["openssl", "genrsa", "-out", self.where / "accounts.key", "2048"], check=True, capture_output=True)
        self.store = free_port()
        urls = f"http://127.0.0.1:{self.store}", f"http://127.0.0.1:{free_port()}"
        self.run(self.store, "etcd", f"--data-dir={self.where}/etcd", f"--listen-client-urls={urls[0]}",
                 f"--advertise-client-urls={urls[0]}", f"--listen-peer-urls={urls[1]}", f"--initial-advertise-peer-urls={urls[1]}",
                 f"--initial-cluster=default={urls[1]}")

    def run(self, port, name, *arguments):
        with open(self.where / f"{name}-{port}.log", "wb") as log:
            process = subprocess.Popen([self.programs[name], *arguments], stdout=log, stderr=log, cwd=self.where)
        self.processes.append(process)
        wait_for(port, process, 60)

    def add_server(self, *arguments):
        """Starts an API server; its port."""
        port = free_port()
        key = self.where / "accounts.key"
        self.run(port, "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.store}", "--bind-address=127.0.0.1",
                 f"--secure-port={port}", f"--cert-dir={self.where}/certificates-{port}", "--advertise-address=192.0.2.1",
                 "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
                 "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
                 f"--service-account-signing-key-file={key}", f"--token-auth-file={self.where}/tokens.csv",
                 "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--profiling=false", *arguments)
        return port

    def wait_ready(self, port, seconds=90):
        """Until it serves what it should: /readyz, with its roles and namespaces in place."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        asked = urllib.request.Request(f"https://127.0.0.1:{port}/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
        end, said = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(asked, context=context, timeout=5)
                return
            except urllib.error.HTTPError as answer:
                said = answer.read().decode()
            except OSError as problem:
                said = str(problem)
            time.sleep(0.2)
        raise RuntimeError(f"the API server is not ready: {said}")

    def kubectl(self, port, *arguments, stdin=None, namespace=None):
        """A completed kubectl against the server at `port`; `stdin`: text, or an object."""
        if stdin is not None and not isinstance(stdin, str):
            stdin = json.dumps(stdin)
        home = self.where / "home"
        home.mkdir(exist_ok=True)
        (home / "config").write_text(json.dumps({"apiVersion": "v1", "kind": "Config"}))
        return subprocess.run(
            [self.programs["kubectl"], f"--server=https://127.0.0.1:{port}", "--insecure-skip-tls-verify", f"--token={TOKEN}",
             f"--cache-dir={home}/cache", f"--kubeconfig={home}/config", *(["-n", namespace] if namespace else []), *map(str, arguments)],
            input=stdin, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(home)})

    def log(self):
        return "\n".join(p.read_text(errors="replace")[-4000:] for p in sorted(self.where.glob("*.log")))

    def stop(self):
        for p in reversed(self.processes):
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()


def image_policy(where, url, ca, name="imagepolicy"):
    """Files of the admission plugin ImagePolicyWebhook that asks `url`; the arguments for a server."""
    kubeconfig, settings = where / f"{name}.kubeconfig", where / f"{name}.json"
    kubeconfig.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "kellet", "cluster": {"server": url, "certificate-authority-data": base64.b64encode(ca.encode()).decode()}}],
        "users": [{"name": "api-server", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "kellet", "user": "api-server"}}]}))
    settings.write_text(json.dumps({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [
        {"name": "ImagePolicyWebhook", "configuration": {"imagePolicy": {
            "kubeConfigFile": str(kubeconfig), "allowTTL": 1, "denyTTL": 1, "retryBackoff": 100, "defaultAllow": False}}}]}))
    return "--enable-admission-plugins=ImagePolicyWebhook", f"--admission-control-config-file={settings}"

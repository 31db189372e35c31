"""Real registries for the end-to-end tests: Debian's docker-registry in several dresses, a token server, a proxy that
fails on purpose, and small images of our own.
"""
import base64
import gzip
import hashlib
import http.client
import http.server
import io
import itertools
import json
import os
import random
import socket
import socketserver
import ssl
import subprocess
import tarfile
import threading
import time
import urllib.parse
from pathlib import Path

USER, PASSWORD = "reader", "s3cret:pass"
SERVICE, ISSUER = "kellet test registry", "kellet test tokens"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

APK = "P:{name}\nV:{version}\nA:x86_64\nL:MIT\nT:made up\no:{name}\n\n"


def _ports():
    """Numbers below those from which the system gives; each worker of a parallel run has a range of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    first, size = (10000 + int(worker[2:]) % 10 * 2000, 2000) if worker else (10000, 20000)
    start = random.randrange(size)
    for n in itertools.count(start):
        yield first + n % size


_PORTS = _ports()


def free_port():
    """A port on which nobody listens and that nobody else is given soon."""
    for port in _PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def wait_for(port, process=None, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process and process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server does not listen")


# ---- images


def layer_of(files):
    """A gzipped tar of {path: text}; returns (bytes, diff_id)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), 0o755 if data[:4] == b"\x7fELF" else info.mode
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0), digest_of(plain.getvalue())


def apk_files(packages, release="3.18.9"):
    return {"etc/os-release": f"ID=alpine\nVERSION_ID={release}\nPRETTY_NAME=\"Alpine {release}\"\n",
            "lib/apk/db/installed": "".join(APK.format(name=n, version=v) for n, v in packages.items())}


class Image:
    """An image of layers ({path: text} each), in memory: blobs and a manifest."""

    def __init__(self, *layers, architecture="amd64"):
        self.blobs, descriptors, diff_ids = {}, [], []
        for files in layers:
            data, diff_id = layer_of(files)
            descriptors.append(self.add(data, OCI_LAYER))
            diff_ids.append(diff_id)
        config = json.dumps({"architecture": architecture, "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                                    "config": self.add(config, OCI_CONFIG), "layers": descriptors}).encode()
        self.digest = digest_of(self.manifest)
        self.architecture = architecture
        self.layers = [d["digest"] for d in descriptors]

    def add(self, data, media_type):
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}


def index_of(images):
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": i.digest, "size": len(i.manifest),
         "platform": {"os": "linux", "architecture": i.architecture}} for i in images]}).encode()


def request(port, method, path, body=None, headers=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, path, body, headers or {})
    answer = c.getresponse()
    data = answer.read()
    c.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {data[:200]}")
    return answer


def push(port, repository, tag, image):
    """image: an Image, or a list of them for an index."""
    images = image if isinstance(image, list) else [image]
    for one in images:
        for digest, data in one.blobs.items():
            where = urllib.parse.urlsplit(request(port, "POST", f"/v2/{repository}/blobs/uploads/").headers["Location"])
            request(port, "PUT", f"{where.path}?{where.query}&digest={digest}", data,
                    {"Content-Type": "application/octet-stream"})
        name = tag if one is image else one.digest
        request(port, "PUT", f"/v2/{repository}/manifests/{name}", one.manifest, {"Content-Type": OCI_MANIFEST})
    if one is not image:
        request(port, "PUT", f"/v2/{repository}/manifests/{tag}", index_of(images), {"Content-Type": OCI_INDEX})


# ---- certificates and tokens


def openssl(where, *args, stdin=None):
    return subprocess.run(["openssl", *args], cwd=where, check=True, input=stdin, capture_output=True).stdout


def make_certificates(where):
    """where/ca.pem signs where/server.{pem,key} for localhost and 127.0.0.1."""
    openssl(where, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "ca.key", "-out",
            "ca.pem", "-subj", "/CN=kellet test authority")
    openssl(where, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj",
            "/CN=localhost")
    (where / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl(where, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-out", "server.pem", "-extfile", "ext")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def serve(handler, certificates=None):
    server = Server(("127.0.0.1", 0), handler)
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class TokenServer:
    """Signs tokens that docker-registry accepts. Only USER may read repositories that begin with "private/"."""

    def __init__(self, where):
        self.where, self.seen, self.life = where, [], 300
        openssl(where, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "token.key", "-out",
                "token.pem", "-subj", "/CN=kellet test tokens")
        self.certificate = base64.b64encode(openssl(where, "x509", "-in", "token.pem", "-outform", "DER")).decode()
        outer = self

        class Handler(Quiet):
            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                given = self.headers.get("Authorization")
                outer.seen.append(("GET", given, query))
                if given and given != basic:
                    return self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}')
                return self.grant(query.get("scope", ""), bool(given), "token")

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                outer.seen.append(("POST", self.headers.get("Authorization"), form))
                if form.get("refresh_token") != "identity-of-reader":
                    return self.answer(401, b"{}")
                return self.grant(form.get("scope", ""), True, "access_token")

            def grant(self, scope, known, name):
                access = []
                kind, _, rest = scope.partition(":")
                repository, _, _ = rest.rpartition(":")
                if kind == "repository" and (known or not repository.startswith("private/")):
                    access = [{"type": "repository", "name": repository, "actions": ["pull"]}]
                body = json.dumps({name: outer.sign(access), "expires_in": outer.life}).encode()
                self.answer(200, body, {"Content-Type": "application/json"})

        self.server = serve(Handler)
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"

    def sign(self, access):
        def encode(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}
        claims = {"iss": ISSUER, "sub": "", "aud": SERVICE, "exp": now + self.life, "nbf": now - 10, "iat": now,
                  "jti": os.urandom(8).hex(), "access": access}
        text = b".".join(encode(json.dumps(part).encode()) for part in (head, claims))
        signature = openssl(self.where, "dgst", "-sha256", "-sign", "token.key", "-binary", stdin=text)
        return (text + b"." + encode(signature)).decode()


# ---- registries


class Registry:
    """docker-registry on a loopback port; auth and tls are parts of its configuration."""

    def __init__(self, where, root, name, auth=None, tls=None):
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": str(root)}},
                  "http": {"addr": self.host, "secret": "not so secret"}}
        if auth:
            config["auth"] = auth
        if tls:
            config["http"]["tls"] = {"certificate": str(tls / "server.pem"), "key": str(tls / "server.key")}
        path = Path(where) / f"{name}.yml"
        path.write_text(json.dumps(config))  # JSON is YAML too
        self.log = open(Path(where) / f"{name}.log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", str(path)], stdout=self.log, stderr=self.log)
        wait_for(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


class FailingProxy:
    """Passes requests on to a registry, except what `rule(path, headers, nth)` wants otherwise: it returns None, or a
    function that answers (called with the handler and the registry's own (status, headers, body))."""

    def __init__(self, port):
        self.rule, self.counts, self.seen, self.methods = None, {}, [], []
        outer = self

        class Handler(Quiet):
            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                outer.methods.append(self.command)
                outer.counts[self.path] = outer.counts.get(self.path, 0) + 1
                outer.seen.append((self.path, dict(self.headers)))
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                c.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k.lower() != "host"})
                answer = c.getresponse()
                body = answer.read()
                headers = {k: v for k, v in answer.getheaders() if k.lower() in (
                    "content-type", "etag", "docker-content-digest", "content-range", "www-authenticate")}
                c.close()
                act = outer.rule and outer.rule(self.path, self.headers, outer.counts[self.path])
                try:
                    if act:
                        act(self, (answer.status, headers, body))
                    else:
                        self.answer(answer.status, body, headers)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

        self.server = serve(Handler)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"

    def set(self, rule):
        self.rule, self.counts, self.seen, self.methods = rule, {}, [], []


class ConnectProxy:
    """A forward proxy for TLS: every CONNECT leads to `port` on this machine. wants: the Proxy-Authorization it asks."""

    def __init__(self, port, wants=None):
        outer = self
        self.seen = []

        class Handler(Quiet):
            def do_CONNECT(self):
                outer.seen.append(self.path)
                if wants and self.headers.get("Proxy-Authorization") != wants:
                    return self.answer(407, b"", {"Proxy-Authenticate": 'Basic realm="the company"'})
                with socket.create_connection(("127.0.0.1", port)) as far:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=self.pump, args=(far, self.connection), daemon=True)
                    back.start()
                    self.pump(self.connection, far)
                    back.join(5)
                self.close_connection = True
                return None

            @staticmethod
            def pump(source, sink):
                try:
                    while data := source.recv(65536):
                        sink.sendall(data)
                    sink.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

        self.server = serve(Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


class Nginx:
    """TLS and HTTP/2 in front of a registry, as many have it."""

    def __init__(self, where, port, certificates):
        self.port = free_port()
        (where / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {where}/nginx.pid; error_log {where}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {where}/access.log; client_body_temp_path {where}/b; proxy_temp_path {where}/p;
    fastcgi_temp_path {where}/f; uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
    server {{
        listen 127.0.0.1:{self.port} ssl http2;
        ssl_certificate {certificates}/server.pem; ssl_certificate_key {certificates}/server.key;
        location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host; }}
    }}
}}""")
        self.access_log = where / "access.log"
        self.process = subprocess.Popen(["nginx", "-p", str(where), "-c", str(where / "nginx.conf")],
                                        stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

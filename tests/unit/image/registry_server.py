"""A loopback registry for registry_test.c: each repository's name says how it behaves.

Prints "PORT OTHER_PORT 0 -" and serves until its standard input ends. The other port is the storage host and token
endpoint. /log?k=NAME answers with the Authorization headers that requests below that name carried.
"""
import base64
import http.server
import json
import socketserver
import sys
import threading
import time
import urllib.parse

BLOB = bytes(i * 7 % 251 for i in range(1 << 20))
USER = "Basic " + base64.b64encode(b"user:secret").decode()
log = {}
uses = {}
ports = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code, message, **headers):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), **headers)

    def note(self, key):
        log.setdefault(key, []).append(self.headers.get("Authorization", "-"))

    def do_POST(self):
        self.do_GET()

    def elsewhere(self):
        """Another server, to which the registry redirects, asks for a login of its own."""
        self.note("elsewhere")
        self.challenge("stolen")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.q = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        self.form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        parts = url.path.strip("/").split("/")
        try:
            if parts[0] == "log":
                self.answer(200, "\n".join(log.get(self.q["k"], [])).encode())
            elif parts[0] == "token":
                self.token(parts[1])
            elif parts[0] == "elsewhere":
                self.elsewhere()
            elif parts[0] == "store":
                self.note("store-" + parts[1])
                self.blob(parts[1])
            else:
                self.registry("/".join(parts[1:-2]), parts[-2], parts[-1])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # ---- tokens: "T<n>" for anonymous, "U<n>" for the user

    def token(self, kind):
        self.note("token-" + kind)
        n = uses[kind] = uses.get(kind, 0) + 1
        if kind == "broken":
            return self.answer(200, b"<html>")
        if kind == "empty":
            return self.answer(200, b"{}")
        if kind == "evil":
            return self.answer(200, json.dumps({"token": "a\r\nX-Evil: 1"}).encode())
        if self.command == "POST":
            good = self.form.get("grant_type") == "refresh_token" and self.form.get("refresh_token") == "identity"
            scope = self.form.get("scope")
            return self.answer(200, json.dumps({"access_token": "U%d-%s" % (n, scope)}).encode()) if good \
                else self.error(401, "UNAUTHORIZED", "bad refresh token")
        who = self.headers.get("Authorization")
        if who and who != USER:
            return self.error(401, "UNAUTHORIZED", "incorrect username or password")
        body = {"token": "%s%d-%s" % ("U" if who else "T", n, self.q.get("scope")),
                "expires_in": 1 if kind == "short" else 300}
        return self.answer(200, json.dumps(body).encode())

    def challenge(self, repo, realm=None):
        realm = realm or "http://127.0.0.1:%d/token/%s" % (ports["other"], repo)
        self.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=(
            'Negotiate, Bearer realm="%s",service="the service",scope="repository:%s:pull"' % (realm, repo)))

    # ---- the API

    def registry(self, repo, what, name):
        self.note(repo)
        given = self.headers.get("Authorization", "")
        mode = repo.split("/")[0]
        serve = self.manifest if what == "manifests" else self.blob
        if mode == "basic" and given != USER:
            return self.error(401, "UNAUTHORIZED", "authentication required",
                              WWW_Authenticate='Basic realm="here, \\"there\\""')
        if mode in ("anonymous", "broken", "empty", "evil", "identity", "short") and not given.startswith("Bearer "):
            return self.challenge(repo)
        if mode == "private" and not given.startswith("Bearer U"):
            return self.challenge(repo)
        if mode == "plainrealm" and not given:
            return self.challenge(repo, "http://tokens.invalid/token")
        if mode == "moved":
            return self.answer(307, b"", Location="http://localhost:%d/elsewhere" % ports["other"])
        if mode == "norealm":
            return self.error(401, "UNAUTHORIZED", "no", WWW_Authenticate="Bearer")
        if mode == "nothing":
            return self.error(401, "UNAUTHORIZED", "no")
        if mode == "expiring":  # each token serves one request
            if not given.startswith("Bearer ") or uses.get(given):
                return self.challenge(repo)
            uses[given] = 1
        if mode == "ready" and given != "Bearer ready":
            return self.challenge(repo)
        if mode.startswith("status"):
            code = int(mode[6:])
            said = {404: "manifest unknown", 429: "You have reached your limit\nof pulls"}.get(code, "that's it")
            return self.error(code, "CODE", said)
        return serve(repo)

    def manifest(self, repo):
        if repo == "big":
            return self.answer(200, b" " * (9 << 20))
        accept = self.headers.get("Accept", "")
        self.answer(200, b'{"accept": "%s"}' % accept.encode(),
                    Content_Type="application/vnd.oci.image.manifest.v1+json; charset=utf-8")

    def blob(self, repo):
        mode = repo.split("/")[0]
        if mode == "redirected" and not self.path.startswith("/store/"):
            return self.answer(307, b"", Location="http://localhost:%d/store/redirected?sig=s" % ports["other"])
        if mode == "gone":
            return self.error(404, "BLOB_UNKNOWN", "blob unknown")
        first = 0
        if self.headers.get("Range"):
            first = int(self.headers["Range"][len("bytes="):-1])
        body = BLOB[first:]
        headers = {"ETag": '"x"'}
        if first:
            headers["Content-Range"] = "bytes %d-%d/%d" % (first, len(BLOB) - 1, len(BLOB))
        if mode in ("flaky", "expiring"):
            self.send_response(206 if first else 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:200000])
            self.close_connection = True
            return None
        return self.answer(206 if first else 200, body, **{k.replace("-", "_"): v for k, v in headers.items()})


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def serve():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


ports["main"], ports["other"] = serve(), serve()
print(ports["main"], ports["other"], 0, "-", flush=True)
sys.stdin.read()

"""STS, ECR, ECS's agent and EC2's metadata for aws_test.c, all on one loopback port; the path says how they behave.

Prints "PORT 0 0 -" and serves until its standard input ends. /log?k=NAME answers with how often NAME was asked.
"""
import base64
import datetime
import http.server
import json
import socketserver
import sys
import threading
import time
import urllib.parse
from email.utils import formatdate

counts = {}
lock = threading.Lock()


def when(seconds):
    return datetime.datetime.fromtimestamp(time.time() + seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shift = 0

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + self.shift, usegmt=True)

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def count(self, name):
        with lock:
            counts[name] = counts.get(name, 0) + 1
            return counts[name]

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length).decode()
        parts = url.path.strip("/").split("/")
        if parts[0] == "log":
            return self.answer(200, str(counts.get(dict(urllib.parse.parse_qsl(url.query))["k"], 0)))
        self.nth = self.count(parts[0])
        return getattr(self, parts[0].replace("-", "_"))(parts[1:])

    do_PUT = do_POST = do_GET

    # ---- ECS's agent

    def keys(self, access, life, **more):
        return json.dumps({"AccessKeyId": access, "SecretAccessKey": "secret", "Token": "session",
                           "Expiration": when(life), **more})

    def ecs(self, rest):
        if self.headers.get("Authorization") != "agent-token":
            return self.answer(403, "{}")
        time.sleep(0.2)  # many threads arrive meanwhile
        return self.answer(200, self.keys(f"ECS{self.nth}", 3600))

    def ecs_short(self, rest):
        """Keys with a life of a second, then nothing any more."""
        return self.answer(200, self.keys("SHORT", 8)) if self.nth == 1 else self.answer(500)

    def ecs_old(self, rest):
        return self.answer(200, self.keys("OLD", -5))

    def ecs_nothing(self, rest):
        return self.answer(200, '{"Code": "NoRole"}')

    # ---- EC2's metadata

    def ec2(self, rest):
        if self.command == "PUT":
            return self.answer(200, "metadata-token") if self.headers.get(
                "X-aws-ec2-metadata-token-ttl-seconds") else self.answer(400)
        if self.headers.get("X-aws-ec2-metadata-token") != "metadata-token":
            return self.answer(401)
        if rest[-1] == "security-credentials":
            return self.answer(200, "the-role\n")
        return self.answer(200, self.keys("EC2", 3600, Code="Success"))

    def ec2_without(self, rest):
        return self.answer(200, "metadata-token") if self.command == "PUT" else self.answer(404)

    # ---- STS

    def xml_error(self, status, code, message="no reason"):
        self.answer(status, f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
                            "</Error></ErrorResponse>")

    def sts(self, rest):
        form = dict(urllib.parse.parse_qsl(self.body))
        signed = self.headers.get("Authorization", "")
        if "denied" in form["RoleArn"]:
            return self.xml_error(403, "AccessDenied", "not authorized to perform: sts:AssumeRole &amp; more")
        if form["Action"] == "AssumeRoleWithWebIdentity":
            if signed or form["WebIdentityToken"] != "the.jwt":
                return self.xml_error(400, "InvalidIdentityToken")
            access = "WEB"
        else:
            if "Credential=" not in signed:
                return self.xml_error(403, "MissingAuthenticationToken")
            access = "ROLE-" + signed.split("Credential=")[1].split("/")[0] + "-" + form.get("ExternalId", "none")
        return self.answer(200, "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>"
                                f"<Credentials><AccessKeyId>{access}</AccessKeyId><SecretAccessKey>a&lt;b</SecretAccessKey>"
                                f"<SessionToken>tok==</SessionToken><Expiration>{when(3600)}</Expiration></Credentials>"
                                "</AssumeRoleResult></AssumeRoleResponse>")

    # ---- ECR

    def token(self):
        text = base64.b64encode(b"AWS:the-password").decode()
        self.answer(200, json.dumps({"authorizationData": [{"authorizationToken": text, "expiresAt": time.time() + 43200.5,
                                                            "proxyEndpoint": "https://x"}]}))

    def ecr(self, rest):
        assert self.headers["X-Amz-Target"].endswith(".GetAuthorizationToken")
        self.token()

    def ecr_busy(self, rest):
        if self.nth < 3:
            return self.answer(400, '{"__type":"com.amazon#ThrottlingException","message":"Rate exceeded"}')
        return self.token()

    def ecr_always_busy(self, rest):
        self.answer(503, "<html>busy</html>", Retry_After="0")

    def ecr_denied(self, rest):
        self.answer(400, '{"__type":"AccessDeniedException","message":"User is not authorized\\n\\u001b[2J"}')

    def ecr_expired(self, rest):
        if self.nth == 1:
            return self.answer(400, '{"__type":"ExpiredTokenException","message":"The security token is expired"}')
        return self.token()

    def ecr_skew(self, rest):
        """A server whose clock is two hours ahead."""
        self.shift = 7200
        stamp = datetime.datetime.strptime(self.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(
            tzinfo=datetime.timezone.utc).timestamp()
        if abs(stamp - time.time() - 7200) > 300:
            return self.answer(403, '{"__type":"InvalidSignatureException","message":"Signature expired: 1 is now '
                                    'earlier than 2"}')
        return self.token()

    def ecr_always_skewed(self, rest):
        self.answer(403, '{"__type":"InvalidSignatureException","message":"Signature expired"}')

    def ecr_moved(self, rest):
        self.answer(307, "", Location=f"http://127.0.0.1:{PORT}/stolen")

    def stolen(self, rest):
        self.answer(200, "{}")

    def ecr_nonsense(self, rest):
        self.answer(200, '{"authorizationData": [{"authorizationToken": "!!"}]}')


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
PORT = server.server_address[1]
threading.Thread(target=server.serve_forever, daemon=True).start()
print(PORT, 0, 0, "-", flush=True)
sys.stdin.read()

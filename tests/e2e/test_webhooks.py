"""POST /system/webhooks/{type}/test delivers a notification to a real receiver."""
import base64
import http.server
import json
import threading

import pytest

import engines


class Receiver(http.server.ThreadingHTTPServer):
    def __init__(self):
        self.got, self.answer = [], 200
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def receiver():
    server = Receiver()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def hooked(kellet_binary, tmp_path_factory, receiver):
    extra = f"""\
webhooks:
  webhook_user: hook
  webhook_pass: 'pass:word'
  ssl_verify: false
  general: {{url: 'http://127.0.0.1:{receiver.server_port}/<notification_type>/<userId>'}}
  policy_eval: {{}}
  tag_update: {{url: ''}}
"""
    engine = engines.Engine(kellet_binary, tmp_path_factory.mktemp("hooked"), extra=extra)
    yield engine
    engine.stop()


def test_delivery(hooked, receiver):
    answer = hooked.client("POST", "/v1/system/webhooks/general/test?notification_type=vuln_update")
    assert (answer.status, answer.json) == (200, {})
    path, headers, body = receiver.got.pop()
    assert path == "/test/admin" and headers["Content-Type"] == "application/json"
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"hook:pass:word"
    assert body["queueId"] == body["data"]["notification_type"] == "vuln_update" and body["userId"] == "admin"
    assert body["data"]["notification_payload"]["notificationId"] == body["dataId"]


def test_refused_by_the_receiver(hooked, receiver):
    receiver.answer = 302
    answer = hooked.client("POST", "/v1/system/webhooks/general/test")
    receiver.answer = 200
    assert answer.status == 500 and answer.json["message"].startswith("failed to post notification to webhook - exception: ")
    assert len(receiver.got) == 1
    receiver.got.clear()


@pytest.mark.parametrize("kind, status, message", [
    ("policy_eval", 400, "No Webhook Configuration found for type=policy_eval"),
    ("tag_update", 400, "Cannot send webhook, no URL configured"),
    ("bogus", 400, "No Webhook Configuration found for type=bogus"),
])
def test_sections(hooked, receiver, kind, status, message):
    answer = hooked.client("POST", f"/v1/system/webhooks/{kind}/test")
    assert (answer.status, answer.json["message"]) == (status, message)
    assert not receiver.got

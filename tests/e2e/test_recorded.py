"""Replays recorded exchanges of the original's API against a running engine: status, content type and body must be
equal but for volatile values. Deliberate differences are listed in docs/compatibility.md with their reasons; an entry
that no longer differs fails too."""
import base64
import http.client
import json
import re
import time
from pathlib import Path

import pytest

import engines
from conftest import ROOT, SHARED

DATA = SHARED / "data/api"
FILES = ["01_system_fresh", "02_accounts_users", "03_ordinary_user", "05_policies", "08_subscriptions_repositories",
         "09_registries"]

# Compared by type only.
VOLATILE = {"created_at", "last_updated", "last_update", "last_modified", "analyzed_at", "tag_detected_at",
            "last_evaluation", "last_sync", "last_full_sync", "updated_at", "expires_at", "timestamp", "generated_uuid",
            "uuid", "rule_id", "request_id", "dataId", "notificationId", "access_token", "base_url", "hostid",
            "total_time_seconds", "raw_exception_message", "archive_size_bytes", "detected_at"}
LEARNED = re.compile(r"^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[\w.-]{40,})$")


def load(name):
    with open(DATA / f"{name}.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def listed_differences():
    """{(file number, line): reason} of the table in docs/compatibility.md: rows "| 02:60-105, 130 | reason |"."""
    found = {}
    for line in (ROOT / "docs/compatibility.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| (\d\d\w?:[\d, :-]+) \| (.+) \|$", line)
        if not row:
            continue
        area = None
        for part in row[1].split(","):
            if ":" in part:
                area, part = part.strip().split(":")
            first, _, last = part.strip().partition("-")
            for n in range(int(first), int(last or first) + 1):
                found[area, n] = row[2]
    return found


def first_line(v):
    return v.split("\n")[0] if isinstance(v, str) else v


def shape(v):
    """What is compared: volatile values by their type, lists without their order."""
    if isinstance(v, dict):
        return {k: type(x).__name__ if k in VOLATILE else first_line(shape(x)) for k, x in v.items()}
    if isinstance(v, list):
        return sorted((shape(x) for x in v), key=lambda x: json.dumps(x, sort_keys=True))
    return v


def where_different(want, got, path="$"):
    if type(want) is not type(got):
        return f"{path}: want {want!r:.160}, got {got!r:.160}"
    if isinstance(want, dict):
        for k in sorted(set(want) | set(got)):
            if k not in want or k not in got:
                return f"{path}.{k}: {'not expected' if k in got else 'missing'}: {(got if k in got else want)[k]!r:.100}"
            found = where_different(want[k], got[k], f"{path}.{k}")
            if found:
                return found
        return None
    if isinstance(want, list):
        if len(want) != len(got):
            return f"{path}: want {len(want)} entries, got {len(got)}"
        return next(filter(None, (where_different(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(want, got)))), None)
    return None if want == got else f"{path}: want {want!r:.160}, got {got!r:.160}"


class Replayer:
    def __init__(self, port):
        self.port, self.learned = port, {}

    def substitute(self, text):
        for recorded, ours in self.learned.items():
            text = text.replace(recorded, ours)
        return text

    def learn(self, want, got):
        """Ids and tokens that the original made up stand for ours in later requests."""
        if isinstance(want, dict) and isinstance(got, dict):
            for k in want.keys() & got.keys():
                self.learn(want[k], got[k])
        elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
            for a, b in zip(want, got):
                self.learn(a, b)
        elif isinstance(want, str) and isinstance(got, str) and want != got and LEARNED.match(want):
            self.learned[want] = got

    def send(self, x):
        headers = dict(x["request_headers"])
        auth = headers.pop("auth", None)
        if auth and auth.startswith("Basic ") and ":" in auth:
            auth = "Basic " + base64.b64encode(auth[6:].encode()).decode()
        if auth:
            headers["Authorization"] = self.substitute(auth)
        body = x["request_body"]
        if x["request_body_kind"] == "json":
            body = json.dumps(body)
        if isinstance(body, dict):
            body = base64.b64decode(body["base64"])
        elif body is not None:
            body = self.substitute(body).encode()
        path = self.substitute(x["path"] + ("?" + x["query"] if x["query"] else ""))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(x["method"], path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        finally:
            connection.close()

    def difference(self, x):
        status, content_type, body = self.send(x)
        if x["response_kind"] == "json":
            try:
                got = json.loads(body)
            except ValueError:
                return f"{status}: not JSON: {body[:200]!r}"
            self.learn(x["response_body"], got)
            want = json.loads(self.substitute(json.dumps(x["response_body"])))
        else:
            got, want = body.decode(errors="replace"), x["response_body"]
        if status != x["status"]:
            return f"status {status}, not {x['status']}: {body[:300]!r}"
        if x["response_kind"] == "json":
            found = where_different(shape(want), shape(got))
            if found:
                return found
        elif x["response_kind"] == "text" and not (x["content_type"] or "").startswith("text/plain") and want != got:
            return f"body {body[:200]!r}"
        if body and content_type != x["content_type"]:
            return f"content type {content_type}, not {x['content_type']}"
        return None


@pytest.fixture(scope="module")
def recorded_engine(kellet_binary, tmp_path_factory):
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    engine = engines.Engine(kellet_binary, tmp_path_factory.mktemp("recorded"), host_id="oracle-host", open_metrics=False,
                            services=[s for s in engines.SERVICES if s != "kubernetes_webhook"])
    engine.replayer = Replayer(engine.port("apiext"))
    yield engine
    engine.stop()


@pytest.mark.parametrize("name", FILES)
def test_recorded(recorded_engine, name):
    listed, area = listed_differences(), name.split("_")[0]
    wrong = []
    for x in load(name):
        found = recorded_engine.replayer.difference(x)
        title = f"{area}:{x['n']} {x['name']}: {x['method']} {x['path'][:100]}{'?' + x['query'] if x['query'] else ''}"
        if found and (area, x["n"]) not in listed:
            wrong.append(f"{title}\n    {found}")
        elif not found and (area, x["n"]) in listed:
            wrong.append(f"{title}\n    is listed in docs/compatibility.md but does not differ")
    assert not wrong, f"{len(wrong)} of {len(load(name))}:\n" + "\n".join(wrong)

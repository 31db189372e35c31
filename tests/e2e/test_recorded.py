"""Replays recorded exchanges of the original's API against a running engine: status, content type and body must be
equal but for volatile values. Deliberate differences are listed in docs/compatibility.md with their reasons; an entry
that no longer differs fails too."""
import base64
import http.client
import json
import re
import time
import urllib.parse

import pytest

import engines
import registries
from conftest import ROOT, SHARED, need

DATA = SHARED / "data/api"
# In the order of the recording. Of 04 only what needs none of its images: they are made on a base that is not here.
# Of 13 not what depends on how long an analysis takes.
FILES = {"01_system_fresh": None, "02_accounts_users": None, "03_ordinary_user": None, "05_policies": None,
         "04_images": [*range(1, 6), *range(8, 13), *range(15, 19), *range(20, 28), *range(96, 110), 119, 120, 129, 130],
         "08_subscriptions_repositories": None, "09_registries": None, "13_imports": [*range(1, 41), *range(44, 63), *range(70, 85)]}
REGISTRY = "127.0.0.1:5000"  # of the recording; ours has another port
TAGS = {"bench/kitchen": ["latest", "v1", "v2", "v3", "df"], "library/alpine": ["3.10", "3.18", "latest"]}

# Descriptions are in our own words.
OWN_WORDS = ("/v1/system/error_codes", "/v1/system/policy_spec", "/v1/event_types")
# Compared by type only.
VOLATILE = {"created_at", "last_updated", "last_update", "last_modified", "analyzed_at", "tag_detected_at",
            "last_evaluation", "last_sync", "last_full_sync", "updated_at", "expires_at", "timestamp", "generated_uuid",
            "uuid", "rule_id", "request_id", "dataId", "notificationId", "access_token", "base_url", "hostid",
            "total_time_seconds", "raw_exception_message", "archive_size_bytes", "detected_at", "cause"}
LEARNED = re.compile(r"^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[\w.-]{40,})$")


def load(name):
    with open(DATA / f"{name}.jsonl", encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [x for x in lines if FILES[name] is None or x["n"] in FILES[name]]


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


def shape_text(key, text):
    if key == "subscription_value" and text.startswith("{"):
        value = json.loads(text)
        value.pop("repotags", None)  # in no order, and there only after the watcher's first round
        return value
    # Of messages about registries what the HTTP library says is cut off, of others the dump of a schema.
    text = re.sub(r"url=http://[^/]+/", "url=/", text.split("\n")[0])
    return re.sub(r"( - exception: failed check .*?) - exception: .*", r"\1", text)


def shape(v, own_words=False, key=None):
    """What is compared: volatile values by their type, lists without their order."""
    volatile = VOLATILE | {"description"} if own_words else VOLATILE
    if isinstance(v, dict):
        return {k: type(x).__name__ if k in volatile else shape(x, own_words, k) for k, x in v.items()}
    if isinstance(v, list):
        return sorted((shape(x, own_words) for x in v), key=lambda x: json.dumps(x, sort_keys=True))
    return shape_text(key, v) if isinstance(v, str) else v


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
    def __init__(self, port, registry):
        self.port = port
        self.learned = {REGISTRY: registry, urllib.parse.quote(REGISTRY): urllib.parse.quote(registry)}

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
            for a, b in zip(sorted(want, key=self.rank), sorted(got, key=self.rank)):
                self.learn(a, b)
        elif isinstance(want, str) and isinstance(got, str) and want != got and LEARNED.match(want):
            self.learned[want] = got

    def rank(self, v):
        """Orders lists whose entries are alike but for what is made up."""
        text = self.substitute(json.dumps(shape(v), sort_keys=True))
        return re.sub(r'"([0-9a-f]{32}|[0-9a-f-]{36})"', '""', text)

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
            own_words = x["path"] in OWN_WORDS
            found = where_different(shape(want, own_words), shape(got, own_words))
            if found:
                return found
        elif x["response_kind"] == "text" and not (x["content_type"] or "").startswith("text/plain") and want != got:
            return f"body {body[:200]!r}"
        if body and content_type != x["content_type"]:
            return f"content type {content_type}, not {x['content_type']}"
        return None


def prepare_subscriptions(engine):
    """What adding the images of 04 left behind: their tags' subscriptions."""
    first = load("08_subscriptions_repositories")[0]["response_body"]
    for x in first:
        body = {k: x[k] for k in ("subscription_key", "subscription_type", "subscription_value", "active")}
        body = json.loads(engine.replayer.substitute(json.dumps(body)))
        answer = engine.client("POST", "/v1/subscriptions", body)
        assert answer.status == 200, answer


def prepare_registries(engine):
    """The record that the recording's 04 began with."""
    answer = engine.client("POST", "/v1/registries?validate=false", {
        "registry": engine.registry.host, "registry_user": "x", "registry_pass": "y", "registry_verify": False,
        "registry_type": "docker_v2"})
    assert answer.status == 200, answer


def wait_for_import(engine):
    """The image of line 40."""
    path = next(x for x in load("13_imports") if x["n"] == 49)["path"]
    end = time.monotonic() + 30
    while b'"analyzed"' not in engine.client.get(path).body and time.monotonic() < end:
        time.sleep(0.1)


def wait_for_events(engine):
    """Feeds are synchronised at the start."""
    end = time.monotonic() + 20
    while engine.client.get("/v1/events").json["item_count"] < 2 and time.monotonic() < end:
        time.sleep(0.1)


def wait_for_sync(engine):
    """The synchronisation of the start is over when another one is not refused."""
    end = time.monotonic() + 20
    while engine.client("POST", "/v1/system/feeds").status == 409 and time.monotonic() < end:
        time.sleep(0.1)


PREPARE = {"04_images": prepare_registries, "08_subscriptions_repositories": prepare_subscriptions}


def wait_for_removal(engine):
    """The account is removed by a round of the catalog."""
    end = time.monotonic() + 100
    while engine.client.get("/v1/accounts/acct2").status != 404 and time.monotonic() < end:
        time.sleep(0.5)


WAIT = {("01", 51): wait_for_events, ("01", 93): wait_for_sync, ("03", 64): wait_for_removal, ("13", 49): wait_for_import}

# The feed service and the receiver of notifications were down when 01 was recorded.
EXTRA = """\
feeds: {url: 'http://127.0.0.1:9/v1/feeds'}
webhooks:
  webhook_user: null
  webhook_pass: null
  ssl_verify: false
  general: {url: 'http://127.0.0.1:18300/hook/<notification_type>/<userId>'}
  policy_eval: {}
  event_log: {}
"""


@pytest.fixture(scope="module")
def recorded_engine(kellet_binary, tmp_path_factory):
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    engine = engines.Engine(kellet_binary, tmp_path_factory.mktemp("recorded"), host_id="oracle-host", open_metrics=False,
                            services=[s for s in engines.SERVICES if s != "kubernetes_webhook"],
                            extra=EXTRA, more={"policy_engine": ""})
    need("docker-registry")
    where = tmp_path_factory.mktemp("recorded-registry")
    engine.registry = registries.Registry(where, where / "root", "recorded")
    for repository, tags in TAGS.items():
        for tag in tags:
            registries.push(engine.registry.port, repository, tag,
                            registries.Image(registries.apk_files({"musl": "1.2.4-r2"})))
    engine.replayer = Replayer(engine.port("apiext"), engine.registry.host)
    yield engine
    engine.stop()
    engine.registry.stop()


@pytest.mark.parametrize("name", FILES)
def test_recorded(recorded_engine, name):
    listed, area = listed_differences(), name.split("_")[0]
    wrong = []
    PREPARE.get(name, lambda engine: None)(recorded_engine)
    for x in load(name):
        WAIT.get((area, x["n"]), lambda engine: None)(recorded_engine)
        found = recorded_engine.replayer.difference(x)
        title = f"{area}:{x['n']} {x['name']}: {x['method']} {x['path'][:100]}{'?' + x['query'] if x['query'] else ''}"
        if found and (area, x["n"]) not in listed:
            wrong.append(f"{title}\n    {found}")
        elif not found and (area, x["n"]) in listed:
            wrong.append(f"{title}\n    is listed in docs/compatibility.md but does not differ")
    assert not wrong, f"{len(wrong)} of {len(load(name))}:\n" + "\n".join(wrong)

"""Replays recorded exchanges of the original's API against a running engine: status, content type and body must be
equal but for volatile values. Deliberate differences are listed in docs/compatibility.md with their reasons; an entry
that no longer differs fails too."""
import base64
import http.client
import json
import os
import re
import time
import urllib.parse

import pytest

import engines
import registries
import test_analyze
from conftest import ROOT, SHARED, need
from feed_service import FeedService

DATA = SHARED / "data/api"
# In the order of the recording. Of 04 only what needs none of its images: test_recorded_images has the rest.
FILES = {"01_system_fresh": None, "02_accounts_users": None, "03_ordinary_user": None, "05_policies": None,
         "04_images": [*range(1, 6), *range(8, 13), *range(15, 19), *range(20, 28), *range(96, 110), 119, 120, 129, 130],
         "08_subscriptions_repositories": None, "09_registries": None}
# With the images of the recording, in its order. Left out: evaluations (they belong here when there are policies: 04:36, 93;
# 12:30; 12b:5, 13; 13:64-69), images of Docker Hub (04:45-46, 114-118), and states that pass (04:48-50, 124).
IMAGE_FILES = {"04_images": [*range(28, 36), *range(37, 45), 47, *range(51, 93), *range(94, 96), *range(110, 114), *range(121, 124),
                             *range(125, 133)], "11_query": None,
               "13_imports": [*range(1, 64), *range(70, 85)],
               "12_archives": [*range(1, 30), *range(31, 63)], "12b_archive_restore": [*range(1, 5), *range(6, 13), *range(14, 17)]}
REGISTRY = "127.0.0.1:5000"  # of the recording; ours has another port
TAGS = {"bench/kitchen": ["latest", "v1", "v2", "v3", "df"], "library/alpine": ["3.10", "3.18", "latest"]}

# Descriptions are in our own words.
OWN_WORDS = ("/v1/system/error_codes", "/v1/system/policy_spec", "/v1/event_types")
# Compared by type only.
VOLATILE = {"created_at", "last_updated", "last_update", "last_modified", "analyzed_at", "tag_detected_at",
            "last_evaluation", "last_sync", "last_full_sync", "updated_at", "expires_at", "timestamp", "generated_uuid",
            "uuid", "rule_id", "request_id", "dataId", "notificationId", "access_token", "base_url", "hostid",
            "total_time_seconds", "raw_exception_message", "archive_size_bytes", "detected_at", "cause"}
# Compared by whether they are zero.
SIZES = {"total_data_bytes"}
LEARNED = re.compile(r"^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[\w.-]{40,})$")


def load(name, files=FILES):
    with open(DATA / f"{name}.jsonl", encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [x for x in lines if files[name] is None or x["n"] in files[name]]


def listed_differences():
    """{(file number, line): what differs} of the table in docs/compatibility.md: rows "| 02:60-105, 130 | `status` `/a/*/b` |
    reason |"."""
    found = {}
    for line in (ROOT / "docs/compatibility.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\| (\d\d\w?:[\d, :-]+) \| (.+?) \| .+ \|$", line)
        if not row:
            continue
        what = set(re.findall("`(.+?)`", row[2]))
        area = None
        for part in row[1].split(","):
            if ":" in part:
                area, part = part.strip().split(":")
            first, _, last = part.strip().partition("-")
            for n in range(int(first), int(last or first) + 1):
                found[area, n] = what
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
        return {k: type(x).__name__ if k in volatile else x > 0 if k in SIZES else shape(x, own_words, k) for k, x in v.items()}
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


def all_different(want, got, path=""):
    """(JSON pointer, text) of everything that differs. `*` is an element of a list; of lists that have others, how many are there
    more (+) and less (-), which is a part of the pointer."""
    if type(want) is not type(got):
        yield path, f"want {want!r:.160}, got {got!r:.160}"
    elif isinstance(want, dict):
        for k in sorted(set(want) | set(got)):
            name = k if re.fullmatch(r"[\w.-]{1,60}", k) and not re.match("sha256|[0-9a-f]{32}", k) else "*"
            if k not in want or k not in got:
                yield f"{path}/{name}", f"{'not expected' if k in got else 'missing'}: {(got if k in got else want)[k]!r:.100}"
            else:
                yield from all_different(want[k], got[k], f"{path}/{name}")
    elif isinstance(want, list):
        less, more = list(want), []
        for x in got:
            less.remove(x) if x in less else more.append(x)
        if len(less) == len(more):
            for a, b in zip(less, more):
                yield from all_different(a, b, f"{path}/*")
        else:
            yield f"{path} +{len(more)} -{len(less)}", f"more {more!r:.160}, less {less!r:.160}"
    elif want != got:
        yield path, f"want {want!r:.160}, got {got!r:.160}"


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
        """{JSON pointer, or another word for what differs: text}"""
        status, content_type, body = self.send(x)
        found = {}
        if x["response_kind"] == "json":
            try:
                got = json.loads(body)
            except ValueError:
                return {"body": f"{status}: not JSON: {body[:200]!r}"}
            self.learn(x["response_body"], got)
            want = json.loads(self.substitute(json.dumps(x["response_body"])))
        else:
            got, want = body.decode(errors="replace"), x["response_body"]
        if status != x["status"]:
            found["status"] = f"{status}, not {x['status']}: {body[:300]!r}"
        if x["response_kind"] == "json":
            own_words = x["path"] in OWN_WORDS
            found.update((path or "/", text) for path, text in all_different(shape(want, own_words), shape(got, own_words)))
        elif x["response_kind"] == "text" and not (x["content_type"] or "").startswith("text/plain") and want != got:
            found["body"] = f"{body[:200]!r}"
        if body and content_type != x["content_type"]:
            found["content type"] = f"{content_type}, not {x['content_type']}"
        return found


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


WAIT = {("01", 51): wait_for_events, ("01", 93): wait_for_sync, ("03", 64): wait_for_removal}

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


def replay(engine, name, lines, wait):
    """Each exchange differs exactly in what docs/compatibility.md lists of it."""
    listed, area, wrong = listed_differences(), name.split("_")[0], []
    for x in lines:
        wait.get((area, x["n"]), lambda engine: None)(engine)
        found, allowed = engine.replayer.difference(x), listed.get((area, x["n"]), set())
        if os.environ.get("KELLET_DIFFERENCES"):
            with open(os.environ["KELLET_DIFFERENCES"], "a") as f:
                f.write(json.dumps([area, x["n"], sorted(found)]) + "\n")
        said = [f"    {what}: {found[what]}" for what in sorted(found.keys() - allowed)]
        said += [f"    {what} is listed in docs/compatibility.md but does not differ" for what in sorted(allowed - found.keys())]
        if said:
            query = "?" + x["query"] if x["query"] else ""
            wrong.append("\n".join([f"{area}:{x['n']} {x['name']}: {x['method']} {x['path'][:100]}{query}", *said]))
    assert not wrong, f"{len(wrong)} of {len(lines)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", FILES)
def test_recorded(recorded_engine, name):
    PREPARE.get(name, lambda engine: None)(recorded_engine)
    replay(recorded_engine, name, load(name), WAIT)


# ---- with images

# Of Docker Hub, and one that the original could not analyse: left out of both sides' lists.
NOT_HERE = ("sha256:7fe1d8b2", "sha256:fbe8c3a7", "sha256:4fdf7d6a")
KITCHENS = {"v1": "1", "v2": "2", "v3": "3", "df": "4"}


def named(v):
    """The digest that an entry of a list is about."""
    if not isinstance(v, dict):
        return ""
    return v.get("imageDigest") or (v.get("image") or {}).get("imageDigest", "")


def only_here(v):
    """Without the images that are not here; counts follow."""
    if isinstance(v, list):
        return [only_here(x) for x in v if not named(x).startswith(NOT_HERE)]
    if not isinstance(v, dict):
        return v
    kept = {k: only_here(x) for k, x in v.items()}
    if isinstance(v.get("images"), list) and "total_count" in v:
        gone = len(v["images"]) - len(kept["images"])
        kept.update(total_count=v["total_count"] - gone, returned_count=v["returned_count"] - gone)
    return kept


def without_dockerfile(v):
    """The original loses an image's Dockerfile when it gets another tag, and kellet does not; test_analyze looks at it."""
    if isinstance(v, list):
        return [without_dockerfile(x) for x in v]
    if not isinstance(v, dict):
        return v
    return {k: without_dockerfile(x) for k, x in v.items() if k not in ("dockerfile", "dockerfile_mode")}


class ImageReplayer(Replayer):
    def difference(self, x):
        want = without_dockerfile(only_here(x["response_body"]))
        if "limit=1" in x["query"] and "images" in want:
            want["total_count"] -= 1  # Docker Hub's Alpine is on another page
        return super().difference({**x, "response_body": want})

    def send(self, x):
        status, content_type, body = super().send(x)
        if content_type == "application/json":
            body = json.dumps(without_dockerfile(only_here(json.loads(body)))).encode()
        return status, content_type, body


def service(engine, name):
    return next((p for p in engine.processes if p.service == name and p.poll() is None), None)


def stop_service(engine, name):
    process = service(engine, name)
    if process:
        process.terminate()
        process.wait(30)


def start_analyzer(engine):
    """A worker, as the original's was configured, until everything is analysed."""
    where = engine.directory / f"process{len(engine.processes)}/service"
    where.mkdir(parents=True)
    (where / "analyzer_config.yaml").write_text(test_analyze.SETTINGS)
    engine.add("analyzer")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        states = {i["analysis_status"] for i in engine.client.get("/v1/images").json}
        if states <= {"analyzed", "analysis_failed"}:
            break
        time.sleep(0.1)
    stop_service(engine, "analyzer")


def add_image(engine, tag, **body):
    answer = engine.client("POST", "/v1/images", {"tag": f"{engine.registry.host}/{tag}", **body})
    assert answer.status == 200, answer


def image_gc(seconds):
    """Images that are deleted go after so long."""
    return f"    cycle_timers: {{image_gc: -{seconds}}}\n"


def prepare_df(engine):
    """What 06 left behind: the image with a Dockerfile."""
    text = next(x for x in load("04_images", IMAGE_FILES) if x["n"] == 34)["request_body"]["dockerfile"]
    add_image(engine, "bench/kitchen:df", dockerfile=text)
    start_analyzer(engine)


def wait_for_deletion(engine):
    stop_service(engine, "catalog")
    engine.more["catalog"] = image_gc(1)
    engine.add("catalog")
    path = next(x for x in load("12b_archive_restore", IMAGE_FILES) if x["n"] == 6)["path"]
    end = time.monotonic() + 60
    while engine.client.get(path).status != 404 and time.monotonic() < end:
        time.sleep(0.2)


IMAGE_WAIT = {("04", 53): start_analyzer, ("11", 1): prepare_df, ("13", 49): start_analyzer, ("12", 25): start_analyzer,
              ("12b", 6): wait_for_deletion}


def damage(registry, digest):
    name = digest.split(":")[1]
    blob = registry / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"
    blob.write_bytes(bytes(blob.stat().st_size))


@pytest.fixture(scope="module")
def image_engine(kellet_binary, tmp_path_factory):
    """Without workers, but for those that start_analyzer() starts: the original's took their time."""
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL is not installed")
    need("docker-registry")
    where = tmp_path_factory.mktemp("recorded-images")
    feeds = FeedService(json.loads((DATA / "golden/feeds.json").read_text()))
    postgres = engines.Postgres(where / "postgres")
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    engine = engines.Engine(kellet_binary, where / "engine", split=True, database=postgres.database("recorded"),
                            environment=environment, services=("catalog", "apiext", "simplequeue", "policy_engine"),
                            extra=f"feeds: {{url: '{feeds.url}'}}",
                            more={"analyzer": "    enable_hints: true\n", "catalog": image_gc(3600), **engines.MORE})
    engine.registry = registries.Registry(where, where / "registry", "recorded-images")
    for tag, variant in KITCHENS.items():
        image = test_analyze.Kitchen(where / tag, variant)
        for name in (tag, "latest") if tag == "v1" else (tag,):
            test_analyze.registry_push(engine.registry, "bench/kitchen", name, image)
        if tag == "v3":  # the original could not analyse it
            damage(where / "registry", json.loads(image.manifest)["layers"][1]["digest"])
    test_analyze.registry_push(engine.registry, "library/alpine", "3.10",
                               test_analyze.Layout(SHARED / "data/images/oci/alpine-3.10"))
    engine.replayer = ImageReplayer(engine.port("apiext"), engine.registry.host)
    prepare_registries(engine)
    assert engine.client("POST", "/v1/system/feeds?sync=true&flush=true", timeout=120).status == 200
    for account, user in (("acct1", "user1"), ("acct5", "user51")):
        engine.client("POST", "/v1/accounts", {"name": account})
        engine.client("POST", f"/v1/accounts/{account}/users", {"username": user, "password": "password1"})
    add_image(engine, "bench/kitchen:v1")
    add_image(engine, "library/alpine:3.10")
    start_analyzer(engine)
    yield engine
    engine.stop()
    engine.registry.stop()
    feeds.stop()
    postgres.stop("immediate")


@pytest.mark.parametrize("name", IMAGE_FILES)
def test_recorded_images(image_engine, name):
    replay(image_engine, name, load(name, IMAGE_FILES), IMAGE_WAIT)

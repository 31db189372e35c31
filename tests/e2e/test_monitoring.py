"""What people watch the engine with: every metric that the dashboard, the alert rules and docs/operating.md name is exported
by a running engine, and a real Prometheus that scrapes it answers the dashboard's queries. The rules are tried by promtool."""
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

import engines
from conftest import ROOT
from registries import free_port, wait_for
from test_admission import Hook, review
from test_deploy_kubernetes import PASSWORDS, objects, render, tool
from test_webhooks import Receiver

RULES = ROOT / "deploy/prometheus/kellet.rules.yaml"
DASHBOARD = ROOT / "deploy/grafana/kellet.json"
NAME = re.compile(r"\b(?:anchore|kellet|flask|process)_[a-z0-9_]+")
# queries that have nothing to say while all is well, or no client of the original's queues is there
QUIET = ("5..", 'status="fail"', "anchore_queue_length", "anchore_import_time")


def dashboard_queries():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [t["expr"] for p in panels for t in p.get("targets", [])]


def rules():
    return [r for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]


def page(engine, service):
    answer = engine.client.__class__(engine.port(service)).get("/metrics")
    assert answer.status == 200
    return answer.body.decode()


def families(text):
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}


def plain(name):
    """A histogram's or summary's family."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.fixture(scope="module")
def engine(kellet_binary, tmp_path_factory, registry_open, postgres, receiver):
    """Each service a process, with something of everything behind it."""
    where = tmp_path_factory.mktemp("monitoring")
    load_data(kellet_binary, where)
    more = {**engines.MORE, "catalog": "    cycle_timers: {image_gc: -1}\n", "kubernetes_webhook": "    admission: {onError: deny}\n"}
    one = engines.Engine(kellet_binary, where, postgres.database("t_monitoring"), split=True, more=more,
                         extra=f"webhooks: {{general: {{url: 'http://127.0.0.1:{receiver}/<notification_type>/<userId>'}}}}")
    try:
        name = f"127.0.0.1:{registry_open.port}/plain:1"
        digest = one.client("POST", "/v1/images", {"tag": name}).json[0]["imageDigest"]
        assert one.client.wait_analyzed(digest)["analysis_status"] == "analyzed"
        for _ in range(2):
            assert one.client.get(f"/v1/images/{digest}/check", tag=name).status == 200
            assert one.client.get(f"/v1/images/{digest}/vuln/all").status == 200
        hook = Hook(one.port("kubernetes_webhook"))
        hook(review(name))
        hook(review("127.0.0.1:1/none:1"))
        assert one.client("POST", "/v1/system/webhooks/general/test?notification_type=tag_update").status == 200
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module")
def receiver():
    one = Receiver()
    yield one.server_address[1]
    one.shutdown()


def load_data(kellet_binary, where):
    secdb = where / "v3.18.json"
    secdb.write_text(json.dumps({"distroversion": "v3.18", "reponame": "main", "packages": [
        {"pkg": {"name": "busybox", "secfixes": {"1.36.1-r9": ["CVE-2023-42365"]}}}]}))
    subprocess.run([kellet_binary, "feeds", "load", "alpine", secdb, "--data", where / "data"], check=True, capture_output=True)


def test_every_metric_that_is_named_is_exported(engine):
    exported = set().union(*(families(page(engine, s)) for s in engines.SERVICES))
    named = set()
    for query in [*dashboard_queries(), *(r["expr"] for r in rules())]:
        named |= set(NAME.findall(query))
    assert len(named) > 40
    missing = {n for n in named if n not in exported and plain(n) not in exported}
    assert not missing


def test_the_guide_names_all_and_nothing_else(engine):
    exported = set().union(*(families(page(engine, s)) for s in engines.SERVICES))
    text = (ROOT / "docs/operating.md").read_text()
    section = text[text.index("## Metrics"):text.index("## Alerts")]
    named = set(re.findall(r"`((?:anchore|kellet|flask|process)_[a-z0-9_]+)", section))
    assert exported - named == set() and {n for n in named if n not in exported} == set()
    for rule in rules():
        assert f"`{rule['alert']}`" in text[text.index("## Alerts"):], rule["alert"]


@pytest.mark.parametrize("service", engines.SERVICES)
def test_pages_say_nothing_twice(engine, service):
    lines = page(engine, service).splitlines()
    series = [line.rsplit(" ", 1)[0] for line in lines if line and not line.startswith("#")]
    assert sorted(series) == sorted(set(series))
    heads = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert sorted(heads) == sorted(set(heads))


class Prometheus:
    """Debian's, scraping the ports of an engine every half second."""

    def __init__(self, where, ports, rule_file):
        program = tool("prometheus")
        self.port, self.where = free_port(), where
        (where / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"}, "rule_files": [str(rule_file)],
            "scrape_configs": [{"job_name": "kellet", "static_configs": [{"targets": [f"127.0.0.1:{p}" for p in ports]}]}]}))
        with open(where / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program, f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)
        wait_for(self.port, self.process, 60)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as problem:
            raise AssertionError(f"{query}: {problem.read().decode()}") from None

    def query(self, text):
        return self.ask("query", query=text)["result"]

    def until(self, text, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                found = self.query(text)
            except AssertionError:  # it reads its files still: 503
                found = None
            if found:
                return found
            assert time.monotonic() < end, f"{text}\n{(self.where / 'log').read_text()[-2000:]}"
            time.sleep(0.3)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def prometheus(engine, tmp_path_factory):
    one = Prometheus(tmp_path_factory.mktemp("prometheus"), [engine.port(s) for s in engines.SERVICES], RULES)
    yield one
    one.stop()


def test_prometheus_takes_every_page(prometheus, engine):
    prometheus.until(f"count(up == 1) == {len(engines.SERVICES)}")
    targets = prometheus.ask("targets")["activeTargets"]
    assert [t["lastError"] for t in targets] == [""] * len(engines.SERVICES)


def test_the_dashboard_has_something_to_show(prometheus, engine):
    prometheus.until("count_over_time(anchore_service_info[1m]) >= 3")
    hook = Hook(engine.port("kubernetes_webhook"))  # between two scrapes, so that rates are seen
    hook(review("127.0.0.1:1/none:1"))
    engine.client.get("/v1/images")
    prometheus.until('sum(rate(anchore_image_policy_webhooks_evaluation_total{allowed="false"}[1m])) > 0')
    empty = [q for q in dashboard_queries() if not prometheus.query(q) and not any(x in q for x in QUIET)]
    assert not empty


def test_rules_are_loaded_and_none_fires(prometheus):
    prometheus.until("count_over_time(up[1m]) >= 3")
    loaded = [r for g in prometheus.ask("rules")["groups"] for r in g["rules"]]
    assert [r["name"] for r in loaded] == [r["alert"] for r in rules()]
    assert {r["health"] for r in loaded} <= {"ok", "unknown"} and not any(r.get("lastError") for r in loaded)
    assert {r["name"] for r in loaded if r["state"] == "firing"} == set()


# ---- rules by promtool, on series that are written down


JOIN = 'anchore_service_info{instance="a", servicename="%s"}'
TRIED = {
    "KelletServiceMissing": ({JOIN % s: "1x60" for s in ("apiext", "catalog", "simplequeue", "policy_engine")}, {"servicename": "analyzer"}),
    "KelletRestarts": ({JOIN % "catalog": "1x60", 'process_start_time_seconds{instance="a"}': "0+10x60"},
                       {"instance": "a", "servicename": "catalog"}),
    "KelletRequestsFail": ({JOIN % "apiext": "1x60", 'flask_http_request_total{instance="a",status="200"}': "0+90x60",
                            'flask_http_request_total{instance="a",status="503"}': "0+10x60"}, {"servicename": "apiext"}),
    "KelletQueueWaits": ({'kellet_queue_wait_seconds{queue="images_to_analyze"}': "1000x60"}, {"queue": "images_to_analyze"}),
    "KelletLeaseStuck": ({'kellet_lease_age_seconds{queue="images_to_analyze"}': "8000x60"}, {"queue": "images_to_analyze"}),
    "KelletAnalysesFail": ({"anchore_analysis_error_total": "0+1x60", "anchore_analysis_success_total": "0+2x60"}, {}),
    "KelletAnalysesAreRetried": ({"kellet_analysis_retries_total": "0+6x60"}, {}),
    "KelletVulnerabilityDataOld": ({'kellet_feed_loaded_timestamp_seconds{source="debian"}': "-300000x120"}, {"source": "debian"}),
    "KelletVulnerabilityDataLag": ({'kellet_feed_loaded_timestamp_seconds{source="osv",instance="a"}': "-9000x120",
                                    'kellet_feed_loaded_timestamp_seconds{source="osv",instance="b"}': "0x120"}, {"source": "osv"}),
    "KelletVulnerabilityDataShrunk": ({'kellet_feed_claims{source="nvd"}': "1000x60 500x60"}, {"source": "nvd"}),
    "KelletWatcherFails": ({'anchore_monitor_runtime_seconds_count{function="image_gc",status="fail"}': "0+1x120"},
                           {"function": "image_gc"}),
    "KelletNotificationsWait": ({"kellet_notifications_wait_seconds": "4000x60"}, {}),
    "KelletAdmissionRefuses": ({'anchore_image_policy_webhooks_evaluation_total{allowed="false"}': "0+9x60",
                                'anchore_image_policy_webhooks_evaluation_total{allowed="true"}': "0+1x60"}, {}),
    "KelletDatabaseFails": ({"kellet_db_failures_total": "0+60x60"}, {}),
    "KelletDatabaseSlow": ({"anchore_db_readwrite_seconds_sum": "0+60x60", "anchore_db_readwrite_seconds_count": "0+60x60"}, {}),
    "KelletScratchFull": ({'anchore_tmpspace_available_bytes{instance="a"}': "1e9x60"}, {"instance": "a"}),
    "KelletMemory": ({JOIN % "catalog": "1x60", 'process_resident_memory_bytes{instance="a"}': "3e9x60"},
                     {"instance": "a", "servicename": "catalog"}),
    "KelletApiSlow": ({JOIN % "apiext": "1x60", 'flask_http_request_duration_seconds_bucket{instance="a",le="2.5"}': "0x60",
                       'flask_http_request_duration_seconds_bucket{instance="a",le="5"}': "0+60x60",
                       'flask_http_request_duration_seconds_bucket{instance="a",le="+Inf"}': "0+60x60"}, {"servicename": "apiext"}),
    "KelletAdmissionSlow": ({'flask_http_request_duration_seconds_bucket{path="/v1/admission",le="1"}': "0x60",
                             'flask_http_request_duration_seconds_bucket{path="/v1/admission",le="5"}': "0+60x60",
                             'flask_http_request_duration_seconds_bucket{path="/v1/admission",le="+Inf"}': "0+60x60"}, {}),
}


def test_each_alert_fires_when_it_should(tmp_path):
    assert set(TRIED) == {r["alert"] for r in rules()}
    severity = {r["alert"]: r["labels"]["severity"] for r in rules()}
    tests = [{"interval": "1m", "input_series": [{"series": s, "values": v} for s, v in series.items()],
              "alert_rule_test": [{"eval_time": "2h" if "120" in str(series) or "500x60" in str(series) else "1h", "alertname": name,
                                   "exp_alerts": [{"exp_labels": {"severity": severity[name], **labels}}]}]}
             for name, (series, labels) in TRIED.items()]
    (tmp_path / "rules.yaml").write_text(stripped())
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([tool("promtool"), "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def stripped():
    """The rules without their texts, which promtool would compare too."""
    text = yaml.safe_load(RULES.read_text())
    for group in text["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    return yaml.safe_dump(text)


def test_promtool_checks_the_rules():
    done = subprocess.run([tool("promtool"), "check", "rules", RULES], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_brings_both(tmp_path):
    text = render(tmp_path, {**PASSWORDS, "metrics": {"prometheusRule": {"enabled": True, "labels": {"release": "x"}},
                                                      "grafanaDashboard": {"enabled": True}}})
    made = objects(text)
    rule = next(o for o in made if o["kind"] == "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text()) and rule["metadata"]["labels"]["release"] == "x"
    board = next(o for o in made if o["metadata"]["name"] == "kellet-dashboard")
    assert json.loads(board["data"]["kellet.json"]) == json.loads(DASHBOARD.read_text())
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"

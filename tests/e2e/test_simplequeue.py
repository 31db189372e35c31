"""The simple queue over HTTP: long polls hold no thread and hear of messages that another process put there; what the
queues' numbers look like to Prometheus; who may not see any of it."""
import threading
import time

import engines
import pytest


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ports(request, kellet_binary, tmp_path_factory):
    """The engine and the ports of the simple queue: two processes on PostgreSQL."""
    where = tmp_path_factory.mktemp(f"simplequeue-{request.param}")
    server = None
    if request.param == "postgresql":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL's server is not installed")
        server = engines.Postgres(where / "server")
    engine = engines.Engine(kellet_binary, where / "engine", server and server.database("queues"))
    ports = [engine.port("simplequeue")]
    if server:
        ports.append(engine.add("simplequeue").ports["simplequeue"])
    yield engine, ports
    statuses = engine.stop()
    if server:
        server.stop("immediate")
    assert statuses == [0] * len(statuses), engine.log()[-3000:]


def test_long_polls(ports):
    _, numbers = ports
    put, take = engines.Client(numbers[0]), engines.Client(numbers[-1])
    waiters, heard = 80, []  # more than a service has threads

    def wait():
        answer = take("GET", "/v1/queues/mine?wait_max_seconds=30")
        heard.append((answer.json["data"]["n"], time.monotonic()))

    threads = [threading.Thread(target=wait) for _ in range(waiters)]
    for t in threads:
        t.start()
    time.sleep(1.5)
    assert take.get("/v1/queues").status == 200 and not heard
    sent = {}
    for n in range(waiters):
        sent[n] = time.monotonic()
        assert put("POST", "/v1/queues/mine", {"n": n}).json is True
    for t in threads:
        t.join(20)
    assert sorted(n for n, _ in heard) == list(range(waiters))
    assert max(at - sent[n] for n, at in heard) < 15
    assert put.get("/v1/queues/mine/qlen").json == "0"


def test_one_waiter_is_woken_at_once(ports):
    _, numbers = ports
    put, take = engines.Client(numbers[0]), engines.Client(numbers[-1])
    waits = []
    for n in range(5):
        heard = []
        t = threading.Thread(target=lambda: heard.append((take("GET", "/v1/queues/one?wait_max_seconds=20").json, time.monotonic())))
        t.start()
        time.sleep(0.3)
        began = time.monotonic()
        put("POST", "/v1/queues/one", {"n": n})
        t.join(10)
        assert heard[0][0]["data"] == {"n": n}
        waits.append(heard[0][1] - began)
    assert sorted(waits)[2] < 0.3  # not the look of each second


def test_wait_ends_with_nothing(ports):
    take = engines.Client(ports[1][0])
    began = time.monotonic()
    assert take("GET", "/v1/queues/empty?wait_max_seconds=2").json == {}
    assert 1.9 < time.monotonic() - began < 6


def test_numbers(ports):
    queue = engines.Client(ports[1][0])
    queue("POST", "/v1/queues/tag_update", {"n": 1})
    page = queue.get("/metrics")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/plain")
    text = page.body.decode()
    assert 'anchore_queue_length{queuename="tag_update"} 1' in text
    assert 'path="/queues/{queuename}"' in text and "process_resident_memory_bytes" in text
    assert 'anchore_service_info{servicename="simplequeue",version="' in text
    overview = queue.get("/v1/kellet/queues").json
    assert overview["lengths"]["tag_update"] == 1 and overview["dead_letters"] == []


def test_only_for_services_and_the_administrator(ports):
    engine, numbers = ports
    assert engine.client("POST", "/v1/accounts", {"name": "guest"}).status == 200
    assert engine.client("POST", "/v1/accounts/guest/users", {"username": "guest", "password": "guestguest"}).status == 200
    guest = engines.Client(numbers[0], "guest", "guestguest")
    for method, path in (("GET", "/v1/queues"), ("GET", "/v1/queues/mine"), ("GET", "/v1/leases"), ("GET", "/v1/kellet/queues")):
        assert guest(method, path).status in (401, 403)

"""What the machine does to an engine: processes that die, a full disk, certificates past their date, clocks that jump.
(Databases that are not there or go away, and host ids that are there twice: test_serve.py.)"""
import http.client
import os
import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import engines
from conftest import need
from registries import Image, Registry, apk_files, push


@pytest.fixture
def start(kellet_binary, clean_environment, tmp_path):
    running = []

    def run(directory=tmp_path / "engine", **more):
        one = engines.Engine(kellet_binary, directory, environment={**clean_environment, **more.pop("env", {})}, **more)
        running.append(one)
        return one
    yield run
    for one in running:
        for process in one.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(p) for p in (task / "children").read_text().split()]
    return found


def zygote_of(engine):
    pids = [p for p in children(engine.processes[0].pid) if Path(f"/proc/{p}/comm").read_text() == "kellet-zygote\n"]
    assert len(pids) == 1
    return pids[0]


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


# ---- processes -----------------------------------------------------------------------------------------------------

def test_the_starter_of_analysers_dies(start):
    """Nothing could be analysed any more: the process ends, says why, and whoever supervises it starts it anew."""
    engine = start()
    os.kill(zygote_of(engine), signal.SIGKILL)
    assert engine.processes[0].wait(60) == 5
    assert "the process that starts analysers is gone" in engine.log()


def test_killed_engines_leave_nothing(start):
    engine = start()
    zygote = zygote_of(engine)
    engine.processes[0].kill()
    wait_until(lambda: gone(zygote))


def test_signals_are_for_the_engine(start):
    """A Ctrl-C reaches the whole group: the starter of analysers stays for what is being finished."""
    engine = start()
    zygote = zygote_of(engine)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(zygote, number)
    time.sleep(0.2)
    assert not gone(zygote) and engine.client.get("/v1/system").status == 200
    assert engine.stop() == [0]
    assert gone(zygote)


# ---- a full disk -----------------------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    where = tmp_path / "disk"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "kellet", str(where)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(where):
    with open(where / "filler", "wb", buffering=0) as f:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    f.write(b"\1" * size)
            except OSError:
                pass


def test_full_disk(start, small_disk):
    engine = start(small_disk / "engine")
    assert engine.client("POST", "/v1/accounts", {"name": "before", "email": "a@b.c"}).status == 200
    fill(small_disk)
    statuses = set()
    for i in range(60):
        answer = engine.client("POST", "/v1/accounts", {"name": f"full{i}", "email": "a@b.c"})
        statuses.add(answer.status)
        answer.json  # whatever it says, it says in JSON
        assert engine.processes[0].poll() is None, engine.log()[-2000:]
        assert answer.status != 503 or "full" in answer.json["message"], answer
    assert statuses == {200, 503} or statuses == {503}, statuses
    assert engine.client.get("/v1/accounts").status == 200
    (small_disk / "filler").unlink()
    wait_until(lambda: engine.client("POST", "/v1/accounts", {"name": "after", "email": "a@b.c"}).status == 200)
    names = [a["name"] for a in engine.client.get("/v1/accounts").json]
    assert {"before", "after"} <= set(names)
    assert engine.stop() == [0]


# ---- certificates ----------------------------------------------------------------------------------------------------

@pytest.fixture
def expired(tmp_path):
    need("faketime", "openssl")
    cert, key = tmp_path / "old.pem", tmp_path / "old.key"
    subprocess.run(["faketime", "2020-01-01", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", key, "-out", cert, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    return f"    ssl_enable: true\n    ssl_cert: {cert}\n    ssl_key: {key}\n", cert


@pytest.mark.parametrize("verify", [True, False])
def test_expired_certificate(start, expired, verify):
    """Of a service: others do not believe it, unless the configuration says so; of the API: clients do not."""
    tls, cert = expired
    engine = start(split=True, services=("catalog", "simplequeue", "policy_engine", "apiext"),
                   more={**engines.MORE, "catalog": tls}, extra=f"internal_ssl_verify: {str(verify).lower()}")
    context = ssl.create_default_context(cafile=cert)
    connection = http.client.HTTPSConnection("127.0.0.1", engine.port("catalog"), context=context, timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        connection.request("GET", "/health")
    answer = engine.client("POST", "/v1/images", {"tag": "127.0.0.1:1/nothing:here"})
    assert answer.status in (400, 404, 500, 503, 504), answer
    told = answer.body.decode() + engine.log()
    assert ("certificate" in told) is verify, told[-3000:]
    assert engine.stop() == [0] * 4


# ---- clocks -------------------------------------------------------------------------------------------------------------

def test_clock_jumps(start, tmp_path, kellet_binary):
    """A day ahead, then two days back, while images are analysed: all are, and nothing ends."""
    need("faketime", "docker-registry")
    library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if not library or b"__asan_init" in Path(kellet_binary).read_bytes():
        pytest.skip("no libfaketime, or a build with sanitizers, which must be loaded first")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    (tmp_path / "root").mkdir()
    registry = Registry(tmp_path, tmp_path / "root", "clock")
    try:
        engine = start(env={"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
        for number, offset in enumerate(("+0", "+86400", "-172800")):
            clock.write_text(offset)
            image = Image({**apk_files({"musl": f"1.2.{number}"})})
            push(registry.port, "clock", f"v{number}", image)
            answer = engine.client("POST", "/v1/images", {"tag": f"{registry.host}/clock:v{number}"})
            assert answer.status == 200, answer
            assert engine.client.wait_analyzed(image.digest)["analysis_status"] == "analyzed", engine.log()[-2000:]
        assert engine.stop() == [0]
    finally:
        registry.stop()

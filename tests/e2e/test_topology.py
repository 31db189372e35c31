"""Six services as separate processes, a second one of each, PostgreSQL and a registry: images are added at once while
processes are killed and the database restarts. Everything is analysed, nothing twice, nothing is forgotten.

KELLET_TOPOLOGY_IMAGES and KELLET_TOPOLOGY_SECONDS make it larger than what CI runs (the issue asks for 200 images and
minutes of kills); KELLET_TOPOLOGY_LAYOUTS=DIR takes the layers of the images in DIR/*/oci (../shared/images/make-images
writes them) in turn, each under a layer of the image's own.
"""
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import engines
from registries import OCI_MANIFEST, Image, apk_files, digest_of, layer_of, push

IMAGES = int(os.environ.get("KELLET_TOPOLOGY_IMAGES", 40))
SECONDS = int(os.environ.get("KELLET_TOPOLOGY_SECONDS", 25))
LAYOUTS = os.environ.get("KELLET_TOPOLOGY_LAYOUTS")
SECOND = ("apiext", "catalog", "policy_engine", "simplequeue", "analyzer")


class OnLayout(Image):
    """The image of an OCI layout with one more layer on top."""

    def __init__(self, layout, files):
        blob = lambda digest: (layout / "blobs/sha256" / digest.split(":")[1]).read_bytes()
        manifest = json.loads(blob(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        self.blobs = {d["digest"]: blob(d["digest"]) for d in manifest["layers"]}
        data, diff_id = layer_of(files)
        config["rootfs"]["diff_ids"].append(diff_id)
        config.pop("history", None)
        manifest["config"] = self.add(json.dumps(config).encode(), manifest["config"]["mediaType"])
        manifest["layers"].append(self.add(data, manifest["layers"][0]["mediaType"]))
        self.manifest = json.dumps({**manifest, "mediaType": OCI_MANIFEST}).encode()
        self.digest, self.architecture = digest_of(self.manifest), config["architecture"]


@pytest.fixture(scope="module")
def images(registry_open):
    layouts = sorted(Path(LAYOUTS).glob("*/oci")) if LAYOUTS else []
    assert layouts or not LAYOUTS, f"no OCI layouts in {LAYOUTS}/*/oci"
    base = apk_files({"musl": "1.2.4-r2", "busybox": "1.36.1-r7"})
    pushed = []
    for i in range(IMAGES):
        own = {"opt/number": f"{i}\n", "opt/filler": os.urandom(200_000)}
        image = OnLayout(layouts[i % len(layouts)], own) if layouts else Image(base, own)
        push(registry_open.port, f"fleet/image{i}", "1", image)
        pushed.append((f"127.0.0.1:{registry_open.port}/fleet/image{i}:1", image.digest))
    return pushed


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    server = engines.Postgres(tmp_path_factory.mktemp("topology-postgres"))
    server.url = server.database("topology")
    yield server
    server.stop("immediate")


@pytest.fixture(scope="module")
def fleet(kellet_binary, tmp_path_factory, database):
    fleet = engines.Engine(kellet_binary, tmp_path_factory.mktemp("topology"), database.url, split=True)
    for service in SECOND:
        fleet.add(service)
    yield fleet
    fleet.stop()


def anywhere(fleet, method, path, body=None, seconds=90):
    """Asks any API that lives until one gives an answer other than 5xx."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        ports = [p.ports["apiext"] for p in fleet.processes if p.poll() is None and "apiext" in p.ports]
        random.shuffle(ports)
        for port in ports:
            try:
                last = engines.Client(port)(method, path, body, timeout=30)
            except (OSError, EOFError, engines.http.client.HTTPException) as problem:
                last = problem
                continue
            if last.status < 500 and "REGISTRY_NOT_ACCESSIBLE" not in last.body.decode(errors="replace"):
                return last
        time.sleep(0.2)
    raise AssertionError(f"no API answered {method} {path}: {last}\n{fleet.log()[-3000:]}")


class Killer(threading.Thread):
    """Kills a random process, starts another of its service, and so on."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.fleet, self.stopping, self.kills, self.problems, self.last = fleet, threading.Event(), 0, [], None

    def run(self):
        while not self.stopping.wait(random.uniform(0.3, 1.5)):
            living = [p for p in self.fleet.processes if p.poll() is None]
            victim = random.choice(living)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            self.kills += 1
            self.last = time.monotonic()
            try:
                self.fleet.add(victim.service)
            except Exception as problem:  # told by the test
                self.problems.append(str(problem))


def rows(database, sql):
    out = subprocess.run([database.bin / "psql", "-h", "127.0.0.1", "-p", str(database.port), "-U", "kellet", "-At",
                          "-c", sql, "topology"], check=True, capture_output=True, text=True).stdout
    return [line.split("|") for line in out.splitlines()]


def test_nothing_is_lost(fleet, database, images):
    killer = Killer(fleet)
    killer.start()
    restarts = [time.monotonic() + SECONDS * part for part in (0.3, 0.7)]
    end = time.monotonic() + SECONDS
    queue = list(images)
    while queue or time.monotonic() < end:
        if queue:
            tag, digest = queue.pop()
            added = anywhere(fleet, "POST", "/v1/images", {"tag": tag})
            assert added.status == 200, added
            assert added.json[0]["imageDigest"] == digest
        else:
            time.sleep(0.2)
        if restarts and time.monotonic() > restarts[0]:
            restarts.pop(0)
            database.stop("immediate")
            time.sleep(1)
            database.start()
    killer.stopping.set()
    killer.join()
    assert not killer.problems, killer.problems
    assert killer.kills > 3
    wanted, deadline = {digest for _, digest in images}, time.monotonic() + 60
    while wanted and time.monotonic() < deadline:
        listed = anywhere(fleet, "GET", "/v1/images").json
        wanted -= {i["imageDigest"] for i in listed if i["analysis_status"] == "analyzed"}
        time.sleep(0.2)
    waited = 60 - (deadline - time.monotonic())
    print(f"{len(images)} images, {killer.kills} kills, 2 restarts of the database: all analysed {waited:.1f} s after the last")
    assert not wanted, rows(database, "select image_digest, history from catalog_image where analysis_status <> 'analyzed'")[-20:]
    twice = rows(database, "select image_digest from catalog_image, regexp_matches(history, '^\\+[0-9]+ .d ', 'gn') "
                           "group by 1 having count(*) > 1")
    assert not twice
    assert rows(database, "select count(*) from queue_item") == [["0"]]


def test_dead_processes_are_gone(fleet, database):
    """Rows of killed processes disappear within a minute; those that live are listed, each with its own host id."""
    deadline = time.monotonic() + 75
    living = sum(p.poll() is None for p in fleet.processes)
    while time.monotonic() < deadline:
        listed = anywhere(fleet, "GET", "/v1/system/services").json
        if len(listed) == living and all(s["status"] for s in listed):
            break
        time.sleep(1)
    assert len(listed) == living, [(s["hostid"], s["servicename"], s["status"]) for s in listed]
    assert len({(s["hostid"], s["servicename"]) for s in listed}) == living


def test_sigterm(fleet):
    assert set(fleet.stop(30)) <= {0, -signal.SIGKILL}
    for p in fleet.processes:
        for port in p.ports.values():
            with socket.socket() as s:
                assert s.connect_ex(("127.0.0.1", port)) != 0

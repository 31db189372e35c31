"""Digest mode: one vulnerability in every image of every owner is one message an owner - through kills of every service
and outages of the receiver each image of each owner is told once to the receiver's eye, and none is lost.

KELLET_DIGEST_IMAGES, _OWNERS, _ADVISORIES, _CHAOS and _SECONDS (of the window) make it larger than what CI runs;
`script/bench digest` does."""
import os
import random
import time

import pytest

import engines
import herds

IMAGES = int(os.environ.get("KELLET_DIGEST_IMAGES", 60))
OWNERS = int(os.environ.get("KELLET_DIGEST_OWNERS", 6))
ADVISORIES = int(os.environ.get("KELLET_DIGEST_ADVISORIES", 1))
CHAOS = int(os.environ.get("KELLET_DIGEST_CHAOS", 0))  # seconds of kills of everything while messages are sent
WINDOW = int(os.environ.get("KELLET_DIGEST_SECONDS", 4))


@pytest.fixture(params=["sqlite", "postgres"])
def server(request, tmp_path_factory):
    if request.param == "sqlite":
        yield None
        return
    if not engines.postgres_bin():
        pytest.skip("PostgreSQL's server is not installed")
    server = engines.Postgres(tmp_path_factory.mktemp("digest-postgres"))
    yield server
    server.stop("immediate")


@pytest.fixture
def herd(kellet_binary, tmp_path, server):
    if not herds.STORE.exists():
        pytest.skip(f"{herds.STORE} is not built")
    h = herds.Herd(kellet_binary, tmp_path, IMAGES, OWNERS, server=server, digest=WINDOW)
    yield h
    h.stop()


def spread(herd):
    """Over how many seconds the notices of one owner and advisory were written, at most."""
    return herd.query("SELECT MAX(b - a) FROM (SELECT MIN(created_at) a, MAX(created_at) b FROM outbox GROUP BY account) x") / 1e6


def test_one_message_an_owner(herd):
    herd.sync()
    herd.wait_baseline(60 + IMAGES / 10)
    began, chaos = time.monotonic(), herds.Chaos(herd)
    for n in range(ADVISORIES):
        herd.records.append(herds.advisory(f"CVE-2099-1{n:03}", "glibc"))
        herd.sync()
        if herd.server or CHAOS:  # the lease of what is killed takes its time: in CI once
            herd.receiver.down = True
            time.sleep(random.uniform(0, 1))
            herd.kill("policy_engine")  # while findings are judged, or notices written
        if CHAOS:
            chaos.stop() if chaos.is_alive() else None
            chaos = herds.Chaos(herd, before=chaos)
            chaos.start()
            end = time.monotonic() + 60 + IMAGES / 10
            while time.monotonic() < end and herd.query("SELECT COUNT(*) FROM outbox") < IMAGES * (n + 1):
                time.sleep(0.5)
            time.sleep(CHAOS)  # and while they are sent
            chaos.stop()
        if herd.server or CHAOS:
            herd.kill("catalog")
        herd.receiver.down = False
    wanted = {(f"owner-{i % OWNERS}", f"registry.invalid:5000/app{i}:1", f"CVE-2099-1{n:03}")
              for i in range(IMAGES) for n in range(ADVISORIES)}
    end = time.monotonic() + 90 + WINDOW + len(wanted) / 10
    while time.monotonic() < end and sum(len(rows) for rows in herd.told()[0].values()) < len(wanted):
        time.sleep(0.2)
    messages, count = herd.told()
    rows = [row for m in messages.values() for row in m]
    print(f"\n{IMAGES} images of {OWNERS} owners: {len(messages)} messages told {len(rows)} images in {count} deliveries, "
          f"{time.monotonic() - began:.0f} s; killed: {chaos.kills}; outages of the receiver: {chaos.outages}; the notices of an "
          f"owner were written within {spread(herd):.1f} s (window: {WINDOW} s)")
    assert len(rows) == len(set(rows)) and set(rows) == wanted
    if ADVISORIES == 1:
        assert len(messages) == OWNERS

"""src/net/sigv4.c against botocore's signer, on requests made from a seed.

KELLET_SEED chooses the seed, KELLET_PAIRS the number of requests (default 4000). The program under test is
build*/tests/unit/net/sigv4-lines.
"""
import datetime
import json
import os
import random
import subprocess
import urllib.parse
from pathlib import Path

import pytest

botocore = pytest.importorskip("botocore")
from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("KELLET_SEED", "1"))
REQUESTS = int(os.environ.get("KELLET_PAIRS", "4000"))
ALPHABET = "abcXYZ019-._~ /+*'()!@:$,;=&?#%\"<>[]{}|\\^`äß€漢😀"
SEGMENTS = ["a", "b c", "..", ".", "", "x%y", "ü", "a+b", "=", "~", "a:b", "sha256:0f"]


def program():
    for build in ("build-debug", "build"):
        path = ROOT / build / "tests/unit/net/sigv4-lines"
        if path.exists():
            return path
    return pytest.skip("sigv4-lines is not built (make debug)")


def text(rng, most):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(most)))


def request(rng):
    s3 = rng.random() < 0.5
    path = "/" + "/".join(urllib.parse.quote(rng.choice(SEGMENTS) if rng.random() < 0.7 else text(rng, 8), safe="~")
                          for _ in range(rng.randrange(5)))
    pairs = [(text(rng, 6), text(rng, 10)) for _ in range(rng.randrange(6))]
    if pairs and rng.random() < 0.3:
        pairs.append((pairs[0][0], text(rng, 4)))
    quote = lambda s: urllib.parse.quote(s, safe="-_.~")
    query = "&".join(f"{quote(k)}={quote(v)}" for k, v in pairs if k)
    headers = [["x-amz-" + "".join(rng.choice("abcdef") for _ in range(3)), rng.choice(["", " "]) + rng.choice(
        ["v", "a  b", "two   spaces   twice", "tab\tin it", '"quoted  text"', "x,y", ""])] for _ in range(rng.randrange(4))]
    headers = list({h[0]: h for h in headers}.values())
    if rng.random() < 0.5:
        headers.append(["Content-Type", rng.choice(["text/plain", "application/x-amz-json-1.1"])])
    return {"method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
            "host": rng.choice(["example.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com", "127.0.0.1:9000"]),
            "path": path, "query": query, "headers": headers, "body": rng.choice(["", "body", "b" * 5000, "ü"]),
            "unsigned": s3 and rng.random() < 0.3, "region": rng.choice(["us-east-1", "cn-north-1"]),
            "service": "s3" if s3 else rng.choice(["ecr", "sts", "service"]), "s3": s3,
            "time": rng.randrange(1_400_000_000, 1_900_000_000), "access_key": "AKIDEXAMPLE",
            "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token": rng.choice(["", "token/with+signs=="])}


def oracle(q, monkeypatch):
    moment = datetime.datetime.fromtimestamp(q["time"], datetime.timezone.utc)
    credentials = Credentials(q["access_key"], q["secret_key"], q["token"] or None)
    kind = S3SigV4Auth if q["s3"] else SigV4Auth
    auth = kind(credentials, q["service"], q["region"])
    url = f"https://{q['host']}{q['path']}" + (f"?{q['query']}" if q["query"] else "")
    rq = AWSRequest(method=q["method"], url=url, data=q["body"].encode(), headers=dict(map(tuple, q["headers"])))
    rq.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    rq.headers["X-Amz-Date"] = rq.context["timestamp"]
    if q["token"]:
        rq.headers["X-Amz-Security-Token"] = q["token"]
    if q["s3"]:
        if q["unsigned"]:
            rq.context["payload_signing_enabled"] = False
            rq.context["client_config"] = None
        rq.headers["X-Amz-Content-SHA256"] = ("UNSIGNED-PAYLOAD" if q["unsigned"] else auth.payload(rq))
    canonical = auth.canonical_request(rq)
    return canonical, auth.signature(auth.string_to_sign(rq, canonical), rq)


def test_signatures(monkeypatch):
    rng = random.Random(SEED)
    requests = [request(rng) for _ in range(REQUESTS)]
    lines = "".join(json.dumps(q) + "\n" for q in requests)
    out = subprocess.run([program()], input=lines, capture_output=True, text=True, check=True, timeout=120).stdout
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == len(requests)
    for q, ours in zip(requests, answers):
        canonical, signature = oracle(q, monkeypatch)
        assert ours.get("canonical") == canonical, q
        assert ours["signature"] == signature, q

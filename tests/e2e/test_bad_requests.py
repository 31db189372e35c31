"""Every operation of the API's description is asked for with what no client should send: bodies that are not JSON, of wrong
types or too large, bad credentials, control characters, NUL and over-long text in paths, queries and headers. No answer is a
5xx, each error has the documented form, nothing ends or hangs, memory stays bounded. And slow clients hold up nobody.
(SQL text: test_isolation.py. Made-up data: test_openapi.py.)"""
import base64
import json
import socket
import time

import pytest

import engines
from test_isolation import SKIPPED, operations, request

OPEN = {"ping", "health_check", "version_check", "get_oauth_token"}
LONG = "a" * 20000
BASIC = "Basic " + base64.b64encode(b"admin:" + engines.PASSWORD.encode()).decode()
BODIES = [b"", b"{", b"[1,", b"\xff\xfe", b"{\"a\":\"\x00\"}", b"null", b"1", b'"text"', b"[]", b"[[[]]]", b"{}", b"[null]",
          b'{"a":' * 5000, b"[" * 100000, b'{"name": 1, "tag": [], "source": 7, "type": {}, "username": null, "password": {}}']
RSS_GROWTH_KB = 150 << 10


def rss(process):
    with open(f"/proc/{process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def answer_of(connection):
    """(status, headers, body) of one answer on a raw socket, or None when the server closed without one."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(b":") for line in lines[1:])}
    length = int(headers.get(b"content-length", 0))
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return int(lines[0].split()[1]), headers, body


def raw(port, data, timeout=30):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        try:
            connection.sendall(data)
            return answer_of(connection)
        except (ConnectionResetError, BrokenPipeError):
            return None


def head(method, target, *lines):
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *lines, "", "")).encode("latin-1")


def check(told, answer, may_close=False):
    if answer is None:
        assert may_close, f"{told}: closed without an answer"
        return 0
    status, headers, body = answer
    assert 200 <= status < 500, f"{told}: {status} {body[:300]!r}"
    assert b"x-evil" not in headers, f"{told}: {headers}"
    if status >= 400 and b"json" in headers.get(b"content-type", b""):
        error = json.loads(body)
        code = error.get("status", error.get("httpcode"))
        assert code == status, f"{told}: {status} {error}"
        assert error.get("detail") or error.get("message") or error.get("title"), f"{told}: {error}"
    return status


@pytest.fixture(scope="module")
def asked(engine):
    swagger = engine.client.get("/v1/swagger.json").json
    # A synchronisation of feeds would ask the world.
    yield [o for o in operations(swagger) if o[2]["operationId"] not in SKIPPED and o[:2] != ("POST", "/system/feeds")]
    assert engine.processes[0].poll() is None, engine.log()[-3000:]
    assert engine.client.get("/v1/system").status == 200


def bodied(asked):
    return [(m, p, o, ps) for m, p, o, ps in asked if m in ("POST", "PUT")]


def test_bodies_that_are_no_requests(engine, asked):
    for method, path, operation, parameters in bodied(asked):
        target = request(path, parameters, {})
        for body in BODIES:
            for kind in ("application/json", "text/plain; charset=\"")[:2 if body == b"{" else 1]:
                data = head(method, target, f"Authorization: {BASIC}", f"Content-Type: {kind}",
                            f"Content-Length: {len(body)}") + body
                status = check(f"{method} {path} {body[:40]!r}", raw(engine.port("apiext"), data))
                needed = any(p.get("in") == "body" and p.get("required") for p in parameters)
                if needed and body in (b"{", b"[1,", b"\xff\xfe"):
                    assert status >= 400, f"{method} {path} took {body!r}"


def test_bodies_that_are_too_large(engine, asked):
    """Announced (answered at once), sent as announced, and sent in chunks without saying how much."""
    before, port = rss(engine.processes[0]), engine.port("apiext")
    for method, path, operation, parameters in bodied(asked):
        target = request(path, parameters, {})
        common = (f"Authorization: {BASIC}", "Content-Type: application/json")
        refused = raw(port, head(method, target, *common, "Content-Length: 99999999999999"))
        assert check(f"{method} {path} announced", refused) in (400, 413), f"{method} {path}: {refused}"
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    for path in ("/v1/policies", "/v1/images", "/v1/accounts"):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(head("POST", path, f"Authorization: {BASIC}", "Content-Type: application/json",
                                    "Transfer-Encoding: chunked"))
            try:
                for _ in range(200):
                    connection.sendall(chunk)
            except (ConnectionResetError, BrokenPipeError):
                continue
            assert check(path, answer_of(connection), True) in (0, 400, 413)
    assert rss(engine.processes[0]) - before < RSS_GROWTH_KB


CREDENTIALS = [None, "Basic", "Basic !!!!", "Basic " + base64.b64encode(b"admin").decode(), "Basic " + "A" * 8000,
               "Basic " + base64.b64encode(b"admin:\0" + engines.PASSWORD.encode()).decode(),
               "Basic " + base64.b64encode(b"' OR 1=1 --:x").decode(), "Bearer", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.",
               "Digest username=admin", "\x80\xff"]


def test_credentials_that_are_none(engine, asked):
    for method, path, operation, parameters in asked:
        if operation["operationId"] in OPEN:
            continue
        target = request(path, parameters, {})
        for credential in CREDENTIALS:
            lines = [f"Authorization: {credential}"] if credential is not None else []
            answer = raw(engine.port("apiext"), head(method, target, *lines, "Content-Length: 0"))
            assert check(f"{method} {path} {credential!r}", answer) == 401, f"{method} {path} {credential!r}: {answer}"


TEXTS = ["%00", "a%00b", "%0d%0aX-Evil:%201", "a%0d%0a%0d%0aGET%20/", "%ff%fe", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e", LONG]


def test_parameters_that_are_no_text(engine, asked):
    for method, path, operation, parameters in asked:
        for p in parameters:
            for text in TEXTS:
                target, lines = path, []
                for other in parameters:
                    if other.get("in") == "path":
                        target = target.replace("{" + other["name"] + "}", text if other is p else "x")
                if p.get("in") == "query":
                    target += f"?{p['name']}={text}"
                elif p.get("in") == "header":
                    lines = [f"{p['name']}: {text}"]
                elif p.get("in") != "path":
                    continue
                data = head(method, "/v1" + target, f"Authorization: {BASIC}", *lines, "Content-Length: 0")
                check(f"{method} {path} {p['name']}={text[:30]}", raw(engine.port("apiext"), data))


HEADS = [b"GET /v1/images\r\nX-Evil: 1 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/images HTTP/1.1\r\nHost: x\r\nx-anchore-account: a\nX-Evil: 1\r\n\r\n",
         b"GET /v1/images HTTP/1.1\r\nHost: x\r\nx-anchore-account: a\x00b\r\n\r\n", b"GET /v1/images HTTP/9.9\r\n\r\n", b"\x00" * 100,
         b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
         b"GET /v1/images HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"b" * 200000 + b"\r\n\r\n",
         b"GET /v1/images HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 20000 + b"\r\n",
         b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
         b"POST /v1/images HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"POST /v1/images HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]


@pytest.mark.parametrize("number", range(len(HEADS)))
def test_heads_that_are_none(engine, number):
    with socket.create_connection(("127.0.0.1", engine.port("apiext")), timeout=3) as connection:
        try:
            connection.sendall(HEADS[number])
            connection.shutdown(socket.SHUT_WR)
            answer = answer_of(connection)
        except OSError:  # closed at once; or waited for: a head that has no end is a slow client's, below
            answer = None
    if answer:
        assert b"x-evil" not in answer[1] and (400 <= answer[0] < 500 or answer[0] in (501, 505)), answer
    assert engine.client.get("/v1/system").status == 200


CLIENTS = 300


def test_slow_clients_hold_up_nobody(kellet_binary, clean_environment, tmp_path):
    """They send a byte now and then: others are served meanwhile, and they are closed when their time is over."""
    one = engines.Engine(kellet_binary, tmp_path / "slow", environment=clean_environment,
                         more={**engines.MORE, "apiext": "    server_request_timeout_seconds: 2\n"})
    try:
        open_ones = []
        for i in range(CLIENTS):
            c = socket.create_connection(("127.0.0.1", one.port("apiext")), timeout=10)
            if i % 2:
                c.sendall(head("POST", "/v1/images", f"Authorization: {BASIC}", "Content-Type: application/json",
                               "Content-Length: 50000"))
            else:
                c.sendall(b"GET /v1/images HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            c.setblocking(False)
            open_ones.append(c)
        end, served = time.monotonic() + 20, 0
        while open_ones and time.monotonic() < end:
            left = []
            for c in open_ones:
                try:
                    c.send(b"a")
                    closed = c.recv(65536) == b""
                except BlockingIOError:
                    closed = False
                except OSError:
                    closed = True
                (c.close() if closed else left.append(c))
            open_ones = left
            assert one.client.get("/v1/system").status == 200
            served += 1
            time.sleep(0.3)
        assert not open_ones, f"{len(open_ones)} of {CLIENTS} slow clients are still connected"
        assert served > 1
        assert one.stop() == [0]
    finally:
        for c in open_ones:
            c.close()
        one.stop()

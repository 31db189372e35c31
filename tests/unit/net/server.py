"""A loopback HTTP server that misbehaves on purpose, for http_test.c.

Prints one line "PORT OTHER_PORT TLS_PORT CA_FILE" (0 and - where openssl is not there) and serves until its standard
input ends. Paths say what they do; state is kept per path, so a test uses a path of its own (?k=NAME).
"""
import hashlib
import http.server
import json
import os
import shutil
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

BIG = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(32768))  # 1 MiB
counters = {}
lock = threading.Lock()


def count(key):
    with lock:
        counters[key] = counters.get(key, 0) + 1
        return counters[key]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def drop(self):
        self.close_connection = True
        self.wfile.flush()

    def first(self):
        """The first byte asked for, or None."""
        value = self.headers.get("Range")
        return int(value[len("bytes="):-1]) if value else None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.q = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        name = "do_" + url.path.strip("/").split("/")[0].replace("-", "_")
        handler = getattr(self, name, None)
        if handler is None:
            self.answer(404, b"no such path")
            return
        try:
            handler()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    # ---- well-behaved

    def do_ok(self):
        self.answer(200, b"hello", [("X-Thing", "  two words ")])

    def do_echo(self):
        seen = {k.lower(): v for k, v in self.headers.items()}
        self.answer(200, json.dumps({"method": self.command, "path": self.path, "body": self.body.decode(),
                                     "headers": seen}, sort_keys=True).encode())

    def do_status(self):
        code = int(self.q["code"])
        self.answer(code, b"the reason" if code != 204 else b"")

    def do_count(self):
        self.answer(200, str(counters.get(self.q["k"], 0)).encode())

    def do_chunked(self):
        self.head(200, [("Transfer-Encoding", "chunked")])
        for part in (b"one ", b"two ", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\nX-Trailer: late\r\n\r\n")

    def do_gzip(self):
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.answer(200, b"compressed", [("Content-Encoding", "gzip")])
        else:
            self.answer(200, b"plain")

    # ---- failures that pass

    def do_seq(self):
        codes = self.q["codes"].split(",")
        n = count(self.q["k"])
        code = int(codes[min(n, len(codes)) - 1])
        headers = [("Retry-After", self.q["after"])] if code != 200 and "after" in self.q else []
        if code != 200 and "date" in self.q:
            when = time.time() + float(self.q["date"])
            headers.append(("Retry-After", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(when))))
        self.answer(code, b"answer %d" % n, headers)

    def do_drop_first(self):
        if count(self.q["k"]) == 1:
            self.drop()
        else:
            self.answer(200, b"hello")

    def do_flaky(self):
        """BIG, at most `part` KiB per connection. tag=strong|weak|none|changing, ranges=yes|no, length=yes|no;
        fail=N: the Nth request is answered 503."""
        n = count(self.q["k"])
        if self.q.get("fail") == str(n):
            self.answer(503, b"not now", [("Retry-After", "0")])
            return
        tag = {"strong": '"a"', "weak": 'W/"a"', "none": None, "changing": '"v%d"' % n}[self.q.get("tag", "strong")]
        first = self.first()
        same = self.headers.get("If-Range") in (None, tag)
        headers = [("ETag", tag)] if tag else []
        part = int(self.q.get("part", "300")) * 1024
        if first is not None and self.q.get("ranges", "yes") == "yes" and same:
            body = BIG[first:]
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, len(BIG) - 1, len(BIG))))
            status = 206
        else:
            body, status = BIG, 200
            part *= n
        if self.q.get("length", "yes") == "yes":
            headers.append(("Content-Length", str(len(body))))
            self.head(status, headers)
            self.wfile.write(body[:part])
        else:
            self.head(status, headers + [("Transfer-Encoding", "chunked")])
            self.wfile.write(b"%x\r\n" % len(body))
            self.wfile.write(body[:part])
            if part >= len(body):
                self.wfile.write(b"\r\n0\r\n\r\n")
        self.drop()

    def do_range(self):
        """BIG with proper ranges, 416 beyond the end."""
        first = self.first()
        if first is None or self.headers.get("If-Range") not in (None, '"a"'):
            self.answer(200, BIG, [("ETag", '"a"')])
        elif first >= len(BIG):
            self.answer(416, b"", [("Content-Range", "bytes */%d" % len(BIG))])
        else:
            self.answer(206, BIG[first:], [("ETag", '"a"'), ("Content-Range", "bytes %d-%d/%d" % (
                first, len(BIG) - 1, len(BIG)))])

    def do_capped(self):
        """Never more than 400 KiB in one answer."""
        first = self.first() or 0
        last = min(first + 400 * 1024, len(BIG)) - 1
        if self.first() is None:
            self.head(200, [("Content-Length", str(len(BIG)))])
            self.wfile.write(BIG[:last + 1])
            self.drop()
        else:
            self.answer(206, BIG[first:last + 1], [("Content-Range", "bytes %d-%d/%d" % (first, last, len(BIG)))])

    # ---- failures that stay

    def do_hang(self):
        time.sleep(float(self.q.get("s", "4")))
        self.drop()

    def do_late(self):
        time.sleep(float(self.q["s"]))
        self.answer(200, b"late")

    def do_hang_body(self):
        count(self.q["k"])
        self.head(200, [("Content-Length", "1000")])
        self.wfile.write(b"x" * 10)
        self.wfile.flush()
        time.sleep(4)
        self.drop()

    def do_drip(self):
        self.head(200, [("Content-Length", "6")])
        for _ in range(6):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.4)

    def do_truncate(self):
        count(self.q["k"])
        self.head(200, [("Content-Length", "1000")])
        self.wfile.write(b"x" * 10)
        self.drop()

    def do_chunked_broken(self):
        self.head(200, [("Transfer-Encoding", "chunked")])
        self.wfile.write(b"5\r\nhello\r\n")
        self.drop()

    def do_wrong_part(self):
        first = self.first()
        if first is None:
            self.answer(200, BIG)
        else:
            kind = self.q["kind"]
            value = {"start": "bytes 7-%d/%d" % (len(BIG) - 1, len(BIG)), "none": None, "words": "bytes some",
                     "long": "bytes %d-%d/%d" % (first, first + 9, len(BIG))}[kind]
            self.answer(206, BIG[first:], [("Content-Range", value)] if value else [])

    def do_endless(self):
        self.head(200, [("Transfer-Encoding", "chunked")])
        while True:
            self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def do_announced(self):
        self.head(200, [("Content-Length", "1000000000000000")])
        self.wfile.write(b"x" * 100)
        self.drop()

    def do_huge_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for i in range(100000):
            self.wfile.write(b"X-Filler-%d: %s\r\n" % (i, b"y" * 200))
        self.wfile.write(b"Content-Length: 0\r\n\r\n")

    def do_early_hints(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.answer(200, b"hello")

    def do_malformed(self):
        self.wfile.write(b"HTTP/1.1 wonderful\r\n\r\n")
        self.drop()

    def do_not_http(self):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.drop()

    def do_big_error(self):
        self.answer(404, b"e" * 1000000)

    # ---- redirects

    def do_to(self):
        self.answer(int(self.q.get("code", "302")), b"moved", [("Location", self.q["u"])])

    def do_circle(self):
        where = "b" if "/a" in self.path else "a"
        self.answer(302, b"", [("Location", "/circle/" + where)])

    def do_far(self):
        n = int(self.q["n"])
        if n == 0:
            self.answer(200, b"arrived")
        else:
            self.answer(302, b"", [("Location", "/far?n=%d" % (n - 1))])

    def do_nowhere(self):
        self.answer(302, b"", [("Location", self.q["u"])] if "u" in self.q else [])


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def serve(context=None):
    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def tls(where):
    """A TLS port with a certificate of an authority of its own."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=where, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=kellet test authority")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key",
            "-out", "server.csr", "-subj", "/CN=localhost")
    with open(os.path.join(where, "ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-out", "server.pem", "-extfile", "ext")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(where, "server.pem"), os.path.join(where, "server.key"))
    return serve(context), os.path.join(where, "ca.pem")


def main():
    with tempfile.TemporaryDirectory() as where:
        port, other = serve(), serve()
        tls_port, ca = tls(where) if shutil.which("openssl") else (0, "-")
        print(port, other, tls_port, ca, flush=True)
        sys.stdin.read()


main()

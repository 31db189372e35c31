"""A stand-in for S3 on loopback, path style, for unit tests: objects, uploads in parts, lists; and faults on demand.

Prints "PORT 0 0 -" and serves until its standard input ends. Buckets: "bucket" is there; "denied" refuses; "gone" is
not there; "late" can be made. A key that has "busy" in it fails twice with 503, "never" always with 500, "cut" breaks
off in the middle of the first answers, "half" fails when its parts are put together. /log answers with one line
"METHOD PATH?QUERY" a request, /encryption with the headers that the last object came with;
/clear empties the bucket.
"""
import hashlib
import http.server
import re
import socketserver
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

buckets = {"bucket": {}}
uploads, tries, log, encryption = {}, {}, [], {}
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code):
        self.answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>it is so</Message></Error>")

    def handle_all(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/clear":
            buckets["bucket"].clear()
            return self.answer(200)
        if url.path in ("/log", "/encryption"):
            return self.answer(200, "\n".join(log) if url.path == "/log" else repr(encryption))
        with lock:
            log.append(f"{self.command} {self.path}")
            return self.serve(urllib.parse.unquote(url.path), query, body)

    do_GET = do_PUT = do_POST = do_DELETE = handle_all

    def serve(self, path, query, body):
        _, bucket, key = (path + "/").split("/", 2)
        key = key[:-1]
        if hashlib.sha256(body).hexdigest() != self.headers.get("x-amz-content-sha256"):
            return self.error(400, "XAmzContentSHA256Mismatch")
        if bucket == "denied" or not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return self.error(403, "AccessDenied")
        if self.command == "PUT" and not key:
            if bucket == "gone":
                return self.error(403, "AccessDenied")
            buckets.setdefault(bucket, {})
            return self.answer(200)
        if bucket not in buckets:
            return self.error(404, "NoSuchBucket")
        tries[key] = tries.get(key, 0) + 1
        if "never" in key:
            return self.error(500, "InternalError")
        if "busy" in key and tries[key] < 3:
            return self.error(503, "SlowDown")
        return getattr(self, self.command.lower())(buckets[bucket], key, query, body)

    def get(self, objects, key, query, body):
        if "list-type" in query:
            return self.list(objects, query)
        if key not in objects:
            return self.error(404, "NoSuchKey")
        data = objects[key][0]
        if "cut" in key and tries[key] < 3:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True
            return None
        return self.answer(200, data)

    def list(self, objects, query):
        keys = sorted(k for k in objects if k.startswith(query["prefix"]) and k > query.get("start-after", ""))
        entries = "".join(f"<Contents><Key>{escape(k)}</Key><LastModified>{objects[k][1]}</LastModified></Contents>"
                          for k in keys[:3])
        self.answer(200, f"<ListBucketResult><IsTruncated>{str(len(keys) > 3).lower()}</IsTruncated>{entries}"
                         "</ListBucketResult>")

    def put(self, objects, key, query, body):
        if "uploadId" in query:
            uploads[query["uploadId"]][int(query["partNumber"])] = body
            return self.answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')
        return self.store(objects, key, body)

    def store(self, objects, key, body):
        encryption.clear()
        encryption.update({k.lower(): v for k, v in self.headers.items() if "encryption" in k.lower()})
        age = 2 * 86400 if "old" in key else 0
        objects[key] = body, time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - age))
        return self.answer(200, ETag='"x"')

    def post(self, objects, key, query, body):
        if "uploads" in query:
            uploads["up/load+1"] = {}
            encryption.update({k.lower(): v for k, v in self.headers.items() if "encryption" in k.lower()})
            return self.answer(200, "<R><UploadId>up/load+1</UploadId></R>")
        parts = uploads.pop(query["uploadId"])
        numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        if "half" in key:
            uploads[query["uploadId"]] = parts
            return self.answer(200, "<Error><Code>InternalError</Code><Message>late</Message></Error>")
        assert numbers == sorted(parts)
        objects[key] = b"".join(parts[n] for n in numbers), "2026-01-01T00:00:00.000Z"
        return self.answer(200, "<CompleteMultipartUploadResult/>")

    def delete(self, objects, key, query, body):
        if "uploadId" in query:
            uploads.pop(query["uploadId"], None)
        else:
            objects.pop(key, None)
        return self.answer(204)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], 0, 0, "-", flush=True)
sys.stdin.read()

"""A stand-in of the old feed service."""
import http.server
import json
import threading
import urllib.parse


class FeedService:
    """GET /, /FEED and /FEED/GROUP, two records a page (or `page`)."""

    def __init__(self, data, page=2):
        self.data, self.page, self.down, self.requests = data, page, False, 0
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.requests += 1
                url = urllib.parse.urlsplit(self.path)
                parts = [urllib.parse.unquote(p) for p in url.path.split("/") if p]
                first = int(urllib.parse.parse_qs(url.query).get("next_token", ["0"])[0])
                try:
                    answer = service.answer(parts, first)
                    status = 200 if not service.down else 404
                except KeyError:
                    answer, status = {}, 404
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, parts, first):
        if not parts:
            return {"feeds": [{"name": n, "description": "", "access_tier": 0} for n in self.data]}
        if len(parts) == 1:
            return {"groups": [{"name": n, "description": "", "access_tier": 0} for n in self.data[parts[0]]]}
        records = self.data[parts[0]][parts[1]]
        answer = {"data": records[first:first + self.page]}
        if first + self.page < len(records):
            answer["next_token"] = str(first + self.page)
        return answer

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

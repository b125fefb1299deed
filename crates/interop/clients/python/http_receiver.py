"""Takes posted events and appends them to a file. While a file `refuse` lies beside it, it answers 503.

Arguments: the port, the file. An Idempotency-Key that was there before is answered and not written again.
"""
import http.server
import os
import sys

port, path = int(sys.argv[1]), sys.argv[2]
refuse = os.path.join(os.path.dirname(path), "refuse")
seen = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        right = self.headers["Authorization"] == "Bearer let-me-in" and self.headers["Content-Type"] == "application/x-ndjson"
        status = 503 if os.path.exists(refuse) else 204 if right else 401
        if status == 204 and key not in seen:
            seen.add(key)
            with open(path, "ab") as file:
                file.write(body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()

"""The issuer's program: sets by path, as the bench orders them, and how often each is asked for.

It is a process of its own, so that none of its work falls on a client, and ends with its standard input. PUT
/NAME says what GET /NAME answers from now on: {"keys": [...], "max_age": seconds, "delay": seconds, "down":
true for 503}. GET /NAME/fetches is how often /NAME was asked for, answered or not.
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ORDERS: dict[str, dict[str, Any]] = {}
ASKED: Counter[str] = Counter()
GUARD = threading.Lock()


class Answers(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """A set, or how often it was asked for."""
        name, _, rest = self.path.lstrip("/").partition("/")
        if rest == "fetches":
            self._send(200, ASKED[name])
            return
        with GUARD:
            ASKED[name] += 1
        order = ORDERS[name]
        time.sleep(order["delay"])
        if order["down"]:
            self._send(503, {"error": "down"})
        else:
            self._send(200, {"keys": order["keys"]}, max_age=order["max_age"])

    def do_PUT(self) -> None:
        """An order."""
        ORDERS[self.path.lstrip("/")] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(200, {})

    def log_message(self, *_: object) -> None:
        """Nothing: requests are counted."""

    def _send(self, status: int, value: object, max_age: int = 0) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", f"max-age={max_age}")
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Takes as many callers at once as the largest trial has."""

    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    """Serves on a free port, which is printed, until standard input ends."""
    with Server(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()

"""An issuer's site on a real socket: answers well, or as badly as it is told to.

    with JwksServer(jwks) as site:
        verifier = Verifier(issuer=site.issuer, jwks_url=site.url, loopback_http=True, audience="orders")
        site.body = other_jwks         # what a good answer holds, from now on
        site.answer = acts.gzip_bomb   # how it answers, from now on; None is well
        assert site.requests["/jwks.json"] == 2

Any of them may change while it runs. Threads, a free port of loopback, closed at the end.
"""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Self

PATIENCE_SECONDS = 30.0
"""How long a hostile act goes on if its client does: far beyond every deadline of a test."""
JWKS_PATH = "/jwks.json"
DISCOVERY_PATH = "/.well-known/openid-configuration"


class Talk:
    """One connection, as the server sees it: what was asked, what was sent, and how it ended."""

    def __init__(self, site: "JwksServer", sock: socket.socket) -> None:
        self.site = site
        self.sock = sock
        self.path = ""
        self.headers: dict[str, str] = {}
        self.sent_bytes = 0
        self.outlasted = False

    def read_request(self) -> bool:
        """Reads the head of a request; False where none came."""
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := self.sock.recv(4096)):
                return False
            head += piece
        first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        self.path = first.split(" ")[1]
        self.headers = {name.lower(): value for line in lines for name, _, value in [line.partition(": ")]}
        return True

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.sent_bytes += len(data)

    def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """A whole answer; a Content-Length unless the headers hold one."""
        told = {"Content-Length": str(len(body)), "Connection": "close", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.send(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + body)

    def repeat(self, piece: bytes, *, pause_seconds: float = 0.0) -> None:
        """Sends the same again and again, until the client goes, the site closes, or patience ends."""
        for _ in range(int(PATIENCE_SECONDS / pause_seconds) if pause_seconds else 1_000_000):
            if self.site.closing.wait(pause_seconds):
                return
            self.send(piece)
        self.outlasted = True

    def wait_for_the_end(self) -> None:
        """Says nothing until the client goes, the site closes, or patience ends."""
        self.sock.settimeout(PATIENCE_SECONDS)
        while self.sock.recv(4096):
            pass

    def reset(self) -> None:
        """Ends the connection by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Act = Callable[[Talk], None]


class JwksServer:
    """A site with a set, its metadata, and the manners of the moment."""

    def __init__(
        self,
        body: Mapping[str, Any] | bytes = b'{"keys":[]}',
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """`tls` makes it https; `host` is the loopback address that it listens on."""
        self.body = body
        self.answer: Act | None = None
        """Acts in place of a good answer, once the request was read, at any path."""
        self.greeting: Act | None = None
        """Acts before anything was read, TLS included."""
        self.content_type: str | None = "application/jwk-set+json"
        self.etag: str | None = None
        self.max_age: int | None = None
        self.jwks_uri: str | None = None
        self.gate = threading.Event()
        """Good answers wait until it is set, as it is at first."""
        self.gate.set()
        self.requests: Counter[str] = Counter()
        self.conditional: list[str | None] = []
        """The If-None-Match of each request for the set."""
        self.talks: list[Talk] = []
        self.closing = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.issuer = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.url = self.issuer + JWKS_PATH

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every connection and thread; the port then refuses connections."""
        self.closing.set()
        self.gate.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            threads, talks = list(self._threads), list(self.talks)
        for talk in talks:
            with contextlib.suppress(OSError):
                talk.sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def is_left(self) -> bool:
        """Whether the clients of all connections so far have gone by themselves; waits for the last."""
        with self._lock:
            serving = self._threads[1:]
        end = time.monotonic() + PATIENCE_SECONDS / 2
        for thread in serving:
            thread.join(max(end - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in serving)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            talk = Talk(self, sock)
            with self._lock:
                self.talks.append(talk)
            if self.closing.is_set():
                sock.close()
                return
            self._start(self._serve, talk)

    def _serve(self, talk: Talk) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self.greeting is not None:
                self.greeting(talk)
            else:
                self._answer(talk)
        with contextlib.suppress(OSError):
            talk.sock.close()

    def _answer(self, talk: Talk) -> None:
        talk.sock.settimeout(PATIENCE_SECONDS)
        if self._tls is not None:
            talk.sock = self._tls.wrap_socket(talk.sock, server_side=True)
        if not talk.read_request():
            return
        with self._lock:
            self.requests[talk.path] += 1
            if talk.path == JWKS_PATH:
                self.conditional.append(talk.headers.get("if-none-match"))
        (self.answer or well)(talk)


def well(talk: Talk) -> None:
    """The answer of a good site."""
    site = talk.site
    site.gate.wait(PATIENCE_SECONDS)
    if talk.path == DISCOVERY_PATH:
        found = {"issuer": site.issuer, "jwks_uri": site.jwks_uri or site.url}
        talk.reply(200, {"Content-Type": "application/json"}, json.dumps(found).encode())
        return
    if talk.path != JWKS_PATH:
        talk.reply(404, {"Content-Type": "text/html"}, b"<h1>Not here</h1>")
        return
    headers = {} if site.content_type is None else {"Content-Type": site.content_type}
    headers |= {} if site.etag is None else {"ETag": site.etag}
    headers |= {} if site.max_age is None else {"Cache-Control": f"public, max-age={site.max_age}"}
    if site.etag is not None and talk.headers.get("if-none-match") == site.etag:
        talk.reply(304, headers)
        return
    body = site.body
    talk.reply(200, headers, body if isinstance(body, bytes) else json.dumps(body).encode())

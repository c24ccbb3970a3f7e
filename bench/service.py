"""Requests per second of the real service in a process of its own, and its CPU time for each.

The client is one thread with a few keep-alive connections, each with one request at a time. It shares the
machine with the service, so the CPU time says more than the rate.
"""

import contextlib
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from jwturn.compose import create_app, ensure_ring, new_token
from jwturn.core.ledger import Actor
from jwturn.core.tokens import Role
from jwturn.settings import load

HOST: Final = "127.0.0.1"
RING: Final = "default"
CONNECTIONS: Final = 8
BATCH: Final = 100
JWKS: Final = "/.well-known/jwks.json"
CLAIMS: Final = {"sub": "user-1", "scope": "read write", "tenant": 7}
CALL: Final = "import sys; from jwturn.cli.main import main; sys.exit(main())"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rate:
    """A kind of request: how many a second, tokens or sets in each, and the service's CPU time for one."""

    what: str
    per_second: float
    items: int
    cpu_micros: float


def measure(folder: Path, *, seconds: float) -> list[Rate]:
    """Four kinds of requests, each for `seconds`; the store lies in `folder`."""
    with _running(folder) as (port, pid, token):
        etag = _etag(port)
        path = f"/v1/rings/{RING}/sign"
        kinds = [
            ("sign", _request("POST", path, token, {"claims": CLAIMS}), 200, 1),
            (
                f"sign, batch of {BATCH}",
                _request("POST", path, token, {"batch": [CLAIMS] * BATCH}),
                200,
                BATCH,
            ),
            ("JWKS 200", _request("GET", JWKS, "", None), 200, 1),
            ("JWKS 304", _request("GET", JWKS, "", None, f"if-none-match: {etag}\r\n"), 304, 1),
        ]
        rates = []
        for what, request, status, items in kinds:
            load_for(port, request, status, 0.3)
            cpu = _cpu_seconds(pid)
            done, spent = load_for(port, request, status, seconds)
            rates.append(Rate(what, done / spent, items, (_cpu_seconds(pid) - cpu) / done * 1e6))
        return rates


def load_for(port: int, request: bytes, status: int, seconds: float) -> tuple[int, float]:
    """Sends `request` on every connection again and again; answers, and the seconds they took."""
    with contextlib.ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection((HOST, port), timeout=10))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
            waiting.register(connection, selectors.EVENT_READ, (connection, bytearray()))
        began, done, open_calls = time.perf_counter(), 0, CONNECTIONS
        ends = began + seconds
        while open_calls:
            for key, _ in waiting.select(10):
                connection, read = key.data
                read += connection.recv(65536)
                if not _whole(read, status):
                    continue
                done += 1
                read.clear()
                if time.perf_counter() < ends:
                    connection.sendall(request)
                else:
                    open_calls -= 1
        return done, time.perf_counter() - began


def _whole(read: bytearray, status: int) -> bool:
    """Whether the answer is there to its end; it must have the status expected."""
    head = read.find(b"\r\n\r\n")
    if head < 0:
        return False
    assert read.startswith(b"HTTP/1.1 %d" % status), bytes(read[:300])
    length = _LENGTH.search(read, 0, head)
    return len(read) >= head + 4 + (int(length[1]) if length and status != 304 else 0)


def _request(method: str, path: str, token: str, body: object, more: str = "") -> bytes:
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\n{more}"
    if token:
        head += f"authorization: Bearer {token}\r\n"
    if body is not None:
        head += f"content-type: application/json\r\ncontent-length: {len(text)}\r\n"
    return head.encode() + b"\r\n" + text


def _etag(port: int) -> str:
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", JWKS)
        answer = connection.getresponse()
        keys = json.loads(answer.read())["keys"]
        assert len(keys) >= 1
        return answer.headers["etag"]
    finally:
        connection.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[tuple[int, int, str]]:
    """A store with one ES256 ring and its service: port, process id, a signer's API token."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    variables = {
        "JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}",
        "JWTURN_STORE__KEK": f"file:{folder / 'kek'}",
        "JWTURN_STORE__WITNESS": str(folder / "witness"),
        "JWTURN_SERVICE__PORT": str(port),
        "JWTURN_SERVICE__RATE_MAX": "1000000",
    }
    actor = Actor("bench")
    app = create_app(load(variables, cwd=folder))
    try:
        ensure_ring(app, RING, issuer="https://bench", actor=actor)
        token = new_token(app, "bench", Role.SIGNER, actor, ttl=timedelta(hours=1))
    finally:
        app.close()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
    process = subprocess.Popen(  # noqa: S603  # our own program, no shell
        [sys.executable, "-P", "-c", CALL, "serve"],
        cwd=folder,
        env=environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port, process)
        yield port, process.pid, token
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        assert process.poll() is None, "the service ended"
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("the service did not come up")

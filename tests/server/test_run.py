"""The service in a process of its own, on a real socket: from a bound port to a graceful stop, or a kill."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

import pytest

from jwturn.compose import open_app
from jwturn.core.errors import ConfigError, FatalStorage, Unavailable
from jwturn.core.ledger import verify
from jwturn.server.protocol import HEAD_SECONDS, LOOK_SECONDS, Bounded
from jwturn.server.run import end_process, forbid_dumps, is_loopback, serve
from jwturn.settings import load
from tests.server.world import World

DEADLINE = 30.0


@dataclass
class Served:
    """A running service."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        sent = {"authorization": f"Bearer {self.token}", **headers}
        if body is not None:
            sent["content-type"] = "application/json"
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=sent)
        reply = connection.getresponse()
        found = reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        connection.close()
        return found


@contextmanager
def served(folder: Path, *options: str, token: str = "") -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.server.serving", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline() or "{}")
        assert said, process.stderr.read() if process.stderr else ""
        yield Served(process, int(said["url"].rpartition(":")[2]), said["token"] or token)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=DEADLINE)


def settings_of(folder: Path) -> Any:
    return load({"JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}"}, cwd=folder)


def test_the_service_answers_over_http_and_stops_gracefully(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        status, headers, body = node.ask("GET", "/.well-known/jwks.json")
        assert status == 200
        assert headers["content-type"] == "application/jwk-set+json"
        assert headers["content-length"] == str(len(body))
        assert "server" not in headers
        assert node.ask("GET", "/.well-known/jwks.json", **{"if-none-match": headers["etag"]})[0] == 304
        head = node.ask("HEAD", "/.well-known/jwks.json")
        assert (head[0], head[1]["content-length"], head[2]) == (200, str(len(body)), b"")
        status, _, body = node.ask("POST", "/v1/rings/default/sign", {"claims": {"sub": "a"}})
        assert status == 200
        node.process.send_signal(signal.SIGTERM)
        out, err = node.process.communicate(timeout=DEADLINE)
    assert node.process.returncode == 0
    assert out == ""
    assert all(json.loads(line)["event"] for line in err.splitlines())
    assert node.token not in err
    app = open_app(settings_of(tmp_path))
    view = app.store.load("default")
    assert view.leases.leases == (), "a graceful stop gives the leases back"
    assert [mark.exp.timestamp() for mark in view.leases.marks] == [
        app.verify(json.loads(body)["token"])["exp"]
    ]
    app.close()


def test_a_killed_service_starts_again_with_the_same_ring(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        token = json.loads(node.ask("POST", "/v1/rings/default/sign", {"claims": {"sub": "a"}})[2])
        jwks = node.ask("GET", "/.well-known/jwks.json")[2]
        node.process.kill()
        assert node.process.wait(DEADLINE) == -signal.SIGKILL
    with served(tmp_path, token=node.token) as again:
        assert again.ask("GET", "/.well-known/jwks.json")[2] == jwks
        status, _, body = again.ask("POST", "/v1/rings/default/sign", {"claims": {"sub": "b"}})
        assert (status, json.loads(body)["kid"]) == (200, token["kid"])
        assert again.ask("GET", "/readyz/sign")[0] == 200
    app = open_app(settings_of(tmp_path))
    assert app.verify(token["token"])["sub"] == "a"
    ring = app.store.load("default").ring
    assert verify(app.store.events(ring.id), chain=ring.id).hash == ring.event_hash
    app.close()


def test_a_call_at_work_ends_before_the_service_stops(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        body = json.dumps({"claims": {"sub": "slow"}}).encode()
        with socket.create_connection(("127.0.0.1", node.port), timeout=DEADLINE) as line:
            line.sendall(
                b"POST /v1/rings/default/sign HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                + f"authorization: Bearer {node.token}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body[:5]
            )
            assert node.ask("GET", "/livez")[0] == 200
            node.process.send_signal(signal.SIGTERM)
            line.sendall(body[5:])
            reply = line.recv(65536)
        assert reply.startswith(b"HTTP/1.1 200")
        assert node.process.wait(DEADLINE) == 0


def test_an_oversized_chunked_body_is_refused_on_the_wire(tmp_path: Path) -> None:
    with served(tmp_path, "JWTURN_SERVICE__BODY_MAX=1000") as node:
        connection = HTTPConnection("127.0.0.1", node.port, timeout=DEADLINE)
        headers = {"authorization": f"Bearer {node.token}", "content-type": "application/json"}
        connection.request(
            "POST",
            "/v1/rings/default/sign",
            body=iter([b"x" * 600] * 3),
            headers=headers,
            encode_chunked=True,
        )
        reply = connection.getresponse()
        assert (reply.status, json.loads(reply.read())["code"]) == (413, "too_large")
        connection.close()
        assert node.ask("POST", "/v1/rings/default/sign", {"claims": {}})[0] == 200


def lines(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def test_a_head_without_end_is_cut_off(tmp_path: Path) -> None:
    with served(tmp_path) as node, lines(node.port) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n")
        with pytest.raises(OSError, match=r"(?i)reset|pipe"):
            line.sendall(b"x-long: %s\r\n" % (b"y" * 100_000_000))
        assert node.ask("GET", "/livez")[0] == 200


def test_a_large_body_beside_a_small_head_is_no_large_head(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        body = {"claims": {"sub": "a" * 40_000}}
        assert json.loads(node.ask("POST", "/v1/rings/default/sign", body)[2])["code"] == "claims_malformed"


def test_a_head_that_does_not_come_is_cut_off_in_time() -> None:
    """The bound itself, on a loop whose time is handed in."""
    closed: list[bool] = []
    timers: list[Any] = []

    class Transport(asyncio.Transport):
        def is_closing(self) -> bool:
            return bool(closed)

        def close(self) -> None:
            closed.append(True)

    class Loop:
        now = 1000.0

        def time(self) -> float:
            return self.now

        def call_later(self, seconds: float, call: Any) -> Any:
            assert seconds == LOOK_SECONDS
            timers.append(call)
            return self

    connection, loop = Bounded.__new__(Bounded), Loop()
    connection.loop = cast("Any", loop)
    connection.transport = Transport()
    for waits, passes, cut in [
        (HEAD_SECONDS, HEAD_SECONDS - 1, []),
        (None, 10 * HEAD_SECONDS, []),
        (HEAD_SECONDS, HEAD_SECONDS, [True]),
    ]:
        connection._deadline = None
        if waits is not None:
            connection._expect(waits)
        loop.now += passes
        connection._watch()
        assert closed == cut
    assert len(timers) == 2, "nobody looks at what was closed"


def test_the_process_is_not_dumpable(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        limits = Path(f"/proc/{node.process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        assert Path(f"/proc/{node.process.pid}/mem").stat().st_uid == 0, (
            "what is not dumpable belongs to root"
        )


def test_a_port_in_use_is_an_error_with_the_way_out(world: World) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Unavailable) as refused:
            serve(world.app, host="127.0.0.1", port=port)
    assert refused.value.code == "port_in_use"
    assert f"--port {port + 1}" in refused.value.hint
    assert refused.value.exit_code == 69


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_an_address_that_others_reach_is_refused_unless_said_so(world: World, host: str) -> None:
    with pytest.raises(ConfigError, match="plain HTTP") as refused:
        serve(world.app, host=host, port=0)
    assert refused.value.code == "insecure_bind"
    assert "TLS" in refused.value.hint


def test_an_address_of_another_machine_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="cannot be bound"):
        serve(world.app, host="192.0.2.1", port=0, insecure_bind=True)
    with pytest.raises(ConfigError, match="no address"):
        serve(world.app, host="not an address", port=0, insecure_bind=True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_dumps_are_forbidden_in_a_child_that_asks_for_it() -> None:
    child = os.fork()
    if child == 0:
        forbid_dumps()
        os._exit(0 if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_storage_that_cannot_be_believed_ends_the_process() -> None:
    child = os.fork()
    if child == 0:
        end_process(FatalStorage("fsync failed"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 69


def test_the_app_tells_of_fatal_storage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[FatalStorage] = []

    def lost(*_: object) -> None:
        raise FatalStorage("fsync failed")

    monkeypatch.setattr(world.app.store, "tokens", lost)
    world.asgi._on_fatal = told.append
    with pytest.raises(FatalStorage):
        world.get("/v1/rings", "jwturn_" + "a" * 43)
    assert len(told) == 1


def test_serving_within_a_thread_stops_when_it_is_told(tmp_path: Path) -> None:
    """An application may embed the ASGI app in a server of its own; its lifespan runs the loop."""
    world = World(tmp_path)
    messages: list[str] = []

    async def life() -> None:
        coming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        started = asyncio.Event()

        async def send(message: Any) -> None:
            messages.append(message["type"])
            started.set()

        await coming.put({"type": "lifespan.startup"})
        running = asyncio.create_task(world.asgi({"type": "lifespan"}, coming.get, send))
        await started.wait()
        assert any(thread.name.startswith("jwturn") for thread in threading.enumerate())
        await coming.put({"type": "lifespan.shutdown"})
        await running

    asyncio.run(life())
    assert messages == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert not any(thread.name.startswith("jwturn") for thread in threading.enumerate())
    world.close()

"""What may come over a connection: each message is bounded in bytes and time, and its head is judged once."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwturn.server import protocol
from jwturn.server.protocol import HEAD_MAX, bounded
from tests.server.test_run import DEADLINE, Served, served

SIGN = b"POST /v1/rings/default/sign HTTP/1.1\r\ncontent-type: application/json\r\n"
BODY = b'{"claims":{"sub":"a"}}'
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("node")) as found:
        yield found


def bearer(node: Served) -> bytes:
    return b"authorization: Bearer %s\r\n" % node.token.encode()


def line(node: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), timeout=DEADLINE)


def answer(node: Served, sent: bytes) -> bytes:
    """The status line and headers of the first answer; b"" where the connection ended without one."""
    with line(node) as connection:
        read = b""
        try:
            connection.sendall(sent)
            while b"\r\n\r\n" not in read and (part := connection.recv(65536)):
                read += part
        except OSError:
            pass
        return read


def status(node: Served, sent: bytes) -> int:
    return int([*answer(node, sent).split(b" ", 2), b"0", b"0"][1])


def test_a_trailer_is_no_header(node: Served) -> None:
    head = SIGN + b"host: x\r\n" + CHUNKED
    assert status(node, head + bearer(node) + b"\r\n" + CHUNKS + b"\r\n") == 200
    assert status(node, head + b"\r\n" + CHUNKS + bearer(node) + b"\r\n") == 401


@pytest.mark.parametrize("hosts", [b"", b"host: a\r\nHost: b\r\n", b"host: a\r\nhost: a\r\n"])
def test_a_message_says_one_host(node: Served, hosts: bytes) -> None:
    assert status(node, b"GET /livez HTTP/1.1\r\n" + hosts + b"\r\n") == 400


def test_an_old_client_need_not_say_a_host(node: Served) -> None:
    assert status(node, b"GET /livez HTTP/1.0\r\n\r\n") == 200


@pytest.mark.parametrize(
    "head",
    [
        LENGTH + CHUNKED,
        LENGTH + b"content-length: 5\r\n",
        b"content-length: +22\r\n",
        b"content-length: 0x16\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"x: a\r\n b\r\n" + LENGTH,
        b"x : a\r\n" + LENGTH,
        b"x: a\0b\r\n" + LENGTH,
        b"x: a\rb\r\n" + LENGTH,
    ],
)
def test_a_message_with_two_readings_is_refused(node: Served, head: bytes) -> None:
    assert status(node, SIGN + b"host: x\r\n" + bearer(node) + head + b"\r\n" + BODY) == 400


@pytest.mark.parametrize("path", [b"/\xff", "/v1/rings/\xfc/keys".encode(), b"/a b", b"/\x00"])
def test_a_path_that_is_not_ascii_is_refused(node: Served, path: bytes) -> None:
    assert status(node, b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n") == 400


@pytest.mark.parametrize(
    "headers", [b"a: b\r\n" * 6000, b"a: " + b"b" * HEAD_MAX + b"\r\n"], ids=["many", "long"]
)
def test_a_head_above_its_bound_is_refused_even_in_one_piece(node: Served, headers: bytes) -> None:
    assert status(node, b"GET /livez HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n") == 400


@pytest.mark.parametrize(
    "endless",
    [b"x: " + b"y" * 65_533, b"1;" + b"z" * 65_534, b"1\r\na\r\n" * 10_000],
    ids=["trailer", "extension", "body"],
)
def test_a_message_that_was_answered_cannot_go_on_for_ever(node: Served, endless: bytes) -> None:
    """Nobody was authenticated, and the parser would keep every byte of a trailer."""
    start = b"0\r\n" if endless.startswith(b"x") else b""
    with line(node) as connection:
        connection.sendall(SIGN + b"host: x\r\n" + CHUNKED + b"\r\n" + start)
        with pytest.raises(OSError, match=r"(?i)reset|pipe"):
            connection.sendall(endless * 2000)
    assert node.ask("GET", "/livez")[0] == 200


def test_an_upgrade_is_ignored(node: Served) -> None:
    offer = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    assert status(node, b"GET /livez HTTP/1.1\r\nhost: x\r\n" + offer + b"\r\n") == 200


def test_messages_in_one_piece_are_answered_one_by_one(node: Served) -> None:
    one = SIGN + b"host: x\r\n" + bearer(node) + LENGTH + b"\r\n" + BODY
    read = b""
    with line(node) as connection:
        connection.sendall(one * 20)
        while read.count(b'"expires_at"') < 20:
            read += connection.recv(65536)
    answers = read.split(b"HTTP/1.1 200 OK")[1:]
    assert len({json.loads(part.partition(b"\r\n\r\n")[2])["token"] for part in answers}) == 20


def test_connections_leave_the_store_its_files(tmp_path: Path) -> None:
    room = 3
    kind = bounded(1000)
    assert (kind.body_max, kind.connections_max) == (1000, protocol.CONNECTIONS_MAX)
    with served(tmp_path, f"TEST_FILES={protocol.FILES_KEPT + room}") as node:
        lines = [line(node) for _ in range(room)]
        try:
            for one in lines:
                one.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
                assert one.recv(65536).startswith(b"HTTP/1.1 200")
            assert answer(node, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n") == b""
        finally:
            for one in lines:
                one.close()
        assert any(status(node, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n") == 200 for _ in range(1000))

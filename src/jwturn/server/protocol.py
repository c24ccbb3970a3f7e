"""HTTP/1.1 on a connection: uvicorn's httptools protocol, with bounds that neither it nor the parser has.

A head is small and prompt, a whole message (chunk sizes and trailers counted) is bounded in bytes and in
time, also where its answer has been given already, and blank lines before a message count as its head. Of
connections there are as many as leave the store its own files. Trailers are dropped: as headers they would
come behind the back of whoever judged the head (RFC 9110 section 6.5.1). A message of HTTP/1.1 says one Host
(RFC 9112 section 3.2).
"""

import asyncio
import resource
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_MAX: Final = 32 * 1024
HEAD_SECONDS: Final = 10.0
MESSAGE_SECONDS: Final = 30.0
"""From the end of the head to the end of the body."""
LOOK_SECONDS: Final = 2.5
CHUNKED_FACTOR: Final = 8
"""How many bytes a byte of the body may take: chunks of one byte take six."""
CONNECTIONS_MAX: Final = 4096
FILES_KEPT: Final = 256
"""Files that connections leave to the store, the witness and the log."""


class HeadRefused(ValueError):
    """A head that the parser shall refuse."""


class Bounded(HttpToolsProtocol):
    """A connection whose messages are small and prompt."""

    body_max: int = 64 * 1024
    connections_max: int = CONNECTIONS_MAX
    _size: int = 0
    _head_size: int = 0
    _hosts: int = 0
    _in_head: bool = True
    _deadline: float | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Waits for the first head, if there is room for one more connection."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            transport.abort()
            return
        self._expect(HEAD_SECONDS)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes; the last part of a message may hold the next one as well."""
        if self._deadline is None and self._is_idle():
            self._size = 0
            self._expect(HEAD_SECONDS)
        most = HEAD_MAX if self._in_head else HEAD_MAX + CHUNKED_FACTOR * self.body_max
        if self._deadline is not None and self._size > most:
            self.transport.close()
            return
        self._size += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first bytes of a head came."""
        self._in_head = True
        self._size = self._head_size = self._hosts = 0
        self._expect(HEAD_SECONDS)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; a trailer is none. Raises HeadRefused to the parser, which answers 400."""
        if not self._in_head:
            return
        self._head_size += len(name) + len(value) + 4
        if self._head_size > HEAD_MAX:
            raise HeadRefused("the head is too large")
        if len(name) == 4 and name.lower() == b"host":
            self._hosts += 1
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole. Raises HeadRefused to the parser, which answers 400."""
        self._in_head = False
        if self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise HeadRefused("not one Host")
        self._expect(MESSAGE_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The message is whole; one that came after its answer leaves the connection idle."""
        self._deadline = None
        super().on_message_complete()
        if self._is_idle():
            self._expect(HEAD_SECONDS)

    def _unsupported_upgrade_warning(self) -> None:
        """An offer to upgrade may be ignored (RFC 9110 section 7.8), and is no news."""

    def _is_idle(self) -> bool:
        """Whether every message that began was answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _expect(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def _watch(self) -> None:
        """Looks now and then whether what is expected came: a timer for each message would cost each one."""
        if self._deadline is None or self.loop.time() < self._deadline:
            self._timer = self.loop.call_later(LOOK_SECONDS, self._watch)
        elif not self.transport.is_closing():
            self.transport.close()


def bounded(body_max: int) -> type[Bounded]:
    """The protocol of a service whose bodies have at most `body_max` bytes; takes the files it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft - FILES_KEPT)
    return type("BoundedHere", (Bounded,), {"body_max": body_max, "connections_max": max(room, 1)})

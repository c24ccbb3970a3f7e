"""HTTP/1.1 on a connection: uvicorn's httptools protocol, with a bound on the head of a request.

A head that is larger than 32 KiB or takes longer than ten seconds ends the connection: neither the parser
nor the server has a bound of its own there, and a few bytes a minute would keep a connection for ever.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX: Final = 32 * 1024
HEAD_SECONDS: Final = 10.0


class BoundedHead(HttpToolsProtocol):
    """A connection whose request heads are small and prompt."""

    _size: int = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Waits for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes while a head is expected; the last part may hold a body as well."""
        if self._timer is not None:
            if self._size > HEAD_MAX:
                self.transport.close()
                return
            self._size += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first bytes of a head came."""
        if self._timer is None:
            self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._end_head()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._size = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

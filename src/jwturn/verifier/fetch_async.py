"""Fetch for tasks, on httpx2, which is loaded when a fetch is made ready and not before."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jwturn.core.errors import ConfigError, KeysUnavailable
from jwturn.core.jwks_answer import Answer, Body, Get, headers_of, unavailable
from jwturn.verifier.fetch import checked, request_headers

if TYPE_CHECKING:
    import ssl

PIECE_BYTES: Final = 16 * 1024


class HttpxFetch:
    """Asks by httpx2, a client for each GET, so that it belongs to no event loop and nothing stays open.

    Proxies and `tls` are as for UrllibFetch. Raises ConfigError `missing_extra` where there is no httpx2.
    """

    def __init__(self, tls: "ssl.SSLContext | None" = None) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise ConfigError(
                f"fetching keys in tasks needs httpx2, and {error.name} is not installed",
                hint="pip install 'jwturn[async]'",
                code="missing_extra",
            ) from error
        from jwturn.verifier import wire

        self._httpx: Any = httpx2
        self._tls = checked(tls) or wire.system_tls()

    async def get(self, get: Get, *, deadline: timedelta) -> Answer:
        """The answer (ports/fetch.py); `deadline` holds for all of it, the name's look-up too."""
        failures = (
            self._httpx.HTTPError,
            self._httpx.InvalidURL,
            OSError,
            ValueError,
            RuntimeError,
            ImportError,
        )
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                return await self._ask(get)
        except KeysUnavailable:
            raise
        except failures as error:
            raise self._told(get.url, error) from error

    async def _ask(self, get: Get) -> Answer:
        secure = get.url.lower().startswith("https:")
        client = self._httpx.AsyncClient(
            verify=self._tls, timeout=None, follow_redirects=False, trust_env=secure
        )
        lines: list[Any] = []

        async def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                lines.append(info["return_value"])

        call = partial(
            client.stream, "GET", get.url, headers=request_headers(get), extensions={"trace": trace}
        )
        try:
            async with client, call() as response:
                return await _read(get.url, response)
        finally:
            # httpx2 leaves the connection open if it is cancelled in the TLS handshake
            for line in lines:
                await line.aclose()

    def _told(self, url: str, error: BaseException) -> KeysUnavailable:
        """The failure by its code; what httpx2 made of an error of TLS is found behind it."""
        kinds = [
            (TimeoutError, "fetch_timeout"),
            (self._httpx.ProtocolError, "fetch_malformed"),
            ((self._httpx.TransportError, OSError, RuntimeError, ImportError), "fetch_connection"),
        ]
        code = next((code for kind, code in kinds if isinstance(error, kind)), "fetch_malformed")
        if code == "fetch_connection" and _is_tls(error):
            code = "fetch_tls"
        return unavailable(code, url, f"{type(error).__name__}: {error}")


async def _read(url: str, response: Any) -> Answer:
    headers = headers_of(response.headers.multi_items())
    if response.status_code != 200:
        return Answer(response.status_code, headers, b"")
    body = Body(url, headers.get("content-encoding"))
    async for piece in response.aiter_raw(PIECE_BYTES):
        body.feed(piece)
    return Answer(200, headers, body.whole())


def _is_tls(error: BaseException | None) -> bool:
    import ssl

    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None and not isinstance(error, ssl.SSLEOFError)

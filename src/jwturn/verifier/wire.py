"""One GET by urllib under one deadline, and no more bytes than an answer may have.

urllib's own timeout is for each recv, so a server that sends a byte a second is read for ever; and
http.client reads headers and interim answers as long as they come. Here every recv is given what is left of
the deadline, and counted. Loaded when the first set is fetched.
"""

import encodings.idna  # noqa: F401  # or the first look-up of a name imports it, maybe beside a fork
import http.client
import io
import queue
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.error import URLError

from jwturn.core.errors import KeysUnavailable
from jwturn.core.jwks_answer import (
    HEADER_BYTES_MAX,
    WIRE_BYTES_MAX,
    Answer,
    Body,
    Get,
    headers_of,
    unavailable,
)
from jwturn.ports.clock import SystemClock
from jwturn.verifier.fetch import request_headers

PIECE_BYTES: Final = 16 * 1024
_CLOCK: Final = SystemClock()

_Left: TypeAlias = Callable[[], float]
_Address: TypeAlias = tuple[Any, ...]


def system_tls() -> ssl.SSLContext:
    """The system's authorities, host names checked; not what somebody made urllib's default."""
    return ssl.create_default_context()


def ask(get: Get, *, tls: ssl.SSLContext, deadline: timedelta) -> Answer:
    """The answer; raises KeysUnavailable only (ports/fetch.py)."""
    left = _counting_down(deadline)
    try:
        with _opened(get, tls, left) as response:
            return _read(get.url, response)
    except KeysUnavailable:
        raise
    except (OSError, http.client.HTTPException, ValueError, RuntimeError) as error:
        raise _told(get.url, error) from error


def _counting_down(deadline: timedelta) -> _Left:
    """The seconds that are left from now on; raises TimeoutError once none are."""
    end = _CLOCK.boottime() + deadline

    def left() -> float:
        seconds = (end - _CLOCK.boottime()).total_seconds()
        if seconds <= 0:
            raise TimeoutError("the deadline is over")
        return seconds

    return left


def _opened(get: Get, tls: ssl.SSLContext, left: _Left) -> "_Response":
    """The response, its headers read; no redirect is followed, no status is an error."""
    proxies: dict[str, str] | None = None if get.url.lower().startswith("https:") else {}
    opener = urllib.request.OpenerDirector()
    opener.addheaders = []
    opener.add_handler(urllib.request.ProxyHandler(proxies))
    opener.add_handler(urllib.request.UnknownHandler())
    opener.add_handler(_Calls(tls, left))
    request = urllib.request.Request(get.url, headers=request_headers(get))  # noqa: S310  # http and https only
    response = opener.open(request, timeout=left())
    if not isinstance(response, _Response):
        raise URLError("no such scheme")
    return response


def _read(url: str, response: "_Response") -> Answer:
    headers = headers_of(response.headers.items())
    if response.status != 200:
        return Answer(response.status, headers, b"")
    body = Body(url, headers.get("content-encoding"))
    while piece := response.read1(PIECE_BYTES):
        body.feed(piece)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return Answer(200, headers, body.whole())


def _told(url: str, error: Exception) -> KeysUnavailable:
    cause = error.reason if isinstance(error, URLError) else error
    kinds: list[tuple[type[Exception] | tuple[type[Exception], ...], str]] = [
        (TimeoutError, "fetch_timeout"),
        (ssl.SSLEOFError, "fetch_connection"),
        (ssl.SSLError, "fetch_tls"),
        (http.client.HTTPException, "fetch_malformed"),
        ((OSError, RuntimeError), "fetch_connection"),
    ]
    code = next((code for kind, code in kinds if isinstance(cause, kind)), "fetch_malformed")
    return unavailable(code, url, f"{type(cause).__name__}: {cause}")


class _Calls(urllib.request.AbstractHTTPHandler):
    """Opens http and https on connections that keep the deadline."""

    def __init__(self, tls: ssl.SSLContext, left: _Left) -> None:
        super().__init__()
        self._tls = tls
        self._left = left

    http_request = urllib.request.AbstractHTTPHandler.do_request_
    https_request = urllib.request.AbstractHTTPHandler.do_request_

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(_Plain, left=self._left), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(_Secure, tls=self._tls, left=self._left), request)


class _Plain(http.client.HTTPConnection):
    """A connection whose every step takes from the same time."""

    def __init__(self, *args: Any, left: _Left, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._left = left
        self._create_connection = lambda address, *_: _connected(*address, left=left)
        self.response_class = partial(_Response, left=left)  # type: ignore[assignment]  # called, no more


class _Secure(_Plain):
    """The same with TLS, through a proxy's tunnel if there is one."""

    default_port = http.client.HTTPS_PORT

    def __init__(self, *args: Any, tls: ssl.SSLContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tls = tls

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self._left())
        host = self._tunnel_host or self.host  # type: ignore[attr-defined]  # typeshed leaves it out
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=host)
        self.sock.settimeout(self._left())


class _Response(http.client.HTTPResponse):
    """A response read from `_Wire`."""

    def __init__(self, sock: socket.socket, *args: Any, left: _Left, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._wire = _Wire(sock, self.fp.detach(), left)
        self.fp = io.BufferedReader(self._wire)

    def begin(self) -> None:
        super().begin()
        self._wire.bytes_max = WIRE_BYTES_MAX


class _Wire(io.RawIOBase):
    """What a socket sends, each recv within the time that is left, up to `bytes_max`."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, left: _Left) -> None:
        self.bytes_max = HEADER_BYTES_MAX
        self._sock = sock
        self._raw = raw
        self._left = left
        self._taken_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._left())
        count = self._raw.readinto(buffer)
        self._taken_bytes += count or 0
        if self._taken_bytes > self.bytes_max:
            raise http.client.HTTPException(f"more than {self.bytes_max} bytes, framing counted in")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _connected(host: str, port: int, *, left: _Left) -> socket.socket:
    """A connection to the first address that answers, each in its share of the time that is left."""
    addresses = _addresses(host, port, left)
    failed: OSError = OSError("the name has no address")
    for count, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left() / (len(addresses) - count))
            sock.connect(address)
            sock.settimeout(left())
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    raise failed


def _addresses(host: str, port: int, left: _Left) -> list[_Address]:
    """The addresses of a host. getaddrinfo takes no timeout: the thread that asks may outlive its asker."""
    found: queue.SimpleQueue[list[_Address] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, ValueError) as error:
            found.put(error)

    threading.Thread(target=resolve, name="jwturn-resolver", daemon=True).start()
    try:
        addresses = found.get(timeout=left())
    except queue.Empty as error:
        raise TimeoutError(f"the name {host} was not resolved in time") from error
    if isinstance(addresses, Exception):
        raise addresses
    return addresses

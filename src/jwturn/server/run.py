"""serve: the service in this process, from a bound port to a graceful stop.

The port is bound first, so that one in use is an error before anything starts. Memory is not dumped:
RLIMIT_CORE is 0 and the process is not dumpable. On SIGTERM or SIGINT calls at work end, leases are given
back, the store is closed.
"""

import contextlib
import ctypes
import errno
import gc
import ipaddress
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import structlog
import uvicorn

from jwturn.compose import App
from jwturn.core.errors import ConfigError, FatalStorage, Unavailable
from jwturn.core.steps import kid_of, name_of
from jwturn.server import logs
from jwturn.server.app import build
from jwturn.server.protocol import bounded
from jwturn.service.rotate import Turned

GRACE_SECONDS: Final = 10
KEEP_ALIVE_SECONDS: Final = 30
BACKLOG: Final = 2048
_PR_SET_DUMPABLE: Final = 4
_log = structlog.get_logger("jwturn.server")


def serve(
    app: App,
    *,
    host: str,
    port: int,
    insecure_bind: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then closes `app`. `port` 0 takes a free one.

    `on_ready` is told the URL.

    Raises Unavailable (the port is in use), ConfigError (no such address; not loopback without
    `insecure_bind`, here or in the settings).
    """
    if not (insecure_bind or app.settings.service.insecure_bind or is_loopback(host)):
        raise ConfigError(
            f"{host} is reached by other machines, and the service speaks plain HTTP",
            hint="keep 127.0.0.1 behind a proxy that speaks TLS, or set service.insecure_bind = true",
            code="insecure_bind",
        )
    bound = _bound(host, port)
    forbid_dumps()
    logs.configure()
    app.loop.on_turn = _told
    app.loop.on_failure = _failed
    threading.excepthook = _thread_ended
    gc.collect()
    gc.freeze()  # what is there now stays: later collections need not walk it
    config = uvicorn.Config(
        build(app, on_fatal=end_process),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=bounded(app.settings.service.body_max),
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )
    address = f"[{host}]" if ":" in host else host
    with bound:
        url = f"http://{address}:{bound.getsockname()[1]}"
        _Server(config, lambda: _listening(url, on_ready)).run([bound])
    app.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def forbid_dumps() -> None:
    """No core dump holds a key, and no process of this user reads our memory, where the system can."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_process(error: FatalStorage) -> None:
    """Ends the process at once: what was believed durable may be lost."""
    _log.critical("fatal_storage", message=error.message, hint=error.hint)
    os._exit(error.exit_code)


class _Server(uvicorn.Server):
    """Says when it listens, and on a signal stops without raising it again: a graceful stop is a success."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{host} is no address of this machine", hint="--host 127.0.0.1") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"port {port} on {host} is in use",
                hint=f"--port {port + 1}, or stop what uses it",
                code="port_in_use",
            ) from error
        raise ConfigError(
            f"{host}:{port} cannot be bound: {(error.strerror or str(error)).lower()}",
            hint="--host 127.0.0.1 --port 8470",
        ) from error
    found.listen(BACKLOG)
    found.set_inheritable(False)
    return found


def _listening(url: str, on_ready: Callable[[str], None] | None) -> None:
    if not sys.stderr.isatty():
        _log.info("listening", url=url)
    if on_ready is not None:
        on_ready(url)


def _told(turned: Turned) -> None:
    for step in turned.steps:
        _log.info(
            "step", ring=turned.ring.name, step=name_of(step), kid=kid_of(step), reason=str(step.reason)
        )


def _failed(words: str) -> None:
    _log.warning("loop_failing", message=words)


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    if isinstance(args.exc_value, FatalStorage):
        end_process(args.exc_value)
    if args.exc_value is not None:
        name = args.thread.name if args.thread else ""
        _log.error("thread_ended", thread=name, exception=logs.traceback_of(args.exc_value))

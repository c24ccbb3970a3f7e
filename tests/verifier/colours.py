"""Both colours of fetching, called alike."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.jwks_fetch import Fetched, Source, fetching
from jwturn.verifier.fetch import UrllibFetch
from jwturn.verifier.fetch_async import HttpxFetch

Ask: TypeAlias = Callable[[Get, ssl.SSLContext | None, timedelta], Answer]
AMPLE = timedelta(seconds=20)
"""A deadline that no test waits for."""
SHORT = timedelta(seconds=0.3)
"""A deadline that tests of slow sites do wait for."""


def in_thread(get: Get, tls: ssl.SSLContext | None = None, deadline: timedelta = AMPLE) -> Answer:
    return UrllibFetch(tls).get(get, deadline=deadline)


def in_task(get: Get, tls: ssl.SSLContext | None = None, deadline: timedelta = AMPLE) -> Answer:
    return asyncio.run(HttpxFetch(tls).get(get, deadline=deadline))


COLOURS: dict[str, Ask] = {"thread": in_thread, "task": in_task}


def fetched(
    ask: Ask,
    source: Source,
    *,
    url: str | None = None,
    etag: str | None = None,
    tls: ssl.SSLContext | None = None,
    deadline: timedelta = AMPLE,
) -> Fetched:
    """The whole algorithm, driven by this colour; the deadline is for each GET."""
    steps = fetching(source, url=url, etag=etag)
    get = next(steps)
    while True:
        try:
            get = steps.send(ask(get, tls, deadline))
        except StopIteration as stop:
            return stop.value

"""Limits: how large a body, how often a caller, how many calls at once.

What is over is refused at once, so that overload ends when the load does.
"""

import asyncio
from collections import OrderedDict
from datetime import timedelta
from typing import Final

from starlette.types import Receive

from jwturn.core.errors import BadInput, Overloaded, TooLarge, Unavailable
from jwturn.ports.clock import Clock

BODY_DEADLINE: Final = timedelta(seconds=10)
"""A body that takes longer than this, all of it, is refused."""
NAMES_MAX: Final = 4096


class Buckets:
    """Token buckets by name: `rate` a second, `burst` at once; the least recently used name is forgotten."""

    def __init__(self, clock: Clock, *, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._levels: OrderedDict[str, tuple[float, timedelta]] = OrderedDict()

    def take(self, name: str, what: str) -> None:
        """Takes one. Raises Overloaded where there is none; `what` says of whom."""
        now = self._clock.boottime()
        level, since = self._levels.get(name, (self._burst, now))
        level = min(self._burst, level + max((now - since).total_seconds(), 0.0) * self._rate)
        self._levels[name] = (max(level - 1, 0.0) if level >= 1 else level, now)
        self._levels.move_to_end(name)
        if len(self._levels) > NAMES_MAX:
            self._levels.popitem(last=False)
        if level < 1:
            raise Overloaded(
                f"{what} asks more often than {self._rate:g} times a second",
                hint="wait as Retry-After says, and spread the calls",
                retry_after=max(1, round((1 - level) / self._rate)),
            )


class Gate:
    """At most `width` calls at work at once: `with gate:`."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.inside = 0

    def __enter__(self) -> None:
        """Takes a place inside. Raises Unavailable where there is none."""
        if self.inside >= self.width:
            raise Unavailable(
                f"this node is at work on {self.width} calls already",
                hint="ask again as Retry-After says, or add a node",
                code="overloaded",
                retry_after=1,
            )
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        """Gives the place back."""
        self.inside -= 1


async def read_body(receive: Receive, declared: str | None, *, most: int, deadline: timedelta) -> bytes:
    """The whole body. Raises TooLarge (also where the length was not declared), BadInput (slow, cut off)."""
    if declared is not None and declared.isascii() and declared.isdigit() and int(declared[:20]) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            return await _chunks(receive, most)
    except TimeoutError as error:
        raise BadInput(
            f"the body took longer than {deadline.total_seconds():g} s",
            hint="send it faster",
            code="body_slow",
        ) from error


async def _chunks(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadInput("the caller went away", hint="send the whole body", code="body_cut")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"a body may have {most} bytes", hint="send less at once, or raise service.body_max")

"""Lanes: blocking work in threads, so many at a time; and values read that way, kept for a moment.

Ports are synchronous. What may block (the store, a KEK, RSA) leaves the event loop; each kind of work has a
lane of its own, so that slow commands never keep a JWKS waiting.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread

from jwturn.core.errors import Unavailable
from jwturn.ports.clock import Clock

T = TypeVar("T")


class Lane:
    """At most `width` threads; more work waits in order."""

    def __init__(self, width: int) -> None:
        self._limiter = CapacityLimiter(width)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread; never abandoned half-way."""
        return await to_thread.run_sync(work, limiter=self._limiter)


class Recent(Generic[T]):
    """A value read from the store: fresh for `fresh`.

    One reads it again while others wait for the same answer.

    A store that does not answer leaves the old value in use until it is `good` old.
    """

    def __init__(
        self,
        read: Callable[[], T],
        lane: Lane,
        clock: Clock,
        *,
        fresh: timedelta,
        good: timedelta = timedelta(),
    ) -> None:
        self._read = read
        self._lane = lane
        self._clock = clock
        self._fresh = fresh
        self._good = good
        self._held: tuple[T, timedelta] | None = None
        self._reading: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The value, at most `fresh` old. Raises what reading raises."""
        held = self._held
        if held is not None and self._age(held) < self._fresh:
            return held[0]
        return await self.again()

    async def again(self) -> T:
        """The value, read now."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_now())
        return await asyncio.shield(self._reading)

    async def _read_now(self) -> T:
        asked = self._clock.boottime()
        try:
            value = await self._lane.run(self._read)
        except Unavailable:
            if self._held is None or self._age(self._held) >= self._good:
                raise
            return self._held[0]
        self._held = (value, asked)
        return value

    def _age(self, held: tuple[T, timedelta]) -> timedelta:
        return self._clock.boottime() - held[1]

"""Clock: the one place where time is read, and the system's own."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from jwturn.core.clocks import Reading

_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """A node's (or a store's) clocks, and sleep. Tests hand in one that they move."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        ...

    def boottime(self) -> timedelta:
        """Time since some fixed moment, never set, counting suspension (CLOCK_BOOTTIME)."""
        ...

    def wait(self, wake: threading.Event, until: datetime) -> bool:
        """Sleeps until `until` or until `wake` is set; True if it was set."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def boottime(self) -> timedelta:
        """CLOCK_BOOTTIME; where the platform has none, the monotonic clock."""
        return timedelta(0, time.clock_gettime(_BOOTTIME))

    def wait(self, wake: threading.Event, until: datetime) -> bool:
        """Sleeps on the event, at least not at all and at most a day at a time."""
        seconds = (until - self.now()).total_seconds()
        return wake.wait(min(max(seconds, 0.0), 86_400.0))


def read(clock: Clock) -> "Reading":
    """Both clocks of a node, read together just before it asks something of the store."""
    from jwturn.core.clocks import Reading

    return Reading(clock.now(), clock.boottime())


def in_seconds(clock: Clock | None) -> tuple[Callable[[], float], Callable[[], float]]:
    """Unix seconds, and seconds of boottime, of this clock; None is the machine's, as cheap as they come.

    For what is asked once for every token.
    """
    if clock is None:
        return time.time, partial(time.clock_gettime, _BOOTTIME)
    return lambda: clock.now().timestamp(), lambda: clock.boottime().total_seconds()

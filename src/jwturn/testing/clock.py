"""A clock that stands still until a test moves it, for any number of nodes with clocks of their own."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2030, 1, 1, tzinfo=UTC)
_POLL_SECONDS: Final = 0.005


class _World:
    """The time that passes for everybody."""

    def __init__(self) -> None:
        self.elapsed = timedelta()
        self.changed = threading.Condition()


class FakeClock:
    """Implements the port `Clock`: `advance` lets time pass for every node, `jump` sets this wall clock.

    `auto`: `wait` lets the time pass itself, so a loop runs as fast as it can; else it blocks until a test
    advances the time.
    """

    def __init__(self, start: datetime = START, *, auto: bool = False) -> None:
        self._wall = start
        self._auto = auto
        self._world = _World()
        self._boot = timedelta(hours=1)
        self._asleep = 0

    def node(self, *, skew: timedelta = timedelta(), boottime: timedelta = timedelta(hours=2)) -> "FakeClock":
        """A clock of another node in the same time: its wall clock is off by `skew`, its boottime its own."""
        clock = FakeClock(self._wall + skew, auto=self._auto)
        clock._world = self._world
        clock._boot = boottime - self._world.elapsed
        return clock

    def now(self) -> datetime:
        """The wall clock."""
        return self._wall + self._world.elapsed

    def boottime(self) -> timedelta:
        """Time since this node started."""
        return self._boot + self._world.elapsed

    def advance(self, by: timedelta) -> datetime:
        """Lets time pass for every node; gives the wall clock after it."""
        with self._world.changed:
            self._world.elapsed += by
            self._world.changed.notify_all()
        return self.now()

    def jump(self, by: timedelta) -> None:
        """Sets this node's wall clock forward or back; no time passes."""
        with self._world.changed:
            self._wall += by
            self._world.changed.notify_all()

    def wait(self, wake: threading.Event, until: datetime) -> bool:
        """Sleeps until this wall clock reads `until` or `wake` is set; True if it was set."""
        if self._auto:
            if not wake.is_set() and until > self.now():
                self.advance(until - self.now())
            return wake.is_set()
        with self._world.changed:
            self._asleep += 1
            self._world.changed.notify_all()
            try:
                while not wake.is_set() and self.now() < until:
                    self._world.changed.wait(_POLL_SECONDS)
            finally:
                self._asleep -= 1
        return wake.is_set()

    def until_asleep(self, sleepers: int = 1, *, seconds: float = 10.0) -> bool:
        """Waits, in real time, until so many calls sleep in `wait`; False if they do not in time."""
        with self._world.changed:
            return self._world.changed.wait_for(lambda: self._asleep >= sleepers, seconds)

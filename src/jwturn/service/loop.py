"""The loop: ticks the seen time, turns what is due, renews leases, re-reads sets, and sleeps.

It survives every error of a backend with bounded back-off, and says what it last did and what went wrong.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from jwturn.core.errors import JwturnError, LostRace
from jwturn.core.seen import Sighting
from jwturn.ports.clock import Clock
from jwturn.ports.store import Events, RingStore, SeenTime
from jwturn.service.publish import Publisher
from jwturn.service.rotate import Rotator, Turned
from jwturn.service.sign import SigningService

BACKOFF_MAX: Final = timedelta(seconds=30)
BATCH: Final = 100
WATCH: Final = timedelta(milliseconds=200)
"""How long one look for changes takes at most, and so how long `stop` waits for it."""
SHARE: Final = 50
"""The shortest wait between passes is this part of the longest."""


@dataclass(slots=True)
class Health:
    """What the loop says of itself: for /readyz, metrics and status."""

    last_success: datetime | None = None
    errors: int = 0
    failing_since: datetime | None = None
    last_error: str = ""


class LoopStore(RingStore, Events, SeenTime, Protocol):
    """What the loop needs of a store."""


class Loop:
    """One node's loop. `run_once` is a pass; `start` runs passes in a daemon thread until `stop`."""

    def __init__(
        self,
        store: LoopStore,
        clock: Clock,
        *,
        rotator: Rotator,
        signing: SigningService,
        publisher: Publisher,
        tick_cap: timedelta,
        on_turn: Callable[[Turned], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rotator = rotator
        self._signing = signing
        self._publisher = publisher
        self._tick_cap = tick_cap
        self.on_turn = on_turn
        self.on_failure: Callable[[str], None] = lambda _: None
        self._sighting: Sighting | None = None
        self._renewed: timedelta | None = None
        self._checked: timedelta | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.health = Health()

    def run_once(self) -> datetime:
        """One pass: every part is tried, whatever fails in another. Gives the time of the next."""
        now = self._clock.now()
        errors: list[Exception] = []
        for part in (self.tick, self._turn, self._renew, self._reread, self._checkpoint):
            try:
                part()
            except Exception as error:  # noqa: BLE001  # a defect in one part must not end the others
                errors.append(error)
        self._note(now, [_told(error) for error in errors if not isinstance(error, LostRace)])
        return self._next(now, raced=any(isinstance(error, LostRace) for error in errors))

    def start(self) -> None:
        """Starts the daemon threads: the passes, and the watch for changes others make."""
        for body in (self._run, self._watch):
            thread = threading.Thread(target=body, name=f"jwturn{body.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """Asks for a pass now, leases included: after a command this node signs by the new ring at once."""
        self._renewed = None
        self._wake.set()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends the threads; waits `timeout` seconds for each. May be called twice."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout)
        self._threads.clear()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            until = self.run_once()
            self._clock.wait(self._wake, until)

    def _watch(self) -> None:
        version = 0
        while not self._stopping.is_set():
            try:
                heard = self._store.wait(version, WATCH)
            except Exception:  # noqa: BLE001  # the passes meet the same error, and say it
                self._stopping.wait(1.0)
                continue
            if heard != version and not self._stopping.is_set():
                version = heard
                self._renewed = None  # a revocation elsewhere stops this signer now, not at its next refresh
                self._wake.set()

    def tick(self) -> None:
        """Adds what passed since this node's last tick to the seen time."""
        seen = self._store.tick(boottime=self._clock.boottime(), before=self._sighting)
        # From after the reply: by a boottime from before it, a slow one would let the next tick add too much.
        self._sighting = Sighting(seen.total, self._clock.boottime())

    def _turn(self) -> None:
        errors: list[Exception] = []
        for name in self._store.due(self._clock.now(), BATCH):
            try:
                turned = self._rotator.turn(name)
                if turned.steps:
                    self.on_turn(turned)
            except Exception as error:  # noqa: BLE001  # one ring's trouble must not keep the others from turning
                errors.append(error)
        if errors:
            raise min(errors, key=lambda error: isinstance(error, LostRace))

    def _renew(self) -> None:
        boottime, before = self._clock.boottime(), self._renewed
        if before is not None and boottime - before < self._signing.refresh_every():
            return
        # Noted before it is done: a `wake` meanwhile asks for another one.
        self._renewed = boottime
        try:
            self._signing.refresh()
        except BaseException:
            self._renewed = None
            raise

    def _reread(self) -> None:
        self._publisher.refresh()

    def _checkpoint(self) -> None:
        boottime = self._clock.boottime()
        if self._checked is None or boottime - self._checked >= self._tick_cap:
            self._store.checkpoint("loop")
            self._checked = boottime

    def _note(self, now: datetime, failed: list[str]) -> None:
        if not failed:
            self.health.last_success, self.health.failing_since, self.health.last_error = now, None, ""
            return
        self.health.errors += 1
        self.health.failing_since = self.health.failing_since or now
        words = "; ".join(failed)
        if words != self.health.last_error:
            self.on_failure(words)
        self.health.last_error = words

    def _next(self, now: datetime, *, raced: bool) -> datetime:
        if self.health.failing_since is not None:
            failing = now - self.health.failing_since
            return now + min(max(failing, timedelta(seconds=1)), BACKOFF_MAX, self._tick_cap / 2)
        waits = [self._tick_cap / 2, self._signing.refresh_every()]
        try:
            due = now if raced else self._store.next_due()
        except Exception:  # noqa: BLE001  # the next pass meets the same error, and says it
            due = None
        soonest = now + min(waits)
        return soonest if due is None else max(min(soonest, due), now + min(waits) / SHARE)


def _told(error: Exception) -> str:
    return error.message if isinstance(error, JwturnError) else f"unexpected {type(error).__name__}"

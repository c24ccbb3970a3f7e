"""The store's clock as one node knows it: every transaction carries that, and in doubt none is asked for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from jwturn.core.clocks import Reading, Watch, demand_agreement
from jwturn.core.errors import ClocksDisagree, Unavailable
from jwturn.core.timing import REPLY_MAX
from jwturn.ports.clock import Clock
from jwturn.ports.store import RingStore, View


class StoreWatch:
    """Watches a store's clock against the node's. Thread-safe.

    `trusted`: whether anything may rest on the store's clock.
    """

    def __init__(self, store: RingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._watch = Watch()
        self.trusted = True
        self._name: str | None = None
        self._lock = threading.Lock()

    def reading(self) -> Reading:
        """The node's clocks and what it knows of the store's, for a transaction that is about to be asked."""
        return Reading(self._clock.now(), self._clock.boottime(), self._watch)

    def look(self) -> None:
        """Looks at the store's clock, by the ring that was loaded last. Raises as `load` does."""
        if self._name is not None:
            self.load(self._name)

    def load(self, name: str) -> View:
        """A ring, and a look at the store's clock that writes nothing.

        Raises ClocksDisagree, Unavailable (they disagreed at one of the last two looks), and what the store
        raises.
        """
        reading = self.reading()
        view = self._store.load(name)
        self._name = name
        answered = self._clock.boottime()
        if answered - reading.boottime <= REPLY_MAX:
            with self.judging(reading):
                demand_agreement(reading, view.now.at, view.ring.policy)
        self.heard(view.now.at, reading, answered, refresh=view.ring.policy.signer_refresh)
        self.demand_trust()
        return view

    def heard(
        self, store_now: datetime, reading: Reading, answered: timedelta, *, refresh: timedelta
    ) -> None:
        """Takes note of the store's clock in a reply that agreed and came at boottime `answered`."""
        with self._lock:
            self._watch = self._watch.heard(
                store_now, asked=reading.boottime, answered=answered, refresh=refresh
            )
            self.trusted = self._watch.trusted

    @contextmanager
    def judging(self, reading: Reading) -> Iterator[None]:
        """A disagreement in the block is a fault of the clocks, unless the reply was only slow."""
        try:
            yield
        except ClocksDisagree:
            if self._clock.boottime() - reading.boottime <= REPLY_MAX:
                with self._lock:
                    self._watch, self.trusted = self._watch.faulted(), False
            raise

    def demand_trust(self) -> None:
        """Raises Unavailable while the clocks are in doubt."""
        if not self.trusted:
            raise Unavailable(
                "the store's clock and this node's did not move alike; signing and turning wait until they"
                " agree twice",
                hint="check NTP on the store and here (timedatectl), or restart the node once the clocks are"
                " right",
                code="clocks_disagree",
            )

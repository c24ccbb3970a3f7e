"""Conformance of stores: subclass, say how an empty one is made, and let pytest collect the class.

    class TestMine(StoreSuite):
        def make_store(self, clock):
            return MyStore(clock)

Every promise of ports/store.py and ports/leases.py is tried through the ports alone; the store reads no clock
but the one it is given.
"""

from typing import Any

from jwturn.testing.clock import FakeClock
from jwturn.testing.journal_promises import JournalPromises
from jwturn.testing.lease_promises import LeasePromises
from jwturn.testing.ring_promises import RingPromises
from jwturn.testing.rings import Stage


class StoreSuite(RingPromises, LeasePromises, JournalPromises):
    """What every store must do, its leases included."""

    def make_store(self, clock: FakeClock) -> Any:
        """An empty store of its own, on this clock: it implements `Store` and `Leases`."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Nothing is open yet."""
        self._stages: list[Stage] = []

    def teardown_method(self) -> None:
        """Closes every store of a test."""
        for stage in self._stages:
            stage.store.close()

    def empty(self) -> Stage:
        """A stage whose store was not made yet."""
        clock = FakeClock()
        stage = Stage(self.make_store(clock), clock)
        self._stages.append(stage)
        return stage

    def stage(self) -> Stage:
        """A stage whose store is made and unlocked."""
        return self.empty().open()

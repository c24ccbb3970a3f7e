"""Keeps forks apart from the use of SQLite's connections.

SQLite keeps its locks in a table of the process. A child that is forked in the middle of a transaction
inherits the table as if the lock were its own, and waits for itself for ever; a child that inherits open
connections believes in locks that the kernel has not given it. So a fork waits until no connection is in use,
closes those that are idle, and holds back new uses until it is over.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

PATIENCE_SECONDS: Final = 10.0
"""How long a fork waits for transactions to end: longer than a busy database makes one wait."""


class ForkGate:
    """Counts uses; a fork happens only between them. `let_go` closes what is idle."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._idle = threading.Condition()
        self._users = 0
        self._forking = False
        gate = weakref.ref(self)
        os.register_at_fork(
            before=partial(_ask, gate, ForkGate.hold),
            after_in_parent=partial(_ask, gate, ForkGate.release),
            after_in_child=partial(_ask, gate, ForkGate.renew),
        )

    @contextmanager
    def using(self) -> Iterator[None]:
        """A use that no fork cuts in two."""
        with self._idle:
            self._idle.wait_for(lambda: not self._forking, PATIENCE_SECONDS)
            self._users += 1
        try:
            yield
        finally:
            with self._idle:
                self._users -= 1
                self._idle.notify_all()

    def hold(self) -> None:
        """Before a fork: waits for the uses to end, and lets no other begin."""
        self._idle.acquire()
        self._forking = True
        self._idle.wait_for(lambda: self._users == 0, PATIENCE_SECONDS)
        self._let_go()

    def release(self) -> None:
        """After a fork, in the parent."""
        self._forking = False
        self._idle.notify_all()
        self._idle.release()

    def renew(self) -> None:
        """After a fork, in the child: its other threads are gone, and so are their uses."""
        self._idle = threading.Condition()
        self._users, self._forking = 0, False


def _ask(gate: "weakref.ref[ForkGate]", act: Callable[[ForkGate], None]) -> None:
    found = gate()
    if found is not None:
        act(found)

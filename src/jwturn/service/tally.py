"""What a node did with one key: signatures in flight, tokens issued since its last report, the largest exp.

A tally is closed before its mark is released: nothing begins after that, and the last one out leaves the
largest exp.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True, eq=False)
class Tally:
    """What this node did with one key under one ring.

    In flight now, issued since the last report, largest exp.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    in_flight: int = 0
    closed: bool = False
    largest_exp: int = 0
    issued: Counter[int] = field(default_factory=Counter)
    total: int = 0
    last_used: timedelta = timedelta()

    def enter(self, boottime: timedelta) -> bool:
        """Begins a signature; False once the tally is closed."""
        with self.lock:
            if self.closed:
                return False
            self.in_flight += 1
            self.last_used = boottime
            return True

    def leave(self, exp: int | None) -> None:
        """Ends a signature; `exp` (Unix seconds) is None where no token was made."""
        with self.lock:
            self.in_flight -= 1
            if exp is not None:
                self.largest_exp = max(self.largest_exp, exp)
                self.issued[exp // 60] += 1
                self.total += 1

    def close(self) -> bool:
        """No signature begins after this; True once none is in flight."""
        with self.lock:
            self.closed = True
            return self.in_flight == 0

    def take_issued(self) -> Counter[int]:
        """The tokens issued since the last time, by expiry minute."""
        with self.lock:
            issued, self.issued = self.issued, Counter()
            return issued

    def give_back(self, issued: Counter[int]) -> None:
        """Counts again what could not be reported."""
        with self.lock:
            self.issued.update(issued)


def restore(issued: Mapping[tuple[str, str], tuple[Tally, Counter[int]]]) -> None:
    """Gives back what was taken for a report that failed."""
    for tally, counts in issued.values():
        tally.give_back(counts)

"""Seen time: how long the store has been watched running, not how far its clock has moved.

One row in the store. Each tick of a node adds what passed since the last tick, at most `tick_cap`, and
never lifts the total above what that node last read plus its own boottime since. So a clock that jumps ten
years ahead, a restart or a night without the service add nothing: what waits for seen time does not mature,
and nothing is destroyed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Seen:
    """The store's row: the total, and the store's time of the last tick."""

    total: timedelta
    last: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a node read at its last tick: the total then, and its own boottime just before it asked."""

    total: timedelta
    boottime: timedelta


def tick(
    row: Seen, *, now: datetime, boottime: timedelta, before: Sighting | None, tick_cap: timedelta
) -> Seen:
    """The row after a tick at store time `now`; `boottime` is the node's, read before it asked.

    A node that has not ticked before, or not within `tick_cap`, only reads: the total stays.
    """
    if before is None or boottime - before.boottime > tick_cap:
        return Seen(row.total, now)
    gain = min(max(now - row.last, timedelta()), tick_cap)
    ceiling = before.total + (boottime - before.boottime)
    return Seen(max(row.total, min(row.total + gain, ceiling)), now)

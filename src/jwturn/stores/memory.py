"""The store in memory: the reference every other is compared with, for tests, demonstrations and simulations.

Several nodes may share one. A transaction holds one lock; what it wrote is undone, last first, when it fails.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from jwturn.core.leases import Lease, Mark, Minute, RingLeases
from jwturn.core.ledger import Event, Head
from jwturn.core.seen import Seen
from jwturn.core.timing import BEGINNING
from jwturn.ports.clock import Clock
from jwturn.ports.store import Identity, RingRow
from jwturn.stores.rows import IssuerRecord, RingRecord, TokenRecord
from jwturn.stores.rowstore import RowStore

_EMPTY: Final = Head(0, "")
_ABSENT: Final = object()


class MemoryStore(RowStore):
    """A store and its leases that live as long as the object."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(MemoryDatabase(), clock)


class MemoryDatabase:
    """Transactions on dictionaries."""

    def __init__(self) -> None:
        self._rows = _Rows()
        self._lock = threading.RLock()
        self._moved = threading.Condition()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator["_Rows"]:
        """A snapshot: nobody writes meanwhile."""
        with self._lock:
            yield self._rows

    @contextmanager
    def writing(self) -> Iterator["_Rows"]:
        """A transaction, undone by an exception."""
        with self._lock:
            start, version = len(self._rows.undo), self._rows.version()
            try:
                yield self._rows
            except BaseException:
                self._rows.roll_back(start)
                raise
            del self._rows.undo[start:]
        if self._rows.version() != version:
            with self._moved:
                self._moved.notify_all()

    def exists(self) -> bool:
        """True: there is nothing to open."""
        return True

    def make(self) -> None:
        """Nothing: it is there."""

    def scrub(self) -> None:
        """Nothing: what was deleted is in no log."""

    def pause(self, seconds: float) -> bool:
        """Waits for a commit, at most `seconds`."""
        with self._moved:
            if not self._closed:
                self._moved.wait(seconds)
            return not self._closed

    def close(self) -> None:
        """Ends waiting."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()


class _Rows:
    """Rows in dictionaries; every write goes through `_set` and `_drop`, which note how to undo it."""

    def __init__(self) -> None:
        self.undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._rings: dict[str, RingRecord] = {}
        self._halves: dict[tuple[str, str], bytes] = {}
        self._kids: dict[tuple[str, str], str] = {}
        self._issuers: dict[str, IssuerRecord] = {}
        self._leases: dict[tuple[str, str], Lease] = {}
        self._marks: dict[tuple[str, str, str], Mark] = {}
        self._counts: dict[tuple[str, str, Minute], int] = {}
        self._events: dict[tuple[str, int], Event] = {}
        self._heads: dict[str, Head] = {}
        self._listed: dict[str, Head] = {}
        self._tokens: dict[str, TokenRecord] = {}
        self._meta: dict[str, Any] = {"version": 0, "identity": None, "seen": Seen(timedelta(), BEGINNING)}

    def roll_back(self, start: int) -> None:
        """Undoes every write since the log had `start` lines."""
        while len(self.undo) > start:
            table, key, old = self.undo.pop()
            if old is _ABSENT:
                del table[key]
            else:
                table[key] = old

    def _set(self, table: dict[Any, Any], key: object, value: object) -> None:
        self.undo.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def _drop(self, table: dict[Any, Any], key: object) -> None:
        if key in table:
            self.undo.append((table, key, table.pop(key)))

    def ring_id(self, name: str) -> str | None:
        return next((ring_id for ring_id, kept in self._rings.items() if kept.row.name == name), None)

    def ring(self, ring_id: str) -> RingRecord | None:
        return self._rings.get(ring_id)

    def rings(self) -> Sequence[RingRow]:
        return sorted((kept.row for kept in self._rings.values()), key=lambda row: row.name)

    def ring_ids(self, issuer: str) -> Sequence[str]:
        return [row.id for row in self.rings() if row.issuer == issuer]

    def due(self, before: datetime, limit: int) -> Sequence[str]:
        rows = [
            (row.due_at, row.name) for row in self.rings() if row.due_at is not None and row.due_at <= before
        ]
        return [name for _, name in sorted(rows)[:limit]]

    def next_due(self) -> datetime | None:
        return min((row.due_at for row in self.rings() if row.due_at is not None), default=None)

    def add_ring(self, record: RingRecord) -> bool:
        if record.row.id in self._rings or self.ring_id(record.row.name) is not None:
            return False
        self._set(self._rings, record.row.id, record)
        return True

    def swap_ring(self, record: RingRecord, epoch: int) -> bool:
        kept = self._rings.get(record.row.id)
        if kept is None or kept.row.epoch != epoch:
            return False
        self._set(self._rings, record.row.id, record)
        return True

    def set_due(self, ring_id: str, due_at: datetime | None) -> None:
        kept = self._rings[ring_id]
        self._set(self._rings, ring_id, replace(kept, row=replace(kept.row, due_at=due_at)))

    def halves(self, ring_id: str) -> Mapping[str, bytes]:
        return {kid: half for (ring, kid), half in self._halves.items() if ring == ring_id}

    def put_half(self, ring_id: str, kid: str, envelope: bytes) -> None:
        self._set(self._halves, (ring_id, kid), envelope)

    def drop_half(self, ring_id: str, kid: str) -> None:
        self._drop(self._halves, (ring_id, kid))

    def claim_kid(self, issuer: str, kid: str, ring_id: str) -> bool:
        if (issuer, kid) in self._kids:
            return False
        self._set(self._kids, (issuer, kid), ring_id)
        return True

    def issuer(self, issuer: str) -> IssuerRecord | None:
        return self._issuers.get(issuer)

    def add_issuer(self, record: IssuerRecord) -> None:
        self._set(self._issuers, record.issuer, record)

    def swap_issuer(self, record: IssuerRecord) -> bool:
        kept = self._issuers.get(record.issuer)
        if kept is None or kept.served:
            return False
        self._set(self._issuers, record.issuer, record)
        return True

    def leases(self, ring_id: str) -> RingLeases:
        leases = tuple(lease for (ring, _), lease in self._leases.items() if ring == ring_id)
        return RingLeases(leases, tuple(mark for (ring, *_), mark in self._marks.items() if ring == ring_id))

    def leases_of(self, node: str) -> Sequence[tuple[str, Lease]]:
        return [(ring, lease) for (ring, holder), lease in self._leases.items() if holder == node]

    def mark(self, ring_id: str, kid: str, node: str) -> Mark | None:
        return self._marks.get((ring_id, kid, node))

    def put_lease(self, ring_id: str, lease: Lease) -> None:
        self._set(self._leases, (ring_id, lease.node), lease)

    def drop_lease(self, ring_id: str, node: str) -> None:
        self._drop(self._leases, (ring_id, node))

    def put_mark(self, ring_id: str, mark: Mark) -> None:
        self._set(self._marks, (ring_id, mark.kid, mark.node), mark)

    def forget_key(self, ring_id: str, kid: str) -> None:
        for place, lease in list(self._leases.items()):
            if (place[0], lease.kid) == (ring_id, kid):
                self._drop(self._leases, place)
        for table in (self._marks, self._counts):
            for key in [key for key in table if key[:2] == (ring_id, kid)]:
                self._drop(table, key)

    def add_counts(self, ring_id: str, kid: str, issued: Mapping[Minute, int]) -> None:
        for minute, count in issued.items():
            key = (ring_id, kid, minute)
            self._set(self._counts, key, self._counts.get(key, 0) + count)

    def drop_counts(self, before: Minute) -> None:
        for key in [key for key in self._counts if key[2] < before]:
            self._drop(self._counts, key)

    def counts(self, ring_id: str) -> Mapping[str, Mapping[Minute, int]]:
        found: dict[str, dict[Minute, int]] = {}
        for (ring, kid, minute), count in self._counts.items():
            if ring == ring_id:
                found.setdefault(kid, {})[minute] = count
        return found

    def seen(self) -> Seen:
        seen: Seen = self._meta["seen"]
        return seen

    def put_seen(self, seen: Seen) -> None:
        self._set(self._meta, "seen", seen)

    def append(self, event: Event) -> bool:
        if (event.chain, event.seq) in self._events:
            return False
        self._set(self._events, (event.chain, event.seq), event)
        self._set(self._heads, event.chain, Head(event.seq, event.hash))
        return True

    def events(self, chain: str, after: int, limit: int) -> Sequence[Event]:
        last = min(after + limit, self.head(chain).count)
        return [self._events[chain, seq] for seq in range(after + 1, last + 1)]

    def hash_at(self, chain: str, seq: int) -> str | None:
        event = self._events.get((chain, seq))
        return None if event is None else event.hash

    def head(self, chain: str) -> Head:
        return self._heads.get(chain, _EMPTY)

    def heads_listed(self) -> Mapping[str, Head]:
        return self._listed

    def list_heads(self, heads: Mapping[str, Head]) -> None:
        for chain, head in heads.items():
            self._set(self._listed, chain, head)

    def tokens(self) -> Sequence[TokenRecord]:
        return [self._tokens[name] for name in sorted(self._tokens)]

    def put_token(self, record: TokenRecord) -> None:
        self._set(self._tokens, record.name, record)

    def identity(self) -> Identity | None:
        identity: Identity | None = self._meta["identity"]
        return identity

    def begin(self, identity: Identity, seen: Seen) -> bool:
        if self.identity() is not None:
            return False
        self._set(self._meta, "identity", identity)
        self._set(self._meta, "seen", seen)
        return True

    def version(self) -> int:
        version: int = self._meta["version"]
        return version

    def moved(self) -> None:
        self._set(self._meta, "version", self.version() + 1)

"""The store over any database of rows: what each call of the ports does, in which transaction.

The witness is read before the row it judges, and written after the commit it witnesses. A crash between the
two leaves the store newer than its witness; the next load writes the missing head.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from jwturn.core import seen
from jwturn.core.clocks import Reading, demand_agreement
from jwturn.core.errors import IntegrityError, NotFound, NotPermitted, StateForbids, Unavailable
from jwturn.core.keys import KeyRing
from jwturn.core.leases import Grant, Minute, Usage
from jwturn.core.ledger import Actor, Event, Head
from jwturn.core.seen import Seen, Sighting
from jwturn.core.tokens import ApiToken
from jwturn.core.witness import WitnessHead, head_of
from jwturn.ports.clock import Clock
from jwturn.ports.store import ChangeOf, HeadSeal, Identity, RingRow, View, Witness
from jwturn.stores import grants, journal
from jwturn.stores.commit import Transaction, halves_dropped, no_ring, no_store
from jwturn.stores.rows import Database, Rows
from jwturn.stores.seals import Seals

PAUSE: Final = timedelta(milliseconds=100)
"""How often a waiting call looks for commits of other processes."""
UNWRITABLE: Final = (Unavailable, NotPermitted, NotFound, StateForbids)


@dataclass(frozen=True, slots=True)
class _Unlocked:
    seals: Seals
    witness: Witness


class RowStore:
    """Every port of a store, on the rows of a `Database`. Thread-safe where the database is."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._keys: _Unlocked | None = None

    def identity(self) -> Identity | None:
        """What the store is; None while it is empty."""
        if not self._database.exists():
            return None
        with self._database.reading() as rows:
            return rows.identity()

    def initialise(self, identity: Identity) -> None:
        """Makes the store. Raises StateForbids where there is one already."""
        self._database.make()
        with self._database.writing() as rows:
            if not rows.begin(identity, Seen(timedelta(), self._clock.now())):
                raise StateForbids("there is a store here already", hint="jwturn status", code="store_exists")

    def unlock(self, seal: HeadSeal, witness: Witness) -> None:
        """Hands in what authenticates heads. Raises NotFound while the store is empty."""
        identity = self.identity()
        if identity is None:
            raise no_store()
        self._keys = _Unlocked(Seals(seal, identity.store_id), witness)

    def close(self) -> None:
        """Frees files and connections; may be called twice."""
        self._database.close()

    def add(self, ring: KeyRing, *, actor: Actor, at: Reading) -> KeyRing:
        """A new ring without keys. Raises StateForbids where its name is taken."""
        with self._database.writing() as rows:
            added = self._on(rows).add(ring, actor=actor, at=at)
        self._attest(head_of(added))
        return added

    def rings(self) -> Sequence[RingRow]:
        """Every ring, by name; reads no keys."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.rings()

    def load(self, name: str) -> View:
        """A ring, checked: MAC, invariants, witness. Raises NotFound, IntegrityError."""
        ring_id = self._id(name)
        witnessed = self._unlocked().witness.last(ring_id)
        with self._database.reading() as rows:
            view = self._on(rows).view(ring_id, witnessed)
        self._heal(view.ring, witnessed)
        return view

    def published(self, issuer: str) -> Sequence[View]:
        """The rings of an issuer, each checked as by `load`."""
        with self._database.reading() as rows:
            witnessed = self._witnessed(rows.ring_ids(issuer))
        with self._database.reading() as rows:
            ids = rows.ring_ids(issuer)
            views = [self._on(rows).view(ring_id, witnessed.get(ring_id)) for ring_id in ids]
        for view in views:
            self._heal(view.ring, witnessed.get(view.ring.id))
        return views

    def update(self, name: str, change: ChangeOf, *, at: Reading, recovering: bool = False) -> KeyRing:
        """Applies `change` in one transaction; epoch + 1. Raises as the port says."""
        ring_id = self._id(name)
        witnessed = None if recovering else self._unlocked().witness.last(ring_id)
        with self._database.writing() as rows:
            deed = self._on(rows)
            view = deed.view(ring_id, witnessed)
            demand_agreement(at, view.now.at, view.ring.policy)
            wanted = change(view)
            after = view.ring if wanted is None else deed.commit(view, wanted)
        if after.epoch != view.ring.epoch:
            self._attest(head_of(after))
        if halves_dropped(view.ring, after):
            self._database.scrub()
        return after

    def due(self, before: datetime, limit: int) -> Sequence[str]:
        """Names of rings whose due time is not after `before`, the most overdue first."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.due(before, limit)

    def next_due(self) -> datetime | None:
        """The earliest due time of any ring."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.next_due()

    def events(self, chain: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Lines of a chain with seq > `after`, in order."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.events(chain, after, limit)

    def head(self, chain: str) -> Head:
        """The stored end of a chain."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.head(chain)

    def record(self, actor: Actor, action: str, detail: Mapping[str, Any]) -> Event:
        """A line in the store's own chain."""
        with self._database.writing() as rows:
            return journal.record(self._on(rows), actor, action, detail)

    def checkpoint(self, who: str) -> Event | None:
        """A line in the store's chain that lists the heads changed since the last one; None if none did."""
        with self._database.writing() as rows:
            return journal.checkpoint(self._on(rows), who)

    def wait(self, after: int, timeout: timedelta) -> int:
        """Returns when the version is no longer `after`, after `timeout`, or when the store is closed."""
        self._unlocked()
        version = after
        for _ in range(-(-timeout // PAUSE) + 1):
            with self._database.reading() as rows:
                version = rows.version()
            if version != after or not self._database.pause(min(timeout, PAUSE).total_seconds()):
                break
        return version

    def seen(self) -> Seen:
        """The row of the seen time as it stands."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.seen()

    def tick(self, *, boottime: timedelta, before: Sighting | None) -> Seen:
        """One tick of the seen time, on the store's clock: the row after it."""
        with self._database.writing() as rows:
            deed, row = self._on(rows), rows.seen()
            now = deed.now()
            after = seen.tick(row, now=now.at, boottime=boottime, before=before, tick_cap=now.tick_cap)
            rows.put_seen(after)
        return after

    def add_token(self, token: ApiToken, actor: Actor) -> None:
        """Keeps a token (its hash). Raises StateForbids: the name is in use."""
        with self._database.writing() as rows:
            journal.add_token(self._on(rows), token, actor)

    def tokens(self) -> Sequence[ApiToken]:
        """Every token. Raises IntegrityError if a row was edited."""
        with self._database.reading() as rows:
            return journal.tokens(self._on(rows))

    def withdraw_token(self, name: str, at: datetime, actor: Actor) -> ApiToken:
        """Ends a token's use. Raises NotFound."""
        with self._database.writing() as rows:
            return journal.withdraw_token(self._on(rows), name, at, actor)

    def grant(self, node: str, ring: str, *, at: Reading) -> Grant:
        """A lease on the active key of the ring named `ring`, and the mark. Raises Unavailable, NotFound."""
        ring_id = self._id(ring)
        witnessed = self._unlocked().witness.last(ring_id)
        with self._database.writing() as rows:
            return grants.grant(self._on(rows), node, ring_id, witnessed, at=at)

    def renew(self, node: str, usage: Usage, *, at: Reading) -> Sequence[Grant]:
        """Renews every lease of the node whose key is still active, and adds the counts."""
        with self._database.reading() as rows:
            witnessed = self._witnessed(grants.touched(rows, node, usage))
        with self._database.writing() as rows:
            return grants.renew(self._on(rows), node, usage, witnessed, at=at)

    def release(
        self, node: str, ring_id: str, kid: str, *, number: int, largest_exp: datetime | None
    ) -> None:
        """Ends the lease and lowers the mark, unless grant `number` is no longer the last."""
        self._unlocked()
        with self._database.writing() as rows:
            grants.release(rows, node, ring_id, kid=kid, number=number, largest_exp=largest_exp)

    def counts(self, ring_id: str) -> Mapping[str, Mapping[Minute, int]]:
        """Tokens issued per kid by expiry minute."""
        self._unlocked()
        with self._database.reading() as rows:
            return rows.counts(ring_id)

    def _unlocked(self) -> _Unlocked:
        if self._keys is None:
            raise IntegrityError(
                "the store was not unlocked: its rows cannot be authenticated without the KEK",
                hint="unlock it first",
                code="locked",
            )
        return self._keys

    def _on(self, rows: Rows) -> Transaction:
        return Transaction(rows, self._unlocked().seals, self._clock)

    def _id(self, name: str) -> str:
        self._unlocked()
        with self._database.reading() as rows:
            ring_id = rows.ring_id(name)
        if ring_id is None:
            raise no_ring(name)
        return ring_id

    def _witnessed(self, ring_ids: Sequence[str]) -> dict[str, WitnessHead | None]:
        witness = self._unlocked().witness
        return {ring_id: witness.last(ring_id) for ring_id in ring_ids}

    def _attest(self, head: WitnessHead) -> None:
        try:
            self._unlocked().witness.append(head)
        except UNWRITABLE as error:
            raise Unavailable(
                f"the change of ring {head.ring} IS committed (epoch {head.epoch}), but its witness could not"
                f" be written: {error.message}",
                hint=f"{error.hint}; do not repeat the change: the next load writes the witness",
                code="witness",
            ) from error

    def _heal(self, ring: KeyRing, witnessed: WitnessHead | None) -> None:
        head = head_of(ring)
        if witnessed is None or witnessed.order < head.order:
            with suppress(*UNWRITABLE):
                self._unlocked().witness.append(head)

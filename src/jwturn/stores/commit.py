"""One transaction on the rows of a store: rings opened with every check, changes committed with every check.

The rules are the core's; what is here is their order, the same for every database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jwturn.core.clocks import Reading, demand_agreement
from jwturn.core.errors import BadInput, IntegrityError, LostRace, NotFound, StateForbids
from jwturn.core.jwk import thumbprint
from jwturn.core.keys import Key, KeyRing, check
from jwturn.core.ledger import Actor, Event, Head, verify
from jwturn.core.policy_text import show
from jwturn.core.reasons import Reason
from jwturn.core.states import RETIRED
from jwturn.core.timing import Now
from jwturn.core.witness import WitnessHead, demand_descent
from jwturn.ports.clock import Clock
from jwturn.ports.store import Change, View
from jwturn.stores.rows import Rows
from jwturn.stores.seals import Seals, forged, half


@dataclass(frozen=True, slots=True)
class Transaction:
    """The rows of one transaction, with what authenticates and what dates them."""

    rows: Rows
    seals: Seals
    clock: Clock

    def view(self, ring_id: str, witnessed: WitnessHead | None) -> View:
        """A ring, checked: MAC, invariants, issuer, descent from `witnessed` (read before the row).

        Raises NotFound, IntegrityError. The clock is read last.
        """
        rows = self.rows
        record = rows.ring(ring_id)
        if record is None:
            raise no_ring(ring_id)
        ring = self.seals.ring(record, rows.halves(ring_id))
        ring = check(replace(ring, issuer_served=self._served(ring)))
        hash_at = None if witnessed is None else rows.hash_at(ring_id, witnessed.event_count)
        demand_descent(ring, witnessed, hash_at)
        leases = rows.leases(ring_id)
        return View(ring, leases, self.now())

    def now(self) -> Now:
        """The store's clocks."""
        identity, seen = self.rows.identity(), self.rows.seen()
        if identity is None:
            raise no_store()
        return Now(self.clock.now(), seen.total, identity.tick_cap, seen.last)

    def add(self, ring: KeyRing, *, actor: Actor, at: Reading) -> KeyRing:
        """A new ring without keys, and its issuer. Raises StateForbids, BadInput, ClocksDisagree."""
        if ring.keys or ring.epoch:
            raise BadInput(f"ring {ring.name} is not new", hint="a ring begins without keys, at epoch 0")
        taken = StateForbids(f"there is a ring {ring.name} already", hint="jwturn status", code="name_taken")
        if self.rows.ring_id(ring.name) is not None:
            raise taken
        now = self.now()
        demand_agreement(at, now.at, ring.policy)
        ring = replace(ring, issuer_served=self._enter_issuer(ring))
        detail = {"name": ring.name, "issuer": ring.issuer, "policy": show(ring.policy)}
        said = (actor.who, "add_ring", None, str(Reason.PERSON), actor.why, detail)
        event = Event(ring.id, 1, now.at, *said, prev="").hashed()
        ring = check(replace(ring, event_count=1, event_hash=event.hash))
        if not self.rows.add_ring(self.seals.ring_record(ring, now.at)):
            raise taken
        self._append((event,))
        self.rows.moved()
        return ring

    def commit(self, view: View, change: Change) -> KeyRing:
        """The ring after a change: kids, issuer, halves, events, head and due time are written.

        Raises LostRace, BadInput(kid_reused), IntegrityError; then the transaction must be rolled back.
        """
        before, after = view.ring, change.ring
        self._demand_successor(before, change)
        if not change.events:
            self.rows.set_due(before.id, change.due_at)
            return before
        if after.issuer_served and not before.issuer_served:
            self._serve_issuer(after)
        ring = check(replace(after, epoch=before.epoch + 1))
        if not self.rows.swap_ring(self.seals.ring_record(ring, change.due_at), before.epoch):
            raise lost_race(before.name)
        self._write_keys(before, ring)
        self._append(change.events)
        self.rows.moved()
        return ring

    def _demand_successor(self, before: KeyRing, change: Change) -> None:
        after, end = change.ring, Head(before.event_count, before.event_hash)
        if after.epoch != before.epoch:
            raise lost_race(before.name)
        if (after.id, after.name, after.issuer) != (before.id, before.name, before.issuer):
            raise IntegrityError(f"ring {before.name} cannot become another ring", hint="please report this")
        if not change.events and after != before:
            raise IntegrityError(
                f"a change of ring {before.name} without an event", hint="please report this"
            )
        if self.rows.head(before.id) != end:
            raise IntegrityError(
                f"the audit chain of ring {before.name} does not end where the ring says",
                hint=f"jwturn audit verify --ring {before.name}",
                code="chain_cut",
            )
        if verify(change.events, chain=before.id, after=end) != Head(after.event_count, after.event_hash):
            raise IntegrityError(
                f"the events of ring {before.name} are not its own", hint="please report this"
            )

    def _write_keys(self, before: KeyRing, after: KeyRing) -> None:
        old = {key.kid: key for key in before.keys}
        new = {key.kid: key for key in after.keys}
        for kid in new.keys() - old.keys():
            self._claim(after, new[kid])
        for kid, key in new.items():
            if key.private is not None and (kid not in old or old[kid].private != key.private):
                self.rows.put_half(after.id, kid, half(key.private))
        for kid, key in old.items():
            if key.private is not None and (kid not in new or new[kid].private is None):
                self.rows.drop_half(after.id, kid)
            if key.state is not RETIRED and (kid not in new or new[kid].state is RETIRED):
                self.rows.forget_key(after.id, kid)

    def _claim(self, ring: KeyRing, key: Key) -> None:
        """A kid is used once under an issuer, and so is a key pair: no revoked one comes back renamed."""
        if not self.rows.claim_kid(ring.issuer, key.kid, ring.id):
            raise BadInput(
                f"issuer {ring.issuer} has had a key {key.kid!r}",
                hint="a kid is never used twice under an issuer; give the key another",
                code="kid_reused",
            )
        pair = key.kid if key.public is None else thumbprint(key.public)
        if pair != key.kid and not self.rows.claim_kid(ring.issuer, pair, ring.id):
            raise BadInput(
                f"issuer {ring.issuer} has had this key pair before, under another kid",
                hint="a key pair has one kid for life; make a new one: jwturn rotate",
                code="key_reused",
            )

    def _append(self, events: Sequence[Event]) -> None:
        for event in events:
            if not self.rows.append(event):
                raise lost_race(event.chain)

    def _served(self, ring: KeyRing) -> bool:
        record = self.rows.issuer(ring.issuer)
        if record is None:
            raise forged(f"issuer {ring.issuer}")
        served = self.seals.served(record)
        if ring.issuer_served and not served:
            raise forged(f"issuer {ring.issuer}")
        return served

    def _enter_issuer(self, ring: KeyRing) -> bool:
        record = self.rows.issuer(ring.issuer)
        if record is None:
            self.rows.add_issuer(self.seals.issuer_record(ring.issuer, served=ring.issuer_served))
            return ring.issuer_served
        served = self.seals.served(record)
        if ring.issuer_served and not served:
            self._serve_issuer(ring)
        return served or ring.issuer_served

    def _serve_issuer(self, ring: KeyRing) -> None:
        for ring_id in self.rows.ring_ids(ring.issuer):
            record = self.rows.ring(ring_id)
            if record is None or self.seals.ring(record, self.rows.halves(ring_id)).issuer_served:
                raise forged(f"issuer {ring.issuer}")
        if not self.rows.swap_issuer(self.seals.issuer_record(ring.issuer, served=True)):
            raise lost_race(ring.name)


def halves_dropped(before: KeyRing, after: KeyRing) -> bool:
    """Whether a private half was deleted between the two."""
    kept = {key.kid for key in after.keys if key.private is not None}
    return any(key.private is not None and key.kid not in kept for key in before.keys)


def no_ring(name: str) -> NotFound:
    """The error for a ring that is not there."""
    return NotFound(f"there is no ring {name}", hint="jwturn status lists the rings", code="no_ring")


def no_store() -> NotFound:
    """The error for a store that was never made."""
    return NotFound("there is no store here yet", hint="jwturn init --issuer https://...", code="no_store")


def lost_race(name: str) -> LostRace:
    """The error for a change that came second."""
    return LostRace(f"ring {name} was changed by another node first; nothing was written", hint="ask again")

"""Rings and keys without cryptography, and a stage on which a store plays: a store only keeps bytes."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from jwturn.core import steps
from jwturn.core.clocks import Reading
from jwturn.core.envelope import FORMAT, Envelope, Wrap
from jwturn.core.evolve import apply
from jwturn.core.jwk import b64url
from jwturn.core.keys import Key, KeyRing, Origin, Waiver
from jwturn.core.ledger import Actor, told
from jwturn.core.plan import next_due
from jwturn.core.policy import RotationPolicy
from jwturn.core.reasons import Reason
from jwturn.core.seen import Sighting
from jwturn.core.states import STANDBY
from jwturn.core.timing import Moment
from jwturn.core.witness import WitnessHead
from jwturn.ports.clock import read
from jwturn.ports.store import Change, Identity, View
from jwturn.testing.clock import START, FakeClock

ISSUER: Final = "https://auth.example.com"
ACTOR: Final = Actor("suite", "because")
TICK_CAP: Final = timedelta(seconds=60)


class KeyedSeal:
    """A `HeadSeal` under a key that a test chooses."""

    def __init__(self, key: bytes = bytes(32)) -> None:
        self._key = key

    def seal(self, head: bytes) -> bytes:
        """The MAC of `head`."""
        return hmac.digest(self._key, head, "sha256")

    def check(self, head: bytes, mac: bytes) -> bool:
        """Whether `mac` is that of `head`."""
        return hmac.compare_digest(self.seal(head), mac)


class ListWitness:
    """A `Witness` that a test may read, fill and break (`broken`: what `append` raises)."""

    def __init__(self) -> None:
        self.heads: list[WitnessHead] = []
        self.broken: BaseException | None = None

    def last(self, ring_id: str) -> WitnessHead | None:
        """The newest head of the ring."""
        mine = [head for head in self.heads if head.ring_id == ring_id]
        return max(mine, key=lambda head: head.order, default=None)

    def append(self, head: WitnessHead) -> None:
        """Keeps a head."""
        if self.broken is not None:
            raise self.broken
        self.heads.append(head)


def envelope(kid: str) -> Envelope:
    """An envelope whose bytes can be found again, and that opens nothing."""
    secret = hashlib.sha256(kid.encode()).digest() * 3
    return Envelope(FORMAT, secret[:12], secret, (Wrap("kek", secret[:60]),))


def key(kid: str, *, alg: str = "ES256", policy: RotationPolicy | None = None, **changes: Any) -> Key:
    """A fresh standby."""
    point = {name: b64url(hashlib.sha256(f"{name}-{kid}".encode()).digest()) for name in "xy"}
    public = None if alg.startswith("HS") else {"kty": "EC", "crv": "P-256", **point}
    fields: dict[str, Any] = {
        "kid": kid,
        "alg": alg,
        "state": STANDBY,
        "origin": Origin.GENERATED,
        "public": public,
        "private": envelope(kid),
        "bounds": (policy or RotationPolicy()).bounds,
        "in_issuer_set": public is not None,
        "created": Moment(START, timedelta()),
    }
    return Key(**(fields | changes))


def ring(name: str = "web", *, issuer: str = ISSUER, served: bool = False, **policy: Any) -> KeyRing:
    """A new ring without keys."""
    return KeyRing(
        id=f"id-{name}", name=name, issuer=issuer, policy=RotationPolicy(**policy), issuer_served=served
    )


def taking(*taken: steps.Step) -> Callable[[View], Change]:
    """The change that applies steps, an event each."""

    def change(view: View) -> Change:
        after, events = view.ring, []
        for step in taken:
            after = apply(after, step, leases=view.leases, now=view.now)
            after, event = told(after, step, actor=ACTOR, at=view.now.at)
            events.append(event)
        return Change(after, tuple(events), next_due(after, view.leases, view.now))

    return change


def add_key(kid: str, **changes: Any) -> steps.Add:
    """The step that adds a standby."""
    return steps.Add(key(kid, **changes), Reason.NEXT_STANDBY)


def promote(kid: str, waiver: Waiver = Waiver.BEFORE_LEAD) -> steps.Promote:
    """The step that makes a standby active without waiting for its lead."""
    return steps.Promote(kid, Reason.PERSON, waiver)


@dataclass
class Stage:
    """A store (with its leases), its clock, its seal and its witness."""

    store: Any
    clock: FakeClock = field(default_factory=FakeClock)
    seal: KeyedSeal = field(default_factory=KeyedSeal)
    witness: ListWitness = field(default_factory=ListWitness)

    def open(self, store_id: str = "store-1") -> "Stage":
        """The stage, its store made and unlocked."""
        self.store.initialise(Identity(store_id, TICK_CAP, envelope("integrity")))
        self.store.unlock(self.seal, self.witness)
        return self

    def at(self) -> Reading:
        """A node's clocks."""
        return read(self.clock)

    def add(self, name: str = "web", **options: Any) -> KeyRing:
        """Adds a ring."""
        added: KeyRing = self.store.add(ring(name, **options), actor=ACTOR, at=self.at())
        return added

    def take(self, name: str, *taken: steps.Step) -> KeyRing:
        """Takes steps on a ring."""
        after: KeyRing = self.store.update(name, taking(*taken), at=self.at())
        return after

    def first_key(self, name: str = "web", kid: str = "k1") -> KeyRing:
        """Adds a ring's first key and promotes it."""
        return self.take(name, add_key(kid), promote(kid))

    def turn(self, name: str, kid: str) -> KeyRing:
        """Adds a key and promotes it."""
        return self.take(name, add_key(kid), promote(kid))

    def tick(self, times: int, *, every: timedelta = TICK_CAP / 2) -> timedelta:
        """Lets the store be watched: so many ticks of one node; gives the seen time."""
        before = None
        for _ in range(times + 1):
            boottime = self.clock.boottime()
            row = self.store.tick(boottime=boottime, before=before)
            before = Sighting(row.total, boottime)
            self.clock.advance(every)
        total: timedelta = row.total
        return total

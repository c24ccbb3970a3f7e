"""Audit events, hash-chained: drop, edit and reorder show in the chain.

Truncation and fork against a head kept elsewhere.

Each ring has a chain; the store has one whose checkpoints list the heads that changed. An event is written
in the transaction of the change it tells of: if it cannot be written, the change does not happen.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jwturn.core.envelope import canonical
from jwturn.core.errors import IntegrityError
from jwturn.core.keys import KeyRing
from jwturn.core.policy_text import show
from jwturn.core.steps import Add, BookTurn, Export, HoldKey, Recover, SetPolicy, Step, kid_of, name_of

STORE_CHAIN = "store"
"""The chain of the store itself, beside those of its rings."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something and why: a person, an API token, or the node's own loop."""

    who: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a chain.

    What was done, by whom, why, when (the store's clock), and the hash of the line before.
    """

    chain: str
    seq: int
    at: datetime
    who: str
    action: str
    kid: str | None
    reason: str
    why: str
    detail: Mapping[str, Any]
    prev: str
    hash: str = ""

    def hashed(self) -> "Event":
        """The event with its hash: SHA-256 over the canonical bytes of every other field."""
        body = [
            self.chain,
            self.seq,
            self.at.isoformat(),
            self.who,
            self.action,
            self.kid,
            self.reason,
            self.why,
        ]
        digest = hashlib.sha256(canonical([*body, dict(self.detail), self.prev])).hexdigest()
        return replace(self, hash=digest)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: enough to notice that it was cut, forked or rolled back."""

    count: int
    hash: str


def told(ring: KeyRing, step: Step, *, actor: Actor, at: datetime) -> tuple[KeyRing, Event]:
    """The event of a step, and the ring with its chain grown by it."""
    event = Event(
        chain=ring.id,
        seq=ring.event_count + 1,
        at=at,
        who=actor.who,
        action=name_of(step),
        kid=kid_of(step),
        reason=step.reason,
        why=actor.why,
        detail=_detail(step),
        prev=ring.event_hash,
    ).hashed()
    return replace(ring, event_count=event.seq, event_hash=event.hash), event


def checkpoint(head: Head, heads: Mapping[str, Head], *, at: datetime, who: str) -> Event:
    """The store chain's next line, after `head`: the heads of the chains that changed since the last."""
    detail = {chain: [h.count, h.hash] for chain, h in sorted(heads.items())}
    return Event(
        STORE_CHAIN, head.count + 1, at, who, "checkpoint", None, "checkpoint", "", detail, head.hash
    ).hashed()


def verify(events: Iterable[Event], *, chain: str, after: Head | None = None) -> Head:
    """The head of a chain, if every line is whole and in its place.

    Begins at `after` or at the chain's start.

    Raises IntegrityError naming the first line that was edited, dropped, moved or forged.
    """
    head = after or Head(0, "")
    for event in events:
        where = f"audit chain {chain}, event {head.count + 1}"
        hint = "the store was edited by hand or damaged: restore a backup, then `jwturn recover`"
        if event.chain != chain or event.seq != head.count + 1:
            raise IntegrityError(f"{where}: event {event.seq} stands in its place", hint=hint)
        if event.prev != head.hash:
            raise IntegrityError(f"{where}: it does not follow the event before", hint=hint)
        if event.hashed().hash != event.hash:
            raise IntegrityError(f"{where}: it was edited", hint=hint)
        head = Head(event.seq, event.hash)
    return head


def _detail(step: Step) -> dict[str, Any]:
    if isinstance(step, Add):
        key = step.key
        waiver = {} if key.waiver is None else {"waiver": str(key.waiver)}
        foreign = {} if key.foreign is None else {"foreign_exp": key.foreign.exp.isoformat()}
        return (
            {"alg": key.alg, "state": str(key.state), "public": key.public, "origin": str(key.origin)}
            | waiver
            | foreign
        )
    if isinstance(step, BookTurn):
        return {"turn_at": None if step.at is None else step.at.isoformat()}
    if isinstance(step, Export):
        return {"form": step.form}
    if isinstance(step, HoldKey):
        return {"held_by": step.hold.who}
    if isinstance(step, SetPolicy):
        return {"policy": show(step.policy)}
    if isinstance(step, Recover):
        return {"era": step.era, "keys": [key.kid for key in step.keys], "revoked": list(step.revoked)}
    waiver_given = getattr(step, "waiver", None)
    return {} if waiver_given is None else {"waiver": str(waiver_given)}

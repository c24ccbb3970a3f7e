"""Grants, leases, marks and counts: no token outlives a number that was durable first.

A grant is written before use: the transaction that grants or renews node n's lease on key k also writes
mark(n, k) = max(mark(n, k), lease_until + token_ttl_max). Node n never issues an exp above it. Nothing but
n's own release, naming its last grant, lowers a mark. The last exp of a key is the largest of its marks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from jwturn.core.durations import format_duration
from jwturn.core.errors import Unavailable
from jwturn.core.keys import Key, KeyRing
from jwturn.core.states import VERIFY_ONLY
from jwturn.core.timing import BEGINNING, Due, Now

Minute: TypeAlias = int
"""Minutes since 1970-01-01T00:00Z: the minute in which a token expires."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Node `node` may sign with `kid` until `until`; one per node and ring, `number` counts its grants."""

    node: str
    kid: str
    number: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """The bound on the exp that `node` may have issued with `kid`, and the seen time its last grant needs."""

    node: str
    kid: str
    exp: datetime
    seen_until: timedelta
    number: int


@dataclass(frozen=True, slots=True)
class RingLeases:
    """All leases and marks of a ring, handed to `plan` beside it; they do not move the epoch."""

    leases: tuple[Lease, ...] = ()
    marks: tuple[Mark, ...] = ()


NONE = RingLeases()


@dataclass(frozen=True, slots=True)
class Grant:
    """What a node was given.

    The key, its lease's length, the mark, and the store's clock as of the transaction.
    """

    ring_id: str
    kid: str
    epoch: int
    number: int
    lease: timedelta
    mark: datetime
    store_now: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What a node did since its last report: tokens issued per (ring id, kid) and expiry minute."""

    issued: Mapping[tuple[str, str], Mapping[Minute, int]] = field(default_factory=dict)


def signable(ring: KeyRing, now: datetime) -> Key:
    """The key a signer may use now.

    Raises Unavailable: no active key, its lead was not kept, or past its hard end.
    """
    key = ring.active
    if key is None:
        raise Unavailable(
            f"ring {ring.name} has no active key",
            hint=f"wait (jwturn status --ring {ring.name} says how long), or: jwturn promote --before-lead",
            code="no_active_key",
        )
    if key.sign_from is None or key.promoted is None or key.promoted.at < key.sign_from:
        raise Unavailable(
            f"key {key.kid} of ring {ring.name} was promoted before its lead was over",
            hint=f"jwturn audit verify --ring {ring.name}",
            code="lead_not_kept",
        )
    end = hard_end(ring, key)
    if end is not None and now >= end:
        raise Unavailable(
            f"key {key.kid} of ring {ring.name} is past its hard end ({end:%Y-%m-%d %H:%M:%SZ}):"
            f" it should have been turned {format_duration(ring.policy.overdue_max)} earlier",
            hint=f"start `jwturn serve`, then: jwturn plan --ring {ring.name}",
            code="hard_end",
        )
    return key


def hard_end(ring: KeyRing, key: Key) -> datetime | None:
    """When signers refuse the key, whatever the state of the rotator."""
    return None if key.sign_until is None else key.sign_until + ring.policy.overdue_max


def granted(
    ring: KeyRing,
    key: Key,
    *,
    node: str,
    before: Lease | None = None,
    mark: Mark | None,
    number: int,
    now: Now,
) -> tuple[Lease, Mark]:
    """The lease and mark of a grant or renewal.

    Neither the lease before, on this key, nor the mark is lowered.
    """
    until = now.at + ring.policy.signer_lease
    end = hard_end(ring, key)
    until = until if end is None else min(until, end)
    if before is not None:
        until = max(before.until, until)
    exp = until + ring.policy.token_ttl_max
    seen_until = now.seen + ring.policy.signer_lease + ring.policy.token_ttl_max
    if mark is not None:
        exp, seen_until = max(mark.exp, exp), max(mark.seen_until, seen_until)
    return Lease(node, key.kid, number, until), Mark(node, key.kid, exp, seen_until, number)


def released(mark: Mark, *, number: int, largest_exp: datetime | None) -> Mark:
    """The mark after its node's own release.

    Lowered to the largest exp signed, unless a later grant exists.
    """
    if mark.number != number:
        return mark
    return replace(mark, exp=min(mark.exp, largest_exp or BEGINNING))


def last_exp(leases: RingLeases, key: Key) -> datetime | None:
    """The largest exp that any token of `key` can have; None where none can exist."""
    exps = [mark.exp for mark in leases.marks if mark.kid == key.kid and mark.exp > BEGINNING]
    if key.foreign is not None:
        exps.append(key.foreign.exp)
    return max(exps, default=None)


def exp_bound(leases: RingLeases, key: Key) -> int | None:
    """The `exp` member a verify-only key is published with once its private half is shredded.

    Its mark, in Unix seconds. A token above it proves that the private half is in other hands.
    """
    exp = last_exp(leases, key)
    over = key.state is VERIFY_ONLY and key.private is None and key.promoted is not None
    return math.ceil(exp.timestamp()) if over and exp is not None else None


def last_seen(leases: RingLeases, key: Key) -> timedelta:
    """The seen time by which every grant on `key` has run out, tokens included."""
    seen = [mark.seen_until for mark in leases.marks if mark.kid == key.kid and mark.exp > BEGINNING]
    if key.foreign is not None:
        seen.append(key.foreign.seen_until)
    return max(seen, default=timedelta())


def leases_over(leases: RingLeases, key: Key) -> Due:
    """When no lease on `key` is live any more."""
    return Due(max((lease.until for lease in leases.leases if lease.kid == key.kid), default=BEGINNING))

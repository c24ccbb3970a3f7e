"""plan: what to do with a ring now; next_due: when to ask again; agenda.

Everything that is booked, and when.

Pure and deterministic: the ring, its leases and the two clocks go in, steps come out in the order of
application. The service applies them and asks again until the answer is (). Dry run, status, service and
simulator call this alone.

The rule in one paragraph. There is always a standby of the policy's algorithm; one lead before a booked
turn there are two, so that after the turn another mature one is there. A turn promotes the mature standby
when it is due, or at once when nothing is active. What was superseded loses its private half after the
roll-back window and leaves the set when its tail is over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from jwturn.core import guards
from jwturn.core.keys import Key, KeyRing
from jwturn.core.leases import RingLeases
from jwturn.core.reasons import Reason
from jwturn.core.states import REVOKED, STANDBY, VERIFY_ONLY
from jwturn.core.steps import Create, Discard, DropEasings, Promote, Retire, Shred, Stamp, Step
from jwturn.core.timing import AT_ONCE, SECOND, Due, Now, lead


@dataclass(frozen=True, slots=True)
class Booked:
    """A step and when it may be taken."""

    due: Due
    step: Step


def plan(ring: KeyRing, leases: RingLeases, now: Now) -> tuple[Step, ...]:
    """The steps to take now, in order."""
    return tuple(booked.step for booked in agenda(ring, leases, now) if booked.due.reached(now))


def next_due(ring: KeyRing, leases: RingLeases, now: Now) -> datetime | None:
    """The earliest time at which `plan` can have an answer, if the store is watched until then."""
    return min((booked.due.eta(now) for booked in agenda(ring, leases, now)), default=None)


def agenda(ring: KeyRing, leases: RingLeases, now: Now) -> tuple[Booked, ...]:
    """Everything that will happen to the ring as it stands, with its due time, in order of application."""
    return (
        *_stamps(ring),
        *_easings(ring, now),
        *_turn(ring, now),
        *_creation(ring, now),
        *_old_algorithm(ring, now),
        *_ends(ring, leases, now),
    )


def _stamps(ring: KeyRing) -> list[Booked]:
    unstamped = any(wants_stamp(key) for key in ring.keys)
    return [Booked(AT_ONCE, Stamp())] if unstamped or any(e.edited is None for e in ring.easings) else []


def wants_stamp(key: Key) -> bool:
    """Whether a committed step of the key still waits for its time."""
    unpublished = key.state is STANDBY and key.published is None and key.delivered
    return unpublished or (key.state is VERIFY_ONLY and key.promoted is not None and key.superseded is None)


def _easings(ring: KeyRing, now: Now) -> list[Booked]:
    if not ring.easings or any(easing.edited is None for easing in ring.easings):
        return []
    ends = AT_ONCE
    for easing in ring.easings:
        if easing.edited is not None:
            old_lead = lead(easing.bounds)
            ends = ends.after(Due(easing.edited.at + old_lead, easing.edited.seen + old_lead + now.tick_cap))
    return [Booked(ends, DropEasings())]


def _turn(ring: KeyRing, now: Now) -> list[Booked]:
    standbys = ring.in_state(STANDBY)
    ready = guards.mature_standby(ring, now)
    if ring.active is None:
        reason, due = Reason.NO_ACTIVE, AT_ONCE
    elif ring.turn_at is None:
        return []
    else:
        reason, due = Reason.TURN_DUE, Due(ring.turn_at)
        standbys = tuple(key for key in standbys if key.alg == ring.policy.alg)
        ready = ready if ready is not None and ready.alg == ring.policy.alg else None
    if ring.hold is not None and ring.active is not None:
        return []
    waiting = [(guards.may_sign(key, now), key) for key in standbys if key.private is not None]
    known = [(wait, key) for wait, key in waiting if wait is not None]
    if ready is not None:
        return [Booked(due, Promote(ready.kid, reason))]
    if not known:
        return []
    wait, key = min(known, key=lambda pair: pair[0].eta(now))
    return [Booked(due.after(wait), Promote(key.kid, reason))]


def _creation(ring: KeyRing, now: Now) -> list[Booked]:
    standbys = [
        key for key in ring.in_state(STANDBY) if key.alg == ring.policy.alg and key.private is not None
    ]
    if not standbys:
        first = ring.active is None and not ring.issuer_served and not ring.keys
        changed = ring.active is not None and ring.active.alg != ring.policy.alg
        reason = Reason.FIRST_KEY if first else Reason.ALG_CHANGED if changed else Reason.NEXT_STANDBY
        return [Booked(AT_ONCE, Create(ring.policy.alg, reason))]
    if len(standbys) > 1 or ring.active is None or ring.turn_at is None:
        return []
    return [Booked(Due(ring.turn_at - next_lead(ring, now)), Create(ring.policy.alg, Reason.NEXT_STANDBY))]


def next_lead(ring: KeyRing, now: Now) -> timedelta:
    """How long before it may sign a key made now has to be made.

    Its lead, the ticks, the stamp and the rounding.
    """
    bounds = ring.policy.bounds
    for easing in ring.easings:
        bounds = bounds.raised(easing.bounds)
    return lead(bounds) + 3 * now.tick_cap + SECOND


def _old_algorithm(ring: KeyRing, now: Now) -> list[Booked]:
    new = [guards.may_sign(k, now) for k in ring.in_state(STANDBY) if k.alg == ring.policy.alg]
    known = [due for due in new if due is not None]
    if not known or ring.active is None:
        return []
    due = min(known, key=lambda wait: wait.eta(now))
    old = [
        key
        for key in ring.in_state(STANDBY)
        if key.alg != ring.policy.alg
        and not (key.holds or key.foreign or guards.last_in_issuer_set(ring, key))
    ]
    return [Booked(due, Discard(key.kid, Reason.ALG_CHANGED)) for key in old]


def _ends(ring: KeyRing, leases: RingLeases, now: Now) -> list[Booked]:
    booked = []
    for key in ring.keys:
        due = guards.may_shred(ring, key, leases, now)
        if key.private is not None and due is not None:
            booked.append(Booked(due, Shred(key.kid)))
        due = guards.may_retire(ring, key, leases, now)
        if due is not None and (key.state is REVOKED or not guards.last_in_issuer_set(ring, key)):
            booked.append(Booked(due, Retire(key.kid)))
    return booked

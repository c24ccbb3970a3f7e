"""evolve.apply: the only way a ring changes.

Each step checks the law of states and its own guard, in the transaction that commits it, with the store's
clock of that transaction; then it writes the times the step promises.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from jwturn.core import guards, steps
from jwturn.core.durations import format_duration
from jwturn.core.errors import BadInput, StateForbids
from jwturn.core.keys import Easing, Foreign, Key, KeyRing, Waiver, check
from jwturn.core.leases import RingLeases
from jwturn.core.plan import wants_stamp
from jwturn.core.states import (
    ACTIVE,
    BEGINNINGS,
    PUBLISHED,
    RETIRED,
    REVOKED,
    STANDBY,
    VERIFY_ONLY,
    KeyState,
    allows,
)
from jwturn.core.timing import Bounds, Due, Now, lead, round_up

RETIRED_KEPT: Final = 16
"""Retired keys a ring carries for `keys` and `status`; the audit events keep them all."""


@dataclass(frozen=True, slots=True)
class _Act:
    """What a step's function may look at beside the ring."""

    leases: RingLeases
    now: Now


def apply(ring: KeyRing, step: steps.Step, *, leases: RingLeases, now: Now) -> KeyRing:
    """The ring after `step` at `now`.

    Raises StateForbids where the law of states, a guard or a hold forbids it (the message says until when),
    NotFound for an unknown kid, IntegrityError where the result would break an invariant.
    """
    before = check(ring)
    after = _ACTS[type(step)](before, step, _Act(leases, now))
    return check(_never_empty(before, after))


def bounds_for_next_key(ring: KeyRing) -> Bounds:
    """What a key published now is promised: the larger of the policy's bounds and those that still echo."""
    bounds = ring.policy.bounds
    for easing in ring.easings:
        bounds = bounds.raised(easing.bounds)
    return bounds


def _never_empty(before: KeyRing, after: KeyRing) -> KeyRing:
    if before.published and not after.published:
        raise StateForbids(
            f"ring {before.name} would be left without a published key, and its set empty",
            hint=f"jwturn plan --ring {before.name}",
        )
    return after


def _move(key: Key, state: KeyState, **changes: Any) -> Key:
    if not allows(key.state, state):
        raise StateForbids(f"key {key.kid} is {key.state}: it cannot become {state}", hint="docs: lifecycle")
    return replace(key, state=state, **changes)


def _wait(what: str, due: Due | None, now: Now, hint: str) -> StateForbids:
    if due is None:
        return StateForbids(f"{what} at a time not known yet", hint=hint)
    left = due.eta(now) - now.at
    return StateForbids(f"{what} in {format_duration(left)} ({due.eta(now):%Y-%m-%d %H:%M:%SZ})", hint=hint)


def _shown(ring: KeyRing, kid: str) -> str:
    """A kid as people read it: 8 characters, whole where another key of the ring begins so."""
    alike = [key for key in ring.keys if key.kid.startswith(kid[:8])]
    return kid[:8] if len(alike) <= 1 else kid


def _add(ring: KeyRing, step: steps.Add, act: _Act) -> KeyRing:
    key = step.key
    if key.state not in BEGINNINGS:
        raise StateForbids(
            f"a key cannot begin as {key.state}", hint="a key begins as standby or verify-only"
        )
    if any(old.kid == key.kid for old in ring.keys):
        raise BadInput(
            f"ring {ring.name} has had a key {key.kid!r}", hint="a kid is never reused", code="kid_reused"
        )
    key = replace(key, created=act.now.moment, bounds=bounds_for_next_key(ring), reason=step.reason)
    if key.waiver is Waiver.PUBLISHED_SINCE and key.published is not None:
        key = replace(key, sign_from=round_up(key.published.at + lead(key.bounds)))
    return replace(ring, keys=(*ring.keys, key))


def _stamp(ring: KeyRing, _: steps.Stamp, act: _Act) -> KeyRing:
    moment = act.now.moment
    for key in ring.keys:
        if not wants_stamp(key):
            continue
        if key.state is STANDBY:
            bounds = key.bounds.raised(bounds_for_next_key(ring))
            sign_from = round_up(moment.at + lead(bounds))
            ring = ring.with_key(replace(key, published=moment, bounds=bounds, sign_from=sign_from))
        else:
            ring = ring.with_key(replace(key, superseded=moment))
    easings = tuple(Easing(e.bounds, e.edited or moment) for e in ring.easings)
    return replace(ring, easings=easings)


def _promote(ring: KeyRing, step: steps.Promote, act: _Act) -> KeyRing:
    key, now = ring.key(step.kid), act.now
    if key.state is not STANDBY:
        raise StateForbids(
            f"key {key.kid} is {key.state}: only a standby is promoted", hint="a key before: jwturn rollback"
        )
    if key.private is None:
        raise StateForbids(f"key {key.kid} has no private half: it cannot sign", hint="jwturn rotate")
    due = guards.may_sign(key, now)
    if step.waiver is None and (due is None or not due.reached(now)):
        hint = "wait, or promote --before-lead (admin) and read who will refuse"
        raise _wait(f"key {_shown(ring, key.kid)} may not sign yet: its lead ends", due, now, hint)
    if step.waiver is Waiver.FIRST_KEY and (ring.issuer_served or ring.active is not None):
        raise StateForbids(
            f"issuer {ring.issuer} has been served: no key may skip its lead", hint="jwturn plan"
        )
    at = round_up(now.at) if step.waiver is not None else now.at
    changes: dict[str, Any] = {
        "promoted": replace(now.moment, at=at),
        "reason": step.reason,
        "superseded": None,
    }
    if step.waiver is not None:
        changes |= {"sign_from": at, "waiver": step.waiver, "published": key.published or now.moment}
    turn_at = round_up(now.at + ring.policy.rotate_every)
    active = _move(key, ACTIVE, sign_until=turn_at, **changes)
    return replace(_supersede(ring).with_key(active), turn_at=turn_at, issuer_served=True)


def _supersede(ring: KeyRing) -> KeyRing:
    active = ring.active
    return ring if active is None else ring.with_key(_move(active, VERIFY_ONLY, superseded=None))


def _roll_back(ring: KeyRing, step: steps.RollBack, act: _Act) -> KeyRing:
    target = guards.rollback_target(ring)
    if target is None or target.kid != step.kid:
        raise StateForbids(
            f"ring {ring.name} cannot roll back to {step.kid}: only to its newest key with a private half",
            hint=f"jwturn keys --ring {ring.name}",
        )
    at = act.now.at if target.sign_from is None else max(act.now.at, target.sign_from)
    promoted = replace(act.now.moment, at=at)
    key = _move(target, ACTIVE, promoted=promoted, superseded=None, reason=step.reason)
    return replace(_supersede(ring).with_key(key), turn_at=None)


def _revoke(ring: KeyRing, step: steps.Revoke, act: _Act) -> KeyRing:
    key = ring.key(step.kid)
    changes = {
        "revoked": act.now.moment,
        "private": None,
        "shredded": key.shredded or act.now.moment,
    }
    return ring.with_key(_move(key, REVOKED, reason=step.why or step.reason, **changes))


def _shred(ring: KeyRing, step: steps.Shred, act: _Act) -> KeyRing:
    key = ring.key(step.kid)
    due = guards.may_shred(ring, key, act.leases, act.now)
    if due is None or not due.reached(act.now):
        raise _wait(
            f"key {_shown(ring, key.kid)} may not be shredded yet: it may be",
            due,
            act.now,
            "a hold, the roll-back window or a lease is on it",
        )
    return ring.with_key(replace(key, private=None, shredded=act.now.moment))


def _retire(ring: KeyRing, step: steps.Retire, act: _Act) -> KeyRing:
    key = ring.key(step.kid)
    due = guards.may_retire(ring, key, act.leases, act.now)
    if due is None or not due.reached(act.now):
        what = f"key {_shown(ring, key.kid)} may not be retired yet: it may be"
        raise _wait(what, due, act.now, "its tokens must expire first")
    return _gone(ring, key, step.reason, act)


def _discard(ring: KeyRing, step: steps.Discard, act: _Act) -> KeyRing:
    key = ring.key(step.kid)
    if key.holds:
        raise StateForbids(f"key {key.kid} is held: {key.holds[-1].why}", hint=f"jwturn release {key.kid}")
    if key.state is STANDBY:
        over = guards.tail_over(key, act.leases, act.now)
        if over is None or not over.reached(act.now):
            what = f"others signed with key {_shown(ring, key.kid)}: the last of these tokens ends"
            raise _wait(what, over, act.now, "wait, or revoke it")
        return _gone(ring, key, step.reason, act)
    due = guards.may_retire(ring, key, act.leases, act.now)
    endless = guards.tail_over(key, act.leases, act.now) is None
    if key.state is VERIFY_ONLY and (endless or (due is not None and due.reached(act.now))):
        return _gone(ring, key, step.reason, act)
    shown = _shown(ring, key.kid)
    if key.state is not VERIFY_ONLY:
        raise StateForbids(
            f"key {shown} is {key.state}: only a standby or a past verify-only key is discarded",
            hint=f"jwturn revoke {shown} ends its use at once"
            if key.state is ACTIVE
            else "jwturn keys --all",
        )
    what = f"verify-only key {shown} may not be discarded yet: it may be"
    raise _wait(what, due, act.now, f"wait, or end its use at once: jwturn revoke {shown}")


def _gone(ring: KeyRing, key: Key, reason: str, act: _Act) -> KeyRing:
    shredded = key.shredded or act.now.moment
    ring = ring.with_key(
        _move(key, RETIRED, retired=act.now.moment, private=None, shredded=shredded, reason=reason)
    )
    surplus = {key.kid for key in ring.in_state(RETIRED)[:-RETIRED_KEPT]}
    return replace(ring, keys=tuple(key for key in ring.keys if key.kid not in surplus))


def _book_turn(ring: KeyRing, step: steps.BookTurn, _: _Act) -> KeyRing:
    return replace(ring, turn_at=None if step.at is None else round_up(step.at))


def _set_policy(ring: KeyRing, step: steps.SetPolicy, _: _Act) -> KeyRing:
    old, new = bounds_for_next_key(ring), step.policy.bounds
    if ring.policy.symmetric != step.policy.symmetric:
        raise BadInput(
            f"a ring of {ring.policy.alg} cannot become one of {step.policy.alg}:"
            " secrets and key pairs are shared in different ways",
            hint="make a second ring and move the verifiers to it: jwturn init --ring NAME --alg ...",
        )
    longer = new == new.raised(old)
    easings = ring.easings if longer else (*ring.easings, Easing(old))
    ring = replace(ring, policy=step.policy, policy_version=ring.policy_version + 1, easings=easings)
    for key in ring.keys:
        if key.state in PUBLISHED:
            ring = ring.with_key(_promised_more(key, new))
    return ring


def _promised_more(key: Key, bounds: Bounds) -> Key:
    key = replace(key, bounds=key.bounds.raised(bounds))
    if key.state is not STANDBY or key.published is None or key.sign_from is None:
        return key
    return replace(key, sign_from=max(key.sign_from, round_up(key.published.at + lead(key.bounds))))


def _drop_easings(ring: KeyRing, _: steps.DropEasings, act: _Act) -> KeyRing:
    del act
    return replace(ring, easings=())


def _hold(ring: KeyRing, step: steps.HoldKey, _: _Act) -> KeyRing:
    if step.kid is None:
        return replace(ring, hold=step.hold)
    key = ring.key(step.kid)
    if key.state in (REVOKED, RETIRED):
        raise StateForbids(f"key {key.kid} is {key.state}: there is nothing to hold", hint="jwturn keys")
    return ring.with_key(replace(key, holds=(*key.holds, step.hold)))


def _release(ring: KeyRing, step: steps.ReleaseKey, _: _Act) -> KeyRing:
    if step.kid is None:
        return replace(ring, hold=None)
    return ring.with_key(replace(ring.key(step.kid), holds=()))


def _delivered(ring: KeyRing, step: steps.Delivered, _: _Act) -> KeyRing:
    key = ring.key(step.kid)
    if not key.symmetric or key.state is not STANDBY or key.delivered:
        raise StateForbids(
            f"key {key.kid} does not wait for delivery",
            hint="only a standby secret of a ring with delivery = manual",
        )
    return ring.with_key(replace(key, delivered=True))


def _export(ring: KeyRing, step: steps.Export, _: _Act) -> KeyRing:
    key = ring.key(step.kid)
    if key.private is None:
        raise StateForbids(
            f"key {key.kid} has no private half any more: it is {key.state}",
            hint=f"jwturn keys --ring {ring.name}",
        )
    return ring


def _recover(ring: KeyRing, step: steps.Recover, act: _Act) -> KeyRing:
    known = {key.kid for key in ring.keys}
    ring = replace(ring, era=step.era, keys=(*ring.keys, *(key for key in step.keys if key.kid not in known)))
    for key in ring.keys:
        if key.kid in step.revoked and key.state in PUBLISHED:
            ring = _revoke(ring, steps.Revoke(key.kid, step.reason), act)
        elif key.state in PUBLISHED:
            ring = ring.with_key(replace(key, foreign=_later(key.foreign, step.foreign)))
    return ring


def _later(old: Foreign | None, new: Foreign) -> Foreign:
    return new if old is None else Foreign(max(old.exp, new.exp), max(old.seen_until, new.seen_until))


_ACTS: Final[dict[type, Callable[[KeyRing, Any, _Act], KeyRing]]] = {
    steps.Add: _add,
    steps.Stamp: _stamp,
    steps.Promote: _promote,
    steps.RollBack: _roll_back,
    steps.Revoke: _revoke,
    steps.Shred: _shred,
    steps.Retire: _retire,
    steps.Discard: _discard,
    steps.BookTurn: _book_turn,
    steps.SetPolicy: _set_policy,
    steps.DropEasings: _drop_easings,
    steps.HoldKey: _hold,
    steps.ReleaseKey: _release,
    steps.Delivered: _delivered,
    steps.Export: _export,
    steps.Recover: _recover,
}

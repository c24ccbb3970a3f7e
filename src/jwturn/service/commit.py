"""From steps to a commit: the one place where steps are applied, told and booked."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from jwturn.core.evolve import apply
from jwturn.core.keys import Key, KeyRing, Origin
from jwturn.core.ledger import Actor, told
from jwturn.core.plan import next_due
from jwturn.core.states import STANDBY
from jwturn.core.steps import Step
from jwturn.core.timing import BEGINNING, Now
from jwturn.ports.custody import Custody, Made
from jwturn.ports.store import Change, View


def commit_of(view: View, steps: Iterable[Step], actor: Actor) -> Change:
    """The change that applies `steps` in order, an event each, and books the next look at the ring.

    An issuer is served from the first key in its set on, whoever brought it. Raises whatever
    `evolve.apply` refuses; then nothing is committed.
    """
    ring, events = view.ring, []
    for step in steps:
        ring = apply(ring, step, leases=view.leases, now=view.now)
        ring, event = told(ring, step, actor=actor, at=view.now.at)
        events.append(event)
    ring = replace(ring, issuer_served=ring.issuer_served or bool(ring.published))
    return Change(ring, tuple(events), next_due(ring, view.leases, view.now))


def let_go(custody: Custody, before: KeyRing, after: KeyRing, *, made: Made | None = None) -> None:
    """After a commit: custody ends what it holds of halves that left, and of a key that lost its race."""
    kept = {key.kid for key in after.keys if key.private is not None}
    for key in before.keys:
        if key.private is not None and key.kid not in kept:
            custody.destroy(key, before.id)
    if made is not None and made.kid not in kept:
        custody.destroy(_unborn(before, made), before.id)


def _unborn(ring: KeyRing, made: Made) -> Key:
    return fresh_standby(ring, made, Now(BEGINNING, timedelta(), timedelta()))


def fresh_standby(ring: KeyRing, made: Made, now: Now, *, origin: Origin = Origin.GENERATED) -> Key:
    """A key just made, as it enters the ring."""
    manual = ring.policy.symmetric and ring.policy.delivery == "manual"
    return Key(
        kid=made.kid,
        alg=made.alg,
        state=STANDBY,
        origin=origin,
        public=made.public,
        private=made.private,
        bounds=ring.policy.bounds,
        in_issuer_set=ring.policy.in_issuer_set(made.alg),
        created=now.moment,
        delivered=not manual,
    )

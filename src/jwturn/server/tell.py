"""From what the services know to what is told: the structs of shown.py, filled."""

import msgspec

from jwturn.core import guards
from jwturn.core.keys import Hold, Key
from jwturn.core.leases import last_exp
from jwturn.core.ledger import Event
from jwturn.core.plan import Booked, agenda
from jwturn.core.policy_text import show
from jwturn.core.reasons import TEXTS
from jwturn.core.seen import Seen
from jwturn.core.steps import Step, kid_of, name_of
from jwturn.core.timing import lead
from jwturn.ports.store import RingRow, View
from jwturn.server import shown
from jwturn.service.effect import RevokeEffect
from jwturn.service.health import findings


def ring_line(row: RingRow) -> shown.RingLine:
    """A ring of the list."""
    return shown.RingLine(name=row.name, issuer=row.issuer, epoch=row.epoch, due_at=row.due_at)


def ring(view: View, seen: Seen) -> shown.Ring:
    """A ring as committed."""
    held = view.ring
    return shown.Ring(
        name=held.name,
        issuer=held.issuer,
        alg=held.policy.alg,
        epoch=held.epoch,
        era=held.era,
        turn_at=held.turn_at,
        hold=None if held.hold is None else _hold(held.hold),
        policy=show(held.policy),
        policy_version=held.policy_version,
        keys=[key(view, one) for one in held.keys],
        agenda=steps_booked(view),
        findings=[
            shown.Finding(code=f.code, words=f.words, hint=f.hint, serious=f.serious)
            for f in findings(view, seen)
        ],
    )


def plan(view: View) -> shown.Plan:
    """What will happen to a ring."""
    policy = view.ring.policy
    return shown.Plan(
        ring=view.ring.name,
        now=view.now.at,
        lead_seconds=lead(policy.bounds).total_seconds(),
        decided_by=policy.decided_by,
        agenda=steps_booked(view),
    )


def keys(view: View) -> shown.Keys:
    """The keys of a ring."""
    return shown.Keys(ring=view.ring.name, keys=[key(view, one) for one in view.ring.keys])


def key(view: View, of: Key) -> shown.Key:
    """A key of a ring."""
    times = ("published", "promoted", "superseded", "shredded", "revoked", "retired")
    taken = {name: moment.at if (moment := getattr(of, name)) else None for name in times}
    entered = {"standby": "published", "active": "promoted", "verify-only": "superseded"}
    return shown.Key(
        kid=of.kid,
        alg=of.alg,
        state=of.state,
        since=taken[entered.get(of.state, of.state)] or of.created.at,
        created=of.created.at,
        **taken,
        sign_from=of.sign_from,
        sign_until=of.sign_until,
        last_exp=last_exp(view.leases, of),
        mature=guards.is_mature(of, view.now),
        private_half=of.private is not None,
        in_issuer_set=of.in_issuer_set,
        origin=of.origin,
        waiver=of.waiver,
        holds=[_hold(one) for one in of.holds],
        reason=of.reason,
        public=of.public,
    )


def steps_booked(view: View) -> list[shown.Step]:
    """The agenda, the soonest first."""
    booked = [_booked(view, one) for one in agenda(view.ring, view.leases, view.now)]
    return sorted(booked, key=lambda one: one.at or view.now.at)


def step(of: Step) -> shown.Step:
    """A step that was taken, or would be."""
    return shown.Step(
        step=name_of(of), kid=kid_of(of), alg=getattr(of, "alg", None), reason=of.reason, why=TEXTS[of.reason]
    )


def event(of: Event) -> shown.Event:
    """A line of a chain."""
    names = shown.Event.__struct_fields__
    return shown.Event(
        **{name: getattr(of, name) for name in names if name != "detail"}, detail=dict(of.detail)
    )


def effect(of: RevokeEffect) -> shown.Effect:
    """What a revocation does."""
    ends = [
        shown.VerifierEnd(
            verifier=end.name,
            healthy_seconds=end.healthy.total_seconds(),
            usual_seconds=None if end.usual is None else end.usual.total_seconds(),
            bound_seconds=None if end.bound is None else end.bound.total_seconds(),
        )
        for end in of.verifiers
    ]
    return shown.Effect(
        kid=of.kid,
        state=of.state,
        live_tokens=of.live_tokens,
        last_exp=of.last_exp,
        replacement=None if of.replacement is None else of.replacement.kid,
        signers_refresh_seconds=of.signers_refresh.total_seconds(),
        signers_lease_seconds=of.signers_lease.total_seconds(),
        verifiers=ends,
    )


def _hold(of: Hold) -> shown.Hold:
    return shown.Hold(who=of.who, why=of.why, at=of.at)


def _booked(view: View, one: Booked) -> shown.Step:
    at = max(one.due.eta(view.now), view.now.at)
    return msgspec.structs.replace(step(one.step), at=at, due=one.due.reached(view.now))

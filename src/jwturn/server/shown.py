"""What the service tells: a struct for each thing, so that /openapi.json says exactly what is sent.

Names and shapes are those of the command line's `--json`. Nothing here can hold a private half.
"""

from datetime import datetime
from typing import Any

import msgspec

from jwturn.core import guards
from jwturn.core.keys import Hold as KeyHold
from jwturn.core.keys import Key as RingKey
from jwturn.core.leases import last_exp
from jwturn.core.ledger import Event as ChainEvent
from jwturn.core.plan import Booked, agenda
from jwturn.core.policy_text import show
from jwturn.core.reasons import TEXTS
from jwturn.core.seen import Seen
from jwturn.core.states import KeyState
from jwturn.core.steps import Step as RingStep
from jwturn.core.steps import kid_of, name_of
from jwturn.core.timing import lead
from jwturn.ports.store import RingRow, View
from jwturn.service.effect import RevokeEffect
from jwturn.service.health import findings


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is told."""


class Hold(Shown, frozen=True, kw_only=True):
    """Who keeps automation off, why, since when."""

    who: str
    why: str
    at: datetime


class Key(Shown, frozen=True, kw_only=True):
    """A key: its public half, state, times and promises."""

    kid: str
    alg: str
    state: KeyState
    since: datetime
    created: datetime
    published: datetime | None
    promoted: datetime | None
    superseded: datetime | None
    shredded: datetime | None
    revoked: datetime | None
    retired: datetime | None
    sign_from: datetime | None
    sign_until: datetime | None
    last_exp: datetime | None
    mature: bool
    private_half: bool
    in_issuer_set: bool
    origin: str
    waiver: str | None
    holds: list[Hold]
    reason: str
    public: dict[str, str] | None


class Step(Shown, frozen=True, kw_only=True):
    """A step, when it may be taken, and why. `due`: it may be taken now."""

    step: str
    kid: str | None
    alg: str | None
    reason: str
    why: str
    at: datetime | None = None
    due: bool = False


class Finding(Shown, frozen=True, kw_only=True):
    """Something a person should know; `serious` wants doing."""

    code: str
    words: str
    hint: str
    serious: bool


class RingLine(Shown, frozen=True, kw_only=True):
    """A ring in the list."""

    name: str
    issuer: str
    epoch: int
    due_at: datetime | None


class Rings(Shown, frozen=True, kw_only=True):
    """The rings that the caller's token is for."""

    rings: list[RingLine]


class Ring(Shown, frozen=True, kw_only=True):
    """A ring with its policy, keys, agenda and findings."""

    name: str
    issuer: str
    alg: str
    epoch: int
    era: int
    turn_at: datetime | None
    hold: Hold | None
    policy: dict[str, str]
    policy_version: int
    keys: list[Key]
    agenda: list[Step]
    findings: list[Finding]


class Plan(Shown, frozen=True, kw_only=True):
    """Everything that is booked for a ring, the soonest first."""

    ring: str
    now: datetime
    lead_seconds: float
    decided_by: str
    agenda: list[Step]


class Keys(Shown, frozen=True, kw_only=True):
    """The keys of a ring, the oldest first, retired ones included."""

    ring: str
    keys: list[Key]


class Event(Shown, frozen=True, kw_only=True):
    """A line of a ring's audit chain."""

    seq: int
    at: datetime
    who: str
    action: str
    kid: str | None
    reason: str
    why: str
    detail: dict[str, Any]
    prev: str
    hash: str


class Events(Shown, frozen=True, kw_only=True):
    """Lines with seq > `after`; ask again with `after` = `last` while there are any."""

    ring: str
    events: list[Event]
    last: int


class VerifierEnd(Shown, frozen=True, kw_only=True):
    """When one kind of verifier stops trusting a revoked key; null: no bound, or none usual."""

    verifier: str
    healthy_seconds: float
    usual_seconds: float | None
    bound_seconds: float | None


class Effect(Shown, frozen=True, kw_only=True):
    """What a revocation does."""

    kid: str
    state: str
    live_tokens: int
    last_exp: datetime | None
    replacement: str | None
    signers_refresh_seconds: float
    signers_lease_seconds: float
    verifiers: list[VerifierEnd]


class Done(Shown, frozen=True, kw_only=True):
    """What a command did, or with `dry_run` would do."""

    ring: str
    dry_run: bool
    epoch: int
    turn_at: datetime | None
    steps: list[Step]
    keys: dict[str, KeyState]
    effect: Effect | None = None
    changes: dict[str, tuple[str, str]] | None = None
    warnings: list[str] = []


class Token(Shown, frozen=True, kw_only=True):
    """A token just signed."""

    token: str
    kid: str
    expires_at: datetime


class Tokens(Shown, frozen=True, kw_only=True):
    """A token for each set of claims, in their order."""

    tokens: list[Token]


class Secret(Shown, frozen=True, kw_only=True):
    """An HMAC secret: `k` is base64url (RFC 7518 section 6.4.1).

    `text` is the same bytes where they are printable.
    """

    kid: str
    alg: str
    state: KeyState
    k: str
    text: str | None


class Secrets(Shown, frozen=True, kw_only=True):
    """The current and overlapping secrets of a symmetric ring: a verifier takes them all, and asks again."""

    ring: str
    issuer: str
    secrets: list[Secret]


def ring_line(row: RingRow) -> RingLine:
    """A ring of the list."""
    return RingLine(name=row.name, issuer=row.issuer, epoch=row.epoch, due_at=row.due_at)


def ring(view: View, seen: Seen) -> Ring:
    """A ring as committed."""
    held = view.ring
    return Ring(
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
            Finding(code=f.code, words=f.words, hint=f.hint, serious=f.serious) for f in findings(view, seen)
        ],
    )


def plan(view: View) -> Plan:
    """What will happen to a ring."""
    policy = view.ring.policy
    return Plan(
        ring=view.ring.name,
        now=view.now.at,
        lead_seconds=lead(policy.bounds).total_seconds(),
        decided_by=policy.decided_by,
        agenda=steps_booked(view),
    )


def keys(view: View) -> Keys:
    """The keys of a ring."""
    return Keys(ring=view.ring.name, keys=[key(view, one) for one in view.ring.keys])


def key(view: View, of: RingKey) -> Key:
    """A key of a ring."""
    times = ("published", "promoted", "superseded", "shredded", "revoked", "retired")
    taken = {name: moment.at if (moment := getattr(of, name)) else None for name in times}
    entered = {"standby": "published", "active": "promoted", "verify-only": "superseded"}
    return Key(
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


def steps_booked(view: View) -> list[Step]:
    """The agenda, the soonest first."""
    booked = [_booked(view, one) for one in agenda(view.ring, view.leases, view.now)]
    return sorted(booked, key=lambda one: one.at or view.now.at)


def step(of: RingStep) -> Step:
    """A step that was taken, or would be."""
    return Step(
        step=name_of(of), kid=kid_of(of), alg=getattr(of, "alg", None), reason=of.reason, why=TEXTS[of.reason]
    )


def event(of: ChainEvent) -> Event:
    """A line of a chain."""
    names = Event.__struct_fields__
    return Event(**{name: getattr(of, name) for name in names if name != "detail"}, detail=dict(of.detail))


def effect(of: RevokeEffect) -> Effect:
    """What a revocation does."""
    ends = [
        VerifierEnd(
            verifier=end.name,
            healthy_seconds=end.healthy.total_seconds(),
            usual_seconds=None if end.usual is None else end.usual.total_seconds(),
            bound_seconds=None if end.bound is None else end.bound.total_seconds(),
        )
        for end in of.verifiers
    ]
    return Effect(
        kid=of.kid,
        state=of.state,
        live_tokens=of.live_tokens,
        last_exp=of.last_exp,
        replacement=None if of.replacement is None else of.replacement.kid,
        signers_refresh_seconds=of.signers_refresh.total_seconds(),
        signers_lease_seconds=of.signers_lease.total_seconds(),
        verifiers=ends,
    )


def _hold(of: KeyHold) -> Hold:
    return Hold(who=of.who, why=of.why, at=of.at)


def _booked(view: View, one: Booked) -> Step:
    at = max(one.due.eta(view.now), view.now.at)
    return msgspec.structs.replace(step(one.step), at=at, due=one.due.reached(view.now))

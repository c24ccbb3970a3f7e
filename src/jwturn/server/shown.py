"""What the service tells: a struct for each thing, so that /openapi.json says exactly what is sent.

Names and shapes are those of the command line's `--json`. Nothing here can hold a private half but `Secret`,
which is for verifiers of a symmetric ring.
"""

from datetime import datetime
from typing import Any

import msgspec

from jwturn.core.states import KeyState


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


class EventList(Shown, frozen=True, kw_only=True):
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

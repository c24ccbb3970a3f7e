"""Steps: what can be done to a ring, as values with a reason.

`plan` proposes them, persons ask for them, `evolve` applies them; printable, storable, testable.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from jwturn.core.keys import Foreign, Hold, Key, Waiver
from jwturn.core.policy import RotationPolicy
from jwturn.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Create:
    """A new key is wanted. It needs key material, so the service makes one and applies `Add`."""

    alg: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Add:
    """A key enters the ring, as standby or verify-only."""

    key: Key
    reason: Reason


@dataclass(frozen=True, slots=True)
class Stamp:
    """The times of committed steps are written: publication, superseding, an edit that shortened bounds."""

    reason: Reason = Reason.SEEN_COMMITTED


@dataclass(frozen=True, slots=True)
class Promote:
    """A standby becomes active, the active key verify-only; a waiver says why the lead need not be over."""

    kid: str
    reason: Reason
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class RollBack:
    """A verify-only key becomes active again; the booked turn is cancelled."""

    kid: str
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class Revoke:
    """A key is not trusted from now on, and its private half is destroyed."""

    kid: str
    reason: Reason = Reason.PERSON
    why: str = ""


@dataclass(frozen=True, slots=True)
class Shred:
    """The private half of a verify-only key is destroyed."""

    kid: str
    reason: Reason = Reason.WINDOW_OVER


@dataclass(frozen=True, slots=True)
class Retire:
    """A key whose tail is over leaves the set for good."""

    kid: str
    reason: Reason = Reason.TAIL_OVER


@dataclass(frozen=True, slots=True)
class Discard:
    """A standby that never signed is dropped, or the last key of a set that only a person retires."""

    kid: str
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class BookTurn:
    """The next turn is booked for a time (None cancels it)."""

    at: datetime | None
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """Another policy: living keys' promises are raised where it is longer, never shortened."""

    policy: RotationPolicy
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class DropEasings:
    """Old, longer bounds stop counting for new keys."""

    reason: Reason = Reason.OLD_BOUNDS_OVER


@dataclass(frozen=True, slots=True)
class HoldKey:
    """Automation must not touch a key (or, with no kid, the ring's turns)."""

    kid: str | None
    hold: Hold
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class ReleaseKey:
    """The holds on a key (or the ring's) are lifted."""

    kid: str | None
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class Delivered:
    """A person says that every verifier has the secret."""

    kid: str
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class Export:
    """A private half is about to leave the store in a form others can read; the ring stays as it is."""

    kid: str
    form: str
    reason: Reason = Reason.PERSON


@dataclass(frozen=True, slots=True)
class Recover:
    """An older store goes on in a new era.

    Forgotten keys come back verify-only, revocations are restated, and every key counts as used elsewhere
    until `foreign`.
    """

    keys: tuple[Key, ...]
    revoked: tuple[str, ...]
    foreign: Foreign
    era: int
    reason: Reason = Reason.RECOVERED


Step: TypeAlias = (
    Create
    | Add
    | Stamp
    | Promote
    | RollBack
    | Revoke
    | Shred
    | Retire
    | Discard
    | BookTurn
    | SetPolicy
    | DropEasings
    | HoldKey
    | ReleaseKey
    | Delivered
    | Export
    | Recover
)


def name_of(step: Step) -> str:
    """The step's word in events and output: `promote`, `roll_back`, `set_policy`."""
    name = type(step).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def kid_of(step: Step) -> str | None:
    """The kid the step is about, where it is about one."""
    return step.key.kid if isinstance(step, Add) else getattr(step, "kid", None)

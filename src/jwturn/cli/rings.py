"""A ring as every verb shows it: in words, and as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jwturn.cli.output import about, relative, short_kids, table
from jwturn.core import guards
from jwturn.core.keys import Key, KeyRing
from jwturn.core.leases import last_exp
from jwturn.core.plan import Booked, agenda
from jwturn.core.reasons import TEXTS
from jwturn.core.states import ACTIVE, RETIRED, STANDBY, VERIFY_ONLY
from jwturn.core.steps import (
    Add,
    BookTurn,
    Create,
    Discard,
    DropEasings,
    Promote,
    Retire,
    Shred,
    Stamp,
    Step,
    kid_of,
    name_of,
)
from jwturn.ports.store import View
from jwturn.service.health import UNNAMED

HEAD = ("KID", "ALG", "STATE", "SINCE", "NEXT")
_ENDS = {Shred: "private half shredded", Retire: "retired", Discard: "discarded"}


def key_table(view: View, *, retired: bool = False, wide: bool = False, color: bool = False) -> str:
    """The keys of a ring, and what becomes of each."""
    keys = [key for key in view.ring.keys if retired or key.state is not RETIRED]
    shown, booked, now = short_kids([k.kid for k in view.ring.keys], wide=wide), agenda_of(view), view.now.at
    rows = [
        (shown[k.kid], k.alg, str(k.state), relative(since(k), now), next_of(view, k, booked)) for k in keys
    ]
    return table(HEAD, rows, color=color)


def agenda_of(view: View) -> Sequence[Booked]:
    """Everything that is booked for a ring, the soonest first."""
    booked = agenda(view.ring, view.leases, view.now)
    return sorted(booked, key=lambda one: max(one.due.eta(view.now), view.now.at))


def since(key: Key) -> datetime:
    """When the key entered its state."""
    moments = {
        "standby": key.published,
        "active": key.promoted,
        "verify-only": key.superseded,
        "revoked": key.revoked,
        "retired": key.retired,
    }
    return (moments[key.state] or key.created).at


def next_of(view: View, key: Key, booked: Sequence[Booked]) -> str:
    """What becomes of a key, and when."""
    now = view.now
    if key.state is ACTIVE:
        return _next_of_active(view, booked)
    said = [_may_sign(view, key)] if key.state is STANDBY else []
    for one in booked:
        if kid_of(one.step) == key.kid:
            word = "promoted" if isinstance(one.step, Promote) else _ENDS.get(type(one.step), "")
            said.append(f"{word} {relative(max(one.due.eta(now), now.at), now.at)}")
    if key.holds:
        said.append("held")
    elif key.state is VERIFY_ONLY and not said:
        said.append(_stays(view, key))
    return ", ".join(said)


def _next_of_active(view: View, booked: Sequence[Booked]) -> str:
    now = view.now
    for one in booked:
        if isinstance(one.step, Promote):
            return f"verify-only {relative(max(one.due.eta(now), now.at), now.at)}"
    return (
        "turns are held"
        if view.ring.hold
        else "no turn is booked"
        if view.ring.turn_at is None
        else "waits for a standby"
    )


def _may_sign(view: View, key: Key) -> str:
    due = guards.may_sign(key, view.now)
    if key.private is None:
        return "cannot sign"
    if due is None:
        return "waits for its stamp" if key.delivered else "waits for jwturn delivered"
    return "may sign" if due.reached(view.now) else f"may sign {relative(due.eta(view.now), view.now.at)}"


def _stays(view: View, key: Key) -> str:
    if key.promoted is not None and key.superseded is None:
        return "waits for its stamp"
    return "last of its set" if guards.last_in_issuer_set(view.ring, key) else "until discarded"


def step_words(step: Step, shown: Mapping[str, str]) -> str:
    """A step as a person says it."""
    kid = kid_of(step)
    match step:
        case Create():
            return f"create a standby ({step.alg})"
        case Add():
            return f"add {shown.get(step.key.kid, step.key.kid[:8])} as {step.key.state}"
        case Stamp() | DropEasings():
            return UNNAMED[type(step)]
        case BookTurn():
            return "cancel the turn" if step.at is None else f"book the turn for {step.at:%Y-%m-%d %H:%M:%SZ}"
    name = name_of(step).replace("_", " ")
    return name if kid is None else f"{name} {shown.get(kid, kid)}"


def next_line(view: View) -> str:
    """What happens next, and when."""
    shown, now = short_kids([key.kid for key in view.ring.keys]), view.now
    if view.ring.active is None:
        return f"nobody signs {until_one_may_sign(view)}"
    booked = [one for one in agenda_of(view) if not one.due.reached(now)]
    if not booked:
        return "nothing is booked"
    words = [f"{step_words(one.step, shown)} {relative(one.due.eta(now), now.at)}" for one in booked[:2]]
    return ", then ".join(words)


def until_one_may_sign(view: View) -> str:
    """How long nobody signs, and which standby ends it: `for 50m 6s, until xK9dQ41c may`."""
    shown, now = short_kids([key.kid for key in view.ring.keys]), view.now
    waits = [
        (due.eta(now) - now.at, shown[key.kid])
        for key in view.ring.in_state(STANDBY)
        if key.private is not None and (due := guards.may_sign(key, now)) is not None
    ]
    if not waits:
        return "until a new key has been published for a whole lead"
    left, kid = min(waits)
    return f"for {about(max(left, timedelta()))}, until {kid} may"


def ring_json(view: View, *, retired: bool = True) -> dict[str, Any]:
    """A ring with its keys and agenda."""
    ring = view.ring
    keys = [key for key in ring.keys if retired or key.state is not RETIRED]
    return {
        "name": ring.name,
        "issuer": ring.issuer,
        "alg": ring.policy.alg,
        "epoch": ring.epoch,
        "era": ring.era,
        "turn_at": ring.turn_at,
        "held": ring.hold is not None,
        "keys": [key_json(view, key) for key in keys],
        "agenda": [booked_json(view, one) for one in agenda_of(view)],
    }


def key_json(view: View, key: Key) -> dict[str, Any]:
    """A key without its halves: state, times, promises."""
    steps = ("created", "published", "promoted", "superseded", "shredded", "revoked", "retired")
    times = {name: getattr(key, name).at if getattr(key, name) else None for name in steps}
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": str(key.state),
        "since": since(key),
        **times,
        "sign_from": key.sign_from,
        "sign_until": key.sign_until,
        "last_exp": last_exp(view.leases, key),
        "mature": guards.is_mature(key, view.now),
        "private_half": key.private is not None,
        "in_issuer_set": key.in_issuer_set,
        "origin": str(key.origin),
        "waiver": None if key.waiver is None else str(key.waiver),
        "holds": [{"who": hold.who, "why": hold.why, "at": hold.at} for hold in key.holds],
        "reason": key.reason,
    }


def booked_json(view: View, one: Booked) -> dict[str, Any]:
    """A step, when it may be taken, and why."""
    return {
        "step": name_of(one.step),
        "kid": kid_of(one.step),
        "at": max(one.due.eta(view.now), view.now.at),
        "due": one.due.reached(view.now),
        "reason": str(one.step.reason),
        "why": TEXTS[one.step.reason],
    }


def step_json(step: Step) -> dict[str, Any]:
    """A step that was taken, or would be."""
    return {"step": name_of(step), "kid": kid_of(step), "reason": str(step.reason)}


def kids_of(ring: KeyRing) -> Mapping[str, str]:
    """The kids of a ring as they are shown."""
    return short_kids([key.kid for key in ring.keys])

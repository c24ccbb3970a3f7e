"""What a person should know of a ring: findings that want action, and notes that are worth saying aloud.

`status`, `doctor` and whatever else shows a ring call this alone, so that they agree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from jwturn.core import guards
from jwturn.core.durations import format_duration
from jwturn.core.leases import hard_end
from jwturn.core.plan import plan
from jwturn.core.policy import warnings
from jwturn.core.seen import Seen
from jwturn.core.states import ACTIVE, STANDBY
from jwturn.core.steps import DropEasings, Stamp, Step, name_of
from jwturn.core.timing import Now
from jwturn.ports.store import View

UNNAMED: Final[Mapping[type[Step], str]] = {
    Stamp: "write the times of what was committed",
    DropEasings: "the shorter bounds of the policy count",
}
"""Steps whose own word says nothing to a person."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `serious`: something has to be done; else it is a note."""

    code: str
    words: str
    hint: str = ""
    serious: bool = True


def findings(view: View, seen: Seen) -> list[Finding]:
    """Everything to know of a ring, the urgent first."""
    return [
        *_overdue(view),
        *loop_silent(view.now, seen),
        *_pending(view),
        *_standby(view),
        *_turn(view),
        *_holds(view),
        *(Finding("policy", words, serious=False) for words in warnings(view.ring.policy)),
    ]


def loop_silent(now: Now, seen: Seen) -> Iterator[Finding]:
    """Whether nobody runs the loop: a node that does ticks the store at least every half tick_cap."""
    idle = now.at - seen.last
    if idle > now.tick_cap:
        since = format_duration(idle, parts=2)
        yield Finding(
            "loop_silent",
            f"nobody runs the loop (last tick {since} ago): nothing matures, turns or retires",
            "jwturn serve, or an application that embeds jwturn",
        )


def _overdue(view: View) -> Iterator[Finding]:
    ring, now = view.ring, view.now
    key = ring.active
    if key is None:
        yield Finding("no_active", "no key signs: tokens cannot be issued", f"jwturn plan --ring {ring.name}")
        return
    end = hard_end(ring, key)
    if key.sign_until is None or end is None or now.at < key.sign_until:
        return
    late = format_duration(now.at - key.sign_until, parts=2)
    what = (
        "signers refuse it"
        if now.at >= end
        else f"signers refuse it in {format_duration(end - now.at, parts=2)}"
    )
    hint = (
        "jwturn release --whole-ring"
        if ring.hold
        else "jwturn rotate"
        if ring.turn_at is None
        else "jwturn serve"
    )
    yield Finding("overdue", f"the active key is overdue by {late}; {what}", hint)


def _pending(view: View) -> Iterator[Finding]:
    steps = plan(view.ring, view.leases, view.now)
    if steps:
        names = ", ".join(dict.fromkeys(_named(step) for step in steps))
        yield Finding(
            "pending", f"due now and not done: {names}", "jwturn serve does it; jwturn plan says why"
        )


def _named(step: Step) -> str:
    return UNNAMED.get(type(step)) or name_of(step).replace("_", " ")


def _standby(view: View) -> Iterator[Finding]:
    ring, now = view.ring, view.now
    if guards.mature_standby(ring, now) is not None:
        return
    cost = "until then an emergency turn makes verifiers refuse good tokens"
    waits = [
        due.eta(now)
        for key in ring.in_state(STANDBY)
        if key.private and (due := guards.may_sign(key, now)) is not None
    ]
    if waits:
        left = format_duration(min(waits) - now.at, parts=2)
        yield Finding("no_mature_standby", f"no mature standby for {left}; {cost}", serious=False)
    elif any(not key.delivered for key in ring.in_state(STANDBY)):
        yield Finding("undelivered", f"the standby waits for its delivery; {cost}", "jwturn delivered KID")
    else:
        yield Finding("no_mature_standby", f"no mature standby; {cost}", f"jwturn plan --ring {ring.name}")


def _turn(view: View) -> Iterator[Finding]:
    if view.ring.active is not None and view.ring.turn_at is None:
        yield Finding(
            "no_turn_booked",
            "no turn is booked: it was rolled back",
            "jwturn rotate books one",
            serious=False,
        )


def _holds(view: View) -> Iterator[Finding]:
    ring = view.ring
    if ring.hold is not None:
        said = f"turns are held by {ring.hold.who}: {ring.hold.why}"
        yield Finding("held", said, "jwturn release --whole-ring", serious=False)
    for key in ring.keys:
        for hold in key.holds:
            words = (
                f"{'active ' if key.state is ACTIVE else ''}key {key.kid} is held by {hold.who}: {hold.why}"
            )
            yield Finding("held", words, f"jwturn release {key.kid}", serious=False)

"""Marks, proved by z3: whatever a node, its clock and the network do, no exp is above the node's mark.

A store's row and its node are a handful of numbers; a grant, a signature, a release that may arrive at any
later time are steps between them. That the steps here are those of core/leases.py is shown on the numbers
z3 finds and on drawn ones: the code is asked the same.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

import pytest
import z3

from jwturn.core.leases import Lease, Mark, granted, released
from jwturn.core.timing import Now
from tests.core.world import START, TICK, World
from tests.proofs.chain import example, tell

SECOND: Final = timedelta(seconds=1)
WORLD: Final = World()
KEY: Final = WORLD.key("ES256")
LEASE_SECONDS: Final = WORLD.ring.policy.signer_lease // SECOND
TTL_SECONDS: Final = WORLD.ring.policy.token_ttl_max // SECOND


@dataclass(frozen=True)
class Row:
    """The store's row of one (node, key), what the node knows, and a release on its way."""

    exp: Any
    number: Any
    until: Any
    allowed: Any
    """The mark that the node was told with the last grant whose reply came."""
    known: Any
    signing: Any
    largest: Any
    """The largest exp the node ever signed with the key."""
    sent: Any
    told_number: Any
    told_largest: Any


def row(name: str) -> Row:
    ints = {f: z3.Int(f"{name} {f}") for f in Row.__annotations__}
    return Row(**{**ints, "signing": z3.Bool(f"{name} signing"), "sent": z3.Bool(f"{name} sent")})


def larger(a: Any, b: Any) -> Any:
    return z3.If(a >= b, a, b)


def smaller(a: Any, b: Any) -> Any:
    return z3.If(a <= b, a, b)


def safe(at: Row) -> Any:
    """No token is beyond the mark, none can come to be, and no release on its way will lower it below one."""
    last = z3.And(at.sent, at.told_number == at.number)
    return z3.And(
        at.exp >= at.largest,
        at.known <= at.number,
        z3.Implies(at.signing, at.exp >= at.allowed),
        z3.Implies(at.sent, at.told_number <= at.known),
        z3.Implies(last, z3.And(z3.Not(at.signing), at.told_largest >= at.largest)),
    )


def grant(at: Row, now: Any, lease: Any, ttl: Any, *, reply: bool, kept: bool = True) -> Row:
    """A grant at any time `now` of the store's clock, its reply lost or not. `kept`: no mark is lowered."""
    until = larger(at.until, now + lease) if kept else now + lease
    exp = larger(at.exp, until + ttl) if kept else until + ttl
    after = replace(at, exp=exp, until=until, number=at.number + 1)
    return replace(after, allowed=exp, known=at.number + 1, signing=True) if reply else after


def sign(at: Row, exp: Any) -> Row:
    return replace(at, largest=larger(at.largest, exp))


def send_release(at: Row, *, forgets: Any = None) -> Row:
    """The node is done with the key and nothing is in flight. `forgets`: it names another largest exp."""
    largest = at.largest if forgets is None else forgets
    return replace(at, signing=False, sent=True, told_number=at.known, told_largest=largest)


def deliver(at: Row, *, guarded: bool = True) -> Row:
    lowered = smaller(at.exp, at.told_largest)
    exp = z3.If(at.told_number == at.number, lowered, at.exp) if guarded else lowered
    return replace(at, exp=exp, sent=False)


BEFORE: Final = row("row")
NOW, LEASE, TTL, EXP = z3.Ints("now lease ttl exp")
LENGTHS: Final = [LEASE > 0, TTL > 0]
STEPS: Final[dict[str, tuple[Any, Row]]] = {
    "a grant": (True, grant(BEFORE, NOW, LEASE, TTL, reply=True)),
    "a grant whose reply is lost": (True, grant(BEFORE, NOW, LEASE, TTL, reply=False)),
    "a signature": (z3.And(BEFORE.signing, BEFORE.allowed >= EXP), sign(BEFORE, EXP)),
    "a release that is sent": (True, send_release(BEFORE)),
    "a release that arrives": (BEFORE.sent, deliver(BEFORE)),
    "a release that is lost": (BEFORE.sent, replace(BEFORE, sent=False)),
}


@pytest.mark.parametrize("step", STEPS)
def test_every_step_keeps_every_token_within_the_mark(step: str) -> None:
    may, after = STEPS[step]
    assert proved([*LENGTHS, safe(BEFORE), may], safe(after))


def test_a_new_row_is_safe() -> None:
    assert proved([], safe(start()))


def proved(given: list[Any], claim: Any) -> bool:
    return example([*given, z3.Not(claim)], logic="QF_LIA") is None


def start() -> Row:
    return Row(0, 0, 0, 0, 0, z3.BoolVal(val=False), 0, z3.BoolVal(val=False), 0, 0)


def beyond(build: Callable[..., tuple[list[Any], Row]]) -> dict[str, Fraction] | None:
    """Numbers by which a story ends with a token beyond the mark."""
    named = dict(zip(["now1", "now2", "exp1", "exp2"], z3.Ints("now1 now2 exp1 exp2"), strict=True))
    said, last = build(**named)
    story = [LEASE == LEASE_SECONDS, TTL == TTL_SECONDS, *(term >= 0 for term in named.values()), *said]
    return example([*story, last.exp < last.largest], logic="QF_LIA")


def stepped_back(*, now1: Any, now2: Any, exp1: Any, exp2: Any, kept: bool) -> tuple[list[Any], Row]:
    """Two grants, the second after the store's clock stepped back; the token is of the first."""
    first = grant(start(), now1, LEASE, TTL, reply=True, kept=kept)
    signed = sign(first, exp1)
    return [exp1 <= first.allowed, exp2 == 0], grant(signed, now2, LEASE, TTL, reply=True, kept=kept)


def late_release(*, now1: Any, now2: Any, exp1: Any, exp2: Any, guarded: bool) -> tuple[list[Any], Row]:
    """A release is overtaken by the node's next grant, and a token of it."""
    first = sign(grant(start(), now1, LEASE, TTL, reply=True), exp1)
    second = grant(send_release(first), now2, LEASE, TTL, reply=True)
    said = [exp1 <= first.allowed, exp2 <= second.allowed]
    return said, deliver(sign(second, exp2), guarded=guarded)


def forgotten(*, now1: Any, now2: Any, exp1: Any, exp2: Any, forgets: bool) -> tuple[list[Any], Row]:
    """A release that names the largest exp of the last grant alone, and one that names the largest ever."""
    first = sign(grant(start(), now1, LEASE, TTL, reply=True), exp1)
    second = sign(grant(first, now2, LEASE, TTL, reply=True), exp2)
    said = [exp1 <= first.allowed, exp2 <= second.allowed]
    return said, deliver(send_release(second, forgets=exp2 if forgets else None))


def test_without_max_of_marks_a_clock_that_steps_back_lowers_the_mark() -> None:
    assert beyond(lambda **n: stepped_back(**n, kept=True)) is None
    found = beyond(lambda **n: stepped_back(**n, kept=False))
    assert found is not None
    tell(f"two grants at {found['now1']} s and {found['now2']} s, a token until {found['exp1']} s")
    first = code_grants(found["now1"], before=None, mark=None)
    assert seconds(first[1].exp) >= found["exp1"], "the first grant allowed the token"
    assert found["now2"] + LEASE_SECONDS + TTL_SECONDS < found["exp1"], "what the second grant needs is less"
    again = code_grants(found["now2"], before=first[0], mark=first[1])
    assert seconds(again[1].exp) >= found["exp1"], "the code keeps the larger"
    assert again[0].until >= first[0].until


def test_without_its_guard_a_late_release_lowers_the_mark_of_a_later_grant() -> None:
    assert beyond(lambda **n: late_release(**n, guarded=True)) is None
    found = beyond(lambda **n: late_release(**n, guarded=False))
    assert found is not None
    tell(f"a release of {found['exp1']} s arrives after the grant that allowed {found['exp2']} s")
    first = code_grants(found["now1"], before=None, mark=None)
    second = code_grants(found["now2"], before=first[0], mark=first[1])
    late = time_of(found["exp1"])
    assert min(second[1].exp, late) < time_of(found["exp2"]) <= second[1].exp
    assert released(second[1], number=first[1].number, largest_exp=late) == second[1]


def test_a_release_that_names_the_last_grant_s_tokens_alone_lowers_it_too_far() -> None:
    assert beyond(lambda **n: forgotten(**n, forgets=False)) is None
    found = beyond(lambda **n: forgotten(**n, forgets=True))
    assert found is not None
    assert found["exp2"] < found["exp1"]
    second = code_grants(
        found["now2"], before=None, mark=code_grants(found["now1"], before=None, mark=None)[1]
    )
    assert released(second[1], number=2, largest_exp=time_of(found["exp2"])).exp < time_of(found["exp1"])
    assert released(second[1], number=2, largest_exp=time_of(found["exp1"])).exp >= time_of(found["exp1"])


def test_the_steps_of_the_proof_are_those_of_the_code() -> None:
    drawn = random.Random(7)
    for _ in range(60):
        exp, until, now, named, number, largest = (drawn.randrange(9_000) for _ in range(6))
        number %= 3
        mark = Mark("n", KEY.kid, time_of(exp), timedelta(), number)
        lease, after = code_grants(now, before=Lease("n", KEY.kid, number, time_of(until)), mark=mark)
        at = replace(start(), exp=z3.IntVal(exp), until=z3.IntVal(until), number=z3.IntVal(number))
        modelled = grant(at, now, LEASE_SECONDS, TTL_SECONDS, reply=True)
        assert (seconds(after.exp), seconds(lease.until)) == (whole(modelled.exp), whole(modelled.until))
        given = replace(at, told_number=z3.IntVal(named % 3), told_largest=z3.IntVal(largest))
        lowered = released(mark, number=named % 3, largest_exp=time_of(largest))
        assert seconds(lowered.exp) == whole(deliver(given).exp)


def code_grants(now: Fraction | int, *, before: Lease | None, mark: Mark | None) -> tuple[Lease, Mark]:
    """The grant of core/leases.py at a second of the store's clock."""
    number = 1 if mark is None else mark.number + 1
    moment = Now(time_of(now), timedelta(), TICK)
    return granted(WORLD.ring, KEY, node="n", before=before, mark=mark, number=number, now=moment)


def time_of(second: Fraction | int) -> datetime:
    return START + int(second) * SECOND


def seconds(at: datetime) -> int:
    return (at - START) // SECOND


def whole(term: Any) -> int:
    return int(z3.simplify(term).as_long())

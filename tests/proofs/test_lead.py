"""The lead, proved by z3: no chain of clocks within their bounds gives a verifier a token whose key it lacks.

And each term is needed: without it, or with nine tenths of it, there is a chain that does, replayed here by
plain arithmetic.
"""

from datetime import timedelta
from fractions import Fraction

import pytest
import z3

from jwturn.core import timing
from jwturn.core.policy import RotationPolicy
from tests.proofs import chain
from tests.proofs.coefficients import RHO, Polynomial, numbers, read

LEAD = read(timing.lead)
POLICY = numbers(RotationPolicy().bounds)
TERMS = ("D", "E", "V", "F", "eps", RHO)
WHOLE, TENTH = Fraction(1), Fraction(1, 10)


def refusal(
    lead: Polynomial, *, fixed: dict[str, Fraction] | None = None, stamped_late: bool = True
) -> dict[str, Fraction] | None:
    """A good token that a healthy verifier refuses under this lead; None where there is none."""
    named, allowed = chain.bounds(fixed)
    signed = chain.signed_after(named, lead, stamped_late=stamped_late)
    return chain.example([*allowed, *chain.way(named), *signed, chain.old_set()])


def replay(found: dict[str, Fraction], fixed: dict[str, Fraction], lead: Fraction) -> None:
    """The chain again, event by event: every clock and wait is within its bound, and the key is not there."""
    rho, eps = fixed[RHO], fixed["eps"]

    def measured(name: str, begins: str, ends: str) -> Fraction:
        rate, jump = found.get(f"rate of {name}", Fraction(1)), found.get(f"jump of {name}", Fraction())
        assert 1 / (1 + rho) <= rate <= 1 + rho, name
        assert abs(jump) <= 2 * eps, name
        return rate * (found[ends] - found[begins] + jump)

    for span in chain.WAY:
        assert found[span.begins] <= found[span.ends]
        assert measured(span.name, span.begins, span.ends) <= fixed[span.bound], span.name
    waited = measured("store", "the key is stamped", "the key is promoted")
    assert waited >= lead, "the signer waits for the lead that is left"
    assert waited < LEAD.of(fixed), "under the lead of the code it would still wait"
    assert found["the key is stamped"] >= 0, "the stamp is read after the commit"
    assert found["the key is promoted"] <= found["the token is signed"] <= found["the token is judged"]
    committed = Fraction()
    kids = {"new"} if found["the origin reads the store"] >= committed else {"old"}
    assert "new" not in kids, "the token would be accepted"


def shown(found: dict[str, Fraction]) -> str:
    events = sorted((time, event) for event, time in found.items() if event in (*chain.EVENTS, chain.LAST))
    clocks = sorted((name, value) for name, value in found.items() if " of " in name)
    lines = [f"  {float(time):12.3f} s  {event}" for time, event in events]
    return "\n".join([*lines, *(f"  {float(value):12.6f}    {name}" for name, value in clocks)])


def test_a_signed_token_finds_its_key_whatever_the_bounds() -> None:
    assert refusal(LEAD) is None


def test_so_it_does_by_seen_time_alone_whatever_the_store_s_clock_shows() -> None:
    named, allowed = chain.bounds()
    stamp, promoted = z3.Real("the key is stamped"), z3.Real("the key is promoted")
    speed, rates = chain.rate("boottime", named)
    waited = [stamp >= 0, speed * (promoted - stamp) >= LEAD.of(named, lift=chain.lift)]
    judged = [*chain.way(named), promoted <= z3.Real(chain.LAST)]
    assert chain.example([*allowed, *rates, *waited, *judged, chain.old_set()]) is None


def test_the_world_of_the_proof_is_not_empty() -> None:
    named, allowed = chain.bounds(POLICY)
    signed = chain.signed_after(named, LEAD)
    assert chain.example([*allowed, *chain.way(named), *signed]) is not None


@pytest.mark.parametrize("share", [WHOLE, TENTH], ids=["dropped", "cut by a tenth"])
@pytest.mark.parametrize("term", TERMS)
def test_every_term_of_the_lead_is_needed(term: str, share: Fraction) -> None:
    less = LEAD.without(term, share)
    found = refusal(less, fixed=POLICY)
    assert found is not None, f"{term} could be smaller"
    chain.tell(f"{term} less by {float(share):.0%}: a good token is refused\n{shown(found)}")
    replay(found, POLICY, less.of(POLICY))


def test_skews_that_the_rate_does_not_stretch_are_not_enough() -> None:
    """H(1 + rho) + 6 eps, the formula once: short by 6 eps rho, for a store's clock both fast and off."""
    plain = {**LEAD.factors, "eps": (Fraction(6), Fraction(), Fraction())}
    found = refusal(Polynomial(plain), fixed=POLICY)
    assert found is not None
    replay(found, POLICY, Polynomial(plain).of(POLICY))
    assert -found["the origin reads the store"] <= 6 * POLICY["eps"] * POLICY[RHO]


def test_a_stamp_read_before_the_commit_breaks_it() -> None:
    """A transaction that reads its clock and then stalls: why the stamp is left to a later one."""
    found = refusal(LEAD, fixed=POLICY, stamped_late=False)
    assert found is not None
    assert found["the key is stamped"] < 0


def exposed(bounds: timing.Bounds) -> timedelta:
    """The bound that is printed for a verifier that never uses a set beyond its lifetime."""
    bound = timing.exposure(bounds, bounds.verifier_ttl_max, timedelta())
    assert bound is not None
    return bound


def test_what_is_printed_after_a_revocation_holds_where_clocks_only_drift() -> None:
    """And where the clocks of a cache and a verifier jump too, it is late by what they jump, no more."""
    named, allowed = chain.bounds()
    bound = read(exposed)
    jumps = 4 - bound.factors["eps"][0]
    late = z3.Real(chain.LAST) > bound.of(named, lift=chain.lift) + chain.lift(jumps) * named["eps"]
    assert chain.example([*allowed, *chain.way(named), late, chain.old_set()]) is None

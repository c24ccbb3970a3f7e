"""The tail, proved by z3: a key is in the set until no verifier accepts its last token any more."""

from fractions import Fraction
from typing import Any

import pytest
import z3

from jwturn.core import timing
from jwturn.core.policy import RotationPolicy
from tests.proofs import chain
from tests.proofs.coefficients import ONE, Polynomial, numbers, read

TAIL = read(timing.tail)
POLICY = numbers(RotationPolicy().bounds)
TERMS = ("lam", "eps", ONE)
WHOLE, TENTH = Fraction(1), Fraction(1, 10)


def early(tail: Polynomial, fixed: dict[str, Fraction] | None = None) -> dict[str, Fraction] | None:
    """A token that a verifier accepts, and that finds its key gone, under this tail; None: there is none.

    exp is whole seconds (NumericDate), and a verifier may cut its own time to whole seconds.
    """
    named, allowed = chain.bounds(fixed)
    eps, exp, cut = named["eps"], z3.Int("exp"), z3.Int("the time it judges by")
    mark, shown, judged = z3.Reals("mark shown judged")
    store, gone, read_at = z3.Reals("store gone read")
    accepted = [cut <= shown, cut > shown - 1, cut <= exp + named["lam"], *near(shown, judged, eps)]
    retired = [store >= mark + tail.of(named, lift=chain.lift), *near(store, gone, eps)]
    missed = [gone <= read_at, read_at <= judged]
    return chain.example([*allowed, exp >= 0, exp <= mark, *accepted, *retired, *missed], logic="QF_LIRA")


def near(one: Any, other: Any, eps: Any) -> list[Any]:
    return [one - other <= eps, other - one <= eps]


def replay(found: dict[str, Fraction], tail: Fraction) -> None:
    """The same by plain arithmetic: both clocks are right within eps, and the good token finds no key."""
    eps, lam = POLICY["eps"], POLICY["lam"]
    assert abs(found["shown"] - found["judged"]) <= eps, "the verifier's clock"
    assert abs(found["store"] - found["gone"]) <= eps, "the store's clock"
    assert found["store"] >= found["mark"] + tail, "the key leaves after the tail that is left"
    assert found["store"] < found["mark"] + TAIL.of(POLICY), "under the tail of the code it would stay"
    assert found["shown"] // 1 <= found["exp"] + lam, "the verifier accepts"
    assert found["gone"] <= found["read"] <= found["judged"], "and the set it has was read without the key"


def test_a_key_stays_until_its_last_token_is_over_whatever_the_bounds() -> None:
    assert early(TAIL) is None


@pytest.mark.parametrize("share", [WHOLE, TENTH], ids=["dropped", "cut by a tenth"])
@pytest.mark.parametrize("term", TERMS)
def test_every_term_of_the_tail_is_needed(term: str, share: Fraction) -> None:
    less = TAIL.without(term, share)
    found = early(less, POLICY)
    assert found is not None, f"{term} could be smaller"
    told = "\n".join(f"  {float(value):12.3f} s  {name}" for name, value in sorted(found.items()))
    chain.tell(f"{term} less by {float(share):.0%}: a good token finds no key\n{told}")
    replay(found, less.of(POLICY))


def test_no_wait_of_a_cache_is_in_the_tail() -> None:
    assert {symbol for symbol, factors in TAIL.factors.items() if any(factors)} == {"lam", "eps", ONE}

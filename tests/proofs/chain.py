"""What lies between a commit and a verifier, as constraints for z3, and the same as plain arithmetic.

Times are true, in seconds after the commit of the standby. A clock that measures a span runs at a rate in
[1 / (1 + rho), 1 + rho], and each of its two readings may show what it should have shown up to eps earlier or
later: a true span T is read as rate * (T + jump), |jump| <= 2 eps. The clocks of an origin and of a fetch are
monotonic: they do not jump. Every rate and jump is the adversary's.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import z3

from tests.proofs.coefficients import RHO, SYMBOLS, Polynomial

RHO_END: Final = 1
"""A policy refuses a rate error of one."""


@dataclass(frozen=True, slots=True)
class Span:
    """A wait on the way: from one event to another, never longer than a bound by a clock of its own."""

    name: str
    begins: str
    ends: str
    bound: str
    jumps: bool


WAY: Final = (
    Span("origin", "the origin reads the store", "the origin answers", "D", jumps=False),
    Span("the cache's fetch", "the origin answers", "the cache has the set", "F", jumps=False),
    Span("cache", "the cache has the set", "the cache answers", "E", jumps=True),
    Span("the verifier's fetch", "the cache answers", "the verifier has the set", "F", jumps=False),
    Span("verifier", "the verifier has the set", "the token is judged", "V", jumps=True),
)
EVENTS: Final = ("the key is stamped", "the key is promoted", "the token is signed", *(s.begins for s in WAY))
LAST: Final = WAY[-1].ends


def lift(number: Fraction) -> Any:
    """An exact constant of z3."""
    return z3.Q(number.numerator, number.denominator)


def bounds(fixed: Mapping[str, Fraction] | None = None) -> tuple[dict[str, Any], list[Any]]:
    """The bounds of a policy by symbol: all of them, or the given numbers."""
    if fixed is not None:
        return {symbol: lift(number) for symbol, number in fixed.items()}, []
    named = {symbol: z3.Real(symbol) for symbol in (*SYMBOLS, RHO)}
    return named, [*(term >= 0 for term in named.values()), named[RHO] < RHO_END]


def rate(name: str, named: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """A clock's rate, anything that is allowed."""
    term = z3.Real(f"rate of {name}")
    return term, [term <= 1 + named[RHO], term * (1 + named[RHO]) >= 1]


def jump(name: str, named: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """What the two readings of a clock add to a span, anything that is allowed."""
    term = z3.Real(f"jump of {name}")
    return term, [term <= 2 * named["eps"], term >= -2 * named["eps"]]


def way(named: Mapping[str, Any], *, spans: tuple[Span, ...] = WAY) -> list[Any]:
    """The set that judges a token came this way, each wait within its bound by its clock."""
    said: list[Any] = []
    for span in spans:
        begins, ends = z3.Real(span.begins), z3.Real(span.ends)
        speed, allowed = rate(span.name, named)
        step, jumps = jump(span.name, named) if span.jumps else (lift(Fraction()), [])
        said += [*allowed, *jumps, ends >= begins, speed * (ends - begins + step) <= named[span.bound]]
    return said


def signed_after(named: Mapping[str, Any], lead: Polynomial, *, stamped_late: bool = True) -> list[Any]:
    """A token is signed once the store's clock has gone a lead beyond the stamp, and judged after that.

    The stamp is read after the commit; with `stamped_late` False at any time before it, as by a
    transaction that reads its clock and then stalls.
    """
    stamp, promoted = z3.Real("the key is stamped"), z3.Real("the key is promoted")
    signed, judged = z3.Real("the token is signed"), z3.Real(LAST)
    speed, allowed = rate("store", named)
    step, jumps = jump("store", named)
    waited = speed * (promoted - stamp + step) >= lead.of(named, lift=lift)
    said = [*allowed, *jumps, waited, promoted >= stamp, signed >= promoted, judged >= signed]
    return [*said, stamp >= 0] if stamped_late else said


def old_set() -> Any:
    """The verifier's set was read before the commit: the key is not in it, and a good token is refused."""
    return z3.Real(WAY[0].begins) < 0


def example(constraints: list[Any], *, logic: str = "QF_NRA") -> dict[str, Fraction] | None:
    """The numbers of a world in which all of this is so; None where there is none."""
    solver = z3.SolverFor(logic)
    solver.add(*constraints)
    answer = solver.check()
    if answer == z3.unsat:
        return None
    assert answer == z3.sat, solver.reason_unknown()
    model = solver.model()
    return {str(name): _number(model[name]) for name in model.decls()}


def _number(value: Any) -> Fraction:
    if z3.is_int_value(value):
        return Fraction(value.as_long())
    assert z3.is_rational_value(value), "only numbers that plain arithmetic can replay"
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def tell(words: str) -> None:
    """Shows a counterexample (pytest -s, or where a test fails)."""
    sys.stdout.write(f"{words}\n")

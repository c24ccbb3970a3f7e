"""The formulas of core/timing.py as polynomials, read from the code: a proof about them is one about it.

A formula is linear in the bounds, and each bound's factor is a polynomial of degree two in rho. So its values
at unit bounds and three whole rates give it exactly; two more rates, and bounds all at once, show that this
is all there is to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final, TypeAlias

from jwturn.core.policy import RotationPolicy
from jwturn.core.timing import Bounds

Formula: TypeAlias = Callable[[Bounds], timedelta]
SYMBOLS: Final = {
    "D": "publish_delay_max",
    "E": "edge_ttl_max",
    "V": "verifier_ttl_max",
    "F": "fetch_time_max",
    "eps": "clock_skew_max",
    "lam": "leeway_max",
}
RHO: Final = "rho"
ONE: Final = "1"
"""The constant term, in seconds."""
UNIT: Final = timedelta(days=1)
"""Long beside the microsecond to which a timedelta rounds; products with whole rates are exact."""
NOTHING: Final = Bounds(
    publish_delay_max=timedelta(),
    edge_ttl_max=timedelta(),
    verifier_ttl_max=timedelta(),
    fetch_time_max=timedelta(),
    clock_rate_error=0,
    clock_skew_max=timedelta(),
    leeway_max=timedelta(),
)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Per symbol its factors of 1, rho and rho squared; with `ONE`, in seconds."""

    factors: Mapping[str, tuple[Fraction, Fraction, Fraction]]

    def of(self, values: Mapping[str, Any], *, lift: Callable[[Fraction], Any] = Fraction) -> Any:
        """Its value in seconds, for numbers, or for terms of a solver, whose constants `lift` makes."""
        rho = values[RHO]
        named = {**values, ONE: 1}
        return sum(
            named[symbol] * (lift(a) + lift(b) * rho + lift(c) * rho * rho)
            for symbol, (a, b, c) in self.factors.items()
            if any((a, b, c))
        )

    def without(self, term: str, share: Fraction) -> "Polynomial":
        """With that share of a term taken away; of rho, from every power of it."""
        left = 1 - share
        if term == RHO:
            return Polynomial({s: (a, b * left, c * left**2) for s, (a, b, c) in self.factors.items()})
        a, b, c = self.factors[term]
        return Polynomial({**self.factors, term: (a * left, b * left, c * left)})


def read(formula: Formula) -> Polynomial:
    """What a formula of core/timing.py is."""
    constant = _seconds(formula(NOTHING))
    factors = {symbol: _fit(formula, field, constant) for symbol, field in SYMBOLS.items()}
    polynomial = Polynomial({**factors, ONE: (constant, Fraction(), Fraction())})
    for rho in (0, 3, 5):
        bounds = replace(RotationPolicy().bounds, clock_rate_error=rho)
        assert polynomial.of(numbers(bounds)) == _seconds(formula(bounds)), "the formula has another shape"
    return polynomial


def numbers(bounds: Bounds) -> dict[str, Fraction]:
    """Bounds as exact numbers by symbol; durations in seconds."""
    named = {symbol: _seconds(getattr(bounds, field)) for symbol, field in SYMBOLS.items()}
    return {**named, RHO: Fraction(str(bounds.clock_rate_error))}


def _fit(formula: Formula, field: str, constant: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    def at(rho: int) -> Fraction:
        changes: dict[str, Any] = {field: UNIT, "clock_rate_error": rho}
        bounds = replace(NOTHING, **changes)
        return (_seconds(formula(bounds)) - constant) / _seconds(UNIT)

    first, second, third = at(0), at(1), at(2)
    square = (third - 2 * second + first) / 2
    return first, second - first - square, square


def _seconds(length: timedelta) -> Fraction:
    return Fraction(length // timedelta(microseconds=1), 1_000_000)

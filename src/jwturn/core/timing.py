"""The theorem jwturn stands on, as plain arithmetic.

A verifier that is healthy at its time v judges tokens by a key set as it stood at some time u in [v - H,
v], where

    H = (D + E + V + 2F)(1 + rho)

is the horizon: a set waits up to D in an origin, E in shared caches and V in the verifier, and is fetched
twice where a shared cache stands between. So if no signer uses a key before

    sign_from = published_at + (H + 6 eps)(1 + rho)                      (the lead)

and the key stays published until

    last_exp + lam + 2 eps + 1 s                                         (the tail)

then every token of it that is inside its time window finds the key in the verifier's set. The 6 eps are 2
eps each for the clocks of the store, a cache and the verifier; the second is for verifiers that cut time to
whole seconds. No cache term is in the tail: an old cache only holds more old keys. Every term is needed.
"""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
REPLY_MAX: Final = timedelta(seconds=5)
"""A store's reply slower than this gives neither lease nor time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds that decide lead and tail; a key stores those it was promised.

    The symbols are the docstring's.
    """

    publish_delay_max: timedelta
    """D: longest an origin serves a set it has not re-read from the store."""
    edge_ttl_max: timedelta
    """E: longest stay in shared caches."""
    verifier_ttl_max: timedelta
    """V: longest a healthy verifier uses a set after its fetch."""
    fetch_time_max: timedelta
    """F: longest fetch."""
    clock_rate_error: float
    """rho: any clock's rate lies in [1 / (1 + rho), 1 + rho]."""
    clock_skew_max: timedelta
    """eps: bound on the error of any clock."""
    leeway_max: timedelta
    """lam: leeway that verifiers grant on exp."""

    def raised(self, other: "Bounds") -> "Bounds":
        """The larger of the two, bound by bound: promises only lengthen."""
        return Bounds(**{f.name: max(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened.

    The store's clock, and the seen time then (how long the store had been watched).
    """

    at: datetime
    seen: timedelta


@dataclass(frozen=True, slots=True)
class Now(Moment):
    """The moment of a decision.

    With the store's tick_cap (the most that one tick adds to the seen time), and when it was last ticked.
    """

    tick_cap: timedelta
    ticked: datetime | None = None

    @property
    def moment(self) -> Moment:
        """The plain moment, for storing."""
        return Moment(self.at, self.seen)

    @property
    def seen_next(self) -> timedelta:
        """The seen time after a tick now, at most."""
        since = timedelta() if self.ticked is None else self.at - self.ticked
        return self.seen + min(max(since, timedelta()), self.tick_cap)


@dataclass(frozen=True, slots=True)
class Due:
    """When a step may be taken: both the absolute time and the seen time must have come."""

    at: datetime
    seen: timedelta = timedelta()

    def reached(self, now: Now) -> bool:
        """Whether both clocks are there."""
        return self.at <= now.at and self.seen <= now.seen

    def eta(self, now: Now) -> datetime:
        """The earliest wall time at which both can be there, if the store is watched from now on."""
        return max(self.at, now.at + max(self.seen - now.seen_next, timedelta()))

    def after(self, other: "Due") -> "Due":
        """The later of the two, clock by clock."""
        return Due(max(self.at, other.at), max(self.seen, other.seen))


AT_ONCE: Final = Due(BEGINNING)


def round_up(at: datetime) -> datetime:
    """The next whole second: promised times round up."""
    return at if at.microsecond == 0 else at.replace(microsecond=0) + SECOND


def horizon(bounds: Bounds, verifier_ttl: timedelta | None = None) -> timedelta:
    """H: how old the set of a healthy verifier can be (for one declared verifier: with its own lifetime)."""
    ttl = bounds.verifier_ttl_max if verifier_ttl is None else verifier_ttl
    waits = bounds.publish_delay_max + bounds.edge_ttl_max + ttl + 2 * bounds.fetch_time_max
    return waits * (1 + bounds.clock_rate_error)


def lead(bounds: Bounds) -> timedelta:
    """How long a key must have been published before it may sign."""
    return (horizon(bounds) + 6 * bounds.clock_skew_max) * (1 + bounds.clock_rate_error)


def tail(bounds: Bounds) -> timedelta:
    """How long after the last exp of its tokens a key stays published."""
    return bounds.leeway_max + 2 * bounds.clock_skew_max + SECOND


def exposure(bounds: Bounds, verifier_ttl: timedelta, stale_max: timedelta | None) -> timedelta | None:
    """How long after a revocation a verifier may still trust the key.

    H, and stale use where it cannot refresh.

    `verifier_ttl` is the lifetime of that verifier's set; `stale_max` None means it keeps a stale set
    without limit: then there is no bound, and the answer is None (exp does not help: a thief mints new
    tokens).
    """
    if stale_max is None:
        return None
    return horizon(bounds, verifier_ttl) + stale_max * (1 + bounds.clock_rate_error)


def clocks_agree(node: datetime, store: datetime, skew_max: timedelta) -> bool:
    """Whether a node's wall clock and the store's may both be right.

    No more than 2 eps and one reply apart.
    """
    return abs(node - store) <= 2 * skew_max + REPLY_MAX


def moved_alike(
    store_elapsed: timedelta, boottime_elapsed: timedelta, bounds: tuple[timedelta, float]
) -> bool:
    """Whether the store's clock moved like the node's boottime; `bounds` are eps and rho."""
    skew_max, rate_error = bounds
    return abs(store_elapsed - boottime_elapsed) <= 2 * skew_max + REPLY_MAX + boottime_elapsed * rate_error

"""What a verifier does about an issuer's keys, and when it asks for them again (SECURITY.md 7): decisions.

`decide` says of one kid, now: use the keys held, wait for the fetch under way, fetch, or refuse. `absorb`
takes in how a fetch ended. A fetch is claimed before it is sent: it takes from a bucket of `BURST` that fills
by one per `REFILL_SECONDS`, whether it then succeeds or not, so that a key published a moment after a fetch
is found at once and a flood of made-up kids is not passed on to the issuer. Only a verifier without any
usable set asks outside of the bucket, with a back-off. A set is replaced whole. One that cannot be renewed is
used on for `stale_max`, if an attempt failed a moment ago; one that nobody tried to renew is not.

Values are msgspec Structs: a verifier's import is budgeted, and they are made in a fraction of the time.

Times are seconds of one clock that nobody sets. Should it jump all the same, each jump is worth one fetch at
most: what seems to come from the future is taken as over.
"""

import math
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from jwturn.core.errors import JwturnError
from jwturn.core.jwk import Jwk, RefusedKey, thumbprint

BURST: Final = 4
REFILL_SECONDS: Final = 30.0
BACKOFF_SECONDS_MIN: Final = 1.0
BACKOFF_SECONDS_MAX: Final = 30.0
LIFETIME_SECONDS_MIN: Final = 60.0
"""An issuer that forbids caching is asked this often, so that the bucket fills faster than renewals empty it.

`keys_ttl_max` may be shorter.
"""
LIFETIME_SECONDS_UNSAID: Final = 300.0
"""The lifetime of a set whose answer names none."""
RECENT_SECONDS: Final = 60.0
"""How long a failed attempt excuses the use of a set past its lifetime: above any back-off and a fetch."""
UNKNOWN_MAX: Final = 1024
UNKNOWN_SECONDS_MAX: Final = 300.0
PINS_MAX: Final = 4096
GRACE_SECONDS: Final = 1.0
"""How long past its deadline a fetch may take to report before it is given up as lost."""
_BEFORE_ANY_CLOCK: Final = -1e18


class Bounds(Struct, frozen=True, kw_only=True):
    """How long a set is used, how long beyond while it cannot be renewed, and how long a fetch may take."""

    keys_ttl_max: float = 3600.0
    stale_max: float = 3600.0
    fetch_time_max: float = 5.0


class Held(Struct, frozen=True):
    """A set in use; `keys` is what the verifier made of it. `since`: just before it was asked for."""

    keys: Any
    kids: Container[str]
    generation: int
    since: float
    refresh_at: float
    fresh_until: float
    stale_until: float
    etag: str | None = None
    record: Any = None
    """What the verifier wants to know of this set when the next one comes."""


class Flight(Struct, frozen=True):
    """A fetch that somebody has claimed: past `until` it is lost, and another may be claimed."""

    number: int
    since: float
    until: float


class Missed(Struct, frozen=True):
    """A kid that was not in the set: not asked for again before `until`, and each time for longer."""

    at: float
    until: float


class Cache(Struct, frozen=True):
    """Everything a verifier knows of an issuer's keys.

    `level` fetches were left in the bucket at `level_at`; `excused_at`: when the issuer last failed one.
    """

    bounds: Bounds = Bounds()
    held: Held | None = None
    flight: Flight | None = None
    flights: int = 0
    level: float = BURST
    level_at: float = -math.inf
    failures: int = 0
    failed_at: float = -math.inf
    excused_at: float = -math.inf
    retry_at: float = -math.inf
    cause: JwturnError | None = None
    unknown: dict[str, Missed] = {}


class Use(Struct, frozen=True):
    """Judge by these keys; begin the flight, if there is one, and do not wait for it."""

    held: Held
    begin: Flight | None = None


class Fetch(Struct, frozen=True):
    """The flight is yours: begin it, wait for it, and ask again."""

    flight: Flight


class Wait(Struct, frozen=True):
    """Wait for a flight that somebody else began, and ask again."""

    flight: Flight


class Unknown(Struct, frozen=True):
    """The issuer's set, as new as may be asked for, has no such key."""


class Refuse(Struct, frozen=True):
    """There are no keys to judge by; `cause` is why the last attempt failed."""

    cause: JwturnError | None
    retry_after: float


Verdict: TypeAlias = Use | Fetch | Wait | Unknown | Refuse


class Loaded(Struct, frozen=True):
    """A fetch brought a set; `lifetime` in seconds, None where the answer names none."""

    keys: Any
    kids: Container[str]
    lifetime: float | None
    etag: str | None = None
    record: Any = None


class Unchanged(Struct, frozen=True):
    """A fetch brought word that the set held is still the issuer's."""

    lifetime: float | None


class Failed(Struct, frozen=True):
    """A fetch brought no set; `asked` False: it was given up here, so that no set may be used on for it."""

    cause: JwturnError
    asked: bool = True


Outcome: TypeAlias = Loaded | Unchanged | Failed


def decide(cache: Cache, kid: str, now: float, *, waited: bool = False) -> tuple[Cache, Verdict]:
    """What to do for a token of this kid; `waited`: its caller has waited for a fetch already.

    The cache is the very one handed in unless something was claimed or learnt.
    """
    held = cache.held
    if held is None or not usable(cache, now):
        return _without_keys(cache, now, waited=waited)
    if kid in held.kids:
        renewed, flight = refresh(cache, now)
        return renewed, Use(held, flight)
    if waited and not cache.failures:
        if cache.flight is not None and under_way(cache, now) is None:
            return cache, Refuse(None, BACKOFF_SECONDS_MIN)
        return _missed(cache, kid, now), Unknown()
    if (missed := cache.unknown.get(kid)) is not None and missed.at <= now < missed.until:
        return cache, Unknown()
    if (flight := under_way(cache, now)) is not None and not waited:
        return cache, Wait(flight)
    if cache.failures and (waited or _backing_off(cache, now)):
        return cache, Refuse(cache.cause, max(cache.retry_at - now, BACKOFF_SECONDS_MIN))
    if level(cache, now) < 1:
        return cache, Refuse(cache.cause, REFILL_SECONDS) if cache.failures else Unknown()
    claimed, flight = claim(cache, now)
    return claimed, Fetch(flight)


def fixed(keys: Any, kids: Container[str], record: Any = None) -> Cache:
    """The cache of a set that was handed in: it never ends, and there is nobody to ask."""
    held = Held(keys, kids, 1, -math.inf, math.inf, math.inf, math.inf, record=record)
    return Cache(held=held, level=-math.inf, level_at=_BEFORE_ANY_CLOCK)


def refresh(cache: Cache, now: float) -> tuple[Cache, Flight | None]:
    """The renewal that is due now, claimed; nobody waits for it."""
    if cache.held is None or under_way(cache, now) is not None or _backing_off(cache, now):
        return cache, None
    if cache.held.since <= now < cache.held.refresh_at or level(cache, now) < 1:
        return cache, None
    return claim(cache, now)


def next_refresh(cache: Cache, now: float) -> float:
    """When `refresh` will have something to do, if nothing else happens; infinity where there is no set."""
    if cache.held is None:
        return math.inf
    filled = now + max(1 - level(cache, now), 0) * REFILL_SECONDS
    landed = cache.flight.until if cache.flight is not None else now
    return max(cache.held.refresh_at, cache.retry_at, filled, landed)


def absorb(cache: Cache, flight: Flight, outcome: Outcome, now: float, jitter: float) -> Cache:
    """The cache after this flight; one that was given up as lost changes nothing.

    `jitter`, drawn once from [0, 1), spreads the next renewal of many verifiers.
    """
    if cache.flight is None or cache.flight.number != flight.number:
        return cache
    landed = replace(cache, flight=None)
    if isinstance(outcome, Failed):
        failures = cache.failures + 1
        wait = min(BACKOFF_SECONDS_MIN * 2.0 ** min(failures - 1, 10), BACKOFF_SECONDS_MAX)
        wait = max(BACKOFF_SECONDS_MIN, wait * (1 - jitter / 4))
        if not outcome.asked and usable(cache, now):
            wait = 0.0  # or whoever comes when this set has ended would have to wait for nothing
        landed = replace(landed, failures=failures, failed_at=now, retry_at=now + wait, cause=outcome.cause)
        return replace(landed, excused_at=now) if outcome.asked else landed
    fresh = _held(cache, flight, outcome, jitter)
    if fresh is None:
        return landed
    never = -math.inf
    landed = replace(landed, failures=0, failed_at=never, excused_at=never, retry_at=never, cause=None)
    return replace(landed, held=fresh)


def usable(cache: Cache, now: float) -> bool:
    """Whether tokens may be judged by the set held: within its lifetime, or while it cannot be renewed."""
    held = cache.held
    if held is None:
        return False
    if held.since <= now < held.fresh_until:
        return True
    tried = 0 <= now - cache.excused_at <= RECENT_SECONDS
    return tried and now < held.stale_until


def under_way(cache: Cache, now: float) -> Flight | None:
    """The fetch that is neither over nor lost."""
    flight = cache.flight
    return flight if flight is not None and flight.since <= now < flight.until else None


def level(cache: Cache, now: float) -> float:
    """How many fetches the bucket allows."""
    if now < cache.level_at:
        return max(cache.level, 1.0)
    return min(BURST, cache.level + (now - cache.level_at) / REFILL_SECONDS)


def pin(
    pins: Mapping[str, str], keys: Iterable[Jwk]
) -> tuple[tuple[Jwk, ...], tuple[RefusedKey, ...], Mapping[str, str]]:
    """The keys that are what their kid always was, those that are not, and what is known of kids now.

    A kid names one key and one alg for ever: new material under an old kid is refused with an alarm.
    """
    known, good, refused = dict(pins), [], []
    for key in keys:
        kid = key.kid or thumbprint(key.public)
        print_ = f"{key.alg} {thumbprint(key.public)}"
        pinned = known.pop(kid, print_)
        if pinned == print_:
            good.append(key)
        else:
            refused.append(RefusedKey(kid, "jwk_changed"))
        known[kid] = pinned
    for old in list(known)[: max(len(known) - PINS_MAX, 0)]:
        del known[old]
    return tuple(good), tuple(refused), known


def _without_keys(cache: Cache, now: float, *, waited: bool) -> tuple[Cache, Verdict]:
    if not waited and (flight := under_way(cache, now)) is not None:
        return cache, Wait(flight)
    if waited and cache.held is not None and now < cache.held.stale_until:
        return cache, Use(cache.held)
    if waited or _backing_off(cache, now):
        return cache, Refuse(cache.cause, max(cache.retry_at - now, BACKOFF_SECONDS_MIN))
    claimed, flight = claim(cache, now)
    return claimed, Fetch(flight)


def claim(cache: Cache, now: float) -> tuple[Cache, Flight]:
    """The fetch that begins now, taken from the bucket whether there was one in it or not."""
    flight = Flight(cache.flights + 1, now, now + cache.bounds.fetch_time_max + GRACE_SECONDS)
    left = max(level(cache, now) - 1, 0.0)
    return replace(cache, flight=flight, flights=flight.number, level=left, level_at=now), flight


def _backing_off(cache: Cache, now: float) -> bool:
    return cache.failed_at <= now < cache.retry_at


def _missed(cache: Cache, kid: str, now: float) -> Cache:
    before = cache.unknown.get(kid)
    if before is not None and before.at <= now < before.until:
        return cache
    wait = 1.0 if before is None else min(2 * (before.until - before.at), UNKNOWN_SECONDS_MAX)
    unknown = {**cache.unknown, kid: Missed(now, now + wait)}
    if len(unknown) > UNKNOWN_MAX:
        del unknown[next(iter(unknown))]
    return replace(cache, unknown=unknown)


def _held(cache: Cache, flight: Flight, outcome: Loaded | Unchanged, jitter: float) -> Held | None:
    """The set, its times counted from before it was asked for; None where nothing is there to renew."""
    bounds, since = cache.bounds, flight.since
    said = LIFETIME_SECONDS_UNSAID if outcome.lifetime is None else outcome.lifetime
    lifetime = min(max(said, LIFETIME_SECONDS_MIN), bounds.keys_ttl_max)
    ahead = min(lifetime * (0.75 + 0.15 * jitter), lifetime - 2 * bounds.fetch_time_max)
    refresh_at = since + max(ahead, lifetime / 2)
    until = since + lifetime
    before = cache.held
    if isinstance(outcome, Loaded):
        number = 1 if before is None else before.generation + 1
        if before is not None and outcome.keys is before.keys:
            number = before.generation
        return Held(
            outcome.keys,
            outcome.kids,
            number,
            since,
            refresh_at,
            until,
            until + bounds.stale_max,
            outcome.etag,
            outcome.record,
        )
    if before is None:
        return None
    return replace(
        before, since=since, refresh_at=refresh_at, fresh_until=until, stale_until=until + bounds.stale_max
    )

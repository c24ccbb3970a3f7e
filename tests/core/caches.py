"""Caches of an issuer's keys in the states that tests begin from."""

from jwturn.core.errors import KeysUnavailable
from jwturn.core.jwks_cache import (
    Cache,
    Failed,
    Fetch,
    Flight,
    Held,
    Loaded,
    Verdict,
    absorb,
    claim,
    decide,
)

DOWN = Failed(KeysUnavailable("down"))
START = 1000.0
HOUR = 3600.0


def loaded(*kids: str, lifetime: float | None = HOUR, etag: str | None = None) -> Loaded:
    return Loaded(f"keys {kids}", frozenset(kids), lifetime, etag)


def holding(*kids: str, lifetime: float | None = HOUR, jitter: float = 0.0, now: float = START) -> Cache:
    """A cache that fetched these kids in no time; three fetches are left in its bucket."""
    cache, flight = claim(Cache(), now)
    return absorb(cache, flight, loaded(*kids, lifetime=lifetime), now, jitter)


def fetch(cache: Cache, kid: str, now: float) -> tuple[Cache, Flight]:
    """Asks for a kid, where the answer must be to fetch."""
    cache, verdict = decide(cache, kid, now)
    assert isinstance(verdict, Fetch)
    return cache, verdict.flight


def failed(cache: Cache, kid: str, now: float, jitter: float = 0.0) -> Cache:
    cache, flight = fetch(cache, kid, now)
    return absorb(cache, flight, DOWN, now, jitter)


def held(cache: Cache) -> Held:
    assert cache.held is not None
    return cache.held


def asked(cache: Cache, kid: str, now: float, *, waited: bool = False) -> Verdict:
    return decide(cache, kid, now, waited=waited)[1]

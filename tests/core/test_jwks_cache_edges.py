"""The figures of the cache, and its decisions at the very moment a limit is reached."""

import math

from jwturn.core import jwks_cache
from jwturn.core.jwks_cache import Bounds, Cache


def test_the_figures_are_those_of_the_required_behaviour() -> None:
    """SECURITY.md 7: another number here is another product, not a matter of taste."""
    figures = {name: value for name, value in vars(jwks_cache).items() if name.isupper() and name[0] != "_"}
    assert figures == {
        "BURST": 4,
        "REFILL_SECONDS": 30.0,
        "BACKOFF_SECONDS_MIN": 1.0,
        "BACKOFF_SECONDS_MAX": 30.0,
        "LIFETIME_SECONDS_MIN": 60.0,
        "LIFETIME_SECONDS_UNSAID": 300.0,
        "RECENT_SECONDS": 60.0,
        "UNKNOWN_MAX": 1024,
        "UNKNOWN_SECONDS_MAX": 300.0,
        "PINS_MAX": 4096,
        "GRACE_SECONDS": 1.0,
    }
    assert Bounds() == Bounds(keys_ttl_max=3600.0, stale_max=3600.0, fetch_time_max=5.0)


def test_a_new_cache_has_a_full_bucket_and_never_failed() -> None:
    new = Cache()
    assert (new.flights, new.failures, new.level) == (0, 0, jwks_cache.BURST)
    assert (new.level_at, new.failed_at, new.retry_at) == (-math.inf,) * 3

"""A policy whose lead is about a quarter of an hour: for tests that live through many turns."""

from datetime import timedelta
from typing import Any, Final

MIN: Final = timedelta(minutes=1)
S: Final = timedelta(seconds=1)
SHORT: Final[dict[str, Any]] = {
    "rotate_every": 120 * MIN,
    "rollback_window": 5 * MIN,
    "token_ttl_max": 10 * MIN,
    "publish_delay_max": 2 * MIN,
    "jwks_max_age": MIN,
    "edge_ttl_max": MIN,
    "verifier_ttl_max": 10 * MIN,
    "fetch_time_max": S,
    "clock_skew_max": S,
    "signer_lease": 2 * MIN,
    "leeway_max": MIN,
}
"""D = 2 min, E = 1 min, V = 10 min; ten ticks of a minute fit into the lead."""
MATURE: Final = 20 * MIN
"""Longer than a lead with its ticks."""
GONE: Final = 30 * MIN
"""Longer than a lease, a token's life, the tail and their ticks."""

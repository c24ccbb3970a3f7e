"""Keys and rings made field by field, for tests of exact moments."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from jwturn.core.keys import Hold, Key, KeyRing
from jwturn.core.leases import Lease, Mark, RingLeases
from jwturn.core.policy import RotationPolicy
from jwturn.core.states import ACTIVE, STANDBY, VERIFY_ONLY
from jwturn.core.timing import Moment, Now, lead, tail
from tests.core.world import DAY, START, TICK, World

HOUR = timedelta(hours=1)
PART = timedelta(microseconds=300)
POLICY = RotationPolicy()
LEAD, TAIL, WINDOW = lead(POLICY.bounds), tail(POLICY.bounds), POLICY.rollback_window
SEEN = 5 * HOUR
EARLY = Moment(START + PART, SEEN)
NOW = Now(START + 9 * DAY, 9 * DAY, TICK)
HOLD = Hold("ann", "why", START)
NONE = RingLeases()


def key(kid: str = "k1", alg: str = "ES256", **changes: Any) -> Key:
    return replace(World().key(alg), kid=kid, **changes)


def past(kid: str = "k1", **changes: Any) -> Key:
    """A key that signed once and was superseded."""
    steps: dict[str, Any] = {
        "state": VERIFY_ONLY,
        "published": EARLY,
        "promoted": EARLY,
        "superseded": EARLY,
        "sign_from": START,
    }
    return key(kid, **(steps | changes))


def ring(*keys: Key, **changes: Any) -> KeyRing:
    return replace(World().ring, keys=keys, **changes)


def marked(exp: datetime, seen: timedelta = SEEN, kid: str = "k1") -> RingLeases:
    return RingLeases((), (Mark("n", kid, exp, seen, 1),))


def leased(until: datetime, kid: str = "k1") -> RingLeases:
    return RingLeases((Lease("n", kid, 1, until),), ())


def active(kid: str = "active", **changes: Any) -> Key:
    return past(kid, **({"state": ACTIVE, "superseded": None, "sign_until": START + 90 * DAY} | changes))


def ready(kid: str, alg: str = "ES256", **changes: Any) -> Key:
    """A mature standby."""
    return key(kid, alg, **({"state": STANDBY, "published": EARLY, "sign_from": START} | changes))


def ripening(kid: str, alg: str = "ES256", *, at: datetime, **changes: Any) -> Key:
    """A standby whose promise ends at `at`."""
    return ready(kid, alg, sign_from=at, **changes)

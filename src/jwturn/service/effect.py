"""What a revocation will do, before it is done.

The tokens it ends, who signs next, and when each declared verifier stops trusting the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jwturn.core.guards import mature_standby
from jwturn.core.keys import Key
from jwturn.core.leases import last_exp
from jwturn.core.policy import UNKNOWN_FLEET
from jwturn.core.states import ACTIVE
from jwturn.core.timing import exposure, horizon
from jwturn.ports.store import View


@dataclass(frozen=True, slots=True)
class VerifierEnd:
    """When one kind of verifier stops trusting a revoked key.

    `bound` None means never, if it cannot refresh.
    """

    name: str
    healthy: timedelta
    usual: timedelta | None
    bound: timedelta | None


@dataclass(frozen=True, slots=True)
class RevokeEffect:
    """What revoking a key now does. `live_tokens` counts what nodes reported (renewals carry it)."""

    kid: str
    alg: str
    state: str
    live_tokens: int
    last_exp: datetime | None
    replacement: Key | None
    signers_refresh: timedelta
    signers_lease: timedelta
    verifiers: tuple[VerifierEnd, ...]


def revoke_effect(view: View, kid: str, counts: Mapping[str, Mapping[int, int]]) -> RevokeEffect:
    """The effect of revoking `kid` (or its beginning) now. Raises NotFound."""
    ring, now = view.ring, view.now
    key = ring.find(kid)
    active = key.state is ACTIVE
    successor = mature_standby(ring, now)
    minute = int(now.at.timestamp()) // 60
    live = sum(number for expiry, number in counts.get(key.kid, {}).items() if expiry >= minute)
    return RevokeEffect(
        kid=key.kid,
        alg=key.alg,
        state=key.state,
        live_tokens=live,
        last_exp=last_exp(view.leases, key),
        replacement=successor if active and successor is not None and successor.kid != key.kid else None,
        signers_refresh=ring.policy.signer_refresh if active else timedelta(),
        signers_lease=ring.policy.signer_lease if active else timedelta(),
        verifiers=verifier_ends(view),
    )


def verifier_ends(view: View) -> tuple[VerifierEnd, ...]:
    """When each declared kind of verifier stops trusting a key that is revoked now, the slowest last."""
    policy = view.ring.policy
    bounds = policy.bounds
    if not policy.declared:
        ttl = policy.verifier_ttl_given or UNKNOWN_FLEET
        bound = exposure(bounds, ttl, policy.stale_max)
        return (VerifierEnd("any verifier", horizon(bounds, ttl), None, bound),)
    ends = [
        VerifierEnd(v.name, horizon(bounds, v.lifetime), v.usual, exposure(bounds, v.lifetime, v.stale_max))
        for v in policy.declared
    ]
    return tuple(sorted(ends, key=lambda end: end.healthy))

"""Callers: bearer tokens (RFC 6750), their roles and rings, and how often each may call.

Rows are read again every two seconds, so that a withdrawn token stops within five; a store that does not
answer leaves the known rows in use for as long as a lease would let a node sign. An unknown token makes the
store be read again, and for that each client has a small allowance: guessing is slow, and good callers
behind the same proxy are not touched by it.
"""

import hmac
from datetime import timedelta
from typing import Final

from jwturn.core.errors import NotPermitted, Unauthenticated
from jwturn.core.policy import RotationPolicy
from jwturn.core.tokens import PERMITS, PREFIX, ApiToken, Permission, digest
from jwturn.ports.clock import Clock
from jwturn.ports.store import ApiTokens
from jwturn.server.call import Call
from jwturn.server.lanes import Lane, Recent
from jwturn.server.limits import Buckets

REREAD: Final = timedelta(seconds=2)
GOOD: Final = RotationPolicy().signer_lease
FAILURES_RATE: Final = 1.0
FAILURES_BURST: Final = 10
TOKEN_MAX: Final = 256


class Callers:
    """Who may do what. `rate_max`: calls a second of one token."""

    def __init__(self, store: ApiTokens, lane: Lane, clock: Clock, *, rate_max: int) -> None:
        self._store = store
        self._clock = clock
        self._rows = Recent(self._read, lane, clock, fresh=REREAD, good=GOOD)
        self._rates = Buckets(clock, rate=rate_max, burst=rate_max)
        self._failures = Buckets(clock, rate=FAILURES_RATE, burst=FAILURES_BURST)

    async def demand(self, call: Call, permission: Permission) -> ApiToken:
        """The caller, if its token is live and permits the call.

        Raises Unauthenticated, NotPermitted, Overloaded, IntegrityError (a row was edited).
        """
        presented = _bearer(call)
        fingerprint = digest(presented)
        row = (await self._rows.get()).get(fingerprint)
        if row is None:
            self._failures.take(call.client, f"the client {call.client}, with unknown tokens,")
            row = (await self._rows.again()).get(fingerprint)
        if row is None or not hmac.compare_digest(row.digest, fingerprint):
            raise _refused("token_unknown", "the API token is not known here")
        self._demand_live(row)
        self._rates.take(row.name, f"the API token {row.name}")
        demand_permission(row, permission, call.ring or None)
        return row

    def _read(self) -> dict[str, ApiToken]:
        return {row.digest: row for row in self._store.tokens()}

    def _demand_live(self, row: ApiToken) -> None:
        if row.live(self._clock.now()):
            return
        if row.withdrawn is not None:
            raise _refused("token_withdrawn", f"the API token {row.name} was withdrawn")
        raise _refused(
            "token_expired", f"the API token {row.name} expired at {row.expires:%Y-%m-%d %H:%M:%SZ}"
        )


def demand_permission(caller: ApiToken, permission: Permission, ring: str | None) -> None:
    """Raises NotPermitted; without a ring (a list) the answer is filtered by the token's rings."""
    in_role = permission in PERMITS[caller.role]
    if in_role and (ring is None or caller.permits(permission, ring)):
        return
    able = ", ".join(role for role, permits in PERMITS.items() if permission in permits)
    if in_role:
        raise NotPermitted(
            f"the API token {caller.name} is not for ring {ring}",
            hint=f"it is for: {', '.join(caller.rings)}",
        )
    raise NotPermitted(
        f"the role {caller.role} of the API token {caller.name} may not do this",
        hint=f"roles that may: {able}",
    )


def _bearer(call: Call) -> str:
    given = call.headers(b"authorization")
    if not given:
        raise _refused("token_missing", "this call needs an API token")
    scheme, _, presented = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or len(presented) > TOKEN_MAX or not presented.isascii():
        raise _refused("token_malformed", "the Authorization header is not `Bearer` and one API token")
    if not presented.startswith(PREFIX):
        raise _refused("token_unknown", "the API token is not known here")
    return presented


def _refused(code: str, message: str) -> Unauthenticated:
    hint = f"Authorization: Bearer {PREFIX}...; `jwturn token new` makes a token"
    return Unauthenticated(message, hint=hint, code=code)

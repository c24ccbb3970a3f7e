"""POST /v1/rings/{ring}/sign: claims in, token out.

A fast key under a live lease signs in the event loop; whatever may block or takes longer goes to a thread.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from jwturn.core.errors import BadInput, TooLarge
from jwturn.server import bodies, shown
from jwturn.server.answers import json_answer
from jwturn.server.call import Call
from jwturn.server.service import Service
from jwturn.service.publish import Answer
from jwturn.service.sign import Signed, SigningService

FAST: Final = frozenset({"ES256", "EdDSA", "Ed25519", "HS256", "HS384", "HS512"})
"""Algorithms that sign in less time than it takes to hand the work to a thread (below 50 us)."""
INLINE_MAX: Final = 8
_BODY: Final = frozenset({"claims", "ttl", "audience"})


async def sign(service: Service, call: Call) -> Answer:
    """One token, or a token for each set of claims of a batch; all or none."""
    body: bodies.Sign = call.body
    if (body.claims is None) == (body.batch is None):
        raise BadInput("say either claims or batch", hint=bodies.Sign.stray, code="claims_missing")
    sets = [body.claims] if body.claims is not None else body.batch or []
    for item in body.batch or ():
        _demand_claims(item)
    if len(sets) > service.batch_max:
        raise TooLarge(
            f"a batch may hold {service.batch_max} sets of claims, not {len(sets)}",
            hint="send several batches, or raise service.batch_max",
        )
    signing = service.app.signing
    ttl = bodies.lifetime(body.ttl)
    work = partial(_signed, signing, call.ring, sets, ttl, audience=body.audience)
    key = signing.holds(call.ring)
    inline = key is not None and key.alg in FAST and len(sets) <= INLINE_MAX
    signed = work() if inline else await service.signing_lane.run(work)
    told = [shown.Token(token=one.token, kid=one.kid, expires_at=one.expires) for one in signed]
    return json_answer(told[0] if body.claims is not None else shown.Tokens(tokens=told))


def _demand_claims(item: Mapping[str, Any]) -> None:
    """Raises BadInput for an item that is a body of its own: its token would have no subject."""
    if isinstance(item.get("claims"), dict) and _BODY.issuperset(item):
        raise BadInput(
            "an item of the batch holds claims inside claims",
            hint='an item is a claims set: {"batch": [{"sub": "alice"}], "ttl": "10m"}',
            code="claims_malformed",
        )


def _signed(
    signing: SigningService,
    ring: str,
    sets: Sequence[Mapping[str, Any]],
    ttl: timedelta | None,
    *,
    audience: str | None,
) -> list[Signed]:
    return [signing.sign(ring, claims, ttl=ttl, audience=audience) for claims in sets]

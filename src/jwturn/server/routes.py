"""The table of routes: what is dispatched, what needs which permission, and what /openapi.json says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from jwturn.core.tokens import Permission
from jwturn.server import bodies, readiness, rings, shown, wellknown
from jwturn.server.answers import JSON
from jwturn.server.call import Call
from jwturn.server.commands import command
from jwturn.server.service import Service
from jwturn.server.sign import sign
from jwturn.service.publish import JWKS_PATH, JWKS_TYPE, Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path and method. `needs` None: anyone may call. `answers`.

    The struct of a 200, or None for a document.

    `limited`: whether it takes a place at the gate. Sets from memory and probes do not: they are read once
    for all who ask, and a node that is overloaded must be able to say so.
    """

    path: str
    endpoint: Callable[[Service, Call], Awaitable[Answer]]
    summary: str
    method: str = "GET"
    needs: Permission | None = None
    body: type[msgspec.Struct] | None = None
    answers: type[shown.Shown] | None = None
    media: str = JSON
    also: type[shown.Shown] | None = None
    query: tuple[str, ...] = ()
    limited: bool = True


async def metrics(service: Service, _call: Call) -> Answer:
    """The metrics of this node."""
    body = await service.probe("metrics", partial(service.metrics.text, service.app))
    return Answer(200, {"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"}, body)


async def openapi(service: Service, _call: Call) -> Answer:
    """This table, as OpenAPI 3.1."""
    return Answer(200, {"content-type": JSON, "cache-control": "no-cache"}, service.document)


_RING: Final = "/v1/rings/{ring}"
_JWKS: Final = partial(Route, media=JWKS_TYPE, limited=False)
_OPENID: Final = partial(
    Route, endpoint=wellknown.openid, summary="Metadata of an issuer (OpenID Connect Discovery)"
)
_OAUTH: Final = partial(Route, endpoint=wellknown.oauth, summary="Metadata of an issuer (RFC 8414)")
_READ: Final = partial(Route, needs=Permission.READ)
_DO: Final = partial(Route, method="POST", needs=Permission.OPERATE, answers=shown.Done)

SIGN: Final = Route(
    method="POST",
    path=f"{_RING}/sign",
    endpoint=sign,
    summary="Claims in, token out; or a batch of them",
    needs=Permission.SIGN,
    body=bodies.Sign,
    answers=shown.Token,
    also=shown.Tokens,
)
BARE_JWKS: Final = _JWKS(
    path=JWKS_PATH,
    endpoint=wellknown.issuer_jwks,
    summary="The set of the one issuer, or of the one at this Host",
)
RING_JWKS: Final = _JWKS(
    path=f"/rings/{{ring}}{JWKS_PATH}", endpoint=wellknown.ring_jwks, summary="A ring's own set"
)
ISSUER_JWKS: Final = _JWKS(
    path=f"/{{issuer:path}}{JWKS_PATH}",
    endpoint=wellknown.issuer_jwks,
    summary="The set of the issuer whose URL has this Host and path",
)

ROUTES: Final[tuple[Route, ...]] = (
    BARE_JWKS,
    RING_JWKS,
    ISSUER_JWKS,
    _OPENID(path=wellknown.OPENID),
    _OPENID(path=f"/{{issuer:path}}{wellknown.OPENID}"),
    _OAUTH(path=wellknown.OAUTH),
    _OAUTH(path=f"{wellknown.OAUTH}/{{issuer:path}}"),
    _OAUTH(path=f"/{{issuer:path}}{wellknown.OAUTH}"),
    SIGN,
    _READ(path="/v1/rings", endpoint=rings.rings, summary="The rings the token is for", answers=shown.Rings),
    _READ(
        path=_RING, endpoint=rings.ring, summary="A ring: policy, keys, agenda, findings", answers=shown.Ring
    ),
    _READ(
        path=f"{_RING}/plan",
        endpoint=rings.plan,
        summary="What will happen, when and why",
        answers=shown.Plan,
    ),
    _READ(path=f"{_RING}/keys", endpoint=rings.keys, summary="The keys of a ring", answers=shown.Keys),
    _READ(
        path=f"{_RING}/events",
        endpoint=rings.events,
        summary="Lines of the ring's audit chain",
        answers=shown.EventList,
        query=("after", "limit"),
    ),
    Route(
        path=f"{_RING}/secrets",
        endpoint=rings.secrets,
        summary="The current and overlapping secrets of a symmetric ring",
        needs=Permission.SECRETS,
        answers=shown.Secrets,
    ),
    _DO(path=f"{_RING}/rotate", endpoint=command("rotate"), summary="Book the turn", body=bodies.Command),
    _DO(
        path=f"{_RING}/promote",
        endpoint=command("promote"),
        summary="Promote a standby now",
        body=bodies.Promote,
    ),
    _DO(
        path=f"{_RING}/revoke",
        endpoint=command("revoke"),
        summary="End trust in a key; the answer says the effect",
        needs=Permission.ADMIN,
        body=bodies.OfKey,
    ),
    _DO(
        path=f"{_RING}/rollback",
        endpoint=command("rollback"),
        summary="Make the key before the last turn active again",
        body=bodies.Command,
    ),
    _DO(path=f"{_RING}/discard", endpoint=command("discard"), summary="Drop a standby", body=bodies.OfKey),
    _DO(
        path=f"{_RING}/hold",
        endpoint=command("hold"),
        summary="Keep automation off a key, or off the ring's turns",
        body=bodies.OfKeyOrRing,
    ),
    _DO(
        path=f"{_RING}/release",
        endpoint=command("release"),
        summary="Lift the holds",
        body=bodies.OfKeyOrRing,
    ),
    _DO(
        path=f"{_RING}/delivered",
        endpoint=command("delivered"),
        summary="Every verifier has the standby secret",
        body=bodies.OfKey,
    ),
    _DO(
        path=f"{_RING}/policy",
        endpoint=command("policy"),
        summary="Change the policy; no promise to a living key is shortened",
        needs=Permission.ADMIN,
        body=bodies.Policy,
    ),
    Route(path="/livez", endpoint=readiness.livez, summary="Alive", answers=readiness.Alive, limited=False),
    Route(
        path="/readyz",
        endpoint=readiness.readyz,
        summary="Ready to answer every JWKS",
        answers=readiness.Ready,
        limited=False,
    ),
    Route(
        path="/readyz/sign",
        endpoint=readiness.readyz_sign,
        summary="Ready to sign for every ring",
        answers=readiness.SignersReady,
        limited=False,
    ),
    Route(path="/metrics", endpoint=metrics, summary="Prometheus metrics", media="text/plain", limited=False),
    Route(path="/openapi.json", endpoint=openapi, summary="This document"),
)

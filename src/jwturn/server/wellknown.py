"""The well-known paths: JWKS and discovery. Anyone may read them, from any origin."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from jwturn.core.errors import JwturnError, NotFound
from jwturn.server.answers import CORS, JSON, problem
from jwturn.server.call import Call
from jwturn.server.service import Service
from jwturn.service.publish import JWKS_PATH, Answer, Published, answer, discovery, unavailable

OPENID: Final = "/.well-known/openid-configuration"
OAUTH: Final = "/.well-known/oauth-authorization-server"


async def issuer_jwks(service: Service, call: Call) -> Answer:
    """The set of the issuer whose URL has this Host and path."""
    return await _carried(call, lambda: _of_issuer(service, call, call.path.removesuffix(JWKS_PATH)))


async def ring_jwks(service: Service, call: Call) -> Answer:
    """A ring's own set; an issuer whose URL has just this path comes first."""

    async def read() -> Published:
        try:
            return await _of_issuer(service, call, f"/rings/{call.ring}")
        except NotFound:
            return await service.sets.of_ring(call.ring)

    return await _carried(call, read)


async def openid(service: Service, call: Call) -> Answer:
    """OpenID Connect Discovery 1.0 section 4: the path stands before the well-known part."""
    return await _carried(call, lambda: _metadata(service, call, call.path.removesuffix(OPENID)))


async def oauth(service: Service, call: Call) -> Answer:
    """RFC 8414 section 3.1: the path stands after the well-known part; before it is understood as well."""
    path = call.path.removesuffix(OAUTH) if call.path.endswith(OAUTH) else call.path.removeprefix(OAUTH)
    return await _carried(call, lambda: _metadata(service, call, path.rstrip("/")))


async def _of_issuer(service: Service, call: Call, path: str) -> Published:
    return await service.sets.of_issuer(await service.sets.issuer_at(call.header(b"host"), path))


async def _metadata(service: Service, call: Call, path: str) -> Published:
    issuer = await service.sets.issuer_at(call.header(b"host"), path)
    found = await service.sets.of_issuer(issuer)
    body = discovery(issuer, issuer.rstrip("/") + JWKS_PATH, found.algs)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return replace(found, body=body, etag=etag, headers={**found.headers, "content-type": JSON, "etag": etag})


async def _carried(call: Call, read: Callable[[], Awaitable[Published]]) -> Answer:
    try:
        found = await read()
    except NotFound as error:
        return unavailable(error) if error.code == "no_store" else problem(error, headers=CORS)
    except JwturnError as error:
        return unavailable(error)
    return answer(found, call.header(b"if-none-match"))

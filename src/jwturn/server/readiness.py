"""Probes. Alive: the process answers. Ready: this node can answer every JWKS within D. Ready to sign.

It has a lease (and so the KEK opened the key), and the key it signs with is in the set served.
"""

from jwturn.compose import App
from jwturn.core.errors import JwturnError, NotFound
from jwturn.server.answers import json_answer
from jwturn.server.call import Call
from jwturn.server.service import Service
from jwturn.server.shown import Shown
from jwturn.service.publish import Answer


class Alive(Shown, frozen=True, kw_only=True):
    """The process answers."""

    alive: bool


class SetReady(Shown, frozen=True, kw_only=True):
    """Whether the set of an issuer can be served; `code` says why not."""

    issuer: str
    ready: bool
    code: str = ""


class Ready(Shown, frozen=True, kw_only=True):
    """Whether every set can be served."""

    ready: bool
    sets: list[SetReady]


class SignerReady(Shown, frozen=True, kw_only=True):
    """Whether this node can sign for a ring, and with which key; `code` says why not."""

    ring: str
    ready: bool
    kid: str | None = None
    code: str = ""


class SignersReady(Shown, frozen=True, kw_only=True):
    """Whether this node can sign for every ring."""

    ready: bool
    rings: list[SignerReady]


async def livez(_service: Service, _call: Call) -> Answer:
    """Alive; asks nothing of anybody."""
    return json_answer(Alive(alive=True))


async def readyz(service: Service, _call: Call) -> Answer:
    """Ready to answer every JWKS."""
    return _probed(await service.probe("sets", lambda: sets_ready(service.app)))


async def readyz_sign(service: Service, _call: Call) -> Answer:
    """Ready to sign for every ring."""
    return _probed(await service.probe("signers", lambda: signers_ready(service.app)))


def _probed(found: Ready | SignersReady) -> Answer:
    return json_answer(found, status=200 if found.ready else 503)


def sets_ready(app: App) -> Ready:
    """Every issuer's set, asked for as a caller would. A store that is away leaves known sets good for D."""
    try:
        issuers = sorted({row.issuer for row in app.store.rings()})
    except JwturnError:
        issuers = app.publisher.known_issuers()
    sets = [_set_ready(app, issuer) for issuer in issuers]
    return Ready(ready=bool(sets) and all(one.ready for one in sets), sets=sets)


def _set_ready(app: App, issuer: str) -> SetReady:
    try:
        app.publisher.issuer_set(issuer)
    except JwturnError as error:
        good = error.code == "no_key" and _needs_no_set(app, issuer)
        return SetReady(issuer=issuer, ready=good, code="" if good else error.code)
    return SetReady(issuer=issuer, ready=True)


def _needs_no_set(app: App, issuer: str) -> bool:
    """Whether its rings are symmetric, or have sets of their own that can be served."""
    try:
        for view in app.store.published(issuer):
            if not view.ring.policy.symmetric:
                app.publisher.ring_set(view.ring.name)
    except JwturnError:
        return False
    return True


def signers_ready(app: App) -> SignersReady:
    """Every ring, as a signer would begin. Takes leases that are not there."""
    try:
        rings = [_signer_ready(app, row.name, row.issuer) for row in app.store.rings()]
    except JwturnError as error:
        rings = [SignerReady(ring="", ready=False, code=error.code)]
    return SignersReady(ready=bool(rings) and all(one.ready for one in rings), rings=rings)


def _signer_ready(app: App, ring: str, issuer: str) -> SignerReady:
    try:
        key = app.signing.ready(ring)
        if not key.symmetric:
            served = app.publisher.issuer_set(issuer) if key.in_issuer_set else app.publisher.ring_set(ring)
            if key.kid not in served.kids:
                raise NotFound(f"key {key.kid} is not in the set served", code="not_published")
    except JwturnError as error:
        return SignerReady(ring=ring, ready=False, code=error.code)
    return SignerReady(ring=ring, ready=True, kid=key.kid)

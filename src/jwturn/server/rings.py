"""What callers may read of rings: state, plan, keys, events.

And, with role verifier, the secrets of a symmetric one.
"""

from functools import partial
from typing import Final

from jwturn.core.errors import NotFound
from jwturn.core.jwk import b64url
from jwturn.core.tokens import ApiToken
from jwturn.ports.store import View
from jwturn.server import shown, tell
from jwturn.server.answers import json_answer
from jwturn.server.call import Call
from jwturn.server.service import Service
from jwturn.service.publish import Answer

EVENTS_DEFAULT: Final = 100
EVENTS_MAX: Final = 1000
SEQ_MAX: Final = 10**15


async def rings(service: Service, call: Call) -> Answer:
    """The rings that the token is for."""
    rows = await service.reading_lane.run(service.app.store.rings)
    lines = [tell.ring_line(row) for row in rows if call.caller is None or _in_scope(call.caller, row.name)]
    return json_answer(shown.Rings(rings=lines))


async def ring(service: Service, call: Call) -> Answer:
    """A ring: policy, keys, agenda, findings."""
    store = service.app.store
    return json_answer(await service.reading_lane.run(lambda: tell.ring(store.load(call.ring), store.seen())))


async def plan(service: Service, call: Call) -> Answer:
    """What will happen to a ring, when and why."""
    return json_answer(tell.plan(await _view(service, call)))


async def keys(service: Service, call: Call) -> Answer:
    """The keys of a ring."""
    return json_answer(tell.keys(await _view(service, call)))


async def events(service: Service, call: Call) -> Answer:
    """Lines of the ring's audit chain."""
    after = call.number("after", 0, least=0, most=SEQ_MAX)
    limit = call.number("limit", EVENTS_DEFAULT, least=1, most=EVENTS_MAX)
    view = await _view(service, call)
    found = await service.reading_lane.run(partial(service.app.store.events, view.ring.id, after, limit))
    last = found[-1].seq if found else after
    return json_answer(shown.EventList(ring=call.ring, events=[tell.event(one) for one in found], last=last))


async def secrets(service: Service, call: Call) -> Answer:
    """The secrets of a symmetric ring as committed: standby, active and verify-only."""
    return json_answer(await service.reading_lane.run(partial(_secrets, service, call.ring)))


def _secrets(service: Service, name: str) -> shown.Secrets:
    view = service.app.store.load(name)
    found = [key for key in view.ring.published if key.symmetric and key.private is not None]
    if not found and not view.ring.policy.symmetric:
        raise NotFound(
            f"ring {name} has no secrets: it signs with {view.ring.policy.alg}",
            hint=f"its public keys: /rings/{name}/.well-known/jwks.json",
            code="asymmetric",
        )
    told = []
    for key in found:
        secret = service.app.custody.reveal(key, view.ring.id).reveal()
        told.append(
            shown.Secret(kid=key.kid, alg=key.alg, state=key.state, k=b64url(secret), text=_printable(secret))
        )
    return shown.Secrets(ring=name, issuer=view.ring.issuer, secrets=told)


def _printable(secret: bytes) -> str | None:
    text = secret.decode("latin-1")
    return text if text.isascii() and text.isprintable() else None


def _in_scope(caller: ApiToken, name: str) -> bool:
    return not caller.rings or name in caller.rings


async def _view(service: Service, call: Call) -> View:
    return await service.reading_lane.run(partial(service.app.store.load, call.ring))

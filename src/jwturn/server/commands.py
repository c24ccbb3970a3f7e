"""POST /v1/rings/{ring}/VERB: what a person may ask of a ring, over HTTP. Who is `token:NAME`.

Why is `reason`.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from jwturn.compose import App
from jwturn.core.ledger import Actor
from jwturn.core.policy import warnings
from jwturn.core.policy_text import diff, parse_changes
from jwturn.core.states import RETIRED
from jwturn.core.tokens import Permission
from jwturn.server import shown, tell
from jwturn.server.answers import json_answer
from jwturn.server.auth import demand_permission
from jwturn.server.call import Call
from jwturn.server.service import Service
from jwturn.service.publish import Answer
from jwturn.service.respond import Commands, Outcome

Act: TypeAlias = Callable[[Commands, str, Any, Actor], Outcome]

ACTS: Final[Mapping[str, Act]] = {
    "rotate": lambda do, ring, body, actor: do.rotate(ring, actor, dry_run=body.dry_run),
    "promote": lambda do, ring, body, actor: do.promote(
        ring, actor, kid=body.kid, before_lead=body.before_lead, dry_run=body.dry_run
    ),
    "revoke": lambda do, ring, body, actor: do.revoke(ring, actor, kid=body.kid, dry_run=body.dry_run),
    "rollback": lambda do, ring, body, actor: do.roll_back(ring, actor, dry_run=body.dry_run),
    "discard": lambda do, ring, body, actor: do.discard(ring, actor, kid=body.kid, dry_run=body.dry_run),
    "hold": lambda do, ring, body, actor: do.hold(ring, actor, kid=body.kid, dry_run=body.dry_run),
    "release": lambda do, ring, body, actor: do.release(ring, actor, kid=body.kid, dry_run=body.dry_run),
    "delivered": lambda do, ring, body, actor: do.delivered(ring, actor, kid=body.kid, dry_run=body.dry_run),
    "policy": lambda do, ring, body, actor: do.set_policy(
        ring, actor, changes=parse_changes(body.changes), dry_run=body.dry_run
    ),
}


def command(verb: str) -> Callable[[Service, Call], Awaitable[Answer]]:
    """The endpoint of a verb."""

    async def endpoint(service: Service, call: Call) -> Answer:
        caller = call.caller
        if caller is not None and getattr(call.body, "before_lead", False):
            demand_permission(caller, Permission.ADMIN, call.ring)
        name = caller.name if caller is not None else ""
        work = partial(
            _done, service.app, verb, call.ring, call.body, Actor(f"token:{name}", call.body.reason)
        )
        key = call.header(b"idempotency-key")
        if key is None or call.body.dry_run:
            return json_answer(await service.command_lane.run(work))
        place = (name, call.path, key)
        answered = service.replays.begin(place, call.raw)
        if answered is None:
            try:
                answered = json_answer(await service.command_lane.run(work))
            finally:
                service.replays.end(place, answered)
        return answered

    return endpoint


def _done(app: App, verb: str, ring: str, body: Any, actor: Actor) -> shown.Done:
    """Does it, and lets this node's sets show it before the answer leaves; its signer follows at once."""
    before = app.store.load(ring).ring.policy
    effect = tell.effect(app.revoke_effect(ring, body.kid)) if verb == "revoke" else None
    outcome = ACTS[verb](app.commands, ring, body, actor)
    if not body.dry_run:
        app.publisher.refresh()
        app.loop.wake()
    after = outcome.ring
    return shown.Done(
        ring=ring,
        dry_run=body.dry_run,
        epoch=after.epoch,
        turn_at=after.turn_at,
        steps=[tell.step(step) for step in outcome.steps],
        keys={key.kid: key.state for key in after.keys if key.state is not RETIRED},
        effect=effect,
        changes=diff(before, after.policy) if verb == "policy" else None,
        warnings=warnings(after.policy) if verb == "policy" else [],
    )

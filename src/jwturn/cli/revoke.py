"""revoke: ends trust in a key, after showing what that does."""

from typing import TYPE_CHECKING, Any

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb, dry_run, reason, yes

if TYPE_CHECKING:
    from datetime import datetime

    from jwturn.core.keys import KeyRing
    from jwturn.ports.store import View
    from jwturn.service.effect import RevokeEffect

EXAMPLE = """\
$ jwturn revoke b7Jm2kQe --reason "laptop stolen"
key b7Jm2kQe (ES256) is ACTIVE: 41,870 live tokens fail if you revoke now; the last would have expired in 54m
replacement xK9dQ41c has been published for 3d: every declared verifier holds it
trust ends:
  signers <= 10s, cut off <= 10m
  jose <= 46m 3s, usually 10m, 1h 47m if it cannot refresh
Type the kid to revoke (b7Jm2kQe): b7Jm2kQe"""


@click.command(cls=Verb, example=EXAMPLE)
@click.argument("kid")
@reason
@yes
@dry_run
@click.pass_obj
def revoke(inv: Invocation, *, kid: str, reason: str | None, yes: bool, dry_run: bool) -> int:
    """End trust in a key at once, after showing the effect.

    It leaves the JWKS, its private half is destroyed, and the mature standby takes over in the same commit.
    """
    from jwturn.cli.rings import kids_of, ring_json, step_json

    with inv.open() as app:
        name, actor = inv.ring_name, inv.actor(reason)
        effect, view = app.revoke_effect(name, kid), app.store.load(name)
        shown = kids_of(view.ring)
        done = app.commands.revoke(name, actor, kid=effect.kid, dry_run=True)
        for line in _words(view, effect):
            (inv.show if dry_run else inv.say)(line)
        if not dry_run:
            inv.confirm(effect.kid, shown[effect.kid], "revoke", yes=yes)
            done = app.commands.revoke(name, actor, kid=effect.kid)
            app.rotator.turn(name)
        after = app.store.load(name)
        if not dry_run:
            inv.show(f"key {shown[effect.kid]} is revoked; {_successor(after)}")
        steps = [step_json(step) for step in done.steps]
        inv.emit(dry_run=dry_run, effect=_json(effect), steps=steps, ring=ring_json(after))
    return 0


def _words(view: "View", effect: "RevokeEffect") -> list[str]:
    from jwturn.cli.output import count
    from jwturn.cli.rings import kids_of
    from jwturn.cli.trust import ends_words
    from jwturn.core.durations import format_duration

    active, now = effect.state == "active", view.now.at
    fail = "fails" if effect.live_tokens == 1 else "fail"
    tokens = (
        f"{count(effect.live_tokens, 'live token')} {fail} if you revoke now{_last(effect.last_exp, now)}"
    )
    state = effect.state.upper() if active else effect.state
    lines = [f"key {kids_of(view.ring)[effect.kid]} ({effect.alg}) is {state}: {tokens}"]
    if active:
        lines.append(_replacement(view, effect))
    refresh, lease = (format_duration(span) for span in (effect.signers_refresh, effect.signers_lease))
    ends = [f"signers <= {refresh}, cut off <= {lease}"] if active else []
    ends += [ends_words([end]) for end in effect.verifiers]
    return [*lines, "trust ends:", *(f"  {words}" for words in ends)]


def _last(exp: "datetime | None", now: "datetime") -> str:
    from jwturn.cli.output import relative

    if exp is None or exp <= now:
        return ""
    return f"; the last would have expired at {exp:%H:%M} UTC ({relative(exp, now)}) at the latest"


def _replacement(view: "View", effect: "RevokeEffect") -> str:
    from jwturn.cli.rings import kids_of, until_one_may_sign
    from jwturn.core.durations import format_duration

    key = effect.replacement
    if key is None:
        after = f"NO replacement is mature: nobody signs {until_one_may_sign(view)}"
        ends = "promote --before-lead costs refusals, and ends it at once"
        return f"{after} ({ends}){_way_back(view.ring)}"
    shown = kids_of(view.ring)[key.kid]
    if key.published is None:
        return f"replacement {shown} takes over at once"
    held = format_duration(view.now.at - key.published.at, parts=1)
    return f"replacement {shown} has been published for {held}: every declared verifier holds it"


def _way_back(ring: "KeyRing") -> str:
    from jwturn.cli.rings import kids_of
    from jwturn.core.guards import rollback_target

    target = rollback_target(ring)
    if target is None:
        return ""
    shown = kids_of(ring)[target.kid]
    return f"\n{shown} signed before and every verifier holds it: jwturn rollback makes it sign again"


def _successor(view: "View") -> str:
    from jwturn.cli.rings import kids_of, until_one_may_sign

    ring = view.ring
    if ring.active is None:
        return f"nobody signs {until_one_may_sign(view)}"
    return f"{kids_of(ring)[ring.active.kid]} signs"


def _json(effect: "RevokeEffect") -> dict[str, Any]:
    from jwturn.cli.trust import ends_json

    return {
        "kid": effect.kid,
        "alg": effect.alg,
        "state": effect.state,
        "live_tokens": effect.live_tokens,
        "last_exp": effect.last_exp,
        "replacement": None if effect.replacement is None else effect.replacement.kid,
        "signers_refresh_seconds": effect.signers_refresh.total_seconds(),
        "signers_lease_seconds": effect.signers_lease.total_seconds(),
        "trust_ends": ends_json(effect.verifiers),
    }

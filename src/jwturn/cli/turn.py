"""rotate, promote, rollback: which key signs."""

from typing import TYPE_CHECKING

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb, dry_run, reason, yes

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.ports.store import View
    from jwturn.service.respond import Outcome

ROTATE = """\
$ jwturn rotate --reason "quarterly drill"
the turn is booked for 2026-11-24 12:44:58Z (in 24h 45m): after it another mature standby is there"""
PROMOTE = """\
$ jwturn promote
key xK9dQ41c signs now; b7Jm2kQe is verify-only until its last token has expired"""
ROLLBACK = """\
$ jwturn rollback --reason "clients refuse the new algorithm"
key b7Jm2kQe signs again; xK9dQ41c is verify-only; no turn is booked until jwturn rotate"""


@click.command(cls=Verb, example=ROTATE)
@reason
@dry_run
@click.pass_obj
def rotate(inv: Invocation, *, reason: str | None, dry_run: bool) -> int:
    """Book the next turn as early as is safe. It never switches the signer at once: see promote."""
    from jwturn.cli.output import when
    from jwturn.core.guards import mature_standby

    with inv.open() as app:
        name = inv.ring_name
        done = app.commands.rotate(name, inv.actor(reason), dry_run=dry_run)
        view = settled(inv, app, done, dry_run=dry_run)
        at = done.ring.turn_at
        if at is not None:
            what = "the turn is booked for" if done.steps else "a turn is booked already, for"
            inv.show(f"{what} {when(at, view.now.at)}: after it another mature standby is there")
        ready = mature_standby(view.ring, view.now)
        if ready is not None and at is not None and at > view.now.at:
            inv.say(f"hint:  standby {ready.kid[:8]} is mature: jwturn promote switches at once")
    return 0


@click.command(cls=Verb, example=PROMOTE)
@click.argument("kid", required=False)
@click.option("--before-lead", is_flag=True, help="For an emergency: verifiers without the key refuse good tokens.")
@reason
@yes
@dry_run
@click.pass_obj
def promote(inv: Invocation, *, kid: str | None, before_lead: bool, reason: str | None, yes: bool, dry_run: bool) -> int:
    """Make the mature standby (or KID) sign now."""
    from jwturn.core.guards import is_mature
    from jwturn.core.steps import kid_of

    with inv.open() as app:
        name, actor = inv.ring_name, inv.actor(reason)
        before = app.store.load(name)
        tried = app.commands.promote(name, actor, kid=kid, before_lead=before_lead, dry_run=True)
        target = before.ring.key(str(kid_of(tried.steps[0])))
        if not is_mature(target, before.now):
            _say_who_refuses(inv, before, target.kid)
            if not dry_run:
                inv.confirm(target.kid, target.kid[:8], "promote", yes=yes)
        done = tried
        if not dry_run:
            done = app.commands.promote(name, actor, kid=target.kid, before_lead=before_lead)
        settled(inv, app, done, dry_run=dry_run)
        old = before.ring.active
        after = "" if old is None else f"; {old.kid[:8]} is verify-only until its last token has expired"
        inv.show(f"key {target.kid[:8]} {'would sign' if dry_run else 'signs'} now{after}")
    return 0


@click.command(cls=Verb, example=ROLLBACK)
@reason
@dry_run
@click.pass_obj
def rollback(inv: Invocation, *, reason: str | None, dry_run: bool) -> int:
    """Make the key before sign again, while its private half is there; cancels the booked turn."""
    from jwturn.core.steps import kid_of

    with inv.open() as app:
        name = inv.ring_name
        old = app.store.load(name).ring.active
        done = app.commands.roll_back(name, inv.actor(reason), dry_run=dry_run)
        settled(inv, app, done, dry_run=dry_run)
        kid = str(kid_of(done.steps[0]))[:8]
        after = "" if old is None else f"; {old.kid[:8]} is verify-only"
        inv.show(f"key {kid} {'would sign' if dry_run else 'signs'} again{after}; no turn is booked until jwturn rotate")
    return 0


def settled(inv: Invocation, app: "App", done: "Outcome", *, dry_run: bool) -> "View":
    """Takes the steps that follow from a person's at once, and prints the JSON; the ring as it then is."""
    from jwturn.cli.rings import ring_json, step_json

    if done.steps and not dry_run:
        app.rotator.turn(done.ring.name)
    view = app.store.load(done.ring.name)
    inv.emit(dry_run=dry_run, steps=[step_json(step) for step in done.steps], ring=ring_json(view))
    return view


def _say_who_refuses(inv: Invocation, view: "View", kid: str) -> None:
    from jwturn.core.durations import format_duration
    from jwturn.service.effect import verifier_ends

    ends = [f"{end.name} for up to {format_duration(end.healthy, parts=2)}" for end in verifier_ends(view)]
    inv.say(f"the lead of key {kid[:8]} is not over: verifiers that do not hold it yet refuse every new token")
    inv.say(f"these may, counted from its publication: {'; '.join(ends)}")

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
key b7Jm2kQe signs again; xK9dQ41c is verify-only
no turn is booked until jwturn rotate"""


@click.command(cls=Verb, example=ROTATE)
@reason
@dry_run
@click.pass_obj
def rotate(inv: Invocation, *, reason: str | None, dry_run: bool) -> int:
    """Book the next turn as early as is safe.

    It never switches the signer at once: see promote.
    """
    with inv.open() as app:
        done = app.commands.rotate(inv.ring_name, inv.actor(reason), dry_run=dry_run)
        view = settled(inv, app, done, dry_run=dry_run)
        _tell_booked(inv, view, done, dry_run=dry_run)
    return 0


def _tell_booked(inv: Invocation, view: "View", done: "Outcome", *, dry_run: bool) -> None:
    from jwturn.cli.output import when
    from jwturn.cli.rings import kids_of
    from jwturn.core.guards import mature_standby

    at, ready = done.ring.turn_at, mature_standby(view.ring, view.now)
    if at is None:
        return
    verb = "would be" if dry_run else "is"
    what = f"the turn {verb} booked for" if done.steps else "a turn is booked already, for"
    inv.show(f"{what} {when(at, view.now.at)}: after it another mature standby is there")
    if ready is not None and at > view.now.at:
        inv.say(f"hint:  standby {kids_of(view.ring)[ready.kid]} is mature: jwturn promote switches at once")


@click.command(cls=Verb, example=PROMOTE)
@click.argument("kid", required=False)
@click.option(
    "--before-lead", is_flag=True, help="For an emergency: verifiers without the key refuse its tokens."
)
@reason
@yes
@dry_run
@click.pass_obj
def promote(
    inv: Invocation, *, kid: str | None, before_lead: bool, reason: str | None, yes: bool, dry_run: bool
) -> int:
    """Make the mature standby (or KID) sign now."""
    from jwturn.cli.rings import kids_of
    from jwturn.core.guards import is_mature
    from jwturn.core.steps import kid_of

    with inv.open() as app:
        name, actor = inv.ring_name, inv.actor(reason)
        before = app.store.load(name)
        done = app.commands.promote(name, actor, kid=kid, before_lead=before_lead, dry_run=True)
        shown, target = kids_of(before.ring), before.ring.key(str(kid_of(done.steps[0])))
        if not is_mature(target, before.now):
            _say_who_refuses(inv, before, shown[target.kid])
            if not dry_run:
                inv.confirm(target.kid, shown[target.kid], "promote", yes=yes)
        if not dry_run:
            done = app.commands.promote(name, actor, kid=target.kid, before_lead=before_lead)
        settled(inv, app, done, dry_run=dry_run)
    old = before.ring.active
    after = "" if old is None else f"; {shown[old.kid]} is verify-only until its last token has expired"
    inv.show(f"key {shown[target.kid]} {'would sign' if dry_run else 'signs'} now{after}")
    return 0


@click.command(cls=Verb, example=ROLLBACK)
@reason
@dry_run
@click.pass_obj
def rollback(inv: Invocation, *, reason: str | None, dry_run: bool) -> int:
    """Make the key before sign again.

    While its private half is there; the booked turn is cancelled.
    """
    from jwturn.cli.rings import kids_of
    from jwturn.core.steps import kid_of

    with inv.open() as app:
        name = inv.ring_name
        before = app.store.load(name).ring
        done = app.commands.roll_back(name, inv.actor(reason), dry_run=dry_run)
        settled(inv, app, done, dry_run=dry_run)
    shown, old = kids_of(before), before.active
    after = "" if old is None else f"; {shown[old.kid]} is verify-only"
    inv.show(f"key {shown[str(kid_of(done.steps[0]))]} {'would sign' if dry_run else 'signs'} again{after}")
    inv.show("no turn is booked until jwturn rotate")
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
    inv.say(f"the lead of key {kid} is not over: verifiers that do not hold it yet refuse every new token")
    inv.say(f"these may, counted from its publication: {'; '.join(ends)}")

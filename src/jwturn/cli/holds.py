"""discard, hold, release, delivered: what automation may do with a key."""

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb, dry_run, reason, yes


@click.command(cls=Verb, example='$ jwturn discard xK9dQ41c --reason "made with the wrong algorithm"')
@click.argument("kid")
@reason
@yes
@dry_run
@click.pass_obj
def discard(inv: Invocation, *, kid: str, reason: str | None, yes: bool, dry_run: bool) -> int:
    """Drop a standby that never signed.

    Or a verify-only key that only a person retires.
    """
    from jwturn.cli.rings import kids_of
    from jwturn.cli.turn import settled

    with inv.open() as app:
        name, actor = inv.ring_name, inv.actor(reason)
        app.commands.discard(name, actor, kid=kid, dry_run=True)
        ring = app.store.load(name).ring
        key = ring.find(kid)
        shown = kids_of(ring)[key.kid]
        if not dry_run:
            inv.say(f"key {shown} ({key.alg}) is {key.state}: it leaves the JWKS for good")
            inv.confirm(key.kid, shown, "discard", yes=yes)
        done = app.commands.discard(name, actor, kid=key.kid, dry_run=dry_run)
        settled(inv, app, done, dry_run=dry_run)
        inv.show(f"key {shown} {'would be' if dry_run else 'is'} retired")
    return 0


@click.command(cls=Verb, example='$ jwturn hold b7Jm2kQe --reason "evidence, case 17"')
@click.argument("kid", required=False)
@click.option("--whole-ring", is_flag=True, help="Hold the ring's turns instead of a key.")
@reason
@click.pass_obj
def hold(inv: Invocation, *, kid: str | None, whole_ring: bool, reason: str | None) -> int:
    """Keep automation off a key, or off the ring's turns.

    A held key is not shredded, discarded or retired; promote and revoke go through.
    """
    _one_target(kid, whole_ring=whole_ring)
    _hold(inv, kid, reason)
    return 0


def _hold(inv: Invocation, kid: str | None, reason: str | None) -> None:
    from jwturn.cli.rings import kids_of
    from jwturn.cli.turn import settled
    from jwturn.core.steps import kid_of

    with inv.open() as app:
        done = app.commands.hold(inv.ring_name, inv.actor(reason), kid=kid)
        settled(inv, app, done, dry_run=False)
    held = kids_of(done.ring).get(str(kid_of(done.steps[0])))
    inv.show(f"key {held} is held" if held else f"the turns of ring {inv.ring_name} are held")
    inv.say(f"lift it with: jwturn release {held or '--whole-ring'}")


@click.command(cls=Verb, example="$ jwturn release b7Jm2kQe")
@click.argument("kid", required=False)
@click.option("--whole-ring", is_flag=True, help="Release the ring's turns instead of a key.")
@reason
@click.pass_obj
def release(inv: Invocation, *, kid: str | None, whole_ring: bool, reason: str | None) -> int:
    """Lift the holds on a key, or on the ring's turns."""
    from jwturn.cli.turn import settled

    _one_target(kid, whole_ring=whole_ring)
    with inv.open() as app:
        done = app.commands.release(inv.ring_name, inv.actor(reason), kid=kid)
        settled(inv, app, done, dry_run=False)
        what = f"key {kid}" if kid else f"the turns of ring {inv.ring_name}"
        inv.show(f"{what}: {'released' if done.steps else 'nothing was held'}")
    return 0


@click.command(cls=Verb, example="$ jwturn delivered p0Qm8sLx --ring webhooks")
@click.argument("kid")
@reason
@click.pass_obj
def delivered(inv: Invocation, *, kid: str, reason: str | None) -> int:
    """Say that every verifier has a standby secret.

    For rings with delivery = manual: its lead counts from here.
    """
    from jwturn.cli.output import when
    from jwturn.cli.rings import kids_of
    from jwturn.cli.turn import settled

    with inv.open() as app:
        done = app.commands.delivered(inv.ring_name, inv.actor(reason), kid=kid)
        view = settled(inv, app, done, dry_run=False)
        key = view.ring.find(kid)
        told = f"it may sign from {when(key.sign_from, view.now.at)}" if key.sign_from else "its lead begins"
        inv.show(f"key {kids_of(view.ring)[key.kid]} is delivered: {told}")
    return 0


def _one_target(kid: str | None, *, whole_ring: bool) -> None:
    if (kid is None) is not whole_ring:
        raise click.UsageError("name one KID, or say --whole-ring")

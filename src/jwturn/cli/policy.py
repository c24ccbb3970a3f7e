"""policy: the numbers of a ring, shown, set, and where they come from."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import VerbGroup, dry_run, reason

if TYPE_CHECKING:
    from jwturn.core.policy import RotationPolicy
    from jwturn.ports.store import View


@click.group(cls=VerbGroup)
def policy() -> None:
    """Show or set how a ring turns."""


@policy.command(example="$ jwturn policy show --ring default")
@click.pass_obj
def show(inv: Invocation) -> int:
    """Show every field of a ring's policy, and the lead that follows from it."""
    from jwturn.cli.output import table
    from jwturn.core import policy_text
    from jwturn.core.policy import warnings

    with inv.open() as app:
        view = app.store.load(inv.ring_name)
    found, said = policy_text.show(view.ring.policy), warnings(view.ring.policy)
    inv.show(table(("FIELD", "VALUE"), list(found.items()), indent=""))
    for words in said:
        inv.warn(words)
    inv.emit(ring=view.ring.name, version=view.ring.policy_version, policy=found, warnings=said)
    return 0


@policy.command(name="set", example="$ jwturn policy set rotate_every=30d verifiers=jose,pyjwt")
@click.argument("changes", nargs=-1, required=True, metavar="NAME=VALUE...")
@reason
@dry_run
@click.pass_obj
def set_(inv: Invocation, *, changes: tuple[str, ...], reason: str | None, dry_run: bool) -> int:
    """Set fields of a ring's policy. No promise to a living key is shortened."""
    from jwturn.core.policy import warnings
    from jwturn.core.policy_text import parse_changes

    with inv.open(declared=False) as app:
        view = app.store.load(inv.ring_name)
        name, wanted = view.ring.name, parse_changes(changes)
        done = app.commands.set_policy(name, inv.actor(reason), changes=wanted, dry_run=dry_run)
        show_diff(inv, view, done.ring.policy, dry_run=dry_run)
        for words in warnings(done.ring.policy):
            inv.warn(words)
        if done.ring.policy.rotate_every < view.ring.policy.rotate_every and view.ring.active is not None:
            inv.say(
                "the key that signs now keeps its turn; the shorter rotate_every counts from the next key"
            )
            inv.say("hint:  jwturn rotate books a turn as early as is safe")
        if not dry_run and done.steps:
            app.rotator.turn(name)
    return 0


@policy.command(example="$ jwturn policy presets")
@click.pass_obj
def presets(inv: Invocation) -> int:
    """List the named policies that `jwturn init --preset` takes."""
    from jwturn.cli.output import table
    from jwturn.core.policy import PRESETS
    from jwturn.core.values import text

    rows = [
        (name, ", ".join(f"{k}={text(v)}" for k, v in values.items()), why)
        for name, (why, values) in PRESETS.items()
    ]
    inv.show(table(("PRESET", "SETS", "WHY"), rows, indent=""))
    inv.emit(presets={name: {"sets": sets, "why": why} for name, sets, why in rows})
    return 0


@policy.command(example="$ jwturn policy verifiers")
@click.pass_obj
def verifiers(inv: Invocation) -> int:
    """List the verifiers that are known, and how long each keeps a key set."""
    from jwturn.cli.output import table
    from jwturn.core.profiles import PROFILES
    from jwturn.core.values import text

    rows = [
        (
            row.name,
            text(row.set_lifetime) if row.set_lifetime else f"{row.name}:BOUND",
            row.unknown_kid,
            row.title,
        )
        for row in PROFILES.values()
    ]
    inv.show(table(("NAME", "KEEPS A SET", "ON AN UNKNOWN KID", "PRODUCT"), rows, indent=""))
    inv.emit(verifiers=[_profile(row) for row in PROFILES.values()])
    return 0


def _profile(row: Any) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "set_lifetime_seconds": row.set_lifetime.total_seconds() if row.set_lifetime else None,
        "unknown_kid": row.unknown_kid,
        "algs_unknown": sorted(row.algs_unknown),
        "source": row.source,
        "surveyed": row.surveyed,
    }


def show_diff(inv: Invocation, view: "View", policy: "RotationPolicy", *, dry_run: bool = True) -> bool:
    """Shows what a policy changes, and how long a revoked key is trusted then. True if it differs."""
    from jwturn.cli.output import table
    from jwturn.cli.trust import ends_json, ends_words
    from jwturn.core.policy_text import diff
    from jwturn.service.effect import verifier_ends

    after = verifier_ends(replace(view, ring=replace(view.ring, policy=policy)))
    changed = diff(view.ring.policy, policy)
    if changed:
        inv.show(table(("FIELD", "NOW", "THEN"), [(name, *pair) for name, pair in changed.items()]))
    else:
        inv.show("  the policy is that already")
    inv.show(f"  after a revocation trust ends: {ends_words(after)}")
    pairs = {name: {"now": old, "then": new} for name, (old, new) in changed.items()}
    inv.emit(ring=view.ring.name, dry_run=dry_run, changes=pairs, trust_ends=ends_json(after))
    return bool(changed)

"""plan: everything that will happen to a ring, and why; or what another policy would make of it."""

from typing import TYPE_CHECKING

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb

if TYPE_CHECKING:
    from jwturn.compose import App

EXAMPLE = """\
$ jwturn plan --set verifiers=jose,pyjwt
  FIELD             NOW         THEN
  verifiers                     jose,pyjwt
  verifier_ttl_max  24h         10m
  lead              24h 41m 58s 49m 6s"""


@click.command(cls=Verb, example=EXAMPLE)
@click.option(
    "--set", "changes", multiple=True, metavar="NAME=VALUE", help="Try a policy; nothing is changed."
)
@click.pass_obj
def plan(inv: Invocation, *, changes: tuple[str, ...]) -> int:
    """Show what will happen to a ring, when and why.

    Changes nothing. Exit code 0 when nothing is due, 2 when steps are due and not done, or when --set would
    change the policy.
    """
    with inv.open() as app:
        return _tried(inv, app, changes) if changes else _agenda(inv, app)


def _agenda(inv: Invocation, app: "App") -> int:
    from jwturn.cli.output import relative, table
    from jwturn.cli.rings import agenda_of, booked_json, kids_of, step_words
    from jwturn.core.durations import format_duration
    from jwturn.core.reasons import TEXTS
    from jwturn.core.timing import lead

    view = app.store.load(inv.ring_name)
    now, shown, booked = view.now, kids_of(view.ring), agenda_of(view)
    rows = [
        (relative(max(one.due.eta(now), now.at), now.at), step_words(one.step, shown), TEXTS[one.step.reason])
        for one in booked
    ]
    due = [one for one in booked if one.due.reached(now)]
    policy = view.ring.policy
    inv.show(f"ring {view.ring.name}: {len(due) or 'nothing'} due now")
    if rows:
        inv.show(table(("WHEN", "STEP", "WHY"), rows))
    inv.show(f"  lead {format_duration(lead(policy.bounds))}, set by {policy.decided_by}")
    inv.emit(
        ring=view.ring.name,
        lead_seconds=lead(policy.bounds).total_seconds(),
        decided_by=policy.decided_by,
        agenda=[booked_json(view, one) for one in booked],
    )
    return 2 if due else 0


def _tried(inv: Invocation, app: "App", changes: tuple[str, ...]) -> int:
    from jwturn.cli.policy import show_diff
    from jwturn.core.policy import warnings
    from jwturn.core.policy_text import parse_changes

    view = app.store.load(inv.ring_name)
    wanted = app.commands.set_policy(
        view.ring.name, inv.actor(), changes=parse_changes(changes), dry_run=True
    )
    changed = show_diff(inv, view, wanted.ring.policy)
    for words in warnings(wanted.ring.policy):
        inv.warn(words)
    return 2 if changed else 0

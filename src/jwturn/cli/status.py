"""status: where every ring stands, what happens next and when, and what wants doing."""

from typing import TYPE_CHECKING, Any

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb, wide

if TYPE_CHECKING:
    from jwturn.compose import App

EXAMPLE = """\
$ jwturn status
ring default: https://auth.example.com, turns every 90d
  KID       ALG    STATE    SINCE   NEXT
  b7Jm2kQe  ES256  active   3d ago  verify-only in 87d
  xK9dQ41c  ES256  standby  3d ago  may sign, promoted in 87d
  next: create a standby (ES256) in 85d 23h, then promote xK9dQ41c in 87d"""


@click.command(cls=Verb, example=EXAMPLE)
@wide
@click.pass_obj
def status(inv: Invocation, *, wide: bool) -> int:
    """Show every ring, and what happens next and when.

    Exit code 2 when something is due and not done, overdue, or nobody runs the loop.
    """
    with inv.open() as app:
        names = [inv.ring] if inv.ring else [row.name for row in app.store.rings()]
        told = [_ring(inv, app, name, wide=wide) for name in names]
        seen = app.store.seen()
        if not names:
            inv.show("the store has no ring yet: jwturn init --ring NAME")
        inv.emit(rings=told, last_tick=seen.last, seen_seconds=seen.total.total_seconds())
    return 2 if any(found["serious"] for ring in told for found in ring["findings"]) else 0


def _ring(inv: Invocation, app: "App", name: str, *, wide: bool) -> dict[str, Any]:
    from jwturn.cli.rings import key_table, next_line, ring_json
    from jwturn.core.durations import format_duration
    from jwturn.service.health import findings

    view = app.store.load(name)
    found = findings(view, app.store.seen())
    every = format_duration(view.ring.policy.rotate_every)
    inv.show(f"ring {name}: {view.ring.issuer}, turns every {every}")
    inv.show(key_table(view, wide=wide, color=inv.color))
    inv.show(f"  next: {next_line(view)}")
    for one in found:
        inv.show(
            f"  {'warning' if one.serious else 'note'}: {one.words}" + (f" ({one.hint})" if one.hint else "")
        )
    listed = [{"code": f.code, "words": f.words, "hint": f.hint, "serious": f.serious} for f in found]
    return {**ring_json(view, retired=False), "findings": listed}

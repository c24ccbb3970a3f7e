"""keys: every key of a ring."""

from typing import TYPE_CHECKING

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb, wide

if TYPE_CHECKING:
    from jwturn.core.keys import Key
    from jwturn.ports.store import View

EXAMPLE = """\
$ jwturn keys --all
  KID       ALG    STATE        SINCE   NEXT
  b7Jm2kQe  ES256  verify-only  2m ago  private half shredded in 58m, retired in 1h 17m
  xK9dQ41c  ES256  active       2m ago  verify-only in 90d"""
WIDE = (
    "KID",
    "ALG",
    "STATE",
    "ORIGIN",
    "PUBLISHED",
    "SIGN FROM",
    "SIGN UNTIL",
    "LAST EXP",
    "PRIVATE",
    "WAIVER",
)


@click.command(cls=Verb, example=EXAMPLE)
@click.option("--all", "retired", is_flag=True, help="Also retired keys.")
@wide
@click.pass_obj
def keys(inv: Invocation, *, retired: bool, wide: bool) -> int:
    """List the keys of a ring, and what becomes of each."""
    from jwturn.cli.output import table
    from jwturn.cli.rings import key_json, key_table
    from jwturn.core.states import RETIRED

    with inv.open() as app:
        view = app.store.load(inv.ring_name)
    listed = [key for key in view.ring.keys if retired or key.state is not RETIRED]
    if wide:
        inv.show(table(WIDE, [_row(view, key) for key in listed], color=inv.color))
    else:
        inv.show(key_table(view, retired=retired, color=inv.color))
    inv.emit(ring=view.ring.name, keys=[key_json(view, key) for key in listed])
    return 0


def _row(view: "View", key: "Key") -> tuple[str, ...]:
    from jwturn.cli.output import moment
    from jwturn.core.leases import last_exp

    published = None if key.published is None else key.published.at
    times = (published, key.sign_from, key.sign_until, last_exp(view.leases, key))
    shown = [moment(at) if at else "-" for at in times]
    private = "sealed" if key.private is not None else "none"
    return (key.kid, key.alg, str(key.state), str(key.origin), *shown, private, str(key.waiver or "-"))

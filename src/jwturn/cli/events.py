"""events: the audit chain of a ring, or of the store."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.invocation import SCHEMA, Invocation
from jwturn.cli.options import Verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jwturn.compose import App
    from jwturn.core.ledger import Event

PAGE: Final = 1000
SEQ_MAX: Final = 10**15
EXAMPLE = """\
$ jwturn events --after 2
SEQ  AT                    ACTION   KID       REASON        WHO                       WHY
3    2026-11-23 12:00:00Z  promote  b7Jm2kQe  first_key     node:web-1-4711-9f2c11aa
4    2026-11-23 12:00:00Z  add      xK9dQ41c  next_standby  node:web-1-4711-9f2c11aa"""
HEAD: Final = ("SEQ", "AT", "ACTION", "KID", "REASON", "WHO", "WHY")


@click.command(cls=Verb, example=EXAMPLE)
@click.option(
    "--after", type=click.IntRange(0, SEQ_MAX), default=0, metavar="N", help="Only events after number N."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N events.")
@click.option("--follow", is_flag=True, help="Go on as events come, until --limit or Ctrl-C.")
@click.option("--store", "whole_store", is_flag=True, help="The store's own chain: API tokens, checkpoints.")
@click.pass_obj
def events(inv: Invocation, *, after: int, limit: int | None, follow: bool, whole_store: bool) -> int:
    """Print the audit chain: who did what, when and why.

    With --json one object a line.
    """
    from jwturn.core.ledger import STORE_CHAIN

    with inv.open() as app:
        chain = STORE_CHAIN if whole_store else app.store.load(inv.ring_name).ring.id
        version, left, widths = 0, limit, [0] * len(HEAD)
        while left is None or left > 0:
            page = app.store.events(chain, after, min(PAGE, left or PAGE))
            widths = _print(inv, page, widths)
            after = page[-1].seq if page else after
            left = None if left is None else left - len(page)
            if not page:
                if not follow:
                    break
                version = _wait(app, version)
    return 0


def _wait(app: "App", version: int) -> int:
    return app.store.wait(version, timedelta(seconds=1))


def _print(inv: Invocation, page: "Sequence[Event]", widths: list[int]) -> list[int]:
    """Prints a page, the first one under a head; the widths of its columns, never less than before."""
    if inv.json:
        import msgspec

        for event in page:
            click.echo(msgspec.json.encode({"schema": SCHEMA, **_json(event)}).decode())
        return widths
    rows = [*([] if any(widths) or not page else [HEAD]), *map(_row, page)]
    widths = (
        [max(width, *map(len, cells)) for width, cells in zip(widths, zip(*rows, strict=True), strict=True)]
        if rows
        else widths
    )
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return widths


def _row(event: "Event") -> tuple[str, ...]:
    kid = "-" if event.kid is None else event.kid[:8]
    return (
        str(event.seq),
        f"{event.at:%Y-%m-%d %H:%M:%SZ}",
        event.action,
        kid,
        event.reason,
        event.who,
        event.why,
    )


def _json(event: "Event") -> dict[str, Any]:
    names = ("chain", "seq", "at", "who", "action", "kid", "reason", "why", "detail", "prev", "hash")
    return {name: getattr(event, name) for name in names}

"""events: the audit chain of a ring, or of the store."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.invocation import SCHEMA, Invocation
from jwturn.cli.options import Verb

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.core.ledger import Event

PAGE: Final = 1000
EXAMPLE = """\
$ jwturn events --after 3
4  2026-11-23 12:00:00Z  promote  b7Jm2kQe  first_key  node:web-1-4711-9f2c11aa"""


@click.command(cls=Verb, example=EXAMPLE)
@click.option("--after", type=int, default=0, metavar="N", help="Only events after number N.")
@click.option("--limit", type=int, metavar="N", help="At most N events.")
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
        version, left = 0, limit
        while left is None or left > 0:
            page = app.store.events(chain, after, min(PAGE, left or PAGE))
            for event in page:
                _print(inv, event)
            after = page[-1].seq if page else after
            left = None if left is None else left - len(page)
            if not page:
                if not follow:
                    break
                version = _wait(app, version)
    return 0


def _wait(app: "App", version: int) -> int:
    return app.store.wait(version, timedelta(seconds=1))


def _print(inv: Invocation, event: "Event") -> None:
    if inv.json:
        import msgspec

        click.echo(msgspec.json.encode({"schema": SCHEMA, **_json(event)}).decode())
        return
    kid = "-" if event.kid is None else event.kid[:8]
    why = f"  {event.why}" if event.why else ""
    click.echo(
        f"{event.seq}  {event.at:%Y-%m-%d %H:%M:%SZ}  {event.action}  {kid}  {event.reason}  {event.who}{why}"
    )


def _json(event: "Event") -> dict[str, Any]:
    names = ("chain", "seq", "at", "who", "action", "kid", "reason", "why", "detail", "prev", "hash")
    return {name: getattr(event, name) for name in names}

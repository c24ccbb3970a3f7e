"""audit and recover: whether history is whole, and going on with an older store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwturn.cli.invocation import SCHEMA, Invocation, read_input
from jwturn.cli.options import Verb, VerbGroup, reason

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.core.ledger import Head

VERIFY = """\
$ jwturn audit verify --head heads.json
  CHAIN    EVENTS  HEAD
  store    2       9f2c11aa07d3
  default  5       41c7be90a1f2"""


@click.group(cls=VerbGroup)
def audit() -> None:
    """Prove that the audit chains are whole, against heads kept elsewhere."""


@audit.command(example=VERIFY)
@click.option("--head", "file", metavar="FILE", help="Heads that `jwturn audit head` wrote, kept elsewhere.")
@click.pass_obj
def verify(inv: Invocation, *, file: str | None) -> int:
    """Walk every chain.

    Nothing was edited, dropped, moved or cut off; every ring is under its MAC and agrees with its witness.
    """
    from jwturn.cli.output import table
    from jwturn.service.audit import verify_store

    with inv.open() as app:
        chains = verify_store(app.store, _kept(app, file) if file else None)
    inv.show(
        table(
            ("CHAIN", "EVENTS", "HEAD"),
            [(c.name, str(c.head.count), c.head.hash[:12] or "-") for c in chains],
        )
    )
    inv.say("every chain is whole" + ("" if file else "; only --head shows that none was cut or forked"))
    inv.emit(
        chains=[{"chain": c.id, "name": c.name, "count": c.head.count, "hash": c.head.hash} for c in chains]
    )
    return 0


@audit.command(example="$ jwturn audit head > heads-$(date +%F).json    # keep it on another machine")
@click.pass_obj
def head(inv: Invocation) -> int:
    """Write a checkpoint, and print the heads of all chains as JSON, to be kept elsewhere."""
    from jwturn.service.audit import heads

    with inv.open() as app:
        app.store.checkpoint(inv.actor().who)
        found = {chain: {"count": end.count, "hash": end.hash} for chain, end in heads(app.store).items()}
        click.echo(json.dumps({"schema": SCHEMA, "store": app.identity.store_id, "heads": found}, indent=2))
    return 0


def _kept(app: "App", file: str) -> "dict[str, Head]":
    from jwturn.core import strict_json
    from jwturn.core.errors import BadInput
    from jwturn.core.ledger import Head

    name = "standard input" if file == "-" else Path(file).name
    hint = "jwturn audit head > FILE writes one: JSON with the head of every chain of this store"
    data = read_input(file, limit=1 << 24)
    try:
        kept: Any = strict_json.loads(data)
        store, found = (
            kept["store"],
            {name: Head(int(h["count"]), str(h["hash"])) for name, h in kept["heads"].items()},
        )
    except (BadInput, TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadInput(f"{name} holds no heads of audit chains", hint=hint, code="no_heads") from error
    if store != app.identity.store_id:
        raise BadInput(f"{name} holds heads of another store", hint=hint, code="no_heads")
    return found


def _say_when_signing_goes_on(inv: Invocation, app: "App", name: str) -> None:
    from jwturn.cli.rings import until_one_may_sign

    view = app.store.load(name)
    if view.ring.active is None:
        inv.say(f"nobody signs {until_one_may_sign(view)}")
        inv.say(
            f'hint:  wait, or: jwturn promote --ring {name} --before-lead --reason "..." (costs refusals)'
        )


@click.command(cls=Verb, example='$ jwturn recover --reason "disk lost; restored the backup of Monday"')
@reason
@click.pass_obj
def recover(inv: Invocation, *, reason: str | None) -> int:
    """Go on with a store that is older than its witness.

    Every ring (or the one of --ring) begins a new era. Revoked keys are revoked again, forgotten public keys
    come back verify-only, and every key counts as used elsewhere until its last possible token has expired.
    """
    from jwturn import compose
    from jwturn.cli.rings import step_json
    from jwturn.core.errors import IntegrityError

    told = []
    with inv.open() as app:
        for name in [inv.ring] if inv.ring else [row.name for row in app.store.rings()]:
            try:
                app.store.load(name)
            except IntegrityError as error:
                if error.code not in ("older_store", "forked_store"):
                    raise
                done = compose.recover(app, name, inv.actor(reason))
                app.rotator.turn(name)
                inv.show(f"ring {name} goes on in era {done.ring.era}")
                _say_when_signing_goes_on(inv, app, name)
                told.append(
                    {"ring": name, "era": done.ring.era, "steps": [step_json(step) for step in done.steps]}
                )
    if not told:
        inv.show("nothing to recover: no ring is older than its witness")
    inv.emit(recovered=told)
    return 0

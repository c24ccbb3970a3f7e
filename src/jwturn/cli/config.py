"""config: the settings in force, and where each value is from."""

from pathlib import Path

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import VerbGroup

EXAMPLE = """\
$ jwturn config show --origin
store.kek      file:.jwturn/kek  jwturn.toml
service.port   8471              JWTURN_SERVICE__PORT"""


@click.group(cls=VerbGroup)
def config() -> None:
    """Show the settings in force."""


@config.command(example=EXAMPLE)
@click.option("--origin", is_flag=True, help="Also where each value is from.")
@click.pass_obj
def show(inv: Invocation, *, origin: bool) -> int:
    """Show every setting; secrets are masked."""
    from jwturn.cli.init import near
    from jwturn.cli.output import table

    found, here = inv.settings().describe(), Path.cwd()
    head = ("KEY", "VALUE", "FROM") if origin else ("KEY", "VALUE")
    rows = [(one.key, near(one.value, here), near(one.origin, here))[: len(head)] for one in found]
    inv.show(table(head, rows, indent=""))
    inv.emit(settings=[{"key": one.key, "value": one.value, "origin": one.origin} for one in found])
    return 0

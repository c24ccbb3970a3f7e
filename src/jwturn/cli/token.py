"""token: API tokens of the service, made, listed, withdrawn."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import SPAN, VerbGroup, reason

if TYPE_CHECKING:
    from datetime import datetime

    from jwturn.core.tokens import ApiToken

NAME: Final = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]{0,63}")
"""It stands in logs, events and errors, and is an argument of `token withdraw`."""
STOPS_SECONDS: Final = 2
"""How often a service reads the tokens again."""
ROLES = ("signer", "verifier", "auditor", "operator", "admin")


@click.group(cls=VerbGroup)
def token() -> None:
    """Make, list and withdraw API tokens of the service."""


@token.command(example="$ jwturn token new checkout --role signer --for-ring default --ttl 90d")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="signer", show_default=True)
@click.option("--for-ring", "rings", multiple=True, metavar="NAME", help="Only these rings (every ring).")
@click.option("--ttl", type=SPAN, default="365d", show_default=True, help="How long it may be used.")
@reason
@click.pass_obj
def new(
    inv: Invocation, *, name: str, role: str, rings: tuple[str, ...], ttl: timedelta, reason: str | None
) -> int:
    """Make an API token and print it, once: the store keeps its hash."""
    from jwturn.compose import new_token
    from jwturn.core.tokens import Role

    _demand_sound(name, ttl)
    with inv.open() as app:
        made = new_token(app, name, Role(role), inv.actor(reason), rings=rings, ttl=ttl)
        expires = app.clock.now() + ttl
    inv.show(made)
    scope = ", ".join(rings) or "every ring"
    inv.say(f"role {role}, {scope}, until {expires:%Y-%m-%d %H:%MZ}; it is not shown again")
    inv.emit(name=name, role=role, rings=rings, expires=expires, token=made)
    return 0


def _demand_sound(name: str, ttl: timedelta) -> None:
    from jwturn.core.errors import BadInput

    if not NAME.fullmatch(name):
        raise BadInput(
            "the name of an API token is not 1 to 64 letters, digits, `.`, `_`, `@` or `-`",
            hint="such as jwturn token new checkout",
        )
    if ttl < timedelta(seconds=1):
        raise BadInput("an API token that may never be used", hint="--ttl 90d")


@token.command(name="list", example="$ jwturn token list")
@click.pass_obj
def list_(inv: Invocation) -> int:
    """List API tokens: name, role, rings, and until when each may be used."""
    from jwturn.cli.output import table

    with inv.open() as app:
        found, now = app.store.tokens(), app.clock.now()
    rows = [(t.name, str(t.role), ", ".join(t.rings) or "every", _until(t, now)) for t in found]
    inv.show(
        table(("NAME", "ROLE", "RINGS", "USE"), rows, indent="")
        if rows
        else "there is no API token: jwturn token new NAME"
    )
    inv.emit(tokens=[_json(t, now) for t in found])
    return 0


@token.command(example='$ jwturn token withdraw checkout --reason "in a public log"')
@click.argument("name")
@reason
@click.pass_obj
def withdraw(inv: Invocation, *, name: str, reason: str | None) -> int:
    """End the use of an API token at once."""
    from jwturn.cli.output import relative

    with inv.open() as app:
        now = app.clock.now()
        before = next((row.withdrawn for row in app.store.tokens() if row.name == name), None)
        gone = app.store.withdraw_token(name, now, inv.actor(reason))
    if before is not None:
        inv.show(f"API token {name} was withdrawn before ({relative(before, now)})")
    else:
        inv.show(f"API token {name} is withdrawn")
        inv.say(f"a running service takes it for {STOPS_SECONDS}s more at most, while its store answers")
    inv.emit(**_json(gone, now))
    return 0


def _until(found: "ApiToken", now: "datetime") -> str:
    from jwturn.cli.output import relative

    if found.withdrawn is not None:
        return f"withdrawn {relative(found.withdrawn, now)}"
    return f"{'ends' if found.expires > now else 'expired'} {relative(found.expires, now)}"


def _json(found: "ApiToken", now: "datetime") -> dict[str, Any]:
    times = {name: getattr(found, name) for name in ("created", "expires", "withdrawn")}
    return {
        "name": found.name,
        "role": str(found.role),
        "rings": found.rings,
        **times,
        "live": found.live(now),
    }

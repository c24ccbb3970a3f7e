"""sign: a token, under a lease of this process that is given back at its end."""

from datetime import timedelta
from typing import Any

import click

from jwturn.cli.invocation import Invocation, at_terminal, read_input
from jwturn.cli.options import SPAN, Verb

EXAMPLE = """\
$ echo '{"sub":"alice"}' | jwturn sign --ttl 10m
eyJhbGciOiJFUzI1NiIs..."""


@click.command(cls=Verb, example=EXAMPLE)
@click.option(
    "--claim", "claims", multiple=True, metavar="NAME=TEXT", help="A claim, a string; instead of stdin."
)
@click.option("--ttl", type=SPAN, help="Its lifetime (the policy's token_ttl_max).")
@click.option("--aud", metavar="NAME", help="The audience.")
@click.pass_obj
def sign(inv: Invocation, *, claims: tuple[str, ...], ttl: timedelta | None, aud: str | None) -> int:
    """Sign the claims on stdin, a JSON object.

    iss, iat, exp and jti are added and may not be given.
    """
    wanted = _named(claims) if claims else _read(inv.settings().service.body_max)
    with inv.open() as app:
        signed = app.signing.sign(inv.ring_name, wanted, ttl=ttl, audience=aud)
    inv.show(signed.token)
    inv.emit(token=signed.token, kid=signed.kid, expires=signed.expires)
    return 0


def _named(claims: tuple[str, ...]) -> dict[str, Any]:
    from jwturn.core.errors import BadInput

    pairs = [claim.partition("=") for claim in claims]
    names = [name for name, _, _ in pairs]
    if not all(equals and name for name, equals, _ in pairs) or len(set(names)) < len(names):
        raise BadInput(
            "each --claim is NAME=TEXT, once", hint="such as --claim sub=alice; other types on stdin"
        )
    return {name: value for name, _, value in pairs}


def _read(limit: int) -> dict[str, Any]:
    from jwturn.core import strict_json
    from jwturn.core.errors import BadInput

    if at_terminal():
        raise click.UsageError("no claims: give a JSON object on stdin, or --claim sub=alice")
    given = read_input("-", limit=limit)
    if not given.strip():
        hint = """echo '{"sub": "alice"}' | jwturn sign, or: jwturn sign --claim sub=alice"""
        raise BadInput("no claims: standard input is empty", code="claims_malformed", hint=hint)
    claims = strict_json.loads(given)
    if not isinstance(claims, dict):
        raise BadInput(
            "the claims are not a JSON object", code="claims_malformed", hint='such as {"sub": "alice"}'
        )
    return claims

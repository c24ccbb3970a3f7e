"""verify and inspect: whether a token is to be trusted, and why."""

from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.asked import Asked, judged, pasted, read_token
from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb
from jwturn.core.errors import NotFound, TokenRefused

if TYPE_CHECKING:
    from jwturn.cli.report import Report

VERIFY = """\
$ jwturn sign --claim sub=alice --aud orders | jwturn verify --aud orders
{"iss": "https://auth.example.com", "aud": "orders", "sub": "alice", ...}
$ jwturn verify token.txt --issuer https://accounts.example.com --aud orders"""
INSPECT = """\
$ jwturn inspect token.txt
refused: exp has passed, leeway included; exp is 2026-11-23 12:00:00 UTC (2h ago)
...
$ jwturn inspect token.txt --issuer https://accounts.example.com --jwks keys.json --aud orders"""
_OF_FORM: Final = frozenset({"token_segments", "token_base64", "token_json", "token_too_long"})


@click.command(cls=Verb, example=VERIFY)
@click.argument("file", default="-")
@judged
@click.pass_obj
def verify(inv: Invocation, /, *, file: str, **options: Any) -> int:
    """Print the claims of a token that passes every check.

    The token is in FILE, or on stdin. It is judged by the store's own rings; with --issuer by that issuer's
    keys, and no store is needed. Exit code 65 when it is refused, 69 when the keys cannot be had.
    """
    from jwturn.cli.inspected import escaped

    asked, token = Asked(**options), read_token(inv, file)
    try:
        claims = _claims(inv, token, asked)
    except TokenRefused as error:
        error.hint = (pasted(token) if error.code in _OF_FORM else "") or error.hint
        raise
    text = escaped(claims)
    inv.show(text)
    inv.emit(valid=True, claims=_raw(text))
    return 0


@click.command(cls=Verb, example=INSPECT)
@click.argument("file", default="-")
@judged
@click.pass_obj
def inspect(inv: Invocation, /, *, file: str, **options: Any) -> int:
    """Explain every check of a token in words; trust nothing of it.

    The token is in FILE, or on stdin. It is judged as by verify; without a store and without --issuer or
    --jwks its form, header and claims are explained, and it is not judged. Exit code 0 when every check
    passed, 2 when one failed or could not be made, 69 when the keys cannot be had.
    """
    from dataclasses import replace

    from jwturn.cli.inspected import json_of, lines_of
    from jwturn.cli.output import moment

    asked, token = Asked(**options), read_token(inv, file)
    report = _report(inv, token, asked)
    if report.failed is not None and report.failed.code in _OF_FORM:
        report = replace(report, advice=pasted(token))
    under = "" if asked.at is None else f", as of {moment(asked.at)}"
    if report.verdict == "passed" and not asked.aud and not asked.any_aud:
        under += "; no audience was asked for (--aud)"
    for line in lines_of(report, token, under=under, color=inv.color):
        inv.show(line)
    inv.emit(**json_of(report, token))
    return report.exit_code


def _claims(inv: Invocation, token: bytes, asked: Asked) -> dict[str, Any]:
    if asked.elsewhere:
        from jwturn.cli.by_issuer import issuers_claims

        return issuers_claims(inv, token, asked)
    from jwturn.cli.by_store import own_claims, store

    with store(inv) as app:
        if app is None:
            raise NotFound(
                f"there is no ring at {inv.settings().store.uri}",
                hint="go to the folder of the store, or judge it without one: --issuer URL --aud NAME",
                code="no_store",
            )
        return own_claims(app, token, asked)


def _report(inv: Invocation, token: bytes, asked: Asked) -> "Report":
    from jwturn.cli.by_issuer import issuers_report, keyless_report
    from jwturn.cli.by_store import own_report, store

    if asked.elsewhere:
        return issuers_report(inv, token, asked)
    with store(inv) as app:
        return keyless_report(inv, token, asked) if app is None else own_report(app, token, asked)


def _raw(text: str) -> Any:
    import msgspec

    return msgspec.Raw(text.encode())

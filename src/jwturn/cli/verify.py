"""verify and inspect: whether a token of this store's rings is to be trusted, and why."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.invocation import Invocation, read_input
from jwturn.cli.options import INSTANT, Verb
from jwturn.core.errors import IntegrityError, TokenRefused

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.core.claims import Check

LIMIT: Final = 32 * 1024
VERIFY = """\
$ jwturn sign --claim sub=alice --aud orders | jwturn verify --aud orders
{"iss": "https://auth.example.com", "aud": "orders", "sub": "alice", ...}"""
INSPECT = """\
$ jwturn inspect token.txt
ok    form       three segments, within the size limits
FAIL  exp        exp has passed, leeway included; exp is 2026-11-23 12:00:00 UTC (2h ago)"""


@click.command(cls=Verb, example=VERIFY)
@click.argument("file", default="-")
@click.option("--aud", metavar="NAME", help="The audience it must be for (any).")
@click.option("--at", type=INSTANT, help="Judge its times as of then.")
@click.pass_obj
def verify(inv: Invocation, *, file: str, aud: str | None, at: datetime | None) -> int:
    """Print the claims of a token that passes every check.

    The token is in FILE, or on stdin. Exit code 65 when it is refused.
    """
    import msgspec

    token = read_input(file, limit=LIMIT).strip()
    with inv.open() as app:
        try:
            claims = app.verify(token, audience=aud, at=at)
        except TokenRefused as error:
            raise _with_what_became_of_the_key(app, token, error) from error
    inv.show(msgspec.json.format(msgspec.json.encode(claims), indent=2).decode())
    inv.emit(valid=True, claims=claims)
    return 0


@click.command(cls=Verb, example=INSPECT)
@click.argument("file", default="-")
@click.option("--aud", metavar="NAME", help="The audience it must be for (any).")
@click.option("--at", type=INSTANT, help="Judge its times as of then.")
@click.pass_obj
def inspect(inv: Invocation, *, file: str, aud: str | None, at: datetime | None) -> int:
    """Explain every check of a token in words.

    The token is in FILE, or on stdin. Exit code 2 when a check failed.
    """
    token = read_input(file, limit=LIMIT).strip()
    with inv.open() as app:
        found = _without_a_key(app, token, app.explain(token, audience=aud, at=at))
    width = max(len(check.name) for check in found)
    for check in found:
        mark = "ok" if check.passed else "-" if check.code == "not_checked" else "FAIL"
        inv.show(f"{mark:<4}  {check.name:<{width}}  {check.words}")
    inv.emit(valid=all(check.passed for check in found), checks=[_json(check) for check in found])
    return 0 if all(check.passed for check in found) else 2


def _with_what_became_of_the_key(app: "App", token: bytes, error: TokenRefused) -> TokenRefused:
    """The same refusal; of a kid that the store still knows it says when it was revoked or retired."""
    gone = _gone(app, token) if error.code == "kid_unknown" else ""
    hint = "no token of it is good any more; get a new token"
    return TokenRefused(gone, code=error.code, hint=hint) if gone else error


def _without_a_key(app: "App", token: bytes, found: "Sequence[Check]") -> "list[Check]":
    """The checks as they are shown where there is no key: what needs one was not checked."""
    if not any(check.code in ("kid_unknown", "kid_missing") for check in found):
        return list(found)
    gone = _gone(app, token)
    return [_reworded(check, gone) for check in found]


def _reworded(check: "Check", gone: str) -> "Check":
    if check.code == "kid_unknown" and gone:
        return replace(check, words=gone)
    if check.code == "alg_mismatch":
        return replace(check, words="not checked, because there is no key", code="not_checked")
    return check


def _gone(app: "App", token: bytes) -> str:
    """`key b7Jm2kQe was revoked 34s ago` of the token's kid; empty where no ring has such a key."""
    from jwturn.cli.output import relative
    from jwturn.cli.rings import kids_of
    from jwturn.core import jws

    kid = jws.read_header(jws.cut(token)[0]).kid
    for name in [row.name for row in app.store.rings()]:
        with suppress(IntegrityError):
            view = app.store.load(name)
            for key in view.ring.keys:
                at = key.revoked or key.retired
                if key.kid == kid and at is not None:
                    word = "revoked" if key.revoked else "retired"
                    when = relative(at.at, view.now.at).replace("now", "just now")
                    return f"key {kids_of(view.ring)[kid]} was {word} {when}"
    return ""


def _json(check: Any) -> dict[str, Any]:
    return {"name": check.name, "passed": check.passed, "words": check.words, "code": check.code}

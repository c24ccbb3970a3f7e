"""verify and inspect: whether a token of this store's rings is to be trusted, and why."""

from datetime import datetime
from typing import Any, Final

import click

from jwturn.cli.invocation import Invocation, read_input
from jwturn.cli.options import INSTANT, Verb

LIMIT: Final = 32 * 1024
VERIFY = """\
$ jwturn sign --claim sub=alice | jwturn verify --aud orders
{"iss": "https://auth.example.com", "sub": "alice", ...}"""
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
        claims = app.verify(token, audience=aud, at=at)
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
        found = app.explain(token, audience=aud, at=at)
    width = max(len(check.name) for check in found)
    for check in found:
        mark = "ok" if check.passed else "-" if check.code == "not_checked" else "FAIL"
        inv.show(f"{mark:<4}  {check.name:<{width}}  {check.words}")
    inv.emit(valid=all(check.passed for check in found), checks=[_json(check) for check in found])
    return 0 if all(check.passed for check in found) else 2


def _json(check: Any) -> dict[str, Any]:
    return {"name": check.name, "passed": check.passed, "words": check.words, "code": check.code}

"""import: a key or secret that is in use elsewhere enters a ring and its lifecycle."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.invocation import Invocation, ask_secret, at_terminal, read_input, read_password
from jwturn.cli.options import INSTANT, SPAN, Verb, dry_run, reason

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.core.secret import Secret
    from jwturn.crypto.import_ import Imported
    from jwturn.ports.custody import Made

LIMIT: Final = 16 * 1024
EXAMPLE = """\
$ jwturn import old-key.pem --alg RS256 --kid 2024-07 --as verify-only --reason "moving to jwturn"
key 2024-07 (RS256) entered ring default as verify-only"""


@click.command("import", cls=Verb, example=EXAMPLE)
@click.argument("file")
@click.option("--alg", help="Its algorithm, where the key does not say it (RSA, secrets).")
@click.option(
    "--as", "state", type=click.Choice(["standby", "verify-only"]), default="standby", show_default=True
)
@click.option("--kid", metavar="KID", help="Its kid elsewhere (a JWK's own, else its thumbprint).")
@click.option("--secret", is_flag=True, help="FILE holds the bytes of an HMAC secret.")
@click.option("--password-file", type=click.Path(path_type=Path), help="A private file; else you are asked.")
@click.option("--published-since", type=INSTANT, help="When verifiers could first fetch it; needs a reason.")
@click.option("--foreign-until", type=INSTANT, help="Until when others still sign with it.")
@click.option("--foreign-ttl", type=SPAN, help="The longest lifetime of their tokens.")
@reason
@dry_run
@click.pass_obj
def import_(inv: Invocation, /, **given: Any) -> int:
    """Take in a key or secret that is in use elsewhere.

    FILE is PEM, DER or a JWK (`-`: stdin). It keeps its kid. Weak keys are refused.
    """
    data = read_input(given["file"], limit=LIMIT)
    with inv.busy("checking the key"):
        found = _imported(data, given)
    for note in found.notes:
        inv.warn(note)
    with inv.open() as app:
        _take_in(inv, app, found, given)
    return 0


def _imported(data: bytes, given: dict[str, Any]) -> "Imported":
    from jwturn.core.errors import BadInput
    from jwturn.crypto.import_ import import_key, import_secret

    if given["secret"]:
        if given["alg"] is None:
            raise click.UsageError("--secret needs --alg, such as --alg HS256")
        return import_secret(data, alg=given["alg"])
    if given["alg"] in ("HS256", "HS384", "HS512") and not data.strip().startswith((b"{", b"-----BEGIN ")):
        raise BadInput(
            f"{given['alg']} signs with a secret, and FILE is no key file",
            hint=f"if it holds the bytes of the secret: --secret --alg {given['alg']}",
        )
    return import_key(data, alg=given["alg"], password=_password(data, given["password_file"]))


def _password(data: bytes, path: Path | None) -> "Secret | None":
    if path is not None:
        return read_password(path)
    return ask_secret("Password of the key", new=False) if b"ENCRYPTED" in data and at_terminal() else None


def _take_in(inv: Invocation, app: "App", found: "Imported", given: dict[str, Any]) -> None:
    from jwturn.cli.rings import agenda_of, next_of
    from jwturn.cli.turn import settled
    from jwturn.service.respond import Usage

    name, tried = inv.ring_name, given["dry_run"]
    made = _made(app, app.store.load(name).ring.id, found, given["kid"])
    usage = Usage(
        state=given["state"],
        published_since=given["published_since"],
        foreign_until=given["foreign_until"],
        foreign_ttl=given["foreign_ttl"],
    )
    done = app.commands.take_in(name, inv.actor(given["reason"]), made=made, usage=usage, dry_run=tried)
    view = settled(inv, app, done, dry_run=tried)
    enters = "would enter" if tried else "entered"
    inv.show(f"key {made.kid} ({made.alg}) {enters} ring {name} as {given['state']}")
    if not tried:
        inv.show(f"next: {next_of(view, view.ring.key(made.kid), agenda_of(view))}")


def _made(app: "App", ring_id: str, found: "Imported", kid: str | None) -> "Made":
    from jwturn.core.jwk import check_kid, thumbprint
    from jwturn.ports.custody import Made

    kid = kid or found.kid
    if found.private is not None:
        return app.custody.adopt(found.alg, ring_id, private=found.private, public=found.public, kid=kid)
    public = found.public or {}
    return Made(check_kid(kid) if kid else thumbprint(public), found.alg, found.public, None)

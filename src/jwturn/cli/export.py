"""export: public keys for anybody; private halves only with a loud word, a reason and an audit event."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwturn.cli.invocation import Invocation, ask_secret, at_terminal, read_password
from jwturn.cli.options import Verb, reason
from jwturn.cli.output import KID_CHARS

if TYPE_CHECKING:
    from jwturn.core.keys import Key
    from jwturn.core.secret import Secret
    from jwturn.ports.store import View

LOUD = "--i-want-the-private-key"
EXAMPLE = """\
$ jwturn export b7Jm2kQe --format pem
-----BEGIN PUBLIC KEY-----
...
$ jwturn export --private --i-want-the-private-key --reason "escrow" --password-file pass --out key.pem
$ jwturn export --ring hooks --secret --i-want-the-private-key --unencrypted --reason "partner" --out s.txt"""


@click.command(cls=Verb, example=EXAMPLE)
@click.argument("kid", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "jwk", "jwks", "raw"]),
    help="pem; jwks without KID; raw for secrets.",
)
@click.option("--private", is_flag=True, help="The private half; encrypted PEM.")
@click.option("--secret", is_flag=True, help="The HMAC secret: raw, or as jwk.")
@click.option(LOUD, "loud", is_flag=True, help="Say so for --private and --secret.")
@click.option("--unencrypted", is_flag=True, help="Say so as well to have it readable by anybody.")
@click.option("--password-file", type=click.Path(path_type=Path), help="A private file; else you are asked.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="A new file, mode 0600 (stdout)."
)
@reason
@click.pass_obj
def export(inv: Invocation, /, *, private: bool, secret: bool, **given: Any) -> int:
    """Export public keys, or with loud words a private half.

    KID is the active key where none is named.
    """
    from jwturn.cli.rings import kids_of

    if private and secret:
        raise click.UsageError("a key pair has a --private half, a symmetric key is a --secret; say one")
    _demand_new(given["out"])
    with inv.open() as app:
        view = app.store.load(inv.ring_name)
        if not (private or secret):
            _give(inv, _public(view, given["kid"], given["form"]), given["out"])
            return 0
        key = _chosen(view, given["kid"])
        form = given["form"] or ("raw" if secret else "pem")
        password = _demanded(key, form, given, secret=secret)
        half = app.commands.export(
            view.ring.name, inv.actor(given["reason"]), kid=key.kid, form=_told(form, password)
        )
        _give(inv, _written(key, half, form, password), given["out"])
        what = "secret" if secret else "private half"
        inv.say(f"the {what} of key {kids_of(view.ring)[key.kid]} left the store; the audit chain says so")
    return 0


def _public(view: "View", kid: str | None, form: str | None) -> bytes:
    from jwturn.core.envelope import canonical
    from jwturn.core.errors import BadInput
    from jwturn.core.jwk import jwks_bytes, project
    from jwturn.crypto.export import public_pem
    from jwturn.service.publish import key_set

    form = form or ("pem" if kid else "jwks")
    if form == "jwks":
        keys = [
            key for key in key_set([view], issuer_set=False) if kid is None or str(key["kid"]).startswith(kid)
        ]
        return jwks_bytes(keys) + b"\n"
    key = _chosen(view, kid)
    if key.public is None:
        raise BadInput(
            f"key {key.kid[:KID_CHARS]} is a secret: it has no public half",
            hint=f"--secret {LOUD} --reason ...",
        )
    if form == "raw":
        raise click.UsageError("raw is for secrets; say pem, jwk or jwks")
    public = project(key.public, kid=key.kid, alg=key.alg)
    return public_pem({**key.public, "alg": key.alg}) if form == "pem" else canonical(public) + b"\n"


def _chosen(view: "View", kid: str | None) -> "Key":
    from jwturn.core.errors import NotFound

    key = view.ring.find(kid) if kid else view.ring.active
    if key is None:
        raise NotFound(f"ring {view.ring.name} has no active key", hint="name a KID: jwturn keys")
    return key


def _demanded(key: "Key", form: str, given: dict[str, Any], *, secret: bool) -> "Secret | None":
    """The password of the file (None: unencrypted), once every word was said. Raises UsageError, BadInput."""
    from jwturn.core.errors import BadInput

    if secret is not key.symmetric:
        wrong, right = ("--private", "--secret") if key.symmetric else ("--secret", "--private")
        raise BadInput(f"{wrong} is not for key {key.kid[:KID_CHARS]} ({key.alg})", hint=right)
    if form not in (("raw", "jwk") if secret else ("pem", "jwk")):
        raise click.UsageError(f"--format {form} is not for {'secrets' if secret else 'private halves'}")
    if not given["loud"]:
        raise click.UsageError(f"whoever reads it can sign as you: say {LOUD} if that is meant")
    if given["unencrypted"]:
        return None
    if form != "pem":
        raise click.UsageError(f"{form} is readable by anybody: say --unencrypted if that is meant")
    if given["password_file"] is not None:
        return read_password(given["password_file"])
    if not at_terminal():
        raise click.UsageError("an encrypted key needs --password-file, or a terminal to ask at")
    return ask_secret("Password for the exported key", new=True)


def _told(form: str, password: "Secret | None") -> str:
    return f"{form}, {'unencrypted' if password is None else 'encrypted'}"


def _written(key: "Key", half: "Secret", form: str, password: "Secret | None") -> bytes:
    from jwturn.core.envelope import canonical
    from jwturn.crypto.export import private_jwk, private_pem

    if form == "raw":
        return half.reveal()
    if form == "pem":
        return private_pem(key.alg, half, password=password)
    return canonical({**private_jwk(key.alg, half), "kid": key.kid}) + b"\n"


def _demand_new(out: Path | None) -> None:
    """Before the event is written: what cannot be put there does not leave the store. Raises StateForbids."""
    from jwturn.core.errors import StateForbids

    if out is not None and os.path.lexists(out):
        raise StateForbids(f"{out} is there already", hint="nothing was changed; choose another path")


def _give(inv: Invocation, data: bytes, out: Path | None) -> None:
    from jwturn.ports.files import write_private

    if out is None:
        click.echo(data, nl=False)
    else:
        write_private(out.absolute(), data, new=True)
        inv.say(f"Wrote {out}, mode 0600")

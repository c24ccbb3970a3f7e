"""jwks: the set that the service would publish now."""

from typing import TYPE_CHECKING

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.service.publish import Published

EXAMPLE = """\
$ jwturn jwks
{"keys":[{"alg":"ES256","crv":"P-256","kid":"b7Jm2kQe...","kty":"EC","use":"sig",...}]}"""


@click.command(cls=Verb, example=EXAMPLE)
@click.option("--issuer", metavar="URL", help="Whose set (that of the settings' ring).")
@click.option("--headers", is_flag=True, help="Print the HTTP headers first.")
@click.pass_obj
def jwks(inv: Invocation, *, issuer: str | None, headers: bool) -> int:
    """Print the JWKS as it would be served now.

    The issuer's set; with --ring, the ring's own.
    """
    import msgspec

    from jwturn.core.errors import Unavailable

    with inv.open() as app:
        try:
            found = _set(inv, app, issuer)
        except Unavailable as error:
            raise _only_secrets(inv, app, issuer) or error from error
    if headers:
        for name, value in found.headers.items():
            inv.show(f"{name}: {value}")
        inv.show("")
    inv.show(found.body.decode())
    inv.emit(headers=dict(found.headers), jwks=msgspec.json.decode(found.body))
    return 0


def _set(inv: Invocation, app: "App", issuer: str | None) -> "Published":
    if issuer is not None:
        return app.publisher.issuer_set(issuer)
    if inv.ring is not None:
        return app.publisher.ring_set(inv.ring)
    return app.publisher.issuer_set(app.store.load(inv.ring_name).ring.issuer)


def _only_secrets(inv: Invocation, app: "App", issuer: str | None) -> Exception | None:
    from jwturn.core.errors import BadInput

    views = app.store.published(issuer) if issuer else [app.store.load(inv.ring_name)]
    if not all(view.ring.policy.symmetric for view in views):
        return None
    hint = "jwturn export --secret, or GET /v1/rings/RING/secrets with role verifier"
    return BadInput("these are secrets, and a secret is never in a JWKS", hint=hint, code="no_jwks")

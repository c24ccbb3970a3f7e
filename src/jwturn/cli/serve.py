"""serve: the signing service and the loop, in this process."""

import sys
from typing import TYPE_CHECKING

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb
from jwturn.core.errors import ConfigError, IntegrityError, JwturnError, NotFound

if TYPE_CHECKING:
    from jwturn.compose import App

FIRST_TOKEN = "first"  # noqa: S105  # a name
EXAMPLE = """\
$ jwturn serve --init
JWKS   http://127.0.0.1:8470/.well-known/jwks.json
token  jwturn_... (role signer, ring default; it is not shown again)
sign with this line:
curl -sS http://127.0.0.1:8470/v1/rings/default/sign -H 'Authorization: Bearer jwturn_...' ..."""


@click.command(cls=Verb, example=EXAMPLE)
@click.option(
    "--init", "make", is_flag=True, help="Make a store, a ring and an API token where there are none."
)
@click.option("--host", metavar="ADDRESS", help="Where it listens (127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65_535), help="(8470)")
@click.pass_obj
def serve(inv: Invocation, *, make: bool, host: str | None, port: int | None) -> int:
    """Run the signing service and the loop that turns the rings."""
    try:
        from jwturn.server.run import forbid_dumps
        from jwturn.server.run import serve as run
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    given = {"JWTURN_SERVICE__HOST": host, "JWTURN_SERVICE__PORT": None if port is None else str(port)}
    settings = inv.settings(
        new=make, given={name: value for name, value in given.items() if value is not None}
    )
    service = settings.service
    forbid_dumps()  # before the KEK is read
    app = _opened(inv, make=make)
    try:
        run(app, host=service.host, port=service.port, on_ready=lambda url: _tell(inv, app, url, make=make))
    finally:
        app.close()
    return 0


def _opened(inv: Invocation, *, make: bool) -> "App":
    from jwturn.cli.init import create
    from jwturn.compose import ensure_ring, open_app

    settings = inv.settings()
    issuer = settings.service.issuer or f"http://{settings.service.host}:{settings.service.port}"
    try:
        app = open_app(settings, clock=inv.clock, source=inv.source(settings))
    except NotFound as error:
        if error.code != "no_store":
            raise
        if not make:
            raise NotFound(error.message, hint="jwturn serve --init makes one", code=error.code) from error
        return create(inv, issuer=issuer)
    if make and not app.store.rings():
        ensure_ring(app, inv.ring_name, issuer=issuer, actor=inv.actor("serve --init"))
    return app


def _tell(inv: Invocation, app: "App", url: str, *, make: bool) -> None:
    """Once the port is bound: where the JWKS is, and on the first start how to sign."""
    _say_what_is_refused(app)
    sets = _sets(app, url)
    for address, what in sets:
        inv.show(f"JWKS   {address}" + (f"  ({what})" if len(sets) > 1 else ""))
    token = _first_token(inv, app) if make and not app.store.tokens() else None
    if token is not None:
        inv.show(f"token  {token} (role signer, ring {inv.ring_name}; it is not shown again)")
        inv.show("sign with this line:")
        inv.show(
            f"curl -sS {url}/v1/rings/{inv.ring_name}/sign -H 'Authorization: Bearer {token}'"
            """ -H 'Content-Type: application/json' -d '{"claims": {"sub": "alice"}}'"""
        )
    elif make:
        inv.show("token  made before and not shown again; for another: jwturn token new NAME")
    jwks = [address for address, _ in sets]
    inv.emit(jwks=jwks[0] if jwks else None, sets=jwks, token=token)
    if sys.stderr.isatty():
        inv.say(f"listening on {url}; Ctrl-C stops it")


def _sets(app: "App", url: str) -> list[tuple[str, str]]:
    """Where each set is asked for at this address, and whose it is.

    The bare path answers for one issuer; of several each ring has a path of its own.
    """
    from jwturn.service.publish import JWKS_PATH

    rows = app.store.rings()
    if len({row.issuer for row in rows}) <= 1:
        return [(url + JWKS_PATH, "")]
    return [
        (f"{url}/rings/{row.name}{JWKS_PATH}", f"ring {row.name} of {row.issuer}")
        for row in rows
        if not _symmetric(app, row.name)
    ]


def _symmetric(app: "App", ring: str) -> bool:
    try:
        return app.store.load(ring).ring.policy.symmetric
    except JwturnError:
        return False


def _say_what_is_refused(app: "App") -> None:
    """Loud: a ring that answers nobody (such as one older than its witness), and the way out."""
    for row in app.store.rings():
        try:
            app.store.load(row.name)
        except IntegrityError as error:
            click.echo(f"error: {error.message}\n       ring {row.name} answers 503 until then", err=True)
            click.echo(f"hint:  {error.hint}", err=True)


def _first_token(inv: Invocation, app: "App") -> str:
    from jwturn.compose import new_token
    from jwturn.core.tokens import Role

    return new_token(app, FIRST_TOKEN, Role.SIGNER, inv.actor("serve --init"), rings=[inv.ring_name])


def _not_installed(error: ModuleNotFoundError) -> Exception:
    if error.name is not None and error.name.startswith("jwturn"):
        return error
    hint = "pip install 'jwturn[server]'"
    return ConfigError(f"the service needs {error.name}, which is not installed", hint=hint)

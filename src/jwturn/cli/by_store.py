"""Tokens of the store's own rings, for `verify` and `inspect`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jwturn.cli.asked import Asked
from jwturn.cli.invocation import Invocation
from jwturn.cli.report import Found, Report, claimed_issuer, kid_of, refusal_of
from jwturn.core.errors import IntegrityError, NotFound, TokenRefused
from jwturn.verifier.checks import NOT_CHECKED

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.core.claims import Check


@contextmanager
def store(inv: Invocation) -> "Iterator[App | None]":
    """The store, or None where there is none, or no ring in it. Raises as `Invocation.open` does."""
    with ExitStack() as stack:
        app = None
        try:
            app = stack.enter_context(inv.open())
        except NotFound as error:
            if error.code != "no_store":
                raise
        yield app if app is not None and app.store.rings() else None


def own_claims(app: "App", token: bytes, asked: Asked) -> dict[str, Any]:
    """The claims of a token that passes every check. Raises TokenRefused, saying what became of a key."""
    try:
        return app.verify(token, **_narrowed(asked))
    except TokenRefused as error:
        key = _find(app, token) if error.code == "kid_unknown" else None
        if key is not None and key.gone:
            hint = "no token of it is good any more; get a new token"
            raise TokenRefused(key.words, code=error.code, hint=hint) from error
        if error.code == "iss_wrong":
            error.hint = "jwturn status lists the issuers here; for another one: --issuer URL"
        raise


def own_report(app: "App", token: bytes, asked: Asked) -> Report:
    """Every check of any bytes at all, by the keys of the issuer that they name, if it is one of ours."""
    key = _find(app, token)
    foreign = claimed_issuer(token) not in {row.issuer for row in app.store.rings()}
    checks = [_known(check, key, foreign=foreign) for check in app.explain(token, **_narrowed(asked))]
    return Report(checks=checks, key=key, refusal=refusal_of(lambda: own_claims(app, token, asked)))


def _narrowed(asked: Asked) -> dict[str, Any]:
    given = {"audience": asked.aud, "typ": asked.typ, "algorithms": asked.alg}
    return {"at": asked.at, **{name: value or None for name, value in given.items()}}


def _known(check: "Check", key: Found | None, *, foreign: bool) -> "Check":
    """The check with what the store knows beside the token."""
    if check.name == "kid" and check.passed and key is not None:
        return replace(check, words=f"{check.words}, {key.words}")
    if check.code == "kid_unknown" and key is not None:
        return replace(check, words=key.words if key.gone else f"{check.words}, {key.words}")
    if check.code == "kid_unknown" and foreign:
        return replace(check, words="not checked: the keys of its issuer are not here", code=NOT_CHECKED)
    if check.code == "iss_wrong" and foreign:
        seen = check.words.partition("; ")[2].partition(", expected")[0]
        return replace(check, words=f"no ring of this store signs for this issuer; {seen}")
    return check


def _find(app: "App", token: bytes) -> Found | None:
    """The key of the store that has the token's kid, published or gone."""
    from jwturn.cli.rings import kids_of, since

    kid = kid_of(token)
    for name in [row.name for row in app.store.rings()] if kid else []:
        with suppress(IntegrityError):
            view = app.store.load(name)
            for key in view.ring.keys:
                if key.kid == kid:
                    ended = key.revoked or key.retired
                    return Found(
                        kid=kid,
                        shown=kids_of(view.ring)[kid],
                        ring=name,
                        issuer=view.ring.issuer,
                        alg=key.alg,
                        state="revoked" if key.revoked else str(key.state),
                        since=since(key) if ended is None else ended.at,
                        now=view.now.at,
                    )
    return None

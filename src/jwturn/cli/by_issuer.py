"""Tokens of an issuer that the command line names, and of nobody: `verify` and `inspect` without a store.

By the code that applications judge with: `jwturn.Verifier`.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import structs

from jwturn.cli.asked import Asked
from jwturn.cli.invocation import Invocation
from jwturn.cli.report import Report, claimed_issuer, cut, kid_of, refusal_of
from jwturn.core.claims import Check, epoch
from jwturn.core.errors import JwturnError, KeysUnavailable, TokenRefused
from jwturn.core.jwk import CODES, RefusedKey
from jwturn.core.rules import ANY, Rules
from jwturn.verifier.checks import NOT_CHECKED

if TYPE_CHECKING:
    from jwturn.verifier.held import KeyStatus
    from jwturn.verifier.sync import Verifier

HINTS: Final = {
    "url_refused": "give an https URL; --loopback-http allows http to this machine, for tests",
    "fetch_tls": "SSL_CERT_FILE=ca.pem in the environment trusts an authority of your own",
    "fetch_redirect": "name the URL that the set is really at: --jwks URL",
    "discovery_absent": "name the URL of the set: --jwks URL",
    "discovery_malformed": "name the URL of the set: --jwks URL",
    "discovery_issuer": "give --issuer exactly as its metadata and its tokens spell it",
    "discovery_jwks_uri": "if that host is to be trusted for this issuer, name it: --jwks URL",
    "iss_wrong": "the token is of another issuer than --issuer says",
    "kid_unknown": "the issuer may have retired the key, or this set is not its own",
    "typ_refused": "if tokens of this typ are meant for this place: --typ NAME",
    "alg_not_allowed": "if the issuer means to use it: --alg ALG",
    "lifetime_too_long": "ask for shorter tokens, or allow longer ones: --token-ttl-max",
    "jwk_unknown_alg": "the key does not say its algorithm: --alg RS256, or what the issuer documents",
}
"""Hints in the words of the command line, by the code of what is wrong; elsewhere the error's own stands."""
NO_KEYS: Final = "--issuer URL fetches the keys, --jwks FILE|URL names them"
_OF_KEYS: Final = frozenset({"kid", "alg of the key", "signature"})
_REFUSED_SHOWN: Final = 8


def issuers_claims(inv: Invocation, token: bytes, asked: Asked) -> dict[str, Any]:
    """The claims of a token that passes every check. Raises TokenRefused, KeysUnavailable, UsageError."""
    if asked.issuer is None:
        raise click.UsageError("--jwks needs --issuer: the keys do not say whose token it must be")
    if not asked.aud and not asked.any_aud:
        raise click.UsageError("for whom is it? Say --aud NAME, or --any-aud to accept any audience")
    with _in_flags(), _verifier(inv, asked, asked.issuer) as verifier, inv.busy("fetching keys"):
        return _claims(verifier, token, asked)


def issuers_report(inv: Invocation, token: bytes, asked: Asked) -> Report:
    """Every check of any bytes at all, by the keys that were named.

    Where nobody said whose token it must be, the token's own word passes for nothing.
    """
    issuer = _whose(token, asked)
    with _in_flags(), _verifier(inv, asked, issuer) as verifier, inv.busy("fetching keys"):
        try:
            checks = verifier.explain(token, at=asked.at)
        except KeysUnavailable as error:
            code = getattr(error.__cause__, "code", error.code)
            keys = Check("keys", passed=False, words=_cause(error, asked), code=code)
            return replace(_without(inv, token, asked, keys), advice=_flags(error), unavailable=error)
        status, refusal = verifier.status(), None
        if not status.kids:
            checks = _unchecked(checks, kid_of(token), "the keys were not asked for")
        if asked.issuer is None:
            checks = _whoever(checks)
        else:
            refusal = refusal_of(lambda: _claims(verifier, token, asked))
    refused = _refused(status, token)
    checks = [_of_set(check, refused) for check in checks]
    advice = "" if refused is None else HINTS.get(refused.code, "")
    return Report(checks=_with_keys(checks, _keys(status, asked)), refusal=refusal, advice=advice)


def keyless_report(inv: Invocation, token: bytes, asked: Asked) -> Report:
    """What can be said of any bytes without keys: of form, header and claims."""
    keys = Check("keys", passed=False, words="there are no keys here", code=NOT_CHECKED)
    return _without(inv, token, asked, keys)


def _without(inv: Invocation, token: bytes, asked: Asked, keys: Check) -> Report:
    from jwturn.ports.clock import SystemClock
    from jwturn.verifier.judge import Court, Judge

    judge = Judge(Court(keys={}, rules=Rules(**_rules(asked, _whose(token, asked)))))
    found = judge.explain(token, epoch(asked.at or (inv.clock or SystemClock()).now()))
    checks = _unchecked(found, kid_of(token), "no keys")
    if asked.issuer is None:
        checks = _whoever(checks)
    return Report(checks=_with_keys(checks, keys), advice=NO_KEYS)


def _cause(error: KeysUnavailable, asked: Asked) -> str:
    """Why there are no keys; without the issuer's name where that is the token's own word."""
    told = error if asked.issuer is not None else error.__cause__
    return str(getattr(told, "message", "there are no usable keys"))


def _whose(token: bytes, asked: Asked) -> str:
    """The issuer that was named; where none was, the one that the token claims, to be taken for nothing."""
    return (claimed_issuer(token) or "?") if asked.issuer is None else asked.issuer


def _claims(verifier: "Verifier", token: bytes, asked: Asked) -> dict[str, Any]:
    """The claims; of a kid that the set has, and may not be used, the refusal says so."""
    try:
        return verifier.verify(token, at=asked.at)
    except TokenRefused as error:
        refused = _refused(verifier.status(), token)
        error.hint = _flags(error)
        if error.code != "kid_unknown" or refused is None:
            raise
        hint = HINTS.get(refused.code, error.hint)
        raise TokenRefused(_unusable(refused), code=error.code, hint=hint) from error


def _rules(asked: Asked, issuer: str) -> dict[str, Any]:
    """The rules of Verifier, and of Rules, that were given."""
    given = {"leeway": asked.leeway, "token_ttl_max": asked.token_ttl_max}
    sets: dict[str, Any] = {"typ": frozenset(asked.typ), "algorithms": frozenset(asked.alg)}
    return {
        "issuer": issuer,
        "audience": frozenset(asked.aud) or ANY,
        **{name: value for name, value in given.items() if value is not None},
        **{name: value for name, value in sets.items() if value},
    }


@contextmanager
def _verifier(inv: Invocation, asked: Asked, issuer: str) -> "Iterator[Verifier]":
    """The SDK's verifier for these options."""
    from jwturn.verifier.sync import Verifier

    quiet = logging.getLogger("jwturn")
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    if asked.loopback_http:
        inv.warn("http to this machine is allowed: for tests only")
    with Verifier(
        **_rules(asked, issuer),
        jwks=asked.jwks_file,
        jwks_url=asked.jwks_url,
        loopback_http=asked.loopback_http,
        clock=inv.clock,
    ) as verifier:
        yield verifier
        for refused in verifier.status().refused:
            if refused.alarm:
                inv.warn(f"key {cut(refused.kid)} of the set is refused: {_why(refused)}")


@contextmanager
def _in_flags() -> Iterator[None]:
    """Errors of the SDK leave with hints in the words of the command line."""
    try:
        yield
    except JwturnError as error:
        if not isinstance(error, TokenRefused):  # those have theirs from _claims
            error.hint = _flags(error)
        raise


def _flags(error: JwturnError) -> str:
    cause = error.__cause__
    code = cause.code if isinstance(error, KeysUnavailable) and isinstance(cause, JwturnError) else error.code
    if isinstance(error, KeysUnavailable):
        return HINTS.get(
            code, "the token was not judged; does the issuer answer? A set of your own: --jwks FILE"
        )
    return HINTS.get(code, error.hint)


def _unchecked(checks: Collection[Check], kid: str, why: str) -> list[Check]:
    """The checks, where there were no keys to make them by."""
    words = {"kid": f"kid is {cut(kid)}; not checked: {why}"}
    return [
        structs.replace(c, words=words.get(c.name, f"not checked: {why}"), code=NOT_CHECKED)
        if c.name in _OF_KEYS and c.code in ("kid_unknown", NOT_CHECKED) and kid
        else c
        for c in checks
    ]


def _whoever(checks: Collection[Check]) -> list[Check]:
    """The checks, where nobody said whose token it must be: the token's own word passes for nothing."""
    words = "not checked: --issuer says whose token it must be"
    return [
        structs.replace(
            c, passed=False, words=f"{c.words.partition(', expected')[0]}; {words}", code=NOT_CHECKED
        )
        if c.name == "iss" and c.passed
        else c
        for c in checks
    ]


def _refused(status: "KeyStatus", token: bytes) -> RefusedKey | None:
    """The key of the set that has the token's kid, and may not be used."""
    kid = kid_of(token)
    return next((one for one in status.refused if kid and one.kid == kid), None)


def _unusable(refused: RefusedKey) -> str:
    return f"the set has kid {cut(refused.kid)}, but not to be used: {_why(refused)}"


def _why(refused: RefusedKey) -> str:
    return CODES.get(refused.code, f"it breaks the rules for keys ({refused.code})")


def _of_set(check: Check, refused: RefusedKey | None) -> Check:
    if check.code != "kid_unknown" or refused is None:
        return check
    return structs.replace(check, words=_unusable(refused))


def _keys(status: "KeyStatus", asked: Asked) -> Check:
    if not status.kids:
        return Check(
            "keys", passed=False, words="not asked for: no key makes this token good", code=NOT_CHECKED
        )
    where = f"from {asked.jwks}" if asked.jwks else f"of {asked.issuer}, by discovery"
    words = f"{len(status.kids)} {'key' if len(status.kids) == 1 else 'keys'} {where}"
    refused = [f"{cut(one.kid)} ({one.code})" for one in status.refused[:_REFUSED_SHOWN]]
    return Check("keys", passed=True, words=words + (f"; not used: {', '.join(refused)}" if refused else ""))


def _with_keys(checks: Sequence[Check], keys: Check) -> list[Check]:
    """The keys stand before the first check that needs them."""
    place = next((n for n, check in enumerate(checks) if check.name == "kid"), len(checks))
    return [*checks[:place], keys, *checks[place:]]

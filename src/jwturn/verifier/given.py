"""What a verifier is handed, looked at before anything is made of it: BadInput names the argument and why."""

import os
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

import msgspec

from jwturn.core.claims import epoch
from jwturn.core.errors import BadInput
from jwturn.core.jwk import check_kid
from jwturn.core.jwks_fetch import Source
from jwturn.core.rules import AnyAudience, Rules
from jwturn.verifier.held import Origin
from jwturn.verifier.judge import Legacy

Jwks: TypeAlias = Mapping[str, Any] | bytes | str | os.PathLike[str]
Names: TypeAlias = str | Collection[str]

_UNLIKE_A_PATH: Final = ("{", "[", "http:", "https:")


@runtime_checkable
class _Tls(Protocol):
    """An ssl.SSLContext, by what it has: `ssl` is loaded when it is needed."""

    check_hostname: bool


_KINDS: Final[Mapping[str, tuple[Any, str]]] = {
    "issuer": (str, "a str"),
    "jwks_url": (str | None, "a str"),
    **dict.fromkeys(("leeway", "token_ttl_max", "keys_ttl_max", "stale_max"), (timedelta, "a timedelta")),
    "now": (Callable | None, "a callable that gives an aware datetime"),
    "tls": (_Tls | None, "an ssl.SSLContext"),
    **dict.fromkeys(("memo", "loopback_http"), (bool, "True or False")),
}


def check_kinds(**given: object) -> None:
    """Raises BadInput where an argument of this name is of another kind."""
    for name, value in given.items():
        kind, words = _KINDS[name]
        if not isinstance(value, kind):
            raise malformed(name, f"is {type(value).__name__}", hint=f"hand in {words}")


def malformed(name: str, words: str, *, hint: str) -> BadInput:
    """The refusal of an argument."""
    return BadInput(f"these rules were refused: {name} {words}", code="rules_malformed", hint=hint)


def audience_given(audience: object) -> frozenset[str] | AnyAudience:
    """ANY, or the names; raises BadInput."""
    return audience if isinstance(audience, AnyAudience) else names("audience", audience)


def narrowed(*, algorithms: object, typ: object, kid_when_absent: object) -> dict[str, Any]:
    """The rules that have a default, where they were given; raises BadInput."""
    rules: dict[str, Any] = {}
    if algorithms is not None:
        rules["algorithms"] = names("algorithms", algorithms)
    if typ is not None:
        rules["typ"] = names("typ", typ)
    if kid_when_absent is not None:
        rules["kid_when_absent"] = check_kid(kid_when_absent)
    return rules


def beside(rules: Rules, legacy: object) -> Legacy | None:
    """The court of a legacy secret, if there is one; raises BadInput."""
    if legacy is None:
        return None
    from jwturn.verifier.legacy import LegacySecret

    if isinstance(legacy, LegacySecret):
        return legacy.beside(rules)
    raise malformed("legacy", f"is {type(legacy).__name__}", hint="LegacySecret(secret, until=...)")


def seconds(moment: object) -> float:
    """Unix seconds of an aware datetime; raises BadInput."""
    if isinstance(moment, datetime):
        return epoch(moment)
    words = f"a moment is {type(moment).__name__}, no datetime"
    raise BadInput(words, code="time_malformed", hint="hand in an aware datetime")


def seconds_now(now: Callable[[], object]) -> float:
    """The same of what `now` gives."""
    given = now()
    try:
        return seconds(given)
    except BadInput as error:
        words = f"now gave no aware datetime: {error.message}"
        raise BadInput(words, code=error.code, hint="datetime.now(UTC) is aware") from error


def origin_of(jwks: Jwks | None, source: Callable[[], Source], *, jwks_url: str | None) -> Origin:
    """Where the set comes from; raises BadInput."""
    if jwks is None and jwks_url != "":
        return source()
    if jwks is None:
        raise malformed("jwks_url", "is empty", hint="leave it out where discovery is meant")
    if jwks_url is not None:
        raise BadInput("both jwks and jwks_url were given", code="rules_malformed", hint="give one of them")
    if isinstance(jwks, bytes):
        return jwks
    if isinstance(jwks, Mapping):
        try:
            return msgspec.json.encode(dict(jwks))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise BadInput("jwks is no JSON object", code="jwks_malformed", hint="{'keys': [...]}") from error
    if isinstance(jwks, str) and jwks.lstrip().startswith(_UNLIKE_A_PATH):
        hint = "hand the text of a set in as bytes, and a URL as jwks_url"
        raise BadInput("jwks is a path, and this is none", code="rules_malformed", hint=hint)
    try:
        return os.fsdecode(os.fspath(jwks))
    except TypeError as error:
        words = f"is {type(jwks).__name__}"
        raise malformed("jwks", words, hint="hand in a dict, bytes, or the path of a file") from error


def names(of: str, names: object) -> frozenset[str]:
    """One name or several, none of them empty; raises BadInput."""
    found = {names} if isinstance(names, str) else names
    hint = "hand in a str, or several" + (", or ANY" if of == "audience" else "")
    if not isinstance(found, Collection):
        raise malformed(of, f"is {type(found).__name__}", hint=hint)
    if not found or not all(isinstance(name, str) and name for name in found):
        raise malformed(of, "names nothing, or holds what is no name", hint=hint)
    return frozenset(found)

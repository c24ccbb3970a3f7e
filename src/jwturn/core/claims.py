"""The claims of a token (RFC 7519 section 4.1): judged at a given time, and prepared for signing.

Every check is a function that gives the code of a refusal or nothing, so that `check` (fast, raises) and
`checks` (in words, all of them) are the same rules. A claim of the wrong type is a refusal, never an absent
claim.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeGuard

import msgspec
from msgspec import Struct

from jwturn.core import strict_json
from jwturn.core.durations import format_duration
from jwturn.core.errors import BadInput, TokenRefused, Unavailable
from jwturn.core.rules import ANY, AnyAudience, Rules

__all__ = [
    "ANY",
    "CODES",
    "RESERVED",
    "AnyAudience",
    "Check",
    "Rules",
    "check",
    "checks",
    "epoch",
    "good_during",
    "prepare",
]

RESERVED: Final = frozenset({"iss", "iat", "exp", "nbf", "jti"})
"""Claims that the signer sets and a caller may not; aud is reserved where the policy sets it."""
CLAIMS_BYTES_MAX: Final = 6144
"""With the largest header and an ML-DSA-87 signature a token stays below 16 KiB."""
_RESERVED_AND_AUD: Final = RESERVED | {"aud"}
_INTEGER_MAX: Final = 10**strict_json.DIGITS_MAX
_NOT_PLAIN: Final = (TypeError, ValueError, RecursionError, OverflowError, msgspec.MsgspecError)
_SECOND: Final = timedelta(seconds=1)
_DAY_SECONDS: Final = 86_400
_YEAR_9999: Final = 253_402_300_799.0
_encode: Final = msgspec.json.Encoder().encode

CODES: Final[Mapping[str, str]] = {
    "exp_missing": "there is no exp: a token without an end is not accepted",
    "exp_type": "exp is not a finite number",
    "expired": "exp has passed, leeway included",
    "iat_type": "iat is not a finite number",
    "iat_future": "iat is in the future, beyond the leeway",
    "nbf_type": "nbf is not a finite number",
    "nbf_future": "nbf is in the future, beyond the leeway",
    "exp_before_iat": "exp is not after iat",
    "lifetime_too_long": "the token lives longer than the longest lifetime allowed",
    "exp_past_key": "exp is above the last that this key can have issued: the private half is in other hands",
    "iss_missing": "there is no iss",
    "iss_type": "iss is not a string",
    "iss_wrong": "iss is not exactly the issuer expected",
    "aud_missing": "there is no aud",
    "aud_type": "aud is not a string or a list of strings",
    "aud_wrong": "no member of aud is exactly one expected here",
    "sub_type": "sub is not a string",
    "jti_type": "jti is not a string",
}
"""Every refusal of `check`, a line each (SECURITY.md 6)."""

_HINT: Final = "ask the issuer; its tokens break RFC 7519 or these rules"
_HINTS: Final[Mapping[str, str]] = {
    "expired": "get a new token; if it is new, compare this clock with the issuer's",
    "iat_future": "compare this clock with the issuer's",
    "nbf_future": "wait until nbf, or compare this clock with the issuer's",
    "exp_past_key": "treat it as a theft: find who else holds this key, and revoke what it could sign",
    "iss_wrong": "this verifier is configured for another issuer",
    "aud_missing": "it was made for no audience: have it made for this one, or say audience=ANY",
    "aud_wrong": "this token was made for somebody else; check the audience configured here",
    "lifetime_too_long": "ask for shorter tokens, or raise token_ttl_max",
}


class Check(Struct, frozen=True):
    """One check of a token, in words; `code` is the refusal's when it failed."""

    name: str
    passed: bool
    words: str
    code: str = ""


def check(
    claims: Mapping[str, Any], rules: Rules, now: datetime | float, *, key_exp: int | None = None
) -> None:
    """Raise TokenRefused unless every check passes; `key_exp` is the key's published `exp`, Unix seconds.

    `payload.payload_reader` passes the plainest claims faster, and comes here with all others.
    """
    at = epoch(now)
    for judge in _JUDGES:
        if code := judge(claims, rules, at, key_exp):
            raise TokenRefused(CODES[code], code=code, hint=_HINTS.get(code, _HINT))


def good_during(claims: Mapping[str, Any], rules: Rules, ends: float | None = None) -> tuple[float, float]:
    """From when (included) until when (not) the clock alone would pass claims that `check` passed once.

    Unix seconds. For whoever remembers what passed: nothing else in `check` changes with time.
    """
    leeway, exp = rules.leeway_seconds, claims["exp"]
    since = claims["iat"] - leeway if "iat" in claims else exp - rules.ttl_seconds
    if "nbf" in claims:
        since = max(since, claims["nbf"] - leeway)
    until = exp + leeway
    return since, until if ends is None else min(until, ends)


def checks(
    claims: Mapping[str, Any], rules: Rules, now: datetime | float, *, key_exp: int | None = None
) -> Iterator[Check]:
    """Every check in words, passed or failed; the same functions as `check`, and raises nothing."""
    at = epoch(now)
    for name, judge, words in _CHECKS:
        code = judge(claims, rules, at, key_exp)
        shown = words(claims, rules, at)
        yield Check(name, not code, f"{CODES[code]}; {shown}" if code else shown, code)


def epoch(now: datetime | float) -> float:
    """Unix seconds of an aware datetime, or the number itself; raises BadInput `time_malformed` otherwise."""
    if not isinstance(now, datetime):
        if math.isfinite(now):
            return now
        raise BadInput("the time is not finite", code="time_malformed", hint="hand in Unix seconds")
    if now.utcoffset() is None:
        raise BadInput("the time has no zone", code="time_malformed", hint="hand in an aware datetime")
    return now.timestamp()


def prepare(
    claims: Mapping[str, object],
    *,
    issuer: str,
    now: datetime | float,
    ttl: timedelta,
    ttl_max: timedelta,
    jti: str | None,
    audience: str | Collection[str] | None = None,
    nbf: bool = False,
    exp_max: int | None = None,
) -> dict[str, Any]:
    """The claims to sign: the caller's, checked, with iss, iat, exp, and jti, aud, nbf where asked for.

    iat is `now` cut to whole seconds; exp is iat + ttl, but never above `exp_max` (Unix seconds, the mark).
    Raises BadInput (`claims_reserved`, `claims_malformed`, `ttl_out_of_range`), or Unavailable
    `mark_reached`. Claims that read back equal are plain, and name nothing twice; `_plain` decides the rest.
    """
    try:
        text = _encode(claims)
        plain = strict_json.shallow(text)
    except _NOT_PLAIN:
        plain = None
    if plain is None or plain != claims or len(text) > CLAIMS_BYTES_MAX:
        plain = _plain(claims)
    reserved = RESERVED if audience is None else _RESERVED_AND_AUD
    if not reserved.isdisjoint(plain) or "aud" in plain or type(plain.get("sub", "")) is not str:
        _check_callers(plain, reserved)
    if not _SECOND <= ttl <= ttl_max:
        raise BadInput(
            f"a lifetime of {format_duration(ttl)} is not within 1s and {format_duration(ttl_max)}",
            code="ttl_out_of_range",
            hint="ask for a shorter token, or raise token_ttl_max in the ring's policy",
        )
    iat = int(now) if type(now) is float and 0 < now < _YEAR_9999 else math.floor(epoch(now))
    exp = iat + ttl.days * _DAY_SECONDS + ttl.seconds
    if exp_max is not None and exp > exp_max:
        exp = exp_max
    if exp <= iat:
        raise Unavailable("this node's mark leaves no time for a token", code="mark_reached", hint="retry")
    full = {"iss": issuer, **plain, "iat": iat, "exp": exp}
    if audience is not None:
        full["aud"] = audience if type(audience) is str else sorted(audience)
    if nbf:
        full["nbf"] = iat
    if jti is not None:
        full["jti"] = jti
    return full


def _check_callers(plain: Mapping[str, Any], reserved: frozenset[str]) -> None:
    if not reserved.isdisjoint(plain):
        raise BadInput(
            f"claims the caller may not set: {', '.join(sorted(reserved & plain.keys()))}",
            code="claims_reserved",
            hint="leave them out: the ring's policy sets them, and a ttl beside the claims sets exp",
        )
    if "aud" in plain and (code := _aud_type(plain)):
        raise _claims_malformed(CODES[code])
    if code := _string(plain, "sub"):
        raise _claims_malformed(CODES[code])


def _plain(claims: Mapping[str, object]) -> dict[str, Any]:
    """The claims written and strictly read again: what differs afterwards was not plain JSON."""
    try:
        text = _encode(dict(claims))
        plain = strict_json.loads(text)
    except BadInput as error:
        raise _claims_malformed(error.message) from error
    except _NOT_PLAIN as error:
        raise _claims_malformed("they are not plain JSON values") from error
    if len(text) > CLAIMS_BYTES_MAX:
        raise _claims_malformed(f"they are {len(text)} bytes, above {CLAIMS_BYTES_MAX}")
    if not isinstance(plain, dict) or plain != claims:
        raise _claims_malformed("they are not plain JSON values, which read back as they were")
    return plain


def _claims_malformed(words: str) -> BadInput:
    return BadInput(
        f"the claims were refused: {words}",
        code="claims_malformed",
        hint="send a JSON object of strings, finite numbers, lists and objects",
    )


def _is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number, no bool, and no integer so long that arithmetic overflows."""
    if type(value) is int:
        return -_INTEGER_MAX < value < _INTEGER_MAX
    return type(value) is float and math.isfinite(value)


def _exp(claims: Mapping[str, Any], rules: Rules, now: float, _: int | None) -> str:
    exp = claims.get("exp")
    if not _is_number(exp):
        return "exp_type" if "exp" in claims else "exp_missing"
    return "expired" if now >= exp + rules.leeway_seconds else ""


def _iat(claims: Mapping[str, Any], rules: Rules, now: float, _: int | None) -> str:
    if "iat" not in claims:
        return ""
    if not _is_number(iat := claims["iat"]):
        return "iat_type"
    return "iat_future" if iat > now + rules.leeway_seconds else ""


def _nbf(claims: Mapping[str, Any], rules: Rules, now: float, _: int | None) -> str:
    if "nbf" not in claims:
        return ""
    if not _is_number(nbf := claims["nbf"]):
        return "nbf_type"
    return "nbf_future" if nbf > now + rules.leeway_seconds else ""


def _lifetime(claims: Mapping[str, Any], rules: Rules, now: float, key_exp: int | None) -> str:
    exp, iat = claims.get("exp"), claims.get("iat", now)
    if not _is_number(exp):
        return "exp_type" if "exp" in claims else "exp_missing"
    if not _is_number(iat):
        return "iat_type"
    if key_exp is not None and exp > key_exp:
        return "exp_past_key"
    if exp <= iat and "iat" in claims:
        return "exp_before_iat"
    return "lifetime_too_long" if exp - iat > rules.ttl_seconds else ""


def _iss(claims: Mapping[str, Any], rules: Rules, _now: float, _: int | None) -> str:
    iss = claims.get("iss")
    if type(iss) is not str:
        return "iss_type" if "iss" in claims else "" if "iss" in rules.may_lack else "iss_missing"
    return "" if iss == rules.issuer else "iss_wrong"


def _aud(claims: Mapping[str, Any], rules: Rules, _now: float, _: int | None) -> str:
    aud, expected = claims.get("aud"), rules.audience
    if type(aud) is str:
        return "" if isinstance(expected, AnyAudience) or aud in expected else "aud_wrong"
    if "aud" not in claims:
        return "" if isinstance(expected, AnyAudience) or "aud" in rules.may_lack else "aud_missing"
    if code := _aud_type(claims):
        return code
    return "" if isinstance(expected, AnyAudience) or not expected.isdisjoint(claims["aud"]) else "aud_wrong"


def _aud_type(claims: Mapping[str, Any]) -> str:
    aud = claims.get("aud", "")
    if isinstance(aud, str) or (isinstance(aud, list) and all(isinstance(name, str) for name in aud)):
        return ""
    return "aud_type"


def _string(claims: Mapping[str, Any], name: str) -> str:
    return "" if isinstance(claims.get(name, ""), str) else f"{name}_type"


def _strings(claims: Mapping[str, Any], _rules: Rules, _now: float, _: int | None) -> str:
    return _string(claims, "sub") or _string(claims, "jti")


def _shown(value: object) -> str:
    """A value nobody trusts, escaped and cut."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _when(name: str, claims: Mapping[str, Any], now: float) -> str:
    if name not in claims:
        return f"{name} is absent"
    value = claims[name]
    if not (_is_number(value) and 0 <= value < _YEAR_9999 and abs(now) < _YEAR_9999):
        return f"{name} is {_shown(value)}"
    ahead = timedelta(seconds=round(value - now))
    distance = f"in {format_duration(ahead)}" if ahead > timedelta() else f"{format_duration(-ahead)} ago"
    return f"{name} is {_EPOCH + timedelta(seconds=value):%Y-%m-%d %H:%M:%S} UTC ({distance})"


def _of_lifetime(claims: Mapping[str, Any], rules: Rules, now: float) -> str:
    exp, iat = claims.get("exp"), claims.get("iat", now)
    if not (_is_number(exp) and _is_number(iat) and abs(exp - iat) < _YEAR_9999):
        return "its lifetime cannot be measured"
    lives = format_duration(timedelta(seconds=exp - iat))
    return f"it lives {lives}, of at most {format_duration(rules.token_ttl_max)}"


def _of_aud(claims: Mapping[str, Any], rules: Rules, _: float) -> str:
    wanted = "any" if isinstance(rules.audience, AnyAudience) else " or ".join(sorted(rules.audience))
    return f"{_said('aud', claims)}, expected {wanted}"


def _said(name: str, claims: Mapping[str, Any]) -> str:
    return f"{name} is {_shown(claims[name])}" if name in claims else f"{name} is absent"


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_Judge = Callable[[Mapping[str, Any], Rules, float, int | None], str]
_Words = Callable[[Mapping[str, Any], Rules, float], str]
_CHECKS: Final[tuple[tuple[str, _Judge, _Words], ...]] = (
    ("exp", _exp, lambda claims, _, now: _when("exp", claims, now)),
    ("iat", _iat, lambda claims, _, now: _when("iat", claims, now)),
    ("nbf", _nbf, lambda claims, _, now: _when("nbf", claims, now)),
    ("lifetime", _lifetime, _of_lifetime),
    ("iss", _iss, lambda claims, rules, _: f"{_said('iss', claims)}, expected {rules.issuer!r}"),
    ("aud", _aud, _of_aud),
    ("sub and jti", _strings, lambda claims, *_: f"{_said('sub', claims)}, {_said('jti', claims)}"),
)
_JUDGES: Final = tuple(judge for _, judge, _ in _CHECKS)

"""What the rules of SECURITY.md say, written a second time: slow, plain, with other means than the product.

A target compares the two. Nothing here is shared with the product but the numbers of its limits.
"""

import base64
import json
import math
import re
from typing import Any, Final, NoReturn

from jwturn.core.jwk import ALGS
from jwturn.core.rules import Rules
from jwturn.core.strict_json import DEPTH_MAX, DIGITS_MAX

_ALPHABET: Final = re.compile(rb"[A-Za-z0-9_-]+\Z")
_KID: Final = re.compile(r"[\x20-\x7e]{1,256}\Z")
_MAX_HEADER: Final = 1024


class Refused(Exception):
    """The text is not what it should be."""


def base64url(text: bytes) -> bytes:
    """The bytes of a base64url text in its one spelling; the empty text is that of no bytes."""
    if text and (not _ALPHABET.match(text) or len(text) % 4 == 1):
        raise Refused
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text:
        raise Refused
    return data


def json_value(data: bytes, *, depth: int = DEPTH_MAX) -> Any:
    """The value of a strict JSON text."""
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise Refused
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        raise Refused from error
    if _depth(value) > depth or not _is_unicode(value):
        raise Refused
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise Refused
        members[name] = value
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_MAX:
        raise Refused
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Refused
    return value


def _constant(_: str) -> NoReturn:
    raise Refused


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _is_unicode(value: object) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= one <= "\udfff" for one in value)
    if isinstance(value, dict):
        return all(_is_unicode(name) and _is_unicode(inner) for name, inner in value.items())
    return not isinstance(value, list) or all(map(_is_unicode, value))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in type too, at every depth."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def header_passes(data: bytes, alg: str, kid: str) -> bool:
    """Whether a header is good under the default policy, where the one key has this alg and kid."""
    try:
        header = json_value(data)
    except Refused:
        return False
    if not isinstance(header, dict) or len(data) > _MAX_HEADER or {"crit", "b64", "zip"} & header.keys():
        return False
    for name, wanted in (("typ", {"jwt", "at+jwt"}), ("cty", None)):
        if name in header:
            value = header[name]
            if not isinstance(value, str) or not value.isascii():
                return False
            plain = re.sub(r"\Aapplication/", "", value.lower())
            if plain not in wanted if wanted else plain == "jwt":
                return False
    named = header.get("kid")
    if not isinstance(named, str) or not _KID.match(named) or named != kid:
        return False
    return isinstance(header.get("alg"), str) and header["alg"] in ALGS and header["alg"] == alg


def claims_pass(claims: Any, rules: Rules, now: float, *, key_exp: int | None = None) -> bool:
    """Whether claims are good at a moment."""
    if not isinstance(claims, dict):
        return False
    for name in ("exp", "iat", "nbf"):
        if name in claims and not _is_number(claims[name]):
            return False
    for name in ("iss", "sub", "jti"):
        if name in claims and not isinstance(claims[name], str):
            return False
    if "exp" not in claims or claims.get("iss") != rules.issuer:
        return False
    exp, leeway = claims["exp"], rules.leeway_seconds
    begins = claims.get("iat", now)
    if now >= exp + leeway or begins > now + leeway or claims.get("nbf", now) > now + leeway:
        return False
    if "iat" in claims and exp <= begins:
        return False
    if exp - begins > rules.ttl_seconds or (key_exp is not None and exp > key_exp):
        return False
    return _audience_passes(claims, rules)


def _audience_passes(claims: dict[str, Any], rules: Rules) -> bool:
    names = claims.get("aud", [])
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return False
    return not isinstance(rules.audience, frozenset) or bool(rules.audience & set(names))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 10**DIGITS_MAX if isinstance(value, int) else math.isfinite(value)

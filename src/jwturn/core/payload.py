"""A payload read and judged in one frame: what `jws.read_claims` and `claims.check` do, for the hot path.

The plainest claims are passed by checks that are sufficient and cheap. Whatever these leave open goes to the
strict ones, which alone refuse: the verdict and its code are always theirs.
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from jwturn.core import strict_json
from jwturn.core.claims import check
from jwturn.core.jws import decode, read_claims
from jwturn.core.rules import ANY, Rules

ReadPayload: TypeAlias = Callable[[bytes, float], tuple[dict[str, Any], bytes]]
"""From an encoded payload and the time in Unix seconds to its claims, a new dict, and its decoded bytes."""

_EXP_MAX: Final = 2**63
_COLON, _BACKSLASH = b":\\"


def payload_reader(rules: Rules, *, key_exp: int | None = None) -> ReadPayload:
    """A function that reads and judges payloads whose signature holds; it raises TokenRefused.

    `key_exp` is the published `exp` of the key, Unix seconds. Whole seconds do for whole seconds. No name
    comes twice in a text without escapes that has one colon for each member of its value, beside those in
    an issuer and an audience that are known.
    """
    issuer, ttl_seconds = rules.issuer, math.floor(rules.ttl_seconds)
    audiences = frozenset[str]() if rules.audience is ANY else rules.audience
    colons_with = {name: name.count(":") + issuer.count(":") for name in audiences}.get
    exp_max = _EXP_MAX if key_exp is None else key_exp
    shallow, names_once = strict_json.shallow, strict_json.names_once

    def read(payload: bytes, now: float) -> tuple[dict[str, Any], bytes]:
        data = decode(payload)
        try:
            claims, at = shallow(data), int(now)
        except strict_json.NOT_SHALLOW:
            return _read_strictly(data, now)
        get = claims.get
        exp, iat, aud = get("exp"), get("iat"), get("aud")
        if type(aud) is list and len(aud) == 1:
            aud = aud[0]
        good = (
            type(exp) is int
            and type(iat) is int
            and 0 < iat <= at < exp <= exp_max
            and exp - iat <= ttl_seconds
            and get("iss") == issuer
            and type(aud) is str
            and (colons := colons_with(aud, -1)) >= 0
            and ("nbf" not in claims or (type(nbf := claims["nbf"]) is int and nbf <= at))
            and type(get("sub", "")) is str
            and type(get("jti", "")) is str
        )
        if good and data.count(_COLON) - colons == len(claims) and _BACKSLASH not in data:
            return claims, data
        if not names_once(data, claims):
            claims = read_claims(data)
        if not good:
            check(claims, rules, now, key_exp=key_exp)
        return claims, data

    def _read_strictly(data: bytes, now: float) -> tuple[dict[str, Any], bytes]:
        claims = read_claims(data)
        check(claims, rules, now, key_exp=key_exp)
        return claims, data

    return read

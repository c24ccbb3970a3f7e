"""An issuer's set as key objects: parsed once per set, those that stayed taken over (SECURITY.md 5, 7)."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from jwturn.core.errors import BadInput
from jwturn.core.jwk import CODES, Jwk, KeySet, RefusedKey, parse_set, thumbprint
from jwturn.core.jwks_cache import pin
from jwturn.crypto.verify import VerifyKey, verify_key


class Opened(Struct, frozen=True):
    """The keys of a set by kid, their published `exp`, those refused, and the pins after it."""

    keys: Mapping[str, VerifyKey]
    exp_bounds: Mapping[str, int]
    refused: tuple[RefusedKey, ...]
    pins: Mapping[str, str]


_SHOWN_MAX: Final = 8
"""How many of the refused keys a message names."""
_NOTHING_TO_USE: Final = "the issuer has to publish a key that may be used"
_UNSAID: Final = (
    'if its RSA keys do not say their alg, name the one expected: algorithms="RS256" (or --alg RS256)'
)
NOTHING = Opened({}, {}, (), {})


def open_set(body: bytes, *, algorithms: Collection[str] | None = None, before: Opened = NOTHING) -> Opened:
    """Key objects of a published set; `before` is what the last one gave.

    A key without kid is known by its RFC 7638 thumbprint. Raises TooLarge, or BadInput when it is no set,
    holds a symmetric key, or leaves no usable key; the message names what each refused key was refused for.
    """
    found = _parsed(body, algorithms)
    times = Counter(map(_kid, found.keys))
    same, changed, pins = pin(before.pins, [jwk for jwk in found.keys if times[_kid(jwk)] == 1])
    keys: dict[str, VerifyKey] = {}
    bounds: dict[str, int] = {}
    twice = [RefusedKey(kid, "jwk_duplicate_kid") for kid, count in times.items() if count > 1]
    refused = [*found.refused, *twice, *changed]
    for jwk in same:
        kid = _kid(jwk)
        try:
            keys[kid] = _kept(jwk, kid, before, pins) or verify_key(jwk.public, alg=jwk.alg)
        except BadInput as error:
            refused.append(RefusedKey(kid, error.code))
            continue
        if jwk.exp is not None:
            bounds[kid] = jwk.exp
    if not keys:
        raise BadInput(
            f"{CODES['jwks_empty']}: {'; '.join(map(_shown, refused[:_SHOWN_MAX])) or 'it is empty'}",
            code="jwks_empty",
            hint=_UNSAID if any(one.code == "jwk_unknown_alg" for one in refused) else _NOTHING_TO_USE,
            refused=tuple(refused),
        )
    return Opened(keys, bounds, tuple(refused), pins)


def _parsed(body: bytes, algorithms: Collection[str] | None) -> KeySet:
    try:
        return parse_set(body, algorithms=algorithms)
    except BadInput as error:
        if error.code != "jwks_empty":
            raise
        return KeySet((), error.details.get("refused", ()))


def _kept(jwk: Jwk, kid: str, before: Opened, pins: Mapping[str, str]) -> VerifyKey | None:
    key, pinned = before.keys.get(kid), pins.get(kid)
    same = pinned is not None and before.pins.get(kid) == pinned
    return key if same and key is not None and key.alg == jwk.alg else None


def _kid(jwk: Jwk) -> str:
    return jwk.kid or thumbprint(jwk.public)


def _shown(refused: RefusedKey) -> str:
    return f"{ascii(refused.kid)[:40]} {refused.code}"

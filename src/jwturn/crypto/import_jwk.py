"""A JWK with or without its private half to key material, every member checked against the others.

RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3. The public members must be
those of the private ones; an RSA key must bring all of p, q, dp, dq, qi.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core import strict_json
from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS, PRIVATE_MEMBERS, check_kid
from jwturn.crypto.algorithms import Ecdsa, Ed25519, MlDsa, Rsa, algorithm
from jwturn.crypto.private import PrivateKey
from jwturn.crypto.public import PublicKey, number, octets, public_key

_PRIVATE_OF: Final = {
    "RSA": frozenset({"d", "p", "q", "dp", "dq", "qi"}),
    "EC": frozenset({"d"}),
    "OKP": frozenset({"d"}),
    "AKP": frozenset({"priv"}),
}
_CURVES: Final = {facts.crv: alg for alg, facts in ALGS.items() if facts.kty == "EC"}


def parse(data: bytes) -> dict[str, Any]:
    """The members of one JWK, of use for signatures; raises BadInput without repeating any of them."""
    members = _json(data)
    if not isinstance(members, dict):
        raise BadInput("the JSON text is not a JWK", hint="one JSON object (RFC 7517)")
    if "keys" in members:
        raise BadInput("this is a JWK set", hint="import its keys one by one")
    if {"ciphertext", "encrypted_key"} & members.keys():
        raise BadInput(
            "this is an encrypted JWE", hint="decrypt it first, or export the key as encrypted PEM"
        )
    if members.get("use", "sig") != "sig":
        raise BadInput("the JWK is not for signatures (use)", hint="make another key for signing")
    operations = members.get("key_ops", [])
    if not isinstance(operations, list) or not all(name in {"sign", "verify"} for name in operations):
        raise BadInput("the JWK has key_ops other than sign and verify", hint="make another key for signing")
    if "kid" in members:
        check_kid(members["kid"])
    return members


def _json(data: bytes) -> object:
    # Raised anew outside of the handler: a parser's own error may hold the text it read.
    try:
        return strict_json.loads(data)
    except BadInput as error:
        refusal = BadInput(error.message, code=error.code, hint=error.hint)
    raise refusal


def alg_of(members: Mapping[str, Any], alg: str | None) -> str:
    """The one alg of a JWK: its own member, which `alg` must equal, or its curve's; raises BadInput."""
    own = members.get("alg", alg)
    if own is not None and not isinstance(own, str):
        raise BadInput("the JWK member alg is not a string", hint="RFC 7517 section 4.4")
    if alg is not None and own != alg:
        raise BadInput(
            f"the JWK says its alg is another than {alg}", hint="a key has exactly one alg, for life"
        )
    if own is not None:
        return algorithm(own).name
    match members.get("kty"), members.get("crv"):
        case "EC", str(crv) if crv in _CURVES:
            return _CURVES[crv]
        case "OKP", "Ed25519":
            return "EdDSA"
        case kty, _:
            names = ", ".join(name for name, facts in ALGS.items() if facts.kty == kty)
            raise BadInput(
                "the JWK does not say its alg", hint=f"--alg, one of {names or 'those of its kty'}"
            )


def halves(members: Mapping[str, Any], alg: str) -> tuple[PublicKey, PrivateKey | None]:
    """The public and the private key object of an asymmetric JWK; raises BadInput or WeakKey."""
    held = PRIVATE_MEMBERS & members.keys()
    public = public_key({name: value for name, value in members.items() if name not in held}, alg=alg)
    if not held:
        return public, None
    if held != _PRIVATE_OF[ALGS[alg].kty]:
        raise BadInput(
            f"the JWK has private members {', '.join(sorted(held))} only, or too many",
            hint=f"{alg} needs {', '.join(sorted(_PRIVATE_OF[ALGS[alg].kty]))}",
        )
    private = _private(members, alg, public)
    if private is None or private.public_key() != public:
        raise BadInput(
            "the private members of the JWK are not those of its public ones", hint="it is damaged"
        )
    return public, private


def _private(members: Mapping[str, Any], alg: str, public: PublicKey) -> PrivateKey | None:
    row = algorithm(alg)
    if isinstance(row, Rsa) and isinstance(public, rsa.RSAPublicKey):
        numbers = _rsa_numbers(members, public.public_numbers())
        return _attempt(numbers.private_key) if numbers else None
    if isinstance(row, Ecdsa):
        scalar = int.from_bytes(octets(members, "d", size=row.size), "big")
        return _attempt(lambda: ec.derive_private_key(scalar, row.curve))
    if isinstance(row, Ed25519):
        return ed25519.Ed25519PrivateKey.from_private_bytes(octets(members, "d", size=32))
    if isinstance(row, MlDsa):
        return row.private.from_seed_bytes(octets(members, "priv", size=32))
    return None


def _rsa_numbers(members: Mapping[str, Any], public: rsa.RSAPublicNumbers) -> rsa.RSAPrivateNumbers | None:
    d, p, q, dp, dq, qi = (number(members, name) for name in ("d", "p", "q", "dp", "dq", "qi"))
    if p * q != public.n or min(p, q) < 3 or max(d, p, q, dp, dq, qi) >= public.n:
        return None
    consistent = (
        d * public.e % math.lcm(p - 1, q - 1) == 1
        and (dp, dq) == (d % (p - 1), d % (q - 1))
        and q * qi % p == 1
    )
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public) if consistent else None


def _attempt(make: Callable[[], PrivateKey]) -> PrivateKey | None:
    try:
        return make()
    except ValueError:
        return None

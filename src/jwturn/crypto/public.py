"""Public JWKs to key objects and back, every member in its one spelling.

RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3.
"""

from collections.abc import Mapping
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.jwk import ALGS, PRIVATE_MEMBERS, b64url, unb64url
from jwturn.crypto.algorithms import Algorithm, Ecdsa, Ed25519, Hmac, MlDsa, MlDsaPublic, Rsa, algorithm
from jwturn.crypto.weak import check_ed25519, check_rsa

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | MlDsaPublic


def public_jwk(alg: str, key: PublicKey) -> dict[str, str]:
    """The JWK of a public key: kty, alg and the key's own members; no kid, no use."""
    jwk = {"kty": ALGS[alg].kty, "alg": alg}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return jwk | {"n": unsigned(numbers.n), "e": unsigned(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        size = (key.curve.key_size + 7) // 8
        point = key.public_numbers()
        x, y = (b64url(number.to_bytes(size, "big")) for number in (point.x, point.y))
        return jwk | {"crv": str(ALGS[alg].crv), "x": x, "y": y}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return jwk | {"crv": "Ed25519", "x": b64url(key.public_bytes_raw())}
    return jwk | {"pub": b64url(key.public_bytes_raw())}


def public_key(jwk: Mapping[str, object], *, alg: str) -> PublicKey:
    """The key object of a public JWK for exactly `alg`; raises BadInput or WeakKey (SECURITY.md 1 and 5)."""
    row = algorithm(alg)
    _check_header(jwk, alg)
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise BadInput("a public JWK holds private members", code="jwk_private", hint="withdraw that key now")
    return _load(jwk, row)


def _check_header(jwk: Mapping[str, object], alg: str) -> None:
    facts = ALGS[alg]
    if jwk.get("kty") != facts.kty or (facts.crv is not None and jwk.get("crv") != facts.crv):
        raise BadInput(
            f"the JWK is not a key for {alg}",
            code="jwk_alg_mismatch",
            hint=f"{alg} needs kty {facts.kty}" + (f" and crv {facts.crv}" if facts.crv else ""),
        )
    if jwk.get("alg", alg) != alg:
        raise BadInput(
            f"the JWK is for another algorithm than {alg}",
            code="jwk_alg_mismatch",
            hint="a key has exactly one alg, for life",
        )


def _load(jwk: Mapping[str, object], row: Algorithm) -> PublicKey:
    match row:
        case Rsa():
            n, e = number(jwk, "n"), number(jwk, "e")
            check_rsa(n, e)
            return rsa.RSAPublicNumbers(e, n).public_key()
        case Ecdsa():
            return _point(jwk, row)
        case Ed25519():
            raw = octets(jwk, "x")
            check_ed25519(raw)
            return ed25519.Ed25519PublicKey.from_public_bytes(raw)
        case MlDsa():
            try:
                return row.public.from_public_bytes(octets(jwk, "pub"))
            except ValueError as error:
                raise _malformed(f"pub is not a public key of {row.name}", "FIPS 204 table 2") from error
        case Hmac():
            raise BadInput(f"{row.name} has no public key", hint="oct keys never belong into a JWKS")


def _point(jwk: Mapping[str, object], row: Ecdsa) -> ec.EllipticCurvePublicKey:
    x, y = (int.from_bytes(octets(jwk, name, size=row.size), "big") for name in ("x", "y"))
    weak = WeakKey(f"x, y is not a point of {row.curve.name}", hint="the key is damaged or forged")
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, row.curve).public_key()
    except ValueError as error:
        raise weak from error
    found = key.public_numbers()
    if (found.x, found.y) != (x, y):  # the primitive reduces a coordinate above the prime: one key, many JWKs
        raise weak
    return key


def octets(jwk: Mapping[str, object], name: str, *, size: int | None = None) -> bytes:
    """The bytes of a base64url member, exactly `size` if given; raises BadInput without the value."""
    value = jwk.get(name)
    if not isinstance(value, str):
        raise _malformed(f"the JWK member {name} is missing or not a string", "RFC 7518 section 6")
    if (data := _decoded(value)) is None:
        raise _malformed(f"the JWK member {name} is not base64url", "without padding (RFC 7515 section 2)")
    if size is not None and len(data) != size:
        raise _malformed(
            f"the JWK member {name} has {len(data)} bytes, not {size}",
            "keep leading zero bytes (RFC 7518 6.2)",
        )
    return data


def number(jwk: Mapping[str, object], name: str) -> int:
    """A Base64urlUInt member: not zero, no leading zero byte (RFC 7518 section 2)."""
    data = octets(jwk, name)
    if not data or data[0] == 0:
        raise _malformed(f"the JWK member {name} is zero or has a leading zero byte", "RFC 7518 section 2")
    return int.from_bytes(data, "big")


def unsigned(value: int) -> str:
    """A Base64urlUInt (RFC 7518 section 2)."""
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _malformed(words: str, hint: str) -> BadInput:
    return BadInput(words, code="jwk_malformed", hint=hint)


def _decoded(value: str) -> bytes | None:
    # Returned, not raised from: a decoder's own error may hold the text, which can be a private half.
    try:
        return unb64url(value)
    except BadInput:
        return None

"""Verification keys: checked once when made, then `verify` answers for any bytes (SECURITY.md section 5)."""

from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Final, NoReturn, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core.errors import BadInput
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Ecdsa, Hmac, MlDsaPublic, Rsa, algorithm
from jwturn.crypto.mac import hmac_secret, mac
from jwturn.crypto.public import public_key

Verify = Callable[[bytes, bytes], bool]


class VerifyKey:
    """Verifies under one key and its one alg; no repr, pickle or copy gives an HMAC secret away."""

    __slots__ = ("alg", "verify")

    alg: str
    verify: Verify
    """Whether the second argument is a JWS signature of the first."""

    def __init__(self, alg: str, verify: Verify) -> None:
        self.alg = alg
        self.verify = verify

    def __repr__(self) -> str:
        return f"VerifyKey({self.alg})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("verification keys cannot be pickled or copied")


def verify_key(jwk: Mapping[str, object], *, alg: str) -> VerifyKey:
    """The verification key of a public JWK for exactly `alg`.

    Raises BadInput if the JWK is malformed, is for another algorithm or holds private members, WeakKey if it
    must not be trusted.
    """
    row, key = algorithm(alg), public_key(jwk, alg=alg)
    if isinstance(row, Rsa) and isinstance(key, rsa.RSAPublicKey):
        return VerifyKey(alg, _rsa(row, key))
    if isinstance(row, Ecdsa) and isinstance(key, ec.EllipticCurvePublicKey):
        return VerifyKey(alg, _ecdsa(row, key))
    return VerifyKey(alg, _plain(cast("ed25519.Ed25519PublicKey | MlDsaPublic", key)))


def hmac_key(alg: str, secret: Secret) -> VerifyKey:
    """The verification key of an HMAC secret; raises BadInput for another alg, WeakKey if it is short."""
    row = algorithm(alg)
    if not isinstance(row, Hmac):
        raise BadInput(f"{alg} does not verify with a secret", hint="hand in the public JWK")
    authenticate = mac(row.digest, hmac_secret(row, secret))

    def verify(data: bytes, signature: bytes) -> bool:
        return compare_digest(authenticate(data), signature)

    return VerifyKey(alg, verify)


def _rsa(row: Rsa, key: rsa.RSAPublicKey) -> Verify:
    """The length is ours to check: the primitive takes PSS without its leading zero (RFC 8017 8.1.2)."""
    check, padding, digest, size = key.verify, row.padding, row.hash, (key.key_size + 7) // 8

    def verify(data: bytes, signature: bytes) -> bool:
        if len(signature) != size:
            return False
        try:
            check(signature, data, padding, digest)
        except InvalidSignature:
            return False
        return True

    return verify


def _plain(key: ed25519.Ed25519PublicKey | MlDsaPublic) -> Verify:
    check = key.verify

    def verify(data: bytes, signature: bytes) -> bool:
        try:
            check(signature, data)
        except InvalidSignature:
            return False
        return True

    return verify


def _ecdsa(row: Ecdsa, key: ec.EllipticCurvePublicKey) -> Verify:
    """Both numbers stay bytes: compared with the order, and put into DER (X.690 section 8.3)."""
    check, scheme, size = key.verify, ec.ECDSA(row.hash), row.size
    both, order, integers = 2 * size, row.curve.group_order.to_bytes(size, "big"), _integer_heads(size)

    def verify(data: bytes, signature: bytes) -> bool:
        if len(signature) != both:
            return False
        r, s = signature[:size], signature[size:]
        if r >= order or s >= order:
            return False
        r_head, s_head = integers[r[0]], integers[s[0]]
        if r_head and s_head:
            der = r_head + r + s_head + s
        elif any(r) and any(s):
            der = _integer(r) + _integer(s)
        else:
            return False
        try:
            check(_SEQUENCE_HEADS[len(der)] + der, data, scheme)
        except InvalidSignature:
            return False
        return True

    return verify


def _integer_heads(size: int) -> tuple[bytes, ...]:
    """What stands before a DER INTEGER of `size` bytes, by its first one; nothing where zeros must go."""
    return (b"", *(bytes((2, size)),) * 127, *(bytes((2, size + 1, 0)),) * 128)


def _integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\0")
    return _integer_heads(len(digits))[digits[0]] + digits


_SEQUENCE_HEADS: Final = tuple(
    bytes((0x30, length)) if length < 128 else bytes((0x30, 0x81, length)) for length in range(2 * 68 + 1)
)
"""What stands before a DER SEQUENCE, by its length; the longest has two integers of P-521."""

"""Verification keys: checked once when made, then `verify` answers for any bytes (SECURITY.md section 5)."""

import hmac
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwturn.core.errors import BadInput
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Ecdsa, Hmac, Rsa, algorithm
from jwturn.crypto.mac import mac
from jwturn.crypto.private import hmac_secret
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
        return VerifyKey(alg, _checked(key.verify, row.padding, row.hash))
    if isinstance(row, Ecdsa) and isinstance(key, ec.EllipticCurvePublicKey):
        return VerifyKey(alg, _ecdsa(row, key))
    return VerifyKey(alg, _checked(key.verify))


def hmac_key(alg: str, secret: Secret) -> VerifyKey:
    """The verification key of an HMAC secret; raises BadInput for another alg, WeakKey if it is short."""
    row = algorithm(alg)
    if not isinstance(row, Hmac):
        raise BadInput(f"{alg} does not verify with a secret", hint="hand in the public JWK")
    authenticate = mac(row.digest, hmac_secret(row, secret))

    def verify(data: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(authenticate(data), signature)

    return VerifyKey(alg, verify)


def _checked(check: Callable[..., None], *options: Any) -> Verify:
    def verify(data: bytes, signature: bytes) -> bool:
        try:
            check(signature, data, *options)
        except InvalidSignature:
            return False
        return True

    return verify


def _ecdsa(row: Ecdsa, key: ec.EllipticCurvePublicKey) -> Verify:
    check, scheme, size, order = key.verify, ec.ECDSA(row.hash), row.size, row.curve.group_order

    def verify(data: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        if not (0 < r < order and 0 < s < order):
            return False
        try:
            check(encode_dss_signature(r, s), data, scheme)
        except InvalidSignature:
            return False
        return True

    return verify

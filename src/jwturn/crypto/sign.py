"""Signers: the private half parsed once, then one direct call per signature, in the encoding of JWS."""

from collections.abc import Callable
from typing import Final, NoReturn, cast

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Algorithm, Ecdsa, Hmac, MlDsaPrivate, Rsa, algorithm
from jwturn.crypto.mac import hmac_secret, mac
from jwturn.crypto.private import PrivateKey, private_key

_LONG_FORM: Final = 0x80
"""From here on the first byte of a DER length says how many bytes follow (X.690 section 8.1.3)."""


class Signer:
    """Signs with one key under its one alg; no repr, pickle or copy gives the key away."""

    __slots__ = ("alg", "sign")

    alg: str
    sign: Callable[[bytes], bytes]
    """The JWS signature of the data: raw r || s for ECDSA (RFC 7518 section 3.4)."""

    def __init__(self, alg: str, sign: Callable[[bytes], bytes]) -> None:
        self.alg = alg
        self.sign = sign

    def __repr__(self) -> str:
        return f"Signer({self.alg})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("signers cannot be pickled or copied")


def signer(alg: str, private: Secret) -> Signer:
    """The signer of a private half (PKCS#8 DER, or an HMAC secret's bytes); raises BadInput or WeakKey."""
    row = algorithm(alg)
    if isinstance(row, Hmac):
        return Signer(alg, mac(row.digest, hmac_secret(row, private)))
    return Signer(alg, _signing(row, private_key(alg, private)))


def _signing(row: Algorithm, key: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(row, Rsa) and isinstance(key, rsa.RSAPrivateKey):
        return _rsa(row, key)
    if isinstance(row, Ecdsa) and isinstance(key, ec.EllipticCurvePrivateKey):
        return _ecdsa(row, key)
    return cast("ed25519.Ed25519PrivateKey | MlDsaPrivate", key).sign


def _rsa(row: Rsa, key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    raw, padding, digest = key.sign, row.padding, row.hash

    def sign(data: bytes) -> bytes:
        return raw(data, padding, digest)

    return sign


def _ecdsa(row: Ecdsa, key: ec.EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    """Both numbers are cut out of the DER; where one of them is short the decoder and the zeros do it."""
    raw, scheme, size = key.sign, ec.ECDSA(row.hash), row.size

    def sign(data: bytes) -> bytes:
        der = raw(data, scheme)
        r_at = 4 if der[1] < _LONG_FORM else 5
        r_end = r_at + der[r_at - 1]
        if r_end - r_at >= size and der[r_end + 1] >= size:
            return der[r_end - size : r_end] + der[-size:]
        r, s = decode_dss_signature(der)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign

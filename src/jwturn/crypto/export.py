"""Keys for elsewhere: the public half as SPKI, the private half as PKCS#8 or a JWK.

Whoever calls the private forms has asked for a loud word and written the audit event; nothing here does.
"""

import base64
from collections.abc import Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Hmac, algorithm
from jwturn.crypto.mac import hmac_secret
from jwturn.crypto.pbes2 import encrypted
from jwturn.crypto.private import PrivateKey, pkcs8, private_key
from jwturn.crypto.public import public_jwk, public_key, unsigned


def public_pem(public: Mapping[str, str]) -> bytes:
    """The SubjectPublicKeyInfo PEM (RFC 7468 section 13) of a public JWK with its alg; raises BadInput."""
    key = public_key(public, alg=str(public.get("alg")))
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_pem(alg: str, private: Secret, *, password: Secret | None) -> bytes:
    """The PKCS#8 PEM (RFC 7468) of a private half, encrypted (pbes2.py) unless `password` is None.

    Raises BadInput for an HMAC secret, which has no PEM form, and for an empty password.
    """
    if isinstance(algorithm(alg), Hmac):
        raise BadInput("an HMAC secret has no PEM form", hint="export it as a JWK, or as the secret itself")
    if password is not None and len(password) == 0:
        raise BadInput("the password is empty", hint="say so if the key shall be written unencrypted")
    half = pkcs8(private_key(alg, private))
    if password is None:
        return _pem("PRIVATE KEY", half.reveal())
    return _pem("ENCRYPTED PRIVATE KEY", encrypted(half, password))


def private_jwk(alg: str, private: Secret) -> dict[str, str]:
    """The JWK of a private half, with its public members, without kid (RFC 7518, RFC 8037, RFC 9964)."""
    row = algorithm(alg)
    if isinstance(row, Hmac):
        return {"kty": "oct", "alg": alg, "k": b64url(hmac_secret(row, private))}
    key = private_key(alg, private)
    return public_jwk(alg, key.public_key()) | _private_members(key)


def _private_members(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        named = zip(
            ("d", "p", "q", "dp", "dq", "qi"),
            (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp),
            strict=True,
        )
        return {name: unsigned(value) for name, value in named}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        return {"d": b64url(key.private_numbers().private_value.to_bytes(size, "big"))}
    name = "d" if isinstance(key, ed25519.Ed25519PrivateKey) else "priv"
    return {name: b64url(key.private_bytes_raw())}


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode("ascii")

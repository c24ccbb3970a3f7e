"""Keys for elsewhere: the public half as SPKI, the private half as PKCS#8 or a JWK.

Whoever calls the private forms has asked for a loud word and written the audit event; nothing here does.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat

from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Hmac, algorithm
from jwturn.crypto.private import PrivateKey, hmac_secret, private_key
from jwturn.crypto.public import public_jwk, public_key, unsigned

# For PBKDF2-HMAC-SHA256 by OWASP's Password Storage Cheat Sheet (2023); the library's own default is 2048.
PBKDF2_ROUNDS: Final = 600_000


def public_pem(public: Mapping[str, str]) -> bytes:
    """The SubjectPublicKeyInfo PEM (RFC 7468 section 13) of a public JWK with its alg; raises BadInput."""
    key = public_key(public, alg=str(public.get("alg")))
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_pem(alg: str, private: Secret, *, password: Secret | None) -> bytes:
    """The PKCS#8 PEM of a private half, encrypted (PBES2, AES-256-CBC) unless `password` is None.

    Raises BadInput for an HMAC secret, which has no PEM form, and for an empty password.
    """
    if isinstance(algorithm(alg), Hmac):
        raise BadInput("an HMAC secret has no PEM form", hint="export it as a JWK, or as the secret itself")
    if password is not None and len(password) == 0:
        raise BadInput("the password is empty", hint="say so if the key shall be written unencrypted")
    key = private_key(alg, private)
    return key.private_bytes(serialization.Encoding.PEM, PrivateFormat.PKCS8, _encryption(password))


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


def _encryption(password: Secret | None) -> serialization.KeySerializationEncryption:
    if password is None:
        return serialization.NoEncryption()
    builder = PrivateFormat.PKCS8.encryption_builder().kdf_rounds(PBKDF2_ROUNDS).hmac_hash(hashes.SHA256())
    return builder.build(password.reveal())

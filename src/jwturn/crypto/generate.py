"""New keys from the system CSPRNG, one per call, for exactly one algorithm."""

import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core.errors import BadInput
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Ecdsa, Ed25519, Hmac, MlDsa, Rsa, algorithm
from jwturn.crypto.printable import draw, printable_length
from jwturn.crypto.private import PrivateKey, pkcs8
from jwturn.crypto.public import public_jwk

RSA_BITS: Final = (2048, 3072, 4096)
RSA_BITS_DEFAULT: Final = 3072  # 128 bits of security (NIST SP 800-57 part 1, table 2)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key: its public JWK without kid (None for oct), and its private half.

    The private half is PKCS#8 DER, or the bytes of an HMAC secret (of the text, in the printable form).
    """

    alg: str
    public: dict[str, str] | None
    private: Secret


def generate(alg: str, *, rsa_bits: int = RSA_BITS_DEFAULT, printable: bool = False) -> KeyPair:
    """A new key for `alg`.

    `rsa_bits` is one of RSA_BITS and matters to RSA only; `printable` makes an HMAC secret of characters that
    can be typed (printable.py), with as many bits of entropy as the plain form. Raises BadInput for another
    algorithm, another size, or `printable` with a key that has no text form.
    """
    row = algorithm(alg)
    if isinstance(row, Hmac):
        return KeyPair(alg, None, _secret(row, printable=printable))
    if printable:
        raise BadInput(f"only HMAC secrets have a printable form, not {alg}", hint="HS256, HS384 or HS512")
    if rsa_bits not in RSA_BITS:
        raise BadInput(
            f"RSA keys of {rsa_bits} bits are not made here", hint="2048, 3072 (the default) or 4096"
        )
    key = _private(row, rsa_bits)
    return KeyPair(alg, public_jwk(alg, key.public_key()), pkcs8(key))


def _secret(row: Hmac, *, printable: bool) -> Secret:
    if printable:
        return Secret(draw(printable_length(8 * row.secret_min)).encode("ascii"))
    return Secret(secrets.token_bytes(row.secret_min))


def _private(row: Rsa | Ecdsa | Ed25519 | MlDsa, rsa_bits: int) -> PrivateKey:
    match row:
        case Rsa():
            return rsa.generate_private_key(65537, rsa_bits)
        case Ecdsa():
            return ec.generate_private_key(row.curve)
        case Ed25519():
            return ed25519.Ed25519PrivateKey.generate()
        case MlDsa():
            return row.private.generate()

"""Private halves as key objects, and back to the PKCS#8 DER that is sealed."""

from typing import TypeAlias

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core.errors import BadInput
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Algorithm, Ecdsa, Ed25519, Hmac, MlDsa, MlDsaPrivate, Rsa, algorithm

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | MlDsaPrivate
)


def pkcs8(key: PrivateKey) -> Secret:
    """The private half as PKCS#8 DER (RFC 5958); ML-DSA as its seed (RFC 9881 section 6)."""
    return Secret(
        key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def private_key(alg: str, private: Secret) -> PrivateKey:
    """The key object of a PKCS#8 private half for `alg`; raises BadInput if it is not one.

    RSA numbers are not proved again here (a quarter of a second for 4096 bits): `import_key` does that once,
    and the envelope authenticates what was sealed.
    """
    try:
        key = serialization.load_der_private_key(private.reveal(), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
        raise BadInput("the private half is not PKCS#8 DER", hint="import it again: jwturn import") from error
    if not fits(algorithm(alg), key):
        raise BadInput(f"the private half is not a key for {alg}", hint="a key has exactly one alg, for life")
    return key  # type: ignore[return-value]  # fits() has named its class


def fits(row: Algorithm, key: object) -> bool:
    """Whether a private or public key object is of the kind that `row` uses."""
    match row:
        case Rsa():
            return isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey)
        case Ecdsa():
            kinds = ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey
            return isinstance(key, kinds) and key.curve.name == row.curve.name
        case Ed25519():
            return isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey)
        case MlDsa():
            return isinstance(key, (row.private, row.public))
        case Hmac():
            return False

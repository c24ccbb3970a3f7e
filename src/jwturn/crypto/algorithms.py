"""The allow-list: what each `alg` name does, as data. A name outside this table does not exist here.

RFC 7518 section 3 (RSA, ECDSA, HMAC), RFC 8037 and RFC 9864 (the two spellings of Ed25519), RFC 9964
(ML-DSA). `none` is not in it. Names are compared byte for byte.
"""

from typing import Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding
from msgspec import Struct

from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS

MlDsaPrivate: TypeAlias = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
MlDsaPublic: TypeAlias = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey


class Rsa(Struct, frozen=True):
    """RSASSA-PKCS1-v1_5 or RSASSA-PSS (RFC 7518 sections 3.3 and 3.5)."""

    name: str
    hash: hashes.HashAlgorithm
    padding: padding.PKCS1v15 | padding.PSS


class Ecdsa(Struct, frozen=True):
    """ECDSA with the raw r || s encoding, `size` bytes each (RFC 7518 section 3.4)."""

    name: str
    hash: hashes.HashAlgorithm
    curve: ec.EllipticCurve
    size: int


class Ed25519(Struct, frozen=True):
    """PureEdDSA on Ed25519 (RFC 8037 section 3.1, RFC 9864 section 2.2)."""

    name: str


class Hmac(Struct, frozen=True):
    """HMAC with SHA-2 (RFC 7518 section 3.2); a secret has at least `secret_min` bytes."""

    name: str
    digest: str
    secret_min: int


class MlDsa(Struct, frozen=True):
    """ML-DSA with an empty context (RFC 9964, FIPS 204)."""

    name: str
    private: type[MlDsaPrivate]
    public: type[MlDsaPublic]


Algorithm: TypeAlias = Rsa | Ecdsa | Ed25519 | Hmac | MlDsa


def algorithm(name: str) -> Algorithm:
    """The primitives of an `alg`; raises BadInput, with the nearest name as its hint, for any other name."""
    found = _TABLE.get(name)
    if found is None:
        raise BadInput(f"unknown algorithm {name[:40]!r}", code="unknown_alg", hint=_nearest(name[:40]))
    return found


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name.upper(), [known.upper() for known in _TABLE], n=1)
    for known in _TABLE:
        if near and known.upper() == near[0]:
            return f"did you mean {known}? names are compared exactly"
    return f"one of {', '.join(_TABLE)}"


def _rsa(bits: int) -> tuple[Rsa, Rsa]:
    digest = _SHA[bits]
    pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    return Rsa(f"RS{bits}", digest, padding.PKCS1v15()), Rsa(f"PS{bits}", digest, pss)


_SHA: Final[dict[int, hashes.HashAlgorithm]] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    512: hashes.SHA512(),
}

_ROWS: Final[tuple[Algorithm, ...]] = (
    *(row for bits in _SHA for row in _rsa(bits)),
    Ecdsa("ES256", _SHA[256], ec.SECP256R1(), 32),
    Ecdsa("ES384", _SHA[384], ec.SECP384R1(), 48),
    Ecdsa("ES512", _SHA[512], ec.SECP521R1(), 66),
    Ed25519("EdDSA"),
    Ed25519("Ed25519"),
    *(Hmac(f"HS{bits}", f"sha{bits}", ALGS[f"HS{bits}"].secret_bytes_min) for bits in _SHA),
    MlDsa("ML-DSA-44", mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey),
    MlDsa("ML-DSA-65", mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    MlDsa("ML-DSA-87", mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
)

_TABLE: Final[dict[str, Algorithm]] = {row.name: row for row in _ROWS}

"""One key for each algorithm, and tokens that are truly signed with it: what a forgery starts from."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jwturn.core.jwk import ALGS, b64url
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import Signer, signer
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key

NOW: Final = 1_700_000_000
ISSUER: Final = "https://auth.example.com"
AUDIENCE: Final = "orders"
CLAIMS: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "iat": NOW,
    "exp": NOW + 600,
    "jti": "1",
}

RSA: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty == "RSA")
EC: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty == "EC")
OKP: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty == "OKP")
AKP: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty == "AKP")
HMAC: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty == "oct")
PUBLIC: Final = (*RSA, *EC, *OKP, *AKP)
ONE_OF_EACH: Final = ("RS256", "PS256", "ES256", "EdDSA", "ML-DSA-44", "HS256")

_SHARED: Final = dict.fromkeys(RSA, "RS256") | {"Ed25519": "EdDSA"}


def kid(alg: str) -> str:
    return f"key-{alg}"


@cache
def _made(alg: str, whose: str) -> tuple[dict[str, str] | None, Secret]:
    pair = generate(alg, rsa_bits=2048)
    return pair.public, pair.private


def private(alg: str, whose: str = "ours") -> Secret:
    """The private half; one RSA and one Ed25519 key serve all their algorithms, to confuse whom they can."""
    return _made(_SHARED.get(alg, alg), whose)[1]


def public(alg: str, whose: str = "ours") -> dict[str, str]:
    """The public JWK with its one alg and its kid."""
    jwk = _made(_SHARED.get(alg, alg), whose)[0]
    assert jwk is not None
    return jwk | {"alg": alg, "kid": kid(alg), "use": "sig"}


@cache
def _signer(alg: str, whose: str) -> Signer:
    return signer(alg, private(alg, whose))


def sign(alg: str, data: bytes, whose: str = "ours") -> bytes:
    return _signer(alg, whose).sign(data)


@cache
def keys() -> dict[str, VerifyKey]:
    """The verification keys of every algorithm by kid."""
    made = {kid(alg): verify_key(public(alg), alg=alg) for alg in PUBLIC}
    return made | {kid(alg): hmac_key(alg, private(alg)) for alg in HMAC}


def jwks() -> dict[str, Any]:
    """The public set of every asymmetric algorithm."""
    return {"keys": [public(alg) for alg in PUBLIC]}


def header(alg: str, /, **members: Any) -> dict[str, Any]:
    """The header of a good token with other members; one of ... is left out."""
    full = {"alg": alg, "kid": kid(alg), "typ": "JWT"} | members
    return {name: value for name, value in full.items() if value is not ...}


def claims(**members: Any) -> dict[str, Any]:
    """The claims of a good token with other members; one of ... is left out."""
    return {name: value for name, value in (CLAIMS | members).items() if value is not ...}


def text(value: Mapping[str, Any] | bytes) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def segment(value: Mapping[str, Any] | bytes) -> str:
    return b64url(text(value))


def over(alg: str, signed: str, whose: str = "ours") -> str:
    """The token over two segments just as they are, truly signed."""
    return f"{signed}.{b64url(sign(alg, signed.encode(), whose))}"


def token(
    alg: str, claims: Mapping[str, Any] | bytes = CLAIMS, /, *, whose: str = "ours", **members: Any
) -> str:
    """A token truly signed by the key of `alg`, with `members` in its header."""
    return over(alg, f"{segment(header(alg, **members))}.{segment(claims)}", whose)


def with_header(alg: str, head: Mapping[str, Any] | bytes) -> str:
    """A token with exactly this header, truly signed by the key of `alg`."""
    return over(alg, f"{segment(head)}.{segment(CLAIMS)}")


def with_signature(alg: str, signature: bytes) -> str:
    return f"{signing_input(alg)}.{b64url(signature)}"


def signing_input(alg: str) -> str:
    """Header and claims of the good token of `alg`, encoded."""
    return f"{segment(header(alg))}.{segment(CLAIMS)}"

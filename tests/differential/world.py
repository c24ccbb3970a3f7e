"""One issuer, a key for each algorithm, and tokens taken apart so that any part can be wrong on its own.

A kid is the name of its algorithm. Whatever a token says is truly signed unless the signature itself is what
is wrong: a signature that does not hold would hide every other difference.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from jwturn.core.jwk import ALGS, b64url, b64url_bytes
from jwturn.core.secret import Secret
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.sign import Signer, signer

NOW: Final = 1_800_000_000
"""Unix seconds; every library is told that it is this moment."""
LEEWAY: Final = 60
ISSUER: Final = "https://auth.example.com"
AUDIENCE: Final = "orders"
CLAIMS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "iat": NOW - 10,
    "exp": NOW + 600,
    "jti": "1",
}
MIXED: Final = ("ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256", "HS256")
"""The algorithms that all four libraries know: what a token may be signed with in a comparison."""


@cache
def _rsa(number: int) -> KeyPair:
    return generate("RS256", rsa_bits=2048)


@cache
def pair(kid: str) -> KeyPair:
    """The key of a kid: the name of an algorithm, and behind a slash, which of several."""
    alg, _, number = kid.partition("/")
    if ALGS[alg].kty == "RSA":
        made = _rsa(int(number or 0))
        return KeyPair(alg, {**(made.public or {}), "alg": alg}, made.private)
    return generate(alg)


@cache
def signer_of(kid: str) -> Signer:
    """What signs with the key of a kid."""
    return signer(kid.partition("/")[0], pair(kid).private)


def secret_of(kid: str) -> Secret:
    """The private half of a kid; the bytes of an HMAC secret."""
    return pair(kid).private


def jwk_of(kid: str) -> dict[str, Any]:
    """The JWK as a library needs it to verify: with kid, alg and use, and `k` for a secret."""
    made, alg = pair(kid), kid.partition("/")[0]
    members = made.public if made.public is not None else {"kty": "oct", "k": b64url(made.private.reveal())}
    return {**members, "kid": kid, "alg": alg, "use": "sig"}


def set_of(*kids: str) -> dict[str, Any]:
    """A JWKS."""
    return {"keys": [jwk_of(kid) for kid in kids]}


def text(value: object) -> bytes:
    """Compact JSON, as most issuers write it."""
    return json.dumps(value, separators=(",", ":")).encode()


def same(segment: bytes) -> bytes:
    """No change."""
    return segment


@dataclass(frozen=True)
class Draft:
    """A token to be: the texts of header and payload, how each segment is encoded, and what signs it.

    `header_text` and `payload_text` are what is encoded; the three `*_as` change an encoded segment before
    it is signed (the signature's after); `sign` makes the signature of the signing input.
    """

    header_text: bytes
    payload_text: bytes
    sign: Callable[[bytes], bytes]
    header_as: Callable[[bytes], bytes] = same
    payload_as: Callable[[bytes], bytes] = same
    signature_as: Callable[[bytes], bytes] = same
    whole_as: Callable[[bytes], bytes] = same

    def token(self) -> str:
        """The compact token."""
        header = self.header_as(b64url_bytes(self.header_text))
        payload = self.payload_as(b64url_bytes(self.payload_text))
        signed = header + b"." + payload
        signature = self.signature_as(b64url_bytes(self.sign(signed)))
        return self.whole_as(signed + b"." + signature).decode("utf-8", "surrogateescape")


def header(key: str = "ES256", /, **members: Any) -> dict[str, Any]:
    """The header of a key's tokens; a member that is ... is left out."""
    full = {"alg": key.partition("/")[0], "kid": key, "typ": "JWT"} | members
    return {name: value for name, value in full.items() if value is not ...}


def claims(**members: Any) -> dict[str, Any]:
    """Good claims; a member that is ... is left out."""
    full = {**CLAIMS, **members}
    return {name: value for name, value in full.items() if value is not ...}


def good(kid: str = "ES256") -> Draft:
    """A draft that everybody accepts."""
    return Draft(text(header(kid)), text(CLAIMS), signer_of(kid).sign)


def with_header(key: str = "ES256", /, **members: Any) -> str:
    """A token truly signed with that key, with other header members."""
    return replace(good(key), header_text=text(header(key, **members))).token()


def with_claims(key: str = "ES256", /, **members: Any) -> str:
    """A token truly signed with that key, with other claims."""
    return replace(good(key), payload_text=text(claims(**members))).token()

"""Forged tokens: the algorithm, the key, the header, the signature (SECURITY.md 1, 2, 3 and 5)."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwturn.core.jwk import unb64url
from tests.differential.forging import Maker, Row, drafts, headers, signatures
from tests.differential.world import good, header, jwk_of, pair, signer_of, text

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256 (SEC 2 section 2.4.2)."""
ORDER_25519: Final = 2**252 + 27742317777372353535851937790883648493
"""RFC 8032 section 5.1."""


NAMES_OF_NONE: Final[tuple[object, ...]] = ("none", "None", "NONE", "nOnE", "", None, [], {}, 0)


def none(alg: object) -> Maker:
    """A token with no signature, or three bytes that are none."""
    unsigned = replace(good(), header_text=text(header(alg=alg)), sign=lambda _: b"")
    return unsigned.token


def as_alg(kid: str, alg: str) -> Maker:
    """Signed by the key of a kid under another of the algorithms it could be used for."""
    names_of_family = {"RS256": "PS256", "PS256": "RS256"}
    signing = names_of_family.get(kid, kid)
    return lambda: replace(good(signing), header_text=text(header(kid, alg=alg))).token()


def hmac_with(secret: Callable[[], bytes], kid: str) -> Maker:
    """HS256 under what the attacker knows."""

    def forge() -> str:
        known = secret()
        draft = replace(good(), header_text=text(header(kid, alg="HS256")))
        return replace(draft, sign=lambda data: hmac.digest(known, data, hashlib.sha256)).token()

    return forge


def by_stranger(**members: Any) -> Maker:
    """Signed by a key that is not in the set; the header says more about it."""
    return lambda: replace(good("ES256/1"), header_text=text(header(**members))).token()


def der(raw: bytes) -> bytes:
    """A raw ECDSA signature as X.509 has it."""
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def s_plus_order(raw: bytes) -> bytes:
    """The other S of an Ed25519 signature, which RFC 8032 section 5.1.7 refuses."""
    s = int.from_bytes(raw[32:], "little") + ORDER_25519
    return raw[:32] + s.to_bytes(32, "little")


def without_leading_zero(kid: str) -> Maker:
    """A signature that begins with a zero byte, which is left out: one in 2 does, and of RSA one in 256."""

    def sign(data: bytes) -> bytes:
        signed = signer_of(kid).sign
        while (raw := signed(data))[0]:
            pass
        return raw[1:]

    return lambda: replace(good(kid), sign=sign).token()


def zeros(raw: bytes) -> bytes:
    """As long, and all zero."""
    return bytes(len(raw))


def flipped(raw: bytes) -> bytes:
    """One bit is wrong."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


ROWS: Final = (
    Row(
        "`none` is no algorithm; names of algorithms are compared byte for byte",
        "RFC 8725 3.1; SECURITY 1",
        {f"alg {alg!r}": none(alg) for alg in NAMES_OF_NONE}
        | headers(
            {
                "lower": {"alg": "es256"},
                "blank": {"alg": "ES256 "},
                "nul": {"alg": "ES256\0"},
                "list": {"alg": ["ES256"]},
                "object": {"alg": {"ES256": 1}},
                "absent": {"alg": ...},
                "unregistered": {"alg": "ES999"},
            }
        ),
    ),
    Row(
        "a key has one alg for life; another in the header is refused",
        "RFC 8725 3.1; SECURITY 1",
        {
            "RS256 key, PS256": as_alg("RS256", "PS256"),
            "PS256 key, RS256": as_alg("PS256", "RS256"),
            "EdDSA key, Ed25519": as_alg("EdDSA", "Ed25519"),
            "ES256 key, ES384": as_alg("ES256", "ES384"),
            "HS256 secret, HS512": as_alg("HS256", "HS512"),
        },
    ),
    Row(
        "a public key is never an HMAC secret",
        "RFC 8725 2.1; SECURITY 1",
        {
            "the JWK": hmac_with(lambda: json.dumps(pair("ES256").public).encode(), "ES256"),
            "the coordinate x": hmac_with(lambda: unb64url(jwk_of("ES256")["x"]), "ES256"),
            "the modulus": hmac_with(lambda: unb64url(jwk_of("RS256")["n"]), "RS256"),
            "the Ed25519 point": hmac_with(lambda: unb64url(jwk_of("EdDSA")["x"]), "EdDSA"),
            "an empty secret": hmac_with(lambda: b"", "HS256"),
            "the name of the key": hmac_with(lambda: b"HS256", "HS256"),
        },
    ),
    Row(
        "a key is looked up by its kid: not tried, not taken from the token",
        "RFC 8725 3.10; SECURITY 2",
        {
            "jwk": by_stranger(jwk=pair("ES256/1").public),
            "jwk, no kid": by_stranger(kid=..., jwk=pair("ES256/1").public),
            "jku": by_stranger(jku="https://evil.example/keys"),
            "x5u": by_stranger(x5u="https://evil.example/chain"),
            "another's key": by_stranger(),
        }
        | headers(
            {
                "unknown kid": {"kid": "nobody"},
                "kid of another": {"kid": "ES384"},
                "no kid": {"kid": ...},
                "kid number": {"kid": 1},
                "kid null": {"kid": None},
                "kid list": {"kid": ["ES256"]},
                "kid object": {"kid": {"ES256": 1}},
                "kid empty": {"kid": ""},
                "kid path": {"kid": "../../ES256"},
                "kid blank": {"kid": "ES256 "},
            }
        ),
    ),
    Row(
        "crit, b64 and zip are refused, whatever they say",
        "RFC 7515 4.1.11; RFC 7797; SECURITY 3",
        headers(
            {
                "crit unknown": {"crit": ["x"], "x": 1},
                "crit of nothing": {"crit": ["x"]},
                "crit empty": {"crit": []},
                "crit null": {"crit": None},
                "crit text": {"crit": "alg"},
                "crit object": {"crit": {}},
                "crit registered": {"crit": ["alg"]},
                "crit twice": {"crit": ["kid", "kid"]},
                "b64 true": {"crit": ["b64"], "b64": True},
                "b64 alone": {"b64": True},
                "b64 false": {"b64": False, "crit": ["b64"]},
                "b64 false alone": {"b64": False},
                "b64 text": {"b64": "false"},
                "zip": {"zip": "DEF"},
            }
        ),
    ),
    Row(
        "a token within a token, and a typ of another kind of token",
        "RFC 8725 3.11; SECURITY 3",
        drafts({"a token as payload": {"payload_text": b"eyJhbGciOiJub25lIn0.e30."}})
        | headers(
            {
                "cty": {"cty": "JWT"},
                "cty lower": {"cty": "jwt"},
                "cty long": {"cty": "application/jwt"},
                "cty number": {"cty": 1},
                "typ logout": {"typ": "logout+jwt"},
                "typ dpop": {"typ": "dpop+jwt"},
                "typ secevent": {"typ": "secevent+jwt"},
                "typ number": {"typ": 1},
                "typ list": {"typ": ["JWT"]},
                "typ null": {"typ": None},
            }
        ),
    ),
    Row(
        "a signature is whole, in the encoding of JWA, by this key, over this token",
        "RFC 7518 3; RFC 8032 5.1.7; SECURITY 5",
        signatures(
            "ES256",
            {
                "DER": der,
                "zero": zeros,
                "r zero": lambda raw: bytes(32) + raw[32:],
                "s zero": lambda raw: raw[:32] + bytes(32),
                "r the order": lambda raw: ORDER.to_bytes(32, "big") + raw[32:],
                "both the order": lambda _: ORDER.to_bytes(32, "big") * 2,
                "all ones": lambda raw: b"\xff" * len(raw),
                "short": lambda raw: raw[:-1],
                "long": lambda raw: raw + b"\0",
                "wide": lambda raw: b"\0" + raw[:32] + b"\0" + raw[32:],
                "swapped": lambda raw: raw[32:] + raw[:32],
                "flipped": flipped,
                "twice": lambda raw: raw * 2,
            },
        )
        | signatures("ES384", {"short": lambda raw: raw[:-1], "zero": zeros, "long": lambda raw: raw + b"\0"})
        | signatures("ES512", {"zero": zeros, "wide": lambda raw: b"\0" + raw})
        | {f"{kid}, without its leading zero": without_leading_zero(kid) for kid in ("ES512", "PS256")}
        | signatures("EdDSA", {"short": lambda raw: raw[:-1], "zero": zeros, "s + order": s_plus_order})
        | signatures("HS256", {"half": lambda raw: raw[:16], "one byte": lambda raw: raw[:1], "zero": zeros})
        | signatures("RS256", {"short": lambda raw: raw[:-1], "wide": lambda raw: b"\0" + raw, "zero": zeros})
        | signatures("PS256", {"wide": lambda raw: b"\0" + raw, "flipped": flipped})
        | {
            "over another token": lambda: replace(
                good(), sign=lambda _: signer_of("ES256").sign(b"a.b")
            ).token(),
        },
    ),
)

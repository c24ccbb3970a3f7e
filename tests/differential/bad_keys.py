"""Keys and sets that must not be used, by the rule that each breaks; beside each stands a good key.

The page docs/explain/differences.md is drawn from this table.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jwturn.core.jwk import b64url, unb64url
from jwturn.crypto.public import unsigned
from tests.crypto.test_weak import roca_key, small_order_points
from tests.differential.world import jwk_of, pair, text

KID: Final = "bad"
SetMaker: TypeAlias = Callable[[], bytes]


@dataclass(frozen=True)
class KeyRow:
    """A rule, its source, and sets in which the key `bad`, for `alg`, must not be used."""

    rule: str
    source: str
    sets: Mapping[str, tuple[str, SetMaker]]


def _with(kid: str, members: dict[str, Any]) -> bytes:
    bad = {**jwk_of(kid), "kid": KID, **members}
    return text(
        {"keys": [jwk_of("ES256/1"), {name: value for name, value in bad.items() if value is not ...}]}
    )


def _keys(kid: str, cases: Mapping[str, dict[str, Any]]) -> dict[str, tuple[str, SetMaker]]:
    """Sets in which a good key has other members (... leaves one out)."""
    return {f"{kid}, {name}": (kid, partial(_with, kid, members)) for name, members in cases.items()}


def _made(kid: str, cases: Mapping[str, Callable[[], dict[str, Any]]]) -> dict[str, tuple[str, SetMaker]]:
    """As _keys, where members take long to make."""
    return {f"{kid}, {name}": (kid, lambda make=make: _with(kid, make())) for name, make in cases.items()}  # type: ignore[misc]  # bound now


def _texts(kid: str, cases: Mapping[str, Callable[[str], str]]) -> dict[str, tuple[str, SetMaker]]:
    """Sets whose text is changed."""
    return {
        f"{kid}, {name}": (kid, lambda change=change: change(_with(kid, {}).decode()).encode())  # type: ignore[misc]  # bound now
        for name, change in cases.items()
    }


@cache
def _private_ec() -> dict[str, Any]:
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    x, y, d = (
        b64url(number.to_bytes(32, "big"))
        for number in (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value)
    )
    return {"x": x, "y": y, "d": d}


@cache
def _small_rsa() -> int:
    return rsa.generate_private_key(65537, 1024).public_key().public_numbers().n


def _modulus() -> int:
    return int.from_bytes(unb64url(jwk_of("RS256")["n"]), "big")


def _twice(document: str) -> str:
    return document.replace(f'"kid":"{KID}"', f'"kid":"other","kid":"{KID}"')


def _two_keys() -> bytes:
    first, second = {**jwk_of("ES256"), "kid": KID}, {**jwk_of("ES256/2"), "kid": KID}
    return text({"keys": [jwk_of("ES256/1"), first, second]})


def _secret(*beside: str) -> bytes:
    secret = {"kty": "oct", "k": b64url(bytes(range(64))), "kid": KID, "alg": "HS256"}
    return text({"keys": [*map(jwk_of, beside), secret]})


def _above_the_field() -> dict[str, Any]:
    """The same point by another number: x plus the prime of P-521 (SEC 2 section 2.6.1)."""
    x = int.from_bytes(unb64url(jwk_of("ES512")["x"]), "big") + 2**521 - 1
    return {"x": b64url(x.to_bytes(66, "big"))}


def _x(change: Callable[[str], str]) -> Callable[[], dict[str, Any]]:
    return lambda: {"x": change(jwk_of("ES256")["x"])}


_LAST: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

ROWS: Final = (
    KeyRow(
        "nothing private or symmetric is in a public set",
        "RFC 7517 9.2; SECURITY 7",
        {
            "a secret": ("HS256", partial(_secret)),
            "a secret beside a key": ("HS256", partial(_secret, "ES256")),
        }
        | _made("ES256", {"d": _private_ec})
        | _keys("EdDSA", {"d null": {"d": None}, "k": {"k": "AAAA"}}),
    ),
    KeyRow(
        "a kid is one key's, a member is there once, a kid is printable text",
        "RFC 7517 4.5; SECURITY 4 and 7",
        {"ES256, one kid, two keys": ("ES256", _two_keys)}
        | _texts(
            "ES256",
            {
                "kid twice": _twice,
                "kty twice": lambda document: document.replace('"kty":"EC"', '"kty":"oct","kty":"EC"'),
                "keys twice": lambda document: '{"keys":[],' + document[1:],
                "x twice, escaped": lambda document: document.replace('"x":', '"\\u0078":"AA","x":'),
                "marked": lambda document: "\ufeff" + document,
                "NaN": lambda document: document[:-1] + ',"x":NaN}',
            },
        ),
    ),
    KeyRow(
        "use is sig, key_ops are of its kind, have verify, and none twice",
        "RFC 7517 4.2 and 4.3; SECURITY 7",
        _keys(
            "ES256",
            {
                "use enc": {"use": "enc"},
                "use empty": {"use": ""},
                "use list": {"use": ["sig"]},
                "use null": {"use": None},
                "only sign": {"key_ops": ["sign"]},
                "only encrypt": {"use": ..., "key_ops": ["encrypt"]},
                "no operation": {"key_ops": []},
                "key_ops text": {"key_ops": "verify"},
                "key_ops object": {"key_ops": {"verify": 1}},
                "verify twice": {"key_ops": ["verify", "verify"]},
                "sig and encrypt": {"use": "sig", "key_ops": ["verify", "encrypt"]},
                "key_ops number": {"key_ops": ["verify", 5]},
            },
        ),
    ),
    KeyRow(
        "alg is one of the key's type and curve",
        "RFC 7518 3.1; SECURITY 1",
        _keys(
            "ES256",
            {"ES384": {"alg": "ES384"}, "none": {"alg": "none"}, "number": {"alg": 7}, "null": {"alg": None}},
        )
        | _keys(
            "RS256", {"ES256": {"alg": "ES256"}, "HS256": {"alg": "HS256"}, "RSA-OAEP": {"alg": "RSA-OAEP"}}
        )
        | _keys("EdDSA", {"RS256": {"alg": "RS256"}, "kty EC": {"kty": "EC"}, "kty okp": {"kty": "okp"}}),
    ),
    KeyRow(
        "a number has its one spelling, and coordinates have their length",
        "RFC 7518 2 and 6; SECURITY 4",
        _made(
            "ES256",
            {
                "x padded": _x(lambda x: x + "="),
                "x with stray bits": _x(lambda x: x[:-1] + _LAST[_LAST.index(x[-1]) | 1]),
                "x with a line end": _x(lambda x: x + "\n"),
                "x with a blank": _x(lambda x: x[:9] + " " + x[9:]),
                "x wide": _x(lambda x: b64url(b"\0" + unb64url(x))),
                "x empty": _x(lambda _: ""),
            },
        )
        | _made(
            "RS256",
            {
                "n wide": lambda: {"n": b64url(b"\0" + unb64url(jwk_of("RS256")["n"]))},
                "n padded": lambda: {"n": jwk_of("RS256")["n"] + "=="},
            },
        )
        | _keys("RS256", {"e wide": {"e": "AAEAAQ"}, "e padded": {"e": "AQAB===="}}),
    ),
    KeyRow(
        "an RSA key has 2048 to 8192 bits, no small factor, an odd exponent from 65537, and is no ROCA key",
        "RFC 7518 3.3; CVE-2017-15361; SECURITY 5",
        _made(
            "RS256",
            {
                "1024 bits": lambda: {"n": unsigned(_small_rsa())},
                "even n": lambda: {"n": unsigned(_modulus() + 1)},
                "small factor": lambda: {
                    "n": unsigned(_modulus() // 3 * 3 + (3 if _modulus() // 3 % 2 == 0 else 0))
                },
                "ROCA": lambda: {"n": unsigned(roca_key().public_key().public_numbers().n)},
            },
        )
        | _keys(
            "RS256",
            {"e 3": {"e": "Aw"}, "e 1": {"e": "AQ"}, "e even": {"e": "AQAC"}, "e 2^32+1": {"e": "AQAAAAE"}},
        ),
    ),
    KeyRow(
        "a public key is a point of its curve, canonical, and not of small order",
        "RFC 8725 3.4; RFC 8032 5.1.3; SECURITY 5",
        _made(
            "ES256",
            {
                "off the curve": lambda: {"y": jwk_of("ES256")["x"]},
                "the other curve": lambda: {"x": jwk_of("ES384")["x"], "y": jwk_of("ES384")["y"]},
                "zero": lambda: {"x": b64url(bytes(32)), "y": b64url(bytes(32))},
            },
        )
        | _made("ES512", {"x above the field": _above_the_field})
        | _made(
            "EdDSA",
            {
                f"small order {number}": lambda point=point: {"x": b64url(point)}  # type: ignore[misc]  # bound now
                for number, point in enumerate(small_order_points())
            },
        )
        | _keys(
            "EdDSA",
            {
                "not canonical": {"x": b64url((2**255 - 19 + 3).to_bytes(32, "little"))},
                "off the curve": {"x": b64url((2).to_bytes(32, "little"))},
                "31 bytes": {"x": b64url(bytes(range(31)))},
            },
        ),
    ),
)


def good_set(kid: str) -> bytes:
    """A set in which the key `bad` is good: what the rows differ from."""
    assert json.loads(_with(kid, {})) != pair
    return _with(kid, {})

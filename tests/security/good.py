"""Tokens that must be accepted: the strict rules refuse nothing that is right."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.security import mint
from tests.security.forged_claims import DAY, LEEWAY, NOW
from tests.vectors import curves

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "no typ": {"typ": ...},
    "typ jwt": {"typ": "jwt"},
    "typ at+jwt": {"typ": "at+jwt"},
    "typ application/at+JWT": {"typ": "application/at+JWT"},
    "cty text/plain": {"cty": "text/plain"},
    "a jku that nobody reads": {"jku": "https://evil.example/jwks.json"},
    "an x5c that nobody reads": {"x5c": 7, "x5t": None, "x5u": ["x"]},
    "a jwk that nobody reads": {"jwk": {"kty": "oct", "k": "AAAA"}},
    "unknown members": {"enc": "A128GCM", "nonce": "1", "x": [[[{"a": 1}]]]},
    "a member named as if for Python": {"__class__": "x"},
}
CLAIMS: Final[dict[str, dict[str, Any]]] = {
    "no iat": {"iat": ...},
    "no sub, no jti": {"sub": ..., "jti": ...},
    "an empty sub": {"sub": "", "jti": ""},
    "nbf now": {"nbf": NOW},
    "times with a fraction": {"iat": NOW - 0.5, "exp": NOW + 600.25},
    "times as floats": {"iat": float(NOW), "nbf": float(NOW), "exp": float(NOW + 600)},
    "the last moment of the leeway": {"iat": NOW - 600, "exp": NOW - LEEWAY + 1},
    "a millisecond before the end": {"iat": NOW - 600, "exp": NOW - LEEWAY + 0.001},
    "made at the end of the leeway": {"iat": NOW + LEEWAY, "nbf": NOW + LEEWAY, "exp": NOW + LEEWAY + 1},
    "the longest lifetime": {"exp": NOW + DAY},
    "the longest lifetime, no iat": {"iat": ..., "exp": NOW + DAY},
    "an audience of several": {"aud": ["billing", mint.AUDIENCE, "x"]},
    "an audience in a list": {"aud": [mint.AUDIENCE]},
    "the same audience twice": {"aud": [mint.AUDIENCE, mint.AUDIENCE]},
    "unknown claims": {"scope": "a b", "roles": ["x"], "n": None, "t": True, "f": 1.5, "o": {"a": [1]}},
    "claims in other letters": {"EXP": "x", "Iss": 7, "exp ": None},
    "integers of 20 digits": {"n": 10**20 - 1, "m": -(10**20 - 1)},
    "large and small numbers": {"n": 1e308, "m": 5e-324, "z": -0.0, "b": 2**64},
    "text of many kinds": {
        "name": '\u00c5\u017flaug \u4e2d\u6587 \U0001f511 " \\ \u2028 \0',
        "colon": "a:b,{}[]",
    },
    "brackets in strings": {"x": "[" * 100 + "{" * 100},
    "depth 16": {"x": json.loads("[" * 15 + "]" * 15)},
    "an empty name": {"": ""},
    "numbers as names": {"1": 1, "01": 2},
}


def spellings() -> dict[str, bytes]:
    """The same claims in other spellings of JSON, none of them ambiguous."""
    plain = json.dumps(mint.CLAIMS)
    return {
        "no blanks": json.dumps(mint.CLAIMS, separators=(",", ":")).encode(),
        "many blanks": json.dumps(mint.CLAIMS, indent=8).encode(),
        "blanks around": b" \r\n\t" + plain.encode() + b" \r\n\t",
        "escapes": plain.replace("alice", "\\u0061lic\\u0065").encode(),
        "an escaped name": plain.replace('"sub"', '"\\u0073ub"').encode(),
        "escaped slashes": plain.replace("/", "\\/").encode(),
        "an exponent": plain.replace(str(NOW + 600), f"{(NOW + 600) / 1e9!r}e9").encode(),
        "a pair of surrogates": plain.replace("alice", "\\ud83d\\ude00").encode(),
        "members in another order": json.dumps(dict(reversed(mint.CLAIMS.items()))).encode(),
        "UTF-8": plain.replace("alice", "\u00e1lice").encode(),
    }


def every() -> Iterator[tuple[str, Any]]:
    for alg in (*mint.PUBLIC, *mint.HMAC):
        yield f"{alg}", mint.token(alg)
        yield f"{alg}, bytes", mint.token(alg).encode()
    for alg in ("ES256", "EdDSA", "HS256"):
        for name, members in HEADERS.items():
            yield f"{alg}, {name}", mint.token(alg, **members)
        for name, changes in CLAIMS.items():
            yield f"{alg}, {name}", mint.token(alg, mint.claims(**changes))
        for name, text in spellings().items():
            yield f"{alg}, claims with {name}", mint.token(alg, text)
    head = json.dumps(mint.header("ES256"), indent=1).encode()
    yield "a header with blanks", mint.with_header("ES256", head)
    yield "an escaped header", mint.with_header("ES256", head.replace(b"alg", b"\\u0061lg"))
    full = mint.header("ES256", pad="")
    full["pad"] = "x" * (1024 - len(json.dumps(full)))
    yield "a header of 1 KiB", mint.with_header("ES256", full)
    for length in (12_000, 12_002, 12_004):
        yield f"a claim of {length} characters", mint.token("ES256", mint.claims(pad="x" * length))
    for alg, curve in curves.CURVES.items():
        again = mint.sign(alg, mint.signing_input(alg).encode())
        r, s = (int.from_bytes(part, "big") for part in (again[: curve.size], again[curve.size :]))
        yield f"{alg} with n - s", mint.with_signature(alg, curves.join(curve, r, curve.n - s))

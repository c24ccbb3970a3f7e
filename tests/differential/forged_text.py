"""Forged tokens: encodings, JSON and claims (SECURITY.md 4 and 6)."""

from typing import Any, Final

from jwturn.core.jws import HEADER_BYTES_MAX, TOKEN_CHARS_MAX
from tests.differential.forging import (
    Row,
    begun,
    claim_sets,
    drafts,
    ended,
    header_texts,
    inserted,
    padded,
    payload_texts,
    standard,
    stray_bits,
)
from tests.differential.world import AUDIENCE, CLAIMS, ISSUER, LEEWAY, NOW, header, text

DAY: Final = 86_400
REST_OF_CLAIMS: Final = text(CLAIMS)[1:]
REST_OF_HEADER: Final = text(header())[1:]
UNEVEN: Final = next(
    data for data in (text({**CLAIMS, "x": "?>~" + "y" * more}) for more in range(3)) if len(data) % 3
)
"""Claims whose last character has unused bits."""
MARKED: Final = next(
    data
    for data in (text({**CLAIMS, "x": "y" * more + "?>?>?>~~~"}) for more in range(3))
    if b"?" in data[2::3] and b">" in data[2::3]
)
"""Claims whose encoding has both characters in which the alphabets differ."""


def nested(levels: int) -> bytes:
    """Claims with a list so deep."""
    return b'{"x":' + b"[" * levels + b"]" * levels + b"," + REST_OF_CLAIMS


ENCODING: Final[dict[str, dict[str, Any]]] = {
    "header padded": {"header_text": text(header(typ="at+jwt")), "header_as": padded},
    "payload padded": {"payload_text": UNEVEN, "payload_as": padded},
    "signature padded": {"signature_as": padded},
    "payload in the other alphabet": {"payload_text": MARKED, "payload_as": standard},
    "payload with stray bits": {"payload_text": UNEVEN, "payload_as": stray_bits},
    "signature with stray bits": {"signature_as": stray_bits},
    "blank in the header": {"header_as": inserted(b" ")},
    "blank in the payload": {"payload_as": inserted(b" ")},
    "line end in the payload": {"payload_as": inserted(b"\n")},
    "stray in the payload": {"payload_as": inserted(b"!")},
    "wide letter in the payload": {"payload_as": inserted("Ａ".encode())},  # noqa: RUF001  # that is the case
    "nul behind the payload": {"payload_as": ended(b"\0")},
    "blank behind the signature": {"signature_as": ended(b" ")},
    "line end behind the signature": {"signature_as": ended(b"\r\n")},
    "stray in the signature": {"signature_as": inserted(b"!")},
    "padding behind the signature": {"signature_as": ended(b"====")},
    "blank in front": {"whole_as": begun(b" ")},
    "dot in front": {"whole_as": begun(b".")},
    "Bearer in front": {"whole_as": begun(b"Bearer ")},
    "fourth segment": {"whole_as": ended(b".AAAA")},
    "empty fourth segment": {"whole_as": ended(b".")},
    "no signature": {"signature_as": lambda _: b""},
    "empty payload": {"payload_text": b""},
    "17 KiB": {"payload_text": text({**CLAIMS, "x": "y" * TOKEN_CHARS_MAX})},
    "header of 2 KiB": {"header_text": text(header(jku="https://a.example/" + "y" * 2 * HEADER_BYTES_MAX))},
}

ROWS: Final = (
    Row(
        "a token is three segments of base64url, each in its one spelling, of bounded length",
        "RFC 7515 2 and 7.1; SECURITY 4",
        drafts(ENCODING),
    ),
    Row(
        "no member twice, at any depth, also when escaped",
        "RFC 7515 4; RFC 8725 3.12; SECURITY 4",
        header_texts(
            {
                "alg twice": b'{"alg":"none",' + REST_OF_HEADER,
                "alg twice, good first": text(header())[:-1] + b',"alg":"ES256"}',
                "kid twice": b'{"kid":"HS256",' + REST_OF_HEADER,
                "alg escaped": rb'{"\u0061lg":"none",' + REST_OF_HEADER,
            }
        )
        | payload_texts(
            {
                "exp twice": b'{"exp":1,' + REST_OF_CLAIMS,
                "sub twice": b'{"sub":"admin",' + REST_OF_CLAIMS,
                "sub escaped": rb'{"s\u0075b":"admin",' + REST_OF_CLAIMS,
                "empty name twice": b'{"":1,"":2,' + REST_OF_CLAIMS,
                "within an object": b'{"x":{"y":1,"y":2},' + REST_OF_CLAIMS,
                "within a list": b'{"x":[{"y":1,"y":2}],' + REST_OF_CLAIMS,
                "behind a colon in a string": b'{"x:":":","sub":"admin",' + REST_OF_CLAIMS,
                "with blanks": b'{ "sub" : "admin" , ' + REST_OF_CLAIMS,
            }
        ),
    ),
    Row(
        "JSON is UTF-8 without a mark in front, its numbers finite and short, its depth bounded",
        "RFC 8259 8.1; RFC 7493 2; SECURITY 4",
        header_texts(
            {
                "UTF-16": text(header()).decode().encode("utf-16-le"),
                "UTF-16, marked": text(header()).decode().encode("utf-16"),
                "UTF-32": text(header()).decode().encode("utf-32-be"),
                "marked": b"\xef\xbb\xbf" + text(header()),
                "in a list": text([header()]),
                "NaN": b'{"jku":NaN,' + REST_OF_HEADER,
                "trailing": text(header()) + b"{}",
                "apostrophes": text(header()).replace(b'"', b"'"),
            }
        )
        | payload_texts(
            {
                "UTF-16": text(CLAIMS).decode().encode("utf-16-be"),
                "marked": b"\xef\xbb\xbf" + text(CLAIMS),
                "Latin-1": b'{"x":"\xe9",' + REST_OF_CLAIMS,
                "overlong": b'{"x":"\xc0\xaf",' + REST_OF_CLAIMS,
                "half a surrogate pair": rb'{"x":"\ud800",' + REST_OF_CLAIMS,
                "surrogate in UTF-8": b'{"x":"\xed\xa0\x80",' + REST_OF_CLAIMS,
                "NaN": b'{"x":NaN,' + REST_OF_CLAIMS,
                "Infinity": b'{"x":-Infinity,' + REST_OF_CLAIMS,
                "1e400": b'{"x":1e400,' + REST_OF_CLAIMS,
                "21 digits": b'{"x":' + b"9" * 21 + b"," + REST_OF_CLAIMS,
                "depth 20": nested(20),
                "depth 600": nested(600),
                "in a list": text([CLAIMS]),
                "a string": text("alice"),
                "null": b"null",
                "two commas": b'{"x":1,,' + REST_OF_CLAIMS,
                "control character": b'{"x":"\n",' + REST_OF_CLAIMS,
                "leading zero": b'{"x":01,' + REST_OF_CLAIMS,
                "trailing": text(CLAIMS) + b"\0",
            }
        ),
    ),
    Row(
        "exp is there, exp, iat and nbf are numbers, and now lies between them",
        "RFC 7519 4.1; RFC 8725 3.8; SECURITY 6",
        claim_sets(
            {
                "no exp": {"exp": ...},
                "exp passed": {"exp": NOW - LEEWAY},
                "exp long passed": {"exp": 1, "iat": ...},
                "exp text": {"exp": str(NOW + 600)},
                "exp true": {"exp": True, "iat": ...},
                "exp null": {"exp": None},
                "exp list": {"exp": [NOW + 600]},
                "exp object": {"exp": {}},
                "iat ahead": {"iat": NOW + LEEWAY + 1},
                "iat text": {"iat": str(NOW)},
                "iat null": {"iat": None},
                "iat true": {"iat": True},
                "iat list": {"iat": [NOW]},
                "nbf ahead": {"nbf": NOW + LEEWAY + 1},
                "nbf far ahead": {"nbf": 10**18},
                "nbf text": {"nbf": str(NOW)},
                "nbf null": {"nbf": None},
                "nbf true": {"nbf": True},
                "nbf list": {"nbf": [NOW]},
                "nbf ahead by less than a second": {"nbf": NOW + LEEWAY + 0.5},
                "iat ahead by less than a second": {"iat": NOW + LEEWAY + 0.5},
            }
        ),
    ),
    Row(
        "exp is after iat, and not further from it than the longest lifetime",
        "SECURITY 6",
        claim_sets(
            {
                "exp at iat": {"exp": NOW, "iat": NOW},
                "exp before iat": {"exp": NOW - 30, "iat": NOW},
                "two days": {"exp": NOW + 2 * DAY},
                "for ever": {"exp": 10**15},
                "two days, no iat": {"exp": NOW + 2 * DAY, "iat": ...},
                "iat 1970": {"iat": 0},
            }
        ),
    ),
    Row(
        "iss is exactly the issuer, aud names exactly the audience, sub and jti are strings",
        "RFC 7519 4.1; RFC 8725 3.9; SECURITY 6",
        claim_sets(
            {
                "no iss": {"iss": ...},
                "another iss": {"iss": "https://evil.example"},
                "iss with a slash": {"iss": ISSUER + "/"},
                "iss cut": {"iss": ISSUER[:-1]},
                "iss in capitals": {"iss": ISSUER.upper()},
                "iss list": {"iss": [ISSUER]},
                "iss null": {"iss": None},
                "no aud": {"aud": ...},
                "another aud": {"aud": "billing"},
                "aud with more": {"aud": AUDIENCE + "-admin"},
                "aud cut": {"aud": AUDIENCE[:-1]},
                "aud empty list": {"aud": []},
                "aud of others": {"aud": ["billing", "search"]},
                "aud object": {"aud": {AUDIENCE: 1}},
                "aud null": {"aud": None},
                "aud with a number": {"aud": [AUDIENCE, 1]},
                "aud nested": {"aud": [[AUDIENCE]]},
                "aud blank": {"aud": AUDIENCE + " "},
                "sub number": {"sub": 1},
                "sub null": {"sub": None},
                "sub list": {"sub": ["alice"]},
                "jti number": {"jti": 1},
                "jti null": {"jti": None},
            }
        ),
    ),
)

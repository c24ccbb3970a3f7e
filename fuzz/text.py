"""Targets of encodings: base64url, JSON, what an issuer's server answers, and ECDSA signatures as DER."""

import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from fuzz import reference
from fuzz.reference import Refused, same
from fuzz.target import Target, must
from jwturn.core import jws, strict_json
from jwturn.core.errors import BadInput, KeysUnavailable, TokenRefused
from jwturn.core.jwk import SET_BYTES_MAX, b64url, b64url_bytes, unb64url, unb64url_bytes
from jwturn.core.jwks_answer import (
    LIFETIME_SECONDS_MAX,
    Answer,
    Body,
    Fresh,
    Get,
    check_url,
    headers_of,
    lifetime,
    read_discovery,
    read_set,
)
from jwturn.crypto import sign, verify
from jwturn.crypto.algorithms import Ecdsa, algorithm

JSON_WORDS: Final = (
    *(b'"', b'":', b" :", b'\\"', b"\\u0061", b"\\ud800", b"\\udc00", b"\\\\", b"{", b"}", b"[", b"]", b","),
    *(b"null", b"true", b"1e400", b"-0", b"1.5", b"9223372036854775808", b"99999999999999999999", b"NaN"),
    *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b'{"a":1}', b'"a":1,', b"\t", b"\n", b"\xc3\xa9", b'"a" :1,'),
)


def run_base64(data: bytes) -> None:
    """Both directions agree with the standard library's decoder and a plain rule."""
    must(unb64url_bytes(b64url_bytes(data)) == data, "does not come back", data)
    must(reference.base64url(b64url_bytes(data)) == data, "another reading", data)
    try:
        expected: bytes | None = reference.base64url(data)
    except Refused:
        expected = None
    for read, refusal in ((unb64url_bytes, BadInput), (jws.decode, TokenRefused)):
        found: bytes | None = None
        with suppress(refusal):
            found = read(data)
        must(found == expected, "base64url differs from the reference", data, found, expected)
    text = data.decode("utf-8", "surrogateescape")
    found = None
    with suppress(BadInput):
        found = unb64url(text)
    must(found == expected, "base64url of a str differs", data, found, expected)
    if expected is not None:
        must(b64url(expected) == text, "two spellings", data)


def run_json(data: bytes) -> None:
    """The strict reading is that of the reference, value for value, and nothing but BadInput leaves."""
    depth = data[0] % 20 if b"" < data[:1] < b"\x20" else strict_json.DEPTH_MAX
    text = data[1:] if data[:1] < b"\x20" else data
    try:
        found: tuple[object, ...] = (strict_json.loads(text, depth=depth),)
    except BadInput as error:
        must(error.code in strict_json.CODES, "an unknown code", error.code)
        found = ()
    try:
        expected: tuple[object, ...] = (reference.json_value(text, depth=depth),)
    except Refused:
        expected = ()
    must(len(found) == len(expected), "one of the two accepts", text, found, expected, depth)
    must(not found or same(found[0], expected[0]), "two readings", text, found, expected)
    if depth == strict_json.DEPTH_MAX:
        claims: tuple[object, ...] = ()
        with suppress(TokenRefused):
            claims = (jws.read_claims(text),)
        wanted = expected if expected and isinstance(expected[0], dict) else ()
        must(same(list(claims), list(wanted)), "other claims", text, claims, wanted)


def json_seeds() -> Iterable[bytes]:
    """Texts of the shapes that the reader tells apart."""
    yield from (
        b"{}",
        b"[]",
        b"1",
        b'{"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":{"b":[{"c":{"d":1}}]}}',
        b'{"a:":":"}',
    )
    yield from (b'{ "a" : 1 , "b" : [ 1 , "x" ] }', b'{"a":"\\u0061","\\u0061":1}', b'{"a":1.0e5,"b":-0}')
    yield from (b'{"a":18446744073709551615}', b'{"a":123456789012345678901}', b'{"a":[9223372036854775808]}')
    yield from (
        b"[" * 17 + b"]" * 17,
        b'{"a":' * 5 + b"1" + b"}" * 5,
        '{"é":"ü😀"}'.encode(),
        b"\x03[[[[1]]]]",
    )


class _Seen(Exception):
    """Carries the DER that a verification would have handed to the library."""


class _Recorder:
    """In place of a key of the library: says what it was asked to verify, and signs what it is told."""

    def __init__(self, der: bytes = b"") -> None:
        self.der = der

    def verify(self, der: bytes, *_: object) -> None:
        raise _Seen(der)

    def sign(self, *_: object) -> bytes:
        return self.der


ECDSA: Final = tuple(cast("Ecdsa", algorithm(name)) for name in ("ES256", "ES384", "ES512"))
_VERIFY: Final = tuple(verify._ecdsa(row, cast("Any", _Recorder())) for row in ECDSA)  # noqa: SLF001  # what is under test


def run_ecdsa(data: bytes) -> None:
    """Raw r || s becomes the DER of the library's own encoder, or is refused out of range; and back."""
    row, check = ECDSA[data[0] % 3 if data else 0], _VERIFY[data[0] % 3 if data else 0]
    raw, size, order = data[1:], row.size, row.curve.group_order
    if data[:1] >= b"\x80":
        raw = raw[: 2 * size].ljust(2 * size, b"\0")
    r, s = int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big")
    good = len(raw) == 2 * size and 0 < r < order and 0 < s < order
    try:
        must(not check(b"", raw), "accepted without the library", raw)
        seen = b""
    except _Seen as asked:
        seen = asked.args[0]
    except InvalidSignature:
        seen = b""
    must(seen == (encode_dss_signature(r, s) if good else b""), "another DER", row.name, raw, seen)
    if good:
        must(decode_dss_signature(seen) == (r, s), "another number", raw)
        signed = sign._ecdsa(row, cast("Any", _Recorder(seen)))(b"")  # noqa: SLF001  # what is under test
        must(signed == raw, "another signature", raw, signed)


def ecdsa_seeds() -> Iterable[bytes]:
    """Numbers at the borders of their length, their sign bit and the order."""
    for index, row in enumerate(ECDSA):
        order, size = row.curve.group_order, row.size
        numbers = (0, 1, 127, 128, 255, 256, order - 1, order, order + 1, order >> 1, order >> 9, 2**8**2)
        for number in numbers:
            one = number.to_bytes(size, "big")
            yield bytes([index]) + one + (order - 1).to_bytes(size, "big")
            yield bytes([index + 0x81 - 0x81 % 3]) + (1).to_bytes(size, "big") + one


_HEADERS: Final = ("cache-control", "age", "content-type", "etag", "location", "content-encoding")


def run_answer(data: bytes) -> None:
    """Whatever a server sends, only KeysUnavailable or BadInput leaves, and nothing grows past its cap."""
    first, _, body = data.partition(b"\0")
    lines = first.decode("latin-1").split("\n")
    headers = headers_of((_HEADERS[at % len(_HEADERS)], line) for at, line in enumerate(lines))
    found = lifetime(headers)
    must(found is None or 0 <= found.total_seconds() <= LIFETIME_SECONDS_MAX, "a strange lifetime", headers)
    said = headers.get("cache-control", "").lower()
    must(found is None or not found or "max-age" in said, "a lifetime that nobody gave", headers)
    status = (200, 304, 301, 503)[len(lines) % 4]
    whole = b""
    with suppress(KeysUnavailable):
        taking = Body("https://a.example", headers.get("content-encoding"))
        for at in range(0, len(body), 100):
            taking.feed(body[at : at + 100])
        whole = taking.whole()
    must(len(whole) <= SET_BYTES_MAX, "a body above the cap", len(whole))
    get, answer = Get("https://a.example/jwks", '"x"'), Answer(status, headers, whole)
    with suppress(KeysUnavailable):
        fresh = read_set(get, answer)
        must(status == 304 or (status == 200 and isinstance(fresh, Fresh)), "an answer that is none", status)
    with suppress(KeysUnavailable):
        place = read_discovery(get, answer, "https://a.example")
        must(b"https://a.example" in whole or b"\\" in whole, "metadata of nobody", whole, place)
    _try_url(first.decode("latin-1"))


def _try_url(url: str) -> None:
    with suppress(BadInput):
        check_url(url, hosts={"https://a.example:443"})
        must(url.lower().startswith("https://a.example"), "another host", url)
        rest = url[len("https://a.example") :]
        must(rest[:1] in {"", ":", "/", "?"}, "a longer host", url)
        must(
            rest[:1] != ":" or rest[1:].split("/")[0].split("?")[0] in {"", "443", "0443"},
            "another port",
            url,
        )
    with suppress(BadInput):
        must(check_url(url).lower().startswith("https://"), "not https", url)


def answer_seeds() -> Iterable[bytes]:
    """Headers that issuers send, and bodies plain and packed."""
    yield b'max-age=300, public\n10\napplication/json\n"abc"\n\n\0' + b'{"keys":[]}'
    yield b'no-store, max-age="60"\n\napplication/jwk-set+json; charset=utf-8\0{}'
    pack = zlib.compressobj(wbits=31)
    yield b"max-age=1\n\n\n\n\ngzip\0" + pack.compress(b"x" * 9999) + pack.flush()
    yield b'\0{"issuer":"https://a.example","jwks_uri":"https://a.example/k"}'
    yield from (
        b"https://a.example/jwks",
        b"https://a.example:443/",
        b"https://a.example@evil/",
        b"http://[::1]:80/",
    )


TARGETS: Final = (
    Target(
        "base64",
        run_base64,
        lambda: (b"", b"AA", b"AAA", b"AAAA", b"-_8", b"AB==", b"A+/="),
        (b"-", b"_", b"="),
    ),
    Target("json", run_json, json_seeds, JSON_WORDS),
    Target("ecdsa", run_ecdsa, ecdsa_seeds, (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80", b"\x7f")),
    Target(
        "answer",
        run_answer,
        answer_seeds,
        (
            b"max-age=",
            b"no-store",
            b'"',
            b"\\",
            b",",
            b"=",
            b"https://",
            b"@",
            b"#",
            b"\x1f\x8b\x08",
            b"a.example",
        ),
    ),
)

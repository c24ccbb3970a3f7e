"""SECURITY.md section 4, row by row: one way to write a token, and limits before anything costs."""

import json
import tracemalloc
from typing import Any

import pytest

from jwturn.core.errors import BadInput
from jwturn.core.jwk import parse_set
from jwturn.crypto.import_ import import_key
from tests.security import forged, forged_text, mint
from tests.security.court import judged

KIB = 1024


def test_length_comes_first() -> None:
    """CVE-2025-27144, CVE-2025-30204: a long token costs memory before it is refused."""
    for stuff in ("A", ".", "{", "\x00", "e30."):
        for size in (16 * KIB + 1, 1_000_000):
            assert judged((stuff * size)[:size]) == "token_too_long"
            assert judged((stuff * size)[:size].encode()) == "token_too_long"


def test_length_comes_first_and_ends_at_16_kib() -> None:
    token = mint.token("HS256", mint.claims(pad=""))
    for pad in range(11_950, 12_000):
        token = mint.token("ES256", mint.claims(pad="x" * pad))
        assert judged(token) == ("" if len(token) <= 16 * KIB else "token_too_long")
    assert len(token) > 15.9 * KIB


def test_length_comes_first_in_a_header_of_1_kib() -> None:
    for size in (1022, 1023, 1024, 1025, 1026, 4096):
        head = mint.header("ES256", pad="")
        head["pad"] = "x" * (size - len(json.dumps(head)))
        assert judged(mint.with_header("ES256", head)) == ("" if size <= KIB else "header_too_long")
    spaces = json.dumps(mint.header("ES256")).encode() + b" " * KIB
    assert judged(mint.with_header("ES256", spaces)) == "header_too_long"


def test_exactly_two_dots() -> None:
    good = mint.token("ES256")
    for place in range(0, len(good), 7):
        assert judged(good[:place] + "." + good[place:])
    for dots in (0, 1, 3, 5, 6, 100, 10_000):
        assert judged("e30".join(["."] * (dots and 1)) + "." * max(dots - 1, 0)) == "token_segments"
    assert judged(good.replace(".", "")) == "token_segments"


def test_exactly_two_dots_are_counted_without_splitting() -> None:
    """CVE-2025-27144: thousands of dots made a list of as many strings."""
    token = "." * (16 * KIB)
    judged(token)
    tracemalloc.start()
    try:
        judged(token)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 16 * 50 * KIB / 2  # a list of as many empty strings alone has 8 bytes for each


def test_each_segment_is_base64url() -> None:
    assert forged.complaints(forged_text.alphabet) == []
    assert forged.complaints(forged_text.lengths) == []
    assert forged.complaints(forged_text.whole_tokens) == []


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "HS256"])
def test_each_segment_is_base64url_and_no_other_character_is_skipped(alg: str) -> None:
    """Every byte that is no base64url, in every segment; skipped characters make two tokens of one."""
    strange = [
        chr(c) for c in range(256) if chr(c) not in "._-" and not (chr(c).isascii() and chr(c).isalnum())
    ]
    assert len(strange) == 256 - 65
    parts = mint.token(alg).split(".")
    for place in range(3):
        for letter in strange:
            changed = list(parts)
            changed[place] = f"{parts[place][:8]}{letter}{parts[place][8:]}"
            again = mint.over(alg, ".".join(changed[:2])) if place < 2 else ".".join(changed)
            assert judged(again) == "token_base64"


def test_stray_trailing_bits_are_refused() -> None:
    assert forged.complaints(forged_text.stray_bits) == []


UTF = (
    "UTF-8 with",
    "UTF-16",
    "UTF-32",
    "Latin-1",
    "overlong",
    "surrogate",
    "beyond Unicode",
    "half",
    "CESU-8",
)


@pytest.mark.parametrize("name", UTF)
def test_strict_utf_8(name: str) -> None:
    assert forged.complaints(forged_text.json_texts, only=name) == []


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_strict_utf_8_in_keys_and_sets(code: str) -> None:
    jwk = mint.public("ES256")
    for text in (json.dumps({"keys": [jwk]}), json.dumps({"keys": [jwk], "\u00e9": 1}, ensure_ascii=False)):
        if text.encode(code) != text.encode():
            with pytest.raises(BadInput):
                parse_set(text.encode(code))
    if json.dumps(jwk).encode(code) != json.dumps(jwk).encode():
        with pytest.raises(BadInput):
            import_key(json.dumps(jwk).encode(code))


def test_duplicate_members_are_refused() -> None:
    """All five Python libraries that were measured take the last; others take the first."""
    assert forged.complaints(forged_text.json_texts, only="twice") == []


@pytest.mark.parametrize("member", ["kty", "crv", "x", "y", "kid", "alg", "use"])
def test_duplicate_members_are_refused_in_keys_and_sets(member: str) -> None:
    jwk = mint.public("ES256")
    text = json.dumps(jwk).encode()
    for name, twice in forged_text.duplicated(text, member, json.dumps(jwk[member])).items():
        with pytest.raises(BadInput) as refused:
            import_key(twice)
        assert refused.value.code == "json_duplicate", name
        with pytest.raises(BadInput) as refused:
            parse_set(b'{"keys":[' + twice + b"]}")
        assert refused.value.code == "json_duplicate", name


def test_duplicate_members_are_refused_in_a_set_of_two_lists() -> None:
    good = json.dumps([mint.public("ES256")]).encode()
    for name in (b'"keys"', b'"\\u006beys"', b'"k\\u0065ys"'):
        with pytest.raises(BadInput) as refused:
            parse_set(b'{"keys":' + good + b"," + name + b":" + good + b"}")
        assert refused.value.code == "json_duplicate"


def test_numbers_are_finite_and_short() -> None:
    assert forged.complaints(forged_text.json_texts, only="the number") == []


@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "sub", "x"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 21, "1" * 5000])
def test_numbers_are_finite_and_short_in_every_claim(name: str, number: str) -> None:
    """CPython takes NaN by default, and once took minutes for long integers (CVE-2020-10735)."""
    text = json.dumps(mint.claims(**{name: "HERE"})).replace('"HERE"', number).encode()
    assert judged(mint.token("ES256", text)) in {"json_number", "json_malformed"}


@pytest.mark.parametrize("digits", [1, 15, 19, 20])
def test_numbers_are_finite_and_short_but_20_digits_are_taken(digits: int) -> None:
    for sign in ("", "-"):
        text = json.dumps(mint.claims(x="HERE")).replace('"HERE"', sign + "9" * digits).encode()
        assert judged(mint.token("ES256", text)) == ""


def nested(depth: int, inner: str) -> dict[str, Any]:
    """Claims with a member nested so that the whole is `depth` deep."""
    value: Any = 1
    for level in range(depth - 1):
        value = [value] if inner == "[" or (inner == "mixed" and level % 2) else {"a": value}
    return mint.claims(x=value)


@pytest.mark.parametrize("inner", ["[", "{", "mixed"])
def test_depth_is_bounded_before_parsing(inner: str) -> None:
    for depth in range(1, 40):
        token = mint.token("ES256", nested(depth, inner))
        assert judged(token) == ("" if depth <= 16 else "json_depth")


@pytest.mark.parametrize("brackets", ["[", '{"a":', '[{"a":', "[]," * 10 + "["])
def test_depth_is_bounded_before_parsing_what_would_exhaust_the_stack(brackets: str) -> None:
    room = 11_000
    deep = (json.dumps(mint.CLAIMS)[:-1] + ',"x":' + brackets * (room // len(brackets))).encode()
    assert judged(mint.token("ES256", deep)) == "json_depth"
    head = (json.dumps(mint.header("ES256"))[:-1] + ',"x":' + "[" * 900).encode()
    assert judged(mint.with_header("ES256", head)) == "json_depth"
    with pytest.raises(BadInput) as refused:
        parse_set(b'{"keys":[' + brackets.encode() * 50_000)
    assert refused.value.code in {"json_depth", "too_large"}


def test_depth_is_bounded_before_parsing_but_brackets_in_strings_are_text() -> None:
    for text in ("[" * 500, "{" * 500, '\\"' + "[" * 500, "[" * 500 + "\\\\", '"' * 99 + "[" * 99):
        assert judged(mint.token("ES256", mint.claims(x=text, y=[text]))) == ""

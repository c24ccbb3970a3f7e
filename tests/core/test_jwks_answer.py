"""What an issuer's answer is worth: lifetimes, bodies, sets, metadata; each refusal by its code."""

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import KeysUnavailable
from jwturn.core.jwk import SET_BYTES_MAX
from jwturn.core.jwks_answer import (
    CODES,
    Answer,
    Body,
    Fresh,
    Get,
    Unchanged,
    headers_of,
    lifetime,
    read_discovery,
    read_set,
    shown,
    unavailable,
)

URL = "https://auth.example.com/jwks.json"
ISSUER = "https://auth.example.com"
JSON = {"content-type": "application/json"}
SET = b'{"keys":[]}'


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(KeysUnavailable) as caught:
        call()
    assert caught.value.code in CODES
    assert caught.value.hint
    return caught.value.code


@pytest.mark.parametrize(
    ("cache_control", "age", "seconds"),
    [
        ("max-age=300", None, 300),
        ("public, max-age=300", None, 300),
        ("MAX-AGE=300,public", None, 300),
        ('max-age="300"', None, 300),
        ("max-age=300, s-maxage=9", None, 300),
        ('private="set-cookie, max-age=1", max-age=300', None, 300),
        ("max-age=300", "100", 200),
        ("max-age=300", "100, 5", 200),
        ("max-age=300", "301", 0),
        ("max-age=300", "-100", 300),
        ("max-age=300", "soon", 300),
        ("max-age=300", "9" * 5000, 0),
        ("max-age=0", None, 0),
        ("max-age=300, no-cache", None, 0),
        ('no-cache="set-cookie", max-age=300', None, 0),
        ("No-Store", None, 0),
        ("max-age=300, max-age=60", None, 60),
        ("max-age=300, max-age=x", None, 0),
        ("max-age=-1", None, 0),
        ("max-age=+1", None, 0),
        ("max-age=1.5", None, 0),
        ("max-age=1e3", None, 0),
        ("max-age=", None, 0),
        ("max-age", None, 0),
        ("max-age=60; public", None, 0),
        ("max-age = 60", None, 0),
        ('max-age="60', None, 0),
        ('max-age="60"0', None, 0),
        ("max-age=\u0663", None, 0),
        ("max-age=0000000000000060", None, 60),
        (f"max-age={2**31}", None, 2**31),
        (f"max-age={'9' * 10}", None, 2**31),
        (f"max-age={'9' * 5000}", None, 2**31),
    ],
)
def test_a_lifetime_is_max_age_less_age(cache_control: str, age: str | None, seconds: int) -> None:
    headers = {"cache-control": cache_control} | ({} if age is None else {"age": age})
    assert lifetime(headers) == timedelta(seconds=seconds)


@pytest.mark.parametrize("cache_control", ["", "public", "s-maxage=60", "x-max-age=60", ",,,", "immutable"])
def test_an_answer_may_say_nothing_of_its_lifetime(cache_control: str) -> None:
    assert lifetime({"cache-control": cache_control, "age": "5"}) is None
    assert lifetime({}) is None


@given(st.text('max-age=0123456789",; \\', max_size=80), st.text("0123456789-, ", max_size=30))
def test_no_header_makes_a_lifetime_that_is_none(cache_control: str, age: str) -> None:
    found = lifetime({"cache-control": cache_control, "age": age})
    assert found is None or timedelta() <= found <= timedelta(seconds=2**31)


def test_headers_that_come_twice_are_joined() -> None:
    pairs = [("Cache-Control", "public"), ("ETag", '"a"'), ("cache-control", "max-age=5")]
    assert headers_of(pairs) == {"cache-control": "public, max-age=5", "etag": '"a"'}


def whole(pieces: list[bytes], encoding: str | None = None) -> bytes:
    body = Body(URL, encoding)
    for piece in pieces:
        body.feed(piece)
    return body.whole()


@given(st.binary(max_size=3000), st.integers(1, 700), st.sampled_from([None, "identity", "gzip", "X-GZIP "]))
def test_a_body_is_what_was_sent_however_it_was_cut(data: bytes, piece_bytes: int, encoding: str) -> None:
    sent = gzip.compress(data) if encoding and "gzip" in encoding.lower() else data
    pieces = [sent[at : at + piece_bytes] for at in range(0, len(sent), piece_bytes)]
    assert whole(pieces, encoding) == data


@given(st.binary(max_size=600), st.integers(0, 600))
def test_packed_noise_is_refused_or_was_packed(data: bytes, cut: int) -> None:
    try:
        unpacked = whole([data[:cut], data[cut:]], "gzip")
    except KeysUnavailable as refused:
        assert refused.code == "fetch_encoding"
    else:
        assert unpacked == gzip.decompress(data)


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, identity", "\x00", "*"])
def test_other_codings_are_refused(encoding: str) -> None:
    assert code_of(lambda: Body(URL, encoding)) == "fetch_encoding"


def test_a_body_of_just_the_cap_is_taken() -> None:
    data = b" " * SET_BYTES_MAX
    assert whole([data]) == data
    assert whole([gzip.compress(data)], "gzip") == data


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_body_of_a_byte_more_is_refused_in_one_piece_or_in_many(encoding: str | None) -> None:
    data = b" " * (SET_BYTES_MAX + 1)
    sent = gzip.compress(data) if encoding else data
    assert code_of(lambda: whole([sent], encoding)) == "fetch_too_large"
    pieces = [sent[at : at + 100] for at in range(0, len(sent), 100)]
    assert code_of(lambda: whole(pieces, encoding)) == "fetch_too_large"


def test_a_bomb_is_refused_at_the_piece_that_crosses_the_cap() -> None:
    body = Body(URL, "gzip")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(b" " * (64 << 20)) + packer.flush()
    assert code_of(lambda: body.feed(bomb)) == "fetch_too_large"
    assert len(body._whole) <= SET_BYTES_MAX + 1


def test_packed_bytes_without_end_are_refused_though_they_unpack_to_nothing() -> None:
    body = Body(URL, "gzip")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body.feed(packer.compress(b"{") + packer.flush(zlib.Z_FULL_FLUSH))
    block = b"\x00\x00\x00\xff\xff" * 50_000
    body.feed(block)
    body.feed(block)
    assert code_of(lambda: body.feed(block)) == "fetch_too_large"
    assert len(body._whole) == 1


@pytest.mark.parametrize("cut", [0, 1, 9, -8, -1])
def test_a_packed_body_that_is_cut_is_refused(cut: int) -> None:
    assert code_of(lambda: whole([gzip.compress(SET)[:cut]], "gzip")) == "fetch_encoding"


def test_nothing_may_follow_the_packed_body() -> None:
    packed = gzip.compress(SET)
    for pieces in ([packed + b"\x00"], [packed, b"\x00"], [packed + packed], [packed, packed]):
        assert code_of(partial(whole, pieces, "gzip")) == "fetch_encoding"


def test_a_packed_body_with_a_wrong_checksum_is_refused() -> None:
    packed = gzip.compress(SET)
    assert code_of(lambda: whole([packed[:-5] + b"\xff" + packed[-4:]], "gzip")) == "fetch_encoding"


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json", "application/jwk-set+json", "application/problem+json", "Application/JSON"),
        *("application/json; charset=utf-8", "application/json;charset=UTF-8 ", ""),
    ],
)
def test_a_set_is_json_by_its_type_or_has_none(content_type: str) -> None:
    answer = Answer(200, {"content-type": content_type, "etag": 'W/"a"', "cache-control": "max-age=9"}, SET)
    assert read_set(Get(URL), answer) == Fresh(SET, 'W/"a"', timedelta(seconds=9))
    assert read_set(Get(URL), Answer(200, {}, SET)) == Fresh(SET, None, None)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/html", "text/plain", "application/octet-stream", "application/xml", "application/jsonp"),
        *(
            "text/html, application/json",
            "application/json, text/html",
            "application/json/x",
            "json",
            "+json",
        ),
    ],
)
def test_another_type_is_no_set(content_type: str) -> None:
    answer = Answer(200, {"content-type": content_type}, SET)
    assert code_of(lambda: read_set(Get(URL), answer)) == "fetch_type"


@pytest.mark.parametrize(
    "etag", ["a", '"a', '"a"b', '"\n"', '"' + "a" * 300 + '"', '"\u00e9"', "", '"a", "b"']
)
def test_an_etag_that_could_not_be_sent_back_is_none(etag: str) -> None:
    found = read_set(Get(URL), Answer(200, JSON | {"etag": etag}, SET))
    assert found == Fresh(SET, None, None)


def test_unchanged_is_an_answer_only_to_who_said_what_it_held() -> None:
    answer = Answer(304, {"cache-control": "max-age=60"}, b"")
    assert read_set(Get(URL, '"a"'), answer) == Unchanged(timedelta(seconds=60))
    assert code_of(lambda: read_set(Get(URL), answer)) == "fetch_status"


@pytest.mark.parametrize(
    "status", [100, 101, 201, 203, 204, 206, 400, 401, 403, 404, 429, 500, 503, 599, 999]
)
def test_another_status_is_no_set(status: int) -> None:
    assert code_of(lambda: read_set(Get(URL, '"a"'), Answer(status, JSON, SET))) == "fetch_status"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
def test_a_redirect_is_named_with_where_it_leads(status: int) -> None:
    answer = Answer(status, {"location": "https://evil.example.com/"}, b"")
    assert code_of(lambda: read_set(Get(URL), answer)) == "fetch_redirect"
    with pytest.raises(KeysUnavailable, match=rf"{status} https://evil\.example\.com/.*"):
        read_set(Get(URL), answer)


def metadata(**members: object) -> Answer:
    return Answer(200, JSON, json.dumps({"issuer": ISSUER, "jwks_uri": URL} | members).encode())


def test_metadata_name_the_place_of_the_set() -> None:
    assert read_discovery(Get(URL), metadata(more=[1, {"a": None}]), ISSUER) == URL


@pytest.mark.parametrize(
    "named", [f"{ISSUER}/", "https://AUTH.example.com", "https://evil.example.com", "", f"{ISSUER}\u200b"]
)
def test_metadata_of_another_issuer_are_refused(named: str) -> None:
    assert code_of(lambda: read_discovery(Get(URL), metadata(issuer=named), ISSUER)) == "discovery_issuer"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{}", b'"https://auth.example.com"', b"<html>", b"\xff\xfe{\x00}\x00"),
        b'{"issuer":"https://auth.example.com"}',
        b'{"issuer":["https://auth.example.com"],"jwks_uri":"https://auth.example.com/"}',
        b'{"issuer":"https://auth.example.com","jwks_uri":null}',
        b'{"issuer":"https://auth.example.com","jwks_uri":"https://a/","jwks_uri":"https://b/"}',
        b'{"issuer":"https://auth.example.com","jwks_uri":"https://a/"}{}',
    ],
)
def test_metadata_that_are_none_are_refused(body: bytes) -> None:
    answer = Answer(200, JSON, body)
    assert code_of(lambda: read_discovery(Get(URL), answer, ISSUER)) == "discovery_malformed"


def test_metadata_are_json_with_status_200() -> None:
    page = Answer(200, {"content-type": "text/html"}, metadata().body)
    assert code_of(lambda: read_discovery(Get(URL), page, ISSUER)) == "fetch_type"
    assert code_of(lambda: read_discovery(Get(URL), Answer(503, JSON, b""), ISSUER)) == "fetch_status"
    assert code_of(lambda: read_discovery(Get(URL, '"a"'), Answer(304, JSON, b""), ISSUER)) == "fetch_status"


def test_what_others_sent_is_shown_escaped_and_cut() -> None:
    assert shown("a\r\n\x1b[31m\u202e") == "a\\r\\n\\x1b[31m\\u202e"
    assert shown("x" * 999) == "x" * 200 + "..."


def test_the_words_hold_no_query_which_may_be_secret() -> None:
    message = unavailable("fetch_status", "https://auth.example.com/jwks?api_key=hunter2", "500").message
    assert message == f"https://auth.example.com/jwks?...: {CODES['fetch_status']} (500)"


def test_no_two_codes_say_the_same() -> None:
    assert len(set(CODES.values())) == len(CODES)

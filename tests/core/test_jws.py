"""SECURITY.md sections 1 to 4 on the compact form: what is cut, what is read, what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core import jws
from jwturn.core.errors import TokenRefused
from jwturn.core.jwk import ALGS, b64url

SIGNATURE = b64url(b"s" * 64)
PAYLOAD = b64url(b'{"sub":"alice"}')
RFC7515_A1 = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)


def token(header: Any, payload: str = PAYLOAD, signature: str = SIGNATURE) -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{b64url(text)}.{payload}.{signature}"


def code_of(value: Any) -> str:
    with pytest.raises(TokenRefused) as caught:
        jws.split(value)
    assert caught.value.code in jws.CODES
    assert caught.value.hint
    return caught.value.code


def header_code(**members: Any) -> str:
    return code_of(token({"alg": "ES256", "kid": "a"} | members))


def test_a_token_is_taken_apart() -> None:
    text = token({"alg": "ES256", "kid": "a", "typ": "JWT"})
    parts = jws.split(text)
    assert parts.header == jws.Header("ES256", "a", "jwt")
    assert parts.payload == b'{"sub":"alice"}'
    assert parts.signature == b"s" * 64
    assert parts.signing_input == text.rpartition(".")[0].encode()
    assert jws.split(text.encode()) == parts


def test_the_example_of_rfc7515_appendix_a1() -> None:
    parts = jws.split(RFC7515_A1)
    assert parts.header == jws.Header("HS256", None, "jwt")
    assert jws.read_claims(parts.payload) == {
        "iss": "joe",
        "exp": 1300819380,
        "http://example.com/is_root": True,
    }


# Section 1, algorithm.


@pytest.mark.parametrize("alg", ["none", "None", "", "es256", "ES256 ", "ES256K", "HS1", "RS256\x00", "dir"])
def test_alg_is_a_registered_name_byte_for_byte(alg: str) -> None:
    assert header_code(alg=alg) == "alg_unknown"


@pytest.mark.parametrize("alg", [None, 1, True, ["ES256"], {"ES256": 1}])
def test_alg_is_a_string(alg: object) -> None:
    assert header_code(alg=alg) == "alg_malformed"


def test_alg_is_required() -> None:
    assert code_of(token({"kid": "a"})) == "alg_malformed"


@pytest.mark.parametrize("alg", sorted(ALGS))
def test_every_algorithm_of_the_table_is_read(alg: str) -> None:
    assert jws.split(token({"alg": alg})).header.alg == alg


# Section 2, which key.


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/pem"},
        {"x5c": ["AAAA"]},
        {"x5t": 7},
        {"x5t#S256": None},
    ],
)
def test_keys_in_the_header_are_never_read(member: dict[str, Any]) -> None:
    assert jws.split(token({"alg": "ES256", "kid": "a"} | member)).header == jws.Header("ES256", "a", None)


@pytest.mark.parametrize("kid", [None, 1, True, [], {}, "", "a" * 257, "é", "a\nb", "\x00", "\x7f"])
def test_kid_is_a_short_printable_ascii_string(kid: object) -> None:
    assert header_code(kid=kid) == "kid_malformed"


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1--", "a=+/", "x" * 256])
def test_a_hostile_kid_is_only_a_name(kid: str) -> None:
    assert jws.split(token({"alg": "ES256", "kid": kid})).header.kid == kid


# Section 3, header.


@pytest.mark.parametrize("value", [[], ["exp"], ["b64"], "exp", None, {}, 0])
def test_any_crit_is_refused(value: object) -> None:
    assert header_code(crit=value) == "crit_refused"


@pytest.mark.parametrize("value", [True, False, None, "false"])
def test_b64_is_refused(value: object) -> None:
    assert header_code(b64=value) == "b64_refused"


@pytest.mark.parametrize("value", ["DEF", "", None])
def test_zip_is_refused(value: object) -> None:
    assert header_code(zip=value) == "zip_refused"


@pytest.mark.parametrize("value", ["JWT", "jwt", "application/JWT", "APPLICATION/jwt", 1, None, "ﬀ"])
def test_cty_jwt_is_refused(value: object) -> None:
    assert header_code(cty=value) == "cty_refused"


def test_another_cty_is_not_our_business() -> None:
    assert jws.split(token({"alg": "ES256", "cty": "text/plain"})).header.alg == "ES256"


def test_jwe_is_refused() -> None:
    assert code_of("e30.e30.e30.e30.e30") == "token_jwe"


@pytest.mark.parametrize(
    "text", ['{"payload":"e30","signatures":[]}', ' {"payload": "e30"}', "[]", '\n{"a":1.5,"b":2.5,"c":3.5}']
)
def test_the_json_serialization_is_refused(text: str) -> None:
    assert code_of(text) == "token_json"


@pytest.mark.parametrize(
    ("typ", "read"),
    [
        ("JWT", "jwt"),
        ("at+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("APPLICATION/jwt", "jwt"),
        ("", ""),
    ],
)
def test_typ_is_compared_lower_cased_without_application(typ: str, read: str) -> None:
    assert jws.split(token({"alg": "ES256", "typ": typ})).header.typ == read


@pytest.mark.parametrize("typ", [None, 1, ["JWT"], True, "JW\u212a"])
def test_typ_is_an_ascii_string(typ: object) -> None:
    assert header_code(typ=typ) == "typ_malformed"


# Section 4, encoding.


def test_length_comes_first() -> None:
    assert code_of("." * (16 * 1024 + 1)) == "token_too_long"
    assert code_of(b"\xff" * (16 * 1024 + 1)) == "token_too_long"
    assert code_of("é" * (16 * 1024 + 1)) == "token_too_long"
    whole = token({"alg": "ES256"})
    assert jws.split(whole + "A" * ((16 * 1024 - len(whole)) // 4 * 4 - 2) + "AA").header.alg == "ES256"


def test_a_header_has_at_most_a_kibibyte() -> None:
    def text(size: int) -> bytes:
        return b'{"alg":"ES256","pad":"' + b"x" * (size - 24) + b'"}'

    assert len(text(1024)) == 1024
    assert jws.split(token(text(1024))).header.alg == "ES256"
    assert code_of(token(text(1025))) == "header_too_long"


@pytest.mark.parametrize("text", ["", ".", "a.b", "e30", "...", "a.b.c.d", "a.b.c.d.e.f", "." * 8000])
def test_exactly_two_dots(text: str) -> None:
    assert code_of(text) == "token_segments"


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_no_segment_is_empty(empty: int) -> None:
    segments = token({"alg": "ES256"}).split(".")
    segments[empty] = ""
    assert code_of(".".join(segments)) == "token_segments"


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("stray", ["=", "==", "+", "/", " ", "\n", "\x00", "é", "\\u0041", '"', "%41", "A"])
def test_each_segment_is_base64url_and_nothing_else(segment: int, stray: str) -> None:
    segments = [b64url(b'{"alg":"ES256"}'), b64url(b'{"a":1234}'), b64url(b"123")]
    segments[segment] = segments[segment][: len(segments[segment]) // 4 * 4] + stray
    assert code_of(".".join(segments)) == "token_base64"


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_stray_trailing_bits_are_refused(segment: int) -> None:
    segments = [b64url(b'{"alg":"ES384"} '), b64url(b'{"a":12345}  '), b64url(b"1234")]
    assert jws.split(".".join(segments)).header.alg == "ES384"
    last = segments[segment][-1]
    assert last in "AQgw"
    segments[segment] = segments[segment][:-1] + chr(ord(last) + 1)
    assert code_of(".".join(segments)) == "token_base64"


@pytest.mark.parametrize("value", [None, 1, bytearray(b"a.b.c"), ["a.b.c"], memoryview(b"a.b.c")])
def test_a_token_is_str_or_bytes(value: object) -> None:
    assert code_of(value) == "token_type"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b'{"alg":"ES256","alg":"none"}', "json_duplicate"),
        (b'{"alg":"ES256","\\u0061lg":"none"}', "json_duplicate"),
        ('{"alg":"ES256"}'.encode("utf-16"), "json_encoding"),
        (b'\xef\xbb\xbf{"alg":"ES256"}', "json_encoding"),
        (b'{"alg":"ES256","a":NaN}', "json_malformed"),
        (b'{"alg":"ES256","a":1e400}', "json_number"),
        (b'{"alg":"ES256","a":' + b"[" * 17 + b"]" * 17 + b"}", "json_depth"),
        (b'{"alg":"ES256"}x', "json_malformed"),
        (b"[]", "header_not_object"),
        (b'"ES256"', "header_not_object"),
        (b"null", "header_not_object"),
    ],
)
def test_the_header_is_strict_json(header: bytes, code: str) -> None:
    assert code_of(token(header)) == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"sub":"a","sub":"b"}', "json_duplicate"),
        (b'{"sub":"a","s\\u0075b":"b"}', "json_duplicate"),
        (b"[]", "claims_not_object"),
        (b"1", "claims_not_object"),
        (b"", "json_malformed"),
        ("{}".encode("utf-16-le"), "json_malformed"),
    ],
)
def test_the_claims_are_a_strict_json_object(payload: bytes, code: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        jws.read_claims(payload)
    assert caught.value.code == code


def test_claims_are_a_new_dict_for_each_call() -> None:
    first = jws.read_claims(b'{"roles":["a"]}')
    first["roles"].append("admin")
    assert jws.read_claims(b'{"roles":["a"]}') == {"roles": ["a"]}


def test_headers_kept_are_bounded_and_refusals_are_not_kept() -> None:
    for number in range(600):
        jws.split(token({"alg": "ES256", "kid": str(number)}))
    info = jws.read_header.cache_info()
    assert info.currsize == info.maxsize == 512
    assert header_code(crit=[]) == "crit_refused"
    assert header_code(crit=[]) == "crit_refused"


# The signer's side.


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(-(2**53), 2**53), max_size=5))
def test_what_is_joined_is_split_again(claims: dict[str, Any]) -> None:
    segment = jws.header_segment("ES256", "kid-1", "at+jwt")
    signed = jws.signing_input(segment, claims)
    text = jws.token_of(signed, b"signature")
    parts = jws.split(text)
    assert parts.header == jws.Header("ES256", "kid-1", "at+jwt")
    assert jws.read_claims(parts.payload) == claims
    assert (parts.signing_input, parts.signature) == (signed, b"signature")
    assert jws.join(segment, parts.payload, lambda data: data[::-1]).startswith(signed.decode() + ".")


# Whatever the bytes.


PIECES = st.sampled_from(
    [token({"alg": "ES256"}), RFC7515_A1, "e30", ".", "..", "=", "{", "eyJhbGciOiJub25lIn0"]
)


@given(st.binary(max_size=80) | st.text(max_size=80) | st.lists(PIECES, max_size=4).map("".join))
def test_nothing_but_a_refusal_leaves_split(value: str | bytes) -> None:
    try:
        jws.split(value)
    except TokenRefused as refused:
        assert refused.code in jws.CODES


@given(st.data())
def test_a_changed_character_never_gives_the_same_parts(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(RFC7515_A1) - 1))
    letter = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != RFC7515_A1[place]))
    changed = RFC7515_A1[:place] + letter + RFC7515_A1[place + 1 :]
    try:
        parts = jws.split(changed)
    except TokenRefused:
        return
    before = jws.split(RFC7515_A1)
    assert (parts.signing_input, parts.signature) != (before.signing_input, before.signature)

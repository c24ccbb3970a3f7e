"""JSON Web Keys: base64url, thumbprints, and SECURITY.md section 7, publishing and reading."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core import jwk
from jwturn.core.errors import BadInput, IntegrityError, TooLarge

RSA_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
    "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
    "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
    "kEgU8awapJzKnqDKgw"
)
RSA = {"kty": "RSA", "n": RSA_N, "e": "AQAB"}
EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
OKP = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
AKP = {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}
OCT = {"kty": "oct", "k": "c2VjcmV0"}


def published(public: dict[str, str], kid: str, alg: str, **options: int) -> dict[str, str | int]:
    return jwk.project(public, kid=kid, alg=alg, **options)


def set_of(*keys: Any, **beside: Any) -> bytes:
    return json.dumps({"keys": list(keys), **beside}).encode()


def refused_in(call: Any, *arguments: Any, error: type[Exception] = BadInput, **options: Any) -> str:
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    assert caught.value.hint  # type: ignore[attr-defined]  # every error of ours has one
    return str(caught.value.code)  # type: ignore[attr-defined]  # as above


# Base64url (SECURITY.md 4).


@given(st.binary(max_size=70))
def test_base64url_reads_back_what_it_wrote(data: bytes) -> None:
    text = jwk.b64url(data)
    assert jwk.unb64url(text) == data
    assert "=" not in text


def oracle(text: str) -> bytes | None:
    """RFC 4648 section 5 by the standard library, then encoded again and compared."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if base64.urlsafe_b64encode(data).decode().rstrip("=") == text else None


@given(st.text('AQghBZz059-_+/=!"\\.\n \x00é', max_size=9))
def test_base64url_is_accepted_only_in_its_one_spelling(text: str) -> None:
    try:
        data = jwk.unb64url(text)
    except BadInput as error:
        assert error.code == "base64_malformed"
        assert oracle(text) is None
    else:
        assert data == oracle(text)


@pytest.mark.parametrize(
    "text", ["YQ==", "YR", "YWJ", "Y", "Y+_A", "Y/_A", "YW Jj", "YWJj\n", '"', "\\u0041", "ü"]
)
def test_padding_stray_bits_and_other_alphabets_are_refused(text: str) -> None:
    assert refused_in(jwk.unb64url, text) == "base64_malformed"


# kid (SECURITY.md 2).


@pytest.mark.parametrize("kid", ["a", "A=+/", "a" * 256, "key 1", "~!"])
def test_a_kid_is_printable_ascii(kid: str) -> None:
    assert jwk.check_kid(kid) == kid


@pytest.mark.parametrize("kid", ["", "a" * 257, "a\n", "\x7f", "é", "a\x00", None, 1, True, ["a"], b"a"])
def test_any_other_kid_is_refused(kid: object) -> None:
    assert refused_in(jwk.check_kid, kid) == "kid_malformed"


# Thumbprints.


def test_the_thumbprint_of_rfc7638_section_3_1() -> None:
    noise = {"alg": "RS256", "kid": "2011-04-29"}
    assert jwk.thumbprint(RSA | noise) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_rfc8037_appendix_a3() -> None:
    assert jwk.thumbprint(OKP) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_thumbprint_of_rfc9964_includes_alg() -> None:
    pub = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32)).public_key().public_bytes_raw()
    key = {"kty": "AKP", "alg": "ML-DSA-44", "pub": jwk.b64url(pub)}
    assert jwk.thumbprint(key) == "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o"
    assert jwk.thumbprint(key | {"alg": "ML-DSA-65"}) != jwk.thumbprint(key)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (OCT, "jwk_oct_thumbprint"),
        ({}, "jwk_unknown_kty"),
        ({"kty": "DH"}, "jwk_unknown_kty"),
        ({"kty": "EC", "crv": "P-256", "x": EC["x"]}, "jwk_malformed"),
        (OKP | {"x": "AB=="}, "base64_malformed"),
        (OKP | {"x": ""}, "jwk_malformed"),
    ],
)
def test_what_has_no_thumbprint_is_refused(key: dict[str, str], code: str) -> None:
    assert refused_in(jwk.thumbprint, key) == code


def test_the_table_of_algorithms_is_whole() -> None:
    assert len(jwk.ALGS) == 17
    assert {facts.kty for facts in jwk.ALGS.values()} == {"oct", *jwk.PUBLIC_MEMBERS}
    assert all(
        facts.secret_bytes_min == facts.hash_bytes for a, facts in jwk.ALGS.items() if a.startswith("HS")
    )
    assert "none" not in jwk.ALGS


# Publishing (SECURITY.md 7).


def test_a_projection_holds_only_what_is_public() -> None:
    private = EC | {"d": "AAAA", "k": "AAAA", "x5c": "AAAA"}
    assert published(private, "a", "ES256") == EC | {"kid": "a", "alg": "ES256", "use": "sig"}


def test_a_projection_says_the_last_exp_of_a_shredded_key() -> None:
    assert published(OKP, "a", "EdDSA", exp=1_700_000_000)["exp"] == 1_700_000_000


@pytest.mark.parametrize(
    ("key", "alg", "code"),
    [
        (OCT, "HS256", "jwk_malformed"),
        (EC, "ES384", "jwk_alg_mismatch"),
        (EC, "EdDSA", "jwk_alg_mismatch"),
        (RSA, "HS256", "jwk_alg_mismatch"),
        (AKP, "ML-DSA-65", "jwk_alg_mismatch"),
        (EC, "none", "jwk_unknown_alg"),
        ({"kty": "RSA", "n": RSA_N}, "RS256", "jwk_malformed"),
    ],
)
def test_a_key_is_not_published_for_what_it_is_not(key: dict[str, str], alg: str, code: str) -> None:
    assert refused_in(published, key, "a", alg, error=IntegrityError) == code


def test_a_set_is_the_same_bytes_in_any_order_and_passes_its_check() -> None:
    keys = [
        published(EC, "b", "ES256"),
        published(RSA, "a", "PS256"),
        published(AKP, "c", "ML-DSA-44", exp=1),
    ]
    written = jwk.jwks_bytes(keys)
    assert written == jwk.jwks_bytes([dict(reversed(key.items())) for key in reversed(keys)])
    jwk.check_public_bytes(written)
    assert [key["kid"] for key in json.loads(written)["keys"]] == ["a", "b", "c"]


@pytest.mark.parametrize("name", sorted(jwk.PRIVATE_MEMBERS))
@pytest.mark.parametrize("value", ["AAAA", None, {}])
def test_a_private_member_fails_the_publish(name: str, value: object) -> None:
    leaked = set_of(published(OKP, "b", "EdDSA"), published(EC, "a", "ES256") | {name: value})
    assert refused_in(jwk.check_public_bytes, leaked, error=IntegrityError) == "jwk_private"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (set_of(), "jwks_empty"),
        (set_of(OCT | {"kid": "a"}), "jwks_oct"),
        (set_of({"kty": "oct", "kid": "a", "alg": "HS256"}), "jwks_oct"),
        (set_of(published(EC, "a", "ES256"), published(OKP, "a", "EdDSA")), "jwk_duplicate_kid"),
        (set_of(published(EC, "a", "ES256"), k="AAAA"), "jwks_member"),
        (set_of(published(EC, "a", "ES256") | {"x5u": "https://x"}), "jwks_member"),
        (set_of(published(EC, "a", "ES256") | {"use": "enc"}), "jwks_member"),
        (set_of(published(EC, "a", "ES256") | {"exp": True}), "jwk_malformed"),
        (set_of(published(EC, "a", "ES256") | {"kty": ["EC"]}), "jwk_malformed"),
        (set_of(EC | {"alg": "ES256", "use": "sig"}), "kid_malformed"),
        (set_of({"kty": "DH", "kid": "a", "alg": "ES256"}), "jwk_malformed"),
        (set_of("a"), "jwks_malformed"),
        (b'{"keys":{}}', "jwks_malformed"),
        (b"[]", "jwks_malformed"),
        (b'{"keys":[],"keys":[]}', "json_duplicate"),
        (b"", "json_malformed"),
    ],
)
def test_the_very_bytes_are_checked_before_they_are_published(data: bytes, code: str) -> None:
    assert refused_in(jwk.check_public_bytes, data, error=IntegrityError) == code


# Reading (SECURITY.md 2 and 7).


def kids(data: bytes, **options: Any) -> list[str | None]:
    return [key.kid for key in jwk.parse_set(data, **options).keys]


def test_what_we_publish_we_read() -> None:
    keys = [published(EC, "a", "ES256"), published(AKP, "b", "ML-DSA-44", exp=7)]
    ec, akp = jwk.parse_set(jwk.jwks_bytes(keys)).keys
    assert (ec.kid, ec.alg, ec.public, ec.exp) == ("a", "ES256", EC, None)
    assert (akp.kid, akp.alg, akp.public, akp.exp) == ("b", "ML-DSA-44", AKP, 7)


@pytest.mark.parametrize("name", sorted(jwk.PRIVATE_MEMBERS))
def test_a_key_with_private_members_is_refused_with_an_alarm_and_the_others_stay(name: str) -> None:
    keys = jwk.parse_set(
        set_of(published(EC, "bad", "ES256") | {name: "AAAA"}, published(OKP, "good", "EdDSA"))
    )
    assert [key.kid for key in keys.keys] == ["good"]
    assert [(key.kid, key.code, key.alarm) for key in keys.refused] == [("bad", "jwk_private", True)]


def test_oct_in_a_public_set_refuses_the_set() -> None:
    assert refused_in(jwk.parse_set, set_of(published(EC, "a", "ES256"), OCT)) == "jwks_oct"


def test_a_duplicate_kid_refuses_both() -> None:
    data = set_of(published(EC, "a", "ES256"), published(OKP, "a", "EdDSA"), published(RSA, "b", "RS256"))
    keys = jwk.parse_set(data)
    assert [key.kid for key in keys.keys] == ["b"]
    assert [key.code for key in keys.refused] == ["jwk_duplicate_kid"] * 2


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"kty": "DH", "kid": "x"}, "jwk_unknown_kty"),
        ({"kid": "x"}, "jwk_unknown_kty"),
        (EC | {"kid": "x", "alg": "ES256K"}, "jwk_unknown_alg"),
        (EC | {"kid": "x", "alg": 1}, "jwk_unknown_alg"),
        (RSA | {"kid": "x", "alg": "RSA-OAEP"}, "jwk_unknown_alg"),
        (EC | {"kid": "x", "alg": "ES512"}, "jwk_alg_mismatch"),
        (EC | {"kid": "x", "crv": "secp256k1"}, "jwk_unknown_alg"),
        (EC | {"kid": "x", "crv": 256}, "jwk_malformed"),
        (OKP | {"kid": "x", "crv": "X25519"}, "jwk_unknown_alg"),
        (EC | {"kid": "x", "use": "enc"}, "jwk_wrong_use"),
        (EC | {"kid": "x", "use": None}, "jwk_wrong_use"),
        (EC | {"kid": "x", "key_ops": ["sign"]}, "jwk_wrong_use"),
        (EC | {"kid": "x", "key_ops": "verify"}, "jwk_wrong_use"),
        (EC | {"kid": "x", "key_ops": ["verify", "verify"]}, "jwk_wrong_use"),
        (EC | {"kid": "x", "key_ops": ["verify", 5]}, "jwk_wrong_use"),
        (EC | {"kid": "x", "key_ops": ["verify", "encrypt"], "use": "sig"}, "jwk_wrong_use"),
        (EC | {"kid": 7}, "kid_malformed"),
        (EC | {"kid": "x", "exp": "7"}, "jwk_malformed"),
        (EC | {"kid": "x", "y": EC["y"] + "="}, "base64_malformed"),
    ],
)
def test_an_odd_key_beside_good_ones_is_passed_over(odd: dict[str, Any], code: str) -> None:
    keys = jwk.parse_set(set_of(odd, published(OKP, "good", "EdDSA")))
    assert [key.kid for key in keys.keys] == ["good"]
    assert [(key.code, key.alarm) for key in keys.refused] == [(code, False)]


@pytest.mark.parametrize(
    ("key", "algorithms", "alg"),
    [
        (EC, None, "ES256"),
        (EC | {"crv": "P-384"}, None, "ES384"),
        (EC | {"crv": "P-521"}, ["RS256"], "ES512"),
        (OKP, None, "EdDSA"),
        (OKP, ["EdDSA"], "EdDSA"),
        (OKP, ["ES256", "Ed25519"], "Ed25519"),
        (RSA, ["PS384", "ES256"], "PS384"),
    ],
)
def test_a_key_without_alg_gets_it_from_curve_or_configuration(
    key: dict[str, str], algorithms: list[str] | None, alg: str
) -> None:
    assert jwk.parse_set(set_of(key), algorithms=algorithms).keys[0].alg == alg


@pytest.mark.parametrize("algorithms", [None, [], ["ES256"], ["RS256", "PS256"], ["unheard"]])
def test_an_rsa_key_without_alg_needs_exactly_one_rsa_algorithm(algorithms: list[str] | None) -> None:
    assert refused_in(jwk.parse_set, set_of(RSA), algorithms=algorithms) == "jwks_empty"


def test_an_empty_or_non_jwks_answer_is_no_set() -> None:
    assert refused_in(jwk.parse_set, set_of()) == "jwks_empty"
    assert refused_in(jwk.parse_set, b"<html>") == "json_malformed"
    assert refused_in(jwk.parse_set, b'{"error":"x"}') == "jwks_malformed"
    assert refused_in(jwk.parse_set, b'{"keys":[{"kty":"EC","kty":"oct"}]}') == "json_duplicate"
    assert refused_in(jwk.parse_set, b" " * (512 * 1024 + 1), error=TooLarge) == "too_large"


def test_members_beside_the_keys_and_unknown_members_of_a_key_are_not_read() -> None:
    read = jwk.parse_set(set_of(EC | {"x5u": "https://evil", "x5c": 7}, next="https://evil"))
    assert read.keys[0].public == EC
    assert kids(set_of(EC)) == [None]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["EC", "RSA", "sig", "a", "AAAA", "ES256"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
KEY = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "kid", "alg", "use", "exp", "d", "key_ops"]), JSON
)


@given(
    st.lists(
        st.builds(lambda key, base: base | key, KEY, st.sampled_from([EC, RSA, OKP, AKP, {}])), max_size=3
    )
)
def test_nothing_but_ours_leaves_whatever_the_set(keys: list[dict[str, Any]]) -> None:
    data = set_of(*keys)
    try:
        read = jwk.parse_set(data)
    except BadInput as error:
        assert error.code in jwk.CODES or error.code.startswith("json_")
    else:
        assert len(read.keys) + len(read.refused) == len(keys)
        assert all(not jwk.PRIVATE_MEMBERS & set(key.public) for key in read.keys)
    try:
        jwk.check_public_bytes(data)
    except IntegrityError as error:
        assert error.code in jwk.CODES or error.code.startswith("json_")
    else:
        assert all(key.keys() <= {*EC, *RSA, *AKP, "kid", "alg", "use", "exp"} for key in keys)

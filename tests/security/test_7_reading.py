"""SECURITY.md section 7, what it says of reading a set, row by row; fetching one is tested elsewhere."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jwturn import TokenRefused, Verifier
from jwturn.core.errors import BadInput, TooLarge
from jwturn.core.jwk import PRIVATE_MEMBERS, SET_BYTES_MAX, KeySet, parse_set, thumbprint
from tests.security import mint

TIME = datetime.fromtimestamp(mint.NOW, UTC)


def read(*keys: Any) -> KeySet:
    return parse_set(json.dumps({"keys": list(keys)}).encode())


def accepted(alg: str, *keys: Any, **members: Any) -> bool:
    """Whether a verifier with just this set accepts the good token of `alg`."""
    trusting = Verifier(
        issuer=mint.ISSUER, audience=mint.AUDIENCE, jwks={"keys": list(keys)}, now=lambda: TIME
    )
    try:
        return trusting.verify(mint.token(alg, **members))["sub"] == "alice"
    except TokenRefused:
        return False


@pytest.mark.parametrize("member", sorted(PRIVATE_MEMBERS))
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "ML-DSA-44"])
def test_a_private_member_refuses_the_key_with_an_alarm(alg: str, member: str) -> None:
    values: tuple[Any, ...] = ("AQAB", "", None, 7, [])
    for value in values:
        bad, good = mint.public(alg) | {member: value}, mint.public("ES384")
        found = read(bad, good)
        assert [(key.kid, key.code, key.alarm) for key in found.refused] == [
            (mint.kid(alg), "jwk_private", True)
        ]
        assert [key.kid for key in found.keys] == [mint.kid("ES384")]
        assert not accepted(alg, bad, good)
        assert accepted("ES384", bad, good)


@pytest.mark.parametrize(
    "secret",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"},
        {"kty": "oct"},
        {"kty": "oct", "kid": 7, "use": "enc"},
        {"kty": "oct", "alg": "A128KW", "k": ""},
    ],
)
def test_oct_refuses_the_set(secret: dict[str, Any]) -> None:
    for keys in ([secret], [secret, mint.public("ES256")], [mint.public("ES256"), secret]):
        with pytest.raises(BadInput) as refused:
            read(*keys)
        assert refused.value.code == "jwks_oct"
        with pytest.raises(BadInput):
            Verifier(issuer=mint.ISSUER, audience=mint.AUDIENCE, jwks={"keys": keys})


def test_a_duplicate_kid_refuses_both() -> None:
    first, third = mint.public("ES256"), mint.public("ES384")
    for second in (
        first,
        mint.public("EdDSA") | {"kid": first["kid"]},
        mint.public("ES256", "x"),
        {"kid": first["kid"]},
    ):
        for keys in ((first, second, third), (second, first, third), (first, third, second, second)):
            found = read(*keys)
            assert [key.kid for key in found.keys] == [third["kid"]]
            assert {key.code for key in found.refused} == {"jwk_duplicate_kid"}
            assert not accepted("ES256", *keys)
            assert accepted("ES384", *keys)


def test_a_duplicate_kid_refuses_both_where_a_thumbprint_stands_for_a_kid() -> None:
    """A key without kid goes by its thumbprint, which another key's kid may be, and RSA has without alg."""
    nameless = {
        alg: {k: v for k, v in mint.public(alg).items() if k != "kid"} for alg in ("RS256", "PS256", "ES256")
    }
    print_of = {alg: thumbprint(jwk) for alg, jwk in nameless.items()}
    other = mint.public("ES256", "the attacker's") | {"kid": print_of["ES256"]}
    beside = mint.public("ES384")
    for first, second in ((nameless["RS256"], nameless["PS256"]), (nameless["ES256"], other)):
        for keys in ((first, second, beside), (second, first, beside)):
            for alg in nameless:
                assert not accepted(alg, *keys, kid=print_of[alg])
            assert not accepted("ES256", *keys, kid=print_of["ES256"], whose="the attacker's")
            assert accepted("ES384", *keys)
    assert accepted("ES256", nameless["ES256"], beside, kid=print_of["ES256"])


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"kty": "XYZ"}, "jwk_unknown_kty"),
        ({"kty": "ec"}, "jwk_unknown_kty"),
        ({"kty": None}, "jwk_unknown_kty"),
        ({"kty": ["EC"]}, "jwk_unknown_kty"),
        ({}, "jwk_unknown_kty"),
        ({"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"}, "jwk_unknown_alg"),
        ({"kty": "EC", "crv": "P-256", "alg": "ECDH-ES", "x": "AAAA", "y": "AAAA"}, "jwk_unknown_alg"),
        ({"kty": "OKP", "crv": "X25519", "x": "AAAA"}, "jwk_unknown_alg"),
        ({"kty": "OKP", "crv": "Ed448", "x": "AAAA"}, "jwk_unknown_alg"),
        ({"kty": "RSA", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"}, "jwk_unknown_alg"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "jwk_unknown_alg"),
        ({"kty": "AKP", "alg": "SLH-DSA-SHA2-128s", "pub": "AAAA"}, "jwk_unknown_alg"),
        ({"kty": "EC", "alg": "none", "crv": "P-256", "x": "AAAA", "y": "AAAA"}, "jwk_unknown_alg"),
        ({"kty": "RSA", "alg": "HS256", "n": "AQAB", "e": "AQAB"}, "jwk_alg_mismatch"),
    ],
)
def test_an_unknown_kty_or_alg_is_skipped(odd: dict[str, Any], code: str) -> None:
    good = mint.public("ES256")
    for keys in ((odd, good), (good, odd)):
        found = read(*keys)
        assert [key.kid for key in found.keys] == [good["kid"]]
        assert [(key.code, key.alarm) for key in found.refused] == [(code, False)]
        assert accepted("ES256", *keys)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "ML-DSA-44"])
@pytest.mark.parametrize(
    "use",
    [
        *({"use": use} for use in ("enc", "", "SIG", "sig ", None, 7, ["sig"])),
        *({"key_ops": ops} for ops in ([], ["sign"], ["encrypt"], ["VERIFY"], "verify", None, {"verify": 1})),
        {"use": "enc", "key_ops": ["verify"]},
        {"use": "sig", "key_ops": ["deriveKey"]},
    ],
)
def test_wrong_use_or_key_ops_is_refused(alg: str, use: dict[str, Any]) -> None:
    bad, good = mint.public(alg) | use, mint.public("ES512")
    assert [key.code for key in read(bad, good).refused] == ["jwk_wrong_use"]
    assert not accepted(alg, bad, good)
    assert accepted("ES512", bad, good)


def test_wrong_use_or_key_ops_is_refused_but_right_ones_are_taken() -> None:
    for right in ({"use": "sig"}, {"key_ops": ["verify"]}, {"use": "sig", "key_ops": ["sign", "verify"]}):
        assert accepted("ES256", mint.public("ES256") | right)


def test_a_set_has_at_most_512_kib() -> None:
    good = json.dumps({"keys": [mint.public("ES256")]}).encode()
    assert SET_BYTES_MAX == 512 * 1024
    assert len(parse_set(good.ljust(SET_BYTES_MAX)).keys) == 1
    for size in (SET_BYTES_MAX + 1, 2 * SET_BYTES_MAX):
        with pytest.raises(TooLarge):
            parse_set(good.ljust(size))
        with pytest.raises(TooLarge):
            Verifier(issuer=mint.ISSUER, audience=mint.AUDIENCE, jwks=good.ljust(size))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"keys":null}',
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[null]}',
        b'{"keys":["x"]}',
        b'{"keys":[[]]}',
        b'{"keys":[{}]}',
        b'{"Keys":[{"kty":"EC"}]}',
        b"<!doctype html><html></html>",
        b'{"error":"not found"}',
        b"\x1f\x8b\x08\x00",
    ],
)
def test_no_set_at_all_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        parse_set(text)
    assert refused.value.hint
    with pytest.raises(BadInput):
        Verifier(issuer=mint.ISSUER, audience=mint.AUDIENCE, jwks=text)

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.jwk import ALGS, b64url, unb64url
from jwturn.core.secret import Secret
from jwturn.crypto.export import private_jwk
from jwturn.crypto.generate import generate
from jwturn.crypto.import_ import import_key
from jwturn.crypto.public import unsigned
from jwturn.crypto.sign import signer
from tests.crypto.keys import ASYMMETRIC, pair, verifier
from tests.crypto.rfc_vectors import VECTORS


def jwk(alg: str) -> dict[str, Any]:
    return private_jwk(alg, pair(alg).private)


def written(members: object) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize("alg", ALGS)
def test_a_private_jwk_survives_the_round_trip(alg):
    found = import_key(written(jwk(alg) | {"kid": "k-1", "use": "sig"}))
    assert (found.alg, found.kid, found.public) == (alg, "k-1", pair(alg).public)
    assert found.private is not None
    assert verifier(alg).verify(b"x", signer(alg, found.private).sign(b"x"))


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_public_jwk_has_no_private_half(alg):
    found = import_key(written(pair(alg).public))
    assert (found.alg, found.kid, found.public, found.private) == (alg, None, pair(alg).public, None)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES512", "EdDSA"])
def test_the_keys_of_the_rfcs_are_taken(alg):
    members, data, _ = VECTORS[alg]
    found = import_key(written(members), alg=alg if alg == "RS256" else None)
    assert found.alg == alg
    assert found.private is not None
    assert signer(alg, found.private).sign(data)


def test_the_published_secret_of_the_rfc_is_refused():
    with pytest.raises(WeakKey) as refused:
        import_key(written(VECTORS["HS256"][0]), alg="HS256")
    assert refused.value.code == "known_secret"


@pytest.mark.parametrize(
    ("alg", "given_alg", "settled"),
    [
        ("ES256", None, "ES256"),
        ("ES384", None, "ES384"),
        ("EdDSA", None, "EdDSA"),
        ("EdDSA", "Ed25519", "Ed25519"),
    ],
)
def test_a_jwk_without_alg_gets_the_one_of_its_curve(alg, given_alg, settled):
    members = {name: value for name, value in jwk(alg).items() if name != "alg"}
    assert import_key(written(members), alg=given_alg).alg == settled


@pytest.mark.parametrize(
    ("alg", "named"), [("RS256", "PS512"), ("HS256", "HS384"), ("ML-DSA-44", "ML-DSA-87")]
)
def test_a_jwk_that_does_not_settle_its_alg_is_refused_with_the_choice(alg, named):
    members = {name: value for name, value in jwk(alg).items() if name != "alg"}
    with pytest.raises(BadInput) as refused:
        import_key(written(members))
    assert named in refused.value.hint


@pytest.mark.parametrize("other", ["Ed25519", "ES256", "HS256"])
def test_the_alg_of_a_jwk_is_not_overruled(other):
    with pytest.raises(BadInput, match="alg"):
        import_key(written(jwk("EdDSA")), alg=other)


@pytest.mark.parametrize("alg", ["none", "ES256K", "RSA-OAEP", "A128KW", 7, None, ["ES256"], ""])
def test_a_jwk_of_another_alg_is_refused(alg):
    with pytest.raises(BadInput):
        import_key(written(jwk("ES256") | {"alg": alg}))


@pytest.mark.parametrize("kid", ["", "x" * 257, "ü", "a\nb", 7, None, ["k"]])
def test_a_kid_that_we_would_not_publish_is_refused(kid):
    with pytest.raises(BadInput):
        import_key(written(jwk("ES256") | {"kid": kid}))


@pytest.mark.parametrize(
    "use", [{"use": "enc"}, {"use": 1}, {"key_ops": ["encrypt"]}, {"key_ops": "sign"}, {"key_ops": [1]}]
)
def test_a_key_for_another_purpose_is_refused(use):
    with pytest.raises(BadInput, match=r"for signatures|key_ops"):
        import_key(written(jwk("ES256") | use))


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_private_members_of_another_key_are_refused(alg):
    theirs = private_jwk(alg, generate(alg, rsa_bits=2048).private)
    with pytest.raises(BadInput):
        import_key(written(theirs | (pair(alg).public or {})))


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi"])
def test_an_rsa_key_needs_every_private_member_and_each_is_checked(member):
    members = jwk("RS256")
    with pytest.raises(BadInput):
        import_key(written({name: value for name, value in members.items() if name != member}))
    number = int.from_bytes(unb64url(members[member]), "big")
    for weird in (number + 1, number + 2, number ^ 1 << 300, 1, 3):
        with pytest.raises(BadInput):
            import_key(written(members | {member: unsigned(weird)}))


def test_an_rsa_key_of_more_than_two_primes_is_refused():
    with pytest.raises(BadInput):
        import_key(written(jwk("RS256") | {"oth": [{"r": "Aw", "d": "Aw", "t": "Aw"}]}))


@pytest.mark.parametrize("scalar", [0, 2**256 - 1])
def test_an_ec_scalar_out_of_range_is_refused(scalar):
    with pytest.raises(BadInput):
        import_key(written(jwk("ES256") | {"d": b64url(scalar.to_bytes(32, "big"))}))


@pytest.mark.parametrize(
    ("alg", "member"), [("ES256", "d"), ("ES512", "d"), ("EdDSA", "d"), ("ML-DSA-65", "priv")]
)
def test_a_private_member_of_another_length_is_refused(alg, member):
    half = unb64url(jwk(alg)[member])
    for weird in (half[1:], b"\0" + half, half + b"\0", b""):
        with pytest.raises(BadInput):
            import_key(written(jwk(alg) | {member: b64url(weird)}))


@pytest.mark.parametrize(
    "text",
    [
        b'{"kty":"EC","kty":"EC"}',
        b'{"kty":"EC","\\u006bty":"EC"}',
        b"{",
        b"{}",
        b'{"keys":[]}',
        b'{"protected":"e30","ciphertext":"AA","iv":"AA","tag":"AA"}',
        b'{"kty":"oct"}',
        b'{"kty":7}',
        b'{"kty":"EC","crv":[]}',
        b'{"kty":"OKP","crv":"Ed448","x":"AA"}',
        b'{"a":NaN}',
        b'{"a":' * 40,
    ],
)
def test_json_that_is_not_one_jwk_is_refused_with_a_hint(text):
    with pytest.raises(BadInput) as refused:
        import_key(text)
    assert refused.value.hint


def test_duplicate_members_are_refused_even_if_alike():
    text = written(jwk("ES256"))
    with pytest.raises(BadInput) as refused:
        import_key(b'{"kty":"EC",' + text[1:])
    assert refused.value.code == "json_duplicate"


def test_a_jwk_has_no_password():
    with pytest.raises(BadInput, match="password"):
        import_key(written(jwk("ES256")), password=Secret(b"pw"))


@given(
    st.sampled_from(sorted(ALGS)),
    st.dictionaries(
        st.sampled_from(
            [
                "kty",
                "alg",
                "crv",
                "n",
                "e",
                "d",
                "p",
                "q",
                "dp",
                "dq",
                "qi",
                "x",
                "y",
                "k",
                "pub",
                "priv",
                "kid",
                "use",
                "key_ops",
                "oth",
            ]
        ),
        st.none()
        | st.integers()
        | st.text(max_size=40)
        | st.binary(max_size=60).map(b64url)
        | st.lists(st.text()),
        min_size=1,
        max_size=3,
    ),
)
def test_any_edit_of_a_private_jwk_is_taken_or_refused_by_name(alg, edit):
    try:
        found = import_key(written(jwk(alg) | edit))
    except BadInput:
        return
    assert found.alg in ALGS

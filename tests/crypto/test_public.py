from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.jwk import ALGS, PRIVATE_MEMBERS, b64url, unb64url
from jwturn.crypto.public import public_jwk, public_key
from jwturn.crypto.verify import verify_key
from tests.crypto.keys import ASYMMETRIC, pair

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3),
)


def public(alg: str) -> dict[str, Any]:
    made = pair(alg).public
    assert made is not None
    return dict(made)


def longer(text: str) -> str:
    return b64url(b"\0" + unb64url(text))


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_public_half_survives_the_round_trip(alg):
    assert public_jwk(alg, public_key(public(alg), alg=alg)) == public(alg)


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_set_member_with_kid_and_use_is_taken(alg):
    verify_key(public(alg) | {"kid": "k1", "use": "sig", "exp": 4102444800}, alg=alg)


@pytest.mark.parametrize("alg", ASYMMETRIC)
@pytest.mark.parametrize("member", sorted(PRIVATE_MEMBERS))
def test_a_private_member_in_a_public_jwk_is_refused(alg, member):
    with pytest.raises(BadInput) as refused:
        verify_key(public(alg) | {member: "AQAB"}, alg=alg)
    assert refused.value.code == "jwk_private"


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_jwk_of_another_alg_is_refused(alg):
    for other in ALGS:
        if other != alg:
            with pytest.raises(BadInput):
                verify_key(public(alg), alg=other)


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_every_member_is_needed_and_a_string(alg):
    for member in public(alg).keys() - {"alg"}:
        for weird in (None, 7, True, ["AQAB"], {"a": 1}, ""):
            with pytest.raises(BadInput):
                verify_key(public(alg) | {member: weird}, alg=alg)
        with pytest.raises(BadInput):
            verify_key({name: value for name, value in public(alg).items() if name != member}, alg=alg)


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_another_spelling_of_a_number_is_refused(alg):
    for member in public(alg).keys() - {"kty", "alg", "crv"}:
        text = public(alg)[member]
        for weird in (
            text + "=",
            text + "\n",
            " " + text,
            longer(text),
            text[:-1] + "*",
            text[:-4],
            text + "é",
        ):
            with pytest.raises(BadInput):
                verify_key(public(alg) | {member: weird}, alg=alg)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_a_point_off_the_curve_is_refused(alg):
    with pytest.raises(WeakKey):
        verify_key(public(alg) | {"y": public(alg)["x"]}, alg=alg)
    zero = b64url(bytes(len(unb64url(public(alg)["x"]))))
    with pytest.raises(WeakKey):
        verify_key(public(alg) | {"x": zero, "y": zero}, alg=alg)


def test_a_coordinate_beyond_the_field_is_refused():
    with pytest.raises(WeakKey):
        verify_key(public("ES256") | {"x": b64url(b"\xff" * 32)}, alg="ES256")


def test_a_secret_is_no_public_key():
    with pytest.raises(BadInput):
        verify_key({"kty": "oct", "alg": "HS256"}, alg="HS256")


@given(
    st.sampled_from(sorted(ASYMMETRIC)),
    st.dictionaries(st.sampled_from(["kty", "alg", "crv", "n", "e", "x", "y", "pub"]), JSON),
)
def test_any_edit_of_a_jwk_is_taken_or_refused_by_name(alg, edit):
    try:
        key = verify_key(public(alg) | edit, alg=alg)
    except BadInput:
        return
    assert key.alg == alg

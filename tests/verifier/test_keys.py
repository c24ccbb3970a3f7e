"""A set becomes key objects once, keys that stayed are taken over, and one bad key is not the whole set."""

import json
from typing import Any

import pytest

from jwturn.core.errors import BadInput, TooLarge
from jwturn.core.jwk import SET_BYTES_MAX, RefusedKey, b64url, thumbprint
from jwturn.core.jwks_cache import PINS_MAX
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import signer
from jwturn.verifier.keys import Opened, open_set
from tests.verifier.issuer import Issuer

ISSUER = Issuer("a", "b", "c")
DATA = b"data"


def opened(*keys: dict[str, Any], before: Opened | None = None, **options: Any) -> Opened:
    body = json.dumps({"keys": keys}).encode()
    return open_set(body, **options) if before is None else open_set(body, before=before, **options)


def jwk(kid: str, /, **members: Any) -> dict[str, Any]:
    return ISSUER.jwk(kid, **members)


def test_keys_that_stayed_are_taken_over() -> None:
    first = opened(jwk("a"), jwk("b"))
    second = opened(jwk("b"), jwk("c"), before=first)
    assert set(second.keys) == {"b", "c"}
    assert second.keys["b"] is first.keys["b"]


def test_a_key_without_kid_is_known_by_its_thumbprint() -> None:
    found = opened(jwk("a", kid=...))
    assert list(found.keys) == [thumbprint(jwk("a"))]


def test_new_material_under_an_old_kid_is_refused_with_an_alarm_and_the_old_is_taken_back() -> None:
    first = opened(jwk("a"), jwk("b"))
    second = opened(jwk("c", kid="a"), jwk("b"), before=first)
    assert list(second.keys) == ["b"]
    assert second.refused == (RefusedKey("a", "jwk_changed"),)
    assert second.refused[0].alarm
    assert set(opened(jwk("a"), jwk("b"), before=second).keys) == {"a", "b"}


def test_a_kid_that_left_may_not_come_back_as_another_key() -> None:
    gone = opened(jwk("b"), before=opened(jwk("a"), jwk("b")))
    assert list(opened(jwk("c", kid="a"), jwk("b"), before=gone).keys) == ["b"]


def test_another_alg_under_an_old_kid_is_another_key() -> None:
    made = generate("EdDSA").public
    assert made is not None
    first = opened({**made, "kid": "a", "alg": "EdDSA"}, jwk("b"))
    second = opened({**made, "kid": "a", "alg": "Ed25519"}, jwk("b"), before=first)
    assert second.refused == (RefusedKey("a", "jwk_changed"),)


def test_a_set_of_changed_keys_alone_is_no_set_and_names_them() -> None:
    with pytest.raises(BadInput) as caught:
        opened(jwk("c", kid="a"), before=opened(jwk("a")))
    assert caught.value.code == "jwks_empty"
    assert "jwk_changed" in caught.value.message
    assert caught.value.details["refused"] == (RefusedKey("a", "jwk_changed"),)


@pytest.mark.parametrize("turned", [False, True])
def test_a_kid_that_is_the_thumbprint_of_a_key_without_one_is_there_twice(turned: bool) -> None:
    twice = [jwk("a", kid=...), jwk("b", kid=thumbprint(jwk("a")))]
    found = opened(*(reversed(twice) if turned else twice), jwk("c"))
    assert list(found.keys) == ["c"]
    assert found.refused == (RefusedKey(thumbprint(jwk("a")), "jwk_duplicate_kid"),)


def test_more_keys_than_are_pinned_still_make_a_set_and_none_of_them_is_taken_over_unseen() -> None:
    points = [generate("EdDSA").public or {} for _ in range(3)]
    many = [{**points[0], "kid": f"k{number}"} for number in range(PINS_MAX + 1)]
    first = opened(*many)
    assert len(first.keys) == PINS_MAX + 1
    assert "k0" not in first.pins
    second = opened({**points[1], "kid": "k0"}, *many[1:], before=first)
    assert second.keys["k0"] is not first.keys["k0"]
    assert second.keys["k1"] is first.keys["k1"]


def test_a_weak_key_beside_good_ones_is_passed_over() -> None:
    small_order = {"kty": "OKP", "crv": "Ed25519", "x": b64url(b"\x01" + bytes(31)), "kid": "weak"}
    found = opened(small_order, jwk("a"))
    assert list(found.keys) == ["a"]
    assert [refused.kid for refused in found.refused] == ["weak"]


def test_the_message_of_a_set_without_a_usable_key_is_short() -> None:
    small_order = {"kty": "OKP", "crv": "Ed25519", "x": b64url(b"\x01" + bytes(31))}
    with pytest.raises(BadInput) as caught:
        opened(*({**small_order, "kid": f"weak{number}"} for number in range(500)))
    assert caught.value.code == "jwks_empty"
    assert len(caught.value.message) < 1000


def test_the_published_exp_of_a_key_bounds_its_tokens() -> None:
    assert opened(jwk("a", exp=5), jwk("b")).exp_bounds == {"a": 5}


def test_a_set_above_its_size_is_refused() -> None:
    with pytest.raises(TooLarge):
        open_set(b" " * (SET_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("algorithms", "alg"),
    [(None, None), ({"RS256"}, "RS256"), ({"PS512", "ES256"}, "PS512"), ({"RS256", "PS256"}, None)],
)
def test_an_rsa_key_without_alg_has_one_only_if_one_is_named(algorithms: Any, alg: str | None) -> None:
    made = generate("RS256", rsa_bits=2048).public
    assert made is not None
    bare = {name: made[name] for name in ("kty", "n", "e")} | {"kid": "r"}
    found = opened(bare, jwk("a"), algorithms=algorithms)
    assert (found.keys["r"].alg if "r" in found.keys else None) == alg


@pytest.mark.parametrize(
    ("algorithms", "alg"), [(None, "EdDSA"), ({"Ed25519"}, "Ed25519"), ({"EdDSA"}, "EdDSA")]
)
def test_an_okp_key_without_alg_is_spelt_as_the_algorithms_spell_it(algorithms: Any, alg: str) -> None:
    made = generate("EdDSA")
    bare = {name: (made.public or {})[name] for name in ("kty", "crv", "x")} | {"kid": "o"}
    key = opened(bare, algorithms=algorithms).keys["o"]
    assert key.alg == alg
    assert key.verify(DATA, signer("EdDSA", made.private).sign(DATA))

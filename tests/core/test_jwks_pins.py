"""A kid names one key and one alg for ever (SECURITY.md 7)."""

from jwturn.core.jwk import Jwk, RefusedKey, b64url
from jwturn.core.jwks_cache import (
    PINS_MAX,
    pin,
)

ONE, TWO, OTHER = (b64url(bytes([number]) * 32) for number in range(3))


def jwk(kid: str | None, x: str, alg: str = "EdDSA") -> Jwk:
    return Jwk(kid, alg, {"kty": "OKP", "crv": "Ed25519", "x": x}, None)


class TestPins:
    def test_a_kid_keeps_its_material(self) -> None:
        good, refused, pins = pin({}, [jwk("a", ONE), jwk("b", TWO)])
        assert [key.kid for key in good] == ["a", "b"]
        assert refused == ()
        good, refused, pins = pin(pins, [jwk("a", OTHER), jwk("b", TWO)])
        assert [key.kid for key in good] == ["b"]
        assert refused == (RefusedKey("a", "jwk_changed"),)
        assert refused[0].alarm
        good, refused, _ = pin(pins, [jwk("a", ONE)])
        assert [key.kid for key in good] == ["a"]
        assert refused == ()

    def test_a_kid_keeps_its_alg(self) -> None:
        _, _, pins = pin({}, [jwk("a", ONE)])
        assert pin(pins, [jwk("a", ONE, "Ed25519")])[1] == (RefusedKey("a", "jwk_changed"),)

    def test_a_kid_that_left_the_set_is_remembered(self) -> None:
        pins = pin(pin({}, [jwk("a", ONE)])[2], [jwk("b", TWO)])[2]
        assert pin(pins, [jwk("a", OTHER)])[0] == ()

    def test_a_kid_that_two_keys_claim_is_the_first_ones(self) -> None:
        good, refused, _ = pin({}, [jwk("a", ONE), jwk("a", TWO)])
        assert [key.public["x"] for key in good] == [ONE]
        assert refused == (RefusedKey("a", "jwk_changed"),)

    def test_they_are_bounded_and_those_seen_last_stay(self) -> None:
        _, _, pins = pin({}, [jwk(f"k{count}", ONE) for count in range(PINS_MAX)])
        _, _, pins = pin(pins, [jwk("k0", ONE), jwk("new", ONE)])
        assert len(pins) == PINS_MAX
        assert "k1" not in pins
        assert {"k0", "new", "k2"} <= pins.keys()

"""HMAC: RFC 4231 sections 4.7 and 4.8, whose keys are long enough for us, and tags that are cut."""

from typing import Final

import pytest

from jwturn.core.errors import WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import hmac_key

KEY: Final = b"\xaa" * 131
FIRST: Final = b"Test Using Larger Than Block-Size Key - Hash Key First"
SECOND: Final = (
    b"This is a test using a larger than block-size key and a larger than block-size data. "
    b"The key needs to be hashed before being used by the HMAC algorithm."
)
TAGS: Final = {
    ("HS256", FIRST): "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ("HS256", SECOND): "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ("HS384", FIRST): (
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952"
    ),
    ("HS384", SECOND): (
        "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e"
    ),
    ("HS512", FIRST): (
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
    ),
    ("HS512", SECOND): (
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
        "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"
    ),
}


@pytest.mark.parametrize(("alg", "data"), TAGS)
def test_the_tags_of_rfc4231_are_made_and_hold(alg: str, data: bytes) -> None:
    tag = bytes.fromhex(TAGS[alg, data])
    assert signer(alg, Secret(KEY)).sign(data) == tag
    assert hmac_key(alg, Secret(KEY)).verify(data, tag)
    assert not hmac_key(alg, Secret(KEY)).verify(data + b" ", tag)
    assert not hmac_key(alg, Secret(KEY + b"\xaa")).verify(data, tag)


@pytest.mark.parametrize(("alg", "data"), TAGS)
def test_a_tag_that_is_cut_or_stretched_is_refused(alg: str, data: bytes) -> None:
    """RFC 4231 section 4.6 cuts tags to 128 bits; RFC 7518 section 3.2 does not know that."""
    key, tag = hmac_key(alg, Secret(KEY)), bytes.fromhex(TAGS[alg, data])
    for size in range(len(tag)):
        assert not key.verify(data, tag[:size])
    for other in (tag + b"\0", tag + tag[:1], b"\0" + tag, tag + tag, tag.hex().encode()):
        assert not key.verify(data, other)


@pytest.mark.parametrize(("alg", "data"), TAGS)
def test_every_bit_of_a_tag_counts(alg: str, data: bytes) -> None:
    key, tag = hmac_key(alg, Secret(KEY)), bytes.fromhex(TAGS[alg, data])
    for bit in range(8 * len(tag)):
        flipped = bytearray(tag)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not key.verify(data, bytes(flipped))


@pytest.mark.parametrize("key", [b"\x0b" * 20, b"Jefe", b"\xaa" * 20, bytes(range(1, 26))])
def test_the_shorter_keys_of_rfc4231_are_refused(key: bytes) -> None:
    for alg in ("HS256", "HS384", "HS512"):
        with pytest.raises(WeakKey):
            hmac_key(alg, Secret(key))


@pytest.mark.parametrize("size", [64, 65, 127, 128, 129, 200])
def test_zeros_behind_a_key_that_fills_its_block_make_another_key(size: int) -> None:
    """HMAC pads a short key with zeros, so two keys below the block size can be one; a full block is one."""
    secret = bytes(range(1, 200))[:size].ljust(size, b"\x01")
    tag = signer("HS256", Secret(secret)).sign(b"data")
    assert not hmac_key("HS256", Secret(secret + b"\0")).verify(b"data", tag)

"""Ed25519 at its edges: the cases of Wycheproof's ed25519_test, and what two verifiers may disagree about."""

import itertools
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwturn.core.jwk import b64url
from jwturn.core.secret import Secret
from jwturn.crypto.private import private_key
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import VerifyKey, verify_key
from tests.security import mint
from tests.vectors import edwards
from tests.vectors.edwards import L, P

WYCHEPROOF_KEY: Final = "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa"
WYCHEPROOF_VALID: Final = {
    "": (
        "d4fbdb52bfa726b44d1786a8c0d171c3e62ca83c9e5bbe63de0bb2483f8fd6cc"
        "1429ab72cafc41ab56af02ff8fcc43b99bfe4c7ae940f60f38ebaa9d311c4007"
    ),
    "78": (
        "d80737358ede548acb173ef7e0399f83392fe8125b2ce877de7975d8b726ef5b"
        "1e76632280ee38afad12125ea44b961bf92f1178c9fa819d020869975bcbe109"
    ),
    "54657374": (
        "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0"
        "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d"
    ),
    "313233343030": (
        "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2b"
        "f0cf5b3a289976458a1be6277a5055545253b45b07dcc1abd96c8b989c00f301"
    ),
    "ffffffffffffffffffffffffffffffff": (
        "5dbd7360e55aa38e855d6ad48c34bd35b7871628508906861a7c4776765ed7d1"
        "e13d910faabd689ec8618b78295c8ab8f0e19c8b4b43eb8685778499e943ae04"
    ),
}


def key_of(public: bytes) -> VerifyKey:
    return verify_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(public)}, alg="EdDSA")


WYCHEPROOF: Final = key_of(bytes.fromhex(WYCHEPROOF_KEY))


@pytest.mark.parametrize("message", WYCHEPROOF_VALID)
def test_valid_signatures_are_accepted_whole_only(message: str) -> None:
    data, signature = bytes.fromhex(message), bytes.fromhex(WYCHEPROOF_VALID[message])
    assert WYCHEPROOF.verify(data, signature)
    for other in (
        signature[:-1],
        signature[:32],
        signature + b"\0",
        signature[:-1] + b"\0\0",
        b"",
        signature[1:],
    ):
        assert not WYCHEPROOF.verify(data, other)
    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not WYCHEPROOF.verify(data, bytes(flipped))


def test_special_values_of_r_and_s_are_refused() -> None:
    values = (0, 1, 2, L - 1, L, L + 1, P - 1, P, P + 1, 2**252, 2**253, 2**255 - 1, 2**256 - 1)
    for r, s in itertools.product(values, values):
        signature = r.to_bytes(32, "little") + s.to_bytes(32, "little")
        assert not WYCHEPROOF.verify(b"\x3f", signature), (r, s)


@pytest.mark.parametrize("message", WYCHEPROOF_VALID)
def test_s_has_one_value(message: str) -> None:
    """RFC 8032 section 5.1.7: S is below L, or a signature has sixteen spellings."""
    data, signature = bytes.fromhex(message), bytes.fromhex(WYCHEPROOF_VALID[message])
    s = int.from_bytes(signature[32:], "little")
    for times in range(1, 16):
        if s + times * L < 2**256:
            assert not WYCHEPROOF.verify(data, signature[:32] + (s + times * L).to_bytes(32, "little"))


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_our_signatures_are_those_of_the_formulas(seed: bytes, data: bytes) -> None:
    public = edwards.encode(edwards.times(edwards.expanded(seed)[0], edwards.B))
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    signature = signer("EdDSA", Secret(der)).sign(data)
    assert signature == edwards.sign(seed, data)
    assert key_of(public).verify(data, signature)


def our_seed() -> bytes:
    return private_key("EdDSA", mint.private("EdDSA")).private_bytes_raw()  # type: ignore[union-attr]  # Ed25519


def test_r_of_small_order_is_taken_in_its_one_encoding_only() -> None:
    """Only the owner of the key can make such a signature; what counts is that it has no second spelling."""
    key = mint.keys()[mint.kid("EdDSA")]
    data = b"data"
    neutral = edwards.encode(edwards.NEUTRAL)
    key.verify(data, edwards.with_r(our_seed(), data, neutral))
    for y, sign in ((1, 1), (P + 1, 0), (P + 1, 1)):
        assert not key.verify(data, edwards.with_r(our_seed(), data, edwards.encoded(y, sign)))


@pytest.mark.parametrize("order", range(1, 8))
def test_a_component_of_small_order_in_r_is_refused(order: int) -> None:
    """A verifier that multiplies by the cofactor accepts it, one that does not refuses: ours refuses."""
    key = mint.keys()[mint.kid("EdDSA")]
    shifted = edwards.sign(our_seed(), b"data", shift=edwards.small_order()[order])
    assert not key.verify(b"data", shifted)


@pytest.mark.parametrize("context", [b"", b"x", b"JWT", b"c" * 255])
def test_a_signature_for_a_context_or_a_digest_is_refused(context: bytes) -> None:
    key = mint.keys()[mint.kid("EdDSA")]
    for flag in (0, 1):
        assert not key.verify(b"data", edwards.sign(our_seed(), b"data", domain=edwards.dom2(flag, context)))

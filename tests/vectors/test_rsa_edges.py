"""RSA at its edges (RFC 8017): zeros that belong to a signature, and why e = 3 is refused."""

import hashlib
import json
from typing import Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.jwk import parse_set
from jwturn.crypto.import_ import import_key
from jwturn.crypto.public import unsigned
from jwturn.crypto.verify import verify_key
from tests.security import forged_rsa, mint

TRIES: Final = 5000
"""One signature in 256 begins with a zero byte; that 5000 in a row do not is less likely than 2**-28."""


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_a_leading_zero_belongs_to_the_signature(alg: str) -> None:
    key = mint.keys()[mint.kid(alg)]
    data, signature = next(
        (text, made)
        for text in (str(n).encode() for n in range(TRIES))
        if (made := mint.sign(alg, text))[0] == 0
    )
    assert len(signature) == 256
    assert key.verify(data, signature)
    for other in (signature[1:], b"\0" + signature, signature[1:] + b"\0"):
        assert not key.verify(data, other)


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_the_paddings_are_refused_for_what_is_wrong_in_them_and_for_nothing_else(bits: int) -> None:
    """The same way of making them gives a signature that holds, if the padding is right."""
    key = mint.keys()[mint.kid(f"RS{bits}")]
    data = b"data"
    info = forged_rsa.digest_info(f"sha{bits}", hashlib.new(f"sha{bits}", data).digest())
    assert key.verify(data, forged_rsa.raw(forged_rsa.block(info)))
    wrong = forged_rsa.pkcs1_blocks(f"sha{bits}", data)
    assert len(wrong) > 30
    assert [name for name, block in wrong.items() if key.verify(data, forged_rsa.raw(block))] == []


def cube_root(value: int) -> int:
    """The largest integer whose cube is not above the value."""
    low, high = 0, 1 << (value.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low


def test_e_3_is_refused_because_anybody_forges_for_a_lax_reader_of_the_padding() -> None:
    """CVE-2006-4339: no private key is used here, and the block begins as a good one does."""
    n = forged_rsa.numbers_of().public_numbers.n
    info = forged_rsa.digest_info("sha256", hashlib.sha256(b"data").digest())
    front = b"\x00\x01" + b"\xff" * 8 + b"\0" + info
    signature = cube_root(int.from_bytes(front + b"\xff" * (256 - len(front)), "big"))
    block = pow(signature, 3, n).to_bytes(256, "big")
    assert block.startswith(front)
    jwk = {"kty": "RSA", "n": unsigned(n), "e": unsigned(3)}
    for make in (
        lambda: verify_key(jwk, alg="RS256"),
        lambda: import_key(json.dumps(jwk).encode(), alg="RS256"),
    ):
        with pytest.raises(WeakKey):
            make()
    for alg in ("RS256", "RS384", "PS256"):
        assert not mint.keys()[mint.kid(alg)].verify(b"data", signature.to_bytes(256, "big"))


@pytest.mark.parametrize("e", [3, 5, 17, 257])
def test_a_key_with_a_small_exponent_is_refused_though_its_signatures_hold(e: int) -> None:
    if e in {5, 17, 257}:
        n = forged_rsa.numbers_of().public_numbers.n
        with pytest.raises(WeakKey):
            verify_key({"kty": "RSA", "n": unsigned(n), "e": unsigned(e)}, alg="PS256")
        return
    key = rsa.generate_private_key(3, 2048)
    numbers = key.public_key().public_numbers()
    signature = key.sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    key.public_key().verify(signature, b"data", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(WeakKey):
        verify_key({"kty": "RSA", "n": unsigned(numbers.n), "e": unsigned(3)}, alg="RS256")


def test_a_weak_key_of_a_set_is_read_and_then_not_used() -> None:
    """A set is read without any cryptography; its keys are judged when they are made."""
    jwk = {"kty": "RSA", "n": unsigned(forged_rsa.numbers_of().public_numbers.n), "e": unsigned(3)}
    found = parse_set(json.dumps({"keys": [jwk | {"kid": "a", "alg": "RS256"}]}).encode())
    for key in found.keys:
        with pytest.raises(BadInput):
            verify_key(key.public, alg=key.alg)


@pytest.mark.parametrize("salt", [0, 1, 20, 31, 33, 48, 64, 222])
def test_a_salt_of_another_length_is_refused(salt: int) -> None:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    signature = forged_rsa.key().sign(b"data", scheme, hashes.SHA256())
    assert not mint.keys()[mint.kid("PS256")].verify(b"data", signature)
    exact = forged_rsa.key().sign(b"data", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert mint.keys()[mint.kid("PS256")].verify(b"data", exact)

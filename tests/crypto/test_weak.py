import random
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import WeakKey
from jwturn.core.jwk import b64url, unb64url
from jwturn.crypto.import_ import import_key
from jwturn.crypto.private import pkcs8
from jwturn.crypto.public import unsigned
from jwturn.crypto.verify import verify_key
from jwturn.crypto.weak import check_ed25519, check_rsa, is_roca
from tests.crypto.keys import pair

P = 2**255 - 19
PRIMES = [n for n in range(2, 168) if all(n % divisor for divisor in range(2, n))]


def small_order_points() -> list[bytes]:
    """The eight points, from the equation: y of order 1, 2, 4, 4, and the roots of d y^4 + 2 y^2 - 1 = 0."""
    d = -121665 * pow(121666, -1, P) % P
    root = next(r for r in (square_root(1 + d), -square_root(1 + d)) if is_square((r - 1) * pow(d, -1, P)))
    eighth = square_root((root - 1) * pow(d, -1, P))
    found = [1, P - 1, 0, 1 << 255]
    found += [y | sign << 255 for y in (eighth, P - eighth) for sign in (0, 1)]
    return [y.to_bytes(32, "little") for y in found]


def is_square(number: int) -> bool:
    return pow(number % P, (P - 1) // 2, P) == 1


def square_root(number: int) -> int:
    number %= P
    root = pow(number, (P + 3) // 8, P)
    if root * root % P != number:
        root = root * pow(2, (P - 1) // 4, P) % P
    assert root * root % P == number
    return root


@cache
def roca_key() -> rsa.RSAPrivateKey:
    """A key as the library of CVE-2017-15361 made them: primes k * M + (65537**a mod M)."""
    draw = random.Random(2017)
    product = 1
    for prime in PRIMES:
        product *= prime

    def a_prime() -> int:
        while True:
            found = draw.getrandbits(805) * product + pow(65537, draw.getrandbits(60), product)
            if found >> 1022 and found.bit_length() == 1024 and pow(2, found - 1, found) == 1:
                return found

    while True:
        p, q = a_prime(), a_prime()
        if p != q and (p * q).bit_length() == 2048 and all((r - 1) % 65537 for r in (p, q)):
            break
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def rsa_jwk(n: int, e: int) -> dict[str, str]:
    return {"kty": "RSA", "n": unsigned(n), "e": unsigned(e)}


def good_modulus() -> int:
    public = pair("RS256").public
    assert public is not None
    return int.from_bytes(unb64url(public["n"]), "big")


def test_a_roca_modulus_is_refused():
    n = roca_key().public_key().public_numbers().n
    assert is_roca(n)
    with pytest.raises(WeakKey, match="CVE-2017-15361"):
        verify_key(rsa_jwk(n, 65537), alg="RS256")


def test_a_roca_key_is_not_imported():
    with pytest.raises(WeakKey, match="CVE-2017-15361") as refused:
        import_key(pkcs8(roca_key()).reveal(), alg="RS256")
    assert "withdraw" in refused.value.hint


@given(st.integers(2**2047, 2**2048 - 1).map(lambda n: n | 1))
def test_random_moduli_do_not_have_the_roca_fingerprint(n):
    assert not is_roca(n)


@pytest.mark.parametrize("bits", [512, 1024, 2047, 8193, 16384])
def test_rsa_of_other_sizes_is_refused(bits):
    with pytest.raises(WeakKey, match=str(bits)):
        check_rsa((1 << (bits - 1)) + 1, 65537)


@pytest.mark.parametrize("e", [0, 1, 2, 3, 17, 65535, 65536, 65538, 2**32, 2**32 + 1, 2**64 + 1])
def test_other_rsa_exponents_are_refused(e):
    with pytest.raises(WeakKey, match="exponent"):
        check_rsa(good_modulus(), e)


@pytest.mark.parametrize("e", [65537, 65539, 2**32 - 1])
def test_odd_rsa_exponents_in_range_are_taken(e):
    check_rsa(good_modulus(), e)


@pytest.mark.parametrize("factor", [2, 3, 5, 167])
def test_a_modulus_with_a_small_factor_is_refused(factor):
    with pytest.raises(WeakKey, match="factor"):
        check_rsa(good_modulus() // factor * factor * 2**8, 65537)


@pytest.mark.parametrize("n", range(8))
def test_the_small_order_points_are_refused(n):
    point = small_order_points()[n]
    with pytest.raises(WeakKey, match="small order"):
        verify_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(point)}, alg="EdDSA")


def test_there_are_eight_small_order_points():
    assert len(set(small_order_points())) == 8


def test_the_library_alone_would_trust_one_signature_for_any_message_under_a_small_order_key():
    neutral = (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"any message")


@pytest.mark.parametrize("y", [P, P + 1, P + 3, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_a_y_that_is_not_canonical_is_refused(y, sign):
    with pytest.raises(WeakKey, match="canonical"):
        check_ed25519((y | sign << 255).to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_ed25519_keys_have_32_bytes(size):
    with pytest.raises(WeakKey):
        check_ed25519(b"\x09" * size)


@given(st.binary(min_size=32, max_size=32))
def test_bytes_are_a_point_or_are_refused(data):
    y = int.from_bytes(data, "little") & (2**255 - 1)
    d = -121665 * pow(121666, -1, P) % P
    on_curve = y < P and is_square((y * y - 1) * pow(d * y * y + 1, -1, P))
    if on_curve and data not in small_order_points():
        check_ed25519(data)
    else:
        with pytest.raises(WeakKey):
            check_ed25519(data)


@given(st.binary(min_size=32, max_size=32))
def test_every_honest_ed25519_key_is_taken(seed):
    check_ed25519(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())

"""SECURITY.md section 5, row by row: what a signature and a key must be."""

import json
import random
from math import prod

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.jwk import b64url, unb64url
from jwturn.crypto.import_ import import_key
from jwturn.crypto.public import unsigned
from jwturn.crypto.verify import verify_key
from tests.security import forged, forged_rsa, forged_signatures, mint
from tests.security.court import judged
from tests.tidy.test_secrets import guarded, leaky_comparisons
from tests.tidy.tree import parsed
from tests.vectors import curves, edwards

SIZES = {"ES256": 64, "ES384": 96, "ES512": 132}
PRIMES = [n for n in range(2, 168) if all(n % divisor for divisor in range(2, n))]


@pytest.mark.parametrize(("alg", "size"), SIZES.items())
def test_ecdsa_signatures_have_one_length(alg: str, size: int) -> None:
    good = mint.sign(alg, mint.signing_input(alg).encode())
    assert len(good) == size
    for other in {*range(1, 150), 256, 1000} - {size}:
        for forgery in (good[:other].ljust(other, b"\0"), good.rjust(other, b"\0")[-other:], b"\x01" * other):
            assert judged(mint.with_signature(alg, forgery)) == "signature_wrong"


def test_ecdsa_signatures_have_one_length_in_one_encoding() -> None:
    assert forged.complaints(forged_signatures.shapes) == []
    assert forged.complaints(forged_signatures.ecdsa, only="DER") == []


def test_r_and_s_are_in_range() -> None:
    """CVE-2022-21449: (0, 0) was a signature of everything."""
    assert forged.complaints(forged_signatures.ecdsa) == []
    assert forged.complaints(forged_signatures.other_texts) == []


@pytest.mark.parametrize("alg", mint.EC)
def test_a_signature_is_no_identity(alg: str) -> None:
    """(r, n - s) verifies too (RFC 7518 leaves it so): two tokens, one set of claims, one jti."""
    curve = curves.CURVES[alg]
    token = mint.token(alg)
    raw = unb64url(token.split(".")[2])
    r, s = int.from_bytes(raw[: curve.size], "big"), int.from_bytes(raw[curve.size :], "big")
    other = mint.with_signature(alg, curves.join(curve, r, curve.n - s))
    assert other != token
    assert judged(token) == judged(other) == ""


def ed25519_jwk(raw: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw), "kid": "k"}


def refused_everywhere(jwk: dict[str, str], alg: str) -> bool:
    """Whether both ways in refuse the key: as one of a set, and from a file."""
    found = []
    public = {name: value for name, value in jwk.items() if name != "kid"}
    for make in (lambda: verify_key(public, alg=alg), lambda: import_key(json.dumps(jwk).encode(), alg=alg)):
        try:
            make()
            found.append(False)
        except BadInput as refused:
            assert refused.hint
            found.append(True)
    assert len(set(found)) == 1
    return found[0]


@pytest.mark.parametrize("order", range(8))
@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_ed25519_points_of_small_order_are_refused(alg: str, order: int) -> None:
    point = edwards.small_order()[order]
    assert refused_everywhere(ed25519_jwk(edwards.encode(point)), alg)
    for y in (point[1], point[1] + edwards.P):
        for sign in (0, 1):
            if y < 2**255:
                assert refused_everywhere(ed25519_jwk(edwards.encoded(y, sign)), alg)


def test_ed25519_points_of_small_order_are_refused_because_one_signature_fits_any_message() -> None:
    neutral = edwards.encode(edwards.NEUTRAL)
    always = neutral + bytes(32)
    for message in (b"", b"a", b"anything"):
        Ed25519PublicKey.from_public_bytes(neutral).verify(always, message)


def test_ed25519_keys_are_canonical() -> None:
    for y in range(edwards.P, 2**255):
        for sign in (0, 1):
            assert refused_everywhere(ed25519_jwk(edwards.encoded(y, sign)), "EdDSA")
    for y in (y for y in range(2, 60) if edwards.x_of(y, 0) is None):
        assert refused_everywhere(ed25519_jwk(edwards.encoded(y, 0)), "EdDSA")
    for size in (0, 1, 31, 33, 57, 64):
        assert refused_everywhere(ed25519_jwk(b"\x09" * size), "EdDSA")


def test_ed25519_keys_are_canonical_and_every_good_one_is_taken() -> None:
    good = [y for y in range(2, 60) if edwards.x_of(y, 0) is not None]
    assert len(good) > 20
    for y in good:
        for sign in (0, 1):
            assert not refused_everywhere(ed25519_jwk(edwards.encoded(y, sign)), "EdDSA")


def test_ed25519_keys_are_canonical_and_their_signatures_too() -> None:
    assert forged.complaints(forged_signatures.eddsa) == []


def odd_number(bits: int, seed: int = 0) -> int:
    """A number of just so many bits without small factors: what looks like a modulus."""
    draw = random.Random(seed)
    while True:
        n = draw.getrandbits(bits) | 1 | 1 << (bits - 1)
        if all(n % prime for prime in PRIMES):
            return n


def rsa_jwk(n: int, e: int) -> dict[str, str]:
    return {"kty": "RSA", "n": unsigned(n), "e": unsigned(e), "kid": "k"}


@pytest.mark.parametrize("bits", [512, 768, 1023, 1024, 1536, 2040, 2047, 8193, 8200, 16_384])
def test_rsa_keys_are_of_good_sizes(bits: int) -> None:
    for alg in ("RS256", "PS512"):
        assert refused_everywhere(rsa_jwk(odd_number(bits), 65537), alg)


@pytest.mark.parametrize("bits", [2048, 2049, 3072, 4096, 8191, 8192])
def test_rsa_keys_are_of_good_sizes_and_those_are_taken(bits: int) -> None:
    assert not refused_everywhere(rsa_jwk(odd_number(bits), 65537), "RS256")


@pytest.mark.parametrize(
    ("e", "taken"),
    [
        *((e, False) for e in (1, 2, 3, 5, 17, 257, 65535, 65536, 65538, 2**32 - 2, 2**32, 2**32 + 1)),
        *((e, False) for e in (2**33 + 1, 2**64 + 1, 2**2047 + 1)),
        *((e, True) for e in (65537, 65539, 2**31 + 1, 2**32 - 1)),
    ],
)
def test_rsa_keys_are_of_good_sizes_in_e_too(e: int, taken: bool) -> None:
    """An e of 3 makes forgeries of a lax padding cheap, one of 1 makes any block a signature."""
    assert refused_everywhere(rsa_jwk(odd_number(2048), e), "RS256") is not taken


def roca_modulus(seed: int) -> int:
    """A modulus with the fingerprint: a power of 65537 modulo each of the first primes."""
    draw = random.Random(seed)
    product = prod(PRIMES)
    while True:
        n = draw.getrandbits(2048 - product.bit_length()) * product + pow(
            65537, draw.getrandbits(60), product
        )
        if n.bit_length() == 2048:
            return n


def test_rsa_keys_of_weak_forms_are_refused() -> None:
    n = odd_number(2048)
    for weak in (n - 1, n + 1, n & ~1, 1 << 2047):
        assert refused_everywhere(rsa_jwk(weak, 65537), "RS256")
    for prime in PRIMES:
        multiple = odd_number(2048 - prime.bit_length() + 1) * prime
        if multiple.bit_length() >= 2048:
            assert refused_everywhere(rsa_jwk(multiple, 65537), "RS256"), prime


@pytest.mark.parametrize("seed", range(20))
def test_rsa_keys_of_weak_forms_are_refused_as_roca(seed: int) -> None:
    with pytest.raises(WeakKey, match="ROCA"):
        verify_key(rsa_jwk(roca_modulus(seed), 65537), alg="RS256")
    assert not refused_everywhere(rsa_jwk(odd_number(2048, seed), 65537), "RS256")


def test_rsa_keys_of_weak_forms_are_refused_in_other_spellings() -> None:
    good = mint.public("RS256")
    zero = b64url(b"\0" + unb64url(good["n"]))
    for changed in (
        {"n": zero},
        {"e": "AAEAAQ"},
        {"e": "AQAB="},
        {"n": good["n"] + "="},
        {"n": ""},
        {"e": ""},
    ):
        assert refused_everywhere(good | changed, "RS256")


def test_the_pss_salt_is_as_long_as_the_hash() -> None:
    assert forged.complaints(forged_rsa.pss) == []


def test_an_rsa_signature_is_as_long_as_the_modulus() -> None:
    """RFC 8017 section 8: not stated in SECURITY.md, and what OpenSSL does not check for PSS."""
    assert forged.complaints(forged_rsa.short) == []
    assert forged.complaints(forged_rsa.numbers) == []
    assert forged.complaints(forged_rsa.pkcs1) == []


def test_tags_are_compared_in_constant_time() -> None:
    """The lint of tests/tidy reads the rooms that hold secrets; the tags themselves are whole or refused."""
    names = {path.name for path in guarded()}
    assert {"verify.py", "mac.py", "seal.py"} <= names
    assert [found for path in guarded() for found in leaky_comparisons(parsed(path))] == []
    assert forged.complaints(forged_signatures.hmacs) == []
    assert forged.complaints(forged_signatures.ml_dsa) == []

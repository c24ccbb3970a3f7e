import hashlib
import hmac
import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.jwk import ALGS, unb64url
from jwturn.core.secret import Secret
from jwturn.crypto import verify as verify_module
from jwturn.crypto.algorithms import Ecdsa, algorithm
from jwturn.crypto.import_jwk import halves
from jwturn.crypto.mac import mac
from jwturn.crypto.private import pkcs8
from jwturn.crypto.public import public_jwk
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import hmac_key, verify_key
from tests.crypto.keys import ASYMMETRIC, SYMMETRIC, pair, verifier
from tests.crypto.rfc_vectors import VECTORS

SIZES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), 256),
    "ES256": 64,
    "ES384": 96,
    "ES512": 132,
    "EdDSA": 64,
    "Ed25519": 64,
    "HS256": 32,
    "HS384": 48,
    "HS512": 64,
    "ML-DSA-44": 2420,
    "ML-DSA-65": 3309,
    "ML-DSA-87": 4627,
}


@pytest.mark.parametrize("alg", ALGS)
def test_what_a_key_signs_it_verifies(alg):
    signature = signer(alg, pair(alg).private).sign(b"header.payload")
    assert verifier(alg).verify(b"header.payload", signature)
    assert len(signature) == SIZES[alg]


@pytest.mark.parametrize("alg", ALGS)
def test_signers_and_verifiers_say_their_alg(alg):
    assert signer(alg, pair(alg).private).alg == alg == verifier(alg).alg


@pytest.mark.parametrize("alg", ALGS)
def test_other_data_or_another_signature_is_not_verified(alg):
    signature = signer(alg, pair(alg).private).sign(b"header.payload")
    assert not verifier(alg).verify(b"header.Payload", signature)
    for place in (0, len(signature) // 2, len(signature) - 1):
        flipped = bytearray(signature)
        flipped[place] ^= 1
        assert not verifier(alg).verify(b"header.payload", bytes(flipped))


@pytest.mark.parametrize("alg", ALGS)
def test_a_signature_of_another_length_is_not_verified(alg):
    signature = signer(alg, pair(alg).private).sign(b"x")
    for weird in (b"", signature[:-1], signature[1:], signature + b"\0", b"\0" + signature, signature * 2):
        assert not verifier(alg).verify(b"x", weird)


@pytest.mark.parametrize("alg", ALGS)
def test_all_zeros_and_all_ones_are_not_signatures(alg):
    for byte in (b"\0", b"\x01", b"\xff"):
        assert not verifier(alg).verify(b"x", byte * SIZES[alg])


@pytest.mark.parametrize("alg", ALGS)
@given(data=st.binary(max_size=200), signature=st.binary(max_size=300))
def test_random_bytes_are_answered_with_no(alg, data, signature):
    assert verifier(alg).verify(data, signature) is False


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_ecdsa_refuses_zero_order_and_beyond_for_r_and_s(alg):
    row = algorithm(alg)
    assert isinstance(row, Ecdsa)
    signature = signer(alg, pair(alg).private).sign(b"x")
    r, s = signature[: row.size], signature[row.size :]
    order = row.curve.group_order
    beyond = [0, order, *([order + int.from_bytes(r, "big")] if alg == "ES512" else [])]
    for number in (value.to_bytes(row.size, "big") for value in beyond):
        assert not verifier(alg).verify(b"x", number + s)
        assert not verifier(alg).verify(b"x", r + number)
        assert not verifier(alg).verify(b"x", number + number)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_ecdsa_refuses_der_signatures(alg):
    signature = signer(alg, pair(alg).private).sign(b"x")
    half = len(signature) // 2
    der = encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )
    assert not verifier(alg).verify(b"x", der)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_ecdsa_keeps_leading_zeros_of_r_and_s(alg):
    sign, verify = signer(alg, pair(alg).private).sign, verifier(alg).verify
    size = SIZES[alg] // 2
    short = {0: 0, size: 0}
    for number in itertools.count():
        signature = sign(b"%d" % number)
        assert len(signature) == 2 * size
        if number < 20 or 0 in (signature[0], signature[size]):
            assert verify(b"%d" % number, signature)
        for at in short:
            short[at] += signature[at] == 0
        if min(short.values()) >= 2:
            return


@pytest.mark.parametrize(("size", "bits"), [(32, 256), (48, 384), (66, 521)])
@given(data=st.data())
def test_r_and_s_are_put_into_der_as_the_library_does_it(size, bits, data):
    numbers = st.sampled_from([1, 7, 8, bits - 9, bits - 8, bits]).flatmap(lambda n: st.integers(1, 2**n - 1))
    r, s = data.draw(numbers), data.draw(numbers)
    r_bytes, s_bytes = r.to_bytes(size, "big"), s.to_bytes(size, "big")
    ours = verify_module._integer(r_bytes) + verify_module._integer(s_bytes)
    assert verify_module._SEQUENCE_HEADS[len(ours)] + ours == encode_dss_signature(r, s)
    if head := verify_module._integer_heads(size)[r_bytes[0]]:
        assert ours.startswith(head + r_bytes)
    else:
        assert r_bytes[0] == 0


def test_ed25519_refuses_an_s_beyond_the_order():
    signature = signer("EdDSA", pair("EdDSA").private).sign(b"x")
    order = 2**252 + 27742317777372353535851937790883648493
    beyond = int.from_bytes(signature[32:], "little") + order
    assert not verifier("EdDSA").verify(b"x", signature[:32] + beyond.to_bytes(32, "little"))


def test_pss_refuses_another_salt_length():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    from jwturn.crypto.private import private_key

    key = private_key("PS256", pair("PS256").private)
    assert isinstance(key, rsa.RSAPrivateKey)
    for salt in (0, 20, 31, 33, 64):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
        assert not verifier("PS256").verify(b"x", key.sign(b"x", pss, hashes.SHA256()))


@pytest.mark.parametrize(("alg", "other"), [("RS256", "PS256"), ("RS256", "RS384"), ("PS256", "PS512")])
def test_an_rsa_key_verifies_under_its_own_alg_only(alg, other):
    made = pair(alg)
    assert made.public is not None
    signature = signer(other, made.private).sign(b"x")
    assert not verify_key(made.public, alg=alg).verify(b"x", signature)


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_key_of_another_kind_makes_no_signer(alg):
    other = "ES384" if ALGS[alg].kty != "EC" or alg == "ES256" else "ES256"
    with pytest.raises(BadInput):
        signer(alg, pair(other).private)


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_bytes_that_are_no_key_make_no_signer(alg):
    for junk in (b"", b"0", b"0\x03\x02\x01\x00", b"-----BEGIN PRIVATE KEY-----"):
        with pytest.raises(BadInput) as refused:
            signer(alg, Secret(junk))
        assert refused.value.hint


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_a_short_secret_neither_signs_nor_verifies(alg):
    for size in (0, 1, ALGS[alg].secret_bytes_min - 1):
        short = Secret(b"s" * size)
        with pytest.raises(WeakKey):
            signer(alg, short)
        with pytest.raises(WeakKey):
            hmac_key(alg, short)


def test_a_secret_verifies_no_public_key_algorithm():
    with pytest.raises(BadInput):
        hmac_key("RS256", Secret(b"x" * 64))


@given(
    st.sampled_from(["sha256", "sha384", "sha512"]),
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=500),
)
def test_the_copied_states_give_the_hmac_of_the_standard_library(digest, key, data):
    authenticate = mac(digest, key)
    assert authenticate(data) == authenticate(data) == hmac.new(key, data, getattr(hashlib, digest)).digest()


@pytest.mark.parametrize("alg", VECTORS)
def test_the_samples_of_the_rfcs_verify(alg):
    jwk, data, signature = VECTORS[alg]
    if jwk["kty"] == "oct":
        key = hmac_key(alg, Secret(unb64url(jwk["k"])))
    else:
        key = verify_key(public_jwk(alg, halves(jwk, alg)[0]), alg=alg)
    assert key.verify(data, unb64url(signature))
    assert not key.verify(data + b"x", unb64url(signature))


@pytest.mark.parametrize("alg", ["HS256", "RS256", "EdDSA"])
def test_the_deterministic_samples_of_the_rfcs_are_signed_alike(alg):
    jwk, data, signature = VECTORS[alg]
    if jwk["kty"] == "oct":
        private = Secret(unb64url(jwk["k"]))
    else:
        half = halves(jwk, alg)[1]
        assert half is not None
        private = pkcs8(half)
    assert signer(alg, private).sign(data) == unb64url(signature)

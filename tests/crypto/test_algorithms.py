import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding

from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS
from jwturn.crypto.algorithms import Ecdsa, Hmac, MlDsa, Rsa, algorithm


@pytest.mark.parametrize("alg", ALGS)
def test_every_alg_of_the_core_has_its_primitives(alg):
    assert algorithm(alg).name == alg


@pytest.mark.parametrize(
    ("alg", "hash_bytes"),
    [(alg, facts.hash_bytes) for alg, facts in ALGS.items() if facts.kty in {"RSA", "EC"}],
)
def test_the_hash_is_the_one_of_the_name(alg, hash_bytes):
    row = algorithm(alg)
    assert isinstance(row, Rsa | Ecdsa)
    assert row.hash.digest_size == hash_bytes


@pytest.mark.parametrize("alg", ["PS256", "PS384", "PS512"])
def test_pss_uses_a_salt_as_long_as_the_hash(alg):
    row = algorithm(alg)
    assert isinstance(row, Rsa)
    assert isinstance(row.padding, padding.PSS)
    assert row.padding._salt_length == row.hash.digest_size


@pytest.mark.parametrize(
    ("alg", "curve", "size"),
    [("ES256", ec.SECP256R1, 32), ("ES384", ec.SECP384R1, 48), ("ES512", ec.SECP521R1, 66)],
)
def test_ecdsa_uses_the_curve_and_size_of_rfc_7518(alg, curve, size):
    row = algorithm(alg)
    assert isinstance(row, Ecdsa)
    assert isinstance(row.curve, curve)
    assert row.size == size


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_hmac_needs_a_secret_as_long_as_the_hash(alg, least):
    row = algorithm(alg)
    assert isinstance(row, Hmac)
    assert row.secret_min == least


@pytest.mark.parametrize("alg", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_ml_dsa_uses_the_class_of_its_size(alg):
    row = algorithm(alg)
    assert isinstance(row, MlDsa)
    assert row.private.__name__ == alg.replace("-", "") + "PrivateKey"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", "HS1", "RSA1_5", "ES256K", "RS256 ", "\0"])
def test_a_name_outside_the_list_is_refused(name):
    with pytest.raises(BadInput) as refused:
        algorithm(name)
    assert refused.value.code == "unknown_alg"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("rs256", "RS256"), ("ED25519", "Ed25519"), ("eddsa", "EdDSA"), ("MLDSA65", "ML-DSA-65")],
)
def test_the_hint_names_the_nearest_name(name, nearest):
    with pytest.raises(BadInput) as refused:
        algorithm(name)
    assert nearest in refused.value.hint


def test_a_long_name_is_cut_in_the_message():
    with pytest.raises(BadInput) as refused:
        algorithm("x" * 10_000)
    assert len(refused.value.message) < 100

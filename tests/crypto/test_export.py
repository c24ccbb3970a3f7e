import pytest
from cryptography.hazmat.primitives import serialization as form

from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS, PUBLIC_MEMBERS, b64url
from jwturn.core.secret import Secret
from jwturn.crypto.export import private_jwk, private_pem, public_pem
from tests.crypto.keys import ASYMMETRIC, SYMMETRIC, pair

PRIVATE = {"RSA": {"d", "p", "q", "dp", "dq", "qi"}, "EC": {"d"}, "OKP": {"d"}, "AKP": {"priv"}, "oct": {"k"}}


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_public_pem_holds_the_public_half_only(alg):
    public = pair(alg).public
    assert public is not None
    pem = public_pem(public)
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert pem.count(b"-----BEGIN") == 1


def test_a_public_pem_needs_the_alg_of_the_key():
    public = {name: value for name, value in (pair("ES256").public or {}).items() if name != "alg"}
    with pytest.raises(BadInput):
        public_pem(public)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "ML-DSA-87"])
def test_a_private_pem_with_a_password_is_encrypted(alg):
    pem = private_pem(alg, pair(alg).private, password=Secret(b"pw"))
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(ValueError):  # one wrong password in 256 leaves a good padding
        form.load_pem_private_key(pem, b"other")
    key = form.load_pem_private_key(pem, b"pw")
    plain = key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())
    assert plain == pair(alg).private.reveal()


def test_the_password_is_stretched_600_000_times():
    pem = private_pem("ES256", pair("ES256").private, password=Secret(b"pw"))
    import base64

    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    assert b"\x02\x03" + (600_000).to_bytes(3, "big") in der


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_private_pem_without_a_password_is_plain(alg):
    pem = private_pem(alg, pair(alg).private, password=None)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")


def test_an_empty_password_is_not_an_encryption():
    with pytest.raises(BadInput, match="empty"):
        private_pem("ES256", pair("ES256").private, password=Secret(b""))


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_a_secret_has_no_pem_form(alg):
    with pytest.raises(BadInput) as refused:
        private_pem(alg, pair(alg).private, password=None)
    assert "JWK" in refused.value.hint


@pytest.mark.parametrize("alg", ALGS)
def test_a_private_jwk_has_exactly_the_members_of_its_type(alg):
    jwk = private_jwk(alg, pair(alg).private)
    kty = ALGS[alg].kty
    assert jwk.keys() == PRIVATE[kty] | {"kty", "alg"} | PUBLIC_MEMBERS.get(kty, frozenset())
    assert (jwk["kty"], jwk["alg"]) == (kty, alg)
    assert {name: jwk[name] for name in pair(alg).public or {}} == (pair(alg).public or {})


def test_the_jwk_of_a_secret_holds_its_bytes():
    assert private_jwk("HS256", pair("HS256").private)["k"] == b64url(pair("HS256").private.reveal())


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_private_half_of_another_alg_is_not_exported_as_this_one(alg):
    other = "ES384" if alg == "ES256" else "ES256"
    for export in (
        lambda: private_jwk(alg, pair(other).private),
        lambda: private_pem(alg, pair(other).private, password=None),
    ):
        with pytest.raises(BadInput):
            export()

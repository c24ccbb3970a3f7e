import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput, TooLarge
from jwturn.core.jwk import ALGS
from jwturn.core.secret import Secret
from jwturn.crypto.export import private_pem, public_pem
from jwturn.crypto.import_ import import_key
from jwturn.crypto.private import private_key
from jwturn.crypto.sign import signer
from tests.crypto.keys import ASYMMETRIC, pair, verifier

PEM, DER = form.Encoding.PEM, form.Encoding.DER
PLAIN = form.NoEncryption()
TRADITIONAL, PKCS8 = form.PrivateFormat.TraditionalOpenSSL, form.PrivateFormat.PKCS8
SPKI = form.PublicFormat.SubjectPublicKeyInfo


def needed(alg: str) -> str | None:
    return alg if ALGS[alg].kty == "RSA" or alg == "Ed25519" else None


def es256_pem() -> bytes:
    return private_pem("ES256", pair("ES256").private, password=None)


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_pkcs8_is_taken_as_pem_and_der(alg):
    for data in (private_pem(alg, pair(alg).private, password=None), pair(alg).private.reveal()):
        found = import_key(data, alg=needed(alg))
        assert (found.alg, found.kid, found.public) == (alg, None, pair(alg).public)
        assert found.private is not None
        assert verifier(alg).verify(b"x", signer(alg, found.private).sign(b"x"))


@pytest.mark.parametrize("alg", ["RS256", "PS512", "ES256", "ES384", "ES512"])
@pytest.mark.parametrize("encoding", [PEM, DER])
def test_pkcs1_and_sec1_are_taken(alg, encoding):
    data = private_key(alg, pair(alg).private).private_bytes(encoding, TRADITIONAL, PLAIN)
    found = import_key(data, alg=needed(alg))
    assert found.public == pair(alg).public
    assert found.private is not None
    assert found.private.reveal() == pair(alg).private.reveal()


@pytest.mark.parametrize("alg", ASYMMETRIC)
@pytest.mark.parametrize("encoding", [PEM, DER])
def test_a_public_key_is_taken_without_a_private_half(alg, encoding):
    data = private_key(alg, pair(alg).private).public_key().public_bytes(encoding, SPKI)
    found = import_key(data, alg=needed(alg))
    assert (found.alg, found.public, found.private) == (alg, pair(alg).public, None)


def test_a_pkcs1_public_key_is_taken():
    key = private_key("RS256", pair("RS256").private).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert (
        import_key(key.public_bytes(PEM, form.PublicFormat.PKCS1), alg="RS256").public == pair("RS256").public
    )


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "ML-DSA-65"])
def test_an_encrypted_key_opens_with_its_password_only(alg):
    data = private_pem(alg, pair(alg).private, password=Secret(b"correct horse"))
    found = import_key(data, alg=needed(alg), password=Secret(b"correct horse"))
    assert found.public == pair(alg).public
    with pytest.raises(BadInput) as wrong:
        import_key(data, alg=needed(alg), password=Secret(b"battery staple"))
    assert wrong.value.code == "wrong_password"
    with pytest.raises(BadInput, match="password") as missing:
        import_key(data, alg=needed(alg))
    assert missing.value.hint


def test_an_encrypted_der_opens_with_its_password():
    key = private_key("ES256", pair("ES256").private)
    data = key.private_bytes(DER, PKCS8, form.BestAvailableEncryption(b"pw"))
    assert import_key(data, password=Secret(b"pw")).public == pair("ES256").public


def test_a_legacy_encrypted_pem_opens_with_its_password():
    key = private_key("ES256", pair("ES256").private)
    data = key.private_bytes(PEM, TRADITIONAL, form.BestAvailableEncryption(b"pw"))
    assert b"DEK-Info" in data
    assert import_key(data, password=Secret(b"pw")).public == pair("ES256").public


def test_a_password_for_a_key_without_one_is_refused():
    public = pair("ES256").public
    assert public is not None
    for data in (es256_pem(), pair("ES256").private.reveal(), public_pem(public)):
        with pytest.raises(BadInput, match="password"):
            import_key(data, password=Secret(b"pw"))


def test_an_rsa_key_needs_an_alg_and_the_hint_names_the_six():
    with pytest.raises(BadInput) as refused:
        import_key(pair("RS256").private.reveal())
    for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        assert name in refused.value.hint


@pytest.mark.parametrize(
    ("alg", "asked"), [("ES256", "ES384"), ("EdDSA", "ES256"), ("RS256", "HS256"), ("ML-DSA-44", "ML-DSA-65")]
)
def test_an_alg_that_the_key_is_not_for_is_refused_with_those_it_is_for(alg, asked):
    with pytest.raises(BadInput) as refused:
        import_key(pair(alg).private.reveal(), alg=asked)
    assert alg in refused.value.hint


def test_an_unknown_alg_is_refused_first():
    with pytest.raises(BadInput) as refused:
        import_key(b"", alg="es256")
    assert "ES256" in refused.value.hint


@pytest.mark.parametrize(
    "key",
    [
        ed448.Ed448PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        dsa.generate_private_key(1024),
    ],
    ids=lambda key: type(key).__name__,
)
def test_keys_of_other_types_are_refused(key):
    for data in (key.private_bytes(DER, PKCS8, PLAIN), key.public_key().public_bytes(PEM, SPKI)):
        with pytest.raises(BadInput) as refused:
            import_key(data)
        assert refused.value.hint


def test_a_key_whose_halves_disagree_is_refused():
    one, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    point = (form.Encoding.X962, form.PublicFormat.UncompressedPoint)
    mine, theirs = (key.public_key().public_bytes(*point) for key in (one, other))
    data = one.private_bytes(DER, PKCS8, PLAIN)
    assert mine in data
    with pytest.raises(BadInput, match="halves disagree"):
        import_key(data.replace(mine, theirs))


@pytest.mark.parametrize("weird", ["twice", "before", "after", "cut", "label", "dash", "inside"])
def test_only_one_whole_block_is_taken(weird):
    pem = es256_pem()
    lines = pem.splitlines(keepends=True)
    texts = {
        "twice": pem + pem,
        "before": b"Bag Attributes\n" + pem,
        "after": pem + b"# that was it",
        "cut": b"".join(lines[:-1]),
        "label": pem.replace(b"END PRIVATE", b"END PUBLIC"),
        "dash": pem.replace(b"-----BEGIN", b"----BEGIN"),
        "inside": b"".join([*lines[:2], b"!!!!\n", *lines[2:]]),
    }
    with pytest.raises(BadInput) as refused:
        import_key(texts[weird])
    assert refused.value.hint


def test_blanks_and_line_ends_around_a_pem_are_nothing():
    assert import_key(b"\n  " + es256_pem().replace(b"\n", b"\r\n") + b"\n\n").public == pair("ES256").public


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "openssl x509"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "openssl req"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----", "OpenPGP"),
        (b"-----BEGIN WHATEVER-----\nAAAA\n-----END WHATEVER-----", "PKCS#8"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@host", "ssh-keygen -e"),
        (b"ecdsa-sha2-nistp256 AAAAE2VjZHNh me@host", "ssh-keygen -e"),
        (b"eyJhbGciOiJkaXIifQ..aXY.Y3Q.dGFn", "inspect"),
        (b"just some text", "HS256"),
        (b"", "HS256"),
        (b"\xff\xfe{\x00", "HS256"),
    ],
)
def test_what_is_not_a_key_file_is_named_with_the_way_out(text, command):
    with pytest.raises(BadInput) as refused:
        import_key(text)
    assert command in refused.value.hint


def test_an_ssh_private_key_is_refused_with_the_conversion():
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(BadInput) as refused:
        import_key(key.private_bytes(PEM, form.PrivateFormat.OpenSSH, PLAIN))
    assert "ssh-keygen -p -m PKCS8" in refused.value.hint


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "ML-DSA-44"])
def test_der_with_something_behind_it_or_cut_is_refused(alg):
    der = pair(alg).private.reveal()
    for weird in (der + b"\0", der[:-1], b"0" + der, der[: len(der) // 2], b"\0" + der):
        with pytest.raises(BadInput):
            import_key(weird, alg=needed(alg))


def test_a_file_above_16_kib_is_refused():
    with pytest.raises(TooLarge):
        import_key(es256_pem() + b"\n" * 16 * 1024)


def test_a_short_rsa_key_is_refused():
    key = rsa.generate_private_key(65537, 1024)
    with pytest.raises(BadInput, match="1024 bits"):
        import_key(key.private_bytes(DER, PKCS8, PLAIN), alg="RS256")


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_an_ed25519_key_of_another_length_is_refused(size):
    inner = bytes([4, size]) + bytes(size)
    body = bytes.fromhex("020100300506032b6570") + bytes([4, len(inner)]) + inner
    with pytest.raises(BadInput):
        import_key(bytes([0x30, len(body)]) + body)


@given(st.binary(max_size=300), st.sampled_from([None, *ALGS]))
def test_any_bytes_are_refused_by_name(data, alg):
    with pytest.raises(BadInput) as refused:
        import_key(data, alg=alg)
    assert refused.value.hint


@given(st.sampled_from(["ES256", "EdDSA", "ML-DSA-44"]), st.integers(0), st.integers(1, 255))
def test_a_damaged_der_is_refused_by_name_or_is_another_key(alg, place, flip):
    der = bytearray(pair(alg).private.reveal())
    der[place % len(der)] ^= flip
    try:
        found = import_key(bytes(der))
    except BadInput:
        return
    assert found.private is not None
    assert found.public is not None

import base64
import secrets
import uuid
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput, TooLarge, WeakKey
from jwturn.core.jwk import ALGS
from jwturn.crypto.export import private_jwk, private_pem, public_pem
from jwturn.crypto.generate import generate
from jwturn.crypto.guessable import estimate_bits, is_known
from jwturn.crypto.import_ import import_secret
from jwturn.crypto.known_secrets import PUBLISHED
from jwturn.crypto.private import private_key
from tests.crypto.keys import SYMMETRIC, pair

GUESSABLE = [
    "my-super-duper-extra-long-secret-key-for-our-app-2024!!",
    "MyCompanyNameSuperSecretKey1234567890!@#$",
    "secretsecretsecretsecretsecretsecretsec",
    "s3cr3t-k3y-f0r-my-@pp-ch@ng3-m3-pl3@s3",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "abcdefghijklmnopqrstuvwxyzabcdef123456",
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    "11111111112222222222333333333344444444445555",
    "deadbeefdeadbeefdeadbeefcafebabecafebabe",
    "onetwothreefourfivesixseveneightnineten",
    "ihavesomethingthatislongenoughtobeasecret",
    "it was the best of times it was the worst of times",
    "tobeornottobethatisthequestionwhethertisnobler",
    "MeinGeheimesPasswortFuerDieAnwendungHeute",
    "TheAnswerToLifeTheUniverseAndEverything42",
    "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
    "Password1Password2Password3Password4",
    "correcthorsebatterystaplecorrecthorse",
    "................................",
    "0000000000000000000000000000000000000001",
]
STRONG: dict[str, Callable[[], bytes]] = {
    "raw": secrets.token_bytes,
    "raw 64": partial(secrets.token_bytes, 64),
    "hex": lambda: secrets.token_hex(32).encode(),
    "upper hex": lambda: secrets.token_hex(32).upper().encode(),
    "base64": lambda: base64.b64encode(secrets.token_bytes(32)),
    "base64url": lambda: secrets.token_urlsafe(32).encode(),
    "two uuids": f"{uuid.uuid4()}{uuid.uuid4()}".encode,
    "printable": generate("HS256", printable=True).private.reveal,
}


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_our_own_secrets_are_taken(alg):
    for printable in (False, True):
        private = generate(alg, printable=printable).private
        found = import_secret(private.reveal(), alg=alg)
        assert found.private is not None
        assert found.private.reveal() == private.reveal()
        assert (found.alg, found.kid, found.public, found.notes) == (alg, None, None, ())


@pytest.mark.parametrize("form", STRONG)
def test_random_secrets_are_taken_in_every_usual_form(form):
    for _ in range(50):
        assert import_secret(STRONG[form](), alg="HS256").private is not None


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_a_secret_shorter_than_the_hash_is_refused(alg):
    for size in (0, 1, ALGS[alg].secret_bytes_min - 1):
        with pytest.raises(WeakKey, match=str(ALGS[alg].secret_bytes_min)):
            import_secret(secrets.token_bytes(size), alg=alg)


@pytest.mark.parametrize("sample", PUBLISHED)
def test_a_published_secret_is_known_in_any_spelling(sample):
    for spelling in (sample, sample.upper(), sample.title(), f"  {sample}!", sample.replace("-", "_")):
        assert is_known(spelling.encode())
    assert is_known(base64.b64encode(sample.encode()))
    assert is_known(base64.urlsafe_b64encode(sample.encode()).rstrip(b"="))
    assert is_known(sample.encode().hex().encode())


def test_a_published_key_is_known_as_the_bytes_that_it_spells():
    spelled = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"
    for secret in (spelled.encode(), bytes.fromhex(spelled), base64.b64encode(bytes.fromhex(spelled))):
        with pytest.raises(WeakKey) as refused:
            import_secret(secret, alg="HS256")
        assert refused.value.code == "known_secret"


@pytest.mark.parametrize("sample", [one for one in PUBLISHED if len(one) >= 32])
def test_a_published_secret_is_not_imported(sample):
    with pytest.raises(WeakKey) as refused:
        import_secret(sample.encode(), alg="HS256")
    assert refused.value.code == "known_secret"
    assert "openssl rand" in refused.value.hint


@pytest.mark.parametrize("text", GUESSABLE)
def test_a_guessable_secret_is_refused(text):
    for secret in (text.encode(), base64.b64encode(text.encode()), text.encode().hex().encode()):
        with pytest.raises(WeakKey):
            import_secret(secret, alg="HS256")


@pytest.mark.parametrize(
    "data",
    [
        bytes(32),
        b"\xff" * 64,
        bytes(range(32)),
        bytes(range(0, 128, 2)),
        b"\x01\x80" * 20,
        b"\0" * 31 + b"\x01",
    ],
)
def test_bytes_with_a_pattern_are_refused(data):
    with pytest.raises(WeakKey) as refused:
        import_secret(data, alg="HS256")
    assert refused.value.code in {"guessable_secret", "known_secret"}


def test_the_refusal_tells_the_estimate_and_not_the_secret():
    with pytest.raises(WeakKey) as refused:
        import_secret(GUESSABLE[0].encode(), alg="HS256")
    assert "112" in refused.value.message
    assert GUESSABLE[0][:10] not in refused.value.message + refused.value.hint


def test_a_secret_with_fewer_bits_than_the_hash_is_taken_with_a_note():
    assert "HS256 can use 256" in import_secret(b"f81d4fae7dec11d0a76500a0c91e6bf6", alg="HS256").notes[0]


@given(st.binary(min_size=1, max_size=80), st.integers(2, 6))
def test_repeating_a_secret_adds_next_to_nothing(unit, times):
    assert estimate_bits(unit * times) <= estimate_bits(unit) + 8 + 3


@given(st.binary(max_size=200))
def test_an_estimate_is_never_above_the_length(secret):
    assert 0 <= estimate_bits(secret) <= 8 * len(secret) + 8


@given(st.binary(max_size=400), st.sampled_from(SYMMETRIC))
def test_any_bytes_are_taken_or_refused_by_name(data, alg):
    try:
        found = import_secret(data, alg=alg)
    except BadInput as refused:
        assert refused.hint
    else:
        assert found.private is not None
        assert found.private.reveal() == data


def key_files() -> dict[str, bytes]:
    from cryptography.hazmat.primitives import serialization as form

    made = pair("ES256")
    assert made.public is not None
    key = private_key("ES256", made.private).public_key()
    return {
        "private PEM": private_pem("ES256", made.private, password=None),
        "public PEM": public_pem(made.public),
        "private DER": made.private.reveal(),
        "public DER": key.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo),
        "SSH": key.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH),
        "JWK": str(private_jwk("ES256", made.private)).replace("'", '"').encode(),
        "RSA DER": pair("RS256").private.reveal(),
        "token": b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
        "SSH2": b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5AAAAIExample\n",
    }


@pytest.mark.parametrize("kind", key_files())
def test_a_key_file_is_not_a_secret(kind):
    data = key_files()[kind]
    blanks = (b"", b"\n", b" \t\r\n", b"\xef\xbb\xbf") if "DER" not in kind else (b"",)
    for front in blanks:
        with pytest.raises(BadInput) as refused:
            import_secret(front + data, alg="HS256")
        assert refused.value.code == "key_as_secret"


def test_a_pem_key_anywhere_in_the_text_is_not_a_secret():
    with pytest.raises(BadInput) as refused:
        import_secret(b"# our key\n" + key_files()["public PEM"], alg="HS256")
    assert refused.value.code == "key_as_secret"


@pytest.mark.parametrize("data", [b"0\x82\x00\x00", b"0\x80", b"0\x00", b"0\xff" + bytes(60)])
def test_a_broken_der_header_is_refused_by_name(data):
    with pytest.raises(BadInput):
        import_secret(data, alg="HS256")


@pytest.mark.parametrize(("front", "back"), [(b"", b"\n"), (b"", b"\r\n"), (b" ", b""), (b"\t", b" ")])
def test_blanks_around_a_text_secret_are_not_guessed_away(front, back):
    with pytest.raises(BadInput, match="blanks") as refused:
        import_secret(front + secrets.token_hex(32).encode() + back, alg="HS256")
    assert "printf" in refused.value.hint


def test_a_random_secret_may_end_in_a_line_feed_byte():
    secret = b"\x80" + secrets.token_bytes(40) + b"\n"
    assert import_secret(secret, alg="HS256").private is not None


@pytest.mark.parametrize("alg", ["RS256", "EdDSA", "ML-DSA-44", "none"])
def test_only_hmac_algorithms_take_a_secret(alg):
    with pytest.raises(BadInput):
        import_secret(secrets.token_bytes(64), alg=alg)


def test_a_secret_above_16_kib_is_refused():
    with pytest.raises(TooLarge):
        import_secret(secrets.token_bytes(16 * 1024 + 1), alg="HS256")

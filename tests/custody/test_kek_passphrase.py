"""Passphrases: nothing beside the store opens it again, and no guess is cheaper than Argon2id."""

from datetime import timedelta

import pytest

from jwturn.core.envelope import Wrap
from jwturn.core.errors import CustodyError, IntegrityError, WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.passphrase import ITERATIONS, LANES, MEMORY_KIB, derive
from jwturn.custody.integrity import head_seal, new_integrity
from jwturn.custody.kek import passphrase
from jwturn.custody.kek.local import LocalKek
from jwturn.custody.kek.passphrase import MAGIC, PassphraseKek, Salted, again, first, salted_of
from jwturn.ports.store import Identity

WORDS = Secret(b"correct horse battery staple")
WRONG = Secret(b"correct horse battery stable")
DEK = bytes(32)


@pytest.fixture(scope="module")
def kek() -> PassphraseKek:
    return first(WORDS)


@pytest.fixture(scope="module")
def store(kek: PassphraseKek) -> Identity:
    return Identity("store-1", timedelta(seconds=60), new_integrity("store-1", [kek]))


def test_the_passphrase_alone_opens_the_store_again(kek: PassphraseKek, store: Identity) -> None:
    reopened = again(WORDS, store.integrity.wraps)
    assert reopened.fingerprint == kek.fingerprint
    assert head_seal(store, [reopened]).check(b"head", head_seal(store, [kek]).seal(b"head"))


def test_a_wrong_passphrase_is_refused_with_both_fingerprints(kek: PassphraseKek, store: Identity) -> None:
    wrong = again(WRONG, store.integrity.wraps)
    with pytest.raises(CustodyError) as refused:
        head_seal(store, [wrong])
    assert kek.fingerprint in refused.value.message
    assert wrong.fingerprint in refused.value.message


def test_two_stores_of_one_passphrase_have_different_fingerprints(kek: PassphraseKek) -> None:
    assert first(WORDS).fingerprint != kek.fingerprint


def test_a_key_is_derived_once_for_each_salt(monkeypatch: pytest.MonkeyPatch, store: Identity) -> None:
    salts = []

    def counting(words: Secret, salt: bytes, **cost: int) -> Secret:
        salts.append(salt)
        return derive(words, salt, **cost)

    monkeypatch.setattr(passphrase, "derive", counting)
    kek = again(WORDS, store.integrity.wraps)
    for _ in range(5):
        assert kek.unwrap(kek.wrap(DEK, b"place"), b"place") == DEK
    assert len(salts) == 1


def test_a_wrap_under_another_salt_opens_too(kek: PassphraseKek) -> None:
    wrapped = first(WORDS).wrap(DEK, b"place")
    assert kek.unwrap(wrapped, b"place") == DEK


def test_the_right_one_of_two_passphrases_is_found(kek: PassphraseKek) -> None:
    other = first(WRONG)
    wraps = new_integrity("store-1", [other, kek]).wraps
    assert again(WORDS, wraps).fingerprint == kek.fingerprint
    assert again(WRONG, wraps).fingerprint == other.fingerprint


def test_a_wrap_names_its_salt_and_cost(kek: PassphraseKek) -> None:
    salted = salted_of(kek.wrap(DEK, b"place"))
    assert salted is not None
    assert salted == Salted(salted.salt, MEMORY_KIB, ITERATIONS, LANES)
    assert len(salted.salt) == 16


@pytest.mark.parametrize("words", [b"", b"short", b"fourteen chars", "é".encode() * 14])
def test_a_short_passphrase_makes_no_store(words: bytes) -> None:
    with pytest.raises(WeakKey) as refused:
        first(Secret(words))
    assert refused.value.hint


@pytest.mark.parametrize(
    "cheap",
    [
        Salted(bytes(16), MEMORY_KIB - 1, ITERATIONS, LANES),
        Salted(bytes(16), MEMORY_KIB, ITERATIONS - 1, LANES),
        Salted(bytes(16), 32, 1, 1),
    ],
)
def test_a_store_cannot_ask_for_a_cheaper_derivation(cheap: Salted) -> None:
    with pytest.raises(IntegrityError):
        again(WORDS, [Wrap("0" * 16, cheap.prefix() + bytes(60))])


@pytest.mark.parametrize(
    "dear",
    [
        Salted(bytes(16), 2**32 - 1, ITERATIONS, LANES),
        Salted(bytes(16), MEMORY_KIB, 2**32 - 1, LANES),
        Salted(bytes(16), MEMORY_KIB, ITERATIONS, 0),
        Salted(bytes(16), MEMORY_KIB, ITERATIONS, 2**32 - 1),
    ],
)
def test_a_store_cannot_ask_for_an_impossible_derivation(dear: Salted) -> None:
    with pytest.raises(IntegrityError):
        again(WORDS, [Wrap("0" * 16, dear.prefix() + bytes(60))])


def test_an_edited_salt_is_refused(kek: PassphraseKek) -> None:
    wrapped = bytearray(kek.wrap(DEK, b"place"))
    wrapped[len(MAGIC) + 12] ^= 1
    with pytest.raises(IntegrityError):
        kek.unwrap(bytes(wrapped), b"place")


def test_a_wrap_of_another_kind_is_not_opened(kek: PassphraseKek) -> None:
    with pytest.raises(IntegrityError):
        kek.unwrap(LocalKek(Secret(bytes(32))).wrap(DEK, b"place"), b"place")


def test_a_store_with_another_kind_of_kek_says_so() -> None:
    file = LocalKek(Secret(bytes(32)))
    with pytest.raises(CustodyError, match="not sealed with a passphrase") as refused:
        again(WORDS, new_integrity("store-1", [file]).wraps)
    assert file.fingerprint in refused.value.message


def test_a_passphrase_does_not_show(kek: PassphraseKek) -> None:
    assert "horse" not in f"{kek!r} {kek.fingerprint}"
    assert not hasattr(kek, "__dict__")
    assert b"horse" not in kek.wrap(DEK, b"place")

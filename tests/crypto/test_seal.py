from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jwturn.core.envelope import Envelope, Wrap
from jwturn.core.errors import CustodyError, IntegrityError
from jwturn.core.secret import Secret
from jwturn.crypto.seal import check_mac, fingerprint, integrity_mac, seal, unseal, unwrap_aes, wrap_aes

AAD = b"store, ring, kid, alg, digest"


@dataclass(frozen=True)
class LocalKek:
    key: Secret

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key)

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        return wrap_aes(self.key, dek, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        return unwrap_aes(self.key, wrapped, aad)


class ForgetfulKek(LocalKek):
    """A KEK whose other half is lost: what it wraps it cannot open."""

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        return LocalKek(Secret(b"9" * 32)).unwrap(wrapped, aad)


ONE, TWO, OTHER = (LocalKek(Secret(bytes([n]) * 32)) for n in (1, 2, 3))


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=100))
def test_what_is_sealed_is_opened(private, aad):
    assert unseal(seal(Secret(private), aad, [ONE]), aad, [ONE]).reveal() == private


def test_any_of_several_keks_opens():
    envelope = seal(Secret(b"private"), AAD, [ONE, TWO])
    assert [wrap.kek for wrap in envelope.wraps] == [ONE.fingerprint, TWO.fingerprint]
    for keks in ([ONE], [TWO], [OTHER, TWO], [TWO, ONE]):
        assert unseal(envelope, AAD, keks).reveal() == b"private"


def test_each_seal_is_new():
    first, second = (seal(Secret(b"private"), AAD, [ONE]) for _ in range(2))
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext
    assert first.wraps != second.wraps


def test_the_private_half_is_not_in_the_envelope():
    private = b"a very long private half that would be seen"
    envelope = seal(Secret(private), AAD, [ONE])
    stored = b"".join([envelope.nonce, envelope.ciphertext, *(wrap.wrapped for wrap in envelope.wraps)])
    assert private not in stored
    assert private[:8] not in stored


def test_a_missing_kek_names_both_fingerprints():
    envelope = seal(Secret(b"private"), AAD, [ONE, TWO])
    with pytest.raises(CustodyError) as refused:
        unseal(envelope, AAD, [OTHER])
    for kek in (ONE, TWO, OTHER):
        assert kek.fingerprint in refused.value.message
    assert refused.value.details == {
        "wanted": [ONE.fingerprint, TWO.fingerprint],
        "offered": [OTHER.fingerprint],
    }
    assert refused.value.hint


def test_no_kek_at_all_is_an_error():
    with pytest.raises(CustodyError):
        seal(Secret(b"private"), AAD, [])
    with pytest.raises(CustodyError, match="offered: none"):
        unseal(seal(Secret(b"private"), AAD, [ONE]), AAD, [])


def test_a_kek_that_does_not_open_what_it_wraps_is_found_before_anything_is_stored():
    with pytest.raises(IntegrityError):
        seal(Secret(b"private"), AAD, [ForgetfulKek(Secret(b"1" * 32))])


def test_another_place_does_not_open_it():
    with pytest.raises(IntegrityError):
        unseal(seal(Secret(b"private"), AAD, [ONE]), AAD + b"!", [ONE])


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("place", [0, 5, -1])
def test_an_edit_of_any_part_is_noticed(place):
    envelope = seal(Secret(b"private"), AAD, [ONE])
    wrap = envelope.wraps[0]
    at = place if place >= 0 else len(envelope.nonce) - 1
    edits: list[dict[str, Any]] = [
        {"nonce": flipped(envelope.nonce, at)},
        {"ciphertext": flipped(envelope.ciphertext, at)},
        {"wraps": (Wrap(wrap.kek, flipped(wrap.wrapped, at)),)},
        {"wraps": (Wrap(wrap.kek, flipped(wrap.wrapped, len(wrap.wrapped) - 1)),)},
    ]
    for edit in edits:
        with pytest.raises(IntegrityError) as refused:
            unseal(replace(envelope, **edit), AAD, [ONE])
        assert refused.value.hint


def test_swapped_wraps_of_two_envelopes_do_not_open():
    first, second = seal(Secret(b"first"), b"a", [ONE]), seal(Secret(b"second"), b"b", [ONE])
    with pytest.raises(IntegrityError):
        unseal(replace(first, wraps=second.wraps), b"a", [ONE])


@given(st.binary(max_size=20), st.binary(max_size=60), st.binary(max_size=80), st.sampled_from([1, 0, 2, -1]))
def test_junk_envelopes_are_refused_by_name(nonce, ciphertext, wrapped, version):
    with pytest.raises(IntegrityError):
        unseal(Envelope(version, nonce, ciphertext, (Wrap(ONE.fingerprint, wrapped),)), AAD, [ONE])


def test_a_wrapped_dek_of_another_length_is_refused():
    envelope = seal(Secret(b"private"), AAD, [ONE])
    with pytest.raises(IntegrityError):
        unseal(replace(envelope, wraps=(Wrap(ONE.fingerprint, ONE.wrap(b"short", AAD)),)), AAD, [ONE])


def test_a_wrap_opens_with_its_kek_and_aad_only():
    wrapped = wrap_aes(ONE.key, b"d" * 32, AAD)
    assert unwrap_aes(ONE.key, wrapped, AAD) == b"d" * 32
    for key, aad in ((TWO.key, AAD), (ONE.key, b"")):
        with pytest.raises(IntegrityError):
            unwrap_aes(key, wrapped, aad)


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_kek_has_32_bytes(size):
    key = Secret(b"k" * size)
    for use in (
        lambda: fingerprint(key),
        lambda: wrap_aes(key, b"d" * 32, AAD),
        lambda: unwrap_aes(key, b"", AAD),
    ):
        with pytest.raises(CustodyError, match="32 bytes"):
            use()


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_is_short_stable_and_not_part_of_the_key(key):
    name = fingerprint(Secret(key))
    assert len(name) == 16
    assert name == fingerprint(Secret(key))
    assert name not in key.hex()


def test_a_fingerprint_is_not_a_plain_hash():
    import hashlib

    key = b"k" * 32
    assert not hashlib.sha256(key).hexdigest().startswith(fingerprint(Secret(key)))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_mac_fits_its_data_and_key_only(data, other):
    key = Secret(b"i" * 32)
    tag = integrity_mac(key, data)
    assert check_mac(key, data, tag)
    assert check_mac(key, other, tag) == (data == other)
    assert not check_mac(Secret(b"j" * 32), data, tag)
    for weird in (b"", tag[:-1], tag + b"\0"):
        assert not check_mac(key, data, weird)


def test_a_short_integrity_key_is_an_error():
    with pytest.raises(CustodyError):
        integrity_mac(Secret(b"short"), b"data")

"""The integrity key: who may open it, and what its seal says."""

import copy
import pickle
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from jwturn.core.envelope import associated_data
from jwturn.core.errors import CustodyError, IntegrityError
from jwturn.core.secret import Secret
from jwturn.crypto.seal import seal, unseal
from jwturn.custody.integrity import IntegritySeal, head_seal, kek_names, new_integrity
from jwturn.custody.kek.local import LocalKek
from jwturn.ports.store import Identity

KEK = LocalKek(Secret(bytes(range(32))))
OTHER = LocalKek(Secret(bytes(range(1, 33))))


def identity(store_id: str = "store-1") -> Identity:
    return Identity(store_id, timedelta(seconds=60), new_integrity(store_id, [KEK]))


def test_a_head_sealed_by_one_process_is_known_to_another() -> None:
    store = identity()
    mac = head_seal(store, [KEK]).seal(b"head")
    assert head_seal(store, [KEK]).check(b"head", mac)


@pytest.mark.parametrize("head", [b"heaD", b"", b"head "])
def test_an_edited_head_is_not_known(head: bytes) -> None:
    seal_of = head_seal(identity(), [KEK])
    assert not seal_of.check(head, seal_of.seal(b"head"))


@pytest.mark.parametrize("mac", [b"", b"\0" * 32, b"short"])
def test_a_mac_of_nothing_is_not_known(mac: bytes) -> None:
    assert not head_seal(identity(), [KEK]).check(b"head", mac)


def test_two_stores_have_different_integrity_keys() -> None:
    mac = head_seal(identity(), [KEK]).seal(b"head")
    assert not head_seal(identity(), [KEK]).check(b"head", mac)


def test_a_wrong_kek_is_refused_with_both_fingerprints() -> None:
    with pytest.raises(CustodyError) as refused:
        head_seal(identity(), [OTHER])
    assert KEK.fingerprint in refused.value.message
    assert OTHER.fingerprint in refused.value.message
    assert refused.value.details == {"wanted": [KEK.fingerprint], "offered": [OTHER.fingerprint]}
    assert "restore" in refused.value.hint


def test_no_kek_at_all_is_refused_by_name() -> None:
    with pytest.raises(CustodyError, match=rf"{KEK.fingerprint}, given: none"):
        head_seal(identity(), [])


def test_one_fitting_kek_among_several_opens() -> None:
    assert head_seal(identity(), [OTHER, KEK]).seal(b"head")


def test_no_store_is_made_without_a_kek() -> None:
    with pytest.raises(CustodyError):
        new_integrity("store-1", [])


def test_the_integrity_key_of_another_store_is_refused() -> None:
    with pytest.raises(IntegrityError):
        head_seal(replace(identity("store-2"), store_id="store-1"), [KEK])


def test_an_edited_envelope_is_refused() -> None:
    store = identity()
    flipped = store.integrity.ciphertext[:-1] + bytes([store.integrity.ciphertext[-1] ^ 1])
    with pytest.raises(IntegrityError):
        head_seal(replace(store, integrity=structs.replace(store.integrity, ciphertext=flipped)), [KEK])


def test_a_private_half_does_not_pass_for_an_integrity_key() -> None:
    aad = associated_data(store_id="store-1", ring_id="integrity", kid="", alg="", public=None)
    with pytest.raises(IntegrityError):
        head_seal(replace(identity(), integrity=seal(Secret(b"s" * 32), aad, [KEK])), [KEK])


def test_an_integrity_key_does_not_pass_for_a_private_half() -> None:
    aad = associated_data(store_id="store-1", ring_id="integrity", kid="", alg="HS256", public=None)
    with pytest.raises(IntegrityError):
        unseal(identity().integrity, aad, [KEK])


def test_the_store_names_its_keks() -> None:
    assert kek_names(replace(identity(), integrity=new_integrity("s", [KEK, OTHER]))) == [
        KEK.fingerprint,
        OTHER.fingerprint,
    ]


def test_a_seal_does_not_show_its_key() -> None:
    key = b"canary-canary-canary-canary-cana"
    held = IntegritySeal(Secret(key))
    assert repr(held) == "IntegritySeal(***)"
    assert not hasattr(held, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(held)

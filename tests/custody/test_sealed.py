"""Custody in envelopes: what an attacker who writes the store can do, and what a person sees."""

import pickle
import traceback
from dataclasses import replace

import pytest

from jwturn.core.errors import BadInput, CustodyError, IntegrityError, StateForbids, WeakKey
from jwturn.core.jwk import thumbprint
from jwturn.core.keys import Key
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.seal import seal
from jwturn.custody.kek.local import LocalKek
from jwturn.custody.sealed import SealedCustody
from jwturn.testing.custody_suite import key_of

RING = "ring-1"
KEK = LocalKek(Secret(bytes(range(32))))
OTHER = LocalKek(Secret(bytes(range(1, 33))))


@pytest.fixture
def custody() -> SealedCustody:
    return SealedCustody("store-1", [KEK])


@pytest.fixture
def key(custody: SealedCustody) -> Key:
    return key_of(custody.create("ES256", RING))


def test_another_kek_is_refused_with_both_fingerprints(key: Key) -> None:
    with pytest.raises(CustodyError) as refused:
        SealedCustody("store-1", [OTHER]).open(key, RING)
    assert KEK.fingerprint in str(refused.value)
    assert OTHER.fingerprint in str(refused.value)
    assert refused.value.exit_code == 77


def test_without_a_kek_nothing_is_made() -> None:
    with pytest.raises(CustodyError):
        SealedCustody("store-1", []).create("ES256", RING)


def test_a_public_half_edited_together_with_its_envelope_is_refused(custody: SealedCustody, key: Key) -> None:
    """The envelope opens in its place, and holds another key's half."""
    planted = generate("ES256")
    aad = custody._aad(RING, key.kid, key.alg, key.public)
    forged = replace(key, private=seal(planted.private, aad, [KEK]))
    with pytest.raises(IntegrityError, match="not that of its public half"):
        custody.open(forged, RING)


def test_a_secret_in_the_place_of_a_private_half_is_refused(custody: SealedCustody, key: Key) -> None:
    aad = custody._aad(RING, key.kid, key.alg, key.public)
    forged = replace(key, private=seal(Secret(b"s" * 32), aad, [KEK]))
    with pytest.raises(IntegrityError):
        custody.open(forged, RING)


def test_an_envelope_made_for_another_ring_of_the_same_store_is_refused(custody: SealedCustody) -> None:
    key = key_of(custody.create("HS256", "ring-2"))
    with pytest.raises(IntegrityError):
        custody.reveal(key, RING)


def test_either_of_two_keks_opens(custody: SealedCustody) -> None:
    key = key_of(SealedCustody("store-1", [KEK, OTHER]).create("EdDSA", RING))
    for kek in (KEK, OTHER):
        assert SealedCustody("store-1", [kek]).open(key, RING).sign(b"data")
    assert key.private is not None
    assert [wrap.kek for wrap in key.private.wraps] == [KEK.fingerprint, OTHER.fingerprint]


def test_an_envelope_holds_no_plaintext(custody: SealedCustody) -> None:
    key = key_of(custody.create("HS256", RING))
    secret = custody.reveal(key, RING).reveal()
    sealed = pickle.dumps(key.private)
    assert secret not in sealed
    assert secret[:8] not in sealed


def test_rsa_keys_have_the_size_that_was_asked_for(custody: SealedCustody) -> None:
    small, large = (custody.create("RS256", RING, rsa_bits=bits) for bits in (2048, 3072))
    assert [len(made.public["n"]) for made in (small, large) if made.public] == [342, 512]


def test_a_size_that_is_not_offered_is_refused(custody: SealedCustody) -> None:
    with pytest.raises(BadInput):
        custody.create("RS256", RING, rsa_bits=1024)


def test_an_adopted_key_without_kid_gets_our_own(custody: SealedCustody) -> None:
    pair = generate("ES256")
    made = custody.adopt("ES256", RING, private=pair.private, public=pair.public, kid=None)
    assert pair.public is not None
    assert made.kid == thumbprint(pair.public)
    secret = custody.adopt("HS256", RING, private=Secret(bytes(range(32))), public=None, kid=None)
    assert len(secret.kid) == 22


def test_the_public_half_that_is_kept_is_derived_again(custody: SealedCustody) -> None:
    pair = generate("ES256")
    assert pair.public is not None
    given = {name: value for name, value in pair.public.items() if name != "alg"} | {"use": "sig"}
    assert custody.adopt("ES256", RING, private=pair.private, public=given, kid="k").public == pair.public


def test_a_short_secret_is_not_adopted(custody: SealedCustody) -> None:
    with pytest.raises(WeakKey):
        custody.adopt("HS512", RING, private=Secret(b"s" * 63), public=None, kid="k")


def test_a_shredded_key_says_so(custody: SealedCustody, key: Key) -> None:
    with pytest.raises(StateForbids, match=key.kid):
        custody.reveal(replace(key, private=None), RING)


def test_the_repr_names_keks_only(custody: SealedCustody) -> None:
    assert repr(custody) == f"SealedCustody('store-1', keks=['{KEK.fingerprint}'])"


CANARY = b"canary-canary-canary-canary-canary-canary-canary-canary-canary-x"


@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_no_refusal_shows_the_private_half(custody: SealedCustody, alg: str) -> None:
    pair = generate(alg)
    private = Secret(CANARY) if alg == "HS256" else pair.private
    key = key_of(custody.adopt(alg, RING, private=private, public=pair.public, kid="k"))
    for broken, ring in ((replace(key, kid="j"), RING), (key, "ring-2")):
        with pytest.raises(IntegrityError) as refused:
            custody.open(broken, ring)
        assert_no_trace(refused.value, private)


def test_a_malformed_private_half_does_not_show_when_it_is_refused(custody: SealedCustody) -> None:
    with pytest.raises(BadInput) as refused:
        custody.adopt("ES256", RING, private=Secret(CANARY), public=generate("ES256").public, kid="k")
    assert_no_trace(refused.value, Secret(CANARY))


def assert_no_trace(error: BaseException, secret: Secret) -> None:
    """Neither the error, its causes, its arguments nor the locals of its traceback show the secret."""
    whole = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    shown = f"{whole} {error!r} {error.args!r} {vars(error)!r}"
    for form in (secret.reveal().hex(), repr(secret.reveal())[2:-1], secret.reveal().decode("latin-1")):
        assert form not in shown


@pytest.mark.parametrize(("alg", "number"), [("HS256", 800), ("EdDSA", 800)])
def test_a_kid_of_ours_never_begins_with_a_dash(custody: SealedCustody, alg: str, number: int) -> None:
    """One in 64 would: a run without any by chance is one in 300,000."""
    kids = {custody.create(alg, RING).kid for _ in range(number)}
    assert len(kids) == number
    assert not [kid for kid in kids if kid.startswith("-")]
    assert any("-" in kid for kid in kids)

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS, PUBLIC_MEMBERS, thumbprint, unb64url
from jwturn.crypto.generate import generate
from jwturn.crypto.printable import ALPHABET, CLASSES, draw, printable_entropy_bits, printable_length
from tests.crypto.keys import ASYMMETRIC, SYMMETRIC, pair


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_public_half_holds_its_public_members_and_alg_only(alg):
    public = pair(alg).public
    assert public is not None
    assert public.keys() == PUBLIC_MEMBERS[ALGS[alg].kty] | {"alg"}
    assert public["alg"] == alg
    assert len(thumbprint(public)) == 43


@pytest.mark.parametrize("alg", SYMMETRIC)
def test_a_secret_has_no_public_half_and_the_length_of_its_hash(alg):
    made = pair(alg)
    assert made.public is None
    assert len(made.private) == ALGS[alg].secret_bytes_min


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_keys_have_the_size_asked_for(bits):
    public = generate("RS256", rsa_bits=bits).public
    assert public is not None
    assert int.from_bytes(unb64url(public["n"]), "big").bit_length() == bits
    assert public["e"] == "AQAB"


def test_rsa_keys_have_3072_bits_unless_asked():
    public = generate("PS256").public
    assert public is not None
    assert len(unb64url(public["n"])) == 384


@pytest.mark.parametrize("bits", [0, 1024, 2047, 8192, -1])
def test_other_rsa_sizes_are_refused(bits):
    with pytest.raises(BadInput) as refused:
        generate("RS256", rsa_bits=bits)
    assert "3072" in refused.value.hint


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "ML-DSA-44", "HS256"])
def test_two_keys_are_never_the_same(alg):
    first, second = generate(alg), generate(alg)
    assert first.private.reveal() != second.private.reveal()


def test_only_secrets_have_a_printable_form():
    with pytest.raises(BadInput) as refused:
        generate("ES256", printable=True)
    assert "HS256" in refused.value.hint


@pytest.mark.parametrize(("alg", "bits"), [("HS256", 256), ("HS384", 384), ("HS512", 512)])
def test_a_printable_secret_has_every_class_and_no_less_entropy(alg, bits):
    text = generate(alg, printable=True).private.reveal().decode("ascii")
    assert set(text) <= set(ALPHABET)
    assert all(any(character in kind for character in text) for kind in CLASSES)
    assert printable_entropy_bits(len(text)) >= bits
    assert printable_entropy_bits(len(text) - 1) < bits
    assert len(text) >= ALGS[alg].secret_bytes_min


def test_the_alphabet_needs_no_quoting():
    unreserved = set(string.ascii_letters + string.digits + "-._~")
    assert set(ALPHABET) <= unreserved
    assert len(set(ALPHABET)) == len(ALPHABET) == 64


def test_the_entropy_counts_exactly_the_strings_with_all_classes():
    # Four characters, one of each class, in any of 4! orders.
    assert printable_entropy_bits(4) == pytest.approx(math.log2(26 * 26 * 10 * 2 * math.factorial(4)))


def test_no_string_of_three_characters_has_four_classes():
    assert printable_entropy_bits(3) == 0.0


@given(st.integers(4, 200))
def test_entropy_grows_by_a_character_and_stays_below_six_bits_each(length):
    assert printable_entropy_bits(length) < printable_entropy_bits(length + 1) < 6 * (length + 1)


@given(st.integers(14, 600))
def test_the_length_is_the_least_that_holds_the_bits(bits):
    length = printable_length(bits)
    assert printable_entropy_bits(length - 1) < bits <= printable_entropy_bits(length)


@given(st.integers(4, 60))
def test_a_drawn_string_has_its_length_and_every_class(length):
    text = draw(length)
    assert len(text) == length
    assert all(set(kind) & set(text) for kind in CLASSES)

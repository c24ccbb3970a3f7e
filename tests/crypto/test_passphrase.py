import inspect

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.passphrase import derive
from jwturn.crypto.seal import fingerprint

SALT = b"0123456789abcdef"
CHEAP = {"memory_kib": 64, "iterations": 1, "lanes": 1}


def test_the_default_is_the_second_option_of_rfc_9106():
    options = inspect.signature(derive).parameters
    chosen = {name: options[name].default for name in ("memory_kib", "iterations", "lanes")}
    assert chosen == {"memory_kib": 2**16, "iterations": 3, "lanes": 4}


def test_it_is_argon2id():
    expected = Argon2id(salt=SALT, length=32, iterations=3, lanes=4, memory_cost=2**16).derive(
        b"correct horse"
    )
    assert derive(Secret(b"correct horse"), SALT).reveal() == expected


def test_the_key_is_fit_to_be_a_kek():
    assert len(fingerprint(derive(Secret(b"correct horse"), SALT, **CHEAP))) == 16


@pytest.mark.parametrize(
    ("passphrase", "salt", "options"),
    [
        (b"other", SALT, CHEAP),
        (b"words", SALT[::-1], CHEAP),
        (b"words", SALT + b"+", CHEAP),
        (b"words", SALT, CHEAP | {"memory_kib": 65}),
        (b"words", SALT, CHEAP | {"iterations": 2}),
        (b"words", SALT, CHEAP | {"lanes": 2}),
    ],
)
def test_everything_that_goes_in_matters(passphrase, salt, options):
    assert (
        derive(Secret(b"words"), SALT, **CHEAP).reveal()
        != derive(Secret(passphrase), salt, **options).reveal()
    )


def test_an_empty_passphrase_is_refused():
    with pytest.raises(WeakKey):
        derive(Secret(b""), SALT, **CHEAP)


def test_a_short_salt_is_refused():
    with pytest.raises(BadInput, match="salt"):
        derive(Secret(b"words"), SALT[:15], **CHEAP)


@pytest.mark.parametrize(
    "edit",
    [
        {"memory_kib": 7},
        {"memory_kib": 31, "lanes": 4},
        {"memory_kib": 2**30},
        {"iterations": 0},
        {"iterations": 10**9},
        {"lanes": 0},
        {"lanes": -1},
        {"lanes": 10**6},
    ],
)
def test_parameters_that_are_out_of_range_are_refused_with_the_recommended_ones(edit):
    with pytest.raises(BadInput, match="out of range") as refused:
        derive(Secret(b"words"), SALT, **(CHEAP | edit))
    assert "65536 KiB" in refused.value.hint

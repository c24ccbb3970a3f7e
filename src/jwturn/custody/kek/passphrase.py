"""A KEK from a passphrase, by Argon2id (RFC 9106): nothing beside the store is needed to open it again.

Every wrap begins with the salt and the cost it was made under. A store's first wrap draws the salt and
later wraps take it over, so one derivation serves all of them. The fingerprint is that of the derived
key: to test a guess against it costs an attacker the same derivation as to test it against a wrap. Costs
below ours are refused, else who can write the store could make guessing cheap.
"""

import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from jwturn.core.envelope import Wrap
from jwturn.core.errors import BadInput, CustodyError, IntegrityError, WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.passphrase import ITERATIONS, LANES, MEMORY_KIB, SALT_BYTES, derive
from jwturn.crypto.seal import fingerprint, unwrap_aes, wrap_aes

CHARACTERS_MIN: Final = 15
"""NIST SP 800-63B-4 section 3.1.1.2: the least for a passphrase that is the only factor."""
MAGIC: Final = b"jwturn-argon2id-1\0"
_COST: Final = struct.Struct(">III")
_PREFIX_BYTES: Final = len(MAGIC) + _COST.size + SALT_BYTES


@dataclass(frozen=True, slots=True)
class Salted:
    """What a passphrase is derived with: the salt, and Argon2id's cost (KiB, passes, lanes)."""

    salt: bytes
    memory_kib: int = MEMORY_KIB
    iterations: int = ITERATIONS
    lanes: int = LANES

    def prefix(self) -> bytes:
        """What a wrap begins with."""
        return MAGIC + _COST.pack(self.memory_kib, self.iterations, self.lanes) + self.salt


class PassphraseKek:
    """Wraps under a key derived from a passphrase; no repr, pickle or copy gives either away."""

    __slots__ = ("_derived", "_passphrase", "_salted", "fingerprint")

    fingerprint: str
    """16 hexadecimal digits; to test a guess against them costs one derivation."""

    def __init__(self, passphrase: Secret, salted: Salted) -> None:
        self._passphrase = passphrase
        self._salted = salted
        self._derived: dict[Salted, Secret] = {}
        self.fingerprint = fingerprint(self._key(salted))

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """The DEK, encrypted and bound to `aad`, behind the salt and cost."""
        return self._salted.prefix() + wrap_aes(self._key(self._salted), dek, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """The DEK; raises IntegrityError if it was not wrapped by this passphrase under `aad`."""
        salted = salted_of(wrapped)
        if salted is None:
            raise IntegrityError(
                "a wrap is not one of a passphrase", hint="the store was edited: jwturn audit verify"
            )
        return unwrap_aes(self._key(salted), wrapped[_PREFIX_BYTES:], aad)

    def __repr__(self) -> str:
        return f"PassphraseKek({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("KEKs cannot be pickled or copied")

    def _key(self, salted: Salted) -> Secret:
        if salted not in self._derived:
            cost = (salted.memory_kib, salted.iterations, salted.lanes)
            self._derived[salted] = _derive(self._passphrase, salted.salt, cost)
        return self._derived[salted]


def first(passphrase: Secret) -> PassphraseKek:
    """The KEK of a new store, under a fresh salt. Raises WeakKey below CHARACTERS_MIN characters."""
    if len(passphrase.reveal().decode("utf-8", "replace")) < CHARACTERS_MIN:
        raise WeakKey(
            f"the passphrase is shorter than {CHARACTERS_MIN} characters",
            hint="five or six words drawn by dice; nothing was made",
        )
    return PassphraseKek(passphrase, Salted(secrets.token_bytes(SALT_BYTES)))


def again(passphrase: Secret, wraps: Iterable[Wrap]) -> PassphraseKek:
    """The KEK of a store that is there; `wraps` are those of its integrity key.

    A passphrase that opens none of them gives a KEK whose fingerprint is not the store's: whoever opens
    with it says so. Raises CustodyError where no wrap is of a passphrase, IntegrityError where its cost
    was edited.
    """
    wraps = list(wraps)
    found = [(wrap, salted) for wrap in wraps if (salted := salted_of(wrap.wrapped))]
    if not found:
        names = ", ".join(wrap.kek for wrap in wraps) or "none"
        raise CustodyError(
            f"this store is not sealed with a passphrase: it needs KEK {names}, given: a passphrase",
            hint="name the KEK the store was made with: kek = file:... or systemd:... in jwturn.toml",
        )
    keks = [(wrap, PassphraseKek(passphrase, salted)) for wrap, salted in found]
    return next((kek for wrap, kek in keks if wrap.kek == kek.fingerprint), keks[0][1])


def salted_of(wrapped: bytes) -> Salted | None:
    """The salt and cost of a passphrase's wrap, None for another kind; IntegrityError where it is too low."""
    if not wrapped.startswith(MAGIC) or len(wrapped) < _PREFIX_BYTES:
        return None
    memory_kib, iterations, lanes = _COST.unpack_from(wrapped, len(MAGIC))
    if memory_kib < MEMORY_KIB or iterations < ITERATIONS:
        raise IntegrityError(
            f"a passphrase's wrap says Argon2id with {memory_kib} KiB and {iterations} passes:"
            " less than jwturn uses",
            hint="the store was edited: jwturn audit verify, then restore it from a backup",
        )
    return Salted(wrapped[_PREFIX_BYTES - SALT_BYTES : _PREFIX_BYTES], memory_kib, iterations, lanes)


def _derive(passphrase: Secret, salt: bytes, cost: tuple[int, int, int]) -> Secret:
    try:
        return derive(passphrase, salt, memory_kib=cost[0], iterations=cost[1], lanes=cost[2])
    except WeakKey:
        raise
    except (BadInput, MemoryError) as error:
        raise IntegrityError(
            "a passphrase's wrap says an Argon2id cost that this machine cannot pay",
            hint="the store was edited: jwturn audit verify, then restore it from a backup",
        ) from error

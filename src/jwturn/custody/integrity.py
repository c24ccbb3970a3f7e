"""The integrity key: made with the store, wrapped by its KEK, and what authenticates every head in it.

Who can write the database but does not hold the KEK cannot plant or edit a ring, an issuer or an API
token. The envelope is bound to the store's id and to this purpose, so it cannot pass for a private half,
nor one for it.
"""

import secrets
from collections.abc import Sequence
from typing import Final, NoReturn

from jwturn.core.envelope import FORMAT, Envelope, canonical
from jwturn.core.errors import CustodyError
from jwturn.core.secret import Secret
from jwturn.crypto.seal import check_mac, integrity_mac, seal, unseal
from jwturn.ports.kek import Kek
from jwturn.ports.store import Identity

INTEGRITY_BYTES: Final = 32


class IntegritySeal:
    """Seals heads of one store with HMAC-SHA256; no repr, pickle or copy gives its key away."""

    __slots__ = ("_key",)

    def __init__(self, key: Secret) -> None:
        self._key = key

    def seal(self, head: bytes) -> bytes:
        """The MAC of `head`."""
        return integrity_mac(self._key, head)

    def check(self, head: bytes, mac: bytes) -> bool:
        """Whether `mac` is that of `head`, in constant time."""
        return check_mac(self._key, head, mac)

    def __repr__(self) -> str:
        return "IntegritySeal(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("seals cannot be pickled or copied")


def new_integrity(store_id: str, keks: Sequence[Kek]) -> Envelope:
    """A fresh integrity key for a new store, sealed. Raises CustodyError without a KEK."""
    return seal(Secret(secrets.token_bytes(INTEGRITY_BYTES)), _aad(store_id), keks)


def head_seal(identity: Identity, keks: Sequence[Kek]) -> IntegritySeal:
    """What authenticates the heads of this store: a `HeadSeal`.

    Raises CustodyError, naming the store's KEK and those given, if none of them is the store's;
    IntegrityError if the envelope was edited or belongs to another store. Writes nothing.
    """
    wanted, given = kek_names(identity), [kek.fingerprint for kek in keks]
    if not set(wanted) & set(given):
        raise CustodyError(
            f"the KEK does not open this store: it needs {_or_none(wanted)}, given: {_or_none(given)}",
            hint="restore the KEK the store was made with; jwturn config show --origin says where it is"
            " looked for. No new one was made: it could open nothing",
            wanted=wanted,
            offered=given,
        )
    return IntegritySeal(unseal(identity.integrity, _aad(identity.store_id), keks))


def kek_names(identity: Identity) -> list[str]:
    """The fingerprints of the KEKs that open this store."""
    return [wrap.kek for wrap in identity.integrity.wraps]


def _aad(store_id: str) -> bytes:
    return canonical([FORMAT, store_id, "integrity"])


def _or_none(fingerprints: Sequence[str]) -> str:
    return ", ".join(fingerprints) or "none"

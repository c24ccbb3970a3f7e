"""What rows hold and what authenticates them.

A ring's document is its JSON without private halves; its MAC also covers the store's id and the kids whose
halves lie beside it, so a row edited, swapped between rings or stores, or a half planted or taken away is
noticed. The columns that stand beside a document for look-ups are compared with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from jwturn.core.envelope import Envelope, canonical
from jwturn.core.errors import IntegrityError
from jwturn.core.keys import KeyRing
from jwturn.core.tokens import ApiToken
from jwturn.ports.store import HeadSeal, RingRow
from jwturn.stores.rows import IssuerRecord, RingRecord, TokenRecord

_T = TypeVar("_T")
HINT: Final = "restore a backup that was not edited, or say `jwturn recover`; jwturn audit verify shows more"
READ_MAX: Final = 256
"""How many rings are kept as they were read: a few kilobytes each."""


@dataclass(frozen=True, slots=True)
class Seals:
    """Makes and reads the records of one store."""

    seal: HeadSeal
    store_id: str
    _read: dict[str, tuple[RingRecord, Mapping[str, bytes], KeyRing]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """By ring what was read last: the same rows under the same seal are the same ring."""

    def ring_record(self, ring: KeyRing, due_at: datetime | None) -> RingRecord:
        """A ring as it is kept."""
        doc = msgspec.json.encode(ring.without_private())
        halves = [key.kid for key in ring.keys if key.private is not None]
        row = RingRow(ring.id, ring.name, ring.issuer, ring.epoch, due_at)
        return RingRecord(row, doc, self.seal.seal(self._ring_bytes(doc, halves)))

    def ring(self, record: RingRecord, halves: Mapping[str, bytes]) -> KeyRing:
        """The ring of a record, with its private halves. Raises IntegrityError."""
        row, what = record.row, f"ring {record.row.name}"
        known = self._read.get(row.id)
        if known is not None and known[0] == record and known[1] == halves:
            return known[2]
        if not self.seal.check(self._ring_bytes(record.doc, list(halves)), record.mac):
            raise forged(what)
        ring = read(record.doc, KeyRing, what)
        if (ring.id, ring.name, ring.issuer, ring.epoch) != (row.id, row.name, row.issuer, row.epoch):
            raise forged(what)
        private = {
            kid: read(half, Envelope, f"the private half of key {kid}") for kid, half in halves.items()
        }
        whole = replace(ring, keys=tuple(replace(key, private=private.get(key.kid)) for key in ring.keys))
        if len(self._read) >= READ_MAX:
            self._read.clear()
        self._read[row.id] = (record, dict(halves), whole)
        return whole

    def issuer_record(self, issuer: str, *, served: bool) -> IssuerRecord:
        """An issuer as it is kept."""
        return IssuerRecord(issuer, served, self.seal.seal(self._bytes("issuer", issuer, served)))

    def served(self, record: IssuerRecord) -> bool:
        """Whether the issuer was ever served. Raises IntegrityError."""
        if not self.seal.check(self._bytes("issuer", record.issuer, record.served), record.mac):
            raise forged(f"issuer {record.issuer}")
        return record.served

    def token_record(self, token: ApiToken) -> TokenRecord:
        """An API token as it is kept."""
        doc = msgspec.json.encode(token)
        return TokenRecord(token.name, doc, self.seal.seal(self._bytes("token") + doc))

    def token(self, record: TokenRecord) -> ApiToken:
        """The token of a record. Raises IntegrityError."""
        what = f"API token {record.name}"
        if not self.seal.check(self._bytes("token") + record.doc, record.mac):
            raise forged(what)
        token = read(record.doc, ApiToken, what)
        if token.name != record.name:
            raise forged(what)
        return token

    def _ring_bytes(self, doc: bytes, halves: list[str]) -> bytes:
        return self._bytes("ring", sorted(halves)) + doc

    def _bytes(self, kind: str, *values: object) -> bytes:
        return canonical([kind, self.store_id, *values]) + b"\n"


def half(envelope: Envelope) -> bytes:
    """A sealed private half as it is kept."""
    return msgspec.json.encode(envelope)


def read(doc: bytes, kind: type[_T], what: str) -> _T:
    """A value from its document. Raises IntegrityError where it is not one."""
    try:
        return msgspec.json.decode(doc, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise IntegrityError(
            f"{what} cannot be read ({error})", hint=HINT + "; if a newer jwturn wrote it, use that one"
        ) from error


def forged(what: str) -> IntegrityError:
    """The error for a row that does not carry the MAC of what it says."""
    return IntegrityError(
        f"{what} was not written by this store: its row was edited, swapped or taken from elsewhere",
        hint=HINT,
        code="forged_row",
    )

"""What a database has to offer: rows, in transactions. All rules stand above, in commit.py and grants.py.

`Rows` lives for one transaction. A reading one sees a single snapshot, taken at its first read; a writing one
is alone with what it has read (or fails), and its writes appear together or not at all.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jwturn.core.leases import Lease, Mark, Minute, RingLeases
from jwturn.core.ledger import Event, Head
from jwturn.core.seen import Seen
from jwturn.ports.store import Identity, RingRow


@dataclass(frozen=True, slots=True)
class RingRecord:
    """A ring as it is kept: `doc` has no private halves, `mac` authenticates it; the rest is index."""

    row: RingRow
    doc: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """Whether an issuer's set has ever been served."""

    issuer: str
    served: bool
    mac: bytes


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An API token as it is kept."""

    name: str
    doc: bytes
    mac: bytes


class RingRows(Protocol):
    """Rings, their private halves, their issuers."""

    def ring_id(self, name: str) -> str | None:
        """The id of a ring."""

    def ring(self, ring_id: str) -> RingRecord | None:
        """A ring; in a writing transaction it is held to its end."""

    def rings(self) -> Sequence[RingRow]:
        """Every ring, by name."""

    def ring_ids(self, issuer: str) -> Sequence[str]:
        """The ids of an issuer's rings, by name."""

    def due(self, before: datetime, limit: int) -> Sequence[str]:
        """Names of rings due not after `before`, the most overdue first."""

    def next_due(self) -> datetime | None:
        """The earliest due time of any ring."""

    def add_ring(self, record: RingRecord) -> bool:
        """A new ring; False where its id or name is taken."""

    def swap_ring(self, record: RingRecord, epoch: int) -> bool:
        """Puts the ring in place of itself at `epoch`; False where it is there no more."""

    def set_due(self, ring_id: str, due_at: datetime | None) -> None:
        """Writes the due time alone."""

    def halves(self, ring_id: str) -> Mapping[str, bytes]:
        """The sealed private halves of a ring's keys, by kid."""

    def put_half(self, ring_id: str, kid: str, envelope: bytes) -> None:
        """Keeps a half."""

    def drop_half(self, ring_id: str, kid: str) -> None:
        """Deletes a half so that its bytes do not stay in the database."""

    def claim_kid(self, issuer: str, kid: str, ring_id: str) -> bool:
        """Takes a kid for ever; False where it was taken."""

    def issuer(self, issuer: str) -> IssuerRecord | None:
        """An issuer."""

    def add_issuer(self, record: IssuerRecord) -> None:
        """A new issuer."""

    def swap_issuer(self, record: IssuerRecord) -> bool:
        """Puts a served issuer in place of itself unserved; False where it is there no more."""


class LeaseRows(Protocol):
    """Leases, marks, counts, seen time: none of them moves an epoch."""

    def leases(self, ring_id: str) -> RingLeases:
        """All leases and marks of a ring."""

    def leases_of(self, node: str) -> Sequence[tuple[str, Lease]]:
        """The leases of a node, each with its ring's id."""

    def mark(self, ring_id: str, kid: str, node: str) -> Mark | None:
        """A node's mark on a key."""

    def put_lease(self, ring_id: str, lease: Lease) -> None:
        """Keeps a node's lease on a ring."""

    def drop_lease(self, ring_id: str, node: str) -> None:
        """Ends it."""

    def put_mark(self, ring_id: str, mark: Mark) -> None:
        """Keeps a mark."""

    def forget_key(self, ring_id: str, kid: str) -> None:
        """Drops the leases, marks and counts of a key that is gone."""

    def add_counts(self, ring_id: str, kid: str, issued: Mapping[Minute, int]) -> None:
        """Adds tokens issued, by expiry minute."""

    def drop_counts(self, before: Minute) -> None:
        """Drops the counts of minutes that are past."""

    def counts(self, ring_id: str) -> Mapping[str, Mapping[Minute, int]]:
        """Tokens issued per kid by expiry minute."""

    def seen(self) -> Seen:
        """The row of seen time; in a writing transaction it is held to its end."""

    def put_seen(self, seen: Seen) -> None:
        """Writes it."""


class JournalRows(Protocol):
    """Events, tokens, the identity, and the version that moves with every change people may wait for."""

    def append(self, event: Event) -> bool:
        """A line of a chain; False where its place is taken."""

    def events(self, chain: str, after: int, limit: int) -> Sequence[Event]:
        """Lines with seq > `after`, in order."""

    def hash_at(self, chain: str, seq: int) -> str | None:
        """The hash of a line."""

    def head(self, chain: str) -> Head:
        """The end of a chain."""

    def heads_listed(self) -> Mapping[str, Head]:
        """The heads as the checkpoints so far list them."""

    def list_heads(self, heads: Mapping[str, Head]) -> None:
        """Notes what a checkpoint lists."""

    def tokens(self) -> Sequence[TokenRecord]:
        """Every API token, by name."""

    def put_token(self, record: TokenRecord) -> None:
        """Keeps a token, in place of the one of its name."""

    def identity(self) -> Identity | None:
        """What the store is."""

    def begin(self, identity: Identity, seen: Seen) -> bool:
        """Makes the store; False where there is one."""

    def version(self) -> int:
        """How often anything changed that somebody may wait for."""

    def moved(self) -> None:
        """Adds one to the version."""


class Rows(RingRows, LeaseRows, JournalRows, Protocol):
    """The rows of a store, within one transaction."""


class Database(Protocol):
    """Transactions on rows, and word of their commits."""

    def exists(self) -> bool:
        """Whether there is anything to open yet."""

    def make(self) -> None:
        """Makes what is to be opened, where there is nothing."""

    def reading(self) -> AbstractContextManager[Rows]:
        """A snapshot."""

    def writing(self) -> AbstractContextManager[Rows]:
        """A transaction that is committed at the end of the block, or rolled back by an exception."""

    def scrub(self) -> None:
        """After private halves were deleted: what more can be done so that no log keeps their bytes."""

    def pause(self, seconds: float) -> bool:
        """Waits until something was committed, at most `seconds`; False once the database is closed."""

    def close(self) -> None:
        """Frees files and connections; may be called twice."""

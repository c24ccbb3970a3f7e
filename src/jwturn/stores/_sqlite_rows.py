"""The rows of rows.py in SQLite, on a connection inside a transaction; what each does, its Protocol says."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from jwturn.core.leases import Lease, Mark, Minute, RingLeases
from jwturn.core.ledger import Event, Head
from jwturn.core.seen import Seen
from jwturn.ports.store import Identity, RingRow
from jwturn.stores.rows import IssuerRecord, RingRecord, TokenRecord
from jwturn.stores.seals import read

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_FORGET: Final = (
    "DELETE FROM leases WHERE ring_id = ? AND kid = ?",
    "DELETE FROM marks WHERE ring_id = ? AND kid = ?",
    "DELETE FROM counts WHERE ring_id = ? AND kid = ?",
)


class SqliteRows:
    """Every value is a bound parameter; every write counts its rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.has_moved = False

    def _all(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> Any:
        return self._connection.execute(sql, values).fetchone()

    def _run(self, sql: str, *values: Any) -> bool:
        return self._connection.execute(sql, values).rowcount > 0

    def ring_id(self, name: str) -> str | None:
        row = self._one("SELECT id FROM rings WHERE name = ?", name)
        return row[0] if row else None

    def ring(self, ring_id: str) -> RingRecord | None:
        row = self._one("SELECT doc, mac, id, name, issuer, epoch, due_us FROM rings WHERE id = ?", ring_id)
        return RingRecord(_ring_row(row[2:]), row[0], row[1]) if row else None

    def rings(self) -> Sequence[RingRow]:
        return [
            _ring_row(row)
            for row in self._all("SELECT id, name, issuer, epoch, due_us FROM rings ORDER BY name")
        ]

    def ring_ids(self, issuer: str) -> Sequence[str]:
        return [row[0] for row in self._all("SELECT id FROM rings WHERE issuer = ? ORDER BY name", issuer)]

    def due(self, before: datetime, limit: int) -> Sequence[str]:
        sql = "SELECT name FROM rings WHERE due_us <= ? ORDER BY due_us, name LIMIT ?"
        return [row[0] for row in self._all(sql, _micros(before), limit)]

    def next_due(self) -> datetime | None:
        (due,) = self._all("SELECT min(due_us) FROM rings")[0]
        return None if due is None else _EPOCH + due * _US

    def add_ring(self, record: RingRecord) -> bool:
        row = record.row
        return self._run(
            "INSERT INTO rings (id, name, issuer, epoch, due_us, doc, mac) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            *(row.id, row.name, row.issuer, row.epoch, _micros_or_none(row.due_at), record.doc, record.mac),
        )

    def swap_ring(self, record: RingRecord, epoch: int) -> bool:
        row = record.row
        return self._run(
            "UPDATE rings SET epoch = ?, doc = ?, mac = ?, due_us = ? WHERE id = ? AND epoch = ?",
            *(row.epoch, record.doc, record.mac, _micros_or_none(row.due_at), row.id, epoch),
        )

    def set_due(self, ring_id: str, due_at: datetime | None) -> None:
        due = _micros_or_none(due_at)
        self._run("UPDATE rings SET due_us = ? WHERE id = ? AND due_us IS NOT ?", due, ring_id, due)

    def halves(self, ring_id: str) -> Mapping[str, bytes]:
        return dict(self._all("SELECT kid, envelope FROM halves WHERE ring_id = ?", ring_id))

    def put_half(self, ring_id: str, kid: str, envelope: bytes) -> None:
        self._run(
            "INSERT OR REPLACE INTO halves (ring_id, kid, envelope) VALUES (?, ?, ?)", ring_id, kid, envelope
        )

    def drop_half(self, ring_id: str, kid: str) -> None:
        self._run("DELETE FROM halves WHERE ring_id = ? AND kid = ?", ring_id, kid)

    def claim_kid(self, issuer: str, kid: str, ring_id: str) -> bool:
        sql = "INSERT INTO kids (issuer, kid, ring_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        return self._run(sql, issuer, kid, ring_id)

    def issuer(self, issuer: str) -> IssuerRecord | None:
        row = self._one("SELECT issuer, served, mac FROM issuers WHERE issuer = ?", issuer)
        return IssuerRecord(row[0], bool(row[1]), row[2]) if row else None

    def add_issuer(self, record: IssuerRecord) -> None:
        sql = "INSERT INTO issuers (issuer, served, mac) VALUES (?, ?, ?)"
        self._run(sql, record.issuer, int(record.served), record.mac)

    def swap_issuer(self, record: IssuerRecord) -> bool:
        sql = "UPDATE issuers SET served = 1, mac = ? WHERE issuer = ? AND served = 0"
        return self._run(sql, record.mac, record.issuer)

    def leases(self, ring_id: str) -> RingLeases:
        leases = self._all(
            "SELECT node, kid, number, until_us FROM leases WHERE ring_id = ? ORDER BY node", ring_id
        )
        marks = self._all(
            "SELECT node, kid, exp_us, seen_us, number FROM marks WHERE ring_id = ? ORDER BY kid, node",
            ring_id,
        )
        return RingLeases(tuple(_lease(row) for row in leases), tuple(_mark(row) for row in marks))

    def leases_of(self, node: str) -> Sequence[tuple[str, Lease]]:
        rows = self._all("SELECT ring_id, node, kid, number, until_us FROM leases WHERE node = ?", node)
        return [(row[0], _lease(row[1:])) for row in rows]

    def mark(self, ring_id: str, kid: str, node: str) -> Mark | None:
        sql = (
            "SELECT node, kid, exp_us, seen_us, number FROM marks WHERE ring_id = ? AND kid = ? AND node = ?"
        )
        row = self._one(sql, ring_id, kid, node)
        return _mark(row) if row else None

    def put_lease(self, ring_id: str, lease: Lease) -> None:
        self._run(
            "INSERT OR REPLACE INTO leases (ring_id, node, kid, number, until_us) VALUES (?, ?, ?, ?, ?)",
            *(ring_id, lease.node, lease.kid, lease.number, _micros(lease.until)),
        )

    def drop_lease(self, ring_id: str, node: str) -> None:
        self._run("DELETE FROM leases WHERE ring_id = ? AND node = ?", ring_id, node)

    def put_mark(self, ring_id: str, mark: Mark) -> None:
        self._run(
            "INSERT OR REPLACE INTO marks (ring_id, node, kid, exp_us, seen_us, number)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(ring_id, mark.node, mark.kid, _micros(mark.exp), mark.seen_until // _US, mark.number),
        )

    def forget_key(self, ring_id: str, kid: str) -> None:
        for sql in _FORGET:
            self._run(sql, ring_id, kid)

    def add_counts(self, ring_id: str, kid: str, issued: Mapping[Minute, int]) -> None:
        sql = (
            "INSERT INTO counts (ring_id, kid, minute, issued) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET issued = issued + excluded.issued"
        )
        for minute, count in issued.items():
            self._run(sql, ring_id, kid, minute, count)

    def drop_counts(self, before: Minute) -> None:
        self._run("DELETE FROM counts WHERE minute < ?", before)

    def counts(self, ring_id: str) -> Mapping[str, Mapping[Minute, int]]:
        found: dict[str, dict[Minute, int]] = {}
        for kid, minute, issued in self._all(
            "SELECT kid, minute, issued FROM counts WHERE ring_id = ?", ring_id
        ):
            found.setdefault(kid, {})[minute] = issued
        return found

    def seen(self) -> Seen:
        total, last = self._one("SELECT total_us, last_us FROM seen")
        return Seen(total * _US, _EPOCH + last * _US)

    def put_seen(self, seen: Seen) -> None:
        self._run("UPDATE seen SET total_us = ?, last_us = ?", seen.total // _US, _micros(seen.last))

    def append(self, event: Event) -> bool:
        return self._run(
            "INSERT INTO events (chain, seq, body, hash) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            *(event.chain, event.seq, msgspec.json.encode(event), event.hash),
        )

    def events(self, chain: str, after: int, limit: int) -> Sequence[Event]:
        sql = "SELECT body FROM events WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ?"
        return [
            read(row[0], Event, f"an event of chain {chain}") for row in self._all(sql, chain, after, limit)
        ]

    def hash_at(self, chain: str, seq: int) -> str | None:
        row = self._one("SELECT hash FROM events WHERE chain = ? AND seq = ?", chain, seq)
        return row[0] if row else None

    def head(self, chain: str) -> Head:
        row = self._one("SELECT seq, hash FROM events WHERE chain = ? ORDER BY seq DESC LIMIT 1", chain)
        return Head(*row) if row else Head(0, "")

    def heads_listed(self) -> Mapping[str, Head]:
        return {row[0]: Head(row[1], row[2]) for row in self._all("SELECT chain, count, hash FROM listed")}

    def list_heads(self, heads: Mapping[str, Head]) -> None:
        sql = "INSERT OR REPLACE INTO listed (chain, count, hash) VALUES (?, ?, ?)"
        for chain, head in heads.items():
            self._run(sql, chain, head.count, head.hash)

    def tokens(self) -> Sequence[TokenRecord]:
        return [TokenRecord(*row) for row in self._all("SELECT name, doc, mac FROM tokens ORDER BY name")]

    def put_token(self, record: TokenRecord) -> None:
        sql = "INSERT OR REPLACE INTO tokens (name, doc, mac) VALUES (?, ?, ?)"
        self._run(sql, record.name, record.doc, record.mac)

    def identity(self) -> Identity | None:
        row = self._one("SELECT identity FROM store")
        return read(row[0], Identity, "the store's identity") if row else None

    def begin(self, identity: Identity, seen: Seen) -> bool:
        sql = "INSERT INTO store (one, identity, version) VALUES (1, ?, 0) ON CONFLICT DO NOTHING"
        if not self._run(sql, msgspec.json.encode(identity)):
            return False
        sql = "INSERT INTO seen (one, total_us, last_us) VALUES (1, ?, ?)"
        return self._run(sql, seen.total // _US, _micros(seen.last))

    def version(self) -> int:
        row = self._one("SELECT version FROM store")
        return int(row[0]) if row else 0

    def moved(self) -> None:
        self._run("UPDATE store SET version = version + 1")
        self.has_moved = True


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _US


def _micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else _micros(at)


def _ring_row(row: Sequence[Any]) -> RingRow:
    due = row[4]
    return RingRow(row[0], row[1], row[2], row[3], None if due is None else _EPOCH + due * _US)


def _lease(row: Sequence[Any]) -> Lease:
    return Lease(row[0], row[1], row[2], _EPOCH + row[3] * _US)


def _mark(row: Sequence[Any]) -> Mark:
    return Mark(row[0], row[1], _EPOCH + row[2] * _US, row[3] * _US, row[4])

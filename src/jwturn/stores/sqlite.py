"""The store in one SQLite file: for one machine, any number of threads and processes.

Write-ahead log, synchronous=FULL; every write runs under BEGIN IMMEDIATE, so what it has read stays true
until it commits, and still swaps on the epoch. The file, its log and its shared memory are 0600. A deleted
private half is overwritten (secure_delete) and the log is emptied after it. A connection serves one thread at
a time, and never a process that was forked after it was made.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jwturn.core.errors import (
    FatalStorage,
    IntegrityError,
    JwturnError,
    LostRace,
    NotPermitted,
    StateForbids,
    Unavailable,
)
from jwturn.ports.clock import Clock
from jwturn.ports.files import demand_private, naming, write_private
from jwturn.stores._fork import ForkGate
from jwturn.stores._sqlite_rows import SqliteRows
from jwturn.stores.commit import no_store
from jwturn.stores.migrations import migrate
from jwturn.stores.rowstore import RowStore

BUSY_SECONDS: Final = 5.0
SETTINGS: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)
_FSYNC_FAILED: Final = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
_NO_ROOM: Final = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
"""A full disk where SQLite does not say SQLITE_FULL: a file, or the log's shared memory, cannot grow."""
_FORKED: Final[list["_Pool"]] = []
"""Pools of a parent process: a child may neither use nor close their connections."""


class SqliteStore(RowStore):
    """A store and its leases in the file at `path`. Nothing is made before `initialise`."""

    def __init__(self, path: Path | str, clock: Clock) -> None:
        super().__init__(SqliteDatabase(Path(path)), clock)


@dataclass(eq=False, slots=True)
class _Pool:
    """Idle connections of one process to one file."""

    inode: tuple[int, int]
    pid: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[sqlite3.Connection] = field(default_factory=list)

    def take(self) -> sqlite3.Connection | None:
        with self.lock:
            return self.idle.pop() if self.idle else None

    def give(self, connection: sqlite3.Connection) -> None:
        with self.lock:
            self.idle.append(connection)

    def close(self) -> None:
        while (connection := self.take()) is not None:
            connection.close()


class SqliteDatabase:
    """Transactions on one file."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._pool: _Pool | None = None
        self._moved = threading.Condition()
        self._pid = os.getpid()
        self._closed = False
        self._gate = ForkGate(self._let_go)

    def exists(self) -> bool:
        """Whether the file is there. Raises NotPermitted, Unavailable."""
        with naming(self._path):
            return self._path.exists()

    def make(self) -> None:
        """Makes the empty file, 0600, where there is none."""
        with suppress(StateForbids):
            write_private(self._path, b"", new=True)

    @contextmanager
    def reading(self) -> Iterator[SqliteRows]:
        """A snapshot."""
        with self._connected() as connection:
            connection.execute("BEGIN")
            yield SqliteRows(connection)
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[SqliteRows]:
        """A transaction that is alone from its first statement."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = SqliteRows(connection)
            yield rows
            connection.execute("COMMIT")
        if rows.has_moved:
            with self._condition():
                self._moved.notify_all()

    def scrub(self) -> None:
        """Moves the log into the file and empties it; left for later where a reader or the disk forbids."""
        with suppress(JwturnError), self._connected() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def pause(self, seconds: float) -> bool:
        """Waits for a commit of this process, at most `seconds`."""
        with self._condition():
            if not self._closed:
                self._moved.wait(seconds)
            return not self._closed

    def close(self) -> None:
        """Closes idle connections; those in use close when they are given back."""
        with self._condition():
            self._closed = True
            self._moved.notify_all()
        pool, self._pool = self._pool, None
        if pool is not None:
            self._end(pool)

    def _let_go(self) -> None:
        pool = self._pool
        if pool is not None and pool.pid == os.getpid():
            pool.close()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._gate.using(), self._lent() as connection:
            yield connection

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        pool, connection = self._take()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            raise self._told(error) from error
        except BaseException:
            self._roll_back(pool, connection)
            raise
        self._give(pool, connection)

    def _roll_back(self, pool: _Pool, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
        else:
            self._give(pool, connection)

    def _take(self) -> tuple[_Pool, sqlite3.Connection]:
        if self._closed:
            raise Unavailable(f"the store {self._path} was closed", hint="open it again", code="closed")
        pool = self._current()
        connection = pool.take()
        if connection is None:
            try:
                connection = self._connect()
            except sqlite3.Error as error:
                raise self._told(error) from error
        return pool, connection

    def _give(self, pool: _Pool, connection: sqlite3.Connection) -> None:
        if pool is self._pool and not self._closed:
            pool.give(connection)
        else:
            connection.close()

    def _current(self) -> _Pool:
        if not self.exists():
            raise no_store() if self._pool is None else self._gone()
        with naming(self._path):
            found = os.lstat(self._path)
        demand_private(self._path, found)
        inode, pool = (found.st_dev, found.st_ino), self._pool
        if pool is not None and pool.inode == inode and pool.pid == os.getpid():
            return pool
        if pool is not None:
            self._end(pool)
        self._pool = pool = _Pool(inode)
        return pool

    def _gone(self) -> Unavailable:
        return Unavailable(
            f"{self._path}: the store was there and is gone",
            hint="was it moved, or its disk unmounted? put it back: it goes on by itself",
            code="store_gone",
        )

    def _end(self, pool: _Pool) -> None:
        if pool.pid == os.getpid():
            pool.close()
        else:
            _FORKED.append(pool)

    def _condition(self) -> threading.Condition:
        if self._pid != os.getpid():
            self._pid, self._moved = os.getpid(), threading.Condition()
        return self._moved

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for setting in SETTINGS:
                connection.execute(setting)
            migrate(connection, self._path)
            self._demand_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _demand_log(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Unavailable(
                f"{self._path}: no write-ahead log is possible there", hint="keep the store on a local disk"
            )

    def _told(self, error: sqlite3.Error) -> BaseException:
        extended = getattr(error, "sqlite_errorcode", 0)
        code, what = extended & 0xFF, f"{self._path}: {error}"
        if extended in _FSYNC_FAILED:
            return FatalStorage(f"{what} (fsync failed); what was written may be lost")
        if extended == sqlite3.SQLITE_BUSY_SNAPSHOT:
            return LostRace(f"{what}; nothing was written", hint="ask again")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable(
                f"{what}: another process has held the store for {BUSY_SECONDS:g} s; nothing was written",
                hint=f"which one? fuser -v {self._path}",
                code="store_busy",
            )
        if code == sqlite3.SQLITE_FULL or extended in _NO_ROOM:
            return Unavailable(
                f"{what}: disk full, or the file may not grow; nothing was written and nothing is lost",
                hint=f"free some space (df -h {self._path.parent}) and try again",
                code="disk_full",
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT):
            return IntegrityError(
                f"{what}: the store is damaged, or not a store",
                hint="keep the file as it is, and restore a backup in its place; then jwturn audit verify",
                code="corrupt_store",
            )
        if code in (
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_AUTH,
            sqlite3.SQLITE_CANTOPEN,
        ):
            return NotPermitted(
                what, hint=f"who runs jwturn must own it: ls -ld {self._path.parent} {self._path}*"
            )
        return Unavailable(what, hint=f"ls -l {self._path}*; jwturn doctor")

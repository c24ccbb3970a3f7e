"""Witnesses: heads kept outside the store. The file has a line per head, each under a MAC, and only grows.

    {"head":{"ring_id":"...","era":0,"epoch":7,...},"mac":"..."}

Reading goes on from where it stopped. A last line without its end was torn by a crash: it does not count,
and the next append cuts it off. A file that became shorter than what was read of it, or a line whose MAC is
wrong, is an IntegrityError. Any number of processes may append; what one has read stays in its memory.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from jwturn.core.envelope import canonical
from jwturn.core.errors import IntegrityError, NotFound, Unavailable
from jwturn.core.witness import WitnessHead
from jwturn.ports.files import make_private_dir, naming, open_private, read_private, sync
from jwturn.ports.store import HeadSeal

COPY_MAX: Final = 1 << 28
LOCK_TRIES: Final = 100
LOCK_PAUSE_SECONDS: Final = 0.05
_PREFIX: Final = b"witness\n"


class MemoryWitness:
    """Heads that live as long as the object; may be shared by several stores."""

    def __init__(self) -> None:
        self._heads: dict[str, WitnessHead] = {}
        self._lock = threading.Lock()

    def last(self, ring_id: str) -> WitnessHead | None:
        """The newest head of the ring; `revoked` has every revocation ever witnessed."""
        return self._heads.get(ring_id)

    def append(self, head: WitnessHead) -> None:
        """Keeps a head."""
        with self._lock:
            fold(self._heads, [head])


@dataclass(eq=False, slots=True)
class _Read:
    """What one process has read of a file so far."""

    pid: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    inode: tuple[int, int] = (0, 0)
    offset: int = 0
    heads: dict[str, WitnessHead] = field(default_factory=dict)


class FileWitness:
    """Heads in an append-only file (0600), each line sealed."""

    def __init__(self, path: Path | str, seal: HeadSeal) -> None:
        self._path = Path(path).absolute()
        self._seal = seal
        self._read = _Read()

    def last(self, ring_id: str) -> WitnessHead | None:
        """The newest head of the ring, by (era, epoch); `revoked` has every revocation ever witnessed.

        Raises IntegrityError (shorter than before, or a forged line), NotPermitted, Unavailable.
        """
        state = self._state()
        with state.lock:
            try:
                fd = open_private(self._path, os.O_RDONLY)
            except NotFound:
                if state.offset:
                    raise self._shrunk() from None
                return None
            try:
                self._catch_up(state, fd)
            finally:
                os.close(fd)
            return state.heads.get(ring_id)

    def append(self, head: WitnessHead) -> None:
        """Writes a head, durably, unless it is there already.

        Raises Unavailable (disk full), NotPermitted, IntegrityError, FatalStorage (EIO from fsync).
        """
        make_private_dir(self._path.parent)
        state = self._state()
        with state.lock:
            fd = open_private(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                self._lock(fd)
                self._append(state, fd, head)
            finally:
                os.close(fd)

    def _lock(self, fd: int) -> None:
        """A process that was paused with the lock in its hands must not stop every other for ever."""
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE_SECONDS)
            else:
                return
        raise Unavailable(
            f"{self._path}: another process has held the witness for {LOCK_TRIES * LOCK_PAUSE_SECONDS:g} s",
            hint=f"a paused process? fuser {self._path}",
            code="witness_busy",
        )

    def _append(self, state: _Read, fd: int, head: WitnessHead) -> None:
        self._catch_up(state, fd)
        known = state.heads.get(head.ring_id)
        if known is not None and (known.order, known.event_hash) == (head.order, head.event_hash):
            return
        line = self._line(head)
        with naming(self._path):
            if os.fstat(fd).st_size > state.offset:
                os.ftruncate(fd, state.offset)
            written = os.write(fd, line)
        if written != len(line):
            raise Unavailable(
                f"{self._path}: disk full (a line was cut; the next one mends it)",
                hint=f"free some space (df -h {self._path.parent}) and try again",
                code="disk_full",
            )
        sync(fd, self._path)
        self._catch_up(state, fd)

    def _catch_up(self, state: _Read, fd: int) -> None:
        found = os.fstat(fd)
        inode = (found.st_dev, found.st_ino)
        if found.st_size < state.offset:
            raise self._shrunk()
        if inode != state.inode:
            state.inode, state.offset = inode, 0
        with naming(self._path):
            data = _from(fd, state.offset)
        whole = data[: data.rfind(b"\n") + 1]
        fold(state.heads, parse(whole, self._seal, str(self._path)))
        state.offset += len(whole)

    def _line(self, head: WitnessHead) -> bytes:
        body = canonical(head)
        return canonical(_Line(msgspec.Raw(body), self._seal.seal(_PREFIX + body))) + b"\n"

    def _state(self) -> _Read:
        if self._read.pid != os.getpid():
            self._read = _Read()
        return self._read

    def _shrunk(self) -> IntegrityError:
        return IntegrityError(
            f"the witness {self._path} is shorter than it was: heads were taken out of it",
            hint="put the newer copy back; or find out who did it (jwturn audit verify), then restart",
            code="witness_shrunk",
        )


class _Line(msgspec.Struct):
    head: msgspec.Raw
    mac: bytes


def read_heads(path: Path, seal: HeadSeal) -> dict[str, WitnessHead]:
    """The heads in a copy of a witness file kept elsewhere, by ring id: for `audit verify --head`.

    Raises NotFound, NotPermitted, IntegrityError.
    """
    data = read_private(path, limit=COPY_MAX)
    heads: dict[str, WitnessHead] = {}
    fold(heads, parse(data[: data.rfind(b"\n") + 1], seal, str(path)))
    return heads


def parse(data: bytes, seal: HeadSeal, name: str) -> list[WitnessHead]:
    """The heads of whole lines. Raises IntegrityError naming the first that is not one."""
    heads = []
    for line in data.splitlines():
        try:
            read = msgspec.json.decode(line, type=_Line)
            body = bytes(read.head)
            if not seal.check(_PREFIX + body, read.mac):
                raise IntegrityError(
                    f"witness {name}: a line ({line[:40]!r}) was edited, or written for another store",
                    hint="use the witness that belongs to this store, or put back a copy of it",
                    code="forged_witness",
                )
            heads.append(msgspec.json.decode(body, type=WitnessHead))
        except (msgspec.MsgspecError, ValueError) as error:
            raise IntegrityError(
                f"witness {name}: a line ({line[:40]!r}) is not a head ({error})",
                hint="put back a copy of the witness",
                code="forged_witness",
            ) from error
    return heads


def fold(heads: dict[str, WitnessHead], found: Iterable[WitnessHead]) -> None:
    """Takes heads into `heads`: the newest of each ring, with every revocation of it."""
    for head in found:
        known = heads.get(head.ring_id)
        if known is None:
            heads[head.ring_id] = head
            continue
        revoked = tuple(sorted({*known.revoked, *head.revoked}))
        newest = head if head.order > known.order else known
        heads[head.ring_id] = replace(newest, revoked=revoked)


def _from(fd: int, offset: int) -> bytes:
    parts = []
    while part := os.pread(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)

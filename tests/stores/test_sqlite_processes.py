"""Several processes on one SQLite store: races, forks, and a kill in the middle of a write."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from jwturn.core.errors import LostRace, StateForbids, Unavailable
from jwturn.core.keys import Waiver
from jwturn.core.ledger import STORE_CHAIN, verify
from jwturn.core.states import ACTIVE
from jwturn.core.steps import BookTurn
from jwturn.ports.clock import SystemClock, read
from jwturn.stores.sqlite import SqliteStore
from jwturn.stores.witness import FileWitness
from jwturn.testing.clock import FakeClock
from jwturn.testing.rings import ACTOR, KeyedSeal, Stage, add_key, promote, ring, taking

SPAWN = get_context("spawn")
EACH = 15


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jwturn.db"


def made(path: Path) -> Stage:
    """A store with a ring, on the fake clock that every process starts with."""
    clock = FakeClock()
    stage = Stage(SqliteStore(path, clock), clock).open()
    stage.store.unlock(stage.seal, FileWitness(path.with_name("witness"), stage.seal))
    stage.add()
    return stage


def opened(path: Path) -> Stage:
    clock, seal = FakeClock(), KeyedSeal()
    store = SqliteStore(path, clock)
    store.unlock(seal, FileWitness(path.with_name("witness"), seal))
    return Stage(store, clock, seal)


def run(*workers) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * len(workers)


def _book_and_grant(path: Path, node: str) -> None:
    stage = opened(path)
    done = 0
    while done < EACH:
        try:
            stage.take("web", BookTurn(stage.clock.now()))
            stage.store.grant(node, "web", at=stage.at())
        except (LostRace, Unavailable):
            continue
        done += 1
    stage.store.close()


def test_two_processes_change_one_ring_in_one_line(path):
    stage = made(path)
    before = stage.first_key()
    run(*(SPAWN.Process(target=_book_and_grant, args=(path, node)) for node in ("a", "b")))
    view = stage.store.load("web")
    assert view.ring.epoch == before.epoch + 2 * EACH
    assert verify(stage.store.events(view.ring.id), chain=view.ring.id).count == view.ring.event_count
    assert {mark.node: mark.number for mark in view.leases.marks} == {"a": EACH, "b": EACH}
    stage.store.close()


def _first(path: Path, name: str) -> None:
    stage = opened(path)
    try:
        stage.take(name, add_key(name), promote(name, Waiver.FIRST_KEY))
    except StateForbids:
        sys.exit(3)


def test_of_two_processes_one_gives_the_issuer_its_first_key(path):
    stage = made(path)
    stage.add("api")
    workers = [SPAWN.Process(target=_first, args=(path, name)) for name in ("web", "api")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert {worker.exitcode for worker in workers} == {0, 3}
    stage.store.close()


def _begin(path: Path) -> None:
    try:
        made(path)
    except StateForbids:
        sys.exit(3)


def test_of_two_processes_one_makes_the_store(path):
    workers = [SPAWN.Process(target=_begin, args=(path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert {worker.exitcode for worker in workers} == {0, 3}
    assert opened(path).store.load("web").ring.epoch == 0


def _touch(path: Path) -> None:
    opened(path).take("web", BookTurn(None))


def test_a_change_by_another_process_is_heard_of(path):
    stage = made(path)
    version = stage.store.wait(-1, timedelta())
    worker = SPAWN.Process(target=_touch, args=(path,))
    worker.start()
    assert stage.store.wait(version, timedelta(seconds=60)) > version
    worker.join(60)
    stage.store.close()


def _in_child(work) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_uses_connections_of_its_own(path):
    stage = made(path)
    stage.first_key()
    kept = list(stage.store._database._pool.idle)

    def child() -> None:
        stage.take("web", BookTurn(stage.clock.now()))
        mine = stage.store._database._pool.idle
        assert mine
        assert not set(map(id, mine)) & set(map(id, kept))
        stage.store.close()

    assert _in_child(child) == 0
    assert stage.take("web", BookTurn(None)).epoch == 3
    assert not set(map(id, stage.store._database._pool.idle)) & set(map(id, kept))
    stage.store.close()


def test_a_fork_while_a_thread_waits_leaves_the_child_free(path):
    stage = made(path)
    version = stage.store.wait(-1, timedelta())
    waiter = threading.Thread(target=stage.store.wait, args=(version, timedelta(seconds=30)))
    waiter.start()

    def child() -> None:
        stage.take("web", BookTurn(None))
        assert stage.store.wait(version, timedelta()) > version

    assert _in_child(child) == 0
    stage.store.close()
    waiter.join(60)
    assert not waiter.is_alive()


WRITE = """
import sys
from pathlib import Path
from jwturn.core.keys import Waiver
from jwturn.core.steps import Revoke
from tests.stores.test_sqlite_processes import opened
from jwturn.testing.rings import ACTOR, add_key, promote

stage = opened(Path(sys.argv[1]))
print("ready", flush=True)
number = stage.store.load("web").ring.epoch
while True:
    number += 1
    kid = f"k{number}"
    ring = stage.take("web", add_key(kid), promote(kid))
    for key in ring.keys:
        if key.state == "verify-only":
            stage.take("web", Revoke(key.kid))
    stage.store.grant("n", "web", at=stage.at())
    stage.store.record(ACTOR, "note", {})
    print(stage.store.load("web").ring.epoch, flush=True)
"""


def test_a_kill_in_the_middle_of_writes_leaves_the_store_whole(path):
    made(path).store.close()
    root = Path(__file__).resolve().parents[2]
    for round_ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(2 + round_)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        told = [int(line) for line in said[1:] if line.endswith("\n")]
        assert told
        stage = opened(path)
        view = stage.store.load("web")
        assert view.ring.epoch >= max(told)
        assert len(view.ring.in_state(ACTIVE)) == 1
        whole = verify(stage.store.events("id-web", limit=10_000), chain="id-web")
        assert (whole.count, whole.hash) == (view.ring.event_count, view.ring.event_hash)
        assert verify(stage.store.events(STORE_CHAIN, limit=10_000), chain=STORE_CHAIN).count >= len(told)
        assert {key.kid for key in view.ring.keys if key.private} >= {view.ring.active.kid}
        stage.store.close()
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_system_clock_serves_as_well(path):
    clock = SystemClock()
    store = Stage(SqliteStore(path, clock)).open().store
    added = store.add(ring(), actor=ACTOR, at=read(clock))
    after = store.update("web", taking(add_key("k1"), promote("k1", Waiver.FIRST_KEY)), at=read(clock))
    assert (added.epoch, after.epoch) == (0, 1)
    assert store.grant("n", "web", at=read(clock)).store_now <= clock.now()
    store.close()

"""The loop: what a pass does, how it meets errors, when it wakes, and that it ends when it is told to."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.errors import LostRace, Unavailable
from jwturn.custody.integrity import head_seal
from jwturn.service.loop import BACKOFF_MAX, Loop
from jwturn.service.rotate import Turned
from jwturn.stores.memory import MemoryStore
from jwturn.stores.sqlite import SqliteStore
from jwturn.testing.clock import FakeClock
from tests.service.short import MIN, SHORT
from tests.service.stage import ANN, ISSUER, TICK, Stage

S = timedelta(seconds=1)


@pytest.fixture
def stage() -> Stage:
    return Stage(**SHORT)


def fail(stage: Stage, name: str, error: Exception) -> Callable[[], None]:
    """One call of the store fails until the answer is called."""

    def down(*_: object, **__: object) -> None:
        raise error

    setattr(stage.store, name, down)
    return lambda: delattr(stage.store, name)


def drive(stage: Stage, length: timedelta) -> list[datetime]:
    """Runs passes as the loop would for `length`; gives their times."""
    end, times = stage.clock.now() + length, []
    for _ in range(10_000):
        times.append(stage.clock.now())
        wake = stage.node.loop.run_once()
        assert wake > stage.clock.now()
        if wake >= end:
            stage.clock.advance(end - stage.clock.now())
            return times
        stage.clock.advance(wake - stage.clock.now())
    raise AssertionError("the loop asked to wake too often")


def test_a_ring_turns_by_the_loop_alone_and_keeps_a_mature_standby(stage: Stage) -> None:
    turned: list[Turned] = []
    stage.node.loop.on_turn = turned.append
    first, booked = stage.active.kid, stage.view.ring.turn_at
    assert booked is not None
    drive(stage, booked - stage.clock.now() - MIN)
    assert stage.states() == ["active", "standby", "standby"]
    drive(stage, 2 * MIN)
    assert stage.active.kid != first
    assert turned
    stage.node.commands.promote("default", ANN)


def test_passes_are_at_most_half_a_tick_cap_apart_and_all_time_is_seen(stage: Stage) -> None:
    stage.node.loop.run_once()
    seen = stage.store.seen().total
    times = drive(stage, 30 * MIN)
    assert max(b - a for a, b in pairwise(times)) <= TICK / 2
    assert stage.store.seen().total - seen >= 30 * MIN - TICK / 2


@pytest.mark.parametrize("call", ["tick", "due", "next_due", "renew", "published", "checkpoint"])
@pytest.mark.parametrize("error", [Unavailable("away", hint="wait"), RuntimeError("a defect")], ids=type)
def test_a_store_that_fails_is_tried_again_with_bounded_back_off_until_it_is_back(
    stage: Stage, call: str, error: Exception
) -> None:
    stage.node.signing.sign("default", {})
    stage.node.publisher.issuer_set(ISSUER)
    mend = fail(stage, call, error)
    times = drive(stage, 10 * MIN)
    assert max(b - a for a, b in pairwise(times)) <= min(BACKOFF_MAX, TICK / 2)
    assert len(times) >= 10 * MIN / BACKOFF_MAX
    mend()
    drive(stage, MIN)
    health = stage.node.loop.health
    assert (health.failing_since, health.last_error) == (None, "")
    assert health.last_success is not None


def test_the_waits_grow_while_it_fails(stage: Stage) -> None:
    fail(stage, "tick", Unavailable("away", hint="wait"))
    times = drive(stage, 10 * MIN)
    waits = [b - a for a, b in pairwise(times)]
    assert waits[0] == S
    assert waits == sorted(waits)
    assert waits[-1] == BACKOFF_MAX
    assert stage.node.loop.health.errors == len(times)


def test_health_says_since_when_and_why_and_a_failure_is_told_once(stage: Stage) -> None:
    told: list[str] = []
    stage.node.loop.on_failure = told.append
    began = stage.clock.now()
    mend = fail(stage, "tick", Unavailable("the disk is full", hint="free some"))
    drive(stage, MIN)
    health = stage.node.loop.health
    assert (health.failing_since, health.last_error) == (began, "the disk is full")
    assert told == ["the disk is full"]
    mend()
    drive(stage, MIN)
    assert health.last_success is not None


@pytest.mark.parametrize("call", ["tick", "due", "renew", "published"])
def test_a_defect_in_one_part_does_not_keep_the_others_from_their_work(stage: Stage, call: str) -> None:
    stage.node.signing.sign("default", {})
    stage.node.publisher.issuer_set(ISSUER)
    before = stage.view.leases.leases[0].number
    fail(stage, call, ZeroDivisionError("a defect"))
    stage.clock.advance(20 * S)
    stage.node.loop.run_once()
    assert stage.node.loop.health.last_error == "unexpected ZeroDivisionError"
    assert (stage.view.leases.leases[0].number > before) is (call != "renew")


def test_one_ring_that_cannot_turn_does_not_keep_the_others_from_turning(stage: Stage) -> None:
    policy = stage.view.ring.policy
    for name in ("a", "b"):
        issuer = f"https://{name}.example.com"
        stage.node.commands.add_ring(name, issuer=issuer, policy=policy, actor=ANN)
        stage.clock.advance(S)
    load = stage.store.load

    def broken(name: str) -> Any:
        if name == "a":
            raise ZeroDivisionError("a defect")
        return load(name)

    stage.store.load = broken  # type: ignore[method-assign]  # the most overdue ring has a defect
    stage.node.loop.run_once()
    assert stage.store.load("b").ring.active is not None
    assert stage.node.loop.health.last_error == "unexpected ZeroDivisionError"


def test_a_lost_race_is_no_failure_and_is_taken_up_again_soon_but_not_at_once(stage: Stage) -> None:
    mend = fail(stage, "due", LostRace("another was first", hint="ask again"))
    now = stage.clock.now()
    wake = stage.node.loop.run_once()
    assert timedelta() < wake - now <= S
    assert stage.node.loop.health.errors == 0
    assert not stage.node.loop._wake.is_set()
    mend()
    assert stage.node.loop.run_once() > now + S


def test_a_wake_during_a_renewal_asks_for_another_one(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    renew, renewals = stage.store.renew, []

    def watched(*args: Any, **options: Any) -> Any:
        renewals.append(args)
        if len(renewals) == 1:
            stage.node.loop.wake()
        return renew(*args, **options)

    stage.store.renew = watched  # type: ignore[method-assign]  # a command comes while leases are renewed
    for _ in range(3):
        stage.node.loop.run_once()
    assert len(renewals) == 2


def test_a_renewal_that_failed_is_tried_again_in_the_next_pass(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    mend = fail(stage, "renew", Unavailable("away", hint="wait"))
    stage.node.loop.run_once()
    mend()
    before = stage.view.leases.leases[0].number
    stage.clock.advance(S)
    stage.node.loop.run_once()
    assert stage.view.leases.leases[0].number == before + 1


def test_checkpoints_list_the_heads_that_changed(stage: Stage) -> None:
    drive(stage, 3 * MIN)
    ring = stage.view.ring
    checkpoints = [event for event in stage.store.events("store") if event.action == "checkpoint"]
    assert len(checkpoints) == 1
    assert checkpoints[0].detail == {ring.id: [ring.event_count, ring.event_hash]}


@pytest.fixture
def threads() -> Iterator[list[Loop]]:
    loops: list[Loop] = []
    yield loops
    for loop in loops:
        loop.stop()


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("jwturn_")]


def until(happened: Callable[[], bool], *, tries: int = 1000) -> bool:
    """Whether something happens within 10 s of real time, looked at every 10 ms."""
    pause = threading.Event()
    return any(happened() or pause.wait(0.01) for _ in range(tries))


def test_stop_ends_the_threads_and_may_be_said_twice(stage: Stage, threads: list[Loop]) -> None:
    before = set(ours())
    loop = stage.node.loop
    threads.append(loop)
    loop.start()
    assert {thread.name for thread in set(ours()) - before} == {"jwturn_run", "jwturn_watch"}
    assert all(thread.daemon for thread in ours())
    loop.stop()
    assert set(ours()) - before == set()
    loop.stop()


def test_the_thread_does_a_pass_at_start_then_sleeps_until_something_is_due(
    stage: Stage, threads: list[Loop]
) -> None:
    threads.append(stage.node.loop)
    stage.node.commands.add_ring(
        "late", issuer="https://late.example.com", policy=stage.view.ring.policy, actor=ANN
    )
    stage.node.loop.start()
    assert stage.node.clock.until_asleep()
    assert until(lambda: stage.store.load("late").ring.active is not None)
    began = stage.store.seen().last
    stage.clock.advance(TICK / 2)
    assert until(lambda: stage.store.seen().last > began)


def test_the_thread_survives_defects_of_the_store_and_of_the_watch(stage: Stage, threads: list[Loop]) -> None:
    threads.append(stage.node.loop)
    mends = [fail(stage, call, ZeroDivisionError("a defect")) for call in ("tick", "next_due", "wait")]
    stage.node.loop.start()
    assert until(lambda: stage.node.loop.health.errors > 0)
    assert stage.node.clock.until_asleep()
    for mend in mends:
        mend()
    stage.clock.advance(MIN)
    assert until(lambda: stage.node.loop.health.last_success is not None)
    assert len({thread.name for thread in stage.node.loop._threads if thread.is_alive()}) == 2


def test_the_loop_wakes_when_another_node_changes_a_ring(stage: Stage, threads: list[Loop]) -> None:
    threads.append(stage.node.loop)
    stage.node.signing.sign("default", {})
    stage.node.publisher.issuer_set(ISSUER)
    stage.node.loop.start()
    assert stage.node.clock.until_asleep()
    stolen, other = stage.active.kid, stage.join()
    other.commands.revoke("default", ANN, kid=stolen)
    assert until(lambda: stolen not in stage.node.publisher.issuer_set(ISSUER).kids)
    assert until(lambda: stage.node.signing.holds("default") is None)


CHILD = """
import sys
from itertools import pairwise
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.service.stage import ANN
from tests.service.test_loop import in_sqlite
stage = in_sqlite(Path(sys.argv[1]))
stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
stage.store.close()
"""


def in_sqlite(folder: Path) -> Stage:
    """A stage whose store is a file: made where there is none, else opened."""
    stage = Stage(**SHORT)
    policy, fresh = stage.view.ring.policy, not (folder / "jwturn.db").exists()
    store: Any = SqliteStore(folder / "jwturn.db", stage.clock)
    if fresh:
        store.initialise(stage.identity)
    identity = store.identity()
    store.unlock(head_seal(identity, [stage.kek]), stage.witness)
    stage.store = store
    stage.node = stage.join()
    if fresh:
        stage.node.commands.add_ring("default", issuer=ISSUER, policy=policy, actor=ANN)
        stage.node.rotator.turn("default")
    return stage


def test_the_loop_wakes_when_another_process_changes_a_ring(tmp_path: Path, threads: list[Loop]) -> None:
    tmp_path.chmod(0o700)
    stage = in_sqlite(tmp_path)
    threads.append(stage.node.loop)
    stolen = stage.active.kid
    assert stolen in stage.node.publisher.issuer_set(ISSUER).kids
    stage.node.loop.start()
    assert stage.node.clock.until_asleep()
    here = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), here], check=True, timeout=60)
    assert until(lambda: stolen not in stage.node.publisher.issuer_set(ISSUER).kids)
    stage.node.loop.stop()
    stage.store.close()


def test_a_loop_that_paces_itself_reaches_the_next_turn(threads: list[Loop]) -> None:
    stage = Stage(**SHORT)
    clock = FakeClock(stage.clock.now(), auto=True)
    store = stage.store
    assert isinstance(store, MemoryStore)
    store._clock = clock
    stage.clock = clock
    stage.node = stage.join()
    first = stage.active.kid
    threads.append(stage.node.loop)
    stage.node.loop.start()
    assert until(lambda: stage.view.ring.active is not None and stage.active.kid != first)
    stage.node.loop.stop()

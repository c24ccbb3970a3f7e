"""Values read from the store: kept for a moment, read once for many, and good for a while when it is away."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from jwturn.core.errors import IntegrityError, Unavailable
from jwturn.server.lanes import Lane, Recent
from jwturn.testing.clock import FakeClock

SECOND = timedelta(seconds=1)


class Source:
    """Counts how often it is read; gives that number, or raises what a test puts there."""

    def __init__(self) -> None:
        self.reads = 0
        self.broken: Exception | None = None
        self.waits: Callable[[], object] = lambda: None

    def read(self) -> int:
        self.reads += 1
        number = self.reads
        self.waits()
        if self.broken is not None:
            raise self.broken
        return number


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def recent(clock: FakeClock, source: Source) -> Recent[int]:
    """Fresh for two seconds, good for ten."""
    return Recent(source.read, Lane(2), clock, fresh=2 * SECOND, good=10 * SECOND)


def test_a_fresh_value_is_not_read_again(clock: FakeClock, recent: Recent[int]) -> None:
    async def asked() -> list[int]:
        first = await recent.get()
        clock.advance(2 * SECOND - timedelta(microseconds=1))
        second = await recent.get()
        clock.advance(timedelta(microseconds=1))
        return [first, second, await recent.get()]

    assert asyncio.run(asked()) == [1, 1, 2]


def test_the_age_counts_from_before_the_read(clock: FakeClock, source: Source, recent: Recent[int]) -> None:
    source.waits = lambda: clock.advance(3 * SECOND)

    async def asked() -> list[int]:
        return [await recent.get(), await recent.get()]

    assert asyncio.run(asked()) == [1, 2]


def test_a_wall_clock_that_jumps_back_keeps_nothing_longer(clock: FakeClock, recent: Recent[int]) -> None:
    async def asked() -> list[int]:
        first = await recent.get()
        clock.jump(timedelta(days=-365))
        clock.advance(2 * SECOND)
        return [first, await recent.get()]

    assert asyncio.run(asked()) == [1, 2]


def test_many_who_ask_at_once_share_one_read(source: Source, recent: Recent[int]) -> None:
    async def asked() -> list[int]:
        return list(await asyncio.gather(*(recent.get() for _ in range(20))))

    assert asyncio.run(asked()) == [1] * 20
    assert source.reads == 1


def test_one_who_gives_up_does_not_take_the_read_from_the_others(source: Source, recent: Recent[int]) -> None:
    gate = threading.Event()
    source.waits = lambda: gate.wait(10)

    async def asked() -> int:
        impatient = asyncio.create_task(recent.get())
        patient = asyncio.create_task(recent.get())
        await asyncio.sleep(0)
        impatient.cancel()
        gate.set()
        return await patient

    assert asyncio.run(asked()) == 1


def test_a_source_that_is_away_leaves_the_value_good_for_a_while(
    clock: FakeClock, source: Source, recent: Recent[int]
) -> None:
    async def asked() -> list[int]:
        found = [await recent.get()]
        source.broken = Unavailable("away", hint="wait")
        clock.advance(9 * SECOND)
        found.append(await recent.get())
        clock.advance(SECOND)
        with pytest.raises(Unavailable):
            await recent.get()
        source.broken = None
        return [*found, await recent.get()]

    assert asyncio.run(asked()) == [1, 1, 4]


def test_what_was_tampered_with_is_never_served_from_memory(
    clock: FakeClock, source: Source, recent: Recent[int]
) -> None:
    async def asked() -> None:
        await recent.get()
        source.broken = IntegrityError("edited", hint="restore")
        clock.advance(2 * SECOND)
        await recent.get()

    with pytest.raises(IntegrityError):
        asyncio.run(asked())


def test_a_source_that_never_answered_is_an_error(source: Source, recent: Recent[int]) -> None:
    source.broken = Unavailable("away", hint="wait")
    with pytest.raises(Unavailable):
        asyncio.run(recent.get())


def test_a_lane_runs_so_many_at_once_and_no_more() -> None:
    lane, inside, most = Lane(2), 0, 0
    lock, both = threading.Lock(), threading.Barrier(2)

    def work() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        both.wait(10)
        with lock:
            inside -= 1

    async def all_of() -> None:
        await asyncio.gather(*(lane.run(work) for _ in range(6)))

    asyncio.run(all_of())
    assert most == 2


def test_a_lane_passes_on_what_its_work_raises() -> None:
    def work() -> None:
        raise Unavailable("away", hint="wait")

    with pytest.raises(Unavailable):
        asyncio.run(Lane(1).run(work))

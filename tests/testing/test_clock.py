"""The fake clock stands still until a test moves it."""

import threading
from datetime import timedelta

from jwturn.ports.clock import SystemClock, read
from jwturn.testing.clock import START, FakeClock

HOUR = timedelta(hours=1)


def test_time_stands_still_until_it_is_advanced():
    clock = FakeClock()
    before = read(clock)
    assert read(clock) == before
    assert clock.advance(HOUR) == START + HOUR
    assert clock.boottime() - before.boottime == HOUR


def test_a_jump_sets_the_wall_clock_alone():
    clock = FakeClock()
    boottime = clock.boottime()
    clock.jump(-HOUR)
    assert (clock.now(), clock.boottime()) == (START - HOUR, boottime)


def test_nodes_share_the_time_and_differ_in_their_clocks():
    clock = FakeClock()
    node = clock.node(skew=timedelta(seconds=20), boottime=timedelta(seconds=5))
    assert (node.now(), node.boottime()) == (START + timedelta(seconds=20), timedelta(seconds=5))
    clock.advance(HOUR)
    assert node.boottime() == HOUR + timedelta(seconds=5)
    node.jump(HOUR)
    assert clock.now() == START + HOUR
    late = clock.node()
    assert late.now() == clock.now()


def test_an_automatic_clock_sleeps_by_letting_the_time_pass():
    clock, wake = FakeClock(auto=True), threading.Event()
    assert clock.wait(wake, START + HOUR) is False
    assert clock.now() == START + HOUR
    assert clock.wait(wake, START) is False
    assert clock.now() == START + HOUR
    wake.set()
    assert clock.wait(wake, START + 2 * HOUR) is True
    assert clock.now() == START + HOUR


def sleeping(clock: FakeClock, wake: threading.Event) -> tuple[threading.Thread, list[bool]]:
    woken: list[bool] = []
    thread = threading.Thread(target=lambda: woken.append(clock.wait(wake, START + HOUR)))
    thread.start()
    assert clock.until_asleep()
    return thread, woken


def test_a_sleeper_wakes_when_its_time_has_come():
    clock = FakeClock()
    thread, woken = sleeping(clock, threading.Event())
    clock.advance(HOUR / 2)
    assert clock.until_asleep()
    clock.advance(HOUR / 2)
    thread.join(10)
    assert woken == [False]
    assert not clock.until_asleep(seconds=0)


def test_a_sleeper_wakes_when_it_is_woken():
    clock, wake = FakeClock(), threading.Event()
    thread, woken = sleeping(clock, wake)
    wake.set()
    thread.join(10)
    assert woken == [True]


def test_the_system_clock_has_both_clocks():
    clock = SystemClock()
    first, second = read(clock), read(clock)
    assert first.wall.utcoffset() == timedelta()
    assert second.boottime >= first.boottime > timedelta()

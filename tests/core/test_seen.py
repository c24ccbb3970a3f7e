"""Seen time: only watching counts."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.seen import Seen, Sighting, tick

S = timedelta(seconds=1)
CAP = 60 * S
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROW = Seen(1000 * S, NOON)


def after(seconds: float, *, boot: float, before: Sighting | None) -> Seen:
    return tick(ROW, now=NOON + seconds * S, boottime=boot * S, before=before, tick_cap=CAP)


def test_a_watched_interval_is_added() -> None:
    assert after(30, boot=30, before=Sighting(1000 * S, 0 * S)) == Seen(1030 * S, NOON + 30 * S)


def test_a_node_that_has_not_ticked_before_only_reads() -> None:
    assert after(30, boot=30, before=None).total == 1000 * S


def test_a_node_that_slept_longer_than_the_cap_only_reads() -> None:
    assert after(61, boot=61, before=Sighting(1000 * S, 0 * S)) == Seen(1000 * S, NOON + 61 * S)


def test_a_jump_of_ten_years_adds_no_more_than_this_node_lived() -> None:
    assert after(10 * 365 * 86400, boot=30, before=Sighting(1000 * S, 0 * S)).total == 1030 * S


def test_a_clock_set_back_takes_nothing_away() -> None:
    assert after(-3600, boot=30, before=Sighting(1000 * S, 0 * S)) == Seen(1000 * S, NOON - 3600 * S)


def test_two_nodes_that_tick_in_turn_do_not_count_time_twice() -> None:
    row = ROW
    nodes = {0: Sighting(1000 * S, 0 * S), 1: Sighting(1000 * S, 0 * S)}
    for second in range(1, 101):
        node = second % 2
        row = tick(row, now=NOON + second * S, boottime=second * S, before=nodes[node], tick_cap=CAP)
        nodes[node] = Sighting(row.total, second * S)
    assert row.total == 1100 * S


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 120)), max_size=30))
def test_seen_time_never_falls_and_never_outruns_the_boottime_of_its_only_node(
    jumps: list[tuple[float, float]],
) -> None:
    row, boot, before = ROW, 0.0, None
    for wall, lived in jumps:
        boot += lived
        after_tick = tick(row, now=row.last + wall * S, boottime=boot * S, before=before, tick_cap=CAP)
        assert row.total <= after_tick.total
        row, before = after_tick, Sighting(after_tick.total, boot * S)
    assert row.total - ROW.total <= boot * S + timedelta(microseconds=len(jumps) + 1)

"""The two clocks at their edges: a due that is reached to the microsecond, and the most a tick can add."""

from dataclasses import replace
from datetime import timedelta

from jwturn.core.timing import REPLY_MAX, Due, Moment, Now, clocks_agree, moved_alike, round_up
from tests.core.edges import PART
from tests.core.world import START, TICK

S = timedelta(seconds=1)
SEEN = 100 * S
NOW = Now(START, SEEN, TICK)


def test_a_due_is_reached_when_both_clocks_are_there() -> None:
    assert Due(START, SEEN).reached(NOW)
    assert not Due(START + PART, SEEN).reached(NOW)
    assert not Due(START, SEEN + PART).reached(NOW)
    assert Due(START).reached(replace(NOW, seen=timedelta()))


def test_the_seen_time_after_a_tick_has_what_passed_since_the_last_one_up_to_the_cap() -> None:
    assert NOW.seen_next == SEEN
    for since, gain in ((20 * S, 20 * S), (TICK, TICK), (TICK + S, TICK), (-S, timedelta())):
        assert replace(NOW, ticked=START - since).seen_next == SEEN + gain
    assert NOW.moment == Moment(START, SEEN)


def test_the_eta_is_the_later_of_the_time_and_what_is_still_to_be_seen() -> None:
    assert Due(START + 9 * S, SEEN + 5 * S).eta(NOW) == START + 9 * S
    assert Due(START + 3 * S, SEEN + 5 * S).eta(NOW) == START + 5 * S
    assert Due(START - 9 * S, SEEN - 5 * S).eta(NOW) == START
    ticked = replace(NOW, ticked=START - 2 * S)
    assert Due(START, SEEN + 5 * S).eta(ticked) == START + 3 * S


def test_of_two_dues_the_later_counts_clock_by_clock() -> None:
    assert Due(START, SEEN).after(Due(START + S, timedelta())) == Due(START + S, SEEN)
    assert Due(START + S, timedelta()).after(Due(START, SEEN)) == Due(START + S, SEEN)


def test_a_promise_rounds_up_to_the_next_second_and_a_whole_one_stays() -> None:
    assert round_up(START) == START
    assert round_up(START + PART) == START + S
    assert round_up(START + timedelta(microseconds=1)) == START + S


def test_clocks_agree_up_to_two_skews_and_a_reply_either_way() -> None:
    most = 2 * 7 * S + REPLY_MAX
    assert REPLY_MAX == 5 * S
    for sign in (1, -1):
        assert clocks_agree(START + sign * most, START, 7 * S)
        assert not clocks_agree(START + sign * (most + PART), START, 7 * S)


def test_clocks_move_alike_up_to_two_skews_a_reply_and_the_rate_either_way() -> None:
    here = 1000 * S
    most = 2 * 7 * S + REPLY_MAX + 10 * S
    for sign in (1, -1):
        assert moved_alike(here + sign * most, here, (7 * S, 0.01))
        assert not moved_alike(here + sign * (most + PART), here, (7 * S, 0.01))

"""The arithmetic of the theorem: figures of the design, and each term counted."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from jwturn.core.policy import RotationPolicy
from jwturn.core.timing import (
    AT_ONCE,
    REPLY_MAX,
    Bounds,
    Due,
    Now,
    clocks_agree,
    exposure,
    horizon,
    lead,
    moved_alike,
    round_up,
    tail,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
S = timedelta(seconds=1)
BOUNDS = RotationPolicy().bounds
PLAIN = Bounds(
    publish_delay_max=100 * S,
    edge_ttl_max=20 * S,
    verifier_ttl_max=300 * S,
    fetch_time_max=5 * S,
    clock_rate_error=0.0,
    clock_skew_max=2 * S,
    leeway_max=60 * S,
)


def test_the_default_lead_is_24h_41m_58s() -> None:
    assert round(lead(BOUNDS).total_seconds(), 1) == 24 * 3600 + 41 * 60 + 57.4


def test_horizon_adds_origin_edge_verifier_and_two_fetches() -> None:
    assert horizon(PLAIN) == (100 + 20 + 300 + 2 * 5) * S
    assert horizon(replace(PLAIN, clock_rate_error=0.1)) == (430 * S) * 1.1


def test_lead_counts_the_rate_twice_and_six_skews() -> None:
    assert lead(PLAIN) == (430 + 6 * 2) * S
    assert lead(replace(PLAIN, clock_rate_error=0.1)) == (430 * S * 1.1 + 12 * S) * 1.1


def test_tail_has_leeway_two_skews_and_a_second_and_no_cache_term() -> None:
    assert tail(PLAIN) == (60 + 4 + 1) * S
    assert tail(replace(PLAIN, verifier_ttl_max=900 * S)) == tail(PLAIN)


@pytest.mark.parametrize("term", [f.name for f in fields(Bounds)])
def test_every_bound_lengthens_the_lead_or_the_tail(term: str) -> None:
    longer = replace(PLAIN, **{term: getattr(PLAIN, term) + (0.5 if term == "clock_rate_error" else S)})
    assert (lead(longer), tail(longer)) > (lead(PLAIN), tail(PLAIN))


def test_exposure_is_the_horizon_of_that_verifier_and_its_stale_use() -> None:
    assert exposure(PLAIN, 600 * S, timedelta()) == 730 * S
    assert exposure(replace(PLAIN, clock_rate_error=0.5), 600 * S, 10 * S) == 730 * S * 1.5 + 15 * S


def test_unlimited_stale_use_has_no_bound() -> None:
    assert exposure(PLAIN, 600 * S, None) is None


def test_bounds_are_raised_one_by_one() -> None:
    other = replace(PLAIN, publish_delay_max=1 * S, leeway_max=90 * S)
    raised = PLAIN.raised(other)
    assert (raised.publish_delay_max, raised.leeway_max) == (100 * S, 90 * S)


def test_promised_times_round_up_to_whole_seconds() -> None:
    assert round_up(NOON) == NOON
    assert round_up(NOON + timedelta(microseconds=1)) == NOON + S


def test_a_step_needs_both_clocks() -> None:
    due = Due(NOON, 10 * S)
    assert not due.reached(Now(NOON, 9 * S, S))
    assert not due.reached(Now(NOON - S, 10 * S, S))
    assert due.reached(Now(NOON, 10 * S, S))
    assert due.eta(Now(NOON + 5 * S, 7 * S, S)) == NOON + 8 * S
    ticked = Now(NOON + 5 * S, 7 * S, 4 * S, NOON + 3 * S)
    assert due.eta(ticked) == NOON + 6 * S, "the next tick adds what passed since the last"
    assert due.eta(replace(ticked, ticked=NOON - 60 * S)) == NOON + 5 * S, "no more than tick_cap"
    assert due.eta(replace(ticked, ticked=NOON + 60 * S)) == NOON + 8 * S
    assert AT_ONCE.reached(Now(NOON, timedelta(), S))
    assert due.after(Due(NOON + S, 2 * S)) == Due(NOON + S, 10 * S)


def test_clocks_agree_within_two_skews_and_a_reply() -> None:
    limit = 2 * S * 2 + REPLY_MAX
    assert clocks_agree(NOON, NOON + limit, 2 * S)
    assert not clocks_agree(NOON, NOON + limit + timedelta(microseconds=1), 2 * S)
    assert not clocks_agree(NOON, NOON - timedelta(hours=1), 2 * S)


def test_a_store_clock_that_moves_unlike_boottime_is_noticed() -> None:
    assert moved_alike(100 * S, 100 * S, (S, 0.001))
    assert moved_alike(100 * S, 107 * S, (S, 0.001))
    assert not moved_alike(3700 * S, 100 * S, (S, 0.001))
    assert not moved_alike(-3500 * S, 100 * S, (S, 0.001))


def test_times_after_2038_are_ordinary() -> None:
    late = datetime(2045, 1, 1, tzinfo=UTC)
    assert Due(late).eta(Now(NOON, timedelta(), S)) == late

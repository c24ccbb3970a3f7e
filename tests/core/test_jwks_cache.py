"""Who asks an issuer for its keys, who waits and who is refused: plain numbers as time (SECURITY.md 7)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.jwks_cache import (
    BACKOFF_SECONDS_MAX,
    BURST,
    REFILL_SECONDS,
    UNKNOWN_MAX,
    UNKNOWN_SECONDS_MAX,
    Cache,
    Failed,
    Fetch,
    Loaded,
    Refuse,
    Unchanged,
    Unknown,
    Use,
    Wait,
    absorb,
    claim,
    decide,
    fixed,
    level,
    next_refresh,
    refresh,
)
from tests.core.caches import DOWN, HOUR, START, asked, failed, fetch, held, holding, loaded


def test_a_known_kid_is_used_and_changes_nothing() -> None:
    cache = holding("a")
    after, verdict = decide(cache, "a", START + 1)
    assert verdict == Use(held(cache))
    assert after is cache


def test_the_first_to_ask_fetches_and_the_others_wait() -> None:
    cache, flight = fetch(Cache(), "a", START)
    after, verdict = decide(cache, "b", START + 1)
    assert verdict == Wait(flight)
    assert after is cache
    cache = absorb(cache, flight, loaded("a"), START + 2, 0)
    assert isinstance(asked(cache, "a", START + 2, waited=True), Use)


def test_an_unknown_kid_fetches_once_however_many_ask() -> None:
    cache, flight = fetch(holding("a"), "new", START + 1)
    assert [asked(cache, kid, START + 1) for kid in ("new", "other", "third")] == [Wait(flight)] * 3
    assert isinstance(asked(cache, "a", START + 1), Use)


def test_a_key_published_right_after_a_fetch_is_found_at_once() -> None:
    cache, flight = fetch(holding("a"), "b", START)
    cache = absorb(cache, flight, loaded("a", "b"), START, 0)
    assert isinstance(asked(cache, "b", START, waited=True), Use)


def test_the_bucket_gives_a_burst_and_then_one_each_refill() -> None:
    cache, now = holding("a"), START
    for count in range(BURST - 1):
        cache, flight = fetch(cache, f"x{count}", now)
        cache = absorb(cache, flight, loaded("a"), now, 0)
    assert asked(cache, "y", now) == Unknown()
    assert asked(cache, "y", now + REFILL_SECONDS * 0.99) == Unknown()
    cache, _ = fetch(cache, "y", now + REFILL_SECONDS)


def test_attempts_count_whether_they_succeed_or_not() -> None:
    cache, now = holding("a"), START
    for count in range(BURST - 1):
        cache = failed(cache, f"x{count}", now)
        now += 2 + BACKOFF_SECONDS_MAX / 10 * count
    assert level(cache, now) < 1
    verdict = asked(cache, "y", cache.retry_at)
    assert isinstance(verdict, Refuse)
    assert verdict.cause is DOWN.cause


def test_a_claim_is_taken_before_the_fetch_ends() -> None:
    cache, _ = fetch(holding("a"), "x", START)
    assert level(cache, START) == BURST - 2


def test_the_bucket_never_holds_more_than_the_burst() -> None:
    assert level(holding("a"), START + 10 * HOUR) == BURST


def test_a_missed_kid_is_not_asked_for_again_for_a_growing_while() -> None:
    cache, now, waits = holding("a", lifetime=10 * HOUR), START, []
    for _ in range(11):
        cache, flight = fetch(cache, "x", now)
        cache = absorb(cache, flight, loaded("a", lifetime=10 * HOUR), now, 0)
        cache, verdict = decide(cache, "x", now, waited=True)
        assert verdict == Unknown()
        waits.append(cache.unknown["x"].until - now)
        same, verdict = decide(cache, "x", math.nextafter(now + waits[-1], 0))
        assert verdict == Unknown()
        assert same is cache
        now += max(waits[-1], REFILL_SECONDS)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, UNKNOWN_SECONDS_MAX, UNKNOWN_SECONDS_MAX]


def test_many_who_waited_for_the_same_fetch_miss_a_kid_once() -> None:
    cache, flight = fetch(holding("a"), "x", START)
    cache = absorb(cache, flight, loaded("a"), START, 0)
    for _ in range(50):
        cache, verdict = decide(cache, "x", START, waited=True)
        assert verdict == Unknown()
    assert cache.unknown["x"].until == START + 1


def test_missed_kids_are_bounded_and_the_oldest_goes_first() -> None:
    cache = holding("a")
    for count in range(UNKNOWN_MAX + 10):
        cache, _ = decide(cache, f"x{count}", START, waited=True)
    assert len(cache.unknown) == UNKNOWN_MAX
    assert "x9" not in cache.unknown
    assert {"x10", f"x{UNKNOWN_MAX + 9}"} <= cache.unknown.keys()


def test_a_missed_kid_that_is_published_is_known_with_the_next_set() -> None:
    cache, _ = decide(holding("a"), "b", START, waited=True)
    cache, flight = claim(cache, START)
    cache = absorb(cache, flight, loaded("a", "b"), START, 0)
    assert isinstance(asked(cache, "b", START), Use)


def test_a_set_is_replaced_whole() -> None:
    cache = holding("a", "b")
    cache, flight = claim(cache, START)
    cache = absorb(cache, flight, loaded("b"), START, 0)
    assert isinstance(asked(cache, "a", START), Fetch)
    assert held(cache).kids == {"b"}
    assert held(cache).generation == 2


def test_the_same_set_again_keeps_its_generation() -> None:
    cache = holding("a")
    cache, flight = claim(cache, START + 10)
    cache = absorb(cache, flight, Loaded(held(cache).keys, frozenset("a"), HOUR), START + 10, 0)
    assert held(cache).generation == 1
    assert held(cache).fresh_until == START + 10 + HOUR


def test_a_cold_verifier_backs_off_from_1_to_30_seconds_outside_of_the_bucket() -> None:
    cache, now, waits = Cache(), START, []
    for _ in range(9):
        cache = failed(cache, "a", now)
        waits.append(cache.retry_at - now)
        verdict = asked(cache, "a", math.nextafter(cache.retry_at, 0))
        assert isinstance(verdict, Refuse)
        assert verdict.retry_after >= 1
        now = cache.retry_at
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30]


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 2000))
def test_a_back_off_stays_within_its_bounds(jitter: float, failures: int) -> None:
    cache, flight = claim(Cache(failures=failures), START)
    wait = absorb(cache, flight, DOWN, START, jitter).retry_at - START
    assert 1.0 <= wait <= BACKOFF_SECONDS_MAX


def test_a_set_that_lands_ends_the_back_off() -> None:
    cache = failed(Cache(), "a", START)
    cache, flight = fetch(cache, "a", START + 1)
    cache = absorb(cache, flight, loaded("a"), START + 1, 0)
    assert (cache.failures, cache.cause) == (0, None)
    assert isinstance(asked(cache, "b", START + 1), Fetch)


def test_a_flight_past_its_deadline_is_lost_and_another_begins() -> None:
    cache, lost = fetch(Cache(), "a", START)
    assert asked(cache, "a", math.nextafter(lost.until, 0)) == Wait(lost)
    _, second = fetch(cache, "a", lost.until)
    assert second.number == lost.number + 1


@pytest.mark.parametrize("late", [loaded("evil"), Unchanged(9e9), DOWN])
def test_the_late_answer_of_a_lost_flight_changes_nothing(late: Loaded | Unchanged | Failed) -> None:
    cache, lost = fetch(holding("a"), "x", START)
    cache, second = fetch(cache, "x", lost.until)
    assert absorb(cache, lost, late, lost.until, 0) is cache
    cache = absorb(cache, second, loaded("a", "b"), lost.until, 0)
    assert absorb(cache, lost, late, lost.until, 0) is cache
    assert absorb(cache, second, late, lost.until, 0) is cache


def test_whoever_waited_for_a_lost_flight_is_told_that_the_token_was_not_judged() -> None:
    cache, lost = fetch(holding("a"), "x", START)
    after, verdict = decide(cache, "x", lost.until, waited=True)
    assert isinstance(verdict, Refuse)
    assert after is cache


def test_word_that_nothing_changed_is_worth_nothing_without_a_set() -> None:
    cache, flight = claim(Cache(), START)
    assert absorb(cache, flight, Unchanged(HOUR), START, 0).held is None


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15), st.booleans())
def test_a_set_that_was_handed_in_never_ends_and_never_fetches(now: float, waited: bool) -> None:
    cache = fixed("keys", frozenset("a"))
    assert decide(cache, "a", now, waited=waited) == (cache, Use(held(cache)))
    assert asked(cache, "x", now, waited=waited) == Unknown()
    assert refresh(cache, now) == (cache, None)
    assert next_refresh(cache, now) == math.inf

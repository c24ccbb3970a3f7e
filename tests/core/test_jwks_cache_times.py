"""How long a set is used, when it is renewed, and what a clock that jumps does to both (SECURITY.md 7)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jwturn.core.jwks_cache import (
    BURST,
    LIFETIME_SECONDS_MIN,
    LIFETIME_SECONDS_UNSAID,
    RECENT_SECONDS,
    REFILL_SECONDS,
    Bounds,
    Cache,
    Fetch,
    Refuse,
    Unchanged,
    Use,
    Wait,
    absorb,
    claim,
    decide,
    level,
    next_refresh,
    refresh,
    usable,
)
from tests.core.caches import DOWN, HOUR, START, asked, failed, fetch, held, holding, loaded


@given(st.floats(0, 1, exclude_max=True), st.floats(60, 7200))
def test_a_set_is_renewed_ahead_of_its_end_by_a_jitter(jitter: float, lifetime: float) -> None:
    cache = holding("a", lifetime=lifetime, jitter=jitter)
    now, life = held(cache), min(lifetime, HOUR)
    ahead = now.refresh_at - START
    assert life / 2 - 1e-6 <= ahead <= max(0.9 * life, life / 2) + 1e-6
    assert now.fresh_until - now.refresh_at >= min(2 * Bounds().fetch_time_max, life / 2) - 1e-6
    assert refresh(cache, math.nextafter(now.refresh_at, 0)) == (cache, None)
    after, verdict = decide(cache, "a", now.refresh_at)
    assert isinstance(verdict, Use)
    assert verdict.begin is not None
    assert asked(after, "a", now.refresh_at) == Use(now)


def test_two_draws_of_the_jitter_differ() -> None:
    assert held(holding("a", jitter=0.1)).refresh_at != held(holding("a", jitter=0.9)).refresh_at


def test_a_renewal_waits_for_the_bucket() -> None:
    cache = holding("a")
    now = held(cache).refresh_at
    for _ in range(BURST):
        cache = replace(claim(cache, now)[0], flight=None)
    assert refresh(cache, now + REFILL_SECONDS * 0.99) == (cache, None)
    assert refresh(cache, now + REFILL_SECONDS)[1] is not None


def test_renewals_of_the_shortest_lifetime_leave_the_bucket_full_enough() -> None:
    cache = holding("a", lifetime=0.0)
    for _ in range(100):
        now = held(cache).refresh_at
        cache, flight = refresh(cache, now)
        assert flight is not None
        cache = absorb(cache, flight, loaded("a", lifetime=0.0), now, 0)


def test_the_last_good_set_is_used_on_while_attempts_fail() -> None:
    cache = holding("a")
    now = held(cache).fresh_until
    cache = failed(cache, "a", now)
    assert asked(cache, "a", now, waited=True) == Use(held(cache))
    while now < held(cache).stale_until:
        cache, verdict = decide(cache, "a", now)
        assert isinstance(verdict, Use)
        if verdict.begin is not None:
            cache = absorb(cache, verdict.begin, DOWN, now, 0)
        now += 1.0
    assert isinstance(asked(cache, "a", held(cache).stale_until, waited=True), Refuse)


def test_a_set_past_its_lifetime_that_nobody_tried_to_renew_is_not_used() -> None:
    cache = holding("a")
    assert not usable(cache, held(cache).fresh_until)
    assert isinstance(asked(cache, "a", held(cache).fresh_until), Fetch)


def test_a_failure_excuses_a_stale_set_for_a_moment_only() -> None:
    cache = holding("a")
    now = held(cache).fresh_until
    cache = failed(cache, "a", now)
    assert usable(cache, now + RECENT_SECONDS)
    assert not usable(cache, now + RECENT_SECONDS + 1)


def test_without_stale_max_a_set_ends_with_its_lifetime() -> None:
    cache, flight = claim(Cache(Bounds(stale_max=0.0)), START)
    cache = absorb(cache, flight, loaded("a"), START, 0)
    cache = failed(cache, "a", START + HOUR)
    assert isinstance(asked(cache, "a", START + HOUR, waited=True), Refuse)


def test_word_that_nothing_changed_extends_the_set() -> None:
    cache = holding("a", lifetime=100.0)
    cache, flight = claim(cache, START + 90)
    cache = absorb(cache, flight, Unchanged(200.0), START + 91, 0)
    now = held(cache)
    assert (now.since, now.fresh_until, now.generation, now.kids) == (START + 90, START + 290, 1, {"a"})


def test_a_set_lives_from_before_it_was_asked_for() -> None:
    cache, flight = claim(Cache(), START)
    cache = absorb(cache, flight, loaded("a", lifetime=100.0), START + 5, 0)
    assert held(cache).fresh_until == START + 100


@pytest.mark.parametrize(
    ("said", "lifetime"),
    [
        (None, LIFETIME_SECONDS_UNSAID),
        (0.0, LIFETIME_SECONDS_MIN),
        (LIFETIME_SECONDS_MIN + 1, LIFETIME_SECONDS_MIN + 1),
        (1e9, HOUR),
    ],
)
def test_a_lifetime_is_clamped(said: float | None, lifetime: float) -> None:
    cache = held(holding("a", lifetime=said))
    assert cache.fresh_until - START == lifetime
    assert cache.stale_until - cache.fresh_until == HOUR


def test_keys_ttl_max_is_the_last_word() -> None:
    cache, flight = claim(Cache(Bounds(keys_ttl_max=5.0)), START)
    cache = absorb(cache, flight, loaded("a"), START, 0)
    assert held(cache).fresh_until == START + 5
    assert START + 2.5 <= held(cache).refresh_at < START + 5


class TestJumps:
    def test_a_jump_forward_fetches_once_and_goes_on(self) -> None:
        cache, now = holding("a"), START + 10 * 365 * 24 * HOUR
        cache, flight = fetch(cache, "a", now)
        cache = absorb(cache, flight, loaded("a"), now, 0)
        assert asked(cache, "a", now + 1) == Use(held(cache))

    def test_a_jump_back_fetches_once_and_goes_on(self) -> None:
        cache, now = holding("a"), -10 * 365 * 24 * HOUR
        cache, flight = fetch(cache, "a", now)
        assert asked(cache, "b", now) == Wait(flight)
        cache = absorb(cache, flight, loaded("a"), now, 0)
        assert asked(cache, "a", now + 1) == Use(held(cache))

    def test_a_flight_from_the_future_is_not_waited_for(self) -> None:
        cache, _ = fetch(Cache(), "a", START)
        assert isinstance(asked(cache, "a", START - 5), Fetch)

    def test_a_back_off_from_the_future_is_over(self) -> None:
        cache = failed(Cache(), "a", START)
        assert isinstance(asked(cache, "a", START - 5), Fetch)

    def test_a_missed_kid_from_the_future_may_be_asked_for(self) -> None:
        cache = holding("a", now=START - 100)
        cache, _ = decide(cache, "x", START, waited=True)
        assert isinstance(asked(cache, "x", START - 50), Fetch)

    def test_an_emptied_bucket_of_the_future_is_worth_one_fetch(self) -> None:
        cache = Cache(level=0.0, level_at=START)
        assert level(cache, START - 50) == 1
        assert level(claim(cache, START - 50)[0], START - 50) == 0


class TestNextRefresh:
    def test_it_is_when_refresh_has_something_to_give(self) -> None:
        cache = holding("a", jitter=0.5)
        due = next_refresh(cache, START)
        assert refresh(cache, math.nextafter(due, 0))[1] is None
        assert refresh(cache, due)[1] is not None

    def test_it_waits_for_back_off_bucket_and_flight(self) -> None:
        cache = holding("a")
        now = held(cache).refresh_at
        cache, flight = refresh(cache, now)
        assert flight is not None
        assert next_refresh(cache, now) == flight.until
        cache = absorb(cache, flight, DOWN, now, 0)
        assert next_refresh(cache, now) == now + 1
        empty = claim(claim(claim(claim(cache, now)[0], now)[0], now)[0], now)[0]
        assert next_refresh(empty, now) >= now + REFILL_SECONDS * 0.9

    def test_there_is_none_without_a_set(self) -> None:
        assert next_refresh(Cache(), START) == math.inf

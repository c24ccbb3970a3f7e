"""Verifier and the issuer's keys, in threads: nobody waits who need not, and no key outlives its time."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from jwturn import KeysUnavailable, TokenRefused, Verifier
from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.jwks_cache import BURST, Fetch
from tests.verifier.hostile import Talk
from tests.verifier.issuer import Issuer, served

PATIENCE_SECONDS = 20.0


@contextmanager
def verifying(issuer: Issuer, **options: Any) -> Iterator[Verifier]:
    with Verifier(**(issuer.rules | options)) as verifier:
        yield verifier


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another thread is about to do."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.002)


def together(count: int, work: Callable[[int], object]) -> list[object]:
    """What each of so many threads gave or raised, all of them let go at once."""
    start = threading.Barrier(count)

    def run(number: int) -> object:
        start.wait(PATIENCE_SECONDS)
        try:
            return work(number)
        except (KeysUnavailable, TokenRefused) as error:
            return error.code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifier.verify(token)
    return caught.value.code


def key_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("jwturn")]


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    until(lambda: not key_threads())


def test_50_cold_callers_make_one_fetch_and_all_succeed() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier:
        assert issuer.site is not None
        issuer.site.gate.clear()
        token, gate = issuer.token(), issuer.site.gate

        def work(number: int) -> object:
            if number == 0:
                until(lambda: issuer.fetches > 0)
                gate.set()
            return verifier.verify(token)["sub"]

        assert together(50, work) == ["alice"] * 50
        assert issuer.fetches == 1


def test_200_callers_with_unknown_kids_fetch_no_more_than_the_bucket_allows() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier:
        verifier.verify(issuer.token())
        tokens = [issuer.stranger(f"x{number}") for number in range(200)]
        found = together(200, lambda number: verifier.verify(tokens[number]))
        assert found == ["kid_unknown"] * 200
        assert issuer.fetches <= BURST
        assert verifier.verify(issuer.token())["sub"] == "alice"


def test_a_flood_of_made_up_kids_is_not_passed_on() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier:
        verifier.verify(issuer.token())
        for number in range(600):
            assert refusal(verifier, issuer.stranger(f"x{number}")) == "kid_unknown"
            issuer.pass_seconds(0.1)
        assert issuer.fetches <= BURST + 2


def test_a_known_kid_takes_no_lock() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier, ThreadPoolExecutor(1) as pool:
        verifier.verify(issuer.token())
        with verifier._keys._lock, verifier._thread._changed:
            done = pool.submit(lambda: [verifier.verify(issuer.token(n=n))["n"] for n in range(50)])
            assert done.result(PATIENCE_SECONDS) == list(range(50))


def test_a_known_kid_never_waits_behind_a_fetch_that_hangs() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier, ThreadPoolExecutor(1) as pool:
        assert issuer.site is not None
        verifier.verify(issuer.token())
        issuer.site.gate.clear()
        waiting = pool.submit(verifier.verify, issuer.stranger("x"))
        until(lambda: issuer.fetches == 2)
        assert [verifier.verify(issuer.token(n=n))["n"] for n in range(50)] == list(range(50))
        assert not waiting.done()
        issuer.site.gate.set()
        with pytest.raises(TokenRefused):
            waiting.result(PATIENCE_SECONDS)


def test_a_renewal_is_not_waited_for() -> None:
    with served("k1", max_age=600) as issuer, verifying(issuer) as verifier:
        assert issuer.site is not None
        verifier.verify(issuer.token())
        issuer.site.gate.clear()
        issuer.pass_seconds(590)
        assert verifier.verify(issuer.token())["sub"] == "alice"
        until(lambda: issuer.fetches == 2)
        assert verifier.verify(issuer.token())["sub"] == "alice"
        issuer.site.gate.set()
        until(lambda: verifier.status().age == timedelta())


def test_a_key_published_right_after_a_fetch_is_accepted_at_once() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier:
        verifier.verify(issuer.token())
        issuer.publish("k1", "k2")
        assert verifier.verify(issuer.token("k2"))["sub"] == "alice"
        assert issuer.fetches == 2


def test_a_key_published_during_a_fetch_is_accepted_at_once() -> None:
    """Whoever joins a fetch that was answered before the key was published asks once more."""
    with served("k1") as issuer, verifying(issuer) as verifier, ThreadPoolExecutor(2) as pool:
        site = issuer.site
        assert site is not None
        verifier.verify(issuer.token())
        old, go = json.dumps(issuer.jwks).encode(), threading.Event()

        def as_it_was(talk: Talk) -> None:
            """What was read before the key was published, and arrives after it."""
            site.answer = None
            go.wait(PATIENCE_SECONDS)
            talk.reply(200, {"Content-Type": "application/json"}, old)

        site.answer = as_it_was
        first = pool.submit(verifier.verify, issuer.stranger("x"))
        until(lambda: issuer.fetches == 2)
        issuer.publish("k1", "k2")
        second = pool.submit(verifier.verify, issuer.token("k2"))
        until(second.running)
        go.set()
        assert second.result(PATIENCE_SECONDS)["sub"] == "alice"
        with pytest.raises(TokenRefused):
            first.result(PATIENCE_SECONDS)


def test_a_removed_key_is_refused_after_its_lifetime() -> None:
    with served("k1", "k2", max_age=600) as issuer, verifying(issuer) as verifier:
        verifier.verify(issuer.token("k2"))
        issuer.publish("k1")
        issuer.pass_seconds(599)
        assert verifier.verify(issuer.token("k2"))["sub"] == "alice"
        issuer.pass_seconds(1)
        assert refusal(verifier, issuer.token("k2")) == "kid_unknown"


def test_good_tokens_pass_until_stale_max_while_the_issuer_is_down_and_then_nobody_judges() -> None:
    with served("k1", max_age=600) as issuer, verifying(issuer, stale_max=timedelta(hours=1)) as verifier:
        assert issuer.site is not None
        verifier.verify(issuer.token())
        issuer.site.answer = lambda talk: talk.reply(503, {})
        while issuer.clock.boottime() < timedelta(hours=2, seconds=600):
            assert verifier.verify(issuer.token())["sub"] == "alice"
            issuer.pass_seconds(300)
        with pytest.raises(KeysUnavailable) as caught:
            verifier.verify(issuer.token())
        assert caught.value.http_status == 503
        assert caught.value.retry_after >= 1
        assert "503" in caught.value.message
        issuer.site.answer = None
        issuer.pass_seconds(31)
        assert verifier.verify(issuer.token())["sub"] == "alice"
        assert verifier.status().failures == 0


def test_a_cold_verifier_whose_issuer_is_down_backs_off_and_recovers() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier:
        assert issuer.site is not None
        issuer.site.answer = lambda talk: talk.reply(503, {})
        for _ in range(20):
            with pytest.raises(KeysUnavailable):
                verifier.verify(issuer.token())
        assert issuer.fetches == 1
        issuer.site.answer = None
        issuer.pass_seconds(1)
        assert verifier.verify(issuer.token())["sub"] == "alice"


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_neither_freezes_nor_floods(years: int) -> None:
    with served("k1") as issuer, verifying(issuer) as verifier:
        verifier.verify(issuer.token())
        issuer.clock._boot += timedelta(days=365 * years)
        for _ in range(50):
            assert verifier.verify(issuer.token())["sub"] == "alice"
        assert issuer.fetches == 2


def test_discovery_finds_the_set() -> None:
    with served("k1") as issuer, verifying(issuer, jwks_url=None) as verifier:
        assert verifier.verify(issuer.token())["sub"] == "alice"


def test_an_unchanged_set_is_not_sent_again() -> None:
    with served("k1", max_age=600) as issuer, verifying(issuer) as verifier:
        assert issuer.site is not None
        issuer.site.etag = '"1"'
        verifier.verify(issuer.token())
        issuer.pass_seconds(601)
        assert verifier.verify(issuer.token())["sub"] == "alice"
        assert issuer.site.conditional == [None, '"1"']


class Scripted:
    """A port that gives these bodies one after the other, or raises what stands in their place."""

    def __init__(self, *answers: dict[str, Any] | BaseException) -> None:
        self._answers = iter(answers)

    def get(self, _: Get, *, deadline: timedelta) -> Answer:
        assert timedelta() < deadline <= timedelta(seconds=5)
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return Answer(200, {}, json.dumps(answer).encode())


def scripted(issuer: Issuer, *answers: dict[str, Any] | BaseException) -> dict[str, Any]:
    url = f"{issuer.name}/jwks.json"
    return {**issuer.rules, "jwks": None, "jwks_url": url, "fetch": Scripted(*answers)}


def test_the_late_answer_of_a_lost_flight_leaves_nothing_behind() -> None:
    """Not even the memory of its bytes, by which the next answer would be taken for the set that is held."""
    issuer = Issuer("k1")
    old = issuer.jwks
    issuer.publish("k2")
    with Verifier(**scripted(issuer, old, issuer.jwks, issuer.jwks)) as verifier:
        verifier.verify(issuer.token("k1"))
        claimed = verifier._keys.ask("k2", waited=False)
        assert isinstance(claimed, Fetch)
        late = verifier._thread._flown()
        issuer.pass_seconds(7)
        again = verifier._keys.ask("k2", waited=False)
        assert isinstance(again, Fetch)
        verifier._keys.land(claimed.flight, late)
        verifier._keys.land(again.flight, verifier._thread._flown())
        assert verifier.verify(issuer.token("k2"))["sub"] == "alice"
        with pytest.raises(KeysUnavailable):  # the script is over, so nobody knows whether it is the issuer's
            verifier.verify(issuer.token("k1"))


@pytest.mark.parametrize("error", [ZeroDivisionError, StopIteration, MemoryError, RecursionError])
def test_a_port_that_breaks_is_a_failed_fetch(error: type[Exception]) -> None:
    issuer = Issuer("k1")
    with Verifier(**scripted(issuer, error(), issuer.jwks)) as verifier:
        with pytest.raises(KeysUnavailable, match=error.__name__):
            verifier.verify(issuer.token())
        issuer.pass_seconds(1)
        assert verifier.verify(issuer.token())["sub"] == "alice"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_started_again() -> None:
    issuer = Issuer("k1")
    with Verifier(**scripted(issuer, SystemExit(), issuer.jwks)) as verifier:
        claimed = verifier._keys.ask("k1", waited=False)
        assert isinstance(claimed, Fetch)
        verifier._thread.begin(claimed.flight)
        until(lambda: not key_threads())
        issuer.pass_seconds(7)
        assert verifier.verify(issuer.token())["sub"] == "alice"

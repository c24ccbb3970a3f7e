"""AsyncVerifier and the issuer's keys, in tasks of one event loop or several."""

import asyncio
import gc
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from jwturn import AsyncVerifier, KeysUnavailable, TokenRefused
from jwturn.core.errors import ConfigError
from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.jwks_cache import BURST
from tests.verifier.issuer import Issuer, served
from tests.verifier.test_forks import held_by_another_thread
from tests.verifier.test_verifier import PATIENCE_SECONDS

SLICE_SECONDS = 0.002


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110  # what holds is seen from outside, not told
            await asyncio.sleep(SLICE_SECONDS)


def run(main: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            return await main

    return asyncio.run(bounded())


async def outcome(verifier: AsyncVerifier, token: str) -> object:
    try:
        return (await verifier.verify(token))["sub"]
    except (TokenRefused, KeysUnavailable) as error:
        return error.code


class Gated:
    """A port that answers when its gate opens, whatever loop it is in."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self.calls = 0
        self.gate = threading.Event()

    async def get(self, _: Get, *, deadline: timedelta) -> Answer:
        self.calls += 1
        async with asyncio.timeout(max(deadline.total_seconds(), PATIENCE_SECONDS)):
            while not self.gate.is_set():  # noqa: ASYNC110  # one gate for several loops
                await asyncio.sleep(SLICE_SECONDS)
        return Answer(200, {}, json.dumps(self._issuer.jwks).encode())


def gated(issuer: Issuer) -> tuple[AsyncVerifier, Gated]:
    port = Gated(issuer)
    rules = {**issuer.rules, "jwks": None, "jwks_url": f"{issuer.name}/jwks.json", "fetch": port}
    return AsyncVerifier(**rules), port


def test_50_cold_tasks_make_one_fetch_and_all_succeed() -> None:
    async def main() -> list[object]:
        async with AsyncVerifier(**issuer.rules) as verifier:
            return await asyncio.gather(*(outcome(verifier, issuer.token()) for _ in range(50)))

    with served("k1") as issuer:
        assert run(main()) == ["alice"] * 50
        assert issuer.fetches == 1


def test_200_tasks_with_unknown_kids_fetch_no_more_than_the_bucket_allows() -> None:
    async def main() -> None:
        async with AsyncVerifier(**issuer.rules) as verifier:
            await verifier.verify(issuer.token())
            tokens = [issuer.stranger(f"x{number}") for number in range(200)]
            found = await asyncio.gather(*(outcome(verifier, token) for token in tokens))
            assert found == ["kid_unknown"] * 200
            assert await outcome(verifier, issuer.token()) == "alice"
            assert verifier._waiters.by_flight == {}

    with served("k1") as issuer:
        run(main())
        assert issuer.fetches <= BURST


def test_a_known_kid_never_waits_behind_a_fetch_that_hangs_and_takes_no_lock() -> None:
    async def main() -> None:
        assert issuer.site is not None
        async with AsyncVerifier(**issuer.rules) as verifier:
            await verifier.verify(issuer.token())
            issuer.site.gate.clear()
            waiting = asyncio.create_task(outcome(verifier, issuer.stranger("x")))
            await until(lambda: issuer.fetches == 2)
            with held_by_another_thread(verifier._keys._lock, verifier._waiters.lock):
                for number in range(20):
                    steps = verifier.verify(issuer.token(n=number))
                    with pytest.raises(StopIteration) as done:  # it is there without one turn of the loop
                        steps.send(None)
                    assert done.value.value["n"] == number
            assert not waiting.done()
            issuer.site.gate.set()
            assert await waiting == "kid_unknown"

    with served("k1") as issuer:
        run(main())


def test_a_new_key_is_found_at_once_and_a_removed_one_ends_with_its_lifetime() -> None:
    async def main() -> None:
        async with AsyncVerifier(**issuer.rules) as verifier:
            assert await outcome(verifier, issuer.token("k1")) == "alice"
            issuer.publish("k1", "k2")
            assert await outcome(verifier, issuer.token("k2")) == "alice"
            issuer.publish("k2")
            issuer.pass_seconds(599)
            assert await outcome(verifier, issuer.token("k1")) == "alice"
            await until(lambda: verifier.status().kids == ("k2",))
            assert await outcome(verifier, issuer.token("k1")) == "kid_unknown"

    with served("k1", max_age=600) as issuer:
        run(main())


def test_good_tokens_pass_until_stale_max_while_the_issuer_is_down() -> None:
    async def main() -> None:
        assert issuer.site is not None
        async with AsyncVerifier(**issuer.rules) as verifier:
            assert await outcome(verifier, issuer.token()) == "alice"
            issuer.site.answer = lambda talk: talk.reply(503, {})
            issuer.pass_seconds(600)
            while issuer.clock.boottime() < timedelta(hours=2, seconds=600):
                assert await outcome(verifier, issuer.token()) == "alice"
                await until(lambda: not verifier._tasks)
                issuer.pass_seconds(300)
            with pytest.raises(KeysUnavailable):
                await verifier.verify(issuer.token())
            issuer.site.answer = None
            issuer.pass_seconds(31)
            assert await outcome(verifier, issuer.token()) == "alice"

    with served("k1", max_age=600) as issuer:
        run(main())


def test_cancelling_one_who_waits_cancels_nobody_elses_fetch() -> None:
    async def main() -> None:
        assert issuer.site is not None
        issuer.site.gate.clear()
        async with AsyncVerifier(**issuer.rules) as verifier:
            first, *others = (asyncio.create_task(outcome(verifier, issuer.token())) for _ in range(5))
            await until(lambda: issuer.fetches == 1)
            first.cancel()
            await asyncio.wait({first})
            assert first.cancelled()
            assert [len(waiting) for waiting in verifier._waiters.by_flight.values()] == [4]
            issuer.site.gate.set()
            assert await asyncio.gather(*others) == ["alice"] * 4

    with served("k1") as issuer:
        run(main())
        assert issuer.fetches == 1


@pytest.mark.parametrize("begun", [True, False])
def test_cancelling_the_fetch_itself_tells_all_who_wait_and_the_next_one_fetches(begun: bool) -> None:
    async def main() -> None:
        issuer = Issuer("k1")
        verifier, port = gated(issuer)
        waiting = [asyncio.create_task(outcome(verifier, issuer.token())) for _ in range(5)]
        await asyncio.sleep(0)
        assert port.calls == 0
        await until(lambda: port.calls == begun)
        (fetch,) = verifier._tasks
        fetch.cancel()
        assert await asyncio.gather(*waiting) == ["keys_unavailable"] * 5
        port.gate.set()
        issuer.pass_seconds(1)
        assert await outcome(verifier, issuer.token()) == "alice"
        assert port.calls == 1 + begun

    run(main())


def test_a_renewal_that_was_cancelled_with_its_loop_is_over() -> None:
    """`asyncio.run` cancels what is left at its end; the next one need not wait for it."""
    with served("k1", max_age=600) as issuer:
        verifier = AsyncVerifier(**issuer.rules)
        assert run(outcome(verifier, issuer.token())) == "alice"
        issuer.pass_seconds(590)
        assert asyncio.run(verifier.verify(issuer.token()))["sub"] == "alice"
        assert verifier._keys.cache.flight is None
        issuer.publish("k1", "k2")
        issuer.pass_seconds(5)
        assert asyncio.run(verifier.verify(issuer.token("k2")))["sub"] == "alice"


def test_one_verifier_works_under_asyncio_run_again_and_again() -> None:
    with served("k1", max_age=600) as issuer:
        verifier = AsyncVerifier(**issuer.rules)
        for number in range(10):
            issuer.publish(*(f"k{count}" for count in range(1, number + 2)))
            assert run(outcome(verifier, issuer.token(f"k{number + 1}"))) == "alice"
            issuer.pass_seconds(60)
        assert verifier._tasks == set()
        run(verifier.close())


def test_two_loops_in_two_threads_share_one_fetch() -> None:
    with served("k1") as issuer, ThreadPoolExecutor(4) as pool:
        assert issuer.site is not None
        verifier, start, gate = AsyncVerifier(**issuer.rules), threading.Barrier(4), issuer.site.gate
        gate.clear()

        def work(number: int) -> object:
            async def main() -> list[object]:
                tasks = [asyncio.create_task(outcome(verifier, issuer.token())) for _ in range(5)]
                if number == 0:
                    await until(lambda: issuer.fetches == 1)
                    gate.set()
                return await asyncio.gather(*tasks)

            start.wait(PATIENCE_SECONDS)
            return run(main())

        assert list(pool.map(work, range(4))) == [["alice"] * 5] * 4
        assert issuer.fetches == 1
        assert verifier._waiters.by_flight == {}


def test_a_loop_that_is_closed_in_the_middle_of_a_fetch_loses_it_and_another_loop_goes_on() -> None:
    issuer = Issuer("k1")
    verifier, port = gated(issuer)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(outcome(verifier, issuer.token()))
    while not port.calls:
        loop.run_until_complete(asyncio.sleep(SLICE_SECONDS))
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # what such an end complains about
    loop.close()
    port.gate.set()
    issuer.pass_seconds(7)
    assert run(outcome(verifier, issuer.token())) == "alice"
    del waiting
    gc.collect()


def test_close_ends_the_fetch_and_what_is_held_stays_in_use() -> None:
    async def main() -> None:
        issuer = Issuer("k1")
        verifier, port = gated(issuer)
        waiting = asyncio.create_task(outcome(verifier, issuer.token()))
        await until(lambda: port.calls == 1)
        await verifier.close()
        assert await waiting == "keys_unavailable"
        assert verifier._tasks == set()
        await verifier.close()
        issuer.pass_seconds(60)
        with pytest.raises(KeysUnavailable, match="closed"):
            await verifier.verify(issuer.token())

    run(main())


def test_nothing_is_left_running() -> None:
    async def main() -> set[str]:
        async with AsyncVerifier(**issuer.rules) as verifier:
            await verifier.verify(issuer.token())
        return {task.get_name() for task in asyncio.all_tasks()} & {"jwturn-keys"}

    with served("k1") as issuer:
        assert run(main()) == set()


def test_explain_at_and_type_are_those_of_the_sync_one() -> None:
    async def main() -> None:
        async with AsyncVerifier(**issuer.rules) as verifier:
            token = issuer.token()
            assert all(check.passed for check in await verifier.explain(token))
            assert await verifier.verify(token, type=dict[str, str | int]) == issuer.claims()
            with pytest.raises(TokenRefused, match="exp"):
                await verifier.verify(token, at=issuer.clock.now() + timedelta(hours=1))

    with served("k1") as issuer:
        run(main())


def test_without_httpx2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ConfigError) as caught:
        AsyncVerifier(issuer="https://a.example", audience="orders")
    assert caught.value.code == "missing_extra"
    assert "jwturn[async]" in caught.value.hint


def test_a_set_that_is_handed_in_needs_no_httpx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    issuer = Issuer("k1")
    assert run(outcome(AsyncVerifier(**issuer.rules), issuer.token())) == "alice"

"""Bodies, rates and calls at once are bounded; overload is a 429 or 503, and ends when the load does."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from jwturn.core.errors import Overloaded, Unavailable
from jwturn.core.tokens import Role
from jwturn.server.limits import NAMES_MAX, Buckets, Gate
from jwturn.testing.clock import FakeClock
from tests.server.world import SECOND, World

SIGN = "/v1/rings/default/sign"
JSON = {"content_type": "application/json"}


def padded(size: int) -> bytes:
    return b'{"claims": {"sub": "a"}}'.ljust(size)


def test_a_body_at_the_limit_passes_and_one_byte_more_is_a_413(tmp_path: Path) -> None:
    world = World(tmp_path, body_max=2000)
    assert world.call("POST", SIGN, data=padded(2000), role=Role.SIGNER, headers=JSON).status == 200
    found = world.call("POST", SIGN, data=padded(2001), role=Role.SIGNER, headers=JSON)
    assert (found.status, found.code) == (413, "too_large")
    assert found.headers["connection"] == "close"
    world.close()


def test_a_chunked_body_over_the_limit_is_a_413_before_it_ends(tmp_path: Path) -> None:
    world = World(tmp_path, body_max=2000)
    parts = [b"x" * 1000] * 3
    found = world.together(world.send("POST", SIGN, data=parts, role=Role.SIGNER, headers=JSON, stalls=True))[
        0
    ]
    assert (found.status, found.code) == (413, "too_large")
    chunked = [b'{"claims"', b": {}", b"}"]
    assert world.call("POST", SIGN, data=chunked, role=Role.SIGNER, headers=JSON).status == 200
    world.close()


def test_a_length_that_lies_is_not_believed(tmp_path: Path) -> None:
    world = World(tmp_path, body_max=2000)
    lying = {**JSON, "content_length": "10"}
    found = world.call("POST", SIGN, data=[padded(3000)], role=Role.SIGNER, headers=lying)
    assert found.code == "too_large"
    assert (
        world.call("POST", SIGN, role=Role.SIGNER, headers={**JSON, "content_length": "9" * 30}).code
        == "too_large"
    )
    world.close()


def test_a_body_that_does_not_come_is_a_408(world: World) -> None:
    call = world.send("POST", SIGN, data=[b'{"claims": '], role=Role.SIGNER, headers=JSON, stalls=True)
    found = world.together(call)[0]
    assert (found.status, found.code) == (408, "body_slow")
    assert found.headers["connection"] == "close"


def test_a_body_is_not_read_for_who_may_not_call(world: World) -> None:
    call = world.send("POST", SIGN, data=[b"{"], headers=JSON, stalls=True)
    assert world.together(call)[0].status == 401
    call = world.send("POST", SIGN, data=[b"{"], role=Role.AUDITOR, headers=JSON, stalls=True)
    assert world.together(call)[0].status == 403


def test_a_token_that_calls_too_often_is_a_429_until_it_waits(tmp_path: Path) -> None:
    world = World(tmp_path, rate_max=5)
    statuses = [world.post(SIGN, {"claims": {}}, role=Role.SIGNER).status for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    found = world.post(SIGN, {"claims": {}}, role=Role.SIGNER)
    assert found.code == "overloaded"
    assert int(found.headers["retry-after"]) >= 1
    assert world.get("/v1/rings", Role.AUDITOR).status == 200
    world.clock.advance(SECOND)
    assert [world.post(SIGN, {"claims": {}}, role=Role.SIGNER).status for _ in range(6)] == [200] * 5 + [429]
    world.close()


def test_more_calls_than_places_are_a_503_and_afterwards_all_is_well(tmp_path: Path) -> None:
    world = World(tmp_path, concurrency_max=3)
    world.post(SIGN, {"claims": {}}, role=Role.SIGNER)
    slow = [
        world.send("POST", SIGN, data=[b"{"], role=Role.SIGNER, headers=JSON, stalls=True) for _ in range(5)
    ]
    found = world.together(*slow, world.send("GET", "/livez"), world.send("GET", "/.well-known/jwks.json"))
    assert [reply.status for reply in found] == [408, 408, 408, 503, 503, 200, 200]
    assert found[3].code == "overloaded"
    assert found[3].headers["retry-after"] == "1"
    assert world.asgi.service.gate.inside == 0
    assert world.post(SIGN, {"claims": {}}, role=Role.SIGNER).status == 200
    world.close()


def test_sets_that_must_be_read_are_bounded_too(tmp_path: Path) -> None:
    world = World(tmp_path, concurrency_max=2)
    found = world.together(*(world.send("GET", "/.well-known/jwks.json") for _ in range(6)))
    assert sorted(reply.status for reply in found) == [200, 200, 503, 503, 503, 503]
    refused = next(reply for reply in found if reply.status == 503)
    assert (refused.code, refused.headers["cache-control"]) == ("overloaded", "no-store")
    assert world.get("/.well-known/jwks.json").status == 200
    world.close()


def test_a_bucket_fills_with_time_up_to_its_burst() -> None:
    clock = FakeClock()
    buckets = Buckets(clock, rate=2, burst=4)

    def taken() -> int:
        for number in range(100):
            try:
                buckets.take("name", "it")
            except Overloaded:
                return number
        raise AssertionError("no end")

    assert taken() == 4
    clock.advance(SECOND)
    assert taken() == 2
    clock.advance(timedelta(days=1))
    assert taken() == 4


def test_a_wall_clock_that_jumps_fills_no_bucket() -> None:
    clock = FakeClock()
    buckets = Buckets(clock, rate=1, burst=1)
    buckets.take("name", "it")
    clock.jump(timedelta(days=3650))
    with pytest.raises(Overloaded) as refused:
        buckets.take("name", "it")
    assert refused.value.retry_after == 1


def test_only_so_many_names_are_remembered() -> None:
    buckets = Buckets(FakeClock(), rate=1, burst=1)
    for number in range(NAMES_MAX + 1):
        buckets.take(str(number), "it")
    buckets.take("0", "it")
    with pytest.raises(Overloaded):
        buckets.take(str(NAMES_MAX), "it")


def test_a_place_is_given_back_whatever_happens_inside() -> None:
    gate = Gate(1)
    with pytest.raises(ZeroDivisionError), gate:
        raise ZeroDivisionError
    with gate:
        with pytest.raises(Unavailable) as refused, gate:
            pass
        assert refused.value.code == "overloaded"
    assert gate.inside == 0


def test_slow_work_in_one_lane_does_not_keep_a_set_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    stuck = threading.Event()
    real = world.app.store.load

    def waits(name: str) -> object:
        stuck.wait(10)
        return real(name)

    async def both() -> tuple[int, bool]:
        slow = [
            asyncio.create_task(world.send("GET", "/v1/rings/default", role=Role.AUDITOR)) for _ in range(20)
        ]
        await asyncio.sleep(0)
        found = await world.send("GET", "/.well-known/jwks.json")
        waiting = not any(task.done() for task in slow)
        stuck.set()
        await asyncio.gather(*slow)
        return found.status, waiting

    world.get("/v1/rings", Role.AUDITOR)
    monkeypatch.setattr(world.app.store, "load", waits)
    assert world._runner.run(both()) == (200, True)

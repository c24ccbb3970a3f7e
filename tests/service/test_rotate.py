"""Rotating: any number of rotators, lost races, crashes at every call, and a custody that is away."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import steps
from jwturn.core.errors import CustodyError, JwturnError, LostRace
from jwturn.core.keys import KeyRing
from jwturn.core.ledger import verify
from jwturn.core.plan import next_due, plan
from jwturn.core.timing import lead
from jwturn.service.rotate import Rotator
from tests.service.stage import ANN, DAY, ISSUER, TICK, Stage


class Crash(Exception):
    """The process died here."""


class Fragile:
    """Stands before an adapter and dies at the n-th call of some methods, before or after the effect."""

    def __init__(self, adapter: Any, calls: tuple[str, ...], *, at: int, after: bool) -> None:
        self._adapter, self._calls, self._left, self._after = adapter, calls, at, after
        self.crashed = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if name not in self._calls:
            return method

        def call(*args: Any, **options: Any) -> Any:
            self._left -= 1
            dies = self._left == 0
            if dies and not self._after:
                self.crashed = True
                raise Crash
            answer = method(*args, **options)
            if dies:
                self.crashed = True
                raise Crash
            return answer

        return call


def empty_stage(*, served: bool = False) -> Stage:
    """A stage with a second ring, `fresh`, that no rotator has seen."""
    stage = Stage()
    policy = stage.view.ring.policy
    issuer = ISSUER if served else "https://fresh.example.com"
    stage.node.commands.add_ring("fresh", issuer=issuer, policy=policy, actor=ANN)
    return stage


def fresh_states(stage: Stage) -> list[str]:
    return [str(key.state) for key in stage.store.load("fresh").ring.keys]


def demand_whole_chain(stage: Stage, name: str) -> None:
    ring = stage.store.load(name).ring
    head = verify(stage.store.events(ring.id), chain=ring.id)
    assert (head.count, head.hash) == (ring.event_count, ring.event_hash)


@pytest.mark.parametrize("count", [2, 8])
def test_rotators_on_an_empty_ring_in_the_same_second_make_one_active_key_and_one_standby(count: int) -> None:
    stage = empty_stage()
    barrier, errors = threading.Barrier(count), []

    def work(rotator: Rotator) -> None:
        barrier.wait(30)
        try:
            rotator.turn("fresh")
        except Exception as error:  # noqa: BLE001  # whatever it is, the test fails on it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(stage.join().rotator,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [error for error in errors if not isinstance(error, LostRace)] == []
    stage.node.rotator.turn("fresh")
    assert fresh_states(stage) == ["active", "standby"]
    demand_whole_chain(stage, "fresh")


class Second:
    """A store on which another rotator always comes first, once for each update."""

    def __init__(self, stage: Stage, other: Rotator, times: int, *, first: str = "fresh") -> None:
        self._store, self._other, self.left, self._first = stage.store, other, times, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def update(self, name: str, change: Callable[..., Any], **options: Any) -> Any:
        if self.left:
            self.left -= 1
            self._other.turn(self._first)
        return self._store.update(name, change, **options)


def test_a_rotator_that_comes_second_finds_nothing_left_to_do() -> None:
    stage = empty_stage()
    second = Second(stage, stage.node.rotator, 1)
    turned = Rotator(second, stage.custody, stage.clock, who="late").turn("fresh")
    assert second.left == 0
    assert turned.steps == ()
    assert fresh_states(stage) == ["active", "standby"]


def test_a_race_that_the_store_reports_is_a_named_result_and_changes_nothing() -> None:
    stage = empty_stage()

    def lost(*_: object, **__: object) -> None:
        raise LostRace("another was first", hint="ask again")

    proxy = Second(stage, stage.node.rotator, 0)
    proxy.update = lost  # type: ignore[method-assign]  # for this test the race is always lost
    with pytest.raises(LostRace):
        Rotator(proxy, stage.custody, stage.clock, who="late").turn("fresh")
    assert fresh_states(stage) == []
    stage.node.rotator.turn("fresh")
    assert fresh_states(stage) == ["active", "standby"]


def crashing(stage: Stage, *, at: int, after: bool) -> tuple[Rotator, tuple[Fragile, ...]]:
    store = Fragile(stage.store, ("update", "load"), at=at, after=after)
    custody = Fragile(stage.custody, ("create",), at=(at + 1) // 2, after=after)
    rotator = Rotator(store, custody, stage.clock, who="crashing")
    return rotator, (store, custody)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 8))
def test_a_rotator_that_dies_at_any_call_leaves_a_ring_that_the_next_one_completes(
    at: int, after: bool
) -> None:
    stage = empty_stage()
    rotator, proxies = crashing(stage, at=at, after=after)
    with suppress(Crash):
        rotator.turn("fresh")
    assert any(proxy.crashed for proxy in proxies) or at > 6
    states = fresh_states(stage)
    assert states in ([], ["active"], ["active", "standby"])
    stage.node.rotator.turn("fresh")
    assert fresh_states(stage) == ["active", "standby"]
    demand_whole_chain(stage, "fresh")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_rotator_that_dies_in_a_turn_never_leaves_the_ring_without_an_active_key(
    at: int, after: bool
) -> None:
    stage = Stage()
    stage.skip(2 * DAY)
    before = stage.active.kid
    stage.node.commands.promote("default", ANN)
    rotator, _ = crashing(stage, at=at, after=after)
    try:
        rotator.turn("default")
    except Crash:
        assert stage.active.kid != before
    stage.node.rotator.turn("default")
    assert stage.states() == ["verify-only", "active", "standby"]
    assert plan(stage.view.ring, stage.view.leases, stage.view.now) == ()
    demand_whole_chain(stage, "default")


class Away:
    """A custody that cannot be reached, and writes down what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def create(self, alg: str, *_: object, **__: object) -> None:
        self.asked.append(f"create {alg}")
        raise CustodyError("the custody is away", hint="wait")

    def destroy(self, *_: object) -> None:
        self.asked.append("destroy")


def test_a_custody_that_is_away_fails_the_turn_and_the_active_key_goes_on_signing() -> None:
    stage = Stage()
    stage.skip(2 * DAY)
    signing = stage.node.signing
    before, away = stage.active, Away()
    stage.node.commands.promote("default", ANN)
    rotator = Rotator(stage.store, away, stage.clock, who="n")  # type: ignore[arg-type]  # a custody that fails
    with pytest.raises(CustodyError):
        rotator.turn("default")
    assert set(away.asked) == {"create ES256"}
    assert stage.view.ring.key(before.kid).private is not None
    assert signing.sign("default", {}).kid == stage.active.kid
    stage.node.rotator.turn("default")
    assert stage.states() == ["verify-only", "active", "standby"]


def test_steps_that_need_no_key_are_taken_while_the_custody_is_away() -> None:
    stage = Stage()
    stage.skip(2 * DAY)
    old = stage.active.kid
    stage.node.commands.revoke("default", ANN, kid=old)
    rotator = Rotator(stage.store, Away(), stage.clock, who="n")  # type: ignore[arg-type]  # a custody that fails
    with pytest.raises(CustodyError):
        rotator.turn("default")
    assert stage.view.ring.key(old).state == "retired"


class Noted:
    """Custody and store in one list of effects, in the order in which they happened."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.effects = stage, list[str]()

    def create(self, alg: str, ring_id: str, **options: Any) -> Any:
        made = self._stage.custody.create(alg, ring_id, **options)
        self.effects.append("create")
        return made

    def destroy(self, *_: object) -> None:
        self.effects.append("destroy")

    def load(self, name: str) -> Any:
        return self._stage.store.load(name)

    def update(self, name: str, change: Any, **options: Any) -> Any:
        halves = sum(key.private is not None for key in self._stage.view.ring.keys)
        after = self._stage.store.update(name, change, **options)
        left = sum(key.private is not None for key in after.keys)
        self.effects.append("more" if left > halves else "fewer" if left < halves else "same")
        return after


def test_a_turn_never_takes_the_old_pair_away_before_the_new_one_is_committed() -> None:
    stage = Stage()
    stage.skip(2 * DAY)
    noted = Noted(stage)
    rotator = Rotator(noted, noted, stage.clock, who="n")  # type: ignore[arg-type]  # both ports in one
    stage.node.commands.promote("default", ANN)
    rotator.turn("default")
    for _ in range(4 * 60):
        stage.clock.advance(TICK / 2)
        stage.node.loop.tick()
        rotator.turn("default")
    changed = [effect for effect in noted.effects if effect != "same"]
    assert changed[:3] == ["create", "more", "fewer"]
    assert stage.states() == ["retired", "active", "standby"]


def test_a_turn_at_rest_only_books_the_next_look() -> None:
    stage = Stage()
    epoch = stage.view.ring.epoch
    turned = stage.node.rotator.turn("default")
    assert turned.steps == ()
    assert stage.view.ring.epoch == epoch
    due, turn_at = next_due(stage.view.ring, stage.view.leases, stage.view.now), stage.view.ring.turn_at
    assert turn_at is not None
    assert due == turn_at - lead(stage.active.bounds) - 3 * TICK - timedelta(seconds=1)
    assert stage.store.next_due() == due


def test_of_two_rings_of_an_issuer_made_together_only_one_skips_the_lead() -> None:
    stage = empty_stage(served=False)
    policy = stage.view.ring.policy
    stage.node.commands.add_ring("twin", issuer="https://fresh.example.com", policy=policy, actor=ANN)
    other = Second(stage, stage.node.rotator, 1, first="twin")
    Rotator(other, stage.custody, stage.clock, who="n").turn("fresh")
    states = {name: [str(k.state) for k in stage.store.load(name).ring.keys] for name in ("fresh", "twin")}
    assert states == {"twin": ["active", "standby"], "fresh": ["standby"]}


def test_the_steps_of_a_turn_are_told_in_the_order_they_were_taken() -> None:
    stage = empty_stage()
    turned = stage.node.rotator.turn("fresh")
    assert [steps.name_of(step) for step in turned.steps] == ["add", "promote", "add", "stamp"]
    ring = stage.store.load("fresh").ring
    told = [event.action for event in stage.store.events(ring.id)]
    assert told == ["add_ring", "add", "promote", "add", "stamp"]


def test_a_ring_that_does_not_come_to_rest_is_an_error_and_not_an_endless_loop() -> None:
    stage = empty_stage()

    class Deaf:
        def __getattr__(self, name: str) -> Any:
            return getattr(stage.store, name)

        def update(self, *_: object, **__: object) -> KeyRing:
            """Says that it was done, and was not."""
            return stage.store.load("fresh").ring

    with pytest.raises(JwturnError, match="did not come to rest"):
        Rotator(Deaf(), stage.custody, stage.clock, who="n").turn("fresh")

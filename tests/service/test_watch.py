"""A node watches that the store's clock moves like its own, and asks for no transaction while in doubt."""

from datetime import timedelta

import pytest

from jwturn.core.errors import ClocksDisagree, Unavailable
from jwturn.service.watch import StoreWatch
from tests.service.short import MATURE, MIN, SHORT, S
from tests.service.stage import ANN, DAY, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage(**SHORT)


def jump(stage: Stage, by: timedelta) -> None:
    """The machine's clock is set: the store's and the node's, which run on it."""
    stage.clock.jump(by)
    stage.node.clock.jump(by)


def test_a_first_look_has_nothing_to_compare_with(stage: Stage) -> None:
    watch = StoreWatch(stage.store, stage.node.clock)
    watch.look()
    jump(stage, DAY)
    assert watch.load("default").ring == stage.view.ring
    assert watch.trusted


def test_looks_without_a_jump_keep_the_trust_however_far_apart(stage: Stage) -> None:
    watch = StoreWatch(stage.store, stage.node.clock)
    for length in (S, MIN, 90 * DAY):
        watch.load("default")
        stage.clock.advance(length)
    watch.look()
    assert watch.trusted


@pytest.mark.parametrize("by", [DAY, -DAY, 8 * S], ids=str)
def test_a_jump_of_the_machine_is_noticed_by_the_next_look_and_forgotten_after_two(
    stage: Stage, by: timedelta
) -> None:
    watch = StoreWatch(stage.store, stage.node.clock)
    watch.load("default")
    jump(stage, by)
    with pytest.raises(ClocksDisagree, match="move alike"):
        watch.look()
    for _ in range(3):
        with pytest.raises(Unavailable, match="agree twice"):
            watch.look()
    stage.clock.advance(10 * S)
    watch.look()
    assert watch.trusted


def test_a_reply_that_was_only_slow_is_no_fault_of_the_clocks(stage: Stage) -> None:
    watch = StoreWatch(stage.store, stage.node.clock)
    watch.load("default")
    reading = watch.reading()
    stage.clock.advance(MIN)
    with pytest.raises(ClocksDisagree), watch.judging(reading):
        stage.store.grant("n", "default", at=reading)
    assert watch.trusted
    assert stage.view.leases.marks == ()


def test_a_rotator_whose_machine_jumped_stamps_nothing_with_the_wrong_time(stage: Stage) -> None:
    stage.run(MATURE)
    stage.node.commands.promote("default", ANN)
    jump(stage, 3652 * DAY)
    before = stage.view.ring
    for words in ("move alike", "agree twice"):
        with pytest.raises(Unavailable, match=words):
            stage.node.rotator.turn("default")
    assert stage.view.ring == before
    jump(stage, -3652 * DAY)
    with pytest.raises(ClocksDisagree):
        stage.node.rotator.turn("default")
    stage.run(2 * MIN)
    standby = stage.view.ring.keys[-1]
    assert standby.sign_from is not None
    assert standby.sign_from < stage.clock.now() + DAY


def test_a_node_without_leases_notices_a_jump_before_it_is_asked_to_sign(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    stage.node.signing.release()
    jump(stage, DAY)
    with pytest.raises(ClocksDisagree):
        stage.node.signing.refresh()
    for _ in range(2):
        stage.clock.advance(10 * S)
        try:
            stage.node.signing.refresh()
        except Unavailable as error:
            assert error.code == "clocks_disagree"
    assert stage.node.signing.sign("default", {}).token

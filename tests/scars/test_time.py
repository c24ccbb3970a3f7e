"""Scars of time: steps of NTP, clocks that jump, nodes that differ, and dates at which numbers overflow."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jwturn.core.errors import ClocksDisagree, StateForbids, Unavailable
from jwturn.core.jws import read_claims, split
from jwturn.core.timing import horizon
from jwturn.testing.clock import FakeClock
from tests.interop.stale import Watched
from tests.service.short import GONE, MATURE, MIN, SHORT, S
from tests.service.stage import ANN, DAY, HOUR, ISSUER, Stage
from tests.service.test_recover import sqlite_stage

DECADE = 3650 * DAY


def step(stage: Stage, by: timedelta) -> None:
    """The wall clocks of the store and of the node are set, as NTP does on one machine."""
    stage.clock.jump(by)
    stage.node.clock.jump(by)


def signs_again(stage: Stage) -> str:
    """Three refreshes later the node trusts the store's clock again."""
    for _ in range(3):
        stage.clock.advance(10 * S)
        stage.node.loop.run_once()
    return stage.node.signing.sign("default", {}).kid


@pytest.mark.parametrize("back", [HOUR, 30 * DAY], ids=str)
def test_a_clock_that_is_set_back_during_the_lead_does_not_shorten_it(back: timedelta) -> None:
    """NTP steps back an hour during the lead."""
    stage = Stage(**SHORT)
    began, lead_ends = stage.clock.boottime(), stage.view.ring.keys[1].sign_from
    stage.run(10 * MIN)
    step(stage, -back)
    early = 0
    while stage.clock.boottime() - began < horizon(stage.active.bounds):
        with pytest.raises(StateForbids):
            stage.node.commands.promote("default", ANN)
        stage.run(MIN)
        early += 1
    assert early >= 3
    assert lead_ends is not None
    with pytest.raises(StateForbids):
        stage.node.commands.promote("default", ANN)
    step(stage, back)
    stage.run(MATURE)
    stage.node.commands.promote("default", ANN)
    assert signs_again(stage) == stage.active.kid


def test_a_clock_that_is_set_forward_during_the_lead_does_not_shorten_it() -> None:
    """NTP steps forward an hour during the lead: the seen time still counts."""
    stage = Stage(**SHORT)
    began = stage.clock.boottime()
    stage.run(5 * MIN)
    step(stage, HOUR)
    while stage.clock.boottime() - began < horizon(stage.active.bounds):
        with pytest.raises(StateForbids):
            stage.node.commands.promote("default", ANN)
        stage.run(MIN)
    stage.run(5 * MIN)
    stage.node.commands.promote("default", ANN)
    assert signs_again(stage) == stage.active.kid


def test_a_clock_that_jumps_ten_years_forward_matures_and_destroys_nothing() -> None:
    """A clock jumps ten years forward."""
    stage = Stage(**SHORT)
    stage.run(MATURE)
    stage.node.signing.sign("default", {})
    stage.node.commands.promote("default", ANN)
    stage.run(MIN)
    before = stage.view.ring.keys
    step(stage, DECADE)
    stage.run(2 * MIN)
    assert stage.view.ring.keys[: len(before)] == before
    assert {str(key.state) for key in stage.view.ring.keys[len(before) :]} <= {"standby"}
    assert {key.kid for key in before} <= stage.node.publisher.issuer_set(ISSUER).kids
    with pytest.raises(Unavailable):
        stage.node.signing.sign("default", {})
    step(stage, -DECADE)
    assert signs_again(stage) == stage.active.kid


def test_a_ring_whose_clock_stays_ten_years_ahead_turns_after_a_lead_that_was_watched() -> None:
    """A clock jumps ten years forward, and that was right: the ring goes on by itself."""
    stage = Stage(**SHORT)
    stage.run(2 * MIN)
    old = stage.active.kid
    step(stage, DECADE)
    stage.run(8 * MIN)
    assert stage.active.kid == old
    stage.run(MATURE)
    assert stage.active.kid != old
    assert signs_again(stage) == stage.active.kid


@pytest.mark.parametrize("skew", [-S, S], ids=str)
def test_two_nodes_that_differ_by_the_skew_sign_tokens_that_no_verifier_refuses(skew: timedelta) -> None:
    """Two nodes differ by the skew."""
    watched = Watched(Stage(**SHORT, signer_refresh=30 * S))
    stage = watched.stage
    off = stage.join(skew=skew)
    for _ in range(2 * 60 + 25):
        watched.run(MIN)
        off.loop.run_once()
        signed = off.signing.sign("default", {"sub": "bob"})
        assert read_claims(split(signed.token).payload)["iat"] == int(stage.clock.now().timestamp())
        assert signed.kid == stage.active.kid
    assert len(watched.signers) == 2
    assert watched.refused == []
    assert off.publisher.issuer_set(ISSUER).etag == stage.node.publisher.issuer_set(ISSUER).etag


@pytest.mark.parametrize("skew", [-10 * S, 10 * S, DECADE], ids=str)
def test_a_node_beyond_the_skew_neither_signs_nor_turns(skew: timedelta) -> None:
    """Two nodes differ by more than the skew: the one that is off changes nothing."""
    stage = Stage(**SHORT)
    stage.run(MATURE)
    off, epoch = stage.join(skew=skew), stage.view.ring.epoch
    for attempt in (
        lambda: off.signing.sign("default", {}),
        lambda: off.commands.promote("default", ANN),
        lambda: off.commands.revoke("default", ANN, kid=stage.active.kid),
        lambda: off.rotator.turn("default"),
    ):
        with pytest.raises(ClocksDisagree) as refused:
            attempt()
        assert refused.value.hint
    assert stage.view.ring.epoch == epoch
    assert stage.node.signing.sign("default", {}).kid == stage.active.kid


MOMENTS = [
    datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
    datetime(2100, 2, 28, 23, 59, 59, tzinfo=UTC),
    datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC),
    datetime(2262, 4, 11, 23, 47, 16, tzinfo=UTC),
]
"""The last seconds of 31, of 32 and of 63 bits (seconds and nanoseconds), and a year that does not leap."""


@pytest.mark.parametrize(
    ("moment", "store"),
    [(moment, "memory") for moment in MOMENTS] + [(MOMENTS[0], "sqlite")],
    ids=lambda value: value if isinstance(value, str) else str(value.year),
)
def test_a_ring_turns_through_the_end_of_an_integer(
    moment: datetime, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2038, and the others of its kind."""
    monkeypatch.setattr("tests.service.stage.FakeClock", lambda: FakeClock(moment - HOUR))
    stage = Stage(**SHORT) if store == "memory" else sqlite_stage(tmp_path / "state")
    assert stage.clock.now() < moment
    watched = Watched(stage)
    watched.run(2 * HOUR + GONE)
    assert stage.clock.now() > moment + HOUR
    exps = [read_claims(split(one.token).payload)["exp"] for one in watched.issued]
    assert min(exps) <= moment.timestamp() < max(exps)
    assert len(watched.signers) == 2
    assert watched.refused == []
    assert "retired" in stage.states()

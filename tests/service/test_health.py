"""What a person is told of a ring: what has to be done, and what is only worth knowing."""

from datetime import timedelta

import pytest

from jwturn.service.health import Finding, findings
from tests.service.stage import ANN, DAY, HOUR, Stage


def told(stage: Stage) -> dict[str, Finding]:
    """The findings by code."""
    return {found.code: found for found in findings(stage.view, stage.store.seen())}


def serious(stage: Stage) -> list[str]:
    """The codes of what has to be done, the urgent first."""
    return [found.code for found in findings(stage.view, stage.store.seen()) if found.serious]


def test_a_fresh_ring_has_only_a_note(stage: Stage) -> None:
    assert serious(stage) == []
    assert told(stage)["no_mature_standby"].words.startswith("no mature standby for 24h 43m; until then")


@pytest.fixture
def stage() -> Stage:
    """A ring with an active key and a standby."""
    return Stage(verifiers=("jose",), verifier_ttl_max=DAY, rotate_every=3 * DAY)


def test_a_ring_that_is_watched_over_has_nothing_to_say(stage: Stage) -> None:
    stage.skip(26 * HOUR)
    assert told(stage) == {}


def test_a_loop_that_nobody_runs_is_noticed_after_a_tick_cap(stage: Stage) -> None:
    stage.clock.advance(timedelta(seconds=60))
    assert serious(stage) == []
    stage.clock.advance(timedelta(seconds=1))
    assert serious(stage) == ["loop_silent"]
    assert "last tick 1m 1s ago" in told(stage)["loop_silent"].words


def test_an_overdue_key_is_loud_and_says_when_signers_refuse_it(stage: Stage) -> None:
    stage.clock.advance(4 * DAY)
    assert serious(stage) == ["overdue", "loop_silent", "pending"]
    assert told(stage)["overdue"].words == "the active key is overdue by 24h; signers refuse it in 29d"
    stage.clock.advance(30 * DAY)
    assert told(stage)["overdue"].words.endswith("signers refuse it")


def test_what_is_due_and_not_done_is_named(stage: Stage) -> None:
    stage.clock.advance(2 * DAY)
    assert told(stage)["pending"].words == "due now and not done: create"


def test_held_turns_and_keys_are_notes_until_the_key_is_overdue(stage: Stage) -> None:
    stage.node.commands.hold("default", ANN, kid=None)
    stage.node.commands.hold("default", ANN, kid=stage.view.ring.keys[0].kid)
    assert [f.words.partition(" held by ann: ")[2] for f in findings(stage.view, stage.store.seen())][1:] == [
        "because",
        "because",
    ]
    assert serious(stage) == []
    stage.clock.advance(4 * DAY)
    assert told(stage)["overdue"].hint == "jwturn release --whole-ring"


def test_a_ring_without_an_active_key_is_serious(stage: Stage) -> None:
    active = stage.view.ring.active
    assert active is not None
    stage.node.commands.revoke("default", ANN, kid=active.kid)
    assert serious(stage)[0] == "no_active"


def test_a_turn_that_was_rolled_back_is_a_note(stage: Stage) -> None:
    stage.skip(26 * HOUR)
    stage.node.commands.promote("default", ANN)
    stage.node.rotator.turn("default")
    stage.node.commands.roll_back("default", ANN)
    stage.node.rotator.turn("default")
    assert told(stage)["no_turn_booked"].hint == "jwturn rotate books one"
    assert serious(stage) == []


def test_a_secret_that_waits_for_its_delivery_is_serious() -> None:
    stage = Stage(alg="HS256", delivery="manual")
    assert serious(stage) == ["undelivered"]
    assert told(stage)["undelivered"].hint == "jwturn delivered KID"


def test_a_policy_that_is_allowed_and_unwise_is_a_note() -> None:
    stage = Stage(rotate_every=365 * DAY, verifiers=("dotnet",))
    notes = [found.words for found in findings(stage.view, stage.store.seen()) if found.code == "policy"]
    assert len(notes) == 2
    assert "longer than six months" in notes[0]
    assert serious(stage) == []

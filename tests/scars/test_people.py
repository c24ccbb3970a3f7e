"""Scars of people: what a word seemed to do, what nobody was told, and what everybody felt at once."""

import json

import pytest

from jwturn.core.errors import StateForbids
from jwturn.core.plan import agenda
from jwturn.core.reasons import Reason
from jwturn.core.steps import Promote, name_of
from jwturn.service.health import findings
from tests.interop.stale import CLASSIC, Watched, secret_set
from tests.service.short import GONE, MATURE, MIN, SHORT, S
from tests.service.stage import ANN, HOUR, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage(**SHORT)


def test_rotate_never_switches_at_once_and_says_when_it_will(stage: Stage) -> None:
    """sops#365: `rotate` and `updatekeys` were confused for years."""
    stage.run(MIN)
    before = stage.view.ring
    told = stage.node.commands.rotate("default", ANN)
    assert [name_of(step) for step in told.steps] == ["book_turn"]
    assert told.ring.turn_at is not None
    assert before.turn_at is not None
    assert stage.clock.now() < told.ring.turn_at < before.turn_at
    assert stage.view.ring.active == before.active
    old = stage.active.kid
    stage.run(told.ring.turn_at - stage.clock.now() - S)
    assert stage.active.kid == old
    stage.run(5 * MIN)
    assert stage.active.kid != old


def test_a_dry_run_of_rotate_says_the_same_and_does_nothing(stage: Stage) -> None:
    """sops#365: the only way to learn what a word did was to say it."""
    stage.run(MIN)
    before = stage.view.ring
    tried = stage.node.commands.rotate("default", ANN, dry_run=True)
    assert stage.view.ring == before
    assert stage.node.commands.rotate("default", ANN).ring.turn_at == tried.ring.turn_at


def test_the_word_that_switches_at_once_is_refused_before_the_lead_and_says_until_when(stage: Stage) -> None:
    """sops#365: two words that differ say how they differ."""
    with pytest.raises(StateForbids, match="no mature standby") as refused:
        stage.node.commands.promote("default", ANN)
    assert "until when" in refused.value.hint


def test_the_next_turn_is_data_that_status_shows_and_it_comes_then(stage: Stage) -> None:
    """cert-manager#773: the next renewal was only in a log."""
    view = stage.view
    turns = [b for b in agenda(view.ring, view.leases, view.now) if isinstance(b.step, Promote)]
    assert [
        (booked.step.kid, booked.step.reason) for booked in turns if isinstance(booked.step, Promote)
    ] == [(view.ring.keys[1].kid, Reason.TURN_DUE)]
    said = turns[0].due.eta(view.now)
    assert said == view.ring.turn_at
    assert stage.store.rings()[0].due_at is not None
    stage.run(said - stage.clock.now() + S)
    promoted = stage.view.ring.key(view.ring.keys[1].kid).promoted
    assert promoted is not None
    assert said <= promoted.at <= said + S


def test_a_turn_that_does_not_come_is_a_finding_and_not_a_line_in_a_log(stage: Stage) -> None:
    """cert-manager#773: that nothing renewed could be seen by nobody."""
    stage.clock.advance(3 * HOUR)
    found = {finding.code: finding for finding in findings(stage.view, stage.store.seen())}
    assert {"overdue", "loop_silent", "pending"} <= found.keys()
    assert all(found[code].serious and found[code].hint for code in ("overdue", "loop_silent"))


def test_old_and_new_secrets_verify_side_by_side_so_nobody_is_logged_out() -> None:
    """A big-bang HMAC change logged everyone out at once, and the rate limiter blocked the re-logins."""
    watched = Watched(Stage(**SHORT, alg="HS256", signer_refresh=30 * S), set_of=secret_set)
    stage = watched.stage
    watched.run(MATURE)
    old = stage.active.kid
    stage.node.commands.promote("default", ANN)
    watched.run(MIN)
    new = stage.active.kid
    for name, client in CLASSIC.items():
        check = client(secret_set(stage))
        accepted = {one.kid for one in watched.good() if not watched.no(check, one)}
        assert accepted == {old, new}, name
    watched.run(GONE)
    assert old not in {key["kid"] for key in json.loads(secret_set(stage))["keys"]}
    assert watched.refused == []


def test_a_secret_is_given_out_a_whole_lead_before_it_signs() -> None:
    """The big bang: signer and verifiers were given the new secret at the same moment, and were not."""
    watched = Watched(Stage(**SHORT, alg="HS256", signer_refresh=30 * S), set_of=secret_set)
    watched.run(4 * HOUR + MATURE)
    assert watched.age is not None
    for kid in watched.signers[1:]:
        given = min(at for at, body in watched.sets if kid.encode() in body)
        promoted = next(
            event.at
            for event in watched.stage.store.events(watched.stage.view.ring.id)
            if (event.action, event.kid) == ("promote", kid)
        )
        assert promoted - given >= watched.age


def test_a_secret_that_people_carry_by_hand_waits_for_their_word() -> None:
    """The big bang: the turn did not wait for those who had to paste the secret somewhere."""
    stage = Stage(**SHORT, alg="HS256", delivery="manual")
    old = stage.active.kid
    stage.run(3 * HOUR)
    assert stage.active.kid == old
    assert "undelivered" in {found.code for found in findings(stage.view, stage.store.seen())}
    waiting = [key for key in stage.view.ring.keys if not key.delivered and key.state == "standby"]
    stage.node.commands.delivered("default", ANN, kid=waiting[0].kid)
    stage.run(5 * MIN)
    assert stage.active.kid == old
    stage.run(MATURE)
    assert stage.active.kid == waiting[0].kid

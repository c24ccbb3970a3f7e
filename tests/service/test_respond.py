"""A person's commands: what each does, what it refuses, and that a dry run writes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import guards, steps
from jwturn.core.errors import BadInput, LostRace, NotFound, PolicyRefused, StateForbids
from jwturn.core.keys import Waiver
from jwturn.core.ledger import Actor
from jwturn.core.reasons import Reason
from jwturn.service.respond import Commands, Outcome
from tests.service.stage import ANN, DAY, HOUR, TICK, Stage

S = timedelta(seconds=1)
NOBODY = Actor("ann", "  ")


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def mature() -> Stage:
    stage = Stage()
    stage.skip(2 * DAY)
    return stage


def kid_of(stage: Stage, state: str) -> str:
    return next(key.kid for key in stage.view.ring.keys if key.state == state)


def test_rotate_books_the_turn_for_when_a_mature_standby_will_be_there_after_it(stage: Stage) -> None:
    before = stage.active.kid
    booked = stage.node.commands.rotate("default", ANN).ring.turn_at
    assert booked is not None
    assert stage.active.kid == before
    stage.clock.advance(S)
    stage.node.rotator.turn("default")
    assert stage.states() == ["active", "standby", "standby"]
    stage.skip(booked - stage.clock.now() - TICK)
    assert stage.active.kid == before
    stage.skip(2 * TICK)
    assert stage.active.kid != before
    assert guards.mature_standby(stage.view.ring, stage.view.now) is not None


def test_rotating_again_does_not_put_the_booked_turn_off(stage: Stage) -> None:
    booked = stage.node.commands.rotate("default", ANN).ring.turn_at
    stage.node.rotator.turn("default")
    stage.skip(HOUR)
    again = stage.node.commands.rotate("default", ANN)
    assert again.steps == ()
    assert again.ring.turn_at == booked


def test_rotate_with_two_mature_standbys_turns_now(stage: Stage) -> None:
    stage.node.commands.rotate("default", ANN)
    stage.clock.advance(S)
    stage.node.rotator.turn("default")
    stage.node.commands.hold("default", ANN, kid=None)
    assert stage.states() == ["active", "standby", "standby"]
    stage.skip(2 * DAY)
    stage.node.commands.release("default", ANN, kid=None)
    outcome = stage.node.commands.rotate("default", ANN)
    assert outcome.ring.turn_at is not None
    assert outcome.ring.turn_at <= stage.clock.now() + S


def test_promote_takes_the_mature_standby(mature: Stage) -> None:
    standby = kid_of(mature, "standby")
    outcome = mature.node.commands.promote("default", ANN)
    assert outcome.steps == (steps.Promote(standby, Reason.PERSON),)
    assert mature.active.kid == standby
    assert mature.active.waiver is None


def test_promote_waits_for_the_lead_and_says_so(stage: Stage) -> None:
    with pytest.raises(StateForbids, match="no mature standby") as refused:
        stage.node.commands.promote("default", ANN)
    assert "--before-lead" in refused.value.hint
    with pytest.raises(StateForbids, match="may not sign yet: its lead ends in 24h"):
        stage.node.commands.promote("default", ANN, kid=kid_of(stage, "standby"))
    assert stage.states() == ["active", "standby"]


def test_promote_before_the_lead_needs_a_reason_and_records_the_waiver(stage: Stage) -> None:
    with pytest.raises(BadInput) as refused:
        stage.node.commands.promote("default", NOBODY, before_lead=True)
    assert refused.value.code == "reason_missing"
    stage.node.commands.promote("default", ANN, before_lead=True)
    key = stage.active
    assert (key.waiver, key.sign_from) == (Waiver.BEFORE_LEAD, stage.clock.now())
    assert stage.node.signing.sign("default", {}).kid == key.kid


def test_before_lead_on_a_mature_standby_waives_nothing(mature: Stage) -> None:
    mature.node.commands.promote("default", ANN, before_lead=True)
    assert mature.active.waiver is None


@pytest.mark.parametrize("before_lead", [False, True])
@pytest.mark.parametrize("state", ["active", "verify-only"])
def test_only_a_standby_is_promoted(mature: Stage, state: str, before_lead: bool) -> None:
    mature.node.commands.promote("default", ANN)
    kid = kid_of(mature, state)
    booked = mature.view.ring.turn_at
    with pytest.raises(StateForbids, match="only a standby is promoted"):
        mature.node.commands.promote("default", ANN, kid=kid, before_lead=before_lead)
    assert mature.view.ring.turn_at == booked


def test_two_promotes_in_a_row_do_not_promote_a_just_born_key(mature: Stage) -> None:
    mature.node.commands.promote("default", ANN)
    mature.node.rotator.turn("default")
    with pytest.raises(StateForbids, match="no mature standby"):
        mature.node.commands.promote("default", ANN)


def test_revoking_the_active_key_promotes_the_mature_standby_in_the_same_commit(mature: Stage) -> None:
    old, new, epoch = mature.active.kid, kid_of(mature, "standby"), mature.view.ring.epoch
    outcome = mature.node.commands.revoke("default", ANN, kid=old[:8])
    assert [steps.name_of(step) for step in outcome.steps] == ["revoke", "promote"]
    assert outcome.ring.epoch == epoch + 1
    assert mature.active.kid == new
    revoked = mature.view.ring.key(old)
    assert (revoked.state, revoked.private, revoked.reason) == ("revoked", None, "because")
    assert mature.node.signing.sign("default", {}).kid == new


def test_revoking_the_active_key_without_a_mature_standby_signs_nothing_until_one_is(stage: Stage) -> None:
    stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
    assert stage.states() == ["revoked", "standby"]
    stage.node.rotator.turn("default")
    assert stage.view.ring.active is None
    stage.skip(DAY + HOUR)
    assert stage.active.waiver is None


def test_revoking_the_last_published_key_publishes_a_fresh_one_in_the_same_commit(stage: Stage) -> None:
    stage.node.commands.discard("default", ANN, kid=kid_of(stage, "standby"))
    epoch, last = stage.view.ring.epoch, stage.active.kid
    outcome = stage.node.commands.revoke("default", ANN, kid=last)
    assert [steps.name_of(step) for step in outcome.steps] == ["add", "revoke"]
    assert outcome.ring.epoch == epoch + 1
    published = outcome.ring.published
    assert [key.state for key in published] == ["standby"]
    assert stage.node.publisher.issuer_set(outcome.ring.issuer).kids == {published[0].kid}
    stage.node.rotator.turn("default")
    stage.skip(DAY + HOUR)
    assert stage.active.kid == published[0].kid


def test_revoking_the_last_key_of_an_issuers_set_publishes_a_fresh_one_that_its_verifiers_know() -> None:
    stage = Stage()
    stage.node.commands.set_policy("default", ANN, changes={"alg": "ML-DSA-44"})
    stage.node.rotator.turn("default")
    stage.node.commands.discard("default", ANN, kid=kid_of(stage, "standby"))
    outcome = stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
    fresh = next(key for key in outcome.ring.published if key.in_issuer_set)
    assert (fresh.alg, fresh.state) == ("ES256", "standby")


def test_a_fresh_key_for_a_set_enters_it_even_where_new_keys_of_its_kind_no_longer_do() -> None:
    stage = Stage(alg="ML-DSA-44", akp_in_issuer_set=True)
    stage.node.commands.set_policy("default", ANN, changes={"akp_in_issuer_set": False})
    stage.node.commands.discard("default", ANN, kid=kid_of(stage, "standby"))
    outcome = stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
    fresh = next(key for key in outcome.ring.published if key.in_issuer_set)
    assert stage.node.publisher.issuer_set(outcome.ring.issuer).kids == {fresh.kid}


def test_revoke_needs_a_reason_and_a_key_that_is_there(mature: Stage) -> None:
    with pytest.raises(BadInput) as refused:
        mature.node.commands.revoke("default", NOBODY, kid=mature.active.kid)
    assert refused.value.code == "reason_missing"
    with pytest.raises(NotFound):
        mature.node.commands.revoke("default", ANN, kid="nonesuch")
    kid = mature.active.kid
    mature.node.commands.revoke("default", ANN, kid=kid)
    with pytest.raises(StateForbids):
        mature.node.commands.revoke("default", ANN, kid=kid)


def test_roll_back_undoes_the_last_turn_and_books_none(mature: Stage) -> None:
    old = mature.active.kid
    mature.node.commands.promote("default", ANN)
    mature.node.commands.roll_back("default", ANN)
    assert mature.active.kid == old
    assert mature.view.ring.turn_at is None
    assert mature.node.signing.sign("default", {}).kid == old
    mature.skip(2 * DAY)
    assert mature.active.kid == old
    assert mature.node.commands.rotate("default", ANN).ring.turn_at is not None


def test_roll_back_is_refused_once_the_window_is_over(mature: Stage) -> None:
    with pytest.raises(StateForbids, match="no key to roll back to"):
        mature.node.commands.roll_back("default", ANN)
    mature.node.commands.promote("default", ANN)
    mature.node.rotator.turn("default")
    mature.skip(HOUR + 5 * TICK)
    with pytest.raises(StateForbids, match="no key to roll back to"):
        mature.node.commands.roll_back("default", ANN)


def test_a_held_key_is_not_discarded_until_it_is_released(stage: Stage) -> None:
    standby = kid_of(stage, "standby")
    with pytest.raises(BadInput):
        stage.node.commands.hold("default", NOBODY, kid=standby)
    stage.node.commands.hold("default", ANN, kid=standby)
    with pytest.raises(StateForbids, match="is held: because"):
        stage.node.commands.discard("default", ANN, kid=standby)
    stage.node.commands.release("default", ANN, kid=standby)
    stage.node.commands.discard("default", ANN, kid=standby)
    assert stage.states() == ["active", "retired"]


def test_a_held_ring_does_not_turn_until_it_is_released(mature: Stage) -> None:
    mature.node.commands.hold("default", ANN, kid=None)
    old, booked = mature.active.kid, mature.view.ring.turn_at
    assert booked is not None
    mature.node.commands.rotate("default", ANN)
    mature.node.rotator.turn("default")
    mature.skip(2 * DAY)
    assert mature.active.kid == old
    mature.node.commands.release("default", ANN, kid=None)
    mature.node.rotator.turn("default")
    assert mature.active.kid != old


def test_releasing_what_is_not_held_changes_nothing(stage: Stage) -> None:
    epoch = stage.view.ring.epoch
    for kid in (None, stage.active.kid):
        assert stage.node.commands.release("default", ANN, kid=kid).steps == ()
    assert stage.view.ring.epoch == epoch


def test_the_lead_of_a_secret_delivered_by_hand_counts_from_a_persons_word() -> None:
    stage = Stage(alg="HS256", delivery="manual")
    standby = kid_of(stage, "standby")
    stage.skip(3 * DAY)
    assert stage.view.ring.key(standby).sign_from is None
    with pytest.raises(StateForbids):
        stage.node.commands.promote("default", ANN)
    said = stage.clock.now()
    stage.node.commands.delivered("default", ANN, kid=standby)
    stage.node.rotator.turn("default")
    sign_from = stage.view.ring.key(standby).sign_from
    assert sign_from is not None
    assert sign_from > said + DAY
    stage.skip(DAY + HOUR)
    stage.node.commands.promote("default", ANN)
    assert stage.active.kid == standby
    with pytest.raises(StateForbids, match="does not wait for delivery"):
        stage.node.commands.delivered("default", ANN, kid=standby)


def test_a_policy_edit_is_one_event_and_none_where_nothing_changes(stage: Stage) -> None:
    outcome = stage.node.commands.set_policy("default", ANN, changes={"rotate_every": 30 * DAY})
    assert outcome.ring.policy_version == 2
    again = stage.node.commands.set_policy("default", ANN, changes={"rotate_every": 30 * DAY})
    assert (again.steps, again.ring.policy_version) == ((), 2)
    with pytest.raises(PolicyRefused, match="must exceed the lead"):
        stage.node.commands.set_policy("default", ANN, changes={"rotate_every": HOUR})


@pytest.mark.parametrize("name", ["", "a" * 65, "a/b", "a b", "ring\n", "ümlaut", "../x"])
def test_a_name_that_cannot_name_a_ring_is_refused(stage: Stage, name: str) -> None:
    policy = stage.view.ring.policy
    with pytest.raises(BadInput, match="cannot name a ring"):
        stage.node.commands.add_ring(name, issuer="https://x.example", policy=policy, actor=ANN)
    assert len(stage.store.rings()) == 1


def test_a_second_ring_of_the_same_name_is_refused(stage: Stage) -> None:
    with pytest.raises(StateForbids):
        stage.node.commands.add_ring(
            "default", issuer="https://x.example", policy=stage.view.ring.policy, actor=ANN
        )


ACTS: dict[str, Callable[[Commands, Stage], Outcome]] = {
    "rotate": lambda c, _: c.rotate("default", ANN, dry_run=True),
    "promote": lambda c, _: c.promote("default", ANN, dry_run=True),
    "revoke": lambda c, s: c.revoke("default", ANN, kid=s.active.kid, dry_run=True),
    "roll_back": lambda c, _: c.roll_back("default", ANN, dry_run=True),
    "discard": lambda c, s: c.discard("default", ANN, kid=s.view.ring.keys[-1].kid, dry_run=True),
    "hold": lambda c, s: c.hold("default", ANN, kid=s.active.kid, dry_run=True),
    "release": lambda c, _: c.release("default", ANN, kid=None, dry_run=True),
    "policy": lambda c, _: c.set_policy("default", ANN, changes={"rotate_every": 30 * DAY}, dry_run=True),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_dry_run_says_what_would_happen_and_writes_nothing(mature: Stage, act: str) -> None:
    mature.node.commands.promote("default", ANN)
    mature.node.rotator.turn("default")
    mature.skip(DAY + HOUR) if act == "promote" else None
    mature.node.commands.hold("default", ANN, kid=None)
    before, version = mature.view, mature.store.wait(-1, timedelta())
    outcome = ACTS[act](mature.node.commands, mature)
    assert len(outcome.steps) >= 1
    assert outcome.ring != before.ring
    assert mature.view == before
    assert mature.store.wait(-1, timedelta()) == version


def test_every_command_tells_who_and_why(mature: Stage) -> None:
    mature.node.commands.promote("default", Actor("ann", "drill"))
    ring = mature.view.ring
    last = mature.store.events(ring.id)[-1]
    assert (last.action, last.who, last.why, last.kid) == ("promote", "ann", "drill", mature.active.kid)


def test_a_command_that_loses_the_race_says_so_and_changes_nothing(mature: Stage) -> None:
    update = mature.store.update

    def raced(name: str, change: Any, **options: Any) -> Any:
        def late(view: Any) -> Any:
            wanted = change(view)
            raise LostRace(f"{name} was changed meanwhile", hint=str(wanted.ring.epoch))

        return update(name, late, **options)

    mature.store.update = raced  # type: ignore[method-assign]  # another node is always first
    epoch = mature.view.ring.epoch
    with pytest.raises(LostRace):
        mature.node.commands.promote("default", ANN)
    assert mature.view.ring.epoch == epoch

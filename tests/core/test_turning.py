"""The product in the small: a ring driven by plan and evolve alone, under two handed-in clocks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jwturn.core import guards, steps
from jwturn.core.errors import IntegrityError, JwturnError, StateForbids
from jwturn.core.keys import Hold, Waiver, check
from jwturn.core.leases import last_exp, released, signable
from jwturn.core.plan import agenda, next_due
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.reasons import Reason
from jwturn.core.states import ACTIVE, RETIRED, STANDBY, VERIFY_ONLY
from jwturn.core.timing import lead, tail
from tests.core.world import DAY, START, TICK, World


@pytest.fixture
def world() -> World:
    made = World()
    made.settle()
    return made


def states(world: World) -> list[str]:
    return [f"{key.kid}:{key.state}" for key in world.ring.keys]


def test_the_first_key_of_an_unserved_issuer_signs_at_once_beside_a_standby(world: World) -> None:
    assert states(world) == ["k1:active", "k2:standby"]
    assert world.active.waiver is Waiver.FIRST_KEY
    assert signable(world.ring, world.at).kid == "k1"


def test_the_first_key_of_a_served_issuer_waits_for_its_lead() -> None:
    world = World(served=True)
    world.settle()
    assert states(world) == ["k1:standby"]
    with pytest.raises(JwturnError, match="no active key"):
        signable(world.ring, world.at)
    world.run(lead(world.ring.policy.bounds) - TICK)
    assert states(world) == ["k1:standby"]
    world.run(3 * TICK)
    assert world.active.kid == "k1"


def test_no_first_key_waiver_once_the_issuer_is_served(world: World) -> None:
    world.do(steps.Revoke("k1", why="stolen"))
    with pytest.raises(StateForbids, match="no key may skip its lead"):
        world.do(steps.Promote("k2", Reason.FIRST_KEY, Waiver.FIRST_KEY))


def test_a_turn_promotes_the_mature_standby_and_another_mature_one_is_there_after_it(world: World) -> None:
    world.run(90 * DAY - TICK)
    assert states(world) == ["k1:active", "k2:standby", "k3:standby"]
    world.run(2 * TICK)
    assert states(world) == ["k1:verify-only", "k2:active", "k3:standby"]
    assert guards.is_mature(world.ring.key("k3"), world.now)


def test_promote_waits_for_the_lead_and_says_how_long(world: World) -> None:
    with pytest.raises(StateForbids, match=r"may not sign yet: its lead ends in 24h 4\dm") as refused:
        world.do(steps.Promote("k2", Reason.PERSON))
    assert "before-lead" in refused.value.hint


def test_the_private_half_goes_after_the_roll_back_window_and_the_key_when_its_tail_is_over(
    world: World,
) -> None:
    world.run(90 * DAY - TICK)
    world.sign()
    world.run(TICK * 2)
    old = world.ring.key("k1")
    assert old.state is VERIFY_ONLY
    assert old.private is not None
    world.run(timedelta(hours=1) + 2 * TICK)
    assert world.ring.key("k1").private is None
    exp = last_exp(world.leases, old)
    assert exp is not None
    world.run(exp + tail(old.bounds) - world.at - timedelta(seconds=1))
    assert world.ring.key("k1").state is VERIFY_ONLY
    world.run(2 * TICK)
    assert world.ring.key("k1").state is RETIRED


def test_a_key_that_never_signed_still_keeps_its_roll_back_window(world: World) -> None:
    world.run(90 * DAY + TICK)
    assert world.ring.key("k1").state is VERIFY_ONLY
    world.run(timedelta(hours=1) + 3 * TICK)
    assert world.ring.key("k1").state is RETIRED


def test_a_clock_that_jumps_ten_years_matures_and_destroys_nothing(world: World) -> None:
    world.run(10 * 365 * DAY, watched=False)
    assert states(world) == ["k1:active", "k2:standby", "k3:standby"]


def test_a_service_that_was_down_during_the_lead_waits_again(world: World) -> None:
    world.run(80 * DAY, watched=False)
    assert not guards.is_mature(world.ring.key("k2"), world.now)
    world.run(lead(world.ring.policy.bounds) + 2 * TICK)
    assert guards.is_mature(world.ring.key("k2"), world.now)


def test_an_ntp_step_back_of_an_hour_does_not_shorten_the_lead(world: World) -> None:
    sign_from = world.ring.key("k2").sign_from
    assert sign_from is not None
    world.run(lead(world.ring.policy.bounds) - timedelta(hours=1))
    world.at -= timedelta(hours=1)
    world.run(timedelta(hours=1) + 2 * TICK)
    assert world.at < sign_from
    assert not guards.is_mature(world.ring.key("k2"), world.now)


def test_two_manual_turns_do_not_promote_a_just_born_key(world: World) -> None:
    world.run(2 * DAY)
    world.do(steps.Promote("k2", Reason.PERSON))
    world.settle()
    with pytest.raises(StateForbids):
        world.do(steps.Promote("k3", Reason.PERSON))


def test_rotation_after_the_algorithm_changed_gives_the_new_key_its_full_lead(world: World) -> None:
    world.run(10 * DAY)
    world.do(steps.SetPolicy(edited(world.ring.policy, {"alg": "EdDSA"}, tick_cap=TICK)))
    world.settle()
    assert [(key.alg, key.state) for key in world.ring.keys] == [
        ("ES256", ACTIVE),
        ("ES256", STANDBY),
        ("EdDSA", STANDBY),
    ]
    world.run(lead(world.ring.policy.bounds) + 3 * TICK)
    assert [(key.alg, key.state) for key in world.ring.keys][1] == ("ES256", RETIRED)
    world.run(80 * DAY)
    assert world.active.alg == "EdDSA"
    assert world.ring.key("k1").state in (VERIFY_ONLY, RETIRED)


def test_a_longer_policy_raises_promises_and_a_shorter_one_lowers_none(world: World) -> None:
    before = world.ring.key("k2")
    longer = edited(world.ring.policy, {"verifier_ttl_max": 2 * DAY}, tick_cap=TICK)
    world.do(steps.SetPolicy(longer))
    raised = world.ring.key("k2")
    assert raised.sign_from is not None
    assert before.sign_from is not None
    assert raised.sign_from > before.sign_from
    world.do(steps.SetPolicy(edited(longer, {"verifier_ttl_max": timedelta(minutes=10)}, tick_cap=TICK)))
    assert world.ring.key("k2") == raised


def test_a_shorter_lead_counts_only_one_old_lead_after_the_edit(world: World) -> None:
    old_lead = lead(world.ring.policy.bounds)
    world.run(5 * DAY)
    world.do(steps.SetPolicy(edited(world.ring.policy, {"verifier_ttl_max": timedelta(0)}, tick_cap=TICK)))
    world.settle()
    world.do(steps.Promote("k2", Reason.PERSON))
    world.settle()
    born = world.ring.key("k3")
    assert born.sign_from is not None
    assert born.sign_from - world.at >= old_lead
    world.run(old_lead + 3 * TICK)
    assert world.ring.easings == ()


def test_living_keys_are_not_redated_when_the_interval_is_edited(world: World) -> None:
    end = world.active.sign_until
    for days in (30, 400):
        world.do(steps.SetPolicy(edited(world.ring.policy, {"rotate_every": days * DAY}, tick_cap=TICK)))
        assert world.active.sign_until == end
        assert world.ring.turn_at == end


def test_tokens_issued_before_the_lifetime_was_lowered_keep_their_key() -> None:
    world = World(edited(RotationPolicy(), {"token_ttl_max": DAY}, tick_cap=TICK))
    world.settle()
    world.run(5 * DAY)
    world.sign()
    exp = last_exp(world.leases, world.active)
    assert exp is not None
    world.do(
        steps.SetPolicy(edited(world.ring.policy, {"token_ttl_max": timedelta(minutes=5)}, tick_cap=TICK))
    )
    world.do(steps.Promote("k2", Reason.PERSON))
    world.settle()
    world.run(exp - world.at)
    assert world.ring.key("k1").state is VERIFY_ONLY


def test_a_held_key_is_not_shredded_or_retired_and_a_revoke_ends_its_hold(world: World) -> None:
    world.run(2 * DAY)
    world.do(steps.HoldKey("k1", Hold("ann", "court order", world.at)), steps.Promote("k2", Reason.PERSON))
    world.run(30 * DAY)
    assert world.ring.key("k1").private is not None
    world.do(steps.Revoke("k1", why="stolen"))
    assert world.ring.key("k1").private is None


def test_a_held_ring_does_not_turn_and_the_signer_stops_at_the_hard_end(world: World) -> None:
    world.do(steps.HoldKey(None, Hold("ann", "freeze", world.at)))
    world.run(100 * DAY)
    assert world.active.kid == "k1"
    assert signable(world.ring, world.at).kid == "k1"
    world.run(21 * DAY)
    with pytest.raises(JwturnError, match="hard end"):
        signable(world.ring, world.at)


def test_a_roll_back_makes_the_former_key_active_and_cancels_the_booked_turn(world: World) -> None:
    world.run(2 * DAY)
    world.do(steps.Promote("k2", Reason.PERSON))
    world.settle()
    world.do(steps.RollBack("k1"))
    assert world.active.kid == "k1"
    assert world.ring.key("k2").state is VERIFY_ONLY
    assert world.ring.turn_at is None
    world.run(200 * DAY)
    assert world.active.kid == "k1"


def test_a_roll_back_is_refused_once_the_private_half_is_gone(world: World) -> None:
    world.run(2 * DAY)
    world.do(steps.Promote("k2", Reason.PERSON))
    world.run(3 * timedelta(hours=1))
    with pytest.raises(StateForbids, match="cannot roll back"):
        world.do(steps.RollBack("k1"))


def test_the_last_published_key_cannot_be_discarded(world: World) -> None:
    world.do(steps.Revoke("k1", why="x"))
    with pytest.raises(StateForbids, match="left without a published key"):
        world.do(steps.Discard("k2"))


def test_revoked_keys_leave_when_their_tail_is_over_and_never_come_back(world: World) -> None:
    world.sign()
    world.do(steps.Revoke("k1", why="x"))
    with pytest.raises(StateForbids, match="only a standby is promoted"):
        world.do(steps.Promote("k1", Reason.PERSON, Waiver.BEFORE_LEAD))
    world.run(3 * timedelta(hours=1))
    assert world.ring.key("k1").state is RETIRED


def test_the_last_classic_key_of_an_issuer_set_is_not_retired_by_automation(world: World) -> None:
    world.do(steps.SetPolicy(edited(world.ring.policy, {"alg": "ML-DSA-65"}, tick_cap=TICK)))
    world.run(200 * DAY)
    assert world.active.alg == "ML-DSA-65"
    left = [key for key in world.ring.published if key.in_issuer_set]
    assert [key.state for key in left] == [VERIFY_ONLY]
    world.do(steps.Discard(left[0].kid))
    assert world.ring.key(left[0].kid).state is RETIRED


def test_marks_only_rise_and_a_late_release_changes_nothing(world: World) -> None:
    world.sign()
    first = world.leases.marks[0]
    assert released(first, number=first.number - 1, largest_exp=START) == first
    world.at -= timedelta(minutes=30)
    world.sign()
    assert world.leases.marks[0].exp == first.exp
    lowered = released(world.leases.marks[0], number=2, largest_exp=START)
    assert lowered.exp == START


def test_a_ring_with_two_active_keys_is_not_possible(world: World) -> None:
    doubled = replace(
        world.ring,
        keys=tuple(
            replace(k, state=ACTIVE, promoted=world.active.promoted, sign_from=START) for k in world.ring.keys
        ),
    )
    with pytest.raises(IntegrityError, match="more than one key is active"):
        check(doubled)


def test_the_agenda_says_what_happens_next_and_when(world: World) -> None:
    booked = agenda(world.ring, world.leases, world.now)
    assert [steps.name_of(b.step) for b in booked] == ["promote", "create"]
    assert booked[0].due.eta(world.now) == START + 90 * DAY
    assert next_due(world.ring, world.leases, world.now) == booked[1].due.eta(world.now)

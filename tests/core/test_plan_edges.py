"""What is booked, exactly: each part of the agenda, of rings that a living service seldom shows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import guards
from jwturn.core.keys import Easing, Foreign, KeyRing
from jwturn.core.plan import Booked, agenda, next_lead, wants_stamp
from jwturn.core.policy import RotationPolicy
from jwturn.core.reasons import Reason
from jwturn.core.states import REVOKED
from jwturn.core.steps import Create, Discard, DropEasings, Promote, Retire, Shred, Stamp, Step
from jwturn.core.timing import AT_ONCE, SECOND, Due, Moment, lead
from tests.core.edges import (
    EARLY,
    HOLD,
    HOUR,
    NONE,
    NOW,
    POLICY,
    SEEN,
    active,
    key,
    past,
    ready,
    ring,
    ripening,
)
from tests.core.world import DAY, TICK

LATER = NOW.at + DAY
LATEST = NOW.at + 2 * DAY
TURN = NOW.at + 5 * DAY


def booked(of: KeyRing, kind: type[Step]) -> list[Booked]:
    return [one for one in agenda(of, NONE, NOW) if isinstance(one.step, kind)]


def test_a_shortened_bound_is_stamped_though_every_key_is() -> None:
    done = ring(active(), turn_at=TURN)
    assert booked(done, Stamp) == []
    eased = replace(done, easings=(Easing(POLICY.bounds, EARLY), Easing(POLICY.bounds)))
    assert booked(eased, Stamp) == [Booked(AT_ONCE, Stamp())]
    assert booked(eased, DropEasings) == []


def test_a_key_that_never_signed_waits_for_no_stamp_of_its_end() -> None:
    assert wants_stamp(past(superseded=None))
    assert not wants_stamp(past(superseded=None, promoted=None))
    assert not wants_stamp(past())


def test_old_bounds_count_one_old_lead_from_the_latest_edit_by_both_clocks() -> None:
    late = Moment(EARLY.at + HOUR, SEEN + HOUR)
    longer = replace(POLICY.bounds, verifier_ttl_max=30 * HOUR)
    due = Due(late.at + lead(longer), late.seen + lead(longer) + TICK)
    easings = (Easing(longer, late), Easing(POLICY.bounds, EARLY))
    for order in (easings, easings[::-1]):
        assert booked(ring(active(), easings=order), DropEasings) == [Booked(due, DropEasings())]


def test_a_turn_promotes_the_mature_standby_at_its_time_and_asks_for_no_more() -> None:
    found = booked(ring(active(), ready("a"), ready("b"), turn_at=TURN), Promote)
    assert found == [Booked(Due(TURN), Promote("a", Reason.TURN_DUE))]


def test_a_turn_waits_for_the_standby_that_matures_first() -> None:
    slow, quick = ripening("slow", at=TURN + 2 * DAY), ripening("quick", at=TURN + DAY)
    wait = guards.may_sign(quick, NOW)
    assert wait is not None
    found = booked(ring(active(), slow, quick, turn_at=TURN), Promote)
    assert found == [Booked(Due(TURN).after(wait), Promote("quick", Reason.TURN_DUE))]


def test_no_turn_promotes_a_standby_of_another_algorithm_or_without_its_half() -> None:
    others = [
        (ready("other", "EdDSA"),),
        (ripening("other", "EdDSA", at=LATER),),
        (ripening("half", at=LATER, private=None),),
        (key("unstamped"),),
    ]
    for standbys in others:
        assert booked(ring(active(), *standbys, turn_at=TURN), Promote) == []


def test_where_nothing_signs_any_mature_standby_is_promoted_at_once_though_turns_are_held() -> None:
    found = booked(ring(ready("other", "EdDSA"), hold=HOLD, turn_at=TURN), Promote)
    assert found == [Booked(AT_ONCE, Promote("other", Reason.NO_ACTIVE))]
    assert booked(ring(active(), ready("a"), hold=HOLD, turn_at=TURN), Promote) == []
    assert booked(ring(active(), ready("a")), Promote) == []


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (ring(), Reason.FIRST_KEY),
        (ring(issuer_served=True), Reason.NEXT_STANDBY),
        (ring(past()), Reason.NEXT_STANDBY),
        (ring(active(), turn_at=TURN), Reason.NEXT_STANDBY),
        (ring(active(alg="EdDSA"), turn_at=TURN), Reason.ALG_CHANGED),
        (ring(active(), key("half", private=None), turn_at=TURN), Reason.NEXT_STANDBY),
        (ring(active(), ready("other", "EdDSA"), turn_at=TURN), Reason.NEXT_STANDBY),
    ],
)
def test_a_ring_without_a_standby_that_can_sign_gets_one_at_once(of: KeyRing, reason: Reason) -> None:
    assert booked(of, Create) == [Booked(AT_ONCE, Create("ES256", reason))]


def test_a_second_standby_is_made_a_lead_before_the_turn_and_never_a_third() -> None:
    one = ring(active(), ready("a"), turn_at=TURN)
    at = TURN - lead(POLICY.bounds) - 3 * TICK - SECOND
    assert booked(one, Create) == [Booked(Due(at), Create("ES256", Reason.NEXT_STANDBY))]
    for enough in (
        ring(active(), ready("a"), ready("b"), turn_at=TURN),
        ring(active(), ready("a")),
        ring(ready("a"), turn_at=TURN),
    ):
        assert booked(enough, Create) == []


def test_the_next_lead_is_that_of_the_longer_bounds_one_by_one() -> None:
    slow_verifiers = replace(POLICY.bounds, verifier_ttl_max=30 * HOUR)
    slow_origin = replace(POLICY.bounds, publish_delay_max=2 * HOUR)
    eased = ring(easings=(Easing(slow_verifiers), Easing(slow_origin)))
    both = replace(slow_verifiers, publish_delay_max=2 * HOUR)
    assert next_lead(eased, NOW) == lead(both) + 3 * TICK + SECOND


def test_standbys_of_the_old_algorithm_go_when_the_first_of_the_new_is_mature() -> None:
    new = [ripening("late", at=LATEST), ripening("soon", at=LATER)]
    due = guards.may_sign(new[1], NOW)
    assert due is not None
    of = ring(active(), ready("old", "EdDSA"), *new, turn_at=TURN)
    assert booked(of, Discard) == [Booked(due, Discard("old", Reason.ALG_CHANGED))]
    assert booked(ring(ready("old", "EdDSA"), *new), Discard) == []
    assert booked(ring(active(), ready("old", "EdDSA"), key("new")), Discard) == []


def test_an_old_standby_stays_that_is_held_or_used_elsewhere_or_the_last_of_its_set() -> None:
    outside: dict[str, Any] = {"in_issuer_set": False}
    new = ripening("new", at=LATER, **outside)
    held = ready("old", "EdDSA", holds=(HOLD,))
    foreign = ready("old", "EdDSA", foreign=Foreign(LATEST, timedelta()))
    assert booked(ring(active(), held, new), Discard) == []
    assert booked(ring(active(), foreign, new), Discard) == []
    assert booked(ring(active(**outside), ready("old", "EdDSA"), new), Discard) == []
    assert len(booked(ring(active(), ready("old", "EdDSA"), new), Discard)) == 1


def test_ends_are_booked_by_their_guards_and_a_half_that_is_gone_is_not_shredded_again() -> None:
    due = guards.may_shred(ring(), past(), NONE, NOW)
    assert due is not None
    assert booked(ring(active(), past()), Shred) == [Booked(due, Shred("k1"))]
    gone = ring(active(), past(private=None))
    assert booked(gone, Shred) == []
    over = guards.may_retire(gone, past(private=None), NONE, NOW)
    assert over is not None
    assert booked(gone, Retire) == [Booked(over, Retire("k1"))]


def test_the_last_key_of_a_set_is_not_retired_unless_it_is_revoked() -> None:
    assert booked(ring(past(private=None)), Retire) == []
    revoked = past(state=REVOKED, private=None, revoked=EARLY)
    assert [one.step for one in booked(ring(revoked), Retire)] == [Retire("k1")]


def test_a_policy_of_another_algorithm_says_what_is_made() -> None:
    other = ring(active(), ready("a"), policy=RotationPolicy(alg="EdDSA"), turn_at=TURN)
    assert booked(other, Create) == [Booked(AT_ONCE, Create("EdDSA", Reason.ALG_CHANGED))]

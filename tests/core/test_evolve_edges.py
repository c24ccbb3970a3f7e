"""What each step writes, member by member, and what it refuses: the ring after it, whole."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jwturn.core import steps
from jwturn.core.errors import BadInput, IntegrityError, StateForbids
from jwturn.core.evolve import RETIRED_KEPT, apply, bounds_for_next_key
from jwturn.core.keys import Easing, Foreign, Key, KeyRing, Origin, Waiver
from jwturn.core.leases import RingLeases
from jwturn.core.policy import RotationPolicy
from jwturn.core.reasons import Reason
from jwturn.core.states import ACTIVE, RETIRED, REVOKED, STANDBY, VERIFY_ONLY
from jwturn.core.timing import Moment, Now, lead, round_up
from tests.core.edges import (
    EARLY,
    HOLD,
    HOUR,
    LEAD,
    NONE,
    NOW,
    PART,
    POLICY,
    SEEN,
    active,
    key,
    marked,
    past,
    ready,
    ring,
)
from tests.core.world import DAY, START, TICK

LATE = Now(NOW.at + PART, NOW.seen, TICK)
"""A moment between two seconds: promises round up from it."""
SECOND = timedelta(seconds=1)
LONGER = replace(POLICY.bounds, verifier_ttl_max=30 * HOUR)
SLOW = replace(POLICY.bounds, publish_delay_max=2 * HOUR)


def after(of: KeyRing, step: steps.Step, *, leases: RingLeases = NONE, now: Now = LATE) -> KeyRing:
    return apply(of, step, leases=leases, now=now)


def refused(of: KeyRing, step: steps.Step, words: str, *, leases: RingLeases = NONE) -> None:
    with pytest.raises(StateForbids, match=words):
        after(of, step, leases=leases)


def test_a_key_enters_with_its_time_its_reason_and_the_bounds_that_still_echo() -> None:
    eased = ring(active(), easings=(Easing(LONGER), Easing(SLOW)))
    both = replace(LONGER, publish_delay_max=2 * HOUR)
    assert bounds_for_next_key(eased) == both
    added = after(eased, steps.Add(key("new"), Reason.NEXT_STANDBY)).key("new")
    assert added == replace(key("new"), created=LATE.moment, bounds=both, reason=Reason.NEXT_STANDBY)


def test_a_key_published_elsewhere_is_promised_a_lead_from_there_and_no_other_is() -> None:
    since = key("new", published=EARLY, waiver=Waiver.PUBLISHED_SINCE)
    added = after(ring(active()), steps.Add(since, Reason.IMPORTED)).key("new")
    assert added.sign_from == round_up(EARLY.at + LEAD) != EARLY.at + LEAD
    for other in (replace(since, waiver=None), replace(since, published=None)):
        assert after(ring(active()), steps.Add(other, Reason.IMPORTED)).key("new").sign_from is None


@pytest.mark.parametrize("state", [ACTIVE, REVOKED, RETIRED])
def test_a_key_begins_as_standby_or_verify_only(state: str) -> None:
    begun = key("new", state=state, private=None, revoked=EARLY, promoted=EARLY, sign_from=START)
    refused(ring(active()), steps.Add(begun, Reason.IMPORTED), "cannot begin as")


def test_a_kid_is_never_reused() -> None:
    with pytest.raises(BadInput) as error:
        after(ring(active("a")), steps.Add(key("a"), Reason.IMPORTED))
    assert error.value.code == "kid_reused"


def test_the_stamp_promises_a_lead_of_the_longest_bounds_and_marks_ends_and_edits_once() -> None:
    waiting = [key("new", bounds=SLOW), past("old", superseded=None), past("done"), ready("ripe")]
    of = ring(*waiting, easings=(Easing(LONGER), Easing(SLOW, EARLY)))
    stamped = after(of, steps.Stamp())
    both = replace(LONGER, publish_delay_max=2 * HOUR)
    promise = round_up(LATE.at + lead(both))
    assert stamped.key("new") == replace(waiting[0], published=LATE.moment, bounds=both, sign_from=promise)
    assert promise != LATE.at + lead(both)
    assert stamped.key("old") == replace(waiting[1], superseded=LATE.moment)
    assert stamped.keys[2:] == of.keys[2:]
    assert stamped.easings == (Easing(LONGER, LATE.moment), Easing(SLOW, EARLY))


def test_a_bound_that_only_the_key_was_promised_is_kept_by_its_stamp() -> None:
    stamped = after(ring(active(), key("new", bounds=LONGER)), steps.Stamp()).key("new")
    assert stamped.bounds == LONGER


def test_a_promotion_writes_its_moment_its_reason_and_the_next_turn() -> None:
    of = ring(active("old", superseded=EARLY), ready("new", superseded=EARLY))
    turned = after(of, steps.Promote("new", Reason.TURN_DUE))
    turn_at = round_up(LATE.at + POLICY.rotate_every)
    assert turned.turn_at == turn_at != LATE.at + POLICY.rotate_every
    assert turned.issuer_served
    assert turned.key("new") == replace(
        of.key("new"),
        state=ACTIVE,
        promoted=LATE.moment,
        superseded=None,
        sign_until=turn_at,
        reason=Reason.TURN_DUE,
    )
    assert turned.key("old") == replace(of.key("old"), state=VERIFY_ONLY, superseded=None)


def test_a_promotion_before_the_lead_rounds_its_promise_up_and_keeps_a_stamp_that_was_there() -> None:
    step = steps.Promote("new", Reason.PERSON, Waiver.BEFORE_LEAD)
    at = LATE.at - PART + SECOND
    for published in (None, EARLY):
        new = after(ring(active(), key("new", published=published)), step).key("new")
        assert (new.sign_from, new.waiver, new.published) == (
            at,
            Waiver.BEFORE_LEAD,
            published or LATE.moment,
        )
        assert new.promoted == Moment(at, LATE.seen)


def test_only_a_mature_standby_with_its_half_is_promoted() -> None:
    promote = steps.Promote("new", Reason.PERSON)
    waived = replace(promote, waiver=Waiver.BEFORE_LEAD)
    refused(ring(active(), past("new")), waived, "is verify-only: only a standby is promoted")
    refused(ring(active(), ready("new", private=None)), waived, "has no private half")
    refused(ring(active(), key("new")), promote, "its lead ends at a time not known yet")
    refused(ring(active(), ready("new", sign_from=LATE.at + HOUR)), promote, r"its lead ends in 1h.*\(2026-")


@pytest.mark.parametrize("served", [True, False])
def test_the_first_key_skips_its_lead_only_where_nobody_was_served_and_nothing_signs(served: bool) -> None:
    step = steps.Promote("new", Reason.FIRST_KEY, Waiver.FIRST_KEY)
    assert after(ring(key("new")), step).key("new").state is ACTIVE
    refused(ring(key("new"), *([] if served else [active()]), issuer_served=served), step, "has been served")


def test_a_roll_back_signs_no_earlier_than_was_promised_and_cancels_the_turn() -> None:
    of = ring(active("new"), past("old", sign_from=START), turn_at=START + 90 * DAY)
    back = after(of, steps.RollBack("old"))
    assert back.turn_at is None
    assert back.key("old") == replace(
        of.key("old"), state=ACTIVE, promoted=LATE.moment, superseded=None, reason=Reason.PERSON
    )
    assert back.key("new") == replace(of.key("new"), state=VERIFY_ONLY)
    ahead = past("old", sign_from=LATE.at + SECOND, promoted=Moment(LATE.at + SECOND, SEEN))
    later = after(ring(active("new"), ahead), steps.RollBack("old")).key("old")
    assert later.promoted == Moment(LATE.at + SECOND, LATE.seen)


def test_a_key_that_was_promised_nothing_is_not_rolled_back_to() -> None:
    with pytest.raises(IntegrityError, match="without a promised sign_from"):
        after(ring(active("new"), past("old", sign_from=None)), steps.RollBack("old"))


def test_a_roll_back_goes_to_the_newest_key_only() -> None:
    newer = past("newer", promoted=Moment(EARLY.at + HOUR, SEEN))
    refused(ring(active(), past("older"), newer), steps.RollBack("older"), "cannot roll back to older")
    refused(ring(active(), past("gone", private=None)), steps.RollBack("gone"), "cannot roll back to gone")


def test_a_revocation_destroys_the_half_and_says_why_and_when() -> None:
    gone = past("gone", private=None, shredded=EARLY)
    of = ring(active(), ready("b"), gone)
    done = after(of, steps.Revoke("b", why="leaked")).key("b")
    assert done == replace(
        of.key("b"), state=REVOKED, revoked=LATE.moment, private=None, shredded=LATE.moment, reason="leaked"
    )
    again = after(of, steps.Revoke("gone")).key("gone")
    assert (again.shredded, again.reason) == (EARLY, Reason.PERSON)


def test_the_last_published_key_is_not_revoked_without_another() -> None:
    refused(ring(active("only")), steps.Revoke("only"), "without a published key")
    assert after(ring(past("a", state=REVOKED, private=None, revoked=EARLY)), steps.Stamp()).published == ()


def test_a_half_is_shredded_when_its_window_is_over_and_not_before() -> None:
    of = ring(active(), past("old"))
    assert after(of, steps.Shred("old")).key("old") == replace(
        of.key("old"), private=None, shredded=LATE.moment
    )
    refused(
        ring(active(), past("old", superseded=LATE.moment)), steps.Shred("old"), "shredded yet: it may be in"
    )
    refused(ring(active(), past("old", holds=(HOLD,))), steps.Shred("old"), "at a time not known yet")


def test_a_key_retires_when_its_tail_is_over_and_not_before() -> None:
    old = past("old", private=None, shredded=EARLY)
    done = after(ring(active(), old), steps.Retire("old")).key("old")
    assert done == replace(old, state=RETIRED, retired=LATE.moment, reason=Reason.TAIL_OVER)
    late = marked(LATE.at, kid="old")
    refused(ring(active(), old), steps.Retire("old"), "retired yet: it may be in", leases=late)
    refused(ring(active(), past("old")), steps.Retire("old"), "at a time not known yet")


def test_a_discarded_standby_loses_its_half() -> None:
    of = ring(active(), ready("spare"))
    assert after(of, steps.Discard("spare")).key("spare") == replace(
        of.key("spare"),
        state=RETIRED,
        retired=LATE.moment,
        private=None,
        shredded=LATE.moment,
        reason=Reason.PERSON,
    )


def test_what_others_may_still_sign_with_is_not_discarded() -> None:
    foreign = ready("spare", foreign=Foreign(LATE.at + HOUR, SEEN))
    refused(ring(active(), foreign), steps.Discard("spare"), "others signed with key spare")
    endless = past("old", private=None, origin=Origin.IMPORTED, promoted=None, superseded=None)
    assert after(ring(active(), endless), steps.Discard("old")).key("old").state is RETIRED


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (ready("k", holds=(HOLD,)), "is held: why"),
        (past("k", superseded=LATE.moment, private=None), "may not be discarded yet: it may be in"),
        (past("k", superseded=None, private=None), "discarded yet: it may be at a time not known yet"),
        (past("k", state=REVOKED, private=None, revoked=EARLY), "is revoked: only a standby"),
    ],
)
def test_some_keys_are_not_discarded(kept: Key, words: str) -> None:
    refused(ring(active(), kept), steps.Discard("k"), words)


def test_the_active_key_is_not_discarded_and_the_refusal_names_the_way() -> None:
    with pytest.raises(StateForbids) as error:
        after(ring(active("a"), ready("b")), steps.Discard("a"))
    assert error.value.hint == "jwturn revoke a ends its use at once"


def test_a_ring_carries_the_last_sixteen_retired_keys() -> None:
    gone = [past(f"g{n}", state=RETIRED, private=None, retired=EARLY) for n in range(RETIRED_KEPT)]
    kept = after(ring(active(), *gone, ready("spare")), steps.Discard("spare")).in_state(RETIRED)
    assert RETIRED_KEPT == 16
    assert [key.kid for key in kept] == [f"g{n}" for n in range(1, RETIRED_KEPT)] + ["spare"]


def test_a_booked_turn_rounds_up_and_none_cancels_it() -> None:
    assert after(ring(active()), steps.BookTurn(LATE.at)).turn_at == LATE.at - PART + SECOND
    assert after(ring(active(), turn_at=LATE.at), steps.BookTurn(None)).turn_at is None


def test_a_longer_policy_lengthens_what_living_keys_were_promised() -> None:
    policy = RotationPolicy(verifier_ttl_given=30 * HOUR)
    unstamped, dead = key("new"), past("dead", state=REVOKED, private=None, revoked=EARLY)
    of = ring(active(), ready("ripe"), unstamped, past("old"), dead)
    edited = after(of, steps.SetPolicy(policy))
    promise = round_up(EARLY.at + lead(LONGER))
    assert edited.key("ripe") == replace(of.key("ripe"), bounds=LONGER, sign_from=promise)
    for kid in ("active", "new", "old"):
        assert edited.key(kid) == replace(of.key(kid), bounds=LONGER)
    assert edited.key("dead") == dead
    assert (edited.policy, edited.policy_version, edited.easings) == (policy, of.policy_version + 1, ())


def test_a_shorter_policy_shortens_nothing_and_its_old_bounds_echo() -> None:
    policy = RotationPolicy(verifier_ttl_given=HOUR)
    later = ready("ripe", sign_from=LATE.at + 90 * DAY)
    edited = after(ring(active(), later, easings=(Easing(SLOW),)), steps.SetPolicy(policy))
    assert edited.key("ripe") == later
    assert edited.easings == (Easing(SLOW), Easing(SLOW))
    same = after(ring(active(), later), steps.SetPolicy(replace(POLICY, rotate_every=9 * DAY)))
    assert (same.easings, same.key("ripe")) == ((), later)


def test_secrets_and_key_pairs_do_not_share_a_ring() -> None:
    with pytest.raises(BadInput, match="cannot become one of HS256"):
        after(ring(active()), steps.SetPolicy(RotationPolicy(alg="HS256")))


def test_old_bounds_are_dropped_all_at_once() -> None:
    assert after(ring(active(), easings=(Easing(LONGER), Easing(SLOW))), steps.DropEasings()).easings == ()


def test_holds_add_up_on_a_key_and_are_lifted_together() -> None:
    of = ring(active("a"), ready("b", holds=(HOLD,)))
    held = after(of, steps.HoldKey("b", HOLD))
    assert held == replace(of, keys=(of.keys[0], replace(of.keys[1], holds=(HOLD, HOLD))))
    assert after(held, steps.ReleaseKey("b")).key("b").holds == ()
    assert after(of, steps.HoldKey(None, HOLD)) == replace(of, hold=HOLD)
    assert after(replace(held, hold=HOLD), steps.ReleaseKey(None)) == held


@pytest.mark.parametrize("state", [REVOKED, RETIRED])
def test_there_is_nothing_to_hold_of_a_key_that_is_gone(state: str) -> None:
    gone = past("k", state=state, private=None, revoked=EARLY)
    refused(ring(active(), gone), steps.HoldKey("k", HOLD), "nothing to hold")


def test_only_a_standby_secret_that_waits_is_delivered() -> None:
    waiting = key("k", "HS256", delivered=False)
    of = ring(waiting, policy=RotationPolicy(alg="HS256"))
    assert after(of, steps.Delivered("k")).key("k") == replace(waiting, delivered=True)
    for other in (
        replace(waiting, delivered=True),
        replace(waiting, state=VERIFY_ONLY),
        key("k", delivered=False),
    ):
        refused(ring(other), steps.Delivered("k"), "does not wait for delivery")


def test_a_half_that_is_gone_is_not_exported() -> None:
    refused(ring(active(), past("k", private=None)), steps.Export("k", "pem"), "no private half any more")
    of = ring(active(), past("k"))
    assert after(of, steps.Export("k", "pem")) == of


def test_a_recovery_brings_back_forgotten_keys_and_counts_each_living_one_as_used_elsewhere() -> None:
    foreign, longer = Foreign(LATE.at + HOUR, 9 * HOUR), Foreign(LATE.at + DAY, HOUR)
    dead = past("dead", state=REVOKED, private=None, revoked=EARLY)
    sooner = Foreign(LATE.at, 20 * HOUR)
    of = ring(active("a"), ready("bad"), past("far", foreign=longer), past("near", foreign=sooner), dead)
    forgotten = past("lost", private=None, origin=Origin.RECOVERED)
    step = steps.Recover((replace(forgotten, kid="a"), forgotten), ("bad", "dead"), foreign, 3)
    done = after(of, step)
    assert (done.era, [key.kid for key in done.keys]) == (3, ["a", "bad", "far", "near", "dead", "lost"])
    assert done.key("a") == replace(of.key("a"), foreign=foreign)
    assert done.key("lost") == replace(forgotten, foreign=foreign)
    assert done.key("far").foreign == Foreign(longer.exp, foreign.seen_until)
    assert done.key("near").foreign == Foreign(foreign.exp, sooner.seen_until)
    bad = done.key("bad")
    assert (bad.state, bad.reason, bad.foreign) == (REVOKED, Reason.RECOVERED, None)
    assert done.key("dead") == dead


def test_a_ring_that_is_not_possible_is_refused_before_and_after_a_step() -> None:
    with pytest.raises(IntegrityError, match="more than one key is active"):
        after(ring(active("a"), active("b")), steps.Revoke("a"))
    broken = ready("new", shredded=EARLY)
    with pytest.raises(IntegrityError, match="was shredded"):
        after(ring(active()), steps.Add(broken, Reason.IMPORTED))


def test_the_law_of_states_has_the_last_word() -> None:
    gone = past("k", state=RETIRED, private=None)
    refused(ring(active(), gone), steps.Revoke("k"), "is retired: it cannot become revoked")
    assert ready("k").state is STANDBY

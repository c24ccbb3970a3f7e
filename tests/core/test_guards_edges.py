"""The exact moments of each guard: by the clock alone, by seen time alone, and one microsecond before."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import guards
from jwturn.core.keys import Foreign, Key, Origin
from jwturn.core.leases import RingLeases
from jwturn.core.states import ACTIVE, RETIRED, REVOKED, STANDBY
from jwturn.core.timing import AT_ONCE, BEGINNING, Due, Moment, Now, round_up
from tests.core.edges import (
    EARLY,
    HOLD,
    HOUR,
    LEAD,
    NONE,
    NOW,
    PART,
    SEEN,
    TAIL,
    WINDOW,
    key,
    leased,
    marked,
    past,
    ring,
)
from tests.core.world import DAY, START, TICK


def test_a_standby_may_sign_after_its_promise_and_after_a_lead_that_was_seen() -> None:
    standby = key(published=EARLY, sign_from=START + DAY)
    assert guards.may_sign(standby, NOW) == Due(START + DAY, SEEN + LEAD + TICK)


def stamped(**changes: Any) -> Key:
    made: dict[str, Any] = {"published": EARLY, "sign_from": START}
    return key(**(made | changes))


@pytest.mark.parametrize("missing", ["published", "sign_from"])
def test_a_standby_without_its_stamp_or_its_promise_may_sign_at_no_known_time(missing: str) -> None:
    assert guards.may_sign(stamped(**{missing: None}), NOW) is None


def test_only_a_standby_with_both_halves_whose_time_has_come_is_mature() -> None:
    ready = key(published=EARLY, sign_from=START)
    due = guards.may_sign(ready, NOW)
    assert due is not None
    assert guards.is_mature(ready, NOW)
    assert guards.is_mature(ready, Now(START, due.seen, TICK))
    assert not guards.is_mature(ready, Now(START - PART, due.seen, TICK))
    assert not guards.is_mature(ready, Now(START, due.seen - PART, TICK))
    for other in (past(), replace(ready, private=None), replace(ready, sign_from=None)):
        assert not guards.is_mature(other, NOW)


def test_of_mature_standbys_the_oldest_of_the_policys_algorithm_takes_over() -> None:
    kids = [("old", "EdDSA"), ("first", "ES256"), ("second", "ES256")]
    standbys = [key(kid, alg, published=EARLY, sign_from=START) for kid, alg in kids]
    found = guards.mature_standby(ring(*standbys), NOW)
    assert found is not None
    assert found.kid == "first"
    assert guards.mature_standby(ring(standbys[0]), NOW) == standbys[0]
    assert guards.mature_standby(ring(), NOW) is None


def test_the_roll_back_window_counts_from_the_stamp_by_both_clocks_and_rounds_up() -> None:
    over = guards.window_over(ring(), past(), NOW)
    assert over == Due(round_up(EARLY.at + WINDOW), SEEN + WINDOW + TICK)
    assert over.at == START + WINDOW + timedelta(seconds=1)


def test_a_key_that_never_signed_has_no_window_and_one_not_yet_stamped_no_end_of_it() -> None:
    assert guards.window_over(ring(), past(promoted=None, superseded=None), NOW) == AT_ONCE
    assert guards.window_over(ring(), past(superseded=None), NOW) is None


def test_a_half_is_shredded_after_the_window_and_after_the_last_lease() -> None:
    window = guards.window_over(ring(), past(), NOW)
    assert window is not None
    late = START + 3 * DAY
    assert guards.may_shred(ring(), past(), NONE, NOW) == window
    assert guards.may_shred(ring(), past(), leased(late), NOW) == Due(late, window.seen)
    assert guards.may_shred(ring(), past(), leased(late, "another"), NOW) == window


@pytest.mark.parametrize(
    "kept",
    [
        past(holds=(HOLD,)),
        past(superseded=None),
        past(state=ACTIVE),
        replace(past(), alg="HS256", public=None),
    ],
    ids=["held", "unstamped", "active", "one half only"],
)
def test_some_halves_are_not_shredded_at_any_known_time(kept: Key) -> None:
    assert guards.may_shred(ring(), kept, NONE, NOW) is None


def test_a_tail_is_over_one_tail_after_the_last_mark_by_both_clocks_and_rounds_up() -> None:
    exp = START + 2 * DAY + PART
    assert guards.tail_over(past(), marked(exp), NOW) == Due(round_up(exp + TAIL), SEEN + TAIL + TICK)
    assert round_up(exp + TAIL) != exp + TAIL


def test_a_tail_is_not_over_while_a_lease_lives() -> None:
    late = START + 30 * DAY
    both = RingLeases(leased(late).leases, marked(START).marks)
    assert guards.tail_over(past(), both, NOW) == Due(late, SEEN + TAIL + TICK)
    assert guards.tail_over(past(), leased(late), NOW) == Due(late)
    assert guards.tail_over(past(), NONE, NOW) == Due(BEGINNING)


def test_nobody_can_say_when_the_tail_of_a_key_used_elsewhere_is_over() -> None:
    elsewhere = past(origin=Origin.IMPORTED, promoted=None, superseded=None)
    assert guards.tail_over(elsewhere, NONE, NOW) is None
    known = [
        replace(elsewhere, origin=Origin.GENERATED),
        replace(elsewhere, promoted=EARLY),
        replace(elsewhere, state=STANDBY),
    ]
    assert [guards.tail_over(other, NONE, NOW) for other in known] == [Due(BEGINNING)] * 3
    foreign = replace(elsewhere, foreign=Foreign(START + DAY, SEEN))
    assert guards.tail_over(foreign, NONE, NOW) == Due(START + DAY + TAIL, SEEN + TAIL + TICK)


def test_a_key_retires_after_window_and_tail_whichever_is_later() -> None:
    shredded = past(private=None)
    window = guards.window_over(ring(), shredded, NOW)
    assert window is not None
    long_ago, late = marked(START - DAY, timedelta()), marked(START + 8 * DAY)
    assert guards.may_retire(ring(), shredded, long_ago, NOW) == Due(window.at, window.seen)
    over = guards.tail_over(shredded, late, NOW)
    assert over is not None
    assert guards.may_retire(ring(), shredded, late, NOW) == Due(over.at, window.seen)


def test_a_revoked_key_retires_after_its_tail_and_waits_for_no_window() -> None:
    revoked = past(state=REVOKED, private=None, superseded=None)
    late = marked(START + 8 * DAY)
    assert guards.may_retire(ring(), revoked, late, NOW) == guards.tail_over(revoked, late, NOW)


def test_a_secret_retires_with_its_only_half_and_a_pair_does_not() -> None:
    assert guards.may_retire(ring(), past(), NONE, NOW) is None
    secret = replace(past(), alg="HS256", public=None)
    assert guards.may_retire(ring(), secret, NONE, NOW) == guards.window_over(ring(), secret, NOW)


@pytest.mark.parametrize(
    "kept",
    [
        past(private=None, holds=(HOLD,)),
        past(private=None, superseded=None),
        past(private=None, origin=Origin.IMPORTED, promoted=None),
        past(state=ACTIVE),
        past(state=RETIRED, private=None),
    ],
    ids=["held", "unstamped", "used elsewhere", "active", "retired"],
)
def test_some_keys_retire_at_no_known_time(kept: Key) -> None:
    assert guards.may_retire(ring(), kept, NONE, NOW) is None


def test_the_last_key_of_an_issuers_set_is_the_one_without_which_it_is_empty() -> None:
    mine, outside = key("mine"), key("outside", in_issuer_set=False)
    gone = past("gone", state=REVOKED)
    assert guards.last_in_issuer_set(ring(mine, outside, gone), mine)
    assert not guards.last_in_issuer_set(ring(mine, outside), outside)
    assert not guards.last_in_issuer_set(ring(outside), outside)
    assert not guards.last_in_issuer_set(ring(mine, key("another")), mine)


def test_a_roll_back_takes_the_newest_key_that_signed_and_still_can() -> None:
    newer = Moment(EARLY.at + HOUR, SEEN + HOUR)
    older, target = past("older"), past("target", promoted=newer)
    shredded = past("shredded", promoted=NOW.moment, private=None)
    unused = past("unused", promoted=None)
    for order in ((older, target, shredded, unused), (unused, shredded, target, older)):
        assert guards.rollback_target(ring(*order)) == target
    assert guards.rollback_target(ring(shredded, unused, key("standby"))) is None

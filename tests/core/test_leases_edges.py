"""Grants and marks, exactly: what a node is given, and what it leaves behind."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jwturn.core.errors import Unavailable
from jwturn.core.keys import Foreign
from jwturn.core.leases import (
    Lease,
    Mark,
    RingLeases,
    exp_bound,
    granted,
    hard_end,
    last_exp,
    last_seen,
    leases_over,
    released,
    signable,
)
from jwturn.core.states import REVOKED
from jwturn.core.timing import BEGINNING, Due, Moment
from tests.core.edges import EARLY, HOUR, NOW, PART, POLICY, SEEN, active, leased, marked, past, ready, ring
from tests.core.world import DAY, START

LIFE = POLICY.token_ttl_max
UNTIL = NOW.at + POLICY.signer_lease
SEEN_UNTIL = NOW.seen + POLICY.signer_lease + LIFE


def grant(of, *, before=None, mark=None, now=NOW):
    return granted(ring(of), of, node="n", before=before, mark=mark, number=7, now=now)


def test_a_grant_lasts_a_lease_and_marks_the_last_token_under_it() -> None:
    key = active()
    lease, mark = grant(key)
    assert lease == Lease("n", "active", 7, UNTIL)
    assert mark == Mark("n", "active", UNTIL + LIFE, SEEN_UNTIL, 7)


def test_a_grant_ends_at_the_keys_hard_end() -> None:
    key = active(sign_until=NOW.at + PART - POLICY.overdue_max)
    assert hard_end(ring(key), key) == NOW.at + PART
    lease, mark = grant(key)
    assert (lease.until, mark.exp) == (NOW.at + PART, NOW.at + PART + LIFE)
    assert hard_end(ring(key), active(sign_until=None)) is None
    assert grant(active(sign_until=None))[0].until == UNTIL


def test_a_grant_lowers_neither_the_lease_nor_the_mark_before() -> None:
    key = active()
    before = Lease("n", "active", 6, UNTIL + DAY)
    high = Mark("n", "active", UNTIL + 3 * DAY, SEEN_UNTIL + DAY, 6)
    lease, mark = grant(key, before=before, mark=high)
    assert (lease.until, lease.number) == (UNTIL + DAY, 7)
    assert mark == replace(high, number=7)
    low = Mark("n", "active", START, timedelta(), 6)
    lease, mark = grant(key, before=Lease("n", "active", 6, START), mark=low)
    assert (lease.until, mark.exp, mark.seen_until) == (UNTIL, UNTIL + LIFE, SEEN_UNTIL)
    assert grant(key, before=before)[1].exp == UNTIL + DAY + LIFE


def test_only_the_release_of_the_last_grant_lowers_a_mark_and_never_raises_it() -> None:
    mark = Mark("n", "k", UNTIL, SEEN, 7)
    assert released(mark, number=6, largest_exp=START) == mark
    assert released(mark, number=7, largest_exp=START) == replace(mark, exp=START)
    assert released(mark, number=7, largest_exp=UNTIL + DAY) == mark
    assert released(mark, number=7, largest_exp=None) == replace(mark, exp=BEGINNING)


def test_the_last_exp_is_the_largest_mark_of_the_key_or_the_end_of_others_tokens() -> None:
    key, foreign = past(), past(foreign=Foreign(START + DAY, SEEN + DAY))
    both = RingLeases((), (*marked(START + HOUR).marks, *marked(START + 9 * DAY, 9 * DAY, "other").marks))
    assert (last_exp(both, key), last_seen(both, key)) == (START + HOUR, SEEN)
    assert (last_exp(both, foreign), last_seen(both, foreign)) == (START + DAY, SEEN + DAY)
    two = RingLeases((), (*marked(START + 2 * DAY, 2 * DAY).marks, *marked(START + HOUR).marks))
    assert (last_exp(two, foreign), last_seen(two, foreign)) == (START + 2 * DAY, 2 * DAY)
    given_back = marked(BEGINNING, 9 * DAY)
    assert (last_exp(given_back, key), last_seen(given_back, key)) == (None, timedelta())


def test_a_set_says_the_last_exp_of_a_past_key_whose_half_is_gone_rounded_up() -> None:
    over = past(private=None)
    second = int(START.timestamp()) + 3600
    assert exp_bound(marked(START + HOUR), over) == second
    assert exp_bound(marked(START + HOUR + PART), over) == second + 1
    assert exp_bound(RingLeases(), over) is None
    never = past(private=None, promoted=None)
    revoked = past(state=REVOKED, private=None, revoked=EARLY)
    for other in (past(), never, revoked):
        assert exp_bound(marked(START + HOUR), other) is None


def test_leases_are_over_when_the_last_of_the_key_is() -> None:
    two = RingLeases((*leased(START + HOUR).leases, *leased(START + DAY).leases))
    assert leases_over(two, past()) == Due(START + DAY)
    assert leases_over(two, past("other")) == Due(BEGINNING)


def test_a_signer_may_use_the_active_key_until_its_hard_end_and_no_other() -> None:
    key = active(promoted=EARLY, sign_from=EARLY.at)
    end = hard_end(ring(key), key)
    assert end is not None
    assert signable(ring(past(), key), end - PART) is key
    with pytest.raises(Unavailable) as late:
        signable(ring(key), end)
    assert late.value.code == "hard_end"
    with pytest.raises(Unavailable) as none:
        signable(ring(past(), ready("new")), NOW.at)
    assert none.value.code == "no_active_key"
    assert signable(ring(active(sign_until=None)), NOW.at + 9000 * DAY).kid == "active"


@pytest.mark.parametrize(
    "changes", [{"sign_from": None}, {"promoted": None}, {"promoted": Moment(START, SEEN)}]
)
def test_a_signer_refuses_a_key_whose_lead_was_not_kept(changes) -> None:
    key = active(**({"sign_from": START + PART} | changes))
    with pytest.raises(Unavailable) as early:
        signable(ring(key), NOW.at)
    assert early.value.code == "lead_not_kept"

"""A mark falls only to the largest exp its node ever signed with the key, with nothing in flight."""

from datetime import datetime

import pytest

from jwturn.core.leases import last_exp
from tests.service.short import MIN
from tests.service.stage import ANN, DAY, HOUR, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def mark(stage: Stage, kid: str) -> datetime:
    exp = last_exp(stage.view.leases, stage.view.ring.key(kid))
    assert exp is not None
    return exp


def idle(stage: Stage) -> None:
    for _ in range(4):
        stage.clock.advance(4 * MIN)
        stage.node.signing.refresh()
    assert stage.view.leases.leases == ()


def test_a_lease_taken_again_remembers_what_was_signed_under_the_one_before(stage: Stage) -> None:
    long = stage.node.signing.sign("default", {}, ttl=HOUR)
    idle(stage)
    stage.node.signing.sign("default", {}, ttl=MIN)
    stage.node.signing.release()
    assert mark(stage, long.kid) == long.expires


def test_a_key_rolled_back_to_remembers_what_it_signed_before(stage: Stage) -> None:
    stage.skip(2 * DAY)
    long = stage.node.signing.sign("default", {}, ttl=HOUR)
    stage.node.commands.promote("default", ANN)
    stage.node.signing.refresh()
    stage.node.commands.roll_back("default", ANN)
    stage.node.signing.refresh()
    assert stage.node.signing.sign("default", {}, ttl=MIN).kid == long.kid
    stage.node.signing.release()
    assert mark(stage, long.kid) == long.expires


def test_a_lease_given_back_after_an_outage_takes_its_mark_along(stage: Stage) -> None:
    held = stage.node.signing.sign("default", {}, ttl=MIN)
    stage.clock.advance(11 * MIN)
    stage.node.signing.refresh()
    stage.node.signing.refresh()
    assert stage.view.leases.leases == ()
    assert mark(stage, held.kid) == held.expires


def test_a_later_token_raises_it_again(stage: Stage) -> None:
    stage.node.signing.sign("default", {}, ttl=MIN)
    idle(stage)
    later = stage.node.signing.sign("default", {}, ttl=HOUR)
    stage.node.signing.release()
    assert mark(stage, later.kid) == later.expires


def test_a_signature_in_flight_under_an_older_grant_holds_the_mark_up(stage: Stage) -> None:
    stage.skip(2 * DAY)
    signing = stage.node.signing
    kid = signing.sign("default", {}, ttl=MIN).kid
    slow = signing._held["default"].tally
    assert slow.enter(stage.node.clock.boottime())
    stage.node.commands.promote("default", ANN)
    signing.refresh()
    stage.node.commands.roll_back("default", ANN)
    signing.refresh()
    assert signing.sign("default", {}, ttl=MIN).kid == kid
    signing.release()
    late = stage.clock.now() + HOUR
    assert mark(stage, kid) >= late
    slow.leave(int(late.timestamp()))
    signing.release()
    assert mark(stage, kid) >= late


def test_the_store_never_drops_below_any_token_over_many_short_lives(stage: Stage) -> None:
    longest: datetime | None = None
    for ttl in (HOUR, MIN, 30 * MIN, MIN, 10 * MIN):
        signed = stage.node.signing.sign("default", {}, ttl=ttl)
        longest = max(longest or signed.expires, signed.expires)
        idle(stage)
        assert mark(stage, signed.kid) == longest

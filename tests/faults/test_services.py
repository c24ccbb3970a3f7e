"""Two service processes on one database: turns, callers without pause, and one stopped past its lease."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jwturn.core.jws import read_claims, split
from jwturn.core.states import ACTIVE, STANDBY
from jwturn.service.audit import verify_store
from tests.faults.nodes import (
    POLICY,
    TICK_CAP,
    Caller,
    await_,
    begun,
    calling,
    demand_seen,
    ring_of,
    serving,
    verifier_at,
)
from tests.faults.whole import demand_leads, demand_no_secrets, demand_verified, said
from tests.faults.yard import Yard, secrets_of
from tests.scars.test_zombies import Zombie

LEASE = timedelta(seconds=1)
MARGIN = timedelta(seconds=3)
"""A token that lives as long still lives when it is verified."""


def demand_one_line(yard: Yard, tokens: list[str]) -> None:
    """After it all: one active key, one chain, and every token that lives is good."""
    with yard.app() as app:
        ring = app.store.load("default").ring
        assert len(ring.in_state(ACTIVE)) == 1
        assert len(ring.in_state(STANDBY)) <= 2, "a second key was made for a turn"
        demand_leads(ring)
        demand_seen(ring, tokens)
        verify_store(app.store)
        demand_no_secrets(yard.folder, secrets_of(app, ring))
    now = datetime.now(UTC)
    live = [token for token in tokens if exp_of(token) > now + MARGIN]
    assert live
    demand_verified(yard, live)
    assert said(yard.folder, "audit", "verify")[0] == 0


def exp_of(token: str) -> datetime:
    return datetime.fromtimestamp(read_claims(split(token).payload)["exp"], UTC)


def test_two_services_turn_one_ring_and_no_token_is_refused(tmp_path: Path) -> None:
    yard, token = begun(tmp_path / "store", policy=POLICY, tick_cap=TICK_CAP)
    with (
        serving(yard, token) as one,
        serving(yard, token) as two,
        calling(one, verifier_at(two)) as here,
        calling(two, verifier_at(one)) as there,
    ):
        await_(lambda: len(here.kids() & there.kids()) >= 3, "the ring does not turn")
    assert here.refusals + there.refusals == []
    demand_one_line(yard, here.tokens + there.tokens)


def test_a_service_that_was_stopped_past_its_lease_signs_with_no_old_key(tmp_path: Path) -> None:
    yard, token = begun(tmp_path / "store", policy=POLICY, tick_cap=TICK_CAP)
    with (
        serving(yard, token) as one,
        serving(yard, token) as two,
        calling(one, verifier_at(two)) as zombie,
        calling(two, verifier_at(two)) as other,
    ):
        await_(lambda: zombie.tokens and other.tokens, "nobody signs")
        stopped = Zombie(yard.state, tmp_path, one.process)  # type: ignore[arg-type]  # a pipe of text
        stopped.stop()
        at, old = datetime.now(UTC), ring_of(yard).in_state(ACTIVE)[0].kid
        before, known = len(zombie.tokens), other.kids()
        await_(lambda: len(other.kids() - known) >= 2, "the other node does not turn the ring")
        assert datetime.now(UTC) - at > LEASE
        one.process.send_signal(signal.SIGCONT)
        await_(lambda: len(zombie.tokens) > before + 20, "the node that was stopped does not sign again")
        demand_no_late(zombie, before, old, at)
    assert zombie.refusals + other.refusals == []
    demand_one_line(yard, zombie.tokens + other.tokens)


def demand_no_late(zombie: Caller, before: int, old: str, at: datetime) -> None:
    """At most the signature under way when it was stopped is of the old key."""
    late = [token for token in zombie.tokens[before:] if split(token).header.kid == old]
    assert len(late) <= 1
    for token in late:
        assert datetime.fromtimestamp(read_claims(split(token).payload)["iat"], UTC) <= at


def test_a_service_killed_in_a_turn_leaves_it_to_the_other(tmp_path: Path) -> None:
    yard, token = begun(tmp_path / "store", policy=POLICY, tick_cap=TICK_CAP)
    with serving(yard, token) as two, calling(two, verifier_at(two)) as caller:
        with serving(yard, token) as one, calling(one, verifier_at(two)) as killed:
            epoch = ring_of(yard).epoch
            await_(lambda: killed.tokens and ring_of(yard).epoch > epoch, "the ring does not move")
        known = caller.kids()
        await_(lambda: caller.kids() - known, "the other node does not turn the ring")
    assert caller.refusals + killed.refusals == []
    demand_one_line(yard, caller.tokens + killed.tokens)

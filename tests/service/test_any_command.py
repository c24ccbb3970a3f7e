"""Whatever persons do: every token verifies with every set that a healthy verifier may hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwturn.core.errors import BadInput, StateForbids, Unavailable
from jwturn.core.keys import Waiver
from jwturn.core.ledger import verify
from jwturn.core.timing import horizon
from jwturn.service.sign import Signed
from tests.service.short import MIN, SHORT, S
from tests.service.stage import ANN, ISSUER, Stage

ALGS = ("ES256", "EdDSA", "ES384")


@dataclass
class Fleet:
    """A stage, every set it served, and the tokens it issued."""

    stage: Stage = field(default_factory=lambda: Stage(**SHORT))
    served: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)
    live: list[Signed] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)

    def live_through(self, length: timedelta) -> None:
        end = self.stage.clock.now() + length
        while self.stage.clock.now() < end:
            self.stage.clock.advance(20 * S)
            self.stage.node.loop.run_once()
            self.look()

    def look(self) -> None:
        now = self.stage.clock.now()
        self.served.append((now, self.stage.node.publisher.issuer_set(ISSUER).kids))
        self.issue()
        self.live = [token for token in self.live if token.expires > now and token.kid not in self.revoked]
        oldest = now - horizon(self.stage.view.ring.policy.bounds)
        start = max((at for at, _ in self.served if at <= oldest), default=now)
        held = [kids for at, kids in self.served if at >= start]
        for token in self.live:
            assert all(token.kid in kids for kids in held if self.lead_kept(token.kid)), token.kid
            assert token.kid in held[-1]

    def lead_kept(self, kid: str) -> bool:
        key = self.stage.view.ring.key(kid)
        return key.waiver not in (Waiver.FIRST_KEY, Waiver.BEFORE_LEAD)

    def issue(self) -> None:
        try:
            signed = self.stage.node.signing.sign("default", {}, ttl=MIN)
        except Unavailable:
            assert self.stage.view.ring.active is None
            return
        assert signed.kid in self.served[-1][1]
        self.live.append(signed)


Act = Callable[[Fleet], object]


def revoke(which: int) -> Act:
    def act(fleet: Fleet) -> None:
        keys = fleet.stage.view.ring.published
        kid = keys[which % len(keys)].kid
        fleet.stage.node.commands.revoke("default", ANN, kid=kid)
        fleet.revoked.add(kid)
        fleet.stage.node.loop.wake()

    return act


def discard(which: int) -> Act:
    def act(fleet: Fleet) -> None:
        keys = fleet.stage.view.ring.published
        fleet.stage.node.commands.discard("default", ANN, kid=keys[which % len(keys)].kid)

    return act


def policy(**changes: object) -> Act:
    return lambda fleet: fleet.stage.node.commands.set_policy("default", ANN, changes=changes)


def held(kid: bool, release: bool) -> Act:
    def act(fleet: Fleet) -> None:
        commands, active = fleet.stage.node.commands, fleet.stage.view.ring.keys[-1].kid
        (commands.release if release else commands.hold)("default", ANN, kid=active if kid else None)

    return act


ACTS = st.one_of(
    st.just(lambda fleet: fleet.stage.node.commands.rotate("default", ANN)),
    st.just(lambda fleet: fleet.stage.node.commands.promote("default", ANN)),
    st.just(lambda fleet: fleet.stage.node.commands.promote("default", ANN, before_lead=True)),
    st.just(lambda fleet: fleet.stage.node.commands.roll_back("default", ANN)),
    st.builds(revoke, st.integers(0, 5)),
    st.builds(discard, st.integers(0, 5)),
    st.builds(held, st.booleans(), st.booleans()),
    st.builds(lambda alg: policy(alg=alg), st.sampled_from(ALGS)),
    st.builds(lambda minutes: policy(verifier_ttl_max=minutes * MIN), st.sampled_from([10, 12, 20])),
    st.builds(lambda minutes: policy(rotate_every=minutes * MIN), st.sampled_from([60, 120])),
)
PAUSES = st.sampled_from([S, 20 * S, 3 * MIN, 8 * MIN, 16 * MIN, 25 * MIN])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.lists(st.tuples(ACTS, PAUSES), min_size=1, max_size=6))
def test_no_good_token_is_refused_whatever_is_commanded(played: list[tuple[Act, timedelta]]) -> None:
    fleet = Fleet()
    fleet.live_through(MIN)
    for act, pause in played:
        epoch = fleet.stage.view.ring.epoch
        try:
            act(fleet)
        except (StateForbids, BadInput):
            assert fleet.stage.view.ring.epoch == epoch
        fleet.stage.node.publisher.refresh()
        fleet.live_through(pause)
        ring = fleet.stage.view.ring
        assert verify(fleet.stage.store.events(ring.id), chain=ring.id).hash == ring.event_hash

"""One ring, its leases and two clocks; keys are made of nothing, the rules are the product's."""

from datetime import UTC, datetime, timedelta

from jwturn.core import steps
from jwturn.core.envelope import Envelope
from jwturn.core.evolve import apply
from jwturn.core.keys import Key, KeyRing, Origin, Waiver
from jwturn.core.leases import RingLeases, granted, signable
from jwturn.core.plan import next_due, plan
from jwturn.core.policy import RotationPolicy
from jwturn.core.reasons import Reason
from jwturn.core.states import STANDBY
from jwturn.core.timing import Now

START = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=60)
DAY = timedelta(days=1)
HALF = Envelope(1, b"n", b"c", ())


class World:
    """One ring, its leases and two clocks; keys are made of nothing, the rules are the product's."""

    def __init__(self, policy: RotationPolicy | None = None, *, served: bool = False) -> None:
        self.ring = KeyRing(
            id="r1",
            name="default",
            issuer="https://a.example",
            policy=policy or RotationPolicy(),
            issuer_served=served,
        )
        self.leases = RingLeases()
        self.at, self.seen, self.made, self.grants = START, timedelta(), 0, 0
        self.taken: list[steps.Step] = []

    @property
    def now(self) -> Now:
        return Now(self.at, self.seen, TICK)

    def key(self, alg: str) -> Key:
        self.made += 1
        policy = self.ring.policy
        return Key(
            kid=f"k{self.made}",
            alg=alg,
            state=STANDBY,
            origin=Origin.GENERATED,
            public=None if alg.startswith("HS") else {"kty": "EC"},
            private=HALF,
            bounds=policy.bounds,
            in_issuer_set=policy.in_issuer_set(alg),
            created=self.now.moment,
        )

    def do(self, *wanted: steps.Step) -> None:
        """One commit."""
        for step in wanted:
            self.ring = apply(self.ring, step, leases=self.leases, now=self.now)
            self.taken.append(step)

    def settle(self) -> None:
        for _ in range(12):
            wanted = plan(self.ring, self.leases, self.now)
            if not wanted:
                return
            for step in wanted:
                if isinstance(step, steps.Create):
                    key = self.key(step.alg)
                    self.do(steps.Add(key, step.reason))
                    if step.reason is Reason.FIRST_KEY:
                        self.do(steps.Promote(key.kid, step.reason, Waiver.FIRST_KEY))
                else:
                    self.do(step)
        raise AssertionError("the plan does not converge")

    def run(self, length: timedelta, *, watched: bool = True) -> None:
        """Lets time pass, waking when something is due, as the loop does."""
        end = self.at + length
        for _ in range(10_000):
            due = next_due(self.ring, self.leases, self.now)
            to = min(max(due, self.at + timedelta(seconds=1)), end) if due is not None else end
            self.seen += to - self.at if watched else timedelta()
            self.at = to
            self.settle()
            if self.at >= end:
                return
        raise AssertionError("too many wakes")

    def sign(self) -> Key:
        """A grant to one node, as the store gives it."""
        key = signable(self.ring, self.at)
        self.grants += 1
        mark = next((m for m in self.leases.marks if m.kid == key.kid), None)
        lease, mark = granted(self.ring, key, node="n", mark=mark, number=self.grants, now=self.now)
        marks = [m for m in self.leases.marks if m.kid != key.kid]
        self.leases = RingLeases((lease,), (*marks, mark))
        return key

    @property
    def active(self) -> Key:
        assert self.ring.active is not None
        return self.ring.active

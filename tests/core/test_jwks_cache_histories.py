"""Any history of asks, landings and clocks: what the cache never does, and that it always comes back."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jwturn.core.jwks_cache import (
    BACKOFF_SECONDS_MIN,
    BURST,
    REFILL_SECONDS,
    UNKNOWN_SECONDS_MAX,
    Bounds,
    Cache,
    Fetch,
    Flight,
    Loaded,
    Refuse,
    Unchanged,
    Unknown,
    Use,
    Wait,
    absorb,
    decide,
    refresh,
    usable,
)
from tests.core.caches import DOWN, START

BOUNDS = Bounds(keys_ttl_max=600.0, stale_max=300.0)
TEN_YEARS = 10 * 365 * 86_400.0
KIDS = ("a", "b", "c", "d")
SECONDS_OF_RECOVERY = UNKNOWN_SECONDS_MAX + 2 * REFILL_SECONDS
ASKS_OF_RECOVERY = 20


@dataclass(frozen=True)
class Landed:
    """The set that landed last; `since`: when its flight, or the one that renewed it, was claimed."""

    keys: str
    kids: frozenset[str]
    since: float


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache(BOUNDS)
        self.now = START
        self.published = frozenset("ab")
        self.landed: Landed | None = None
        self.flying: list[Flight] = []
        self.waiting: list[str] = []
        self.budget = float(BURST)
        """What the bucket may have given at most; a step adds to it, a claim with a usable set takes."""
        self.last_claim: float | None = None
        self.jumped = False

    @initialize(jitter=st.sampled_from([0.0, 0.5, 0.999]))
    def draw(self, jitter: float) -> None:
        self.jitter = jitter

    @rule(kid=st.sampled_from(KIDS))
    def ask(self, kid: str) -> None:
        self._ask(kid, waited=False)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        kid = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self._ask(kid, waited=True)

    @rule()
    def renew(self) -> None:
        before = self.cache
        self.cache, flight = refresh(before, self.now)
        assert (flight is None) == (self.cache is before)
        if flight is not None:
            self._claimed(before, flight)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=st.sampled_from(["loaded", "unchanged", "failed"]))
    def land(self, data: st.DataObject, how: str) -> None:
        flight = data.draw(st.sampled_from(self.flying))
        self.flying.remove(flight)
        before, same = self.cache, self.landed is not None and self.landed.kids == self.published
        if how == "failed" or (how == "unchanged" and not same):
            self.cache = absorb(before, flight, DOWN, self.now, self.jitter)
            return
        keys = f"set {sorted(self.published)}"
        outcome = Unchanged(None) if how == "unchanged" else Loaded(keys, self.published, None)
        self.cache = absorb(before, flight, outcome, self.now, self.jitter)
        late = before.flight is None or before.flight.number != flight.number
        assert late == (self.cache is before)
        if not late:
            self.landed = Landed(keys, self.published, flight.since)

    @precondition(lambda self: self.flying)
    @rule()
    def lose(self) -> None:
        """The answer of the oldest flight never comes."""
        self.flying.pop(0)

    @rule(kids=st.sets(st.sampled_from(KIDS), min_size=1))
    def publish(self, kids: set[str]) -> None:
        self.published = frozenset(kids)

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 6.0, 30.0, 61.0, 250.0, 600.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.budget += min(seconds / REFILL_SECONDS, BURST)

    @rule(seconds=st.sampled_from([TEN_YEARS, -TEN_YEARS, -1.0, -30.0, -700.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        """Forward it is time that passed, for all that can be known."""
        self.now += seconds
        self.jumped = True
        self.budget += BURST if seconds > 0 else 1

    @invariant()
    def the_issuer_answering_again_ends_every_trouble(self) -> None:
        cache, now, asks = self.cache, self.now, 0
        kids = self.published
        kid = min(kids)
        while True:
            asks += 1
            assert asks <= ASKS_OF_RECOVERY
            assert now <= self.now + SECONDS_OF_RECOVERY
            cache, verdict = decide(cache, kid, now)
            if isinstance(verdict, Use) and verdict.held.kids == kids:
                return
            flight = verdict.begin if isinstance(verdict, Use) else None
            if isinstance(verdict, Fetch | Wait):
                flight = verdict.flight
            if isinstance(verdict, Wait) and verdict.flight not in self.flying:
                now = verdict.flight.until
            elif flight is not None:
                cache = absorb(cache, flight, Loaded("again", kids, None), now, 0)
            elif isinstance(verdict, Refuse):
                now += min(verdict.retry_after, REFILL_SECONDS)
            else:
                now += REFILL_SECONDS

    @invariant()
    def the_bucket_is_never_overdrawn(self) -> None:
        assert self.budget > -1e-6
        assert 0 <= self.cache.level <= BURST

    def _ask(self, kid: str, *, waited: bool) -> None:
        before = self.cache
        self.cache, verdict = decide(before, kid, self.now, waited=waited)
        claimed = isinstance(verdict, Fetch) or (isinstance(verdict, Use) and verdict.begin is not None)
        if not claimed and not (waited and isinstance(verdict, Unknown)):
            assert self.cache is before
        if isinstance(verdict, Use):
            self._used(kid, verdict, waited=waited)
            if verdict.begin is not None:
                self._claimed(before, verdict.begin)
        elif isinstance(verdict, Fetch):
            assert not waited
            self._claimed(before, verdict.flight)
            self.waiting.append(kid)
        elif isinstance(verdict, Wait):
            assert not waited
            self.waiting.append(kid)
        elif isinstance(verdict, Unknown):
            assert self.landed is not None
            assert kid not in self.landed.kids

    def _used(self, kid: str, verdict: Use, *, waited: bool) -> None:
        assert self.landed is not None
        assert (verdict.held.keys, verdict.held.kids) == (self.landed.keys, self.landed.kids)
        assert kid in self.landed.kids or waited
        assert self.now < self.landed.since + BOUNDS.keys_ttl_max + BOUNDS.stale_max

    def _claimed(self, before: Cache, flight: Flight) -> None:
        old = before.flight
        assert old is None or not old.since <= self.now < old.until, "two flights at once"
        assert flight.number == before.flights + 1
        if usable(before, self.now):
            self.budget -= 1
        elif self.last_claim is not None and not self.jumped:
            assert self.now >= self.last_claim + BACKOFF_SECONDS_MIN
        self.last_claim, self.jumped = self.now, False
        self.flying.append(flight)


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase

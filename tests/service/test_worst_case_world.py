"""Many nodes in the worst world that the assumptions allow: the theorem holds on the real code.

And without any one of its rules it does not: so this can fail.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import evolve, guards, leases, steps
from jwturn.core.jws import read_claims, split
from jwturn.core.keys import Key, KeyRing, Waiver, check
from jwturn.core.ledger import Head, verify
from jwturn.core.states import ACTIVE, PUBLISHED, REVOKED, VERIFY_ONLY
from jwturn.core.timing import SECOND, Bounds, Due, horizon, lead
from jwturn.service.sign import Signed, SigningService
from jwturn.stores import grants
from jwturn.testing.clock import START
from tests.service.fleet import EPS, ZERO, Fleet, Hazards, Node


class Violation(BaseException):
    """What must hold does not. No loop survives it."""


def demand(holds: bool, words: str) -> None:
    if not holds:
        raise Violation(words)


@dataclass
class Held:
    """A set that some verifier may hold: when it was last served, and until when it may be used."""

    served: timedelta
    until: timedelta


@dataclass
class Token:
    """A good token: its kid, and until when some verifier accepts it."""

    kid: str
    exp: timedelta
    leeway: timedelta


class WorstCase(Fleet):
    """Looks at every commit, answer and token, and lets the worst verifiers judge at every moment."""

    def __init__(self, seed: int, hazards: Hazards) -> None:
        self.sets: dict[frozenset[str], Held] = {}
        self.tokens: list[Token] = []
        self.published: dict[str, timedelta] = {}
        self.superseded: dict[str, timedelta] = {}
        self.turns = self.judged = 0
        super().__init__(seed, hazards)

    def look(self) -> None:
        """After every call: what a commit changed, in true time."""
        epoch = self.store.rings()[0].epoch
        if self.ring.epoch == epoch:
            return
        before, self.ring = self.ring, check(self.store.load("default").ring)
        old = {key.kid: key for key in before.keys}
        for key in self.ring.keys:
            self._moved(old.get(key.kid), key)
        demand(bool(self.ring.published) or not before.published, "the set is empty")
        bounds = self.ring.policy.bounds
        for held in self.sets.values():
            if held.until >= self.elapsed:
                held.until = max(held.until, held.served + kept(bounds))
        for token in self.tokens:
            token.leeway = max(token.leeway, bounds.leeway_max)

    def _moved(self, old: Key | None, key: Key) -> None:
        if old is None:
            self.published[key.kid] = self.elapsed
        if key.state is ACTIVE and (old is None or old.state is not ACTIVE):
            self.turns += 1
            age, bounds = self.elapsed - self.published[key.kid], key.bounds
            waived = key.waiver in (Waiver.FIRST_KEY, Waiver.BEFORE_LEAD)
            demand(waived or age >= kept(bounds) + bounds.publish_delay_max - 4 * EPS, "promoted too early")
        if key.state is VERIFY_ONLY and old is not None and old.state is ACTIVE:
            self.superseded[key.kid] = self.elapsed
        if key.private is None and old is not None and old.private is not None and key.state is VERIFY_ONLY:
            demand(
                self.elapsed - self.superseded[key.kid] >= self.ring.policy.rollback_window, "shredded early"
            )

    def answered(self, kids: frozenset[str]) -> None:
        """A set left an origin."""
        demand(bool(kids), "the set is empty")
        held = self.sets.setdefault(kids, Held(ZERO, ZERO))
        held.served = self.elapsed
        held.until = max(held.until, self.elapsed + kept(self.ring.policy.bounds))

    def issued(self, node: Node, signed: Signed) -> None:
        """A token left a signer."""
        demand(self.elapsed <= node.leases[signed.kid], "signed past the lease")
        key = next((key for key in self.ring.keys if key.kid == signed.kid), None)
        if key is None or key.state is REVOKED:
            return
        demand(key.state in PUBLISHED, "signed with a key that has left the set")
        marks = self.store.load("default").leases.marks
        mark = max(mark.exp for mark in marks if (mark.node, mark.kid) == (node.id, signed.kid))
        demand(signed.expires <= mark, "a token outlives its key's mark")
        issued = read_claims(split(signed.token).payload)["iat"] - START.timestamp()
        if issued <= (self.elapsed + 2 * EPS).total_seconds():
            self.tokens.append(Token(signed.kid, signed.expires - START, key.bounds.leeway_max))

    def check(self) -> None:
        """Every verifier with every set it may hold judges every good token."""
        self.sets = {kids: held for kids, held in self.sets.items() if held.until >= self.elapsed}
        good = {key.kid for key in self.ring.keys if key.state is not REVOKED and not self._early(key)}
        gone = self.published.keys() - {key.kid for key in self.ring.keys}
        self.tokens = [t for t in self.tokens if self.elapsed < t.exp + t.leeway + EPS]
        for kid in {token.kid for token in self.tokens} & (good | gone):
            self.judged += 1
            demand(all(kid in kids for kids in self.sets), "a good token is refused")

    def _early(self, key: Key) -> bool:
        """Whether a person said that some verifiers shall refuse the key for now."""
        early = key.waiver is Waiver.BEFORE_LEAD
        return early and self.elapsed < self.published[key.kid] + lead(key.bounds)

    def end(self) -> None:
        """The chain is whole and ends where the ring says."""
        ring = self.ring
        head = verify(self.store.events(ring.id, limit=100_000), chain=ring.id)
        demand(head == Head(ring.event_count, ring.event_hash), "the chain is not the ring's")


def kept(bounds: Bounds) -> timedelta:
    """The longest from an origin's answer until the verifier's last use of the set, clocks at their worst."""
    return horizon(replace(bounds, publish_delay_max=ZERO)) + 4 * EPS


CALM = Hazards()
ROUGH = Hazards(crash=0.002, lost=0.01, pause=0.004, slow_signature=0.03, stall=0.1, cut=0.005, act=0.03)
JUMPY = replace(CALM, jump=0.01, act=0.03)
BUSY = replace(CALM, act=0.1)
STALLING = replace(CALM, stall=0.3, act=0.1)
MOODS = (CALM, ROUGH, JUMPY, BUSY, STALLING)


def play(seed: int, hazards: Hazards | None = None, minutes: int = 40) -> WorstCase:
    """A fleet's life. Raises Violation."""
    fleet = WorstCase(seed, hazards or MOODS[seed % len(MOODS)])
    fleet.live(timedelta(minutes=minutes))
    fleet.look()
    fleet.end()
    return fleet


def play_many(hazards: Hazards, lives: int = 16) -> None:
    """Many short lives, one after the other. Raises Violation."""
    for seed in range(lives):
        play(seed, hazards)


@pytest.mark.parametrize("seed", range(5))
def test_no_good_token_is_refused_in_the_worst_world(seed: int) -> None:
    fleet = play(seed)
    assert fleet.turns > 1
    assert fleet.judged > 50


def no_lead(patch: pytest.MonkeyPatch) -> None:
    for module in (guards, evolve):
        patch.setattr(module, "lead", lambda bounds: ZERO)


def no_leeway(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guards, "tail", lambda bounds: 2 * bounds.clock_skew_max + SECOND)


def last_mark_only(patch: pytest.MonkeyPatch) -> None:
    def granted(*args: Any, **options: Any) -> Any:
        return leases.granted(*args, **(options | {"mark": None}))

    patch.setattr(grants, "granted", granted)


def no_lease_check(patch: pytest.MonkeyPatch) -> None:
    hold = SigningService._hold

    def held(self: SigningService, *args: Any) -> Any:
        fresh = replace(hold(self, *args), deadline=timedelta.max)
        self._held[fresh.ring.name] = fresh
        return fresh

    patch.setattr(SigningService, "_hold", held)


def no_second_look(patch: pytest.MonkeyPatch) -> None:
    sign = SigningService._sign

    def signed(self: SigningService, held: Any, *args: Any) -> Any:
        made = sign(self, held, *args)
        object.__setattr__(held, "deadline", timedelta.max)
        return made

    patch.setattr(SigningService, "_sign", signed)


def no_seen_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guards, "may_sign", lambda key, now: Due(key.sign_from) if key.sign_from else None)


def stamped_at_once(patch: pytest.MonkeyPatch) -> None:
    def add(ring: KeyRing, step: steps.Add, act: Any) -> KeyRing:
        return evolve._stamp(evolve._add(ring, step, act), steps.Stamp(), act)

    patch.setitem(evolve._ACTS, steps.Add, add)


@pytest.mark.parametrize(
    ("forget", "hazards", "words"),
    [
        (no_lead, CALM, "too early|refused"),
        (no_leeway, CALM, "refused"),
        (last_mark_only, BUSY, "refused|mark"),
        (no_lease_check, ROUGH, "lease"),
        (no_second_look, ROUGH, "lease"),
        (no_seen_time, JUMPY, "too early"),
        (stamped_at_once, STALLING, "too early|refused"),
    ],
)
def test_without_any_one_of_its_rules_it_fails(
    forget: Callable[[pytest.MonkeyPatch], None],
    hazards: Hazards,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget(monkeypatch)
    with pytest.raises(Violation, match=words):
        play_many(hazards)

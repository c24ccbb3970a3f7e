"""Rotate to the fixed point: plan, make what is wanted, commit, ask again until the answer is ().

Any number of rotators may run: each commit is a compare-and-swap, and the plan is made again inside it, so
a lost race costs a key that nobody has seen and nothing else.
"""

from dataclasses import dataclass
from typing import Final

from jwturn.core.errors import JwturnError
from jwturn.core.keys import KeyRing, Waiver
from jwturn.core.ledger import Actor
from jwturn.core.plan import next_due, plan
from jwturn.core.reasons import Reason
from jwturn.core.steps import Add, Create, Promote, Step
from jwturn.ports.clock import Clock
from jwturn.ports.custody import Custody, Made
from jwturn.ports.store import Change, ChangeOf, RingStore, View
from jwturn.service.commit import commit_of, fresh_standby, let_go
from jwturn.service.watch import StoreWatch

ROUNDS_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Turned:
    """What a rotator did to a ring."""

    ring: KeyRing
    steps: tuple[Step, ...]


class Rotator:
    """Performs what `plan` proposes."""

    def __init__(self, store: RingStore, custody: Custody, clock: Clock, *, who: str) -> None:
        self._store = store
        self._custody = custody
        self._watch = StoreWatch(store, clock)
        self._actor = Actor(who)

    def turn(self, name: str) -> Turned:
        """Takes every step that is due on the ring named `name`.

        Raises LostRace, ClocksDisagree, Unavailable, CustodyError, IntegrityError; every commit that was made
        before stays. A custody that makes no key holds up no step but those that need one.
        """
        done: list[Step] = []
        for _ in range(ROUNDS_MAX):
            view = self._watch.load(name)
            wanted = plan(view.ring, view.leases, view.now)
            if not wanted:
                self._book(name)
                return Turned(view.ring, tuple(done))
            done += self._perform(view, wanted)
        raise JwturnError(
            f"ring {name} did not come to rest in {ROUNDS_MAX} rounds", hint="please report this"
        )

    def _perform(self, view: View, wanted: tuple[Step, ...]) -> tuple[Step, ...]:
        made: Made | None = None
        failed: JwturnError | None = None
        try:
            made = next((self._make(view, step) for step in wanted if isinstance(step, Create)), None)
        except JwturnError as error:
            failed = error
        taken: tuple[Step, ...] = ()
        before = view.ring

        def change(current: View) -> Change | None:
            nonlocal taken, before
            before = current.ring
            taken = with_key(current, plan(current.ring, current.leases, current.now), made)
            return commit_of(current, taken, self._actor) if taken else None

        after = self._update(view.ring.name, change)
        let_go(self._custody, before, after, made=made)
        if failed is not None:
            raise failed
        return taken

    def _make(self, view: View, step: Create) -> Made:
        policy = view.ring.policy
        return self._custody.create(
            step.alg, view.ring.id, rsa_bits=policy.rsa_bits, printable=policy.printable
        )

    def _book(self, name: str) -> None:
        def change(current: View) -> Change:
            return Change(current.ring, (), next_due(current.ring, current.leases, current.now))

        self._update(name, change)

    def _update(self, name: str, change: ChangeOf) -> KeyRing:
        reading = self._watch.reading()
        with self._watch.judging(reading):
            return self._store.update(name, change, at=reading)


def with_key(view: View, steps: tuple[Step, ...], made: Made | None) -> tuple[Step, ...]:
    """The steps that can be applied: `Create` becomes `Add` of the key at hand, or waits for the next round.

    The first key of an issuer that has never been served is promoted in the commit that adds it.
    """
    taken: list[Step] = []
    for step in steps:
        if not isinstance(step, Create):
            taken.append(step)
        elif made is not None and made.alg == step.alg:
            taken.append(Add(fresh_standby(view.ring, made, view.now), step.reason))
            if step.reason is Reason.FIRST_KEY:
                taken.append(Promote(made.kid, step.reason, Waiver.FIRST_KEY))
            made = None
    return tuple(taken)

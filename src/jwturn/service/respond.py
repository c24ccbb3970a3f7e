"""A person's commands: each says who and why, can be tried dry, and is one commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import uuid4

from jwturn.core import guards
from jwturn.core.errors import BadInput, NotFound, StateForbids
from jwturn.core.keys import Foreign, Hold, Key, KeyRing, Origin, Waiver
from jwturn.core.ledger import Actor
from jwturn.core.plan import next_lead
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.reasons import Reason
from jwturn.core.secret import Secret
from jwturn.core.states import ACTIVE, STANDBY, VERIFY_ONLY
from jwturn.core.steps import (
    Add,
    BookTurn,
    Delivered,
    Discard,
    Export,
    HoldKey,
    Promote,
    ReleaseKey,
    Revoke,
    RollBack,
    SetPolicy,
    Step,
)
from jwturn.core.timing import Moment
from jwturn.ports.clock import Clock, read
from jwturn.ports.custody import Custody, Made
from jwturn.ports.store import Change, RingStore, View
from jwturn.service.commit import commit_of, fresh_standby, let_go

StepsOf: TypeAlias = Callable[[View], Sequence[Step]]
NAME_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did, or with `dry_run` would do: the ring after it and the steps."""

    ring: KeyRing
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How an imported key is and was used elsewhere.

    `published_since` (needs a reason) may satisfy the lead; until `foreign_until` others still sign with
    it, tokens of at most `foreign_ttl`.
    """

    state: str = "standby"
    published_since: datetime | None = None
    foreign_until: datetime | None = None
    foreign_ttl: timedelta | None = None


class Commands:
    """What a person may ask of a ring. Raises NotFound, StateForbids, LostRace and what the store raises."""

    def __init__(self, store: RingStore, custody: Custody, clock: Clock) -> None:
        self._store = store
        self._custody = custody
        self._clock = clock

    def add_ring(
        self, name: str, *, issuer: str, policy: RotationPolicy, actor: Actor, issuer_served: bool = False
    ) -> KeyRing:
        """A new ring without keys; the rotator makes the first.

        `issuer_served`: somebody may hold an older set.
        """
        demand_ring_name(name)
        ring = KeyRing(id=uuid4().hex, name=name, issuer=issuer, policy=policy, issuer_served=issuer_served)
        return self._store.add(ring, actor=actor, at=read(self._clock))

    def rotate(self, ring: str, actor: Actor, *, dry_run: bool = False) -> Outcome:
        """Books the turn for the time at which, after it, another mature standby will be there.

        Never switches at once.
        """

        def steps(view: View) -> Sequence[Step]:
            at = earliest_turn(view)
            booked = view.ring.turn_at
            return () if booked is not None and booked <= at else (BookTurn(at),)

        return self._act(ring, steps, actor, dry_run=dry_run)

    def promote(
        self,
        ring: str,
        actor: Actor,
        *,
        kid: str | None = None,
        before_lead: bool = False,
        dry_run: bool = False,
    ) -> Outcome:
        """Makes the mature standby (or the one named) active now.

        `before_lead` is for an emergency: verifiers that do not hold the key yet refuse good tokens; it
        needs a reason.
        """
        _demand_reason(actor, "promoting before the lead", wanted=before_lead)

        def steps(view: View) -> Sequence[Step]:
            key = _standby(view, kid) if kid else _standby_to_promote(view, before_lead=before_lead)
            early = before_lead and not guards.is_mature(key, view.now)
            return (Promote(key.kid, Reason.PERSON, Waiver.BEFORE_LEAD if early else None),)

        return self._act(ring, steps, actor, dry_run=dry_run)

    def revoke(self, ring: str, actor: Actor, *, kid: str, dry_run: bool = False) -> Outcome:
        """Ends trust in a key: out of the set at once, its private half destroyed.

        The mature standby takes over in the same commit; where no published key would be left, a fresh one
        enters in it. Needs a reason.
        """
        _demand_reason(actor, "revoking a key", wanted=True)
        view = self._store.load(ring)
        target = view.ring.find(kid)
        made = self._fresh(view, target) if _leaves_a_set_empty(view.ring, target) else None

        def steps(current: View) -> Sequence[Step]:
            return revocation(current, current.ring.key(target.kid), made, actor.why)

        return self._act(ring, steps, actor, dry_run=dry_run, made=made)

    def roll_back(self, ring: str, actor: Actor, *, dry_run: bool = False) -> Outcome:
        """Makes the newest verify-only key with a private half active; cancels the booked turn."""

        def steps(view: View) -> Sequence[Step]:
            target = guards.rollback_target(view.ring)
            if target is None:
                raise StateForbids(
                    f"ring {ring} has no key to roll back to: the private half of the last one is gone",
                    hint=f"jwturn keys --ring {ring}",
                )
            return (RollBack(target.kid),)

        return self._act(ring, steps, actor, dry_run=dry_run)

    def discard(self, ring: str, actor: Actor, *, kid: str, dry_run: bool = False) -> Outcome:
        """Drops a standby that never signed, or a verify-only key that only a person retires."""
        return self._act(ring, lambda view: (Discard(view.ring.find(kid).kid),), actor, dry_run=dry_run)

    def hold(self, ring: str, actor: Actor, *, kid: str | None, dry_run: bool = False) -> Outcome:
        """Keeps automation off a key (shred, discard, retire), or with no kid off the ring's turns.

        Needs a reason.
        """
        _demand_reason(actor, "a hold", wanted=True)

        def steps(view: View) -> Sequence[Step]:
            hold = Hold(actor.who, actor.why, view.now.at)
            return (HoldKey(view.ring.find(kid).kid if kid else None, hold),)

        return self._act(ring, steps, actor, dry_run=dry_run)

    def release(self, ring: str, actor: Actor, *, kid: str | None, dry_run: bool = False) -> Outcome:
        """Lifts the holds on a key, or with no kid the ring's."""

        def steps(view: View) -> Sequence[Step]:
            held = view.ring.find(kid).holds if kid else view.ring.hold
            return (ReleaseKey(view.ring.find(kid).kid if kid else None),) if held else ()

        return self._act(ring, steps, actor, dry_run=dry_run)

    def delivered(self, ring: str, actor: Actor, *, kid: str, dry_run: bool = False) -> Outcome:
        """A person's word that every verifier has the standby secret; its lead counts from here."""
        return self._act(ring, lambda view: (Delivered(view.ring.find(kid).kid),), actor, dry_run=dry_run)

    def set_policy(
        self, ring: str, actor: Actor, *, changes: dict[str, Any], dry_run: bool = False
    ) -> Outcome:
        """Edits the policy. Raises PolicyRefused; no promise to a living key is shortened."""

        def steps(view: View) -> Sequence[Step]:
            policy = edited(view.ring.policy, changes, tick_cap=view.now.tick_cap)
            return () if policy == view.ring.policy else (SetPolicy(policy),)

        return self._act(ring, steps, actor, dry_run=dry_run)

    def take_in(self, ring: str, actor: Actor, *, made: Made, usage: Usage, dry_run: bool = False) -> Outcome:
        """A key made elsewhere enters the lifecycle, its private half (if any) already sealed in `made`."""
        _demand_reason(actor, "--published-since", wanted=usage.published_since is not None)

        def steps(view: View) -> Sequence[Step]:
            return (Add(imported_key(view, made, usage), Reason.IMPORTED),)

        return self._act(ring, steps, actor, dry_run=dry_run)

    def export(self, ring: str, actor: Actor, *, kid: str, form: str) -> Secret:
        """A private half (PKCS#8 DER, or a secret's bytes), once the event that tells of it is committed."""
        _demand_reason(actor, "exporting a private half", wanted=True)
        done = self._act(ring, lambda view: (Export(view.ring.find(kid).kid, form),), actor, dry_run=False)
        return self._custody.reveal(done.ring.find(kid), done.ring.id)

    def _fresh(self, view: View, target: Key) -> Made:
        policy = view.ring.policy
        alg = target.alg if guards.last_in_issuer_set(view.ring, target) else policy.alg
        return self._custody.create(alg, view.ring.id, rsa_bits=policy.rsa_bits, printable=policy.printable)

    def _act(
        self, name: str, steps_of: StepsOf, actor: Actor, *, dry_run: bool, made: Made | None = None
    ) -> Outcome:
        done: tuple[Step, ...] = ()
        before: KeyRing | None = None

        def change(view: View) -> Change | None:
            nonlocal done, before
            before = view.ring
            done = tuple(steps_of(view))
            return commit_of(view, done, actor) if done else None

        if dry_run:
            view = self._store.load(name)
            wanted = change(view)
            let_go(self._custody, view.ring, view.ring, made=made)
            return Outcome(view.ring if wanted is None else wanted.ring, done)
        after = self._store.update(name, change, at=read(self._clock))
        let_go(self._custody, before or after, after, made=made)
        return Outcome(after, done)


def demand_ring_name(name: str) -> None:
    """Raises BadInput unless `name` can name a ring."""
    fits = 0 < len(name) <= NAME_MAX and name.isascii()
    if not (fits and name.replace("-", "").replace("_", "").isalnum()):
        raise BadInput(
            f"{name!r} cannot name a ring", hint="1..64 letters, digits, - and _, such as: default, orders"
        )


def earliest_turn(view: View) -> datetime:
    """The earliest time of a turn after which another mature standby is there."""
    waits = [
        due.eta(view.now)
        for key in view.ring.in_state(STANDBY)
        if key.alg == view.ring.policy.alg and (due := guards.may_sign(key, view.now)) is not None
    ]
    if len(waits) > 1:
        return max(sorted(waits)[1], view.now.at)
    return view.now.at + next_lead(view.ring, view.now)


def revocation(view: View, key: Key, made: Made | None, why: str) -> tuple[Step, ...]:
    """The steps of a revocation, in one commit: never an empty set, and the mature standby signs at once."""
    steps: list[Step] = []
    if _leaves_a_set_empty(view.ring, key):
        if made is None:
            raise StateForbids(
                f"ring {view.ring.name} changed while a fresh key was made", hint="run it again"
            )
        fresh = fresh_standby(view.ring, made, view.now)
        fresh = replace(fresh, in_issuer_set=fresh.in_issuer_set or key.in_issuer_set)
        steps.append(Add(fresh, Reason.LAST_KEY_REVOKED))
    steps.append(Revoke(key.kid, why=why))
    without = replace(view.ring, keys=tuple(other for other in view.ring.keys if other.kid != key.kid))
    successor = guards.mature_standby(without, view.now)
    if key.state is ACTIVE and successor is not None:
        steps.append(Promote(successor.kid, Reason.REPLACEMENT))
    return tuple(steps)


def imported_key(view: View, made: Made, usage: Usage) -> Key:
    """The key of an import, with what is known of its use elsewhere."""
    if (made.public is None) is not view.ring.policy.symmetric:
        raise BadInput(
            f"a {made.alg} key does not fit ring {view.ring.name}, which is one of {view.ring.policy.alg}",
            hint="secrets and key pairs live in rings of their own: jwturn init --ring NAME --alg ...",
        )
    if made.private is None and usage.state == "standby":
        raise BadInput("a standby must be able to sign; only the public half came", hint="--as verify-only")
    key = replace(
        fresh_standby(view.ring, made, view.now, origin=Origin.IMPORTED), foreign=_foreign(view, usage)
    )
    if usage.state == "verify-only":
        return replace(key, state=VERIFY_ONLY)
    if usage.state != "standby":
        raise BadInput(f"a key cannot enter as {usage.state!r}", hint="--as standby or --as verify-only")
    if usage.published_since is None:
        return key
    if usage.published_since > view.now.at:
        raise BadInput(
            "--published-since lies in the future", hint="give the time the key was first published"
        )
    # What is said to have passed elsewhere counts as seen; what is left of the lead must be seen here.
    since = Moment(usage.published_since, view.now.seen - (view.now.at - usage.published_since))
    return replace(key, published=since, waiver=Waiver.PUBLISHED_SINCE)


def _foreign(view: View, usage: Usage) -> Foreign | None:
    if usage.foreign_until is None and usage.foreign_ttl is None:
        return None
    if usage.foreign_until is None or usage.foreign_ttl is None:
        raise BadInput(
            "--foreign-until and --foreign-ttl go together", hint="until when others sign, and for how long"
        )
    exp = usage.foreign_until + usage.foreign_ttl
    return Foreign(exp, view.now.seen + max(exp - view.now.at, timedelta()))


def _standby(view: View, kid: str) -> Key:
    key = view.ring.find(kid)
    if key.state is not STANDBY:
        raise StateForbids(
            f"key {key.kid} is {key.state}: only a standby is promoted",
            hint=f"jwturn keys --ring {view.ring.name}; jwturn rollback takes the last turn back",
        )
    return key


def _standby_to_promote(view: View, *, before_lead: bool) -> Key:
    key = guards.mature_standby(view.ring, view.now)
    if key is None and before_lead:
        key = next((k for k in view.ring.in_state(STANDBY) if k.private is not None), None)
    if key is not None:
        return key
    if not view.ring.in_state(STANDBY):
        raise NotFound(f"ring {view.ring.name} has no standby", hint=f"jwturn plan --ring {view.ring.name}")
    raise StateForbids(
        f"ring {view.ring.name} has no mature standby: no verifier is sure to hold one yet",
        hint="wait (jwturn status says until when), or --before-lead with a reason",
    )


def _leaves_a_set_empty(ring: KeyRing, key: Key) -> bool:
    others = [other for other in ring.published if other.kid != key.kid]
    return not others or guards.last_in_issuer_set(ring, key)


def _demand_reason(actor: Actor, what: str, *, wanted: bool) -> None:
    if wanted and not actor.why.strip():
        raise BadInput(f"{what} needs a reason", hint='say --reason "..."', code="reason_missing")

"""recover: an older store goes on, in a new era, when a person says so.

Every key counts as used elsewhere until no token that was signed after the backup can be alive; what the
witness saw revoked is revoked again; public keys that the store forgot come back verify-only. A key that
had left the set after the backup was made is revoked too: no verifier holds it, so it must not sign.
"""

from jwturn.core.errors import BadInput
from jwturn.core.keys import Foreign, Key, KeyRing, Origin
from jwturn.core.ledger import Actor
from jwturn.core.reasons import Reason
from jwturn.core.states import VERIFY_ONLY
from jwturn.core.steps import Add, Recover, Step
from jwturn.core.witness import WitnessHead, WitnessKey
from jwturn.ports.clock import Clock, read
from jwturn.ports.custody import Custody, Made
from jwturn.ports.store import Change, RingStore, View, Witness
from jwturn.service.commit import commit_of, fresh_standby, let_go
from jwturn.service.respond import Outcome


class Recovery:
    """Takes up a ring whose store is older than its witness."""

    def __init__(self, store: RingStore, witness: Witness, custody: Custody, clock: Clock) -> None:
        self._store = store
        self._witness = witness
        self._custody = custody
        self._clock = clock

    def recover(self, ring_id: str, ring: str, actor: Actor) -> Outcome:
        """Starts a new era of the ring named `ring`.

        Raises BadInput without a reason, and what the store raises.
        """
        if not actor.why.strip():
            raise BadInput("recovering needs a reason", hint='say --reason "..."', code="reason_missing")
        head = self._witness.last(ring_id)
        done: tuple[Step, ...] = ()
        made: Made | None = None
        emptied: list[View] = []

        def look(view: View) -> Change | None:
            if not remaining(view, head):
                emptied.append(view)
            return None

        before: KeyRing | None = None

        def change(view: View) -> Change | None:
            nonlocal done, before
            before = view.ring
            done = recovery(view, head, made)
            return commit_of(view, done, actor)

        self._store.update(ring, look, at=read(self._clock), recovering=True)
        if emptied:
            policy = emptied[-1].ring.policy
            made = self._custody.create(
                policy.alg, ring_id, rsa_bits=policy.rsa_bits, printable=policy.printable
            )
        after = self._store.update(ring, change, at=read(self._clock), recovering=True)
        let_go(self._custody, before or after, after, made=made)
        return Outcome(after, done)


def recovery(view: View, head: WitnessHead | None, made: Made | None) -> tuple[Step, ...]:
    """The steps of a recovery.

    `made` is a fresh key for a ring whose every published key was revoked meanwhile.
    """
    policy, now = view.ring.policy, view.now
    longest = policy.signer_lease + policy.token_ttl_max
    foreign = Foreign(now.at + longest, now.seen + longest)
    if head is None:
        return (Recover((), (), foreign, view.ring.era + 1),)
    known = {key.kid for key in view.ring.keys}
    forgotten = tuple(
        _forgotten(view, key, foreign)
        for key in head.published
        if key.kid not in known and key.kid not in head.revoked and key.public is not None
    )
    revoked = tuple(kid for kid in (*head.revoked, *_left(view.ring, head)) if kid in known)
    steps: list[Step] = []
    if not remaining(view, head) and made is not None:
        steps.append(Add(fresh_standby(view.ring, made, now), Reason.LAST_KEY_REVOKED))
    return (*steps, Recover(forgotten, revoked, foreign, max(view.ring.era, head.era) + 1))


def remaining(view: View, head: WitnessHead | None) -> set[str]:
    """The kids that stay published through a recovery."""
    here = {key.kid for key in view.ring.published}
    if head is None:
        return here
    seen = {key.kid for key in head.published if key.public is not None}
    return (here | seen) - {*head.revoked, *_left(view.ring, head)}


def _left(ring: KeyRing, head: WitnessHead) -> list[str]:
    """The kids that an older store publishes and its witness saw published no more."""
    if head.order <= (ring.era, ring.epoch):
        return []
    listed = {key.kid for key in head.published} | set(head.revoked)
    return [key.kid for key in ring.published if key.kid not in listed]


def _forgotten(view: View, key: WitnessKey, foreign: Foreign) -> Key:
    return Key(
        kid=key.kid,
        alg=key.alg,
        state=VERIFY_ONLY,
        origin=Origin.RECOVERED,
        public=key.public,
        private=None,
        bounds=view.ring.policy.bounds,
        in_issuer_set=key.in_issuer_set,
        created=view.now.moment,
        shredded=view.now.moment,
        foreign=foreign,
        reason=Reason.RECOVERED,
    )

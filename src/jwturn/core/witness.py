"""What a witness keeps of a ring's head, and how an older or forked store is told from it."""

from dataclasses import dataclass

from jwturn.core.errors import IntegrityError
from jwturn.core.keys import KeyRing
from jwturn.core.states import PUBLISHED


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A key as it was witnessed: enough to publish a forgotten one again, verify-only."""

    kid: str
    alg: str
    public: dict[str, str] | None
    in_issuer_set: bool


@dataclass(frozen=True, slots=True)
class WitnessHead:
    """A ring's head outside its store."""

    ring_id: str
    ring: str
    era: int
    epoch: int
    event_count: int
    event_hash: str
    published: tuple[WitnessKey, ...]
    revoked: tuple[str, ...]

    @property
    def order(self) -> tuple[int, int]:
        """Heads of a ring are ordered by era, then epoch."""
        return (self.era, self.epoch)


def head_of(ring: KeyRing) -> WitnessHead:
    """The head of a ring as it is about to be, or was, committed."""
    published = tuple(
        WitnessKey(key.kid, key.alg, key.public, key.in_issuer_set)
        for key in ring.keys
        if key.state in PUBLISHED
    )
    revoked = tuple(key.kid for key in ring.keys if key.revoked is not None)
    return WitnessHead(
        ring.id, ring.name, ring.era, ring.epoch, ring.event_count, ring.event_hash, published, revoked
    )


def demand_descent(ring: KeyRing, witnessed: WitnessHead | None, hash_at: str | None) -> None:
    """Raises IntegrityError(older_store) unless `ring` is what was witnessed, or came after it.

    `hash_at` is the hash of the ring's event number `witnessed.event_count` (None where there is none).
    """
    if witnessed is None:
        return
    hint = f'find the newer store; or say: jwturn recover --ring {ring.name} --reason "..."'
    if (ring.era, ring.epoch) < witnessed.order:
        raise IntegrityError(
            "the store is older than its witness:"
            f" ring {ring.name} is at epoch {ring.epoch} (era {ring.era}), and epoch"
            f" {witnessed.epoch} (era {witnessed.era}) was seen;"
            " revoked keys may live again here, so nothing is signed",
            hint=hint,
            code="older_store",
        )
    if ring.era == witnessed.era and witnessed.event_count and hash_at != witnessed.event_hash:
        raise IntegrityError(
            f"the store is not the one its witness saw: the history of ring {ring.name} differs at event"
            f" {witnessed.event_count}",
            hint=hint,
            code="forked_store",
        )

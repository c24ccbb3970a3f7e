"""The ports of a store. A store keeps bytes and versions; the rules it applies are the core's.

Every writing call takes the node's `Reading` (`at`), read just before the call; the store reads its own
clock *after* it holds the row, hands both clocks to the change as `Now`, and refuses itself with
ClocksDisagree where the two differ too far for the ring's policy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from jwturn.core.clocks import Reading
from jwturn.core.envelope import Envelope
from jwturn.core.keys import KeyRing
from jwturn.core.leases import RingLeases
from jwturn.core.ledger import Actor, Event, Head
from jwturn.core.seen import Seen, Sighting
from jwturn.core.timing import Now
from jwturn.core.tokens import ApiToken
from jwturn.core.witness import WitnessHead


@dataclass(frozen=True, slots=True)
class Identity:
    """What a store is: made once by `init`, never changed but for its wraps and era.

    `integrity` is the integrity key in an envelope that the KEK opens; ring heads, issuers and API tokens
    carry a MAC under it.
    """

    store_id: str
    tick_cap: timedelta
    integrity: Envelope
    era: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """A ring as committed, its leases and marks, and the store's clocks read after it."""

    ring: KeyRing
    leases: RingLeases
    now: Now


@dataclass(frozen=True, slots=True)
class Change:
    """What a change wants committed.

    The ring (epoch as loaded), its new events, and when to look at it again.

    Without events nothing has changed: only the due time is written and the epoch stays.
    """

    ring: KeyRing
    events: tuple[Event, ...]
    due_at: datetime | None


ChangeOf: TypeAlias = Callable[[View], Change | None]
"""Pure; may run more than once; None leaves the ring as it is."""


@dataclass(frozen=True, slots=True)
class RingRow:
    """A line of the list of rings."""

    id: str
    name: str
    issuer: str
    epoch: int
    due_at: datetime | None


class HeadSeal(Protocol):
    """Seals heads under the integrity key, handed to the store by compose: a store never knows the KEK."""

    def seal(self, head: bytes) -> bytes:
        """The MAC of `head`."""
        ...

    def check(self, head: bytes, mac: bytes) -> bool:
        """Whether `mac` is that of `head`, in constant time."""
        ...


class Witness(Protocol):
    """Heads kept outside the store, so that an older store is noticed."""

    def last(self, ring_id: str) -> WitnessHead | None:
        """The newest head of the ring that was witnessed; read *before* the row it judges."""
        ...

    def append(self, head: WitnessHead) -> None:
        """Writes a head, durably."""
        ...


class Box(Protocol):
    """A store before and at its unlocking."""

    def identity(self) -> Identity | None:
        """What the store is; None while it is empty."""
        ...

    def initialise(self, identity: Identity) -> None:
        """Makes the store. Raises StateForbids where there is one already."""
        ...

    def unlock(self, seal: HeadSeal, witness: Witness) -> None:
        """Hands in what authenticates heads; every other call before this raises IntegrityError."""
        ...

    def close(self) -> None:
        """Frees files and connections; may be called twice."""
        ...


class RingStore(Protocol):
    """Rings, each behind a compare-and-swap on its epoch."""

    def add(self, ring: KeyRing, *, actor: Actor, at: Reading) -> KeyRing:
        """A new ring without keys. Raises StateForbids where its name is taken.

        The issuer's row is made with it; an issuer that counts as served stays served.
        """
        ...

    def rings(self) -> Sequence[RingRow]:
        """Every ring, by name; reads no keys."""
        ...

    def load(self, name: str) -> View:
        """A ring, checked: MAC, invariants, witness. Raises NotFound, IntegrityError."""
        ...

    def published(self, issuer: str) -> Sequence[View]:
        """The rings of an issuer, each checked as by `load`."""
        ...

    def update(self, name: str, change: ChangeOf, *, at: Reading, recovering: bool = False) -> KeyRing:
        """Applies `change` in one transaction: ring, private halves, events, head, due time; epoch + 1.

        Gives the ring as it then stands. A key's kid is unique per issuer, for ever: BadInput(kid_reused).
        A ring that says its issuer is served compares-and-swaps the issuer's row. `recovering` skips the
        witness's check.

        Raises LostRace, ClocksDisagree, NotFound, IntegrityError, Unavailable (the store itself failed; with
        code `witness` the change IS committed, and the next load writes its witness), FatalStorage.
        """
        ...

    def due(self, before: datetime, limit: int) -> Sequence[str]:
        """Names of rings whose due time is not after `before`, the most overdue first."""
        ...

    def next_due(self) -> datetime | None:
        """The earliest due time of any ring."""
        ...


class Events(Protocol):
    """The audit chains, and word of changes."""

    def events(self, chain: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Lines of a chain (a ring's id, or the store's own) with seq > `after`, in order."""
        ...

    def head(self, chain: str) -> Head:
        """The stored end of a chain."""
        ...

    def record(self, actor: Actor, action: str, detail: Mapping[str, Any]) -> Event:
        """A line in the store's own chain, for what belongs to no ring (API tokens, recovery)."""
        ...

    def checkpoint(self, who: str) -> Event | None:
        """A line in the store's chain that lists the heads changed since the last one; None if none did."""
        ...

    def wait(self, after: int, timeout: timedelta) -> int:
        """Returns when the store's version is no longer `after`, or after `timeout`; gives the version."""
        ...


class SeenTime(Protocol):
    """The row of seen time."""

    def seen(self) -> Seen:
        """The row as it stands: how long the store was watched, and when it was last ticked."""
        ...

    def tick(self, *, boottime: timedelta, before: Sighting | None) -> Seen:
        """One tick (core/seen.py), on the store's clock: the row after it.

        `boottime` was read before the call.
        """
        ...


class ApiTokens(Protocol):
    """API tokens, each row authenticated."""

    def add_token(self, token: ApiToken, actor: Actor) -> None:
        """Keeps a token (its hash) and records it in the store's chain.

        Raises StateForbids: the name is in use.
        """
        ...

    def tokens(self) -> Sequence[ApiToken]:
        """Every token. Raises IntegrityError if a row was edited."""
        ...

    def withdraw_token(self, name: str, at: datetime, actor: Actor) -> ApiToken:
        """Ends a token's use. Raises NotFound."""
        ...


class Store(Box, RingStore, Events, SeenTime, ApiTokens, Protocol):
    """Everything a store is, beside its leases (ports/leases.py)."""

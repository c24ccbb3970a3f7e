"""Whether the audit chains of a store are whole, and end where rings, checkpoints and kept heads say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from jwturn.core.errors import IntegrityError
from jwturn.core.ledger import STORE_CHAIN, Event, Head, verify
from jwturn.ports.store import Events, RingStore

PAGE: Final = 1000
_HINT: Final = "restore a backup that is whole, then: jwturn recover"


class AuditStore(RingStore, Events, Protocol):
    """What an audit reads of a store."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that is whole: its id, the ring it belongs to (or `store`), its end."""

    id: str
    name: str
    head: Head


@dataclass(slots=True)
class _Wanted:
    """Heads that must lie on a chain: event count to hash."""

    heads: dict[str, dict[int, str]] = field(default_factory=dict)

    def add(self, chain: str, head: Head) -> None:
        if head.count and self.heads.setdefault(chain, {}).setdefault(head.count, head.hash) != head.hash:
            raise _forked(chain, head.count)


def heads(store: AuditStore) -> dict[str, Head]:
    """The ends of every chain now, by chain id: what is worth keeping elsewhere."""
    chains = [row.id for row in store.rings()] + [STORE_CHAIN]
    return {chain: store.head(chain) for chain in chains}


def verify_store(store: AuditStore, kept: Mapping[str, Head] | None = None) -> list[Chain]:
    """Every chain of the store, whole; `kept` are heads from elsewhere that must lie on them.

    A chain may grow meanwhile: the ends it had before must lie on it, and the ring's own end after must not
    be behind it. Raises IntegrityError naming the first event that was edited, dropped, moved, cut off or
    forged, or the ring whose head does not carry its MAC.
    """
    wanted = _Wanted()
    for chain, head in (kept or {}).items():
        wanted.add(chain, head)
    found = [Chain(STORE_CHAIN, "store", _walk(store, STORE_CHAIN, wanted))]
    rows = store.rings()
    known = {row.id for row in rows} | {STORE_CHAIN}
    for chain in wanted.heads.keys() - known:
        raise IntegrityError(f"the audit chain {chain} is gone", hint=_HINT, code="chain_cut")
    for row in rows:
        before = store.load(row.name).ring
        wanted.add(row.id, Head(before.event_count, before.event_hash))
        head = _walk(store, row.id, wanted)
        after = store.load(row.name).ring
        grown = after.event_count > head.count
        if not grown and Head(after.event_count, after.event_hash) != head:
            raise _cut(row.name, after.event_count)
        found.append(Chain(row.id, row.name, head))
    return found


def _walk(store: AuditStore, chain: str, wanted: _Wanted) -> Head:
    wanted.add(chain, store.head(chain))
    head = Head(0, "")
    for page in _pages(store, chain):
        head = verify(page, chain=chain, after=head)
        for event in page:
            _check(event, wanted.heads.get(chain, {}))
            if event.action == "checkpoint":
                for other, (count, digest) in event.detail.items():
                    wanted.add(other, Head(count, digest))
    if any(count > head.count for count in wanted.heads.get(chain, {})):
        raise _cut(chain, head.count)
    return head


def _pages(store: AuditStore, chain: str) -> Iterator[list[Event]]:
    after = 0
    while page := list(store.events(chain, after, PAGE)):
        yield page
        after = page[-1].seq


def _check(event: Event, wanted: Mapping[int, str]) -> None:
    if wanted.get(event.seq, event.hash) != event.hash:
        raise _forked(event.chain, event.seq)


def _forked(chain: str, seq: int) -> IntegrityError:
    return IntegrityError(
        f"audit chain {chain}, event {seq}: another was witnessed in its place",
        hint=_HINT,
        code="chain_forked",
    )


def _cut(chain: str, count: int) -> IntegrityError:
    return IntegrityError(
        f"the audit chain of {chain} was cut: it ends at event {count}, and more were witnessed",
        hint=_HINT,
        code="chain_cut",
    )

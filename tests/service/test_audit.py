"""Chains are walked from end to end, and heads kept elsewhere show what a chain alone cannot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from jwturn.core.errors import IntegrityError
from jwturn.core.ledger import STORE_CHAIN, Event, Head
from jwturn.service.audit import heads, verify_store
from tests.service.stage import ANN, Stage


@dataclass
class Edited:
    """The stage's store, seen through somebody's edits of its events."""

    store: Any
    edit: Callable[[list[Event]], list[Event]]
    chain: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def events(self, chain: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        found = list(self.store.events(chain, 0, 10_000))
        found = self.edit(found) if chain == self.chain else found
        return [event for event in found if event.seq > after][:limit]

    def head(self, chain: str) -> Head:
        last = self.events(chain)[-1:]
        return Head(last[0].seq, last[0].hash) if last else Head(0, "")


@pytest.fixture
def stage() -> Stage:
    """A ring with a few events, a checkpoint, and one more event after it."""
    stage = Stage()
    stage.store.checkpoint("loop")
    stage.node.commands.rotate("default", ANN)
    return stage


def ring_id(stage: Stage) -> str:
    """The chain of the ring."""
    return stage.store.rings()[0].id


def rehashed(events: list[Event]) -> list[Event]:
    """The events as a forger with patience writes them: numbered and chained anew."""
    chained: list[Event] = []
    for number, event in enumerate(events, 1):
        prev = chained[-1].hash if chained else ""
        chained.append(replace(event, seq=number, prev=prev, hash="").hashed())
    return chained


def test_whole_chains_are_listed_with_their_heads(stage: Stage) -> None:
    found = verify_store(stage.store)
    assert [chain.name for chain in found] == ["store", "default"]
    assert {chain.id: chain.head for chain in found} == heads(stage.store)
    assert found[1].head.count == stage.view.ring.event_count


EDITS: dict[str, Callable[[list[Event]], list[Event]]] = {
    "edited": lambda events: [*events[:1], replace(events[1], who="nobody"), *events[2:]],
    "dropped": lambda events: [*events[:1], *events[2:]],
    "moved": lambda events: [events[1], events[0], *events[2:]],
    "forged": lambda events: [*events[:-1], replace(events[-1], prev="0" * 64).hashed()],
    "cut off": lambda events: events[:-1],
    "rewritten": lambda events: rehashed([replace(events[0], why="another"), *events[1:]]),
    "emptied": lambda _: [],
}


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_chain_that_was_edited_is_refused(stage: Stage, edit: str) -> None:
    with pytest.raises(IntegrityError):
        verify_store(Edited(stage.store, EDITS[edit], ring_id(stage)))


def test_a_store_chain_that_is_cut_is_seen_only_by_a_head_kept_elsewhere(stage: Stage) -> None:
    kept = heads(stage.store)
    cut = Edited(stage.store, lambda events: events[:-1], STORE_CHAIN)
    assert verify_store(cut)
    with pytest.raises(IntegrityError, match="was cut") as caught:
        verify_store(cut, kept)
    assert caught.value.code == "chain_cut"


def test_a_store_chain_that_is_forked_is_seen_by_a_head_kept_elsewhere(stage: Stage) -> None:
    kept = heads(stage.store)
    fork = Edited(
        stage.store, lambda events: rehashed([replace(event, who="eve") for event in events]), STORE_CHAIN
    )
    assert verify_store(fork)
    with pytest.raises(IntegrityError, match="another was witnessed") as caught:
        verify_store(fork, kept)
    assert caught.value.code == "chain_forked"


def test_older_heads_still_lie_on_a_chain_that_grew(stage: Stage) -> None:
    kept = heads(stage.store)
    stage.node.commands.hold("default", ANN, kid=None)
    assert verify_store(stage.store, kept)[1].head.count == kept[ring_id(stage)].count + 1


def test_a_checkpoint_that_lists_another_head_is_noticed(stage: Stage) -> None:
    def lie(events: list[Event]) -> list[Event]:
        return rehashed([replace(events[0], detail={ring_id(stage): [2, "0" * 64]}), *events[1:]])

    with pytest.raises(IntegrityError, match="another was witnessed"):
        verify_store(Edited(stage.store, lie, STORE_CHAIN))


def test_a_ring_that_is_gone_is_noticed(stage: Stage) -> None:
    with pytest.raises(IntegrityError, match="is gone"):
        verify_store(stage.store, {"0" * 32: Head(3, "0" * 64)})


def test_a_long_chain_is_walked_page_by_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwturn.service.audit.PAGE", 2)
    assert verify_store(stage.store)[1].head == stage.store.head(ring_id(stage))


def test_a_chain_that_grows_while_it_is_read_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    pages = stage.store.events

    def growing(chain: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        if after == 0 and chain != STORE_CHAIN:
            stage.node.commands.hold("default", ANN, kid=None)
        return pages(chain, after, limit)

    monkeypatch.setattr(stage.store, "events", growing)
    chains = {chain.name: chain.head for chain in verify_store(stage.store)}
    assert chains["default"].count == stage.view.ring.event_count

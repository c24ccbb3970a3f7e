"""The audit chain: what an editor of the store cannot hide."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jwturn.core.errors import IntegrityError
from jwturn.core.keys import Hold, KeyRing
from jwturn.core.ledger import STORE_CHAIN, Actor, Event, Head, checkpoint, told, verify
from jwturn.core.policy import RotationPolicy
from jwturn.core.reasons import TEXTS, Reason
from jwturn.core.steps import BookTurn, HoldKey, SetPolicy

AT = datetime(2026, 6, 1, tzinfo=UTC)


def chain(length: int = 4) -> tuple[KeyRing, list[Event]]:
    ring = KeyRing(id="r", name="default", issuer="https://a", policy=RotationPolicy(), issuer_served=False)
    events = []
    for n in range(length):
        ring, event = told(ring, BookTurn(AT + timedelta(days=n)), actor=Actor("ann", "because"), at=AT)
        events.append(event)
    return ring, events


def test_a_whole_chain_ends_at_the_rings_head() -> None:
    ring, events = chain()
    assert verify(events, chain="r") == Head(ring.event_count, ring.event_hash)


def test_an_event_says_who_what_why_and_when() -> None:
    event = chain(1)[1][0]
    assert (event.who, event.action, event.why, event.at) == ("ann", "book_turn", "because", AT)
    assert event.detail == {"turn_at": AT.isoformat()}


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_dropped_event_is_noticed(cut: int) -> None:
    events = chain()[1]
    del events[cut]
    with pytest.raises(IntegrityError, match=f"event {cut + 1}"):
        verify(events, chain="r")


def test_reordered_events_are_noticed() -> None:
    events = chain()[1]
    events[1], events[2] = events[2], events[1]
    with pytest.raises(IntegrityError, match="stands in its place"):
        verify(events, chain="r")


@pytest.mark.parametrize(
    "edit",
    [{"who": "bob"}, {"why": "x"}, {"kid": "k"}, {"at": AT + timedelta(1)}, {"detail": {"turn_at": None}}],
)
def test_an_edited_event_is_noticed(edit: dict[str, Any]) -> None:
    events = chain()[1]
    events[2] = replace(events[2], **edit)
    with pytest.raises(IntegrityError, match="event 3: it was edited"):
        verify(events, chain="r")


def test_a_rehashed_forgery_breaks_the_link_to_the_next() -> None:
    events = chain()[1]
    events[1] = replace(events[1], who="bob").hashed()
    with pytest.raises(IntegrityError, match="does not follow"):
        verify(events, chain="r")


def test_a_truncated_chain_shows_only_against_a_head_kept_elsewhere() -> None:
    ring, events = chain()
    assert verify(events[:-1], chain="r") != Head(ring.event_count, ring.event_hash)


def test_verification_goes_on_after_a_head() -> None:
    ring, events = chain()
    middle = Head(2, events[1].hash)
    assert verify(events[2:], chain="r", after=middle) == Head(4, ring.event_hash)


def test_a_checkpoint_lists_heads_in_the_stores_chain() -> None:
    first = checkpoint(Head(0, ""), {"r": Head(3, "abc")}, at=AT, who="node")
    second = checkpoint(Head(1, first.hash), {"r": Head(4, "def")}, at=AT, who="node")
    assert first.detail == {"r": [3, "abc"]}
    assert verify([first, second], chain=STORE_CHAIN).count == 2


def test_another_chains_event_does_not_fit() -> None:
    with pytest.raises(IntegrityError):
        verify(chain()[1], chain="other")


def test_details_of_holds_and_policies_are_told() -> None:
    ring, _ = chain(0)
    _, held = told(ring, HoldKey(None, Hold("ann", "freeze", AT)), actor=Actor("ann"), at=AT)
    _, policy = told(ring, SetPolicy(RotationPolicy(alg="EdDSA")), actor=Actor("ann"), at=AT)
    assert held.detail == {"held_by": "ann"}
    assert policy.detail["policy"]["alg"] == "EdDSA"
    assert policy.detail["policy"]["rotate_every"] == "90d"


def test_every_reason_has_its_line() -> None:
    assert set(TEXTS) == set(Reason)
    assert all(text and not text.endswith(".") for text in TEXTS.values())

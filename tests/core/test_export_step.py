"""A private half that leaves the store leaves an event and nothing else behind."""

from dataclasses import replace

import pytest

from jwturn.core import ledger, steps
from jwturn.core.errors import NotFound, StateForbids
from jwturn.core.evolve import apply
from jwturn.core.ledger import Actor
from jwturn.core.reasons import TEXTS, Reason
from jwturn.core.states import VERIFY_ONLY
from tests.core.world import World

ANN = Actor("person:ann@here", "escrow")


@pytest.fixture
def world() -> World:
    """A ring with one standby."""
    world = World()
    world.do(steps.Add(world.key("ES256"), Reason.NEXT_STANDBY))
    return world


def test_an_export_changes_nothing_in_the_ring(world: World) -> None:
    assert apply(world.ring, steps.Export("k1", "pem"), leases=world.leases, now=world.now) == world.ring


def test_the_event_says_who_why_which_key_and_in_which_form(world: World) -> None:
    step = steps.Export("k1", "pem, encrypted")
    ring, event = ledger.told(world.ring, step, actor=ANN, at=world.at)
    assert (event.action, event.kid, event.who, event.why) == ("export", "k1", "person:ann@here", "escrow")
    assert event.detail == {"form": "pem, encrypted"}
    assert event.reason in TEXTS
    assert (ring.event_count, ring.event_hash) == (world.ring.event_count + 1, event.hash)


def test_what_was_shredded_is_not_exported(world: World) -> None:
    shredded = replace(world.ring.key("k1"), state=VERIFY_ONLY, private=None)
    world.ring = world.ring.with_key(shredded)
    with pytest.raises(StateForbids, match="has no private half any more"):
        apply(world.ring, steps.Export("k1", "pem"), leases=world.leases, now=world.now)


def test_a_key_that_is_not_there_is_not_exported(world: World) -> None:
    with pytest.raises(NotFound):
        apply(world.ring, steps.Export("k2", "pem"), leases=world.leases, now=world.now)

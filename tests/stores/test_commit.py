"""What stands between a change and the rows: the same checks whatever the database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jwturn.core.errors import BadInput, IntegrityError, NotPermitted, StateForbids, Unavailable
from jwturn.core.keys import Hold
from jwturn.core.leases import Usage
from jwturn.core.ledger import Head, verify
from jwturn.core.states import ACTIVE, VERIFY_ONLY
from jwturn.core.steps import BookTurn, Discard, HoldKey, Revoke
from jwturn.core.witness import WitnessHead, head_of
from jwturn.ports.store import Change, View
from jwturn.stores.memory import MemoryStore
from jwturn.stores.sqlite import SqliteStore
from jwturn.stores.witness import FileWitness, MemoryWitness
from jwturn.testing.clock import FakeClock
from jwturn.testing.rings import ACTOR, ISSUER, Stage, add_key, key, promote, ring, taking


@pytest.fixture(params=["memory", "sqlite"])
def stage(request, tmp_path):
    clock = FakeClock()
    store = MemoryStore(clock) if request.param == "memory" else SqliteStore(tmp_path / "jwturn.db", clock)
    stage = Stage(store, clock).open()
    stage.add()
    stage.first_key()
    yield stage
    stage.store.close()


def refused(stage: Stage, change, kind=IntegrityError) -> str:
    """The message with which a change is refused; nothing of it is written."""
    before = stage.store.load("web").ring
    version = stage.store.wait(-1, timedelta())
    with pytest.raises(kind) as error:
        stage.store.update("web", change, at=stage.at())
    assert stage.store.load("web").ring == before
    assert stage.store.head(before.id) == Head(before.event_count, before.event_hash)
    assert stage.store.wait(-1, timedelta()) == version
    return str(error.value)


def spoiled(step, **changes):
    """A change that would be good but for some fields of its ring."""

    def change(view: View) -> Change:
        good = taking(step)(view)
        return replace(good, ring=replace(good.ring, **changes))

    return change


@pytest.mark.parametrize(
    "changes", [{"id": "id-api"}, {"name": "api"}, {"issuer": "https://evil.example"}], ids=str
)
def test_a_ring_stays_the_ring_it_is(stage, changes):
    assert "another ring" in refused(stage, spoiled(BookTurn(None), **changes))


@pytest.mark.parametrize("changes", [{"event_count": 9}, {"event_hash": "0" * 64}], ids=str)
def test_a_ring_and_its_events_end_alike(stage, changes):
    assert "events" in refused(stage, spoiled(BookTurn(None), **changes))


def test_events_of_another_chain_are_refused(stage):
    def change(view: View) -> Change:
        good = taking(BookTurn(None))(view)
        return replace(good, events=tuple(replace(e, chain="id-api").hashed() for e in good.events))

    assert "id-web" in refused(stage, change)


def test_an_event_that_was_edited_after_its_hash_is_refused(stage):
    def change(view: View) -> Change:
        good = taking(BookTurn(None))(view)
        return replace(good, events=tuple(replace(e, who="nobody") for e in good.events))

    assert "edited" in refused(stage, change)


def test_an_event_may_not_be_left_out(stage):
    def change(view: View) -> Change:
        good = taking(BookTurn(None), add_key("k2"))(view)
        return replace(good, events=good.events[1:])

    assert "stands in its place" in refused(stage, change)


def test_an_impossible_ring_is_not_written(stage):
    two = (key("k1", state=ACTIVE), key("k2", state=ACTIVE))
    assert "is not possible" in refused(stage, spoiled(BookTurn(None), keys=two))


def test_a_refused_kid_leaves_no_trace_of_the_others(stage):
    stage.add("api")
    stage.take("api", add_key("taken"))
    assert "taken" in refused(stage, taking(add_key("free"), add_key("taken")), BadInput)
    assert [k.kid for k in stage.take("api", add_key("free")).keys] == ["taken", "free"]


def test_a_change_of_a_private_half_is_kept(stage):
    def rewrapped(view: View) -> Change:
        good = taking(BookTurn(None))(view)
        active = replace(good.ring.key("k1"), private=key("other").private)
        return replace(good, ring=good.ring.with_key(active))

    after = stage.store.update("web", rewrapped, at=stage.at())
    assert stage.store.load("web").ring == after
    assert after.key("k1").private == key("other").private


def test_a_key_that_leaves_the_ring_takes_its_half_along(stage):
    for number in range(20):
        stage.take("web", add_key(f"s{number}"))
        stage.take("web", Discard(f"s{number}"))
    after = stage.store.load("web").ring
    assert len(after.keys) == 17
    assert [k.kid for k in after.keys if k.private is not None] == ["k1"]
    with pytest.raises(BadInput):
        stage.take("web", add_key("s0"))


class Meddling:
    """A witness during whose reading something else happens."""

    def __init__(self, kept, meanwhile) -> None:
        self.kept = kept
        self.meanwhile = [meanwhile]

    def last(self, ring_id: str) -> WitnessHead | None:
        found = self.kept.last(ring_id)
        while self.meanwhile:
            self.meanwhile.pop()()
        return found

    def append(self, head: WitnessHead) -> None:
        self.kept.append(head)


@pytest.mark.parametrize(
    "call",
    [
        lambda stage: stage.store.load("web").ring.epoch,
        lambda stage: stage.store.published(ISSUER)[0].ring.epoch,
        lambda stage: stage.take("web", BookTurn(None)).epoch - 1,
        lambda stage: stage.store.grant("n", "web", at=stage.at()).epoch,
    ],
    ids=["load", "published", "update", "grant"],
)
def test_a_commit_after_the_witness_was_read_is_no_older_store(stage, call):
    meddling = Meddling(stage.witness, lambda: stage.take("web", BookTurn(stage.clock.now())))
    stage.store.unlock(stage.seal, meddling)
    assert call(stage) == 2


def test_a_renewal_survives_a_commit_after_the_witness_was_read(stage):
    stage.store.grant("n", "web", at=stage.at())
    meddling = Meddling(stage.witness, lambda: stage.take("web", BookTurn(stage.clock.now())))
    stage.store.unlock(stage.seal, meddling)
    assert [given.epoch for given in stage.store.renew("n", Usage(), at=stage.at())] == [2]


def test_reading_goes_on_while_the_witness_cannot_be_written(stage):
    stage.witness.heads.clear()
    stage.witness.broken = NotPermitted("read-only", hint="chmod")
    assert stage.store.load("web").ring.epoch == 1
    assert [view.ring.epoch for view in stage.store.published(ISSUER)] == [1]


@pytest.mark.parametrize("name", ["api", "web"])
def test_an_unwritable_witness_names_the_ring_and_the_epoch(stage, name):
    stage.witness.broken = Unavailable("w: disk full", hint="free some space")
    with pytest.raises(Unavailable, match=r"IS committed \(epoch \d\).*disk full") as error:
        stage.add("api") if name == "api" else stage.take("web", BookTurn(None))
    assert (error.value.code, "free some space" in error.value.hint) == ("witness", True)
    assert name in error.value.message


def test_a_witness_whose_heads_were_taken_out_stops_the_ring(stage, tmp_path):
    witness = FileWitness(tmp_path / "witness", stage.seal)
    stage.store.unlock(stage.seal, witness)
    stage.store.load("web")
    (tmp_path / "witness").write_bytes(b"")
    with pytest.raises(IntegrityError) as error:
        stage.store.load("web")
    assert error.value.code == "witness_shrunk"


def test_a_witness_begun_late_learns_what_is_there(stage):
    witness = MemoryWitness()
    stage.store.unlock(stage.seal, witness)
    for number in range(3):
        stage.turn("web", f"n{number}")
    stage.take("web", Revoke("n0"))
    fresh = MemoryWitness()
    stage.store.unlock(stage.seal, fresh)
    ring_now = stage.store.load("web").ring
    assert fresh.last("id-web") == witness.last("id-web") == head_of(ring_now)
    assert head_of(ring_now).revoked == ("n0",)


def test_recovering_goes_on_in_the_chain_of_the_older_store(stage):
    head = stage.witness.heads[-1]
    stage.witness.heads.append(replace(head, epoch=40, event_count=80, event_hash="f" * 64))

    def new_era(view: View) -> Change:
        good = taking(BookTurn(None))(view)
        return replace(good, ring=replace(good.ring, era=1))

    after = stage.store.update("web", new_era, at=stage.at(), recovering=True)
    assert (after.era, after.epoch) == (1, 2)
    assert stage.store.load("web").ring == after
    assert verify(stage.store.events("id-web"), chain="id-web").count == after.event_count


def test_an_add_that_is_refused_makes_no_issuer(stage):
    far = "https://far.example"
    with pytest.raises(StateForbids):
        stage.store.add(replace(ring("web", issuer=far, served=True)), actor=ACTOR, at=stage.at())
    twin = replace(ring("x", issuer=far, served=True), id="id-web")
    with pytest.raises(StateForbids):
        stage.store.add(twin, actor=ACTOR, at=stage.at())
    assert stage.add("far", issuer=far).issuer_served is False


def test_a_hold_keeps_its_words_through_the_store(stage):
    hold = Hold("ann", "audit until May", stage.clock.now())
    stage.take("web", HoldKey("k1", hold))
    stage.take("web", add_key("k2"), promote("k2"))
    kept = stage.store.load("web").ring.key("k1")
    assert (kept.state, kept.holds) == (VERIFY_ONLY, (hold,))

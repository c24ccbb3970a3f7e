"""What a store promises of rings: one committed line of changes, authenticated, dated, witnessed."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from jwturn.core.errors import (
    BadInput,
    ClocksDisagree,
    IntegrityError,
    JwturnError,
    LostRace,
    NotFound,
    StateForbids,
    Unavailable,
)
from jwturn.core.keys import KeyRing, Waiver
from jwturn.core.ledger import Head, verify
from jwturn.core.states import ACTIVE, RETIRED, REVOKED
from jwturn.core.steps import BookTurn, Discard, Revoke, Stamp
from jwturn.core.witness import head_of
from jwturn.ports.store import Change, View
from jwturn.testing.expect import expect, refused, same
from jwturn.testing.rings import ACTOR, ISSUER, Stage, add_key, envelope, promote, ring, taking

MINUTES = timedelta(minutes=1)
OTHER = "https://other.example.com"


class RingPromises:
    """Mixed into StoreSuite."""

    def stage(self) -> Stage:
        """A fresh store on its stage."""
        raise NotImplementedError

    def test_a_new_ring_is_there_as_it_was_added(self) -> None:
        """`add` gives what `load` gives."""
        stage = self.stage()
        added = stage.add()
        same(stage.store.load("web").ring, added)
        same((added.epoch, added.keys, added.issuer_served), (0, (), False))

    def test_a_ring_name_is_taken_once(self) -> None:
        """And so is its id."""
        stage = self.stage()
        stage.add()
        same(refused(StateForbids, stage.add).code, "name_taken")
        twin = replace(ring("twin"), id="id-web")
        refused(StateForbids, stage.store.add, twin, actor=ACTOR, at=stage.at())
        same([row.name for row in stage.store.rings()], ["web"])

    def test_a_ring_begins_without_keys(self) -> None:
        """Keys come by steps."""
        stage = self.stage()
        stage.add()
        full = replace(stage.first_key(), name="full", id="id-full")
        refused(BadInput, stage.store.add, full, actor=ACTOR, at=stage.at())

    def test_an_unknown_ring_is_not_found(self) -> None:
        """By every call that names one."""
        stage = self.stage()
        refused(NotFound, stage.store.load, "nobody")
        refused(NotFound, stage.store.update, "nobody", taking(), at=stage.at())
        refused(NotFound, stage.store.grant, "n", "nobody", at=stage.at())
        same(list(stage.store.published("https://nobody.example")), [])

    def test_rings_are_listed_by_name(self) -> None:
        """With issuer, epoch and due time."""
        stage = self.stage()
        stage.add("web")
        stage.add("api", issuer=OTHER)
        stage.first_key("web")
        found = [(row.name, row.issuer, row.epoch) for row in stage.store.rings()]
        same(found, [("api", OTHER, 0), ("web", ISSUER, 1)])

    def test_a_change_adds_one_to_the_epoch(self) -> None:
        """And what `update` gives is what `load` gives, private halves included."""
        stage = self.stage()
        stage.add()
        first = stage.first_key()
        second = stage.turn("web", "k2")
        same((first.epoch, second.epoch), (1, 2))
        same(stage.store.load("web").ring, second)
        same([key.private for key in second.keys], [envelope("k1"), envelope("k2")])
        same(second.key("k2").state, ACTIVE)

    def test_a_change_sees_the_ring_and_the_clocks_of_its_transaction(self) -> None:
        """The View is the committed ring, at the store's now."""
        stage = self.stage()
        stage.add()
        before = stage.first_key()
        seen: list[View] = []
        stage.clock.advance(MINUTES)
        after = stage.store.update("web", seen.append, at=stage.at())
        same((seen[0].ring, seen[0].now.at), (before, stage.clock.now()))
        same(after, before)

    def test_a_change_that_raises_writes_nothing(self) -> None:
        """Neither ring, nor halves, nor events, nor kids."""
        stage = self.stage()
        before = stage.add()

        def change(view: View) -> Change:
            taking(add_key("k1"))(view)
            raise StateForbids("no", hint="none")

        refused(StateForbids, stage.store.update, "web", change, at=stage.at())
        same(stage.store.load("web").ring, before)
        same(stage.store.head(before.id).count, 1)
        stage.first_key(kid="k1")

    def test_a_stale_change_loses_the_race(self) -> None:
        """A ring that is not at the epoch as loaded is not written."""
        stage = self.stage()
        stage.add()
        stale = stage.store.load("web")
        kept = stage.first_key()
        late = taking(add_key("k2"))(stale)
        refused(LostRace, stage.store.update, "web", lambda _: late, at=stage.at())
        same(stage.store.load("web").ring, kept)

    def test_a_change_without_an_event_is_not_written(self) -> None:
        """Nothing happens unaudited."""
        stage = self.stage()
        before = stage.add()

        def silent(view: View) -> Change:
            return Change(replace(view.ring, turn_at=view.now.at), (), None)

        refused(IntegrityError, stage.store.update, "web", silent, at=stage.at())
        same(stage.store.load("web").ring, before)

    def test_only_the_due_time_may_change_without_an_event(self) -> None:
        """Then the epoch stays."""
        stage = self.stage()
        before = stage.add()
        due = stage.clock.now() + MINUTES
        after = stage.store.update("web", lambda view: Change(view.ring, (), due), at=stage.at())
        same(after, before)
        same([row.due_at for row in stage.store.rings()], [due])

    def test_concurrent_changes_form_one_line(self) -> None:
        """Every change of many threads is there, once, in one whole chain."""
        stage = self.stage()
        stage.add()
        threads, each = 4, 6

        def work(_: int) -> None:
            for _ in range(each):
                _until_won(lambda: stage.take("web", BookTurn(stage.clock.now())))

        _together(work, range(threads))
        end = stage.store.load("web").ring
        same(end.epoch, threads * each)
        events = stage.store.events(end.id)
        same(verify(events, chain=end.id), Head(end.event_count, end.event_hash))
        same(len(events), threads * each + 1)

    def test_a_kid_is_unique_under_an_issuer_for_ever(self) -> None:
        """In other rings too, and after the key is gone; another issuer may have it."""
        stage = self.stage()
        for name in ("web", "api"):
            stage.add(name)
        stage.add("far", issuer=OTHER)
        stage.first_key("web", "k1")
        same(refused(BadInput, stage.take, "api", add_key("k1")).code, "kid_reused")
        same(stage.store.load("api").ring.keys, ())
        stage.take("web", add_key("k2"))
        gone = stage.take("web", Discard("k2"))
        same(gone.key("k2").state, RETIRED)
        same(refused(BadInput, stage.take, "api", add_key("k2")).code, "kid_reused")
        same(stage.first_key("far", "k1").key("k1").state, ACTIVE)

    def test_a_private_half_goes_when_its_key_gives_it_up(self) -> None:
        """Revoked: not in the next load."""
        stage = self.stage()
        stage.add()
        stage.first_key()
        stage.turn("web", "k2")
        stage.take("web", Revoke("k1"))
        found = stage.store.load("web").ring
        same((found.key("k1").state, found.key("k1").private), (REVOKED, None))
        same(found.key("k2").private, envelope("k2"))

    def test_only_one_ring_of_an_issuer_skips_the_lead(self) -> None:
        """The first key of one makes the issuer served for all."""
        stage = self.stage()
        for name in ("web", "api"):
            stage.add(name)
        first = (add_key("k1"), promote("k1", Waiver.FIRST_KEY))
        expect(stage.take("web", *first).issuer_served, "the issuer does not count as served")
        expect(stage.store.load("api").ring.issuer_served, "the issuer does not count as served")
        refused(StateForbids, stage.take, "api", add_key("k2"), promote("k2", Waiver.FIRST_KEY))
        expect(stage.add("late").issuer_served, "the issuer does not count as served")
        expect(not stage.add("far", issuer=OTHER).issuer_served, "the issuer counts as served")

    def test_of_two_first_keys_at_once_one_waits_for_its_lead(self) -> None:
        """The issuer's row is swapped once."""
        stage = self.stage()
        names = [f"ring-{number}" for number in range(4)]
        for name in names:
            stage.add(name)
        won: list[str] = []

        def work(name: str) -> None:
            try:
                _until_won(lambda: stage.take(name, add_key(name), promote(name, Waiver.FIRST_KEY)))
            except StateForbids:
                return
            won.append(name)

        _together(work, names)
        same(len(won), 1)

    def test_an_issuer_that_counts_as_served_stays_served(self) -> None:
        """Whoever adds a ring to it later."""
        stage = self.stage()
        expect(stage.add("old", served=True).issuer_served, "the issuer does not count as served")
        expect(stage.add("new").issuer_served, "the issuer does not count as served")
        stage.add("a", issuer=OTHER)
        stage.add("b", issuer=OTHER, served=True)
        expect(stage.store.load("a").ring.issuer_served, "the issuer does not count as served")

    def test_published_gives_the_rings_of_one_issuer(self) -> None:
        """By name, each as `load` gives it."""
        stage = self.stage()
        stage.add("web")
        stage.add("api")
        stage.add("far", issuer=OTHER)
        stage.first_key("web")
        found = stage.store.published(ISSUER)
        same([view.ring for view in found], [stage.store.load(name).ring for name in ("api", "web")])

    def test_disagreeing_clocks_write_nothing(self) -> None:
        """Neither a ring nor a change, in either direction."""
        stage = self.stage()
        before = stage.add()
        for apart in (10 * MINUTES, -10 * MINUTES):
            at = replace(stage.at(), wall=stage.clock.now() + apart)
            refused(ClocksDisagree, stage.store.update, "web", taking(add_key("k1")), at=at)
            refused(ClocksDisagree, stage.store.add, ring("api"), actor=ACTOR, at=at)
        same(stage.store.load("web").ring, before)
        same([row.name for row in stage.store.rings()], ["web"])

    def test_due_rings_come_most_overdue_first(self) -> None:
        """Those not after `before`, at most `limit`."""
        stage = self.stage()
        now = stage.clock.now()
        for name, due in (("a", 2), ("b", 1), ("c", 3), ("d", None)):
            stage.add(name)
            at = None if due is None else now + due * MINUTES
            stage.store.update(name, lambda view, at=at: Change(view.ring, (), at), at=stage.at())
        same(list(stage.store.due(now + 2 * MINUTES, 10)), ["b", "a"])
        same(list(stage.store.due(now + 5 * MINUTES, 2)), ["b", "a"])
        same(list(stage.store.due(now, 10)), [])

    def test_a_new_ring_is_due_at_once(self) -> None:
        """So that the loop takes it up."""
        stage = self.stage()
        stage.add()
        same(list(stage.store.due(stage.clock.now(), 10)), ["web"])

    def test_every_commit_is_witnessed(self) -> None:
        """In order, after it."""
        stage = self.stage()
        stage.add()
        stage.first_key()
        end = stage.turn("web", "k2")
        same([head.epoch for head in stage.witness.heads], [0, 1, 2])
        same(stage.witness.heads[-1], head_of(end))

    def test_a_store_older_than_its_witness_is_refused(self) -> None:
        """By every call that opens the ring, until a person recovers."""
        stage = self.stage()
        stage.add()
        head = head_of(stage.first_key())
        stage.witness.heads.append(replace(head, epoch=7, event_count=9))
        same(refused(IntegrityError, stage.store.load, "web").code, "older_store")
        same(refused(IntegrityError, stage.store.published, ISSUER).code, "older_store")
        same(refused(IntegrityError, stage.take, "web", Stamp()).code, "older_store")
        same(refused(IntegrityError, stage.store.grant, "n", "web", at=stage.at()).code, "older_store")
        stage.store.update("web", taking(add_key("k2")), at=stage.at(), recovering=True)

    def test_a_forked_store_is_refused(self) -> None:
        """Its history differs from what was witnessed."""
        stage = self.stage()
        stage.add()
        head = head_of(stage.first_key())
        stage.witness.heads[-1] = replace(head, event_hash="0" * 64)
        same(refused(IntegrityError, stage.store.load, "web").code, "forked_store")
        same(refused(IntegrityError, stage.store.published, ISSUER).code, "forked_store")

    def test_a_failing_witness_says_that_the_change_is_committed(self) -> None:
        """And the next load writes what is missing."""
        stage = self.stage()
        stage.add()
        stage.witness.broken = Unavailable("disk full", hint="free some space")
        error = refused(Unavailable, stage.first_key)
        same(error.code, "witness")
        expect("IS committed (epoch 1)" in error.message, error.message)
        same(stage.store.load("web").ring.epoch, 1)
        stage.witness.broken = None
        stage.store.load("web")
        same(stage.witness.heads[-1].epoch, 1)


def _until_won(call: Callable[[], KeyRing], tries: int = 200) -> KeyRing:
    for _ in range(tries):
        try:
            return call()
        except (LostRace, Unavailable):
            continue
    raise JwturnError("every race was lost")


def _together(work: Callable[..., None], over: Iterable[object]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, item) for item in over]:
            done.result()

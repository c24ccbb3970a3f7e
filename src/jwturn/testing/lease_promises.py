"""What a store promises of grants, marks, counts and seen time: numbers that were durable first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from jwturn.core.errors import ClocksDisagree, Unavailable
from jwturn.core.keys import KeyRing
from jwturn.core.leases import Grant, Usage, last_exp
from jwturn.core.seen import Sighting
from jwturn.core.steps import BookTurn, Retire, Revoke
from jwturn.testing.expect import expect, refused, same
from jwturn.testing.rings import ISSUER, TICK_CAP, Stage

DECADE = timedelta(days=3652)
LEASE = timedelta(minutes=10)
TTL = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class LeasePromises:
    """Mixed into StoreSuite."""

    def stage(self) -> Stage:
        """A fresh store on its stage."""
        raise NotImplementedError

    def signing(self) -> Stage:
        """A stage with a ring named web whose key k1 is active."""
        stage = self.stage()
        stage.add()
        stage.first_key()
        return stage

    def test_no_grant_without_an_active_key(self) -> None:
        """A ring before its first key."""
        stage = self.stage()
        stage.add()
        same(refused(Unavailable, stage.store.grant, "n", "web", at=stage.at()).code, "no_active_key")

    def test_a_grant_is_the_lease_and_its_mark(self) -> None:
        """Both are in the next view: lease until now + L, mark until now + L + tau."""
        stage = self.signing()
        now = stage.clock.now()
        given = stage.store.grant("n", "web", at=stage.at())
        same((given.kid, given.epoch, given.number), ("k1", 1, 1))
        same((given.lease, given.mark, given.store_now), (LEASE, now + LEASE + TTL, now))
        kept = stage.store.load("web").leases
        same([(lease.node, lease.until) for lease in kept.leases], [("n", now + LEASE)])
        same([(mark.node, mark.exp) for mark in kept.marks], [("n", given.mark)])

    def test_a_grant_does_not_move_the_epoch(self) -> None:
        """Marks are passed beside the ring."""
        stage = self.signing()
        stage.store.grant("n", "web", at=stage.at())
        same(stage.store.load("web").ring.epoch, 1)

    def test_nodes_have_marks_of_their_own(self) -> None:
        """The last exp of the key is the largest."""
        stage = self.signing()
        stage.store.grant("a", "web", at=stage.at())
        stage.clock.advance(MINUTE)
        later = stage.store.grant("b", "web", at=stage.at())
        view = stage.store.load("web")
        same(sorted(mark.node for mark in view.leases.marks), ["a", "b"])
        same(last_exp(view.leases, view.ring.key("k1")), later.mark)

    def test_a_clock_that_steps_back_lowers_neither_lease_nor_mark(self) -> None:
        """A number that was durable stays."""
        stage = self.signing()
        first = stage.store.grant("n", "web", at=stage.at())
        stage.clock.jump(-MINUTE)
        second = stage.store.grant("n", "web", at=stage.at())
        same((second.number, second.mark), (2, first.mark))
        same(second.lease, LEASE)
        (lease,) = stage.store.load("web").leases.leases
        same(lease.until, first.store_now + LEASE)

    def test_a_renewal_raises_the_mark(self) -> None:
        """And counts as a grant."""
        stage = self.signing()
        stage.store.grant("n", "web", at=stage.at())
        stage.clock.advance(MINUTE)
        (renewed,) = stage.store.renew("n", Usage(), at=stage.at())
        same((renewed.number, renewed.mark), (2, stage.clock.now() + LEASE + TTL))

    def test_one_renewal_renews_every_lease_of_the_node(self) -> None:
        """And of no other node."""
        stage = self.signing()
        stage.add("api")
        stage.first_key("api", "a1")
        for node, name in (("n", "web"), ("n", "api"), ("m", "web")):
            stage.store.grant(node, name, at=stage.at())
        same(sorted(given.kid for given in stage.store.renew("n", Usage(), at=stage.at())), ["a1", "k1"])
        same(list(stage.store.renew("idle", Usage(), at=stage.at())), [])

    def test_a_lease_on_a_superseded_key_is_left_and_missing(self) -> None:
        """Its mark stays as well."""
        stage = self.signing()
        given = stage.store.grant("n", "web", at=stage.at())
        stage.turn("web", "k2")
        stage.clock.advance(MINUTE)
        same(list(stage.store.renew("n", Usage(), at=stage.at())), [])
        view = stage.store.load("web")
        same(last_exp(view.leases, view.ring.key("k1")), given.mark)
        same(stage.store.grant("n", "web", at=stage.at()).kid, "k2")

    def test_a_renewal_says_at_which_epoch_the_key_is_active(self) -> None:
        """After a change that leaves the key active, the epoch is the new one."""
        stage = self.signing()
        stage.store.grant("n", "web", at=stage.at())
        stage.take("web", BookTurn(None))
        same([given.epoch for given in stage.store.renew("n", Usage(), at=stage.at())], [2])

    def test_disagreeing_clocks_give_neither_lease_nor_counts(self) -> None:
        """Nothing is written."""
        stage = self.signing()
        given = stage.store.grant("n", "web", at=stage.at())
        stage.clock.advance(MINUTE)
        at = replace(stage.at(), wall=stage.clock.now() + DECADE)
        refused(ClocksDisagree, stage.store.grant, "m", "web", at=at)
        refused(ClocksDisagree, stage.store.renew, "n", Usage({("id-web", "k1"): {1: 1}}), at=at)
        same([mark.exp for mark in stage.store.load("web").leases.marks], [given.mark])
        same(dict(stage.store.counts("id-web")), {})

    def test_a_release_lowers_the_mark_to_what_was_signed(self) -> None:
        """And ends the lease."""
        stage = self.signing()
        given = stage.store.grant("n", "web", at=stage.at())
        largest = stage.clock.now() + MINUTE
        stage.store.release("n", "id-web", "k1", number=given.number, largest_exp=largest)
        view = stage.store.load("web")
        same(view.leases.leases, ())
        same(last_exp(view.leases, view.ring.key("k1")), largest)

    def test_a_release_without_a_signature_leaves_no_last_exp(self) -> None:
        """Nothing can exist."""
        stage = self.signing()
        given = stage.store.grant("n", "web", at=stage.at())
        stage.store.release("n", "id-web", "k1", number=given.number, largest_exp=None)
        view = stage.store.load("web")
        same(last_exp(view.leases, view.ring.key("k1")), None)

    def test_a_release_of_an_earlier_grant_does_nothing(self) -> None:
        """A late message cannot lower a mark under a living lease; nor can one repeated after a new grant."""
        stage = self.signing()
        first = stage.store.grant("n", "web", at=stage.at())
        second = stage.store.grant("n", "web", at=stage.at())
        stage.store.release("n", "id-web", "k1", number=first.number, largest_exp=None)
        same([lease.number for lease in stage.store.load("web").leases.leases], [second.number])
        stage.store.release("n", "id-web", "k1", number=second.number, largest_exp=None)
        third = stage.store.grant("n", "web", at=stage.at())
        expect(third.number > second.number, "the number of a grant went back")
        stage.store.release("n", "id-web", "k1", number=second.number, largest_exp=None)
        same([mark.exp for mark in stage.store.load("web").leases.marks], [third.mark])

    def test_a_release_never_raises_a_mark(self) -> None:
        """Whatever the node says."""
        stage = self.signing()
        given = stage.store.grant("n", "web", at=stage.at())
        stage.store.release("n", "id-web", "k1", number=1, largest_exp=given.mark + DECADE)
        same([mark.exp for mark in stage.store.load("web").leases.marks], [given.mark])

    def test_a_release_of_the_old_key_leaves_the_lease_on_the_new(self) -> None:
        """One lease per node and ring."""
        stage = self.signing()
        old = stage.store.grant("n", "web", at=stage.at())
        stage.turn("web", "k2")
        stage.store.grant("n", "web", at=stage.at())
        stage.store.release("n", "id-web", "k1", number=old.number, largest_exp=None)
        same([lease.kid for lease in stage.store.load("web").leases.leases], ["k2"])

    def test_counts_add_up_and_past_minutes_go(self) -> None:
        """By kid and expiry minute."""
        stage = self.signing()
        stage.store.grant("n", "web", at=stage.at())
        minute = int(stage.clock.now().timestamp()) // 60
        for _ in range(2):
            stage.store.renew("n", Usage({("id-web", "k1"): {minute: 2, minute + 1: 3}}), at=stage.at())
        same(stage.store.counts("id-web"), {"k1": {minute: 4, minute + 1: 6}})
        stage.clock.advance(MINUTE)
        stage.store.renew("n", Usage(), at=stage.at())
        same(stage.store.counts("id-web"), {"k1": {minute + 1: 6}})

    def test_counts_of_a_key_that_was_left_are_still_taken(self) -> None:
        """The node may have given its lease back."""
        stage = self.signing()
        given = stage.store.grant("n", "web", at=stage.at())
        stage.store.release("n", "id-web", "k1", number=given.number, largest_exp=stage.clock.now())
        minute = int(stage.clock.now().timestamp()) // 60
        stage.store.renew(
            "n", Usage({("id-web", "k1"): {minute: 2}, ("id-x", "k1"): {minute: 9}}), at=stage.at()
        )
        same(stage.store.counts("id-web"), {"k1": {minute: 2}})

    def test_a_retired_key_takes_its_marks_with_it(self) -> None:
        """Leases and counts too; those of other keys stay."""
        stage = self.signing()
        minute = int((stage.clock.now() + TTL).timestamp()) // 60
        usage = Usage({("id-web", "k1"): {minute: 1}})
        stage.store.grant("n", "web", at=stage.at())
        stage.store.renew("n", usage, at=stage.at())
        stage.turn("web", "k2")
        stage.store.grant("m", "web", at=stage.at())
        stage.take("web", Revoke("k1"))
        stage.tick(160)
        stage.take("web", Retire("k1"))
        left = stage.store.load("web").leases
        same(([lease.node for lease in left.leases], [mark.node for mark in left.marks]), (["m"], ["m"]))
        same(dict(stage.store.counts("id-web")), {})

    def test_a_grant_never_lands_on_a_superseded_key(self) -> None:
        """Grants and turns in many threads: each grant names the key that was active at its epoch."""
        stage = self.signing()
        active = {1: "k1"}
        given: list[Grant] = []
        done = threading.Event()

        def turn() -> None:
            for number in range(2, 10):
                after: KeyRing = stage.turn("web", f"k{number}")
                active[after.epoch] = f"k{number}"
            done.set()

        def ask(node: str) -> None:
            while not done.is_set():
                given.append(stage.store.grant(node, "web", at=stage.at()))

        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(turn), pool.submit(ask, "n"), pool.submit(ask, "m")]
            for future in work:
                future.result()
        same({(g.epoch, g.kid) for g in given} - set(active.items()), set())

    def test_seen_time_counts_what_was_watched(self) -> None:
        """Ten minutes of ticks are ten minutes, and the view has them."""
        stage = self.signing()
        same(stage.tick(20), 20 * TICK_CAP / 2)
        same(stage.store.load("web").now.seen, 20 * TICK_CAP / 2)
        same(stage.store.published(ISSUER)[0].now.tick_cap, TICK_CAP)

    def test_the_first_tick_of_a_node_only_reads(self) -> None:
        """A night without a service adds nothing."""
        stage = self.stage()
        total = stage.tick(4)
        stage.clock.advance(timedelta(days=1))
        same(stage.store.tick(boottime=stage.clock.boottime(), before=None).total, total)

    def test_a_clock_that_jumps_ten_years_adds_nothing_but_what_passed(self) -> None:
        """Nothing matures by a jump."""
        stage = self.stage()
        before = _tick(stage, None)
        stage.clock.advance(MINUTE / 2)
        stage.clock.jump(DECADE)
        before = _tick(stage, before)
        same(before.total, MINUTE / 2)
        stage.clock.jump(-DECADE)
        stage.clock.advance(MINUTE / 2)
        same(_tick(stage, before).total, MINUTE / 2)

    def test_a_stale_sighting_only_reads(self) -> None:
        """A node that was paused longer than tick_cap."""
        stage = self.stage()
        before = _tick(stage, None)
        stage.clock.advance(2 * TICK_CAP)
        same(_tick(stage, before).total, timedelta())

    def test_two_nodes_do_not_count_the_same_time_twice(self) -> None:
        """One row, whoever ticks."""
        stage = self.stage()
        first, second = _tick(stage, None), _tick(stage, None)
        for _ in range(10):
            stage.clock.advance(TICK_CAP / 2)
            first, second = _tick(stage, first), _tick(stage, second)
        same(second.total, 10 * TICK_CAP / 2)

    def test_times_are_exact_beyond_2038(self) -> None:
        """To the microsecond."""
        stage = self.stage()
        late = datetime(2093, 7, 4, 5, 6, 7, 123457, tzinfo=stage.clock.now().tzinfo)
        stage.clock.jump(late - stage.clock.now())
        stage.add()
        stage.first_key()
        given = stage.store.grant("n", "web", at=stage.at())
        same((given.store_now, given.mark), (late, late + LEASE + TTL))
        view = stage.store.load("web")
        same(view.leases.marks[0].exp, late + LEASE + TTL)
        same(view.ring.key("k1").created.at, late)


def _tick(stage: Stage, before: Sighting | None) -> Sighting:
    boottime = stage.clock.boottime()
    row = stage.store.tick(boottime=boottime, before=before)
    return Sighting(row.total, boottime)

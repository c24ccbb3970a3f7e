"""What a store promises of itself: making and unlocking, audit chains, API tokens, word of changes."""

import threading
from dataclasses import replace
from datetime import timedelta

from jwturn.core.errors import IntegrityError, NotFound, StateForbids
from jwturn.core.keys import Hold
from jwturn.core.ledger import STORE_CHAIN, Actor, Head, verify
from jwturn.core.steps import BookTurn, HoldKey
from jwturn.core.tokens import ApiToken, Role, digest
from jwturn.ports.store import Identity
from jwturn.testing.expect import expect, refused, same
from jwturn.testing.rings import ACTOR, TICK_CAP, Stage, envelope

LONG = timedelta(seconds=30)
SHORT = timedelta(milliseconds=120)


class JournalPromises:
    """Mixed into StoreSuite."""

    def stage(self) -> Stage:
        """A fresh store on its stage."""
        raise NotImplementedError

    def empty(self) -> Stage:
        """A stage whose store was not made yet."""
        raise NotImplementedError

    def test_a_store_is_what_it_was_made(self) -> None:
        """Nothing before, the identity after, and never made twice."""
        stage = self.empty()
        identity = Identity("store-9", TICK_CAP, envelope("integrity"), era=3)
        same(stage.store.identity(), None)
        stage.store.initialise(identity)
        same(stage.store.identity(), identity)
        again = replace(identity, store_id="store-10")
        same(refused(StateForbids, stage.store.initialise, again).code, "store_exists")
        same(stage.store.identity(), identity)

    def test_an_empty_store_cannot_be_unlocked(self) -> None:
        """There is nothing to authenticate."""
        stage = self.empty()
        refused(NotFound, stage.store.unlock, stage.seal, stage.witness)

    def test_a_locked_store_answers_nothing(self) -> None:
        """Every call before unlock is refused."""
        stage = self.empty()
        stage.store.initialise(Identity("store-1", TICK_CAP, envelope("integrity")))
        for call, args in (
            (stage.store.load, ("web",)),
            (stage.store.rings, ()),
            (stage.store.published, ("https://x.example",)),
            (stage.store.due, (stage.clock.now(), 1)),
            (stage.store.events, ("id",)),
            (stage.store.head, ("id",)),
            (stage.store.record, (ACTOR, "x", {})),
            (stage.store.checkpoint, ("x",)),
            (stage.store.wait, (0, timedelta())),
            (stage.store.tokens, ()),
            (stage.store.counts, ("id",)),
            (stage.add, ()),
        ):
            same(refused(IntegrityError, call, *args).code, "locked")

    def test_a_store_may_be_closed_twice(self) -> None:
        """The second time does nothing."""
        stage = self.stage()
        stage.store.close()
        stage.store.close()

    def test_events_form_a_chain_from_the_ring_s_first(self) -> None:
        """Each says who and why, in order; the ring and the store agree on its end."""
        stage = self.stage()
        added = stage.add()
        stage.first_key()
        end = stage.turn("web", "k2")
        events = stage.store.events(added.id)
        same([event.action for event in events], ["add_ring", "add", "promote", "add", "promote"])
        same({(event.who, event.why) for event in events}, {(ACTOR.who, ACTOR.why)})
        same(verify(events, chain=added.id), Head(end.event_count, end.event_hash))
        same(stage.store.head(added.id), Head(end.event_count, end.event_hash))

    def test_events_are_read_page_by_page(self) -> None:
        """`after` and `limit`; beyond the end there is nothing."""
        stage = self.stage()
        added = stage.add()
        stage.first_key()
        stage.turn("web", "k2")
        pages = [[e.seq for e in stage.store.events(added.id, after, 2)] for after in (0, 2, 4, 6)]
        same(pages, [[1, 2], [3, 4], [5], []])
        same(list(stage.store.events("nobody")), [])
        same(stage.store.head("nobody"), Head(0, ""))

    def test_a_record_goes_to_the_store_s_own_chain(self) -> None:
        """With what it says, ready to be verified."""
        stage = self.stage()
        detail = {"name": "caf\u00e9", "count": 3, "list": ["a", None], "inner": {"z": 1, "a": 2}}
        told = stage.store.record(Actor("ann", "audit"), "recover", detail)
        stage.store.record(ACTOR, "other", {})
        events = stage.store.events(STORE_CHAIN)
        same(events[0], told)
        same((told.who, told.why, told.action, told.at), ("ann", "audit", "recover", stage.clock.now()))
        same(verify(events, chain=STORE_CHAIN), stage.store.head(STORE_CHAIN))

    def test_a_checkpoint_lists_the_heads_that_moved(self) -> None:
        """Once each; with none moved there is no line."""
        stage = self.stage()
        same(stage.store.checkpoint("loop"), None)
        web, api = stage.add("web"), stage.add("api")
        event = stage.store.checkpoint("loop")
        same(sorted(event.detail), sorted([web.id, api.id]))
        same(list(event.detail[web.id]), [1, stage.store.head(web.id).hash])
        same(stage.store.checkpoint("loop"), None)
        moved = stage.take("web", BookTurn(None))
        event = stage.store.checkpoint("loop")
        same({chain: list(head) for chain, head in event.detail.items()}, {web.id: [2, moved.event_hash]})
        same(verify(stage.store.events(STORE_CHAIN), chain=STORE_CHAIN).count, 2)

    def test_what_a_person_said_is_kept_to_the_letter(self) -> None:
        """Quotes, line ends and other alphabets."""
        stage = self.stage()
        stage.add()
        said = 'it\'s "odd"\n\u65e5\u672c; DROP TABLE rings'
        after = stage.take("web", HoldKey(None, Hold("ann", said, stage.clock.now())))
        same(stage.store.load("web").ring.hold, after.hold)
        same(after.hold is not None and after.hold.why, said)

    def test_api_tokens_are_kept_and_withdrawn(self) -> None:
        """Each act is in the store's chain."""
        stage = self.stage()
        first, second = self.token(stage, "ci"), self.token(stage, "app")
        for token in (first, second):
            stage.store.add_token(token, ACTOR)
        same(list(stage.store.tokens()), [second, first])
        at = stage.clock.advance(LONG)
        ended = stage.store.withdraw_token("ci", at, ACTOR)
        same(ended, replace(first, withdrawn=at))
        same(list(stage.store.tokens()), [second, ended])
        same(stage.store.withdraw_token("ci", at + LONG, ACTOR), ended)
        actions = [event.action for event in stage.store.events(STORE_CHAIN)]
        same(actions, ["add_token", "add_token", "withdraw_token"])

    def test_a_token_name_is_used_once(self) -> None:
        """Also after it was withdrawn; an unknown one is not found."""
        stage = self.stage()
        stage.store.add_token(self.token(stage, "ci"), ACTOR)
        stage.store.withdraw_token("ci", stage.clock.now(), ACTOR)
        same(refused(StateForbids, stage.store.add_token, self.token(stage, "ci"), ACTOR).code, "name_taken")
        refused(NotFound, stage.store.withdraw_token, "nobody", stage.clock.now(), ACTOR)
        same(len(stage.store.events(STORE_CHAIN)), 2)

    def test_the_audit_never_holds_a_token_s_digest(self) -> None:
        """What could be compared with a stolen token is in its row alone."""
        stage = self.stage()
        token = self.token(stage, "ci")
        stage.store.add_token(token, ACTOR)
        expect(token.digest not in str(stage.store.events(STORE_CHAIN)), "the digest was recorded")

    def test_wait_answers_at_once_when_the_version_is_another(self) -> None:
        """And the version moves with every change."""
        stage = self.stage()
        version = stage.store.wait(-1, LONG)
        stage.add()
        later = stage.store.wait(version, LONG)
        expect(later > version, "the version did not move")
        stage.store.add_token(self.token(stage, "ci"), ACTOR)
        expect(stage.store.wait(later, LONG) > later, "the version did not move")

    def test_wait_ends_after_its_timeout(self) -> None:
        """With the version as it was."""
        stage = self.stage()
        version = stage.store.wait(-1, LONG)
        same(stage.store.wait(version, SHORT), version)
        same(stage.store.wait(version, timedelta()), version)

    def test_wait_hears_of_a_change_in_another_thread(self) -> None:
        """Long before its timeout."""
        stage = self.stage()
        version = stage.store.wait(-1, LONG)
        heard: list[int] = []
        waiter = threading.Thread(target=lambda: heard.append(stage.store.wait(version, LONG)))
        waiter.start()
        stage.add()
        waiter.join(LONG.total_seconds() / 2)
        same(len(heard), 1)
        expect(heard[0] > version, "the version did not move")

    def test_closing_ends_a_wait(self) -> None:
        """So that a service stops at once."""
        stage = self.stage()
        version = stage.store.wait(-1, LONG)
        heard: list[int] = []
        waiter = threading.Thread(target=lambda: heard.append(stage.store.wait(version, LONG)))
        waiter.start()
        stage.store.close()
        waiter.join(LONG.total_seconds() / 2)
        same(heard, [version])

    @staticmethod
    def token(stage: Stage, name: str) -> ApiToken:
        """An API token as the service makes it."""
        now = stage.clock.now()
        return ApiToken(name, digest(f"jwturn_{name}"), Role.SIGNER, ("web",), now, now + LONG)

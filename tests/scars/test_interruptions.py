"""Scars of half-done work: a crash between any two steps, a journal that fails, a custody that is full."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from jwturn.core.errors import CustodyError, JwturnError
from jwturn.core.ledger import verify
from jwturn.service.health import findings
from tests.interop.stale import Watched
from tests.scars.house import House
from tests.service.short import MATURE, MIN, SHORT, S
from tests.service.stage import ANN, HOUR, Stage

DEATHS_EACH: Final = 6
CALLS: Final = ("update", "grant", "renew", "release", "tick", "checkpoint", "create")


class Death(BaseException):
    """The process ended here; nothing catches it, as nothing catches a kill."""


class Mortal:
    """Store or custody of a node that dies at its n-th call, before it has an effect or right after."""

    def __init__(self, adapter: Any, fate: "Fate") -> None:
        self._adapter, self._fate = adapter, fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if name not in CALLS:
            return method

        def call(*args: Any, **options: Any) -> Any:
            self._fate.meet(name, "before")
            answer = method(*args, **options)
            self._fate.meet(name, "after")
            return answer

        return call


class Fate:
    """A life ends at the first call of a kind and number at which none has ended yet."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.deaths: set[tuple[str, int]] = set()
        self.life: Counter[str] = Counter()

    def meet(self, call: str, where: str) -> None:
        """Ends the life here, if none has ended so."""
        if where != self._where:
            return
        self.life[call] += 1
        if self.life[call] <= DEATHS_EACH and (call, self.life[call]) not in self.deaths:
            self.deaths.add((call, self.life[call]))
            raise Death


def reborn(stage: Stage, fate: Fate) -> None:
    """A new process takes the dead one's place."""
    fate.life.clear()
    store, custody = stage.store, stage.custody
    stage.store, stage.custody = Mortal(store, fate), Mortal(custody, fate)  # type: ignore[assignment]  # the same ports
    stage.node = stage.join()
    stage.store, stage.custody = store, custody


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_crash_before_or_after_any_call_costs_no_token_and_no_key(where: str) -> None:
    """A crash between any two steps of a turn (SPIRE and others lost what was published or journaled)."""
    watched = Watched(Stage(**SHORT, signer_refresh=30 * S))
    stage, fate = watched.stage, Fate(where)
    reborn(stage, fate)
    end = stage.clock.now() + 2 * (2 * HOUR) + MATURE
    while stage.clock.now() < end:
        try:
            stage.node.loop.run_once()
            watched.look()
            if stage.clock.now().minute % 10 == 0:
                stage.node.signing.release()
        except Death:
            reborn(stage, fate)
        stage.clock.advance(15 * S)
    assert fate.deaths >= {(call, 1) for call in CALLS} | {("update", n) for n in range(1, 5)}
    assert len(watched.signers) >= 2
    assert watched.judged > 500
    assert watched.refused == []
    ring = stage.view.ring
    assert [str(key.state) for key in ring.keys].count("active") == 1
    assert all(stage.custody.open(key, ring.id) for key in ring.keys if key.private is not None)
    assert verify(stage.store.events(ring.id), chain=ring.id).hash == ring.event_hash


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A real store with a ring that can turn."""
    house = House(tmp_path)
    house.add_ring()
    house.skip(MATURE)
    yield house
    house.close()


def facts(house: House) -> tuple[object, ...]:
    """What others can see of the ring, and what is committed of it."""
    node = house.first
    node.publisher.refresh()
    view = node.store.load("default")
    return node.publisher.issuer_set(view.ring.issuer).body, view.ring, node.store.head(view.ring.id)


@pytest.mark.parametrize("command", ["promote", "revoke", "hold", "set_policy", "turn"])
def test_a_change_whose_journal_line_cannot_be_written_does_not_happen(house: House, command: str) -> None:
    """SPIRE: the journal write failed after publishing."""
    node = house.first
    ring = node.store.load("default").ring
    assert ring.active is not None
    kid = ring.active.kid
    if command == "turn":
        node.commands.promote("default", ANN)
    does = {
        "promote": lambda: node.commands.promote("default", ANN),
        "revoke": lambda: node.commands.revoke("default", ANN, kid=kid),
        "hold": lambda: node.commands.hold("default", ANN, kid=kid),
        "set_policy": lambda: node.commands.set_policy("default", ANN, changes={"token_ttl_max": MIN}),
        "turn": lambda: node.rotator.turn("default"),
    }[command]
    before, connection = facts(house), sqlite3.connect(house.folder / "jwturn.db", isolation_level=None)
    connection.execute("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(JwturnError):
        does()
    assert facts(house) == before
    assert node.signing.sign("default", {"sub": "alice"}).kid == before[1].active.kid  # type: ignore[attr-defined]  # the ring
    connection.execute("DROP TRIGGER no")
    connection.close()
    does()
    assert facts(house) != before


class Slots:
    """A security module with room for so many keys; what is created and given up is written down in order."""

    def __init__(self, stage: Stage, room: int) -> None:
        self._stage, self._room, self.order = stage, room, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage.custody, name)

    def create(self, alg: str, ring_id: str, **options: Any) -> Any:
        """A new pair, where there is room for it."""
        held = sum(key.private is not None for key in self._stage.view.ring.keys)
        if held >= self._room:
            self.order.append("full")
            raise CustodyError("the module has no free slot", hint="free one")
        made = self._stage.custody.create(alg, ring_id, **options)
        self.order.append(f"create {made.kid}")
        return made

    def note(self) -> None:
        """Looks which private halves went since the last look."""
        gone = {key.kid for key in self._stage.view.ring.keys if key.private is None}
        self.order += [f"destroy {kid}" for kid in gone if f"destroy {kid}" not in self.order]


def turning(room: int) -> tuple[Watched, Slots]:
    stage = Stage(**SHORT, signer_refresh=30 * S)
    watched, custody = Watched(stage), Slots(stage, room)
    store = stage.store
    stage.custody, kept = custody, stage.custody  # type: ignore[assignment]  # the same port
    stage.node = stage.join()
    stage.custody, stage.store = kept, store
    return watched, custody


def live_through(watched: Watched, custody: Slots, length: timedelta) -> None:
    end = watched.stage.clock.now() + length
    while watched.stage.clock.now() < end:
        watched.run(MIN)
        custody.note()


def test_a_turn_destroys_the_old_pair_only_after_the_new_one_signs() -> None:
    """Hydra: a custody or HSM turn deleted the old pair first."""
    watched, custody = turning(room=10)
    live_through(watched, custody, 4 * HOUR + MATURE)
    ring, told = watched.stage.view.ring, dict[tuple[str, str], datetime]()
    for event in watched.stage.store.events(ring.id):
        told.setdefault((event.action, str(event.kid)), event.at)
    destroyed = [line.split()[1] for line in custody.order if line.startswith("destroy")]
    assert len(destroyed) >= 2
    assert destroyed == watched.signers[: len(destroyed)]
    for kid, successor in zip(destroyed, watched.signers[1:], strict=False):
        assert told["add", successor] < told["promote", successor] < told["shred", kid]
    assert watched.refused == []


def test_a_custody_without_room_for_a_new_pair_takes_nothing_from_the_old_one() -> None:
    """Hydra: when the new pair could not be made, the old one was gone already."""
    watched, custody = turning(room=2)
    stage = watched.stage
    live_through(watched, custody, 3 * HOUR)
    assert "full" in custody.order
    custody._room = 0
    live_through(watched, custody, 3 * HOUR)
    assert stage.active.private is not None
    assert stage.node.signing.sign("default", {}).kid == stage.active.kid
    assert {found.code for found in findings(stage.view, stage.store.seen())} >= {"overdue", "pending"}
    assert "no free slot" in stage.node.loop.health.last_error
    assert watched.refused == []


def test_a_copy_of_the_store_made_between_two_commits_is_a_ring_that_goes_on(tmp_path: Path) -> None:
    """Crash between any two commits, on the real files: each one that is found there is whole."""
    house = House(tmp_path)
    house.add_ring()
    copies = list[Path]()
    update = house.first.store.update

    def copying(*args: Any, **options: Any) -> Any:
        after = update(*args, **options)
        copy = tmp_path.with_name(f"copy-{len(copies)}")
        shutil.copytree(tmp_path, copy)
        copies.append(copy)
        return after

    house.first.store.update = copying  # type: ignore[method-assign]  # each commit is followed by a copy
    house.first.rotator.turn("default")
    house.close()
    assert len(copies) >= 3
    for copy in copies:
        found = House(copy, found=True)
        found.first.rotator.turn("default")
        assert found.states() == ["active", "standby"]
        found.close()

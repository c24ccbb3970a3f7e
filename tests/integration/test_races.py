"""Races on one SQLite file: real threads with connections of their own, real processes, the real services."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jwturn.compose import App, create_app, ensure_ring, open_app
from jwturn.core.errors import IntegrityError, JwturnError, LostRace, Unavailable
from jwturn.core.keys import KeyRing
from jwturn.core.leases import Grant, Usage
from jwturn.core.ledger import Actor, Head, verify
from jwturn.ports.clock import read
from jwturn.settings import Settings, load
from jwturn.testing.clock import FakeClock
from tests.service.short import MATURE, SHORT, S

ISSUER = "https://auth.example.com"
ANN = Actor("ann", "because")
ROUNDS = 6
NODES = 4
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.integration.test_races import ANN, settings_of
from jwturn.compose import open_app
from jwturn.stores.witness import FileWitness

app = open_app(settings_of(Path(sys.argv[1])))
FileWitness.append = lambda self, head: os.kill(os.getpid(), signal.SIGKILL)
app.commands.revoke("default", ANN, kid=app.store.load("default").ring.active.kid)
"""


def settings_of(folder: Path) -> Settings:
    environ = {
        "JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}",
        "JWTURN_STORE__KEK": f"file:{folder / 'kek'}",
        "JWTURN_STORE__WITNESS": str(folder / "witness"),
    }
    return load(environ, cwd=folder.parent)


class Yard:
    """A ring on a file, and nodes that have it open; their clocks move together."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.apps = [create_app(settings_of(folder), clock=self.clock)]
        ensure_ring(self.apps[0], "default", issuer=ISSUER, policy=SHORT, actor=ANN)
        self.apps += [open_app(settings_of(folder), clock=self.clock.node()) for _ in range(NODES - 1)]

    @property
    def ring(self) -> KeyRing:
        return self.apps[0].store.load("default").ring

    def marks(self, kid: str) -> dict[str, tuple[int, datetime]]:
        found = self.apps[0].store.load("default").leases.marks
        return {mark.node: (mark.number, mark.exp) for mark in found if mark.kid == kid}

    def pass_time(self, length: timedelta) -> None:
        end = self.clock.now() + length
        while self.clock.now() < end:
            self.clock.advance(30 * S)
            self.apps[0].loop.run_once()

    def active(self) -> str:
        key = self.ring.active
        assert key is not None
        return key.kid

    def whole(self) -> None:
        store, ring = self.apps[0].store, self.ring
        head = verify(store.events(ring.id), chain=ring.id)
        assert head == Head(ring.event_count, ring.event_hash)

    def close(self) -> None:
        for app in self.apps:
            app.close()


@pytest.fixture
def yard(tmp_path: Path):
    yard = Yard(tmp_path / "state")
    yield yard
    yard.close()


def together(*acts: Callable[[], object]) -> list[BaseException]:
    """Runs acts at once, each in a thread; what they raised."""
    barrier = threading.Barrier(len(acts))
    raised: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            act()
        except JwturnError as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def test_no_grant_on_a_key_comes_after_its_promote(yard: Yard) -> None:
    for _ in range(ROUNDS):
        yard.pass_time(MATURE)
        old = yard.active()
        given: list[Grant] = []
        seen: list[dict[str, tuple[int, datetime]]] = []

        def take(app: App, given: list[Grant] = given) -> None:
            given += [app.leases.grant(app.node, "default", at=read(app.clock)) for _ in range(8)]

        def promote(old: str = old, seen: list[dict[str, tuple[int, datetime]]] = seen) -> None:
            yard.apps[0].commands.promote("default", ANN)
            seen.append(yard.marks(old))

        assert together(promote, *(lambda app=app: take(app) for app in yard.apps[1:])) == []
        assert yard.marks(old) == seen[0], "a mark of the old key moved after the promote"
        new = yard.active()
        assert new != old
        assert {grant.kid for grant in given} <= {old, new}
        for grant in given:
            assert grant.mark <= max(exp for _, exp in yard.marks(grant.kid).values())
    yard.whole()


def test_a_renewal_never_follows_the_revocation_of_its_key(yard: Yard) -> None:
    for _ in range(ROUNDS):
        yard.pass_time(MATURE)
        old = yard.active()
        for app in yard.apps[1:]:
            app.leases.grant(app.node, "default", at=read(app.clock))
        seen: list[dict[str, tuple[int, datetime]]] = []

        def renew(app: App) -> None:
            for _ in range(8):
                app.leases.renew(app.node, Usage(), at=read(app.clock))

        def revoke(old: str = old, seen: list[dict[str, tuple[int, datetime]]] = seen) -> None:
            yard.apps[0].commands.revoke("default", ANN, kid=old)
            seen.append(yard.marks(old))

        assert together(revoke, *(lambda app=app: renew(app) for app in yard.apps[1:])) == []
        assert yard.marks(old) == seen[0]
        for app in yard.apps[1:]:
            assert app.leases.renew(app.node, Usage(), at=read(app.clock)) == []
    yard.whole()


def test_many_loops_turn_one_ring_and_every_token_keeps_its_mark(yard: Yard) -> None:
    issued = []

    def live(app: App) -> None:
        app.loop.run_once()
        signed = app.signing.sign("default", {}, ttl=S)
        issued.append((app.node, signed))

    epochs, actives = [], []
    for _ in range(150):
        yard.clock.advance(60 * S)
        raised = together(*(lambda app=app: live(app) for app in yard.apps))
        assert all(isinstance(error, LostRace | Unavailable) for error in raised)
        epochs.append(yard.ring.epoch)
        actives.append(yard.active())
        for node, signed in issued:
            assert signed.expires <= yard.marks(signed.kid)[node][1]
        issued.clear()
        assert len(yard.ring.published) <= 4
    assert epochs == sorted(epochs)
    assert len(set(actives)) >= 2
    assert all(app.loop.health.failing_since is None for app in yard.apps)
    yard.whole()


def test_two_rings_of_an_issuer_that_begin_at_once_skip_one_lead(yard: Yard) -> None:
    policy, issuer = yard.ring.policy, "https://new.example.com"
    names = [f"r{number}" for number in range(NODES)]
    for name in names:
        yard.apps[0].commands.add_ring(name, issuer=issuer, policy=policy, actor=ANN)
    raised = together(
        *(
            lambda app=app, name=name: app.rotator.turn(name)
            for app, name in zip(yard.apps, names, strict=True)
        )
    )
    assert all(isinstance(error, LostRace) for error in raised)
    actives = [yard.apps[0].store.load(name).ring.active for name in names]
    assert sum(key is not None for key in actives) == 1


def test_a_kill_between_the_commit_and_its_witness_is_healed_by_the_next_look(tmp_path: Path) -> None:
    folder, old = tmp_path / "state", tmp_path / "old.db"
    app = create_app(settings_of(folder))
    ensure_ring(app, "default", issuer=ISSUER, actor=ANN)
    before, kid = app.store.load("default").ring, app.store.load("default").ring.active
    app.close()
    shutil.copy(folder / "jwturn.db", old)
    lines = (folder / "witness").read_bytes()
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=root, check=False, timeout=60)
    assert killed.returncode == -9
    assert (folder / "witness").read_bytes() == lines, "the witness was not written"
    app = open_app(settings_of(folder))
    after = app.store.load("default").ring
    app.close()
    assert kid is not None
    assert (after.epoch, after.key(kid.kid).state) == (before.epoch + 1, "revoked")
    assert (folder / "witness").read_bytes() != lines
    for left in folder.glob("jwturn.db*"):
        left.unlink()
    shutil.copy(old, folder / "jwturn.db")
    with pytest.raises(IntegrityError, match="older than its witness"):
        open_app(settings_of(folder)).store.load("default")

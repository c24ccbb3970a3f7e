"""Scars of leaders that were paused: a process is stopped past its lease while another turns the ring."""

import fcntl
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jwturn.compose import App, open_app
from jwturn.core.jws import read_claims, split
from jwturn.core.ledger import verify
from jwturn.service.audit import verify_store
from tests.integration import victim
from tests.integration.victim import settings_of

WAIT_SECONDS = 60.0
LEASE = timedelta(seconds=1)
SKEW = timedelta(milliseconds=100)


@dataclass
class Zombie:
    """A service that signs and turns, in a process that can be stopped."""

    folder: Path
    tokens: Path
    process: "subprocess.Popen[bytes]"

    def issued(self) -> list[str]:
        """Every token whose line is whole."""
        text = self.tokens.read_text("ascii") if self.tokens.exists() else ""
        return text[: text.rfind("\n") + 1].split()

    def stop(self) -> None:
        """Stops the process between two writes: in the middle of one it would hold the file's lock."""
        for _ in range(100):
            self.process.send_signal(signal.SIGSTOP)
            if not self.holds_a_lock():
                return
            self.wake()
            time.sleep(0.005)
        raise AssertionError("the process writes without pause")

    def wake(self) -> None:
        """Lets it go on."""
        self.process.send_signal(signal.SIGCONT)

    def holds_a_lock(self) -> bool:
        """Whether nobody else can write to the store or to its witness now."""
        connection = sqlite3.connect(self.folder / "jwturn.db", timeout=0.3, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            with (self.folder / "witness").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (sqlite3.OperationalError, BlockingIOError):
            return True
        finally:
            connection.close()
        return False


def await_(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.01)


@contextmanager
def living(folder: Path) -> Iterator[Zombie]:
    """The process, once it signs; killed at the end."""
    state, tokens = folder / "state", folder / "tokens"
    process = subprocess.Popen([sys.executable, str(victim.__file__), str(state), str(tokens)])
    zombie = Zombie(state, tokens, process)
    try:
        await_(lambda: len(zombie.issued()) > 5 or process.poll() is not None)
        yield zombie
    finally:
        process.kill()
        process.wait(30)


def active(app: App) -> str:
    key = app.store.load("default").ring.active
    assert key is not None
    return key.kid


def turned_twice(app: App) -> None:
    """The other node turns the ring, twice, while the zombie is stopped."""
    for _ in range(2):
        before = active(app)
        await_(lambda before=before: active(app) != before)  # type: ignore[misc]  # bound at once


def test_a_zombie_that_wakes_after_its_lease_signs_with_no_old_key_and_turns_nothing_twice(
    tmp_path: Path,
) -> None:
    """Nomad and others: a leader wakes after its lease (SIGSTOP, SIGCONT) and acts on what it remembers."""
    with living(tmp_path) as zombie:
        app = open_app(settings_of(zombie.folder))
        try:
            app.loop.start()
            zombie.stop()
            stopped, old = datetime.now(UTC), active(app)
            turned_twice(app)
            before = zombie.issued()
            assert datetime.now(UTC) - stopped > LEASE
            zombie.wake()
            await_(lambda: len(zombie.issued()) > len(before) + 50)
            late = zombie.issued()[len(before) :]
            demand_no_old_key(late, old, stopped)
            app.publisher.refresh()
            now = datetime.now(UTC)
            live = [token for token in late if exp_of(token) > now + timedelta(seconds=1)]
            assert live
            assert {app.verify(token)["sub"] for token in live} == {"victim"}
            demand_whole(app)
        finally:
            app.close()


def demand_no_old_key(late: list[str], old: str, stopped: datetime) -> None:
    """At most the signature that was made as the process was stopped leaves it afterwards."""
    with_old = [token for token in late if split(token).header.kid == old]
    assert len(with_old) <= 1
    assert all(iat_of(token) <= stopped + SKEW for token in with_old)
    assert len({split(token).header.kid for token in late} - {old}) >= 1


def demand_whole(app: App) -> None:
    """One active key, and a history that is one line."""
    ring = app.store.load("default").ring
    assert [str(key.state) for key in ring.keys].count("active") == 1
    chains = {chain.id: chain.head for chain in verify_store(app.store)}
    assert chains[ring.id].count >= ring.event_count
    promoted = [event.kid for event in events_of(app, ring.id) if event.action == "promote"]
    assert len(promoted) == len(set(promoted)) >= 3


def events_of(app: App, chain: str) -> list:
    events = list(app.store.events(chain))
    assert verify(events, chain=chain).count == len(events)
    return events


def exp_of(token: str) -> datetime:
    return datetime.fromtimestamp(read_claims(split(token).payload)["exp"], UTC)


def iat_of(token: str) -> datetime:
    return datetime.fromtimestamp(read_claims(split(token).payload)["iat"], UTC)

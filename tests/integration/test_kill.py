"""kill -9 at random moments: one active key after every restart, no token lost, the audit chain whole."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jwturn.compose import App, open_app
from jwturn.core.jws import read_claims, split
from jwturn.core.ledger import Event, verify
from tests.integration import victim
from tests.integration.victim import settings_of

KILLS = 20
WAIT_SECONDS = 60.0
MARGIN = timedelta(milliseconds=500)


@dataclass
class Scene:
    """A folder in which a service lives and dies, and the tokens it issued."""

    folder: Path
    tokens: Path

    def issued(self) -> list[str]:
        """The tokens whose line is whole: a line that the kill cut was not given to anybody."""
        text = self.tokens.read_text("ascii") if self.tokens.exists() else ""
        return text[: text.rfind("\n") + 1].split()

    def size(self) -> int:
        return self.tokens.stat().st_size if self.tokens.exists() else 0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "state", tmp_path / "tokens")


@contextmanager
def service(scene: Scene) -> Iterator["subprocess.Popen[bytes]"]:
    """The service, signing; killed at the end whatever happens."""
    before = scene.size()
    command = [sys.executable, str(victim.__file__), str(scene.folder), str(scene.tokens)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        await_(lambda: scene.size() > before or process.poll() is not None)
        yield process
    finally:
        process.kill()
        _, said = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL, said.decode()


def await_(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, "the service does nothing"
        time.sleep(0.001)


@contextmanager
def looking(scene: Scene) -> Iterator[App]:
    """The store, opened without a loop: it changes nothing."""
    app = open_app(settings_of(scene.folder))
    try:
        yield app
    finally:
        app.close()


def exp_of(token: str) -> datetime:
    return datetime.fromtimestamp(read_claims(split(token).payload)["exp"], UTC)


def demand_whole(scene: Scene) -> None:
    """What must be true of what a dead service left."""
    with looking(scene) as app:
        ring = app.store.load("default").ring
        assert len([key for key in ring.keys if key.state == "active"]) == 1
        head = verify(events_of(app, ring.id), chain=ring.id)
        assert (head.count, head.hash) == (ring.event_count, ring.event_hash)
        now = datetime.now(UTC)
        live = [token for token in scene.issued() if exp_of(token) > now + MARGIN]
        assert live
        for token in live:
            app.verify(token)


def events_of(app: App, chain: str) -> list[Event]:
    events = list(app.store.events(chain))
    while more := app.store.events(chain, after=events[-1].seq if events else 0):
        events += more
    return events


def test_twenty_kills_at_random_moments_lose_nothing(scene: Scene) -> None:
    moments = random.Random(2026)
    for _ in range(KILLS):
        with service(scene):
            time.sleep(moments.uniform(0.0, 0.8))
        demand_whole(scene)
    demand_turned(scene)


def test_twenty_kills_in_the_middle_of_turns_lose_nothing(scene: Scene) -> None:
    moments = random.Random(2026)
    for _ in range(KILLS):
        with service(scene), looking(scene) as app:
            epoch = app.store.rings()[0].epoch
            await_(lambda app=app, epoch=epoch: app.store.rings()[0].epoch != epoch)  # type: ignore[misc]  # bound at once
            time.sleep(moments.choice([0.0, 0.0, 0.001, 0.003, 0.01]))
        demand_whole(scene)
    demand_turned(scene)


def demand_turned(scene: Scene) -> None:
    """The kills fell among turns, and the service that comes last signs on."""
    signers = {split(token).header.kid for token in scene.issued()}
    assert len(signers) >= 3
    with service(scene):
        pass
    demand_whole(scene)

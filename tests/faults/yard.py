"""A store as a service leaves it just before a turn.

It is made under a clock that tests move and that ends at the time of day, so its life of two hours takes a
moment. From half an hour before the turn nothing but the seen time goes on: so a promotion, a shredding, a
retirement and a new standby are due at once, and whatever runs next takes them all.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jwturn.compose import App, create_app, ensure_ring, open_app
from jwturn.core.keys import Key, KeyRing
from jwturn.core.ledger import Actor, Head
from jwturn.crypto.private import private_key
from jwturn.ports.store import View
from jwturn.service.audit import heads
from jwturn.settings import Settings, load
from jwturn.testing.clock import FakeClock
from tests.integration.test_no_plaintext import raw_halves, spellings
from tests.service.short import MIN, SHORT, S

ISSUER: Final = "https://auth.example.com"
ANN: Final = Actor("ann", "drill")
POLICY: Final[dict[str, Any]] = {
    **SHORT,
    "rotate_every": 60 * MIN,
    "rollback_window": 35 * MIN,
    "token_ttl_max": 30 * MIN,
}
QUIET: Final = 30 * MIN
"""After a turn: from here on no pass is made, and seen time alone goes on."""
ENDED: Final = 61 * MIN
"""After a turn: the time of day; the next one is due since a minute."""
RUN: Final = "import sys; from jwturn.cli.main import main; sys.exit(main())"
SECONDS_MAX: Final = 120
"""No command of these tests takes longer, not even on a machine that does much else."""
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Before:
    """What a store was before a fault."""

    view: View
    heads: dict[str, Head]
    tokens: tuple[str, ...]
    """Good tokens of the active key; they live on for half an hour."""


@dataclass
class Yard:
    """A folder with a store in it, and commands that run there; `before` is None where it is empty."""

    folder: Path
    before: Before | None = None

    @property
    def state(self) -> Path:
        """Where database, KEK and witness are."""
        return self.folder / ".jwturn"

    def copy(self, folder: Path) -> "Yard":
        """The same at another place, untouched."""
        shutil.copytree(self.folder, folder)
        return Yard(folder, self.before)

    def run(self, command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        """Runs a process in the folder."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environ_of(self.folder),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
            **options,
        )

    @contextmanager
    def app(self) -> Iterator[App]:
        """The store, opened here without a loop."""
        app = open_app(settings_of(self.folder))
        try:
            yield app
        finally:
            app.close()


def jwturn(*arguments: str) -> list[str]:
    """A `jwturn` command as a process is started with."""
    return [sys.executable, "-c", RUN, *arguments]


def environ_of(folder: Path) -> dict[str, str]:
    """The environment of a process: no settings of this one's, temporary files in the folder, no bytecode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
    places = {"TMPDIR": str(folder), "SQLITE_TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    return {**kept, **places, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def settings_of(folder: Path) -> Settings:
    """The settings of a folder without a settings file: the defaults."""
    return load({}, cwd=folder)


def made(folder: Path) -> Yard:
    """A store at the end of its second hour, its turn due since a minute."""
    folder.mkdir()
    clock = FakeClock(datetime.now(UTC) - POLICY["rotate_every"] - ENDED - MIN)
    app = create_app(settings_of(folder), clock=clock)
    try:
        ensure_ring(app, "default", issuer=ISSUER, policy=POLICY, actor=ANN)
        first = active_of(app)
        while active_of(app).kid == first.kid:
            _pass(app, clock)
        turned = clock.now()
        while clock.now() < turned + QUIET:
            _pass(app, clock)
        while clock.now() < turned + ENDED:
            clock.advance(30 * S)
            app.loop.tick()
        tokens = tuple(app.signing.sign("default", {"sub": "alice"}).token for _ in range(3))
        app.signing.release()
        return Yard(folder, Before(app.store.load("default"), heads(app.store), tokens))
    finally:
        app.close()


def empty(folder: Path) -> Yard:
    """A folder without a store."""
    folder.mkdir()
    return Yard(folder)


def _pass(app: App, clock: FakeClock) -> None:
    clock.advance(30 * S)
    app.loop.run_once()


def active_of(app: App) -> Key:
    """The key that signs."""
    key = app.store.load("default").ring.active
    assert key is not None
    return key


def secrets_of(app: App, ring: KeyRing) -> set[bytes]:
    """Every private half of the ring and the KEK, in every spelling in which they could have slipped out."""
    found = {(app.settings.folder / ".jwturn" / "kek").read_bytes().strip()}
    for key in ring.keys:
        if key.private is not None:
            secret = app.custody.reveal(key, ring.id)
            private = None if key.symmetric else private_key(key.alg, secret)
            halves = [secret.reveal(), *raw_halves(key.alg, secret.reveal(), private)]
            found |= {spelled for half in halves for spelled in spellings(half)}
    return found

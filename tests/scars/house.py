"""A real store in a folder, and any number of nodes on it: for scars that happened between nodes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Final

from jwturn.compose import App, create_app, open_app
from jwturn.core.errors import LostRace
from jwturn.core.policy import RotationPolicy, edited
from jwturn.settings import Settings, load
from jwturn.testing.clock import FakeClock
from tests.service.short import SHORT
from tests.service.stage import ANN, ISSUER

TICK: Final = timedelta(seconds=60)


def settings_of(folder: Path, *, kek: Path | None = None) -> Settings:
    """The settings of a node on the store of `folder`."""
    environ = {
        "JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}",
        "JWTURN_STORE__KEK": f"file:{kek or folder / 'kek'}",
        "JWTURN_STORE__WITNESS": str(folder / "witness"),
    }
    return load(environ, cwd=folder)


class House:
    """A folder with a store (made there, unless it is `found`), and the nodes that live on it."""

    def __init__(self, folder: Path, *, found: bool = False) -> None:
        self.folder = folder
        self.clock = FakeClock()
        start = open_app if found else create_app
        self.nodes: list[App] = [start(settings_of(folder), clock=self.clock)]

    @property
    def first(self) -> App:
        return self.nodes[0]

    def join(self) -> App:
        """Another node, with clocks of its own."""
        self.nodes.append(open_app(settings_of(self.folder), clock=self.clock.node()))
        return self.nodes[-1]

    def add_ring(self, name: str = "default", **policy: object) -> None:
        """A ring without keys."""
        wanted = edited(RotationPolicy(), {**SHORT, **policy}, tick_cap=TICK)
        self.first.commands.add_ring(name, issuer=ISSUER, policy=wanted, actor=ANN)

    def skip(self, length: timedelta) -> None:
        """Lets time pass in front of the first node's loop."""
        end = self.clock.now() + length
        while self.clock.now() < end:
            self.clock.advance(min(TICK / 2, end - self.clock.now()))
            self.first.loop.run_once()

    def close(self) -> None:
        """Closes every node."""
        for node in self.nodes:
            node.close()

    def states(self, name: str = "default") -> list[str]:
        return [str(key.state) for key in self.first.store.load(name).ring.keys]


def at_once(*works: Callable[[], object]) -> list[Exception]:
    """Does all of it in the same moment, a thread each; gives what went wrong beyond a race that was lost."""
    barrier, errors = Barrier(len(works)), list[Exception]()

    def body(work: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            work()
        except LostRace:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the test fails on it
            errors.append(error)

    threads = [Thread(target=body, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return errors

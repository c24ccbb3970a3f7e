"""Stores by explicit URI: `sqlite:///absolute/path`, `sqlite:relative/path`, `memory:`.

A scheme's driver is imported when it is named, and nothing registers itself.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from jwturn.core.errors import ConfigError
from jwturn.ports.clock import Clock
from jwturn.stores.rowstore import RowStore


def open_store(uri: str, clock: Clock) -> RowStore:
    """The store a URI names; nothing is made or opened yet. Raises ConfigError."""
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme not in SCHEMES:
        near = get_close_matches(scheme.lower(), SCHEMES, n=1, cutoff=0.4)
        known = ", ".join(example for _, example in SCHEMES.values())
        meant = f"did you mean {near[0]}:? " if near else ""
        raise ConfigError(
            f"there is no kind of store {scheme!r}", hint=f"{meant}known are {known}", code="unknown_scheme"
        )
    return SCHEMES[scheme][0](rest, clock)


def _sqlite(rest: str, clock: Clock) -> RowStore:
    from jwturn.stores.sqlite import SqliteStore

    path = rest.removeprefix("//")
    if not path or (path != rest and not path.startswith("/")):
        raise ConfigError(
            f"sqlite:{rest} names no file",
            hint="sqlite:///absolute/path/jwturn.db (three slashes) or sqlite:relative/path/jwturn.db",
            code="malformed_uri",
        )
    return SqliteStore(f"/{path.lstrip('/')}" if path.startswith("/") else path, clock)


def _memory(rest: str, clock: Clock) -> RowStore:
    from jwturn.stores.memory import MemoryStore

    if rest:
        raise ConfigError(f"memory:{rest} says too much", hint="memory: has no name", code="malformed_uri")
    return MemoryStore(clock)


SCHEMES: Final[dict[str, tuple[Callable[[str, Clock], RowStore], str]]] = {
    "sqlite": (_sqlite, "sqlite:///path/to/jwturn.db"),
    "memory": (_memory, "memory:"),
}

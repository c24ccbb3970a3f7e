"""What a target is, and how it says that something is wrong."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


class Wrong(AssertionError):
    """The product did what it must not do."""


@dataclass(frozen=True)
class Target:
    """Code to throw bytes at.

    `run` takes any bytes and raises for a fault, whatever it raises. `seeds` are inputs to begin with, and
    `words` pieces that a mutation may put in.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()


def must(holds: bool, what: str, *shown: object) -> None:  # noqa: FBT001  # reads as an assertion
    """Raise Wrong unless it holds."""
    if not holds:
        raise Wrong(f"{what}: {shown!r:.2000}")

"""Commands and the service cut short at a system call: killed before it, or the call fails.

A few places of each; `make soak` takes every one.
"""

import functools
import itertools
import random
from pathlib import Path

import pytest

from tests.faults.acts import ACTS, Act, fresh, try_cut
from tests.faults.cuts import KINDS, Cut, missing, places
from tests.faults.yard import Yard, made

PLACES = 1
"""Of each act and kind; chosen by their names, so that a failure comes back."""


@functools.cache
def places_of(act: Act, template: Path, log: Path) -> list[tuple[str, int]]:
    """Every call on the store's files, in the order of names; found out once a process."""
    yard = fresh(act, stores()[template], log.parent / f"places of {act.name}")
    found = places(yard, act.command(yard), log, only=act.only(yard))
    return [(call, n) for call, ordinals in found.items() for n in ordinals]


@functools.cache
def stores() -> dict[Path, Yard]:
    return {}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    yard = made(tmp_path_factory.mktemp("faults") / "store")
    stores()[yard.folder] = yard
    return yard


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("act", ACTS)
def test_what_is_cut_short_leaves_a_whole_store_and_is_gone_on_with(
    template: Yard, tmp_path: Path, act: str, kind: str
) -> None:
    if why := missing():
        pytest.skip(why)
    every = places_of(ACTS[act], template.folder, tmp_path / "log")
    drawn = random.Random(f"{act} {kind}")
    calls = drawn.sample(sorted({call for call, _ in every}), PLACES)
    for call, number in zip(calls, itertools.count()):
        n = drawn.choice([n for name, n in every if name == call])
        cut = Cut(kind, call, n)
        yard = fresh(ACTS[act], template, tmp_path / str(number))
        try:
            try_cut(ACTS[act], yard, cut)
        except AssertionError as error:
            raise AssertionError(f"{act}: {cut}: {error}") from error


def test_the_calls_that_are_cut_are_those_that_write(template: Yard, tmp_path: Path) -> None:
    if why := missing():
        pytest.skip(why)
    names = {call for call, _ in places_of(ACTS["promote"], template.folder, tmp_path / "log")}
    assert names >= {"pwrite64", "fdatasync", "fsync", "write", "openat", "ftruncate", "unlink"}
    names = {call for call, _ in places_of(ACTS["init"], template.folder, tmp_path / "log2")}
    assert names >= {"linkat", "mkdir", "write"}

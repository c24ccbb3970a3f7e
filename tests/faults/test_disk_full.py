"""A disk that is full, or a file that may not grow: refused in words, and gone on with when there is room."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.acts import ACTS, fresh, judge
from tests.faults.yard import Yard, made

KIB = 1024
FREE = {"promote": [0, 32, 64, 128], "revoke": [48, 96], "sign": [0, 16], "init": [0, 32, 160]}
"""KiB that are left, per act; a turn needs about 150 in the log of the database."""
GROWN = {"promote": [1, 64], "init": [1, 64]}
"""KiB to which any file may grow; the database itself has more already."""
SIZE = 4096
"""KiB of the small disk."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    return made(tmp_path_factory.mktemp("full") / "store")


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of a few MiB; skips where none can be had."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small tmpfs; RLIMIT_FSIZE is tried in its place")
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}k,mode=0700", "jwturn-faults", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, free: int) -> Path:
    """A file that leaves so many KiB."""
    filler = disk / "filler"
    left = os.statvfs(disk)
    size = left.f_bavail * left.f_frsize - free * KIB
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return filler


def demand_refused_in_words(ended: "subprocess.CompletedProcess[str]") -> None:
    assert ended.returncode in (0, 69), (ended.returncode, ended.stderr)
    assert ended.returncode == 0 or "disk full" in ended.stderr, ended.stderr
    assert ended.returncode == 0 or "free some space" in ended.stderr, ended.stderr


@pytest.mark.parametrize("act", FREE)
def test_a_full_disk_is_refused_in_words_and_room_mends_it(template: Yard, tmp_path: Path, act: str) -> None:
    refused = 0
    with small_disk(tmp_path / "disk") as disk:
        for free in FREE[act]:
            yard = fresh(ACTS[act], template, disk / f"store{free}")
            filler = fill(disk, free)
            ended = yard.run(ACTS[act].command(yard))
            filler.unlink()
            demand_refused_in_words(ended)
            refused += ended.returncode != 0
            judge(ACTS[act], yard, ended)
            shutil.rmtree(yard.folder)
    assert refused >= 1


@pytest.mark.parametrize("act", GROWN)
def test_a_file_that_may_not_grow_is_a_full_disk(template: Yard, tmp_path: Path, act: str) -> None:
    for grown in GROWN[act]:
        yard = fresh(ACTS[act], template, tmp_path / str(grown))
        limit = grown * KIB
        ended = yard.run(
            ACTS[act].command(yard),
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        assert ended.returncode != 0
        demand_refused_in_words(ended)
        judge(ACTS[act], yard, ended)

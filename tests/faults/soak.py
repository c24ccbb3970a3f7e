"""Every place at which a command can be cut short, or as many as fit into a time.

python -m tests.faults.soak [--seconds N] [--seed N] [--jobs N] [--act NAME] [--every-open]: without --seconds
every place once, else random ones until the time is over. What fails is kept in build/soak, with the line
that does it again.
"""

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.acts import ACTS, Act, fresh, try_cut
from tests.faults.cuts import KINDS, Cut, missing, places
from tests.faults.yard import ROOT, Yard, made

KEPT = ROOT / "build" / "soak"
TEMPLATE_SECONDS = 600.0
"""A store is made anew after that: its tokens live for half an hour."""


@dataclass(frozen=True)
class Part:
    """Cuts by the names of their acts, whether each is on the store's files; until when (boot seconds)."""

    cuts: Sequence[tuple[str, Cut, bool]]
    end: float | None


class Store:
    """The store that is copied for each run; made anew before its tokens are old."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made, self._count = folder, 0.0, 0
        self._yard: Yard | None = None

    def get(self) -> Yard:
        """A store whose tokens live on."""
        if self._yard is None or time.monotonic() - self._made > TEMPLATE_SECONDS:
            self._count, self._made = self._count + 1, time.monotonic()
            self._yard = made(self._folder / f"store{self._count}")
        return self._yard


def cuts_of(act: Act, store: Store, folder: Path, *, every_open: bool) -> Iterator[tuple[Cut, bool]]:
    """Every cut of a command; whether the call it meets is one on the store's files."""
    yard = fresh(act, store.get(), folder / act.name)
    found = places(yard, act.command(yard), folder / "log", only=act.only(yard))
    shutil.rmtree(yard.folder)
    for call, ordinals in found.items():
        last = max(ordinals, default=0)
        wanted = range(1, last + 1) if every_open or call != "openat" else ordinals
        for n in wanted:
            for kind in KINDS:
                if n in ordinals or kind == "kill":
                    yield Cut(kind, call, n), n in ordinals


def attempt(act: Act, store: Store, cut: Cut, *, ours: bool, folder: Path) -> bool:
    """One run; what fails is kept."""
    yard = fresh(act, store.get(), folder / "run")
    try:
        try_cut(act, yard, cut, ours=ours)
    except Exception as error:  # noqa: BLE001  # whatever fails is what is looked for
        KEPT.mkdir(parents=True, exist_ok=True)
        kept = Path(tempfile.mkdtemp(prefix=f"{act.name}-", dir=KEPT))
        shutil.copytree(yard.folder, kept / "folder")
        line = f"{sys.executable} -m tests.faults.soak --act {act.name} --cut {cut.kind!r} {cut.call} {cut.n}"
        (kept / "why").write_text(f"{line}\n\n{type(error).__name__}: {error}\n", "utf-8")
        sys.stdout.write(f"FAILED {act.name}: {cut}: {type(error).__name__}: {error}\n  {line}\n")
        sys.stdout.flush()
        return False
    finally:
        shutil.rmtree(yard.folder)
    return True


def share(part: Part) -> tuple[int, int]:
    """One process's part: how many cuts ran, and how many failed."""
    ran = failed = 0
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name))
        for act, cut, ours in part.cuts:
            if part.end is not None and time.monotonic() > part.end:
                break
            ran += 1
            failed += not attempt(ACTS[act], store, cut, ours=ours, folder=Path(name))
    return ran, failed


def main() -> int:
    """The exit code: whether anything failed."""
    options = _options()
    if why := missing():
        sys.stdout.write(f"skipped: {why}\n")
        return 0
    if options.cut:
        kind, call, n = options.cut
        return int(share(Part([(options.act[0], Cut(kind, call, int(n)), True)], None))[1] > 0)
    began = time.monotonic()
    end = None if options.seconds is None else began + options.seconds
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name))
        acts = [ACTS[act] for act in options.act or ACTS]
        every = [
            (act.name, *found)
            for act in acts
            for found in cuts_of(act, store, Path(name), every_open=options.every_open)
        ]
    random.Random(options.seed).shuffle(every)
    parts = [Part(every[first :: options.jobs], end) for first in range(options.jobs)]
    with ProcessPoolExecutor(options.jobs) as pool:
        told = list(pool.map(share, parts))
    ran, failed = (sum(counts) for counts in zip(*told, strict=True))
    spent = time.monotonic() - began
    sys.stdout.write(f"{ran} of {len(every)} cuts in {spent:.0f} s (seed {options.seed}): {failed} failed\n")
    return int(failed > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long; every place once where it is not given")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--act", action="append", choices=list(ACTS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many run at once")
    parser.add_argument("--every-open", action="store_true", help="kills at the interpreter's opens too")
    parser.add_argument("--cut", nargs=3, metavar=("KIND", "CALL", "N"), help="one cut again")
    return parser.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())

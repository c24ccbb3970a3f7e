"""`python -m fuzz [--seconds N] [TARGET ...]`: every target for its share of the time, then a report.

`python -m fuzz --again FILE` runs a saved input once more. The exit code is 1 if anything was found; what
was found is under fuzz/found/crashes, and what the runs learned under fuzz/found/corpus.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from fuzz.targets import TARGETS

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "fuzz" / "found"
SECONDS_DEFAULT: Final = 60
_STAT: Final = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_SHOWN_CHARS: Final = 4000
say: Final = partial(print, flush=True)


@dataclass(frozen=True)
class Run:
    """What a run of one target did."""

    name: str
    executions: int
    per_second: int
    corpus: int
    crashes: tuple[Path, ...]
    words: str


def fuzz(name: str, seconds: int) -> Run:
    """Fuzzes one target for so long."""
    crashes = FOLDER / "crashes"
    before = set(crashes.glob(f"{name}-*"))
    command = [sys.executable, "-m", "fuzz.child", name, str(FOLDER), str(seconds)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)  # noqa: S603  # ourselves
    said = (done.stdout + done.stderr).decode(errors="replace")
    stats = {stat: int(number) for stat, number in _STAT.findall(said)}
    found = tuple(sorted(set(crashes.glob(f"{name}-*")) - before))
    return Run(
        name=name,
        executions=stats.get("number_of_executed_units", 0),
        per_second=stats.get("average_exec_per_sec", 0),
        corpus=len(list((FOLDER / "corpus" / name).iterdir())),
        crashes=found,
        words=said if found or done.returncode or not stats else "",
    )


def main() -> int:
    """Prints a line per target as it ends."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS_DEFAULT, help="for all targets together")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run a saved input once more")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default"
    )
    options = parser.parse_args()
    if options.again:
        TARGETS[options.again.name.partition("-")[0]].run(options.again.read_bytes())
        say("nothing was found with this input")
        return 0
    if unknown := set(options.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = options.targets or list(TARGETS)
    for folder in (FOLDER / "crashes", *(FOLDER / "corpus" / name for name in names)):
        folder.mkdir(parents=True, exist_ok=True)
    say(f"{'TARGET':10}{'EXECUTIONS':>12}{'PER SECOND':>12}{'CORPUS':>8}{'CRASHES':>9}")
    runs = []
    for name in names:
        run = fuzz(name, max(1, options.seconds // len(names)))
        runs.append(run)
        say(f"{name:10}{run.executions:12,}{run.per_second:12,}{run.corpus:8,}{len(run.crashes):9}")
    return _tell(runs)


def _tell(runs: list[Run]) -> int:
    wrong = [run for run in runs if run.words]
    for run in wrong:
        say(f"\n{run.name}:\n{run.words[-_SHOWN_CHARS:]}")
        for crash in run.crashes:
            say(f"saved: {crash.relative_to(ROOT)} (python -m fuzz --again FILE)")
    total = sum(run.executions for run in runs)
    say(f"\n{total:,} executions, {sum(len(run.crashes) for run in runs)} crashes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

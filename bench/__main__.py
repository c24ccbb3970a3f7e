"""`python -m bench [--json | --markdown] [--quick]`: tables. Nothing is asserted about time."""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from bench import imports, libraries, service, tokens
from bench.contenders import NAMES
from jwturn.cli.output import table

Rows: TypeAlias = list[tuple[str, ...]]
Table: TypeAlias = tuple[str, tuple[str, ...], Rows]
"""A title, the heads, the rows."""
Results: TypeAlias = dict[str, list[Any]]
_ROUNDS: Final = 31
_QUICK_ROUNDS: Final = 5


def main() -> None:
    """Measures everything; --quick takes a tenth of the time and is a tenth as steady."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    shown.add_argument("--markdown", action="store_true", help="print tables for the documentation")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    results = _measured(_QUICK_ROUNDS if options.quick else _ROUNDS, quick=options.quick)
    if options.json:
        print(json.dumps({name: [asdict(one) for one in found] for name, found in results.items()}))
        return
    print(f"Python {platform.python_version()} on {_processor()}, {datetime.now(UTC):%Y-%m-%d}; medians\n")
    for title, heads, rows in _tables(results):
        print(title, end="\n\n" if options.markdown else "\n")
        print(_markdown(heads, rows) if options.markdown else table(heads, rows), end="\n\n")


def _measured(rounds: int, *, quick: bool) -> Results:
    with tempfile.TemporaryDirectory(prefix="jwturn-bench-") as made:
        folders = [Path(made, name) for name in ("tokens", "imports", "service")]
        for folder in folders:
            folder.mkdir()
        return {
            "libraries": libraries.measure(rounds=rounds),
            "repeated": libraries.measure_repeated(rounds=rounds),
            "threads": libraries.measure_threads(seconds=0.01 if quick else 0.2),
            "tokens": tokens.measure(folders[0], rounds=rounds),
            "starts": imports.measure(folders[1], rounds=min(rounds, 9)),
            "service": service.measure(folders[2], seconds=0.5 if quick else 4.0),
        }


def _tables(results: Results) -> Iterator[Table]:
    for what in (libraries.SIGN, libraries.VERIFY):
        lines = [line for line in results["libraries"] if line.what == what]
        yield f"{what}, microseconds for a fresh token: total (above the raw primitive)", *_side(lines)
    yield _repeated(results["repeated"])
    yield _threads(results["threads"])
    yield _primitives(results["tokens"])
    yield _starts(results["starts"])
    yield _rates(results["service"])


def _side(lines: Sequence[libraries.Line]) -> tuple[tuple[str, ...], Rows]:
    """Libraries beside each other, algorithms in columns."""
    cells = {(line.library, line.alg): line for line in lines}
    algs = list(dict.fromkeys(line.alg for line in lines))
    rows: Rows = []
    for name in (libraries.RAW, *NAMES):
        found = [cells.get((name, alg)) for alg in algs]
        shown = ["" if one is None else f"{one.total:.1f} ({one.over:+.1f})" for one in found]
        rows += [(name, *shown)] if any(shown) else []
    return ("LIBRARY", *algs), rows


def _repeated(found: Sequence[libraries.Repeated]) -> Table:
    rows: Rows = [(one.alg, str(one.characters), f"{one.micros:.2f}", "1") for one in found]
    return "A token that comes again", ("ALG", "CHARACTERS", "MICROSECONDS", "BUDGET"), rows


def _threads(found: Sequence[libraries.Threads]) -> Table:
    rows: Rows = [(one.alg, one.library, f"{one.one:,.0f}", f"{one.two:,.0f}") for one in found]
    return "Fresh tokens verified a second", ("ALG", "LIBRARY", "ONE THREAD", "TWO THREADS"), rows


def _primitives(found: Sequence[tokens.Row]) -> Table:
    rows: Rows = [
        (
            row.alg,
            row.what,
            *(f"{number:.1f}" for number in (row.raw, row.ours, row.over)),
            f"{row.ours / row.raw:.2f}",
            f"{row.budget:.0f}" if row.budget else "",
        )
        for row in found
    ]
    heads = ("ALG", "OPERATION", "RAW", "OURS", "OVER", "RATIO", "BUDGET OVER")
    return "Against the raw primitive, microseconds", heads, rows


def _starts(found: Sequence[imports.Start]) -> Table:
    rows: Rows = [(one.what, f"{one.over:.0f}", f"{one.budget:.0f}") for one in found]
    title = f"Starts, milliseconds beyond the interpreter's {found[0].interpreter:.0f}"
    return title, ("START", "OVER", "BUDGET"), rows


def _rates(found: Sequence[service.Rate]) -> Table:
    one = found[0].per_second
    rows: Rows = [
        (
            rate.what,
            f"{rate.per_second:,.0f}",
            f"{rate.per_second * rate.items:,.0f}",
            f"{rate.cpu_micros:,.0f}",
            f"{rate.per_second * rate.items / one:.2f}",
        )
        for rate in found
    ]
    heads = ("REQUEST", "PER SECOND", "ITEMS PER SECOND", "CPU us EACH", "RATIO TO SIGN")
    return "Service (ES256), one process; the client shares the machine", heads, rows


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[head.lower() for head in heads], ["---", *("---:" for _ in heads[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors"


if __name__ == "__main__":
    main()

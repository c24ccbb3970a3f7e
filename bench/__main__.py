"""`python -m bench [--json] [--quick]`: three tables, or one JSON object. Nothing is asserted about time."""

import argparse
import json
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import imports, service, tokens
from jwturn.cli.output import table


def main() -> None:
    """Measures everything; --quick takes a tenth of the time and is a tenth as steady."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    rounds = 5 if options.quick else 31
    with tempfile.TemporaryDirectory(prefix="jwturn-bench-") as made:
        folders = [Path(made, name) for name in ("tokens", "imports", "service")]
        for folder in folders:
            folder.mkdir()
        rows = tokens.measure(folders[0], rounds=rounds)
        starts = imports.measure(folders[1], rounds=min(rounds, 9))
        rates = service.measure(folders[2], seconds=0.5 if options.quick else 4.0)
    if options.json:
        members = {
            "tokens": [asdict(row) for row in rows],
            "starts": [asdict(one) for one in starts],
            "service": [asdict(rate) for rate in rates],
        }
        print(json.dumps(members))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}; medians; microseconds per operation\n")
    _tell_tokens(rows)
    _tell_starts(starts)
    _tell_rates(rates)


def _tell_tokens(rows: list[tokens.Row]) -> None:
    lines = [
        (
            row.alg,
            row.what,
            *(f"{number:.1f}" for number in (row.raw, row.ours, row.over)),
            f"{row.ours / row.raw:.2f}",
            f"{row.budget:.0f}" if row.budget else "",
        )
        for row in rows
    ]
    print(table(("ALG", "OPERATION", "RAW", "OURS", "OVER", "RATIO", "BUDGET OVER"), lines), end="\n\n")


def _tell_starts(starts: list[imports.Start]) -> None:
    lines = [(one.what, f"{one.over:.0f}", f"{one.budget:.0f}") for one in starts]
    print(f"Starts, milliseconds beyond the interpreter's {starts[0].interpreter:.0f}")
    print(table(("START", "OVER", "BUDGET"), lines), end="\n\n")


def _tell_rates(rates: list[service.Rate]) -> None:
    one = rates[0].per_second
    lines = [
        (
            rate.what,
            f"{rate.per_second:,.0f}",
            f"{rate.per_second * rate.items:,.0f}",
            f"{rate.cpu_micros:,.0f}",
            f"{rate.per_second * rate.items / one:.2f}",
        )
        for rate in rates
    ]
    print("Service (ES256), one process; the client shares the machine")
    print(table(("REQUEST", "PER SECOND", "ITEMS PER SECOND", "CPU us EACH", "RATIO TO SIGN"), lines))


if __name__ == "__main__":
    main()

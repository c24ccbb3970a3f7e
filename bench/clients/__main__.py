"""`python -m bench.clients`: five behaviours of every client at hand, then a flood of made-up kids.

Clients that are not installed are left out, and how to get them is said on standard error.
"""

import argparse
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.clients.behaviours import BEHAVIOURS, Finding, tried
from bench.clients.clients import JOSE_FOLDER, Kind, Times, kinds, pyjwt_of, verifier_of
from bench.clients.flood import Flood, Latency, Verify, measure
from bench.clients.issuer import Loopback, Trial
from jwturn.cli.output import table

FLOOD_SECONDS: Final = 60.0
KIDS_PER_MINUTE: Final = 10_000
FLOODED: Final[dict[str, Callable[[Trial], Verify]]] = {
    "jwturn Verifier": lambda trial: verifier_of(trial, Times()).verify,
    "PyJWT PyJWKClient": lambda trial: pyjwt_of(trial, Times()),
}

Draw = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def main() -> None:
    """Runs what was asked for and prints it as tables, as Markdown or as one JSON object."""
    options = _options()
    logging.disable(logging.CRITICAL)
    found, absent = kinds(options.jose)
    for words in absent:
        print(words, file=sys.stderr)
    with Loopback() as issuer:
        findings = [] if options.only == "flood" else behaviours(found, issuer)
        floods = [] if options.only == "behaviours" else flooded(issuer, seconds=options.seconds)
    if options.json:
        members = {
            **machine(),
            "clients": {kind.name: kind.version for kind in found},
            "absent": absent,
            "behaviours": [asdict(finding) for finding in findings],
            "floods": [asdict(flood) for flood in floods],
        }
        print(json.dumps(members))
        return
    draw: Draw = markdown if options.markdown else table
    print(", ".join(f"{name} {value}" for name, value in machine().items()), end="\n\n")
    if findings:
        print(behaviour_table(found, findings, draw), end="\n\n")
    if floods:
        print(flood_tables(floods, draw))


def behaviours(found: Sequence[Kind], issuer: Loopback) -> list[Finding]:
    """All clients at the same time: each has sets of its own, and most of it is waiting."""
    with ThreadPoolExecutor(len(found)) as pool:
        return [
            finding for all_five in pool.map(lambda kind: tried(kind, issuer), found) for finding in all_five
        ]


def flooded(issuer: Loopback, *, seconds: float) -> list[Flood]:
    """One client after the other, at the rate of 10,000 made-up kids a minute."""
    kids = round(KIDS_PER_MINUTE * seconds / 60)
    return [measure(name, made, issuer, seconds=seconds, kids=kids) for name, made in FLOODED.items()]


def machine() -> dict[str, object]:
    """What the figures were taken on, and when."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def behaviour_table(found: Sequence[Kind], findings: Sequence[Finding], draw: Draw) -> str:
    """A row for each client: yes or no, and the fetches that its issuer counted."""
    cells = {(finding.client, finding.behaviour): finding for finding in findings}
    rows = [
        (f"{kind.name} {kind.version}", *(_cell(cells[kind.name, behaviour]) for behaviour in BEHAVIOURS))
        for kind in found
    ]
    return draw(("client", *BEHAVIOURS), rows)


def flood_tables(floods: Sequence[Flood], draw: Draw) -> str:
    """What the flood caused, and what the good tokens saw of it."""
    caused = [
        (
            flood.client,
            f"{flood.kids:,} in {flood.seconds:.0f} s",
            str(flood.fetches),
            str(flood.good_refused),
            f"{flood.refusal_micros:.0f}",
        )
        for flood in floods
    ]
    seen = [
        (flood.client, one.slices, f"{one.tokens:,}", *(f"{micros:,.0f}" for micros in _micros(one)))
        for flood in floods
        for one in flood.latencies
    ]
    heads = ("client", "made-up kids", "fetches", "good tokens refused", "CPU us of a refusal")
    since_due = ("p50 since due", "p99 since due", "p99 of the median slice", "longest")
    names = ("client", "beside", "tokens", "p50", "p99", *since_due)
    return f"{draw(heads, caused)}\n\n{draw(names, seen)}"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as a page has it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(finding: Finding) -> str:
    count = f"{finding.fetches} fetch{'' if finding.fetches == 1 else 'es'}"
    return f"yes, {count}" if finding.passed else f"NO: {finding.words}, {count}"


def _micros(one: Latency) -> tuple[float, ...]:
    return one.verify_p50, one.verify_p99, one.due_p50, one.due_p99, one.due_p99_slice, one.due_max


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    parser.add_argument("--only", choices=("behaviours", "flood"), help="leave the other out")
    parser.add_argument("--seconds", type=float, default=FLOOD_SECONDS, help="of flood for each client (60)")
    parser.add_argument("--jose", type=Path, default=JOSE_FOLDER, help="the node_modules that has jose")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print tables for a page")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""`python -m tests.differential.page` writes the tables of docs/explain/differences.md again, from a run."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.differential.bad_keys import KID
from tests.differential.bad_keys import ROWS as BAD_KEYS
from tests.differential.importers import ours_takes, takes
from tests.differential.known import FORGED, STRICTER, Stricter
from tests.differential.known_keys import STRICTER_KEYS, StricterKey
from tests.differential.others import OTHERS, Judge, other, ours, verdict, verdict_of_ours
from tests.differential.world import MIXED

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "explain" / "differences.md"
PART: Final = re.compile(r"(<!-- measured: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Measured:
    """Of one rule: who accepts which of the things that break it."""

    rule: str
    source: str
    accepted_by: Mapping[str, tuple[str, ...]]


@cache
def tokens() -> tuple[Measured, ...]:
    """Every library's verdict on every forged token; `ours` is among the libraries."""
    judges: dict[str, Judge] = {library: other(library, MIXED) for library in OTHERS}
    our_judge = ours(MIXED)

    def accept(token: str) -> Iterator[str]:
        if verdict_of_ours(our_judge, token) is not None:
            yield "ours"
        yield from (library for library in OTHERS if verdict(judges[library], token) is not None)

    return tuple(
        Measured(row.rule, row.source, {name: tuple(accept(make())) for name, make in row.tokens.items()})
        for row in FORGED
    )


@cache
def keys() -> tuple[Measured, ...]:
    """Every library's verdict on every bad key."""

    def accept(data: bytes, alg: str) -> Iterator[str]:
        if ours_takes(data, KID, alg):
            yield "ours"
        yield from (library for library in OTHERS if takes(library, data, KID, alg))

    return tuple(
        Measured(
            row.rule, row.source, {name: tuple(accept(make(), alg)) for name, (alg, make) in row.sets.items()}
        )
        for row in BAD_KEYS
    )


def totals(measured: Iterable[Measured]) -> tuple[int, Counter[str]]:
    """How many there are, and how many of them each library accepts."""
    every = [accepted for one in measured for accepted in one.accepted_by.values()]
    return len(every), Counter(library for accepted in every for library in accepted)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(head), *(map(str, row) for row in rows)]
    shown = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in map(list, lines)
    ]
    return "\n".join([shown[0], re.sub(r"[^|]+", "---", shown[0]), *shown[1:]]) + "\n"


def _counts(measured: tuple[Measured, ...], what: str) -> str:
    names = ("ours", *OTHERS)

    def row(one: Measured) -> list[object]:
        count, accepted = totals([one])
        return [one.rule, one.source, count, *(accepted[name] for name in names)]

    count, accepted = totals(measured)
    head = ("rule", "source", what, "ours", *(f"{name} {version(name)}" for name in OTHERS))
    last = ["**all**", "", f"**{count}**", *(f"**{accepted[name]}**" for name in names)]
    return _table(head, [*map(row, measured), last])


def _details(measured: tuple[Measured, ...], what: str) -> str:
    rows = []
    for one in measured:
        by: dict[tuple[str, ...], list[str]] = {}
        for name, accepted in one.accepted_by.items():
            by.setdefault(accepted, []).append(name)
        rows += [
            (one.rule, "; ".join(names), ", ".join(accepted)) for accepted, names in by.items() if accepted
        ]
    return _table(("rule", what, "accepted by"), rows)


def _stricter(rows: Iterable[Stricter | StricterKey], what: str) -> str:
    return _table(
        (what, "refused by", "why we accept it"),
        ((row.what, ", ".join(sorted(row.refused_by)), row.why) for row in rows),
    )


PARTS: Final = {
    "tokens": lambda: _counts(tokens(), "tokens"),
    "which tokens": lambda: _details(tokens(), "tokens"),
    "tokens we accept": lambda: _stricter(STRICTER, "token"),
    "keys": lambda: _counts(keys(), "keys"),
    "which keys": lambda: _details(keys(), "keys"),
    "keys we accept": lambda: _stricter(STRICTER_KEYS, "key"),
}


def drawn(page: str) -> str:
    """The page with its tables as they are measured now."""
    return PART.sub(lambda found: found[1] + PARTS[found[2]]() + found[3], page)


if __name__ == "__main__":
    before = PAGE.read_text("utf-8")
    after = drawn(before)
    PAGE.write_text(after, "utf-8")
    sys.stdout.write(f"{PAGE.name}: {'as it was' if after == before else 'written again'}\n")

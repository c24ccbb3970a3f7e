"""How things look: tables, relative times, short kids."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import click

from jwturn.core.durations import format_duration

KID_CHARS: Final = 8
COLORS: Final = {
    "active": "green",
    "standby": "cyan",
    "verify-only": "blue",
    "revoked": "red",
    "retired": "black",
}
_SECOND: Final = timedelta(seconds=1)
_UNITS: Final = (
    (timedelta(days=2), timedelta(hours=1)),
    (timedelta(hours=1), timedelta(minutes=1)),
    (_SECOND, _SECOND),
)


def relative(at: datetime, now: datetime) -> str:
    """`in 6d 2h`, `3d ago`, or `now`."""
    gap = at - now
    if abs(gap) < _SECOND:
        return "now"
    words = about(abs(gap))
    return f"in {words}" if gap > timedelta() else f"{words} ago"


def about(span: timedelta) -> str:
    """A length of time to two units that stand side by side: `87d 4h`, `24h 42m`, `3m 5s`."""
    for least, unit in _UNITS:
        if span >= least:
            return format_duration(round(span / unit) * unit)
    return format_duration(span)


def moment(at: datetime) -> str:
    """`2026-11-23 12:30:05Z`."""
    return f"{at:%Y-%m-%d %H:%M:%SZ}"


def when(at: datetime, now: datetime) -> str:
    """Both: `2026-11-23 12:30:05Z (in 6d 2h)`."""
    return f"{moment(at)} ({relative(at, now)})"


def short_kids(kids: Iterable[str], *, wide: bool = False) -> Mapping[str, str]:
    """Each kid as it is shown: its first 8 characters, more where two would look alike."""
    known = list(kids)
    return {kid: kid if wide else _short(kid, known) for kid in known}


def _short(kid: str, known: Sequence[str]) -> str:
    others = [other for other in known if other != kid]
    for length in range(KID_CHARS, len(kid)):
        if not any(other.startswith(kid[:length]) for other in others):
            return kid[:length]
    return kid


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "  ", color: bool = False
) -> str:
    """Columns with two blanks between; cells that name a state are coloured if `color`."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(_line(line, widths, indent=indent, color=color) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], *, indent: str, color: bool) -> str:
    padded = zip((_cell(cell, color=color) for cell in cells), cells, widths, strict=True)
    return indent + "  ".join(shown + " " * (width - len(cell)) for shown, cell, width in padded).rstrip()


def _cell(cell: str, *, color: bool) -> str:
    return click.style(cell, fg=COLORS[cell]) if color and cell in COLORS else cell


def count(number: int, noun: str) -> str:
    """`1 token`, `41,870 tokens`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

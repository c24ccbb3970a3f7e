"""Durations as people write them: `24h`, `90d`, `1h30m`, `250ms`, and back.

What is printed rounds up, as every promised time does, and can be read again.
"""

import re
from datetime import timedelta
from typing import Final

from jwturn.core.errors import BadInput

UNITS: Final[dict[str, timedelta]] = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
DURATION_MAX: Final = timedelta(days=36_500)

_ONE: Final = re.compile(r" ?([0-9]{1,9})(ms|[wdhms])")
_ALL: Final = re.compile(rf"(?! )(?:{_ONE.pattern})+")
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)


def parse_duration(text: str) -> timedelta:
    """The duration in a text such as `1h30m`: whole numbers, each unit once, the larger first.

    Raises BadInput `duration_malformed`; a hundred years is the most.
    """
    pairs = _ONE.findall(text) if _ALL.fullmatch(text) else []
    order = [list(UNITS).index(unit) for _, unit in pairs]
    if not pairs or order != sorted(set(order)):
        raise _refused(text, "it is not a duration")
    milliseconds = sum(int(count) * (UNITS[unit] // _MILLISECOND) for count, unit in pairs)
    if milliseconds > DURATION_MAX // _MILLISECOND:
        raise _refused(text, "it is more than a hundred years")
    return timedelta(milliseconds=milliseconds)


def format_duration(duration: timedelta, *, parts: int = 4) -> str:
    """The duration in words, in at most `parts` units, rounded up: `24h 41m 58s`; days from two on."""
    if duration < timedelta():
        return "-" + format_duration(-duration, parts=parts)
    if duration < _SECOND:
        milliseconds = -(-duration // _MILLISECOND)
        if milliseconds < 1000:
            return f"{milliseconds}ms" if milliseconds else "0s"
    seconds = -(-duration // _SECOND)
    counts = _counts(seconds)
    while len(shown := [(count, unit) for count, unit in counts if count]) > parts:
        size = int(UNITS[shown[parts - 1][1]].total_seconds())
        seconds = -(-seconds // size) * size
        counts = _counts(seconds)
    return " ".join(f"{count}{unit}" for count, unit in shown)


def _counts(seconds: int) -> list[tuple[int, str]]:
    days, rest = divmod(seconds, 86_400) if seconds >= 2 * 86_400 else (0, seconds)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]


def _refused(text: str, why: str) -> BadInput:
    return BadInput(
        f"{text[:40]!r} was refused: {why}",
        code="duration_malformed",
        hint="write it as 24h, 90d, 1h30m or 250ms (units w, d, h, m, s, ms)",
    )

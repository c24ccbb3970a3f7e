"""Durations are read strictly and printed rounded up."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.durations import DURATION_MAX, format_duration, parse_duration
from jwturn.core.errors import BadInput


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("24h", timedelta(hours=24)),
        ("90d", timedelta(days=90)),
        ("1h30m", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("24h 41m 58s", timedelta(hours=24, minutes=41, seconds=58)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta()),
        ("90m", timedelta(minutes=90)),
        ("36500d", DURATION_MAX),
    ],
)
def test_a_duration_is_read(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "h",
        "-5m",
        "+5m",
        "1.5h",
        "5M",
        "1 h",
        " 1h",
        "1h ",
        "1h  2m",
        "30m1h",
        "1h1h",
        "1y",
        "inf",
        "1h2",
        "٣h",
        "36501d",
        "999999999w",
        "9999999999s",
        "1h\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_duration(text)
    assert caught.value.code == "duration_malformed"
    assert "24h" in caught.value.hint


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=24, minutes=41, seconds=57, milliseconds=1), "24h 41m 58s"),
        (timedelta(minutes=49, seconds=5.5), "49m 6s"),
        (timedelta(days=90), "90d"),
        (timedelta(hours=24), "24h"),
        (timedelta(hours=47, minutes=59, seconds=59.5), "2d"),
        (timedelta(days=6, hours=2), "6d 2h"),
        (timedelta(days=2, seconds=1), "2d 1s"),
        (timedelta(), "0s"),
        (timedelta(microseconds=1), "1ms"),
        (timedelta(milliseconds=250), "250ms"),
        (timedelta(microseconds=999_001), "1s"),
        (timedelta(seconds=1), "1s"),
        (timedelta(seconds=-90), "-1m 30s"),
    ],
)
def test_a_duration_is_printed_rounded_up(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("parts", "text"), [(1, "25h"), (2, "24h 42m"), (3, "24h 41m 58s"), (4, "24h 41m 58s")]
)
def test_fewer_parts_round_up_too(parts: int, text: str) -> None:
    assert format_duration(timedelta(hours=24, minutes=41, seconds=58), parts=parts) == text


def test_rounding_carries() -> None:
    assert format_duration(timedelta(hours=1, minutes=59, seconds=59), parts=2) == "2h"
    assert format_duration(timedelta(days=2, hours=23, minutes=59), parts=1) == "3d"


@given(st.timedeltas(timedelta(), DURATION_MAX), st.integers(1, 4))
def test_what_is_printed_reads_back_no_shorter(duration: timedelta, parts: int) -> None:
    text = format_duration(duration, parts=parts)
    assert len(text.split()) <= parts
    if duration < DURATION_MAX - timedelta(days=1):
        assert duration <= parse_duration(text)
        assert format_duration(parse_duration(text), parts=parts) == text


@given(st.text("0123456789wdhms .", max_size=12))
def test_nothing_but_bad_input_leaves(text: str) -> None:
    try:
        duration = parse_duration(text)
    except BadInput:
        return
    assert timedelta() <= duration <= DURATION_MAX

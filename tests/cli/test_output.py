"""How things look: times, kids, tables, colours."""

from datetime import UTC, datetime, timedelta

import pytest

from jwturn.cli import output
from jwturn.cli.main import run
from tests.cli.stage import Stage, Stream, in_place

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (0.9, "now"),
        (-0.9, "now"),
        (5, "in 5s"),
        (-5, "5s ago"),
        (185, "in 3m 5s"),
        (3_600, "in 1h"),
        (88_918, "in 24h 42m"),
        (525_600, "in 6d 2h"),
        (90 * 86_400 + 1, "in 90d"),
        (-3 * 86_400, "3d ago"),
        (172_799.6, "in 2d"),
    ],
)
def test_relative_times_have_two_units_that_stand_side_by_side(seconds: float, words: str) -> None:
    assert output.relative(NOW + timedelta(seconds=seconds), NOW) == words


def test_absolute_times_are_utc() -> None:
    assert output.when(NOW + timedelta(hours=2), NOW) == "2030-01-01 02:00:00Z (in 2h)"


def test_kids_are_shown_by_eight_characters_and_more_where_two_look_alike() -> None:
    shown = output.short_kids(["b7Jm2kQe9Zx", "xK9dQ41cAAA", "xK9dQ41cABB", "2024-07"])
    assert list(shown.values()) == ["b7Jm2kQe", "xK9dQ41cAA", "xK9dQ41cAB", "2024-07"]


def test_kids_are_whole_when_asked() -> None:
    assert list(output.short_kids(["b7Jm2kQe9Zx"], wide=True).values()) == ["b7Jm2kQe9Zx"]


def test_a_kid_that_begins_another_is_whole() -> None:
    shown = output.short_kids(["key-of-2024", "key-of-2024-07"])
    assert list(shown.values()) == ["key-of-2024", "key-of-2024-"]


def test_tables_are_aligned_and_end_without_blanks() -> None:
    assert output.table(("A", "LONG", ""), [("1", "2", ""), ("333", "4", "x")]) == (
        "  A    LONG\n  1    2\n  333  4     x"
    )


def test_only_the_cell_that_names_a_state_is_coloured() -> None:
    line = output.table(("S", "N"), [("active", "it was active once")], color=True).splitlines()[1]
    assert line.count("\x1b[") == 2
    assert line.endswith("it was active once")


@pytest.mark.parametrize(("number", "words"), [(0, "0 tokens"), (1, "1 token"), (41_870, "41,870 tokens")])
def test_counts_are_words(number: int, words: str) -> None:
    assert output.count(number, "token") == words


def status_at_a_terminal(stage: Stage, *arguments: str) -> str:
    out, err = Stream(terminal=True), Stream()
    with in_place(stage.folder, Stream(), out, err):
        assert run([*arguments, "status"], clock=stage.clock) == 0
    return out.text()


def test_a_terminal_sees_colours_and_a_pipe_does_not(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mactive\x1b[0m" in status_at_a_terminal(stage)
    assert "\x1b[" not in stage.jwturn("status").out


def test_nobody_sees_colours_who_does_not_want_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in status_at_a_terminal(stage, "--no-color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in status_at_a_terminal(stage)

"""Every page is true: its commands print what it says, its scripts run, its links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs import draw
from jwturn.core.states import LAW, KeyState
from tests.docs.page import ROOT, Command, commands, everything, items, known, line_matches, matches
from tests.docs.reader import Reader

PAGES = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in everything()}
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"`((?:tests|src)/[\w/]+\.py)::(test_\w+)`")
FENCE = re.compile(r"^```(?!$)(\w+)", re.MULTILINE)


@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if list(items(text))])
def test_a_reader_who_does_what_the_page_says_sees_what_it_says(name: str, tmp_path: Path) -> None:
    reader = Reader(name, tmp_path)
    try:
        reader.read(PAGES[name])
    finally:
        reader.stop()


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file(name: str) -> None:
    folder = (ROOT / name).parent
    assert [link for link in LINK.findall(PAGES[name]) if not (folder / link).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_run_or_known_as_text(name: str) -> None:
    assert set(FENCE.findall(PAGES[name])) <= {"console", "python", "toml", "ini", "mermaid", "text"}


def test_every_page_is_linked_from_the_list_of_pages() -> None:
    listed = {(ROOT / "docs" / link).resolve() for link in LINK.findall(PAGES["docs/README.md"])}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"}
    assert pages - listed == set()


def test_what_is_drawn_from_the_code_is_as_the_code_is() -> None:
    assert draw.main(["--check"]) == 0


def test_every_part_that_can_be_drawn_is_on_a_page() -> None:
    on_pages = [found[1] for text in PAGES.values() for found in draw.PART.finditer(text)]
    assert sorted(on_pages) == sorted(draw.PARTS)


def test_a_page_that_is_out_of_date_is_noticed_and_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- drawn: states -->\nold\n<!-- end of states -->\nafter\n")
    monkeypatch.setattr(draw, "DOCS", page.parent)
    assert draw.main(["--check"]) == 2
    assert draw.main([]) == 0
    assert "standby --> active: promote" in page.read_text()
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("after\n")
    assert draw.main(["--check"]) == 0


def test_the_glossary_has_every_state_and_every_act_of_the_law() -> None:
    words = set(re.findall(r"^\| ([^|]+) \|", PAGES["docs/glossary.md"], re.MULTILINE))
    acts = {act.removesuffix(" is over") for act in LAW.values()}
    assert {*KeyState, *acts} - words == set()


def rooms() -> dict[str, str]:
    """The rooms of ARCHITECTURE.md, each with what the page says of it."""
    rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", PAGES["ARCHITECTURE.md"], re.MULTILINE)
    return dict(rows)


def test_the_map_has_a_line_for_every_room() -> None:
    there = {path.name for path in (ROOT / "src" / "jwturn").iterdir() if path.name[0] not in "_."}
    assert rooms().keys() == there - {"py.typed"}


@pytest.mark.parametrize("room", ["core", "ports", "custody", "stores", "service", "verifier"])
def test_the_map_names_every_module_of_a_room_of_rules(room: str) -> None:
    modules = {path.stem for path in (ROOT / "src" / "jwturn" / room).glob("[a-z]*.py")}
    assert modules - set(re.findall(r"`(\w+)", rooms()[room])) == set()


def test_commands_are_cut_from_what_they_print() -> None:
    block = "$ jwturn sign \\\n  --ttl 5m\neyJ...\n$ echo $?\n0\n"
    assert commands(block) == [Command("jwturn sign \\\n  --ttl 5m", ("eyJ...",)), Command("echo $?", ("0",))]


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("b7Jm2kQe  ES256", "aaaaBBB1 ES256", True),
        ("b7Jm2kQe  ES256", "aaaaBBB1 RS256", False),
        ("in 24h 42m", "in 24h 41m", False),
        ("eyJ...", "eyJhbGciOi", True),
        ("standby", "active", False),
        ("a (b) [c]", "a (b) [c]", True),
    ],
)
def test_a_line_is_as_the_page_says_but_for_kids_and_dots(said: str, printed: str, same: bool) -> None:
    assert line_matches(said, printed, {}) is same


def test_a_kid_of_the_page_is_the_same_key_everywhere() -> None:
    kids: dict[str, str] = {}
    assert matches(("key b7Jm2kQe", "..."), ["key aaaaBBB1", "x", "y"], kids)
    assert kids == {"b7Jm2kQe": "aaaaBBB1"}
    assert known("jwturn revoke b7Jm2kQe", kids) == "jwturn revoke aaaaBBB1"
    assert not matches(("key b7Jm2kQe",), ["key ccccDDD2"], kids)
    assert not matches(("key xK9dQ41c",), ["key aaaaBBB1"], kids)


def test_lines_that_are_missing_or_too_many_are_noticed() -> None:
    assert not matches(("one", "two"), ["one"], {})
    assert not matches(("one",), ["one", "two"], {})
    assert matches(("one", "...", "four"), ["one", "two", "three", "four"], {})


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n```\n",
        "```python\nassert 1 == 2\n```\n",
        "<!-- test: $ false -->\n",
    ],
)
def test_a_page_that_is_not_true_is_noticed(page: str, tmp_path: Path) -> None:
    reader = Reader("page", tmp_path)
    with pytest.raises(AssertionError, match="page:1"):
        reader.read(page)


def test_every_test_that_a_page_names_exists() -> None:
    named = {found for text in PAGES.values() for found in NAMED.findall(text)}
    assert len(named) > 30
    missing = [
        f"{path}::{test}" for path, test in named if f"def {test}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert missing == []

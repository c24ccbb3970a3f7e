"""Every row of SECURITY.md has tests that carry its name, and every test here belongs to a row."""

import ast
from pathlib import Path

import pytest

from tests.security.rows import ROWS, prefix

HERE = Path(__file__).parent


def names_in(section: str) -> list[str]:
    tree = ast.parse((HERE / f"{section}.py").read_text())
    return [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def belongs(name: str, row: str) -> bool:
    return name == prefix(row) or name.startswith(prefix(row) + "_")


@pytest.mark.parametrize(
    ("section", "row"), [(section, row) for section, rows in ROWS.items() for row in rows]
)
def test_every_row_has_tests_named_after_it(section: str, row: str) -> None:
    assert [name for name in names_in(section) if belongs(name, row)]


@pytest.mark.parametrize("section", ROWS)
def test_every_test_of_a_section_belongs_to_one_row(section: str) -> None:
    for name in names_in(section):
        assert len([row for row in ROWS[section] if belongs(name, row)]) == 1, name


def test_every_section_is_listed() -> None:
    assert sorted(path.stem for path in HERE.glob("test_[0-9]_*.py")) == sorted(ROWS)


def test_a_name_that_only_begins_alike_belongs_to_no_row() -> None:
    assert belongs("test_crit_is_refused_in_any_form", "crit is refused")
    assert not belongs("test_crit_is_refused2", "crit is refused")

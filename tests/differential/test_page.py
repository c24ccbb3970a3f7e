"""The page docs/explain/differences.md says what the tables say; ours accepts nothing it must refuse."""

import pytest

from tests.differential.forging import Row
from tests.differential.known import FORGED
from tests.differential.others import OTHERS
from tests.differential.page import PAGE, PART, PARTS, drawn, keys, tokens, totals


def test_ours_accepts_none_of_the_tokens_that_must_be_refused() -> None:
    accepted = {name: one.rule for one in tokens() for name, by in one.accepted_by.items() if "ours" in by}
    assert accepted == {}


def test_ours_uses_none_of_the_keys_that_must_not_be_used() -> None:
    assert {name: one.rule for one in keys() for name, by in one.accepted_by.items() if "ours" in by} == {}


def test_the_others_accept_some_so_that_the_comparison_says_something() -> None:
    for measured in (tokens(), keys()):
        count, accepted = totals(measured)
        assert all(0 < accepted[library] < count for library in OTHERS)


@pytest.mark.parametrize("row", FORGED, ids=lambda row: row.rule)
def test_every_forged_token_is_one_of_its_own(row: Row) -> None:
    made = [make() for make in row.tokens.values()]
    assert len(set(made)) == len(made)


def test_the_page_is_as_the_tables_are() -> None:
    text = PAGE.read_text("utf-8")
    assert drawn(text) == text, "run: python -m tests.differential.page"


def test_every_table_is_on_the_page() -> None:
    assert sorted(found[2] for found in PART.finditer(PAGE.read_text("utf-8"))) == sorted(PARTS)

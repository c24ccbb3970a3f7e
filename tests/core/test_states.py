"""The law of states, whole."""

from itertools import product

import pytest

from jwturn.core.states import (
    ACTIVE,
    BEGINNINGS,
    LAW,
    PUBLISHED,
    RETIRED,
    REVOKED,
    STANDBY,
    VERIFY_ONLY,
    KeyState,
    allows,
)


def test_the_law_is_the_designs_table() -> None:
    assert {move: LAW[move] for move in LAW} == {
        (STANDBY, ACTIVE): "promote",
        (STANDBY, REVOKED): "revoke",
        (STANDBY, RETIRED): "discard",
        (ACTIVE, VERIFY_ONLY): "superseded",
        (ACTIVE, REVOKED): "revoke",
        (VERIFY_ONLY, ACTIVE): "roll back",
        (VERIFY_ONLY, REVOKED): "revoke",
        (VERIFY_ONLY, RETIRED): "tail is over",
        (REVOKED, RETIRED): "tail is over",
    }


@pytest.mark.parametrize(("before", "after"), list(product(KeyState, KeyState)))
def test_only_moves_of_the_table_are_allowed(before: KeyState, after: KeyState) -> None:
    assert allows(before, after) == ((before, after) in LAW)


def test_nothing_leaves_retired_and_revoked_only_retires() -> None:
    assert not any(allows(RETIRED, state) for state in KeyState)
    assert [state for state in KeyState if allows(REVOKED, state)] == [RETIRED]


def test_every_state_is_reached_from_a_beginning() -> None:
    reached = set(BEGINNINGS)
    for _ in KeyState:
        reached |= {after for before, after in LAW if before in reached}
    assert reached == set(KeyState)


def test_published_is_what_verifiers_may_use() -> None:
    assert frozenset({STANDBY, ACTIVE, VERIFY_ONLY}) == PUBLISHED


def test_the_words_are_the_glossarys() -> None:
    assert [str(state) for state in KeyState] == ["standby", "active", "verify-only", "revoked", "retired"]

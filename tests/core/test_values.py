"""Values as people write them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.durations import DURATION_MAX
from jwturn.core.errors import BadInput
from jwturn.core.values import read_value, text


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (timedelta, "1h 30m", timedelta(minutes=90)),
        (timedelta, timedelta(1), timedelta(1)),
        (bool, "true", True),
        (bool, False, False),
        (int, "3072", 3072),
        (int, 0, 0),
        (float, "0.001", 0.001),
        (float, "1", 1.0),
        (float, 2, 2.0),
        (str, "x", "x"),
        (tuple[str, ...], "a, b", ("a", "b")),
        (tuple[str, ...], '["a","b:24h"]', ("a", "b:24h")),
        (tuple[str, ...], ["a"], ("a",)),
        (tuple[str, ...], "", ()),
    ],
)
def test_a_value_is_read_as_its_kind(kind: Any, value: object, found: object) -> None:
    assert read_value("name", kind, value) == found
    assert type(read_value("name", kind, value)) is type(found)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (timedelta, "12"),
        (timedelta, 12),
        (timedelta, "1x"),
        (bool, "yes"),
        (bool, "True"),
        (bool, 1),
        (int, "1.5"),
        (int, "-1"),
        (int, "1e3"),
        (int, "\u0663"),
        (int, True),
        (int, 1.0),
        (int, "9" * 30),
        (float, "nan"),
        (float, "inf"),
        (float, True),
        (str, ""),
        (str, 1),
        (tuple[str, ...], "a,,b"),
        (tuple[str, ...], "[1]"),
        (tuple[str, ...], "[broken"),
        (tuple[str, ...], [""]),
        (tuple[str, ...], 1),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(kind: Any, value: object) -> None:
    with pytest.raises(BadInput, match=r"^name") as refused:
        read_value("name", kind, value)
    assert refused.value.hint


@given(st.timedeltas(min_value=timedelta(), max_value=DURATION_MAX))
def test_a_duration_is_read_again_as_the_same_number(duration: timedelta) -> None:
    whole = duration // timedelta(milliseconds=1) * timedelta(milliseconds=1)
    assert read_value("name", timedelta, text(whole)) == whole


@given(st.lists(st.text("abc:019", min_size=1)))
def test_a_list_is_read_again(names: list[str]) -> None:
    assert read_value("name", tuple[str, ...], text(names)) == tuple(names)


@given(st.floats(min_value=0.0001, max_value=1))
def test_a_number_that_was_given_is_kept(number: float) -> None:
    assert read_value("name", float, number) == number


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_nothing_but_a_refusal_leaves(value: object) -> None:
    for kind in (timedelta, bool, int, float, str, tuple[str, ...]):
        try:
            read_value("name", kind, value)
        except BadInput as error:
            assert error.hint

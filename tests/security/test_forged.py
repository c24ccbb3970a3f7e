"""The whole corpus before every judge there is: nothing forged is accepted, nothing good is refused."""

from collections import Counter
from typing import Final

import pytest

from tests.security import forged, good
from tests.security.court import judged

MEASURED: Final = 453
"""As many forgeries as the libraries of SECURITY.md were measured with; each of them accepted some."""


@pytest.mark.parametrize("family", forged.FAMILIES, ids=forged.named)
def test_no_forgery_is_accepted_and_each_is_refused_for_its_own_fault(family: forged.Family) -> None:
    assert forged.complaints(family) == []


def test_there_are_4000_forgeries_where_other_libraries_fell_at_453() -> None:
    every = [one for family in forged.FAMILIES for one in forged.made(family)]
    twice = [name for name, times in Counter(one.name for one in every).items() if times > 1]
    distinct = len({repr(one.token) for one in every})
    assert twice == []
    assert distinct > 4000 > MEASURED


def test_every_good_token_is_accepted_by_every_judge() -> None:
    tokens = dict(good.every())
    assert len(tokens) > 150
    assert {name: code for name, token in tokens.items() if (code := judged(token))} == {}

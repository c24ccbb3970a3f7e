"""What a caller asks of a token never exceeds what the policy gives."""

from datetime import timedelta

import pytest

from jwturn.core.errors import BadInput
from jwturn.core.policy import RotationPolicy
from jwturn.service.asked import audience, lifetime

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("asked", "default", "lives"),
    [
        (None, None, 60 * MINUTE),
        (None, 5 * MINUTE, 5 * MINUTE),
        (None, 90 * MINUTE, 60 * MINUTE),
        (7 * MINUTE, 5 * MINUTE, 7 * MINUTE),
    ],
)
def test_a_token_lives_as_asked_or_by_default(
    asked: timedelta | None, default: timedelta | None, lives: timedelta
) -> None:
    assert lifetime(RotationPolicy(), asked, default) == lives


def test_a_ring_without_an_audience_leaves_it_to_the_caller() -> None:
    assert audience(RotationPolicy(), None) is None
    assert audience(RotationPolicy(), "api") == "api"


def test_a_ring_with_audiences_lets_the_caller_choose_among_them() -> None:
    policy = RotationPolicy(audience=("api", "web"))
    assert audience(policy, None) == ("api", "web")
    assert audience(policy, "web") == "web"
    with pytest.raises(BadInput) as refused:
        audience(policy, "bank")
    assert refused.value.code == "claims_reserved"

"""SECURITY.md section 9: the claims a caller may hand to the signer, and those that are set for it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.claims import RESERVED, Rules, check, prepare
from jwturn.core.errors import BadInput, Unavailable
from jwturn.core.strict_json import loads

NOW = 1_700_000_000
HOUR = timedelta(hours=1)
RULES = Rules(issuer="https://a.example", audience=frozenset({"orders"}))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)


def prepared(claims: Any, **options: Any) -> dict[str, Any]:
    given_: dict[str, Any] = {
        "issuer": "https://a.example",
        "now": NOW + 0.9,
        "ttl": HOUR,
        "ttl_max": HOUR,
        "jti": "j",
    }
    return prepare(claims, **(given_ | options))


def refusal(claims: Any, **options: Any) -> str:
    with pytest.raises(BadInput) as caught:
        prepared(claims, **options)
    assert caught.value.hint
    return caught.value.code


def test_the_signer_adds_its_claims() -> None:
    ours = {"iss": "https://a.example", "iat": NOW, "exp": NOW + 3600, "jti": "j"}
    assert prepared({"sub": "alice", "n": [1.5]}) == ours | {"sub": "alice", "n": [1.5]}
    assert prepared({}, audience="orders", nbf=True) == ours | {"aud": "orders", "nbf": NOW}
    assert prepared({}, audience=("b", "a"), jti=None)["aud"] == ["a", "b"]
    assert "jti" not in prepared({}, jti=None)
    assert prepared({}, now=datetime.fromtimestamp(NOW, UTC)) == ours


def test_what_the_signer_prepares_a_verifier_accepts() -> None:
    check(prepared({"sub": "alice"}, audience="orders", nbf=True), RULES, NOW)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_caller_may_not_set_reserved_claims(name: str) -> None:
    assert refusal({name: "x"}) == "claims_reserved"
    assert refusal({name: None}) == "claims_reserved"


def test_a_caller_may_set_aud_only_where_the_policy_does_not() -> None:
    assert prepared({"aud": ["orders"]})["aud"] == ["orders"]
    assert refusal({"aud": "orders"}, audience="orders") == "claims_reserved"


@pytest.mark.parametrize("claims", [{"sub": 1}, {"sub": None}, {"aud": 1}, {"aud": ["a", 1]}, {"aud": None}])
def test_a_callers_sub_and_aud_have_the_right_type(claims: dict[str, Any]) -> None:
    assert refusal(claims) == "claims_malformed"


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


def endless() -> dict[str, Any]:
    claims: dict[str, Any] = {}
    claims["a"] = claims
    return claims


@pytest.mark.parametrize(
    "claims",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": 10**20},
        {"a": b"bytes"},
        {"a": datetime(2020, 1, 1, tzinfo=UTC)},
        {"a": timedelta(1)},
        {"a": Decimal("1.5")},
        {"a": {1, 2}},
        {"a": (1, 2)},
        {"a": object()},
        {"a": "\ud800"},
        {"\ud800": 1},
        {1: "a"},
        {"a": {1: 2}},
        {1: "a", "1": "b"},
        {"a": nested(16)},
        {"a": "x" * 6144},
        endless(),
        [],
        "sub",
        None,
    ],
)
def test_claims_are_plain_json_of_bounded_depth_and_size(claims: Any) -> None:
    assert refusal(claims) == "claims_malformed"


def test_depth_and_size_may_reach_their_bound() -> None:
    assert prepared(nested(16))["iss"] == "https://a.example"
    assert prepared({"a": "x" * (6144 - len('{"a":""}'))})["iat"] == NOW
    assert prepared(MappingProxyType({"a": 1}))["a"] == 1


def test_the_callers_values_are_copied() -> None:
    claims = {"roles": ["a"]}
    full = prepared(claims)
    claims["roles"].append("admin")
    assert full["roles"] == ["a"]


@pytest.mark.parametrize("ttl", [timedelta(), timedelta(seconds=-5), timedelta(milliseconds=999), HOUR * 2])
def test_a_lifetime_is_within_a_second_and_the_limit(ttl: timedelta) -> None:
    assert refusal({}, ttl=ttl) == "ttl_out_of_range"


def test_exp_counts_whole_seconds_and_never_passes_the_mark() -> None:
    assert prepared({}, ttl=timedelta(seconds=2.9))["exp"] == NOW + 2
    assert prepared({}, exp_max=NOW + 100)["exp"] == NOW + 100
    assert prepared({}, exp_max=NOW + 9999)["exp"] == NOW + 3600
    for mark in (NOW, NOW - 1):
        with pytest.raises(Unavailable) as caught:
            prepared({}, exp_max=mark)
        assert caught.value.code == "mark_reached"


@given(
    st.dictionaries(st.text(max_size=4).filter(lambda name: name not in {*RESERVED, "sub", "aud"}), ANYTHING)
)
def test_claims_are_refused_or_signed_exactly_as_they_were(claims: dict[str, Any]) -> None:
    try:
        full = prepared(claims)
    except BadInput as refused:
        assert refused.code == "claims_malformed"
        return
    assert {name: full[name] for name in claims} == claims
    assert loads(json.dumps(full).encode()) == full

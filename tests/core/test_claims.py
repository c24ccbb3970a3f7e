"""SECURITY.md section 6: the claims of a token, judged at a given time."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core import claims as claims_
from jwturn.core.claims import ANY, Check, Rules, check, checks
from jwturn.core.errors import BadInput, TokenRefused

NOW = 1_700_000_000
HOUR = timedelta(hours=1)
RULES = Rules(issuer="https://a.example", audience=frozenset({"orders", "billing"}))
GOOD = {
    "iss": "https://a.example",
    "aud": "orders",
    "sub": "alice",
    "jti": "1",
    "iat": NOW - 60,
    "exp": NOW + 600,
    "scope": "read",
}


def code_of(changes: dict[str, Any], rules: Rules = RULES, **options: Any) -> str:
    """The code of the refusal, or nothing; the same as the first check that fails in words."""
    claims = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    told = [entry.code for entry in checks(claims, rules, NOW, **options) if not entry.passed]
    try:
        check(claims, rules, NOW, **options)
    except TokenRefused as refused:
        assert refused.code in claims_.CODES
        assert refused.hint
        assert refused.code == told[0]
        return refused.code
    assert not told
    return ""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sub": ..., "jti": ..., "scope": ...},
        {"iat": ...},
        {"nbf": NOW},
        {"iat": NOW - 0.5, "exp": NOW + 0.5},
        {"aud": ["x", "billing"]},
        {"unknown": {"deep": [1, None]}, "roles": []},
        {"sub": "", "jti": ""},
    ],
)
def test_a_good_token_passes_and_unknown_claims_pass(changes: dict[str, Any]) -> None:
    assert code_of(changes) == ""


NOT_NUMBERS = ["1700000600", 10**400, True, False, None, [], {}, float("nan"), float("inf"), float("-inf")]


def test_exp_is_required() -> None:
    assert code_of({"exp": ...}) == "exp_missing"


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_times_are_finite_numbers(name: str, value: object) -> None:
    assert code_of({name: value}) == f"{name}_type"


def test_exp_ends_a_token_at_its_second_plus_leeway() -> None:
    assert code_of({"exp": NOW - 60}) == "expired"
    assert code_of({"exp": NOW - 60, "iat": NOW - 600}) == "expired"
    assert code_of({"exp": NOW - 59, "iat": NOW - 600}) == ""
    strict = Rules(issuer=RULES.issuer, audience=RULES.audience, leeway=timedelta())
    assert code_of({"exp": NOW}, strict) == "expired"
    assert code_of({"exp": NOW + 1}, strict) == ""


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_iat_and_nbf_lie_in_the_future_by_the_leeway_at_most(name: str) -> None:
    assert code_of({name: NOW + 60}) == ""
    assert code_of({name: NOW + 61}) == f"{name}_future"


def test_exp_is_after_iat() -> None:
    assert code_of({"iat": NOW + 30, "exp": NOW + 30}) == "exp_before_iat"
    assert code_of({"iat": NOW + 30, "exp": NOW + 29}) == "exp_before_iat"
    assert code_of({"iat": NOW + 30, "exp": NOW + 31}) == ""


def test_no_token_lives_longer_than_the_longest_lifetime() -> None:
    rules = Rules(issuer=RULES.issuer, audience=RULES.audience, token_ttl_max=HOUR)
    assert code_of({"iat": NOW, "exp": NOW + 3600}, rules) == ""
    assert code_of({"iat": NOW, "exp": NOW + 3601}, rules) == "lifetime_too_long"
    assert code_of({"iat": ..., "exp": NOW + 3600}, rules) == ""
    assert code_of({"iat": ..., "exp": NOW + 3601}, rules) == "lifetime_too_long"
    assert code_of({"exp": 10**20 - 1}, rules) == "lifetime_too_long"
    assert code_of({"iat": -(10**20) + 1}, rules) == "lifetime_too_long"


def test_an_exp_above_the_published_bound_of_its_key_proves_theft() -> None:
    assert code_of({}, key_exp=NOW + 600) == ""
    assert code_of({}, key_exp=NOW + 599) == "exp_past_key"
    with pytest.raises(TokenRefused) as caught:
        check(GOOD, RULES, NOW, key_exp=NOW)
    assert "theft" in caught.value.hint


@pytest.mark.parametrize(
    "iss",
    ["https://a.example/", "HTTPS://a.example", "https://a.exampl", "a.example", "", " https://a.example"],
)
def test_iss_is_compared_exactly_never_as_a_substring(iss: str) -> None:
    assert code_of({"iss": iss}) == "iss_wrong"


@pytest.mark.parametrize("iss", [["https://a.example"], None, 1, {"https://a.example": 1}])
def test_iss_is_a_string(iss: object) -> None:
    assert code_of({"iss": iss}) == "iss_type"


def test_iss_is_required() -> None:
    assert code_of({"iss": ...}) == "iss_missing"


@pytest.mark.parametrize(
    ("aud", "code"),
    [
        (..., "aud_missing"),
        (None, "aud_type"),
        (1, "aud_type"),
        ({"orders": 1}, "aud_type"),
        (["orders", 1], "aud_type"),
        (["orders", None], "aud_type"),
        ([["orders"]], "aud_type"),
        ([], "aud_wrong"),
        ("order", "aud_wrong"),
        ("orders,billing", "aud_wrong"),
        ("ORDERS", "aud_wrong"),
        (["x"], "aud_wrong"),
    ],
)
def test_one_member_of_aud_is_exactly_one_expected(aud: object, code: str) -> None:
    assert code_of({"aud": aud}) == code


@pytest.mark.parametrize(("aud", "code"), [(..., ""), ("x", ""), ([], ""), (["x"], ""), (1, "aud_type")])
def test_any_audience_is_said_aloud_and_still_checks_the_type(aud: object, code: str) -> None:
    assert code_of({"aud": aud}, Rules(issuer=RULES.issuer, audience=ANY)) == code


@pytest.mark.parametrize("value", [1, None, True, ["a"], {}])
@pytest.mark.parametrize("name", ["sub", "jti"])
def test_sub_and_jti_are_strings(name: str, value: object) -> None:
    assert code_of({name: value}) == f"{name}_type"


def test_now_is_an_aware_datetime_or_seconds() -> None:
    there = datetime.fromtimestamp(NOW, timezone(timedelta(hours=9)))
    check(GOOD, RULES, there)
    for wrong in (there.replace(tzinfo=None), float("nan"), float("inf")):
        with pytest.raises(BadInput) as caught:
            check(GOOD, RULES, wrong)
        assert caught.value.code == "time_malformed"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
NEAR = st.integers(NOW - 100, NOW + 100) | st.sampled_from(
    ["orders", "https://a.example", 10**400, -(10**400), 1e308]
)
SOME = st.dictionaries(st.sampled_from([*GOOD, "nbf"]), NEAR | ANYTHING)


@given(SOME, st.none() | st.integers(NOW, NOW + 900))
def test_what_raises_and_what_tells_in_words_agree_whatever_the_claims(
    changes: dict[str, Any], key_exp: int | None
) -> None:
    code_of(changes, key_exp=key_exp)


def test_checks_explain_in_words() -> None:
    told = {entry.name: entry for entry in checks(GOOD | {"aud": "x", "nbf": "soon\n"}, RULES, NOW)}
    assert told["exp"] == Check("exp", passed=True, words="exp is 2023-11-14 22:23:20 UTC (in 10m)")
    assert told["iat"].words == "iat is 2023-11-14 22:12:20 UTC (1m ago)"
    assert told["nbf"].words == f"{claims_.CODES['nbf_type']}; nbf is 'soon\\n'"
    assert told["lifetime"].words == "it lives 11m, of at most 24h"
    assert told["aud"].words == f"{claims_.CODES['aud_wrong']}; aud is 'x', expected billing or orders"
    assert [entry.name for entry in told.values() if not entry.passed] == ["nbf", "aud"]


def test_words_cut_and_escape_what_nobody_trusts() -> None:
    told = {entry.name: entry.words for entry in checks(GOOD | {"sub": "\x1b[2J" * 500}, RULES, NOW)}
    assert "\x1b" not in told["sub and jti"]
    assert len(told["sub and jti"]) < 200


# Rules.


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"may_lack": frozenset({"exp"})},
        {"audience": frozenset()},
        {"audience": "orders"},
        {"audience": frozenset({1})},
        {"leeway": timedelta(seconds=-1)},
        {"token_ttl_max": timedelta()},
        {"typ": frozenset()},
        {"algorithms": frozenset({"none"})},
    ],
)
def test_rules_that_accept_nothing_safely_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        Rules(**(dict[str, Any](issuer="i", audience=ANY) | options))
    assert caught.value.code == "rules_malformed"
    assert caught.value.hint


@pytest.mark.parametrize("name", ["iss", "aud"])
def test_a_claim_that_may_be_lacking_must_be_right_where_it_is(name: str) -> None:
    old = Rules(issuer=RULES.issuer, audience=RULES.audience, may_lack=frozenset({name}))
    assert code_of({name: ...}, old) == ""
    assert code_of({name: "other"}, old) == f"{name}_wrong"
    assert code_of({name: None}, old) == f"{name}_type"
    other = ({"iss", "aud"} - {name}).pop()
    assert code_of({other: ...}, old) == f"{other}_missing"


def test_rules_compare_typ_as_a_header_does() -> None:
    assert Rules(issuer="i", audience=ANY, typ=frozenset({"application/AT+JWT"})).typ == {"at+jwt"}

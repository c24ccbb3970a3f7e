"""A policy as text and back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jwturn.core.errors import BadInput, PolicyRefused
from jwturn.core.policy import FIELDS, RotationPolicy, edited
from jwturn.core.policy_text import SETTABLE, contradictions, diff, parse_changes, show

HOUR = timedelta(hours=1)
TICK = timedelta(seconds=60)
POLICY = edited(RotationPolicy(), {"verifiers": ("jose", "pyjwt")}, tick_cap=TICK)


def test_every_settable_field_is_shown() -> None:
    assert set(SETTABLE) == FIELDS
    assert list(show(POLICY)) == [*SETTABLE, "lead"]


def test_the_numbers_that_count_are_shown() -> None:
    assert show(RotationPolicy())["verifier_ttl_max"] == "24h"
    assert show(RotationPolicy())["lead"] == "24h 41m 58s"
    assert show(POLICY)["lead"] == "49m 6s"


def test_a_forced_lead_is_shown_as_such() -> None:
    assert show(replace(POLICY, unproved=True))["unproved"] == "true"
    assert diff(POLICY, replace(POLICY, unproved=True))["unproved"] == ("false", "true")


def test_what_is_shown_can_be_set_again() -> None:
    policy = edited(
        RotationPolicy(),
        parse_changes(
            ["rotate_every=12h", "verifiers=jose,haproxy:1h", "clock_rate_error=0.002", "not_before=true"]
        ),
        tick_cap=TICK,
    )
    shown = {name: value for name, value in show(policy).items() if name in FIELDS}
    again = edited(RotationPolicy(), parse_changes(shown), tick_cap=TICK)
    assert show(again) == show(policy)


def test_changes_from_texts_are_typed() -> None:
    assert parse_changes(
        ["rotate_every=12h", 'verifiers=["jose","pyjwt"]', "rsa_bits=4096", "alg = EdDSA", "printable=false"]
    ) == {
        "rotate_every": 12 * HOUR,
        "verifiers": ("jose", "pyjwt"),
        "rsa_bits": 4096,
        "alg": "EdDSA",
        "printable": False,
    }


def test_changes_from_a_table_are_typed() -> None:
    assert parse_changes(
        {"verifiers": ["jose"], "rsa_bits": 2048, "clock_rate_error": 0.01, "stale_max": "2h"}
    ) == {
        "verifiers": ("jose",),
        "rsa_bits": 2048,
        "clock_rate_error": 0.01,
        "stale_max": 2 * HOUR,
    }


def test_no_changes_are_none() -> None:
    assert parse_changes([]) == {}
    assert diff(POLICY, POLICY) == {}


def test_a_given_bound_can_be_taken_away() -> None:
    bounded = edited(RotationPolicy(), parse_changes(["verifier_ttl_max=2h"]), tick_cap=TICK)
    assert show(bounded)["verifier_ttl_max"] == "2h"
    free = edited(bounded, parse_changes(["verifier_ttl_max=none"]), tick_cap=TICK)
    assert show(free)["verifier_ttl_max"] == "24h"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rotate_evry", "did you mean rotate_every?"),
        ("verifier", "did you mean verifiers?"),
        ("token_ttl", "did you mean token_ttl_max?"),
        ("unproved", "one of alg, "),
        ("declared", "one of alg, "),
    ],
)
def test_an_unknown_field_names_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_changes([f"{name}=1h"])
    assert refused.value.code == "unknown_field"
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize("field", ["unproved", "declared", "verifier_ttl_given"])
def test_what_is_not_for_people_cannot_be_set(field: str) -> None:
    with pytest.raises(BadInput):
        parse_changes({field: "true"})


@pytest.mark.parametrize(
    "item", ["rotate_every", "rotate_every=", "rotate_every=12", "rsa_bits=big", "printable=1", "=x", ""]
)
def test_a_malformed_change_is_refused(item: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_changes([item])
    assert refused.value.hint
    assert refused.value.exit_code == 65


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        parse_changes(["rsa_bits=2048", "rsa_bits=4096"])


def test_a_bad_duration_names_its_field() -> None:
    with pytest.raises(BadInput, match="rotate_every") as refused:
        parse_changes(["rotate_every=tomorrow"])
    assert refused.value.code == "duration_malformed"


def test_a_difference_shows_what_follows_from_it() -> None:
    after = edited(POLICY, {"verifiers": ()}, tick_cap=TICK)
    assert diff(POLICY, after) == {
        "verifiers": ("jose,pyjwt", ""),
        "verifier_ttl_max": ("10m", "24h"),
        "lead": ("49m 6s", "24h 41m 58s"),
    }


def test_settings_that_agree_contradict_nothing() -> None:
    declared = {"verifiers": ["pyjwt", "jose"], "rotate_every": "90d", "verifier_ttl_max": "10m"}
    assert contradictions(POLICY, declared) == []
    assert contradictions(POLICY, {}) == []


def test_a_contradiction_names_both_numbers() -> None:
    assert contradictions(POLICY, {"rotate_every": "30d", "token_ttl_max": "1h", "verifiers": "dotnet"}) == [
        "rotate_every: the settings say 30d, the ring has 90d",
        "verifiers: the settings say dotnet, the ring has jose,pyjwt",
    ]


def test_no_verifiers_against_some_is_a_contradiction() -> None:
    assert contradictions(POLICY, {"verifiers": []}) == [
        "verifiers: the settings say none, the ring has jose,pyjwt"
    ]


def test_a_given_bound_that_is_not_the_largest_agrees() -> None:
    policy = edited(POLICY, {"verifier_ttl_max": timedelta(minutes=1)}, tick_cap=TICK)
    assert contradictions(policy, {"verifier_ttl_max": "1m"}) == []
    assert contradictions(policy, {"verifier_ttl_max": "10m"}) == []
    assert contradictions(policy, {"verifier_ttl_max": "2h"}) == [
        "verifier_ttl_max: the settings say 2h, the ring has 10m"
    ]


def test_a_release_that_knows_a_verifier_better_is_noticed() -> None:
    older = tuple(replace(verifier, lifetime=timedelta(minutes=1)) for verifier in POLICY.declared)
    assert contradictions(replace(POLICY, declared=older), {"verifiers": "jose,pyjwt"}) == [
        "verifier jose: the settings say 10m, the ring has 1m",
        "verifier pyjwt: the settings say 5m, the ring has 1m",
    ]


def test_unknown_declarations_are_refused() -> None:
    with pytest.raises(BadInput):
        contradictions(POLICY, {"rotate": "1h"})
    with pytest.raises(PolicyRefused):
        contradictions(replace(POLICY, verifiers=("jos",)), {"verifiers": "jos"})

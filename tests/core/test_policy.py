"""Policies: the inequalities, their numbers and the way out."""

from datetime import timedelta
from typing import Any

import pytest

from jwturn.core.errors import BadInput, PolicyRefused
from jwturn.core.policy import PRESETS, RotationPolicy, edited, preset, validated, warnings
from jwturn.core.timing import lead

TICK = timedelta(seconds=60)
S = timedelta(seconds=1)
MIN = timedelta(minutes=1)
H = timedelta(hours=1)


def change(**changes: Any) -> RotationPolicy:
    return edited(RotationPolicy(), changes, tick_cap=TICK)


def test_the_defaults_obey_every_inequality_without_a_warning() -> None:
    assert warnings(validated(RotationPolicy(), tick_cap=TICK)) == []


def test_a_turn_shorter_than_the_lead_is_refused_with_numbers_cause_and_way_out() -> None:
    with pytest.raises(PolicyRefused) as refused:
        change(rotate_every=12 * H)
    assert refused.value.message == (
        "rotate_every (12h) must exceed the lead (24h 41m 58s)\n"
        "the lead is set by verifier_ttl_max = 24h (no verifiers declared)"
    )
    assert refused.value.hint == 'declare them: verifiers = ["jose", "pyjwt"] gives a lead of 49m 6s'
    assert refused.value.exit_code == 65


def test_declared_verifiers_become_numbers_and_the_largest_decides() -> None:
    policy = change(verifiers=("jose", "dotnet"))
    assert policy.verifier_ttl_max == 12 * H + 36 * MIN
    assert policy.decided_by == "verifier dotnet = 12h 36m"
    assert change(verifiers=("jose",), verifier_ttl_max=H).verifier_ttl_max == H
    assert change(verifiers=("jose",), verifier_ttl_max=MIN).verifier_ttl_max == 10 * MIN


def test_verifiers_can_be_changed_without_an_old_choice_counting() -> None:
    policy = edited(change(verifiers=("dotnet",)), {"verifiers": ("pyjwt",)}, tick_cap=TICK)
    assert policy.verifier_ttl_max == 5 * MIN


def test_a_kind_without_a_bound_of_its_own_needs_one() -> None:
    with pytest.raises(PolicyRefused, match="HAProxy") as refused:
        change(verifiers=("haproxy",))
    assert "haproxy:24h" in refused.value.hint
    assert change(verifiers=("haproxy:26h",), rotate_every=60 * 24 * H).verifier_ttl_max == 26 * H


def test_an_algorithm_a_declared_verifier_does_not_know_is_refused() -> None:
    with pytest.raises(PolicyRefused, match="aws-http does not know ES256"):
        change(verifiers=("aws-http",))
    with pytest.raises(PolicyRefused, match="pyjwt does not know Ed25519"):
        change(verifiers=("pyjwt",), alg="Ed25519")


def test_refetching_verifiers_shorten_the_lead_only_where_all_refetch() -> None:
    short = change(verifiers=("jose", "pyjwt"), refetch_on_unknown_kid=True)
    assert short.bounds.verifier_ttl_max == 30 * S
    with pytest.raises(PolicyRefused, match="envoy never refetches"):
        change(verifiers=("jose", "envoy"), refetch_on_unknown_kid=True)
    with pytest.raises(PolicyRefused, match="needs declared verifiers"):
        change(refetch_on_unknown_kid=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"edge_ttl_max": 10 * S}, "shared caches"),
        ({"token_ttl_max": timedelta()}, "token_ttl_max must be longer"),
        ({"token_ttl_max": timedelta(milliseconds=300)}, "whole seconds"),
        ({"leeway_max": -S}, "leeway_max is negative"),
        ({"clock_rate_error": 1.0}, "clock_rate_error"),
        ({"clock_rate_error": float("nan")}, "clock_rate_error"),
        ({"rsa_bits": 1024}, "rsa_bits = 1024"),
        ({"signer_lease": 15 * S}, "signer_lease"),
        ({"delivery": "pigeon"}, "pigeon"),
        ({"printable": True}, "printable"),
        ({"alg": "none"}, "unknown algorithm"),
        ({"alg": "es256"}, "unknown algorithm"),
        ({"verifiers": ("nonesuch",)}, "nonesuch"),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        change(**changes)
    assert refused.value.hint


def test_no_shared_caches_is_a_policy() -> None:
    assert lead(change(edge_ttl_max=timedelta()).bounds) < lead(RotationPolicy().bounds)


def test_edge_ttl_follows_max_age_until_it_is_set() -> None:
    assert change(jwks_max_age=H).edge_ttl_max == H


def test_a_lead_under_ten_ticks_is_refused() -> None:
    quick = {"verifier_ttl_max": S, "publish_delay_max": S, "clock_skew_max": S, "edge_ttl_max": timedelta()}
    with pytest.raises(PolicyRefused, match="shorter than ten ticks"):
        change(**quick)
    assert edited(RotationPolicy(), dict(quick), tick_cap=S).verifier_ttl_max == S


def test_more_than_six_months_is_warned_about() -> None:
    assert any("six months" in said for said in warnings(change(rotate_every=timedelta(days=200))))


def test_a_verifier_without_a_stale_bound_is_warned_about() -> None:
    assert any("dotnet" in said for said in warnings(change(verifiers=("dotnet",))))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_valid_and_says_its_source(name: str) -> None:
    assert lead(preset(name, tick_cap=TICK).bounds) > timedelta()
    assert PRESETS[name][0]


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(BadInput) as refused:
        preset("hourly", tick_cap=TICK)
    assert "standard" in refused.value.hint


def test_a_demonstration_that_must_fail_is_not_checked_and_says_so() -> None:
    policy = validated(RotationPolicy(unproved=True, rotate_every=S), tick_cap=TICK)
    assert lead(policy.bounds) == timedelta()
    assert any("refuse good tokens" in said for said in warnings(policy))

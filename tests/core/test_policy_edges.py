"""The default numbers, and each inequality at its edge."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import policy as rules
from jwturn.core.errors import PolicyRefused
from jwturn.core.policy import FIELDS, PRESETS, RotationPolicy, edited, preset, validated, warnings
from jwturn.core.timing import lead

TICK = timedelta(seconds=60)
S = timedelta(seconds=1)
PART = timedelta(microseconds=1)
MIN = timedelta(minutes=1)
H = timedelta(hours=1)
DAY = timedelta(days=1)
LEAD = lead(RotationPolicy().bounds)
POSITIVE = ("rotate_every", "token_ttl_max", "signer_lease", "signer_refresh", "publish_delay_max")
DURATIONS = [name for name, value in asdict(RotationPolicy()).items() if isinstance(value, timedelta)]


def change(**changes: Any) -> RotationPolicy:
    return edited(RotationPolicy(), changes, tick_cap=TICK)


def refused(words: str, **changes: Any) -> None:
    with pytest.raises(PolicyRefused, match=words):
        change(**changes)


def test_the_defaults_are_those_that_are_documented() -> None:
    assert asdict(RotationPolicy()) == {
        "alg": "ES256",
        "rsa_bits": 3072,
        "printable": False,
        "rotate_every": 90 * DAY,
        "rollback_window": H,
        "overdue_max": 30 * DAY,
        "token_ttl_max": H,
        "jwks_max_age": 5 * MIN,
        "publish_delay_max": 30 * MIN,
        "edge_ttl_max": 5 * MIN,
        "verifiers": (),
        "verifier_ttl_given": None,
        "declared": (),
        "fetch_time_max": 30 * S,
        "clock_rate_error": 0.001,
        "clock_skew_max": 30 * S,
        "signer_lease": 10 * MIN,
        "signer_refresh": 10 * S,
        "leeway_max": 5 * MIN,
        "stale_max": H,
        "refetch_on_unknown_kid": False,
        "akp_in_issuer_set": False,
        "delivery": "pull",
        "audience": (),
        "typ": "JWT",
        "not_before": False,
        "unproved": False,
    }
    assert (RotationPolicy().verifier_ttl_max, rules.UNKNOWN_FLEET) == (DAY, DAY)
    assert (rules.RSA_BITS, rules.TICKS_IN_LEAD) == ((2048, 3072, 4096), 10)


def test_a_person_may_set_every_field_but_those_that_follow_from_others() -> None:
    hidden = {"declared", "verifier_ttl_given", "unproved"}
    assert set(asdict(RotationPolicy())) - hidden | {"verifier_ttl_max"} == FIELDS


def test_the_presets_are_their_numbers() -> None:
    turns = {name: preset(name, tick_cap=TICK).rotate_every for name in PRESETS}
    assert turns == {"standard": 90 * DAY, "monthly": 30 * DAY, "weekly": 7 * DAY, "yearly": 365 * DAY}
    assert preset("standard", tick_cap=TICK) == RotationPolicy()


@pytest.mark.parametrize("name", DURATIONS)
def test_no_duration_is_negative(name: str) -> None:
    negative: dict[str, Any] = {name: -PART}
    with pytest.raises(PolicyRefused, match=f"{name} is negative"):
        validated(RotationPolicy(**negative), tick_cap=TICK)


@pytest.mark.parametrize("name", POSITIVE)
def test_some_durations_are_longer_than_nothing(name: str) -> None:
    refused(f"{name} must be longer than nothing", **{name: timedelta()})


def test_a_token_lives_a_second_at_least() -> None:
    refused("at least 1s", token_ttl_max=S - PART)
    assert change(token_ttl_max=S).token_ttl_max == S


@pytest.mark.parametrize("error", [-0.1, 1.0])
def test_a_clocks_rate_error_lies_from_nothing_to_below_one(error: float) -> None:
    refused("clock_rate_error", clock_rate_error=error)
    assert change(clock_rate_error=0.0).clock_rate_error == 0
    assert change(clock_rate_error=0.999).clock_rate_error == 0.999


@pytest.mark.parametrize("bits", rules.RSA_BITS)
def test_sizes_that_are_offered_are_accepted(bits: int) -> None:
    assert change(alg="RS256", rsa_bits=bits).rsa_bits == bits
    refused("not offered", rsa_bits=bits + 1)


def test_a_turn_must_exceed_the_lead() -> None:
    refused("must exceed", rotate_every=LEAD)
    assert change(rotate_every=LEAD + PART).rotate_every == LEAD + PART


def test_a_lease_must_exceed_two_refreshes() -> None:
    refused("two refreshes", signer_lease=20 * S)
    assert change(signer_lease=20 * S + PART).signer_lease == 20 * S + PART


def test_a_lead_of_ten_ticks_is_enough() -> None:
    assert validated(RotationPolicy(), tick_cap=LEAD / 10) == RotationPolicy()
    with pytest.raises(PolicyRefused, match="ten ticks") as error:
        validated(RotationPolicy(), tick_cap=LEAD / 10 + S)
    assert "tick_cap = 2h 28m" in error.value.hint


def test_shared_caches_keep_a_set_for_its_max_age_or_not_at_all() -> None:
    refused("shared caches", edge_ttl_max=5 * MIN - PART)
    refused("shared caches", edge_ttl_max=PART)
    assert change(edge_ttl_max=5 * MIN).edge_ttl_max == 5 * MIN
    assert change(edge_ttl_max=timedelta()).edge_ttl_max == timedelta()


def test_the_edge_follows_max_age_only_where_nobody_set_it() -> None:
    assert change(jwks_max_age=2 * MIN).edge_ttl_max == 2 * MIN
    assert change(jwks_max_age=2 * MIN, edge_ttl_max=9 * MIN).edge_ttl_max == 9 * MIN
    own = edited(change(edge_ttl_max=9 * MIN), {"jwks_max_age": 2 * MIN}, tick_cap=TICK)
    assert own.edge_ttl_max == 9 * MIN


def test_delivery_and_printable_are_for_what_has_them() -> None:
    assert change(alg="HS256", delivery="manual", printable=True).printable
    refused("is not known", delivery="manualX")
    refused("printable is for HMAC secrets", printable=True)


def test_what_decides_the_lead_is_named() -> None:
    assert change(verifier_ttl_max=H).decided_by == "verifier_ttl_max = 1h (no verifiers declared)"
    both = change(verifiers=("jose",), verifier_ttl_max=H)
    assert (both.decided_by, both.verifier_ttl_max) == ("verifier_ttl_max = 1h", H)


def test_a_cooldown_counts_only_where_all_refetch() -> None:
    assert change(verifiers=("jose", "pyjwt")).bounds.verifier_ttl_max == 10 * MIN


def test_a_post_quantum_key_enters_the_issuers_set_only_where_the_ring_says_so() -> None:
    plain, shared = RotationPolicy(), RotationPolicy(akp_in_issuer_set=True)
    found = [(p.in_issuer_set("ES256"), p.in_issuer_set("ML-DSA-44")) for p in (plain, shared)]
    assert found == [(True, False), (True, True)]
    assert not shared.in_issuer_set("HS256")


def test_half_a_year_is_not_yet_warned_about() -> None:
    assert warnings(change(rotate_every=183 * DAY)) == []
    assert len(warnings(change(rotate_every=183 * DAY + PART))) == 1


def test_each_thing_worth_saying_is_said_once() -> None:
    assert warnings(RotationPolicy(unproved=True)) == [
        "the lead is forced to zero: verifiers will refuse good tokens"
    ]
    said = warnings(change(verifiers=("dotnet", "jose")))
    assert [words.split()[1] for words in said] == ["dotnet"]


def test_an_unproved_policy_promises_nothing() -> None:
    assert set(asdict(RotationPolicy(unproved=True).bounds).values()) == {timedelta(), 0.0}


def test_a_shorter_lead_is_shown_for_what_was_declared() -> None:
    with pytest.raises(PolicyRefused) as declared:
        change(verifiers=("dotnet",), rotate_every=H)
    assert declared.value.hint.startswith("raise rotate_every above 13h")
    with pytest.raises(PolicyRefused) as given:
        change(verifier_ttl_max=20 * H, rotate_every=H)
    assert given.value.hint.startswith("raise rotate_every above 20h")

"""Verifier profiles: the numbers that the lead of a ring rests on."""

from datetime import timedelta

import pytest

from jwturn.core.errors import PolicyRefused
from jwturn.core.jwk import ALGS
from jwturn.core.profiles import PROFILES, Declared, resolve

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LIFETIMES = {
    "dotnet": 12 * HOUR + 36 * MINUTE,
    "spring": 5 * MINUTE,
    "jose": 10 * MINUTE,
    "pyjwt": 5 * MINUTE,
    "jwks-rsa": 10 * MINUTE,
    "envoy": 10 * MINUTE,
    "istio": 20 * MINUTE,
    "haproxy": None,
    "mod-auth-openidc": None,
    "keyfunc": HOUR,
    "step-ca": 12 * HOUR,
    "ktor": 10 * HOUR,
    "kong": HOUR,
    "ping": 2 * MINUTE,
    "aws-rest": HOUR,
    "aws-http": 2 * HOUR,
    "apigee": 5 * MINUTE,
    "confluent": 24 * HOUR,
    "tibco": 24 * HOUR,
    "kube-apiserver": None,
    "openfga": 48 * HOUR,
    "jwturn": HOUR,
    "unknown": 24 * HOUR,
}


def one(entry: str, max_age: timedelta = 5 * MINUTE) -> Declared:
    (declared,) = resolve([entry], max_age=max_age)
    return declared


def refused(entry: str) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as caught:
        one(entry)
    return caught.value


def test_every_product_surveyed_has_its_row() -> None:
    assert {name: row.set_lifetime for name, row in PROFILES.items()} == LIFETIMES


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_row_says_where_it_comes_from_and_when(name: str) -> None:
    row = PROFILES[name]
    assert row.name == name
    assert row.title
    assert row.source
    assert row.unknown_kid
    assert row.surveyed.year >= 2026
    assert row.algs_unknown <= ALGS.keys()


@pytest.mark.parametrize("name", sorted(name for name, lifetime in LIFETIMES.items() if lifetime))
def test_a_kind_with_a_bound_is_declared_by_its_name(name: str) -> None:
    assert one(name).lifetime == LIFETIMES[name]
    assert one(name).name == name


@pytest.mark.parametrize("name", sorted(name for name, lifetime in LIFETIMES.items() if not lifetime))
def test_a_kind_without_a_bound_needs_one(name: str) -> None:
    assert f'verifiers = ["{name}:24h"]' in refused(name).hint
    assert one(f"{name}:36h").lifetime == 36 * HOUR
    assert one(f"{name}:36h").name == f"{name}:36h"


def test_a_configured_bound_replaces_the_row() -> None:
    assert one("jose:1h").lifetime == HOUR
    assert one("jose").usual == 10 * MINUTE
    assert one("jose:1h").usual is None


@pytest.mark.parametrize(
    "entry", ["haproxy:", "haproxy:0s", "haproxy:soon", "jose:-1h", "jose:1h:2h", "jose: 1h"]
)
def test_a_bad_bound_is_refused(entry: str) -> None:
    assert refused(entry).code == "verifier_refused"
    assert refused(entry).hint


def test_those_that_follow_max_age_count_the_larger() -> None:
    assert one("step-ca", max_age=24 * HOUR).lifetime == 24 * HOUR
    assert one("step-ca", max_age=5 * MINUTE).lifetime == 12 * HOUR
    assert one("confluent:1h", max_age=2 * HOUR).lifetime == 2 * HOUR
    assert one("jose", max_age=24 * HOUR).lifetime == 10 * MINUTE


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert "did you mean jose?" in refused("josé").hint
    assert "one of dotnet, spring" in refused("nothing like it").hint
    assert refused("Jose").code == "verifier_refused"
    assert refused("").hint


def test_only_those_that_refetch_before_they_answer_count_as_refetching() -> None:
    refetching = {name for name, row in PROFILES.items() if row.within_request}
    assert refetching == {"spring", "jose", "pyjwt", "jwks-rsa", "mod-auth-openidc", "keyfunc"} | {
        "kube-apiserver",
        "jwturn",
    }
    assert not one("envoy").refetches
    assert (one("pyjwt").refetches, one("pyjwt").cooldown) == (True, timedelta(seconds=30))


def test_algorithms_a_verifier_does_not_know_are_named() -> None:
    assert "ES256" in one("aws-http").algs_unknown
    assert "RS256" not in one("aws-http").algs_unknown
    assert "Ed25519" in one("pyjwt").algs_unknown
    assert "EdDSA" not in one("pyjwt").algs_unknown
    assert not one("unknown").algs_unknown


def test_only_dotnet_keeps_a_set_without_limit() -> None:
    assert [name for name, row in PROFILES.items() if row.stale_max is None] == ["dotnet"]


def test_entries_keep_their_order_and_none_gives_none() -> None:
    assert [d.name for d in resolve(["jose", "haproxy:24h", "dotnet"], max_age=MINUTE)] == [
        "jose",
        "haproxy:24h",
        "dotnet",
    ]
    assert resolve([], max_age=MINUTE) == ()

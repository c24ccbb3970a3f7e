"""Scars of rotation: what went wrong elsewhere when a key was turned, and does not here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwturn.core.errors import BadInput, NotFound, PolicyRefused, StateForbids, Unavailable
from jwturn.core.timing import horizon
from jwturn.service.health import findings
from tests.interop.stale import Watched, issuer_set
from tests.scars.house import House, at_once
from tests.service.short import GONE, MATURE, MIN, SHORT, S
from tests.service.stage import ANN, DAY, HOUR, Stage

LATEST = 25 * MIN
"""A lead of these policies, with its ticks, its stamp and the waking of the loop."""


@pytest.fixture
def watched() -> Watched:
    """A ring that signs, and verifiers that hold the oldest set they may."""
    return Watched(Stage(**SHORT, signer_refresh=30 * S))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A real store that several nodes may open."""
    house = House(tmp_path)
    yield house
    house.close()


def shown(watched: Watched) -> set[str]:
    """The kids of the set as it is published now."""
    return {key["kid"] for key in json.loads(issuer_set(watched.stage))["keys"]}


def test_a_new_key_does_not_sign_while_a_set_answered_before_it_may_be_in_use() -> None:
    """dex#2759, Hydra, Keycloak's recipe: it signed the moment it was made, with max-age 600 in caches."""
    stage = Stage(**SHORT | {"jwks_max_age": 10 * MIN, "edge_ttl_max": 10 * MIN})
    watched = Watched(stage)
    watched.run(MIN)
    stage.node.commands.set_policy("default", ANN, changes={"alg": "EdDSA"})
    watched.run(S)
    born = next(key for key in stage.view.ring.keys if key.alg == "EdDSA")
    with pytest.raises(StateForbids, match="may not sign yet: its lead ends in"):
        stage.node.commands.promote("default", ANN, kid=born.kid)
    watched.run(2 * HOUR + LATEST)
    first = next(at for at, body in watched.sets if born.kid.encode() in body)
    signed = stage.view.ring.key(born.kid).promoted
    assert signed is not None
    assert signed.at - first >= horizon(born.bounds) > 20 * MIN
    assert watched.refused == []


def test_two_replicas_that_turn_in_the_same_second_lose_no_key(house: House) -> None:
    """dex#976: both wrote, and the keys were overwritten with null."""
    house.add_ring()
    other = house.join()
    house.first.rotator.turn("default")
    house.skip(MATURE)
    turn = [lambda node=node: node.commands.promote("default", ANN) for node in house.nodes]
    settle = [lambda node=node: node.rotator.turn("default") for node in house.nodes]
    before = house.first.store.load("default").ring.active
    errors = at_once(*turn) + at_once(*settle)
    assert [error for error in errors if not isinstance(error, StateForbids | NotFound)] == []
    house.first.rotator.turn("default")
    view = other.store.load("default")
    assert [str(key.state) for key in view.ring.keys] == ["verify-only", "active", "standby"]
    assert view.ring.active != before
    assert all(other.custody.open(key, view.ring.id).sign(b"x") for key in view.ring.keys)


def test_eight_replicas_on_an_empty_store_make_one_active_key_and_one_standby(house: House) -> None:
    """Hydra, SuperTokens#1313, better-auth: N replicas on an empty store minted N keys."""
    house.add_ring()
    nodes = [house.first, *(house.join() for _ in range(7))]
    assert at_once(*(lambda node=node: node.rotator.turn("default") for node in nodes)) == []
    house.first.rotator.turn("default")
    assert house.states() == ["active", "standby"]
    kids = {node.signing.sign("default", {}).kid for node in nodes}
    assert len(kids) == 1
    tokens = [node.signing.sign("default", {"sub": "alice"}).token for node in nodes]
    assert {other.verify(token)["sub"] for other in nodes for token in tokens} == {"alice"}


def test_two_manual_turns_inside_the_cache_window_do_not_promote_a_just_born_key(watched: Watched) -> None:
    """OpenBao: the second turn promoted a key that no verifier could hold."""
    stage = watched.stage
    watched.run(MATURE)
    stage.node.commands.promote("default", ANN)
    watched.run(10 * S)
    with pytest.raises(StateForbids, match="no mature standby"):
        stage.node.commands.promote("default", ANN)
    assert stage.node.commands.rotate("default", ANN).ring.turn_at == stage.view.ring.turn_at
    watched.run(GONE)
    assert len(watched.signers) >= 2
    assert watched.refused == []


def test_an_algorithm_change_gives_the_new_key_its_lead_and_the_old_ones_their_end(watched: Watched) -> None:
    """OpenBao: no lead for the new key, and the old ones never expired."""
    stage = watched.stage
    watched.run(MIN)
    old = shown(watched)
    changed = stage.clock.now()
    stage.node.commands.set_policy("default", ANN, changes={"alg": "EdDSA"})
    watched.run(2 * HOUR + GONE)
    first = next(one for one in watched.issued if one.alg == "EdDSA")
    promoted = stage.view.ring.key(first.kid).promoted
    assert promoted is not None
    assert promoted.at - changed >= horizon(stage.active.bounds)
    assert shown(watched).isdisjoint(old)
    assert watched.refused == []


def test_keys_of_a_dropped_algorithm_stay_in_the_set_until_their_tokens_are_over(watched: Watched) -> None:
    """Duende: they vanished from the JWKS at once."""
    stage = watched.stage
    watched.run(MATURE)
    old = stage.active.kid
    stage.node.commands.set_policy("default", ANN, changes={"alg": "EdDSA"})
    assert old in shown(watched)
    while stage.active.kid == old:
        watched.run(MIN)
    last = max(one.ends for one in watched.issued if one.kid == old)
    watched.run(last - stage.clock.now() - S)
    assert old in shown(watched)
    assert watched.refused == []


def test_a_service_that_was_idle_past_the_key_s_end_signs_on_with_the_old_key_first(watched: Watched) -> None:
    """Duende#1241: it woke up and signed with a new key at once."""
    stage = watched.stage
    watched.run(MIN)
    old = stage.active.kid
    stage.clock.advance(3 * DAY)
    assert "overdue" in {found.code for found in findings(stage.view, stage.store.seen())}
    assert stage.node.signing.sign("default", {}).kid == old
    watched.run(10 * MIN)
    assert stage.active.kid == old
    watched.run(LATEST)
    assert stage.active.kid != old
    assert watched.refused == []


def test_living_keys_are_not_dated_anew_when_the_interval_is_edited_up_and_down(watched: Watched) -> None:
    """Duende#1234: living keys were dated anew, and none was valid for a while."""
    stage = watched.stage
    watched.run(MATURE)
    dates = {key.kid: (key.published, key.sign_from, key.sign_until) for key in stage.view.ring.keys}
    for rotate_every in (30 * DAY, 20 * MIN, 2 * HOUR):
        stage.node.commands.set_policy("default", ANN, changes={"rotate_every": rotate_every})
        watched.run(30 * S)
        kept = {key.kid: (key.published, key.sign_from, key.sign_until) for key in stage.view.ring.keys}
        assert kept.items() >= dates.items()
        assert stage.node.signing.sign("default", {}).kid == stage.active.kid
    watched.run(2 * HOUR)
    assert len(watched.signers) == 2
    assert watched.refused == []


def test_tokens_issued_before_the_lifetime_was_lowered_keep_their_key_through_the_turn() -> None:
    """dex, OpenBao: the shorter lifetime was applied to the tail of tokens that were already out."""
    stage = Stage(**SHORT | {"token_ttl_max": HOUR, "leeway_max": 5 * MIN})
    watched = Watched(stage)
    watched.run(MATURE)
    old, longest = stage.active.kid, max(one.ends for one in watched.issued)
    stage.node.commands.set_policy("default", ANN, changes={"token_ttl_max": MIN, "leeway_max": S})
    stage.node.commands.promote("default", ANN)
    watched.run(longest - stage.clock.now() - S)
    assert old in shown(watched)
    assert {one.kid for one in watched.good()} == {old, stage.active.kid}
    assert watched.refused == []


def test_clean_up_takes_the_oldest_of_several_past_keys_and_never_the_newest() -> None:
    """Rauthy: clean-up mixed up oldest and newest, and deleted the newest."""
    stage = Stage(**SHORT | {"rotate_every": 20 * MIN, "token_ttl_max": HOUR, "signer_refresh": 55 * S})
    watched = Watched(stage)
    most = 0
    for _ in range(13):
        watched.run(10 * MIN)
        most = max(most, stage.states().count("verify-only"))
    told = [(event.action, event.kid) for event in stage.store.events(stage.view.ring.id)]
    born = [kid for action, kid in told if action == "add"]
    gone = [kid for action, kid in told if action == "retire"]
    assert most >= 3
    assert len(gone) >= 2
    assert gone == born[: len(gone)]
    assert watched.refused == []


def test_a_key_that_a_person_holds_is_never_removed_by_automation(watched: Watched) -> None:
    """Azure AD, 15 March 2021, 14 hours: a key marked to be kept was removed by automation."""
    stage = watched.stage
    watched.run(MATURE)
    kept = stage.active.kid
    stage.node.commands.hold("default", ANN, kid=kept)
    watched.run(6 * HOUR + MATURE)
    assert len(watched.signers) >= 4
    assert kept in shown(watched)
    assert stage.view.ring.key(kept).private is not None
    with pytest.raises(StateForbids, match="is held"):
        stage.node.commands.discard("default", ANN, kid=kept)
    stage.node.commands.release("default", ANN, kid=kept)
    watched.run(GONE)
    assert kept not in shown(watched)
    assert watched.refused == []


def test_signers_refuse_a_key_past_its_hard_end_though_the_rotator_is_dead() -> None:
    """Storm-0558: a key that should have been retired in 2021 still signed in 2023."""
    stage = Stage(**SHORT | {"overdue_max": HOUR})
    key = stage.active
    assert key.sign_until is not None
    end = key.sign_until + HOUR
    while stage.clock.now() < end:
        assert stage.node.signing.sign("default", {}).kid == key.kid
        stage.node.signing.refresh()
        assert all(lease.until <= end for lease in stage.view.leases.leases)
        stage.clock.advance(min(MIN, end - stage.clock.now()))
    for signing in (stage.node.signing, stage.join().signing):
        with pytest.raises(Unavailable) as refused:
            signing.sign("default", {})
        assert refused.value.code == "hard_end"


def test_a_signer_does_not_sign_outside_what_its_ring_is_for() -> None:
    """Storm-0558: the scope of the key was not checked."""
    stage = Stage(**SHORT, audience=("consumers",))
    for claims in ({"aud": "enterprise"}, {"iss": "https://enterprise.example.com"}):
        with pytest.raises(BadInput) as refused:
            stage.node.signing.sign("default", claims)
        assert refused.value.code == "claims_reserved"
    with pytest.raises(BadInput):
        stage.node.signing.sign("default", {}, audience="enterprise")


def test_every_key_that_ever_signed_was_published_a_horizon_before(watched: Watched) -> None:
    """toolhive#6451: the standby was never published."""
    watched.run(6 * HOUR + MATURE)
    assert watched.age is not None
    first = watched.stage.store.events(watched.stage.view.ring.id)
    promoted = {event.kid: event.at for event in first if event.action == "promote"}
    shown_at = {kid: min(at for at, body in watched.sets if str(kid).encode() in body) for kid in promoted}
    leads = [promoted[kid] - shown_at[kid] for kid in watched.signers[1:]]
    assert len(leads) == 3
    assert min(leads) >= watched.age


def test_a_retired_key_leaves_the_set_though_nobody_turns_the_node_that_serves_it(watched: Watched) -> None:
    """c8s#298: the JWKS was computed at rotation, so a retired key was published for 29 days."""
    stage = watched.stage
    serving = stage.join().publisher
    watched.run(MATURE)
    stage.node.commands.promote("default", ANN)
    old = watched.signers[0]
    assert old in serving.issuer_set(stage.view.ring.issuer).kids
    watched.run(GONE)
    assert stage.view.ring.key(old).state == "retired"
    stage.clock.advance(5 * S)
    assert old not in serving.issuer_set(stage.view.ring.issuer).kids


@pytest.mark.parametrize(
    "changes",
    [{"alg": "RS256", "rsa_bits": 2048}, {"alg": "ML-DSA-65"}, {"alg": "HS256"}, {"rotate_every": MIN}, {}],
    ids=str,
)
def test_no_change_of_configuration_empties_the_set(watched: Watched, changes: dict[str, object]) -> None:
    """zitadel#7714: the JWKS was {"keys": []} after a configuration change."""
    stage = watched.stage
    watched.run(MIN)
    try:
        stage.node.commands.set_policy("default", ANN, changes=changes)
    except (BadInput, PolicyRefused):
        assert changes in ({"alg": "HS256"}, {"rotate_every": MIN})
    for _ in range(12):
        stage.run(15 * MIN)
        assert shown(watched)
    for key in stage.view.ring.published:
        if stage.view.ring.key(key.kid).state != "retired":
            stage.node.commands.revoke("default", ANN, kid=key.kid)
            assert shown(watched)

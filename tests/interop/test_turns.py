"""Whole turns of every kind of key, watched by verifiers that hold the oldest set they may: none refuses."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest

from jwturn.core.errors import StateForbids
from jwturn.core.timing import horizon
from jwturn.crypto.import_ import import_key
from jwturn.service.respond import Usage
from tests.crypto.test_openssl import openssl
from tests.interop.stale import (
    CLASSIC,
    QUANTUM,
    Issued,
    Watched,
    issuer_set,
    ring_set,
    secret_set,
)
from tests.service.short import GONE, MATURE, MIN, SHORT, S
from tests.service.stage import ANN, DAY, ISSUER, TICK, Stage

TURN = timedelta(hours=2)


def stage(alg: str, **policy: Any) -> Stage:
    return Stage(**SHORT, alg=alg, rsa_bits=2048, signer_refresh=30 * S, **policy)


def demand_three_turns(watched: Watched) -> None:
    watched.run(3 * TURN + MATURE)
    assert len(watched.signers) == 4
    assert len(set(watched.signers)) == 4
    assert watched.judged > 500
    assert watched.refused == []
    assert sorted(set(watched.stage.states())) == ["active", "retired", "standby"]


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_no_verifier_refuses_a_token_through_three_turns(alg: str) -> None:
    demand_three_turns(Watched(stage(alg)))


def test_no_holder_of_the_secrets_refuses_a_token_through_three_turns() -> None:
    demand_three_turns(Watched(stage("HS256"), set_of=secret_set))


def test_no_verifier_of_a_ring_s_own_set_refuses_a_post_quantum_token_through_three_turns() -> None:
    watched = Watched(stage("ML-DSA-65"), set_of=ring_set, clients=QUANTUM)
    demand_three_turns(watched)
    with pytest.raises(jwt.PyJWTError):
        jwt.PyJWKSet.from_json(watched.sets[-1][1].decode())


def unproved(*, age: timedelta) -> Watched:
    """The same, but turns come without the lead: the horizon is what the real bounds would give."""
    return Watched(Stage(**SHORT | {"rotate_every": 5 * MIN}, unproved=True), age=age)


def test_without_the_lead_verifiers_refuse_good_tokens_so_these_tests_can_fail() -> None:
    real = horizon(stage("ES256").view.ring.policy.bounds)
    watched = unproved(age=real)
    watched.run(30 * MIN)
    told = Counter((one.client, one.held) for one in watched.refused)
    assert {client for client, held in told if held == "a horizon ago"} == set(CLASSIC)
    fresh = unproved(age=timedelta())
    fresh.run(30 * MIN)
    assert [one for one in fresh.refused if one.kid == fresh.stage.active.kid] == []


def test_a_key_that_is_promoted_at_the_first_moment_it_may_sign_is_refused_by_nobody() -> None:
    watched = Watched(stage("ES256"))
    made = watched.stage
    watched.run(MIN)
    made.node.commands.set_policy("default", ANN, changes={"alg": "EdDSA"})
    watched.run(S)
    born = next(key for key in made.view.ring.keys if key.alg == "EdDSA")
    while made.active.kid != born.kid:
        watched.run(10 * S)
        with suppress(StateForbids):
            made.node.commands.promote("default", ANN, kid=born.kid)
    promoted = made.active.promoted
    assert promoted is not None
    assert born.sign_from is not None
    assert timedelta() <= promoted.at - born.sign_from <= TICK + 10 * S
    watched.run(GONE)
    assert {one.alg for one in watched.issued} == {"ES256", "EdDSA"}
    assert watched.refused == []


def test_rs256_becomes_eddsa_and_no_token_of_either_is_refused() -> None:
    watched = Watched(stage("RS256"))
    watched.run(30 * MIN)
    watched.stage.node.commands.set_policy("default", ANN, changes={"alg": "EdDSA"})
    watched.run(TURN + MATURE)
    assert [key.alg for key in watched.stage.view.ring.published] == ["EdDSA", "EdDSA"]
    assert {one.alg for one in watched.issued} == {"RS256", "EdDSA"}
    assert watched.refused == []
    assert watched.judged > 500


def test_rs256_becomes_ml_dsa_in_a_set_of_its_own_and_no_token_of_either_is_refused() -> None:
    made = stage("RS256")
    old = Watched(made)
    both = Watched(made, set_of=ring_set, clients=QUANTUM)
    old.run(30 * MIN)
    both.issued += old.issued
    made.node.commands.set_policy("default", ANN, changes={"alg": "ML-DSA-65"})
    both.run(TURN + MATURE)
    old.note()
    assert {one.alg for one in both.issued} == {"RS256", "ML-DSA-65"}
    assert both.refused == []
    assert both.judged > 500
    kinds = {
        body: {key["kty"] for key in json.loads(body)["keys"]} for body in (issuer_set(made), ring_set(made))
    }
    assert kinds[issuer_set(made)] == {"RSA"}
    assert "AKP" in kinds[ring_set(made)]
    assert jwt.PyJWKSet.from_json(issuer_set(made).decode()).keys


def test_tokens_of_the_old_algorithm_stay_good_in_the_issuer_s_set_during_a_change_to_ml_dsa() -> None:
    made = stage("RS256")
    watched = Watched(made)
    watched.run(30 * MIN)
    made.node.commands.set_policy("default", ANN, changes={"alg": "ML-DSA-65"})
    turn_at = made.view.ring.turn_at
    assert turn_at is not None
    watched.run(turn_at - made.clock.now() - S)
    made.clock.advance(S)
    made.node.loop.run_once()
    assert made.active.alg == "ML-DSA-65"
    for _ in range(30):
        made.clock.advance(MIN / 2)
        made.node.loop.run_once()
        watched.note()
        watched.judge()
    assert watched.good() == []
    assert watched.refused == []


def foreign() -> tuple[bytes, Any]:
    """A key that somebody made with openssl and signs with, and what it is published as."""
    pem = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    return pem, import_key(pem)


def by_hand(pem: bytes, *, at: datetime, ends: datetime) -> Issued:
    """A token of those who hold the foreign key."""
    claims = {"iss": ISSUER, "sub": "bob", "iat": int(at.timestamp()), "exp": int(ends.timestamp())}
    return Issued(
        jwt.encode(claims, pem, "ES256", headers={"kid": "2024-07"}), "2024-07", "ES256", ends + MIN
    )


def test_a_key_in_use_elsewhere_becomes_active_and_no_token_of_anybody_is_refused() -> None:
    pem, found = foreign()
    made = stage("ES256", served=True)
    before = made.clock.now()
    elsewhere = json.dumps(
        {"keys": [{**found.public, "kid": "2024-07", "alg": "ES256", "use": "sig"}]}
    ).encode()
    ring = made.view.ring
    entered = made.custody.adopt("ES256", ring.id, private=found.private, public=found.public, kid="2024-07")
    until = before + 5 * MIN
    usage = Usage(published_since=before - DAY, foreign_until=until, foreign_ttl=10 * MIN)
    made.node.commands.take_in("default", ANN, made=entered, usage=usage)
    made.node.rotator.turn("default")
    assert made.active.kid == "2024-07"
    watched = Watched(made)
    watched.sets.insert(0, (before - DAY, elsewhere))
    watched.issued.append(by_hand(pem, at=before, ends=before + 10 * MIN))
    watched.run(5 * MIN)
    watched.issued.append(by_hand(pem, at=until - S, ends=until - S + 10 * MIN))
    watched.run(TURN + GONE)
    assert watched.signers[0] == "2024-07"
    assert len(watched.signers) == 2
    assert watched.refused == []
    assert made.view.ring.key("2024-07").state == "retired"


def test_a_turn_that_is_rolled_back_and_booked_again_refuses_no_token() -> None:
    watched = Watched(stage("ES256"))
    watched.run(TURN + 2 * MIN)
    first, second = watched.signers
    watched.stage.node.commands.roll_back("default", ANN)
    watched.run(TURN)
    assert watched.signers == [first, second, first]
    watched.stage.node.commands.rotate("default", ANN)
    watched.run(TURN)
    assert len(watched.signers) >= 4
    assert watched.refused == []
    assert watched.judged > 500


def test_after_a_revocation_fresh_sets_refuse_its_tokens_and_all_others_are_accepted() -> None:
    watched = Watched(stage("ES256"))
    made = watched.stage
    watched.run(TURN + 30 * S)
    first, second = watched.signers
    watched.run(MIN)
    lost = {one.token for one in watched.good() if one.kid == second}
    assert lost
    assert {one.kid for one in watched.good()} == {first, second}
    made.node.commands.revoke("default", ANN, kid=second)
    made.node.loop.wake()
    made.node.loop.run_once()
    watched.note()
    for name, client in CLASSIC.items():
        check = client(watched.sets[-1][1])
        assert {one.token for one in watched.good() if watched.no(check, one)} == lost, name
    watched.issued = [
        replace(one, ends=made.clock.now()) if one.kid == second else one for one in watched.issued
    ]
    watched.run(TURN + GONE)
    assert second not in watched.signers[2:]
    assert watched.refused == []

"""The JWKS answer: what is in a set, and how long caches may keep it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core.errors import NotFound, TooLarge, Unavailable
from jwturn.core.states import RETIRED, VERIFY_ONLY
from jwturn.service import publish
from jwturn.service.publish import Published, answer, discovery, published
from tests.service.stage import ANN, DAY, HOUR, ISSUER, Stage

S = timedelta(seconds=1)
MIN = timedelta(minutes=1)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def kids(found: Published) -> list[str]:
    return [key["kid"] for key in json.loads(found.body)["keys"]]


def keys(found: Published) -> dict[str, Mapping[str, Any]]:
    return {key["kid"]: key for key in json.loads(found.body)["keys"]}


def issuer_set(stage: Stage) -> Published:
    return stage.node.publisher.issuer_set(ISSUER)


def test_a_set_holds_every_published_key_and_only_public_members(stage: Stage) -> None:
    found = issuer_set(stage)
    assert kids(found) == sorted(key.kid for key in stage.view.ring.published)
    for key in keys(found).values():
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_the_answer_has_the_exact_headers(stage: Stage) -> None:
    found = answer(issuer_set(stage), None)
    assert found.status == 200
    assert dict(found.headers) == {
        "content-type": "application/jwk-set+json",
        "cache-control": "public, max-age=300",
        "etag": issuer_set(stage).etag,
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
    }
    assert json.loads(found.body)["keys"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a",W/{} , "b"', "*"])
def test_a_caller_that_holds_the_set_is_answered_304_without_a_body(stage: Stage, form: str) -> None:
    found = issuer_set(stage)
    reply = answer(found, form.format(found.etag))
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["etag"] == found.etag
    assert reply.headers["cache-control"] == found.headers["cache-control"]
    assert "content-type" not in reply.headers


@pytest.mark.parametrize("form", ['"other"', "", '"*"', "w/{}", "{}x"])
def test_a_caller_that_holds_another_set_gets_this_one(stage: Stage, form: str) -> None:
    found = issuer_set(stage)
    assert answer(found, form.format(found.etag)).status == 200


def test_the_etag_is_strong_and_moves_with_every_change_of_the_set(stage: Stage) -> None:
    before = issuer_set(stage).etag
    assert before.startswith('"')
    assert before.endswith('"')
    stage.clock.advance(6 * S)
    assert issuer_set(stage).etag == before
    stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
    stage.node.publisher.refresh()
    assert issuer_set(stage).etag != before


def test_an_unknown_issuer_or_ring_is_not_found_and_not_remembered(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.node.publisher.issuer_set("https://nobody.example.com")
    with pytest.raises(NotFound):
        stage.node.publisher.ring_set("nonesuch")
    assert stage.node.publisher._sets == {}


def test_the_issuers_set_is_the_union_of_its_rings_and_a_rings_own_set_is_not(stage: Stage) -> None:
    stage.node.commands.add_ring("second", issuer=ISSUER, policy=stage.view.ring.policy, actor=ANN)
    stage.node.rotator.turn("second")
    second = stage.node.publisher.ring_set("second")
    assert len(second.kids) == 1
    assert issuer_set(stage).kids == second.kids | stage.node.publisher.ring_set("default").kids
    assert issuer_set(stage).algs == ("ES256",)


def test_a_post_quantum_ring_keeps_a_set_of_its_own() -> None:
    stage = Stage()
    stage.node.commands.set_policy("default", ANN, changes={"alg": "ML-DSA-44"})
    stage.node.rotator.turn("default")
    assert issuer_set(stage).algs == ("ES256",)
    assert stage.node.publisher.ring_set("default").algs == ("ES256", "ML-DSA-44")


def test_a_ring_of_secrets_has_no_set() -> None:
    stage = Stage(alg="HS256")
    for ask in (lambda: issuer_set(stage), lambda: stage.node.publisher.ring_set("default")):
        with pytest.raises(Unavailable) as refused:
            ask()
        assert refused.value.code == "no_key"


def test_without_shared_caches_the_header_says_private() -> None:
    found = issuer_set(Stage(edge_ttl_max=timedelta()))
    assert found.headers["cache-control"] == "private, max-age=300"


def test_one_ring_that_forbids_shared_caches_decides_for_its_issuer(stage: Stage) -> None:
    stage.node.commands.add_ring("second", issuer=ISSUER, policy=stage.view.ring.policy, actor=ANN)
    stage.node.rotator.turn("second")
    stage.node.commands.set_policy(
        "second", ANN, changes={"edge_ttl_max": timedelta(), "jwks_max_age": 90 * S}
    )
    assert issuer_set(stage).headers["cache-control"] == "private, max-age=90"


def ages_until_gone(stage: Stage, kid: str) -> list[tuple[timedelta, int]]:
    """(time, max-age) every 10 s until the key has left the set."""
    seen: list[tuple[timedelta, int]] = []
    for _ in range(1000):
        stage.node.rotator.turn("default")
        found = issuer_set(stage)
        if kid not in found.kids:
            return seen
        seen.append((stage.clock.boottime(), int(found.headers["cache-control"].split("=")[1])))
        stage.clock.advance(10 * S)
        stage.node.loop.tick()
    raise AssertionError("the key never left")


def test_max_age_is_shortened_to_the_next_removal_and_no_further_than_30_seconds(stage: Stage) -> None:
    stage.skip(2 * DAY)
    old = stage.active.kid
    stage.node.signing.sign("default", {}, ttl=MIN)
    stage.node.commands.promote("default", ANN)
    stage.node.signing.refresh()
    ages = ages_until_gone(stage, old)
    gone = stage.clock.boottime()
    assert ages[0][1] == 300
    assert min(age for _, age in ages) == 30
    for at, age in ages:
        left = (gone - at).total_seconds()
        assert age <= max(30, left)


def test_a_key_that_only_a_person_retires_does_not_shorten_max_age_for_ever() -> None:
    stage = Stage()
    stage.node.commands.set_policy("default", ANN, changes={"alg": "ML-DSA-44"})
    for _ in range(3):
        stage.node.rotator.turn("default")
        stage.skip(2 * DAY)
        if stage.active.alg == "ES256":
            new = next(key.kid for key in stage.view.ring.keys if key.alg == "ML-DSA-44")
            stage.node.commands.promote("default", ANN, kid=new)
    left = [key.state for key in stage.view.ring.published if key.in_issuer_set]
    assert left == [VERIFY_ONLY]
    assert issuer_set(stage).headers["cache-control"] == "public, max-age=300"


def test_a_key_whose_private_half_is_gone_says_the_last_exp_it_can_have_issued(stage: Stage) -> None:
    stage.skip(2 * DAY)
    stage.node.signing.sign("default", {})
    old = stage.active.kid
    stage.node.commands.promote("default", ANN)
    signed = stage.node.signing.sign("default", {})
    stage.node.rotator.turn("default")
    assert signed.kid == old
    assert "exp" not in keys(issuer_set(stage))[old]
    stage.skip(HOUR + 5 * MIN)
    assert stage.view.ring.key(old).private is None
    published_exp = keys(issuer_set(stage))[old]["exp"]
    assert isinstance(published_exp, int)
    assert published_exp >= signed.expires.timestamp()
    stage.skip(HOUR)
    assert stage.view.ring.key(old).state is RETIRED
    assert old not in issuer_set(stage).kids


def test_a_set_past_its_limit_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(issuer_set(stage).body)
    monkeypatch.setattr(publish, "SET_BYTES_MAX", size)
    published([stage.view], issuer_set=True, read_at=timedelta())
    monkeypatch.setattr(publish, "SET_BYTES_MAX", size - 1)
    with pytest.raises(TooLarge, match=f"{size} bytes"):
        published([stage.view], issuer_set=True, read_at=timedelta())


def test_a_private_member_that_slipped_in_fails_the_publish(stage: Stage) -> None:
    view = stage.view
    key = view.ring.keys[0]
    assert key.public is not None
    key.public["d"] = "c2VjcmV0"
    found = published([view], issuer_set=True, read_at=timedelta())
    assert b"c2VjcmV0" not in found.body


def test_discovery_says_issuer_set_and_algorithms() -> None:
    said = json.loads(discovery(ISSUER, f"{ISSUER}/.well-known/jwks.json", ("EdDSA", "RS256")))
    assert said["issuer"] == ISSUER
    assert said["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert said["id_token_signing_alg_values_supported"] == ["EdDSA", "RS256"]
    assert said["response_types_supported"] == ["id_token"]
    assert said["subject_types_supported"] == ["public"]


def test_rings_of_other_issuers_are_not_in_a_set(stage: Stage) -> None:
    policy = stage.view.ring.policy
    stage.node.commands.add_ring("other", issuer="https://other.example.com", policy=policy, actor=ANN)
    stage.node.rotator.turn("other")
    others = stage.node.publisher.issuer_set("https://other.example.com")
    assert len(others.kids) == 2
    assert not others.kids & issuer_set(stage).kids

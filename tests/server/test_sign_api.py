"""Claims in, token out: one and batch, strict bodies, and claims that nobody else may set."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.tokens import Role
from tests.server.world import ANN, ISSUER, World

SIGN = "/v1/rings/default/sign"


def signed(world: World, body: Any) -> Any:
    found = world.post(SIGN, body, role=Role.SIGNER)
    assert found.status == 200, found.body
    return found.json


def refused(world: World, body: Any) -> tuple[int, str, str]:
    found = world.post(SIGN, body, role=Role.SIGNER)
    return found.status, found.code, found.json["hint"]


def test_a_token_carries_the_claims_and_verifies(world: World) -> None:
    told = signed(world, {"claims": {"sub": "alice", "roles": ["a", "b"]}, "ttl": "10m"})
    claims = world.app.verify(told["token"])
    now = int(world.clock.now().timestamp())
    assert claims == {
        "iss": ISSUER,
        "sub": "alice",
        "roles": ["a", "b"],
        "iat": now,
        "exp": now + 600,
        "jti": claims["jti"],
    }
    assert told["kid"] == world.kids()["active"]
    assert told["expires_at"] == "2030-01-01T00:10:00Z"


def test_an_answer_with_a_token_is_kept_by_no_cache(world: World) -> None:
    found = world.post(SIGN, {"claims": {}}, role=Role.SIGNER)
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("ttl", "seconds"), [(90, 90), ("90s", 90), ("1h", 3600), (None, 3600)])
def test_the_lifetime_is_in_seconds_or_in_words_or_the_policys(
    world: World, ttl: int | str | None, seconds: int
) -> None:
    claims = world.app.verify(signed(world, {"claims": {}, "ttl": ttl})["token"])
    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize(("default", "seconds"), [("10m", 600), ("9h", 3600)])
def test_a_default_lifetime_of_the_settings_never_exceeds_the_policys(
    tmp_path: Path, default: str, seconds: int
) -> None:
    world = World(tmp_path, default_token_ttl=default)
    claims = world.app.verify(signed(world, {"claims": {}})["token"])
    assert claims["exp"] - claims["iat"] == seconds
    assert signed(world, {"claims": {}, "ttl": 3600})["expires_at"] == "2030-01-01T01:00:00Z"
    world.close()


def test_the_audience_is_set_beside_the_claims(world: World) -> None:
    told = signed(world, {"claims": {}, "audience": "api"})
    assert world.app.verify(told["token"], audience="api")["aud"] == "api"


def test_a_caller_cannot_leave_the_audience_of_the_policy(tmp_path: Path) -> None:
    world = World(tmp_path, rings={"default": {"audience": "api,web"}})
    assert world.app.verify(signed(world, {"claims": {}, "audience": "web"})["token"])["aud"] == "web"
    assert world.app.verify(signed(world, {"claims": {}})["token"])["aud"] == ["api", "web"]
    assert refused(world, {"claims": {}, "audience": "bank"})[:2] == (400, "claims_reserved")
    assert refused(world, {"claims": {"aud": "bank"}})[:2] == (400, "claims_reserved")
    world.close()


def test_a_batch_gives_a_token_for_each_in_order(world: World) -> None:
    told = signed(world, {"batch": [{"sub": str(number)} for number in range(20)], "ttl": 60})
    subjects = [world.app.verify(one["token"])["sub"] for one in told["tokens"]]
    assert subjects == [str(number) for number in range(20)]


def test_a_batch_is_all_or_none(world: World) -> None:
    assert refused(world, {"batch": [{"sub": "a"}, {"iss": "https://evil.example"}]})[:2] == (
        400,
        "claims_reserved",
    )


def test_a_batch_over_the_limit_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path, batch_max=3)
    assert len(signed(world, {"batch": [{}] * 3})["tokens"]) == 3
    assert refused(world, {"batch": [{}] * 4})[:2] == (413, "too_large")
    world.close()


def test_an_empty_batch_is_no_tokens(world: World) -> None:
    assert signed(world, {"batch": []}) == {"tokens": []}


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "nbf", "jti"])
def test_reserved_claims_are_refused(world: World, name: str) -> None:
    status, code, hint = refused(world, {"claims": {name: 1}})
    assert (status, code) == (400, "claims_reserved")
    assert "leave them out" in hint


@pytest.mark.parametrize("ttl", ["2h", 3601, 0, -5, 10**12, "soon"])
def test_a_lifetime_out_of_range_is_refused(world: World, ttl: int | str) -> None:
    status, code, _ = refused(world, {"claims": {}, "ttl": ttl})
    assert (status, code) in [(400, "ttl_out_of_range"), (400, "duration_malformed")]


def test_claims_without_their_member_are_refused_with_the_way_to_send_them(world: World) -> None:
    status, code, hint = refused(world, {"sub": "alice"})
    assert (status, code) == (400, "claims_missing")
    assert '{"claims": {"sub": "alice"}' in hint


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "claims_missing"),
        ({"claims": {}, "batch": []}, "claims_missing"),
        ({"claims": {}, "tll": 60}, "unknown_member"),
        ({"claims": []}, "body_malformed"),
        ({"claims": {}, "ttl": 1.5}, "body_malformed"),
        ({"claims": {}, "ttl": True}, "body_malformed"),
        ({"claims": {"sub": 7}}, "claims_malformed"),
        ({"claims": {"sub": "a" * 7000}}, "claims_malformed"),
        ({"claims": {}, "audience": ""}, "body_malformed"),
        ({"claims": {}, "audience": "a" * 513}, "body_malformed"),
        ([], "body_malformed"),
        ("text", "body_malformed"),
    ],
)
def test_a_body_of_another_form_is_refused(world: World, body: Any, code: str) -> None:
    assert refused(world, body)[:2] == (400, code)


def test_a_member_that_is_nearly_right_is_named(world: World) -> None:
    assert "did you mean ttl?" in refused(world, {"claims": {}, "tll": 60})[2]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"claims": {"sub": "a", "sub": "b"}}', "json_duplicate"),
        (b'{"claims": {}, "claims": {"admin": true}}', "json_duplicate"),
        (b'{"claims": {"\\u0061": 1, "a": 2}}', "json_duplicate"),
        (b'{"claims": {"n": NaN}}', "json_malformed"),
        (b'{"claims": {"n": 1e400}}', "json_number"),
        (b'{"claims": {}', "json_malformed"),
        (b"\xef\xbb\xbf{}", "json_encoding"),
        (b'{"claims": {"s": "\xff"}}', "json_encoding"),
        (b'{"claims":' + b'{"a":' * 20 + b"1" + b"}" * 21, "json_depth"),
    ],
)
def test_json_that_has_more_than_one_reading_is_refused(world: World, data: bytes, code: str) -> None:
    found = world.call(
        "POST", SIGN, data=data, role=Role.SIGNER, headers={"content_type": "application/json"}
    )
    assert (found.status, found.code) == (400, code)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_another_content_type_is_a_415(world: World, content_type: str) -> None:
    data = b'{"claims": {}}'
    found = world.call("POST", SIGN, data=data, role=Role.SIGNER, headers={"content_type": content_type})
    assert (found.status, found.code) == (415, "content_type")


def test_json_may_name_its_charset(world: World) -> None:
    headers = {"content_type": "Application/JSON; charset=utf-8"}
    assert world.call("POST", SIGN, data=b'{"claims":{}}', role=Role.SIGNER, headers=headers).status == 200


def test_an_unknown_ring_is_a_404(world: World) -> None:
    found = world.post("/v1/rings/absent/sign", {"claims": {}}, role=Role.SIGNER)
    assert (found.status, found.code) == (404, "no_ring")
    assert world.post("/v1/rings/not.a.name/sign", {"claims": {}}, role=Role.SIGNER).status == 404


def test_a_ring_without_a_mature_key_is_a_503_with_retry_after(tmp_path: Path) -> None:
    world = World(tmp_path, rings={})
    world.add_ring("default")
    world.add_ring("second")
    found = world.post("/v1/rings/second/sign", {"claims": {}}, role=Role.SIGNER)
    assert (found.status, found.code) == (503, "no_active_key")
    assert int(found.headers["retry-after"]) > 0
    world.close()


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "HS256", "PS256", "ES512", "ML-DSA-44"])
def test_every_kind_of_key_signs_in_the_loop_or_in_a_thread(tmp_path: Path, alg: str) -> None:
    world = World(tmp_path, rings={"default": {"alg": alg, "rsa_bits": 2048}})
    for _ in range(2):
        assert world.app.verify(signed(world, {"claims": {"sub": "a"}})["token"])["sub"] == "a"
    held = world.app.signing.holds("default")
    assert held is not None
    assert held.alg == alg
    world.close()


def test_a_lease_that_is_over_is_not_held(world: World) -> None:
    signed(world, {"claims": {}})
    assert world.app.signing.holds("default") is not None
    world.clock.advance(timedelta(minutes=11))
    assert world.app.signing.holds("default") is None
    signed(world, {"claims": {}})


def test_a_signer_without_another_key_stops_when_its_key_is_revoked(world: World) -> None:
    """DESIGN section 3: connected signers stop at their next refresh, also where no key takes over."""
    before = signed(world, {"claims": {}})
    world.app.commands.revoke("default", ANN, kid=before["kid"])
    world.app.loop.wake()
    world.app.loop.run_once()
    assert refused(world, {"claims": {}})[:2] == (503, "no_active_key")


def test_get_on_sign_is_a_405(world: World) -> None:
    found = world.get(SIGN, Role.SIGNER)
    assert (found.status, found.code) == (405, "method_not_allowed")
    assert found.headers["allow"] == "POST"


def test_a_defect_is_a_500_that_says_nothing_of_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the canary at 10.0.0.9")

    monkeypatch.setattr(world.app.signing, "sign", broken)
    found = world.post(SIGN, {"claims": {}}, role=Role.SIGNER)
    assert (found.status, found.code) == (500, "internal")
    assert b"canary" not in found.body
    assert json.loads(found.body)["title"] == "Internal Server Error"


@pytest.mark.parametrize("item", [{"claims": {"sub": "a"}}, {"claims": {}, "ttl": "1m", "audience": "x"}])
def test_an_item_of_a_batch_is_a_claims_set_and_no_body(world: World, item: dict[str, Any]) -> None:
    status, code, hint = refused(world, {"batch": [{"sub": "bob"}, item]})
    assert (status, code) == (400, "claims_malformed")
    assert "an item is a claims set" in hint
    assert len(signed(world, {"batch": [{"claims": {}, "sub": "c"}, {"claims": "a word"}]})["tokens"]) == 2

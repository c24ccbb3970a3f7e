"""A person's commands over HTTP: dry runs, reasons, effects, and what the node shows after them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.tokens import Role
from jwturn.server.idempotency import Replays
from jwturn.service.publish import Answer
from jwturn.testing.clock import FakeClock
from tests.server.world import DAY, Reply, World

RING = "/v1/rings/default"


def do(world: World, verb: str, body: Any = None, *, role: Role = Role.ADMIN, **headers: str) -> Reply:
    return world.post(f"{RING}/{verb}", body, role=role, **headers)


def steps(found: Reply) -> list[str]:
    assert found.status == 200, found.body
    return [step["step"] for step in found.json["steps"]]


def last_event(world: World) -> Any:
    return world.get(f"{RING}/events?limit=1000", Role.AUDITOR).json["events"][-1]


def test_rotate_books_the_turn_and_never_switches_at_once(world: World) -> None:
    world.mature()
    active = world.kids()["active"]
    found = do(world, "rotate", {"reason": "monthly drill"}, role=Role.OPERATOR)
    assert steps(found) == ["book_turn"]
    assert world.kids()["active"] == active
    assert found.json["turn_at"] > "2030-01-03"
    event = last_event(world)
    assert (event["who"], event["why"], event["action"]) == ("token:a-operator", "monthly drill", "book_turn")


def test_a_command_needs_no_body_where_it_needs_nothing(world: World) -> None:
    assert steps(world.call("POST", f"{RING}/rotate", role=Role.OPERATOR)) == ["book_turn"]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(world: World) -> None:
    world.mature()
    before = world.app.store.load("default").ring
    found = do(world, "promote", {"dry_run": True})
    assert steps(found) == ["promote"]
    assert found.json["dry_run"] is True
    assert world.app.store.load("default").ring == before


def test_promote_switches_the_signer_and_rollback_switches_back(world: World) -> None:
    world.mature()
    first, standby = world.kids()["active"], world.kids()["standby"]
    assert do(world, "promote", role=Role.OPERATOR).json["keys"][standby] == "active"
    told = world.post(f"{RING}/sign", {"claims": {}}, role=Role.SIGNER).json
    assert told["kid"] == standby
    world.pass_time(timedelta(minutes=2), steps=4)
    after = do(world, "rollback", role=Role.OPERATOR).json["keys"]
    assert (after[first], after[standby]) == ("active", "verify-only")


def test_promote_before_the_lead_is_refused_then_done_by_an_admin_with_a_reason(world: World) -> None:
    found = do(world, "promote")
    assert (found.status, found.code) == (409, "state_forbids")
    found = do(world, "promote", {"before_lead": True})
    assert (found.status, found.code) == (400, "reason_missing")
    assert steps(do(world, "promote", {"before_lead": True, "reason": "leak"})) == ["promote"]
    assert last_event(world)["detail"] == {"waiver": "before_lead"}


def test_revoke_needs_a_reason_and_a_kid(world: World) -> None:
    assert do(world, "revoke", {"kid": world.kids()["active"]}).code == "reason_missing"
    assert do(world, "revoke", {"reason": "lost"}).code == "body_malformed"
    assert do(world, "revoke", {"kid": "nobody", "reason": "lost"}).status == 404


def test_revoke_shows_its_effect_and_the_node_follows_before_the_answer(world: World) -> None:
    world.mature()
    active, standby = world.kids()["active"], world.kids()["standby"]
    world.post(f"{RING}/sign", {"batch": [{}, {}, {}]}, role=Role.SIGNER)
    world.get("/.well-known/jwks.json")
    world.pass_time(timedelta(seconds=30), steps=3)
    found = do(world, "revoke", {"kid": active[:8], "reason": "laptop stolen"})
    assert steps(found) == ["revoke", "promote"]
    effect = found.json["effect"]
    assert (effect["kid"], effect["state"], effect["live_tokens"]) == (active, "active", 3)
    assert effect["replacement"] == standby
    assert effect["signers_lease_seconds"] == 600
    assert [end["verifier"] for end in effect["verifiers"]] == ["any verifier"]
    assert active not in str(world.get("/.well-known/jwks.json").json)
    world.app.loop.run_once()
    assert world.post(f"{RING}/sign", {"claims": {}}, role=Role.SIGNER).json["kid"] == standby


def test_revoke_dry_shows_the_effect_and_revokes_nothing(world: World) -> None:
    active = world.kids()["active"]
    found = do(world, "revoke", {"kid": active, "reason": "drill", "dry_run": True})
    assert found.json["effect"]["kid"] == active
    assert world.kids()["active"] == active


def test_hold_and_release_a_key_and_the_ring(world: World) -> None:
    standby = world.kids()["standby"]
    assert do(world, "hold", {"kid": standby}).code == "reason_missing"
    assert steps(do(world, "hold", {"kid": standby, "reason": "audit"})) == ["hold_key"]
    assert do(world, "discard", {"kid": standby}).status == 409
    assert steps(do(world, "release", {"kid": standby})) == ["release_key"]
    assert steps(do(world, "hold", {"reason": "freeze"})) == ["hold_key"]
    held = world.get(RING, Role.AUDITOR).json["hold"]
    assert (held["who"], held["why"]) == ("token:a-admin", "freeze")
    assert steps(do(world, "release")) == ["release_key"]
    assert steps(do(world, "discard", {"kid": standby})) == ["discard"]


def test_delivered_starts_the_lead_of_a_secret_that_is_carried_by_hand(tmp_path: Path) -> None:
    world = World(tmp_path, rings={"default": {"alg": "HS256", "delivery": "manual"}})
    standby = world.kids()["standby"]
    assert steps(do(world, "delivered", {"kid": standby}, role=Role.OPERATOR)) == ["delivered"]
    assert do(world, "delivered", {"kid": standby}, role=Role.OPERATOR).status == 409
    world.close()


def test_policy_changes_are_shown_as_old_and_new(world: World) -> None:
    found = do(world, "policy", {"changes": {"verifiers": ["jose", "pyjwt"], "rotate_every": "200d"}})
    assert steps(found) == ["set_policy"]
    assert found.json["changes"]["rotate_every"] == ["90d", "200d"]
    assert found.json["changes"]["lead"][1] == "49m 6s"
    assert any("six months" in words for words in found.json["warnings"])


def test_a_policy_that_breaks_the_theorem_is_refused_with_the_numbers_and_the_way_out(world: World) -> None:
    found = do(world, "policy", {"changes": {"rotate_every": "12h"}})
    assert (found.status, found.code) == (422, "policy_refused")
    assert "must exceed the lead" in found.json["detail"]
    assert "verifiers" in found.json["hint"]
    assert do(world, "policy", {"changes": {"rotate": "12h"}}).code == "unknown_field"


def test_the_same_key_and_body_is_done_once_and_answered_twice(world: World) -> None:
    body = {"reason": "freeze"}
    first = do(world, "hold", body, idempotency_key="k1")
    again = do(world, "hold", body, idempotency_key="k1")
    assert again == first
    held = [event["action"] for event in world.get(f"{RING}/events", Role.AUDITOR).json["events"]]
    assert held.count("hold_key") == 1


def test_the_same_key_with_another_body_is_a_422(world: World) -> None:
    do(world, "hold", {"reason": "freeze"}, idempotency_key="k1")
    found = do(world, "hold", {"reason": "thaw"}, idempotency_key="k1")
    assert (found.status, found.code) == (422, "idempotency_conflict")


def test_the_key_of_one_caller_or_path_is_not_anothers(world: World) -> None:
    body = {"reason": "freeze"}
    do(world, "hold", body, idempotency_key="k1")
    assert steps(do(world, "release", idempotency_key="k1")) == ["release_key"]
    assert steps(do(world, "hold", body, role=Role.OPERATOR, idempotency_key="k1")) == ["hold_key"]


def test_what_was_refused_or_tried_dry_may_be_sent_again_with_its_key(world: World) -> None:
    assert do(world, "promote", idempotency_key="k1").status == 409
    world.mature()
    assert do(world, "promote", {"dry_run": True}, idempotency_key="k1").json["dry_run"] is True
    assert steps(do(world, "promote", idempotency_key="k1")) == ["promote"]


def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    do(world, "hold", {"reason": "freeze"}, idempotency_key="k1")
    world.clock.advance(DAY)
    assert steps(do(world, "hold", {"reason": "thaw"}, idempotency_key="k1")) == ["hold_key"]


@pytest.mark.parametrize("key", ["", "x" * 129, "\xe9"])
def test_a_key_of_another_form_is_refused(world: World, key: str) -> None:
    assert do(world, "rotate", idempotency_key=key).code == "idempotency_key"


def test_two_calls_with_one_key_at_the_same_time_do_it_once(world: World) -> None:
    headers = {"content_type": "application/json", "idempotency_key": "k1"}
    data = b'{"reason": "freeze"}'
    calls = [
        world.send("POST", f"{RING}/hold", data=data, role=Role.ADMIN, headers=headers) for _ in range(2)
    ]
    found = world.together(*calls)
    assert sorted(reply.status for reply in found) == [200, 409]
    assert next(reply for reply in found if reply.status == 409).code == "idempotency_in_flight"


def test_only_so_many_answers_are_kept() -> None:
    replays = Replays(FakeClock())
    for number in range(5000):
        place = ("caller", "/path", str(number))
        assert replays.begin(place, b"") is None
        replays.end(place, Answer(200, {}, b""))
    assert replays.begin(("caller", "/path", "0"), b"") is None
    assert replays.begin(("caller", "/path", "4999"), b"") is not None


@pytest.mark.parametrize("verb", ["rotate", "promote", "revoke", "rollback", "discard", "hold", "policy"])
def test_unknown_members_are_refused_by_every_command(world: World, verb: str) -> None:
    found = do(world, verb, {"dryrun": True})
    assert (found.status, found.code) == (400, "unknown_member")
    assert found.json["hint"] == "did you mean dry_run?"


def test_a_reason_has_a_bound(world: World) -> None:
    assert do(world, "hold", {"reason": "x" * 501}).code == "body_malformed"


def test_a_ring_that_is_not_there_is_a_404_for_every_command(world: World) -> None:
    for verb in ("rotate", "promote", "rollback"):
        assert world.post(f"/v1/rings/absent/{verb}", {}, role=Role.ADMIN).status == 404
    assert world.post("/v1/rings/absent/revoke", {"kid": "a", "reason": "b"}, role=Role.ADMIN).status == 404

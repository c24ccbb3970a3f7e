"""Probes and metrics: what an orchestrator and a monitor see, also when something is wrong."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.errors import Unavailable
from jwturn.core.policy import RotationPolicy
from jwturn.core.tokens import Role
from jwturn.server.routes import ROUTES
from tests.server.world import ANN, SECOND, World

LINE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")


def samples(world: World) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Every sample of /metrics by name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in world.get("/metrics").body.decode().splitlines():
        if not line.startswith("#"):
            match = LINE.match(line)
            assert match, line
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match["labels"] or ""))
            found.setdefault(match["name"], []).append((labels, float(match["value"])))
    return found


def away(*_: object) -> Any:
    raise Unavailable("the store at /secret/path is away", hint="wait")


def test_livez_asks_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rings", "load", "published", "tokens"):
        monkeypatch.setattr(world.app.store, name, away)
    found = world.get("/livez")
    assert (found.status, found.json) == (200, {"alive": True})


def test_readyz_is_ready_when_every_set_can_be_answered(world: World) -> None:
    found = world.get("/readyz")
    assert found.status == 200
    assert found.json == {
        "ready": True,
        "sets": [{"issuer": "https://auth.example.com", "ready": True, "code": ""}],
    }


def test_readyz_is_not_ready_before_the_first_key(tmp_path: Path) -> None:
    world = World(tmp_path, rings={})
    assert (world.get("/readyz").status, world.get("/readyz").json["ready"]) == (503, False)
    world.clock.advance(SECOND)
    world.app.commands.add_ring("late", issuer="https://late.example", policy=RotationPolicy(), actor=ANN)
    assert world.get("/readyz").json["sets"][0]["code"] == "no_key"
    world.clock.advance(SECOND)
    world.app.rotator.turn("late")
    assert world.get("/readyz").status == 200
    world.close()


def test_readyz_outlives_the_store_for_d_and_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.get("/readyz").status == 200
    for name in ("rings", "load", "published"):
        monkeypatch.setattr(world.app.store, name, away)
    world.clock.advance(timedelta(minutes=29))
    assert world.get("/readyz").status == 200
    world.clock.advance(timedelta(minutes=2))
    found = world.get("/readyz")
    assert (found.status, found.json["sets"][0]["code"]) == (503, "unavailable")
    assert b"/secret/path" not in found.body


@pytest.mark.parametrize("policy", [{"alg": "HS256"}, {"alg": "ML-DSA-44"}])
def test_readyz_counts_rings_whose_keys_are_in_no_issuers_set(tmp_path: Path, policy: dict[str, str]) -> None:
    world = World(tmp_path, rings={"default": policy})
    assert world.get("/readyz").status == 200
    found = world.get("/readyz/sign")
    assert (found.status, found.json["rings"][0]["kid"]) == (200, world.kids()["active"])
    world.close()


def test_ready_to_sign_names_the_key_and_holds_its_lease(world: World) -> None:
    found = world.get("/readyz/sign")
    assert found.status == 200
    kid = world.kids()["active"]
    assert found.json == {
        "ready": True,
        "rings": [{"ring": "default", "ready": True, "kid": kid, "code": ""}],
    }
    assert world.app.signing.holds("default") is not None


def test_a_ring_that_cannot_sign_makes_the_node_not_ready_to_sign(world: World) -> None:
    world.add_ring("second")
    found = world.get("/readyz/sign")
    assert found.status == 503
    assert {ring["ring"]: ring["code"] for ring in found.json["rings"]} == {
        "default": "",
        "second": "no_active_key",
    }


def test_a_key_that_is_not_in_the_set_served_is_not_ready(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    served = replace(world.app.publisher.issuer_set("https://auth.example.com"), kids=frozenset())
    monkeypatch.setattr(world.app.publisher, "issuer_set", lambda _: served)
    found = world.get("/readyz/sign")
    assert (found.status, found.json["rings"][0]["code"]) == (503, "not_published")


def test_ready_to_sign_fails_when_the_store_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.app.store, "rings", away)
    found = world.get("/readyz/sign")
    assert (found.status, found.json["ready"], found.json["rings"][0]["code"]) == (503, False, "unavailable")


def test_probes_are_answered_again_for_a_second(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.get("/readyz/sign").status == 200
    monkeypatch.setattr(world.app.store, "rings", away)
    assert world.get("/readyz/sign").status == 200
    world.clock.advance(SECOND)
    assert world.get("/readyz/sign").status == 503


def test_metrics_name_every_key_with_its_state(world: World) -> None:
    found = samples(world)
    assert {(m["ring"], m["kid"], m["alg"], m["state"]) for m, _ in found["jwturn_key_info"]} == {
        ("default", kid, "ES256", state) for state, kid in world.kids().items()
    }
    assert found["jwturn_store_up"] == [({}, 1.0)]


def test_metrics_say_when_the_next_steps_are(world: World) -> None:
    world.mature()
    steps = {labels["step"]: at for labels, at in samples(world)["jwturn_next_step_timestamp_seconds"]}
    ring = world.app.store.load("default").ring
    assert ring.turn_at is not None
    assert steps["promote"] == ring.turn_at.timestamp()
    assert steps["create"] < steps["promote"]


def test_metrics_count_signatures_and_the_last_exp(world: World) -> None:
    world.post("/v1/rings/default/sign", {"batch": [{}, {}, {}]}, role=Role.SIGNER)
    found = samples(world)
    kid = world.kids()["active"]
    assert found["jwturn_signatures_total"] == [({"ring": "default", "kid": kid}, 3.0)]
    exps = {labels["kid"]: at for labels, at in found["jwturn_last_exp_timestamp_seconds"]}
    assert exps == {kid: (world.clock.now() + timedelta(minutes=70)).timestamp()}


def test_metrics_count_sets_by_code(world: World) -> None:
    etag = world.get("/.well-known/jwks.json").headers["etag"]
    world.get("/.well-known/jwks.json", if_none_match=etag)
    world.get("/rings/absent/.well-known/jwks.json")
    found = {labels["code"]: number for labels, number in samples(world)["jwturn_jwks_requests_total"]}
    assert found == {"200": 1.0, "304": 1.0, "404": 1.0}


def test_metrics_label_routes_and_never_paths_that_were_sent(world: World) -> None:
    for number in range(20):
        world.get(f"/v1/rings/guess{number}", Role.AUDITOR)
        world.get(f"/nothing/{number}")
        world.call("BREW", f"/pot/{number}")
    found = samples(world)["jwturn_http_requests_total"]
    assert {labels["route"] for labels, _ in found} <= {"unmatched", *(route.path for route in ROUTES)}
    counted = {(labels["route"], labels["code"]): number for labels, number in found}
    assert counted["/v1/rings/{ring}", "404"] == 20
    assert counted["unmatched", "404"] == 40


def test_metrics_time_answers_in_cumulative_buckets(world: World) -> None:
    for _ in range(3):
        world.get("/livez")
    buckets = [n for m, n in samples(world)["jwturn_http_request_seconds_bucket"] if m["route"] == "/livez"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3


def test_metrics_show_findings_and_the_loop(world: World) -> None:
    world.app.loop.run_once()
    found = samples(world)
    assert found["jwturn_rotate_errors_total"] == [({}, 0.0)]
    assert found["jwturn_rotate_last_success_timestamp_seconds"] == [({}, world.clock.now().timestamp())]
    codes = {labels["code"] for labels, _ in found["jwturn_finding"]}
    assert "no_mature_standby" in codes


def test_metrics_without_the_store_still_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.app.store, "rings", away)
    found = samples(world)
    assert found["jwturn_store_up"] == [({}, 0.0)]
    assert "jwturn_key_info" not in found
    assert "jwturn_rotate_errors_total" in found


def test_metrics_are_the_text_format_of_prometheus(world: World) -> None:
    assert world.get("/metrics").headers["content-type"].startswith("text/plain; version=")

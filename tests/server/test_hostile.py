"""What callers try: paths that proxies read otherwise, overload, a store that went away, roles not theirs."""

import asyncio
import json
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.errors import NotFound
from jwturn.core.tokens import PERMITS, Role
from jwturn.server.logs import configure
from jwturn.server.routes import ROUTES
from tests.server.world import World

SIGN = "/v1/rings/default/sign"
CLAIMS = {"claims": {"sub": "alice"}}


@pytest.mark.parametrize(
    "path", ["/v1%2Frings/default/sign", "/v1/rings/default%2fsign", "/v1%5Crings", "/rings/a%2F..%2Fb/keys"]
)
def test_a_slash_in_disguise_reaches_nothing(world: World, path: str) -> None:
    """A proxy that judges paths as they were sent, and a router that decodes them, would not agree."""
    decoded = path.replace("%2F", "/").replace("%2f", "/").replace("%5C", "\\")
    scope = {
        "type": "http", "method": "POST", "path": decoded, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"authorization", f"Bearer {world.tokens[Role.ADMIN]}".encode())], "client": ("::1", 1),
    }  # fmt: skip
    told: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": json.dumps(CLAIMS).encode()}

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    asyncio.run(world.asgi(scope, receive, send))
    assert [message.get("status") for message in told] == [404, None]


def test_every_role_reaches_its_own_routes_and_no_others(world: World) -> None:
    world.add_ring("hooks", issuer="https://hooks.example.com", policy={"alg": "HS256"})
    for route in ROUTES:
        for role in Role:
            path = route.path.replace("{ring}", "hooks").replace("/{issuer:path}", "")
            status = world.call(route.method, path, role=role).status
            permitted = route.needs is None or route.needs in PERMITS[role]
            assert (status == 403) is not permitted, (route.path, role, status)
        if route.needs is not None:
            assert world.call(route.method, route.path.replace("{ring}", "hooks")).status == 401


def test_a_token_of_one_ring_sees_nothing_of_another(world: World) -> None:
    world.add_ring("other", issuer="https://other.example.com")
    for role in Role:
        token = world.scoped(role, "other")
        for route in ROUTES:
            if route.needs is None or "{ring}" not in route.path:
                continue
            for ring in ("default", "nobody", "DEFAULT", "other%20"):
                reply = world.call(route.method, route.path.replace("{ring}", ring), role=token)
                assert reply.status == 403, (route.path, role, ring)
                assert "default" not in reply.json["detail"].replace("ring default", "")
    listed = world.get("/v1/rings", world.scoped(Role.ADMIN, "other"))
    assert [ring["name"] for ring in listed.json["rings"]] == ["other"]


def test_a_repeated_key_of_another_caller_is_another_command(world: World) -> None:
    """Nobody reads the answer that somebody else got."""
    first = world.post("/v1/rings/default/hold", {"reason": "a"}, role=Role.OPERATOR, idempotency_key="same")
    second = world.post("/v1/rings/default/hold", {"reason": "b"}, role=Role.ADMIN, idempotency_key="same")
    assert (first.status, second.status) == (200, 200)
    assert first.json["epoch"] != second.json["epoch"]
    again = world.post("/v1/rings/default/hold", {"reason": "c"}, role=Role.ADMIN, idempotency_key="same")
    assert again.code == "idempotency_conflict"


def test_a_full_node_still_tells_probes_and_verifiers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One stolen token with slow bodies holds every place; that is not a reason to be restarted."""
    configure(terminal=False)
    world = World(tmp_path, concurrency_max=2)
    slow = [
        world.send(
            "POST",
            SIGN,
            data=b"{",
            role=Role.SIGNER,
            headers={"content_type": "application/json"},
            stalls=True,
        )
        for _ in range(2)
    ]
    probes = [world.send("GET", path) for path in ("/livez", "/readyz", "/metrics", "/.well-known/jwks.json")]
    refused = world.send("POST", SIGN, data=json.dumps(CLAIMS).encode(), role=Role.SIGNER)
    replies = world.together(*slow, *probes, refused)
    assert [reply.status for reply in replies] == [408, 408, 200, 200, 200, 200, 503]
    assert replies[-1].code == "overloaded"
    assert world.post(SIGN, CLAIMS, role=Role.SIGNER).status == 200
    assert capsys.readouterr().err == "", "a flood does not fill the log"
    world.close()


def test_a_store_that_was_moved_away_is_a_backend_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a 404 that a cache or a verifier would take for an answer."""
    world = World(tmp_path)

    def gone(*_: object, **__: object) -> None:
        raise NotFound("there is no store here yet", hint="jwturn init", code="no_store")

    for name in ("rings", "load", "published"):
        monkeypatch.setattr(world.app.store, name, gone)
    for path in ("/.well-known/jwks.json", "/rings/default/.well-known/jwks.json", "/readyz", "/readyz/sign"):
        reply = world.get(path)
        assert reply.status == 503, path
        assert reply.headers["cache-control"] == "no-store"
    assert world.get("/v1/rings", Role.ADMIN).status == 503
    world.close()


def test_a_flood_of_unknown_tokens_leaves_good_callers_alone(world: World) -> None:
    """Behind the same address; and the store is read a bounded number of times."""
    reads = 0
    lock = threading.Lock()
    tokens = world.app.store.tokens

    def counted() -> object:
        nonlocal reads
        with lock:
            reads += 1
        return tokens()

    world.app.store.tokens = counted  # type: ignore[method-assign,assignment]  # counted, then handed on
    world.get("/v1/rings", Role.ADMIN)
    found = [world.get("/v1/rings", f"jwturn_{number:043d}").status for number in range(200)]
    assert found.count(401) <= 10
    assert found.count(429) >= 190
    assert reads <= 12
    assert world.get("/v1/rings", Role.ADMIN).status == 200

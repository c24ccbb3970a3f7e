"""/openapi.json says what is answered: every route, and what really comes back fits its schema."""

import re
from typing import Any

import msgspec
import pytest
from starlette.routing import Route as StarletteRoute

from jwturn.core.tokens import PERMITS, Role
from jwturn.server import bodies, shown
from jwturn.server.answers import Problem
from jwturn.server.openapi import operation_id, public_path
from jwturn.server.routes import ROUTES, Route
from tests.server.world import World


@pytest.fixture
def document(world: World) -> Any:
    found = world.get("/openapi.json")
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    return found.json


def operations(document: Any) -> set[tuple[str, str]]:
    return {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}


def test_the_document_names_every_route_and_no_other(document: Any) -> None:
    assert operations(document) == {(public_path(route), route.method) for route in ROUTES}
    assert document["openapi"].startswith("3.1")


def test_the_router_has_every_route_of_the_document_and_no_other(world: World, document: Any) -> None:
    mounted = {
        (re.sub(r":path\}", "}", route.path), method)
        for route in world.asgi._router.routes
        if isinstance(route, StarletteRoute) and route.methods
        for method in route.methods - {"HEAD"}
    }
    assert mounted == operations(document)


def test_operations_have_names_of_their_own() -> None:
    names = [operation_id(route) for route in ROUTES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


def test_every_reference_leads_somewhere(document: Any) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_every_path_parameter_is_described(document: Any) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            said = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert said == set(re.findall(r"\{(\w+)\}", path))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_an_operation_says_who_may_call_it(document: Any, route: Route) -> None:
    operation = document["paths"][public_path(route)][route.method.lower()]
    assert ("security" in operation) is (route.needs is not None)
    for role in Role:
        named = str(role) in operation.get("description", "")
        assert named is (route.needs in PERMITS[role])


def test_commands_take_an_idempotency_key(document: Any) -> None:
    for path, methods in document["paths"].items():
        headers = [
            one["name"] for one in methods.get("post", {}).get("parameters", []) if one["in"] == "header"
        ]
        assert headers == (["Idempotency-Key"] if "post" in methods and not path.endswith("/sign") else [])


@pytest.mark.parametrize("kind", [bodies.Sign, bodies.Command, bodies.Promote, bodies.OfKey, bodies.Policy])
def test_bodies_allow_no_other_members(document: Any, kind: type[msgspec.Struct]) -> None:
    schema = document["components"]["schemas"][kind.__name__]
    assert set(schema["properties"]) == set(kind.__struct_fields__)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/rings", shown.Rings),
        ("/v1/rings/default", shown.Ring),
        ("/v1/rings/default/plan", shown.Plan),
        ("/v1/rings/default/keys", shown.Keys),
        ("/v1/rings/default/events", shown.EventList),
    ],
)
def test_what_comes_back_is_what_the_struct_says(world: World, path: str, kind: type[shown.Shown]) -> None:
    body = world.get(path, Role.ADMIN).body
    told = msgspec.json.decode(body, type=kind)
    assert msgspec.json.encode(told) == body


def test_a_problem_is_what_its_struct_says(world: World) -> None:
    assert msgspec.json.decode(world.get("/v1/rings").body, type=Problem).status == 401


def test_what_makes_no_sense_to_a_body_is_not_taken(world: World) -> None:
    assert (
        world.post("/v1/rings/default/revoke", {"kid": 7, "reason": "x"}, role=Role.ADMIN).code
        == "body_malformed"
    )

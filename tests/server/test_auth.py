"""Who may do what: every route for every role, ring scopes, and tokens that end."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jwturn.compose import new_token
from jwturn.core.errors import IntegrityError, Unavailable
from jwturn.core.tokens import PERMITS, PREFIX, Role
from jwturn.server.routes import ROUTES, Route
from tests.server.world import ANN, DAY, SECOND, World

GUARDED = [route for route in ROUTES if route.needs is not None]
OPEN = [route for route in ROUTES if route.needs is None]
BODIES: dict[str, Any] = {
    "sign": {"claims": {"sub": "alice"}},
    "revoke": {"kid": "STANDBY", "reason": "lost"},
    "discard": {"kid": "STANDBY"},
    "hold": {"kid": "STANDBY", "reason": "audit"},
    "delivered": {"kid": "STANDBY"},
    "policy": {"changes": {"leeway_max": "4m"}},
    "promote": {"before_lead": True, "reason": "drill"},
}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A node with a symmetric ring as well; nothing that is asked of it here changes it."""
    made = World(tmp_path_factory.mktemp("matrix"), rings={"default": {}, "hmac": {"alg": "HS256"}})
    made.mature()
    yield made
    made.close()


def verb(route: Route) -> str:
    return route.path.rpartition("/")[2]


def path_of(route: Route) -> str:
    return route.path.replace("{ring}", "hmac" if verb(route) == "secrets" else "default")


def ask(world: World, route: Route, role: Role | str | None) -> Any:
    if route.method == "GET":
        return world.get(path_of(route), role)
    body = {**BODIES.get(verb(route), {})}
    if body.get("kid") == "STANDBY":
        body["kid"] = world.kids()["standby"]
    if verb(route) != "sign":
        body["dry_run"] = True
    return world.post(path_of(route), body, role=role)


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
def test_without_a_token_a_guarded_route_is_a_401(matrix: World, route: Route) -> None:
    found = ask(matrix, route, None)
    assert (found.status, found.code) == (401, "token_missing")
    assert found.headers["www-authenticate"] == 'Bearer realm="jwturn"'


@pytest.mark.parametrize("route", OPEN, ids=lambda route: f"{route.method} {route.path}")
def test_an_open_route_asks_for_no_token(matrix: World, route: Route) -> None:
    path = route.path.replace("{ring}", "default").replace("{issuer:path}", "nobody")
    assert matrix.get(path).status in (200, 404)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
def test_a_role_may_do_what_the_table_permits_and_nothing_else(
    matrix: World, route: Route, role: Role
) -> None:
    found = ask(matrix, route, role)
    allowed = route.needs in PERMITS[role]
    if verb(route) == "promote":
        allowed = role is Role.ADMIN  # before the lead
    if not allowed:
        assert (found.status, found.code) == (403, "not_permitted")
        assert found.headers["www-authenticate"] == 'Bearer realm="jwturn", error="insufficient_scope"'
    elif verb(route) in ("rollback", "delivered"):
        assert found.status == 409  # permitted, and there is nothing to do it to
    else:
        assert found.status == 200


def test_an_operator_promotes_a_mature_standby_without_being_admin(matrix: World) -> None:
    found = matrix.post("/v1/rings/default/promote", {"dry_run": True}, role=Role.OPERATOR)
    assert found.status == 200
    assert [step["step"] for step in found.json["steps"]] == ["promote"]


@pytest.mark.parametrize(
    "route", [r for r in GUARDED if "{ring}" in r.path], ids=lambda r: f"{r.method} {r.path}"
)
@pytest.mark.parametrize("role", Role)
def test_a_token_of_one_ring_is_refused_at_another_and_at_one_that_is_not_there(
    matrix: World, route: Route, role: Role
) -> None:
    scoped = matrix.scoped(role, "hmac")
    for ring in ("default", "absent"):
        path = route.path.replace("{ring}", ring)
        found = matrix.get(path, scoped) if route.method == "GET" else matrix.post(path, {}, role=scoped)
        assert (found.status, found.code) == (403, "not_permitted")


def test_a_scoped_token_sees_its_rings_in_the_list_and_no_other(world: World) -> None:
    world.add_ring("blue")
    scoped = new_token(world.app, "blue-only", Role.AUDITOR, ANN, rings=["blue"])
    assert [ring["name"] for ring in world.get("/v1/rings", scoped).json["rings"]] == ["blue"]
    assert [r["name"] for r in world.get("/v1/rings", Role.AUDITOR).json["rings"]] == ["blue", "default"]
    assert world.get("/v1/rings/blue", scoped).status == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (f"Bearer {PREFIX}{'a' * 43}", "token_unknown"),
        ("Bearer something-else", "token_unknown"),
        ("Basic YTpi", "token_malformed"),
        ("Bearer", "token_unknown"),
        (f"Bearer {PREFIX}{'a' * 400}", "token_malformed"),
        ("Bearer jwturn_\xe9", "token_malformed"),
    ],
)
def test_a_token_that_is_none_is_a_401_with_a_hint(world: World, header: str, code: str) -> None:
    found = world.call("GET", "/v1/rings", headers={"authorization": header})
    assert (found.status, found.code) == (401, code)
    assert found.headers["www-authenticate"] == 'Bearer realm="jwturn", error="invalid_token"'
    assert "jwturn token new" in found.json["hint"]


def test_two_authorization_headers_are_refused(world: World) -> None:
    token = f"Bearer {world.tokens[Role.ADMIN]}"
    found = world.call("GET", "/v1/rings", headers={"authorization": token}, again={"authorization": token})
    assert (found.status, found.code) == (401, "token_malformed")


def test_a_token_made_just_now_works_at_once(world: World) -> None:
    assert world.get("/v1/rings", Role.AUDITOR).status == 200
    assert world.get("/v1/rings", new_token(world.app, "fresh", Role.AUDITOR, ANN)).status == 200


def test_an_expired_token_is_a_401_that_says_when(world: World) -> None:
    short = new_token(world.app, "short", Role.AUDITOR, ANN, ttl=DAY)
    assert world.get("/v1/rings", short).status == 200
    world.clock.advance(DAY)
    found = world.get("/v1/rings", short)
    assert (found.status, found.code) == (401, "token_expired")
    assert "2030-01-02" in found.json["detail"]


def test_a_withdrawn_token_stops_within_five_seconds(world: World) -> None:
    assert world.get("/v1/rings", Role.AUDITOR).status == 200
    world.app.store.withdraw_token("a-auditor", world.clock.now(), ANN)
    world.clock.advance(5 * SECOND)
    found = world.get("/v1/rings", Role.AUDITOR)
    assert (found.status, found.code) == (401, "token_withdrawn")


def test_known_tokens_outlive_a_store_that_is_away_for_as_long_as_a_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = {"claims": {"sub": "alice"}}
    assert world.post("/v1/rings/default/sign", claims, role=Role.SIGNER).status == 200

    def away(*_: object) -> None:
        raise Unavailable("away", hint="wait")

    monkeypatch.setattr(world.app.store, "tokens", away)
    world.clock.advance(timedelta(minutes=9))
    assert world.post("/v1/rings/default/sign", claims, role=Role.SIGNER).status == 200
    world.clock.advance(timedelta(minutes=2))
    found = world.post("/v1/rings/default/sign", claims, role=Role.SIGNER)
    assert (found.status, found.code) == (503, "unavailable")


def test_an_edited_row_of_tokens_lets_nobody_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.get("/v1/rings", Role.ADMIN).status == 200

    def edited(*_: object) -> None:
        raise IntegrityError("a row was edited", hint="restore")

    monkeypatch.setattr(world.app.store, "tokens", edited)
    world.clock.advance(5 * SECOND)
    assert world.get("/v1/rings", Role.ADMIN).code == "integrity"


def test_guessing_is_slow_and_harms_no_good_caller(world: World) -> None:
    assert world.get("/v1/rings", Role.AUDITOR).status == 200
    codes = [world.get("/v1/rings", f"{PREFIX}{number:043}").code for number in range(15)]
    assert codes == ["token_unknown"] * 10 + ["overloaded"] * 5
    assert world.get("/v1/rings", Role.AUDITOR).status == 200
    world.clock.advance(2 * SECOND)
    assert world.get("/v1/rings", f"{PREFIX}{'b' * 43}").code == "token_unknown"


def test_a_token_in_the_query_is_no_token(world: World) -> None:
    assert world.get(f"/v1/rings?access_token={world.tokens[Role.ADMIN]}").code == "token_missing"

"""What may be read: state, plan, keys, events, secrets; and what never leaves, whoever asks."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.ledger import Event, verify
from jwturn.core.tokens import Role
from jwturn.server.routes import ROUTES
from tests.server.world import World

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "priv"}


@pytest.fixture
def hmac(tmp_path: Path) -> Iterator[World]:
    """A symmetric ring, a printable one, and an asymmetric one."""
    rings = {"hmac": {"alg": "HS256"}, "words": {"alg": "HS512", "printable": "true"}, "default": {}}
    made = World(tmp_path, rings=rings)
    yield made
    made.close()


def test_a_ring_is_shown_with_its_policy_keys_agenda_and_findings(world: World) -> None:
    found = world.get("/v1/rings/default", Role.AUDITOR).json
    ring = world.app.store.load("default").ring
    assert (found["name"], found["issuer"], found["alg"]) == ("default", "https://auth.example.com", "ES256")
    assert (found["epoch"], found["era"], found["hold"]) == (ring.epoch, 0, None)
    assert found["policy"]["rotate_every"] == "90d"
    assert [(key["kid"], key["state"]) for key in found["keys"]] == [
        (key.kid, str(key.state)) for key in ring.keys
    ]
    assert {step["step"] for step in found["agenda"]} >= {"create", "promote"}
    assert all(finding["words"] for finding in found["findings"])


def test_the_plan_says_when_and_why_the_soonest_first(world: World) -> None:
    world.mature()
    found = world.get("/v1/rings/default/plan", Role.OPERATOR).json
    assert found["ring"] == "default"
    assert found["lead_seconds"] == pytest.approx(24 * 3600 + 41 * 60 + 58, abs=1)
    assert "no verifiers declared" in found["decided_by"]
    times = [step["at"] for step in found["agenda"]]
    assert times == sorted(times)
    promote = next(step for step in found["agenda"] if step["step"] == "promote")
    assert (promote["kid"], promote["reason"], promote["due"]) == (world.kids()["standby"], "turn_due", False)
    assert promote["why"] == "the booked turn has come and the standby is mature"


def test_the_keys_carry_their_times_promises_and_public_halves(world: World) -> None:
    world.mature()
    active, standby = world.get("/v1/rings/default/keys", Role.AUDITOR).json["keys"]
    assert (active["waiver"], active["private_half"], active["origin"]) == ("first_key", True, "generated")
    assert active["sign_until"] > active["sign_from"] == active["promoted"] == active["since"]
    assert standby["mature"] is True
    assert standby["since"] == standby["published"]
    assert set(standby["public"]) == {"kty", "crv", "x", "y", "alg"}


def test_events_come_in_pages_and_their_chain_is_whole(world: World) -> None:
    world.mature()
    ring = world.app.store.load("default").ring
    seen: list[Any] = []
    after = 0
    for _ in range(50):
        page = world.get(f"/v1/rings/default/events?after={after}&limit=2", Role.AUDITOR).json
        seen += page["events"]
        if not page["events"]:
            break
        after = page["last"]
    assert len(seen) == ring.event_count == after
    told = world.app.store.events(ring.id)
    assert [event["hash"] for event in seen] == [event.hash for event in told]
    assert verify(told, chain=ring.id).hash == ring.event_hash
    assert set(seen[0]) == set(Event.__dataclass_fields__) - {"chain"}


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "limit=0", "limit=1001", "limit=1&limit=2", "after=", "after=1e3"]
)
def test_a_page_that_is_none_is_refused(world: World, query: str) -> None:
    found = world.get(f"/v1/rings/default/events?{query}", Role.AUDITOR)
    assert (found.status, found.code) == (400, "query_malformed")


@pytest.mark.parametrize("path", ["", "/plan", "/keys", "/events", "/secrets"])
def test_an_unknown_ring_is_a_404(world: World, path: str) -> None:
    role = Role.VERIFIER if path == "/secrets" else Role.AUDITOR
    assert world.get(f"/v1/rings/absent{path}", role).status == 404


def test_a_verifier_gets_the_secrets_that_sign_and_will_sign(hmac: World) -> None:
    found = hmac.get("/v1/rings/hmac/secrets", Role.VERIFIER)
    assert found.headers["cache-control"] == "no-store"
    secrets = found.json["secrets"]
    assert {secret["state"] for secret in secrets} == {"active", "standby"}
    ring = hmac.app.store.load("hmac").ring
    for secret in secrets:
        key = ring.key(secret["kid"])
        assert secret["alg"] == "HS256"
        raw = base64.urlsafe_b64decode(secret["k"] + "=" * (-len(secret["k"]) % 4))
        assert raw == hmac.app.custody.reveal(key, ring.id).reveal()
        assert len(raw) >= 32


def test_a_secret_of_a_verifier_verifies_a_token_of_the_ring(hmac: World) -> None:
    jwt = pytest.importorskip("jwt")
    token = hmac.post("/v1/rings/hmac/sign", {"claims": {"sub": "a"}}, role=Role.SIGNER).json["token"]
    secrets = hmac.get("/v1/rings/hmac/secrets", Role.VERIFIER).json["secrets"]
    k = next(secret["k"] for secret in secrets if secret["kid"] == jwt.get_unverified_header(token)["kid"])
    key = base64.urlsafe_b64decode(k + "=" * (-len(k) % 4))
    options = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, key, algorithms=["HS256"], options=options)["sub"] == "a"


def test_a_printable_secret_comes_as_text_too(hmac: World) -> None:
    for secret in hmac.get("/v1/rings/words/secrets", Role.VERIFIER).json["secrets"]:
        raw = base64.urlsafe_b64decode(secret["k"] + "=" * (-len(secret["k"]) % 4))
        assert secret["text"].encode() == raw


def test_an_asymmetric_ring_has_no_secrets(hmac: World) -> None:
    found = hmac.get("/v1/rings/default/secrets", Role.VERIFIER)
    assert (found.status, found.code) == (404, "asymmetric")
    assert "/rings/default/.well-known/jwks.json" in found.json["hint"]


def test_a_revoked_secret_is_given_no_more(hmac: World) -> None:
    kid = hmac.kids("hmac")["standby"]
    body = {"kid": kid, "reason": "leaked"}
    assert hmac.post("/v1/rings/hmac/revoke", body, role=Role.ADMIN).status == 200
    assert kid not in str(hmac.get("/v1/rings/hmac/secrets", Role.VERIFIER).json)


def forms(secret: bytes) -> list[bytes]:
    """How a secret could look in an answer."""
    return [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret)[:-3],
        base64.urlsafe_b64encode(secret)[:-3],
    ]


def members(value: Any) -> set[str]:
    """Every member name, at any depth."""
    if isinstance(value, dict):
        return set(value) | {name for member in value.values() for name in members(member)}
    return {name for member in value for name in members(member)} if isinstance(value, list) else set()


@pytest.mark.parametrize("role", [None, *Role])
def test_no_private_half_leaves_by_any_route_for_any_role(hmac: World, role: Role | None) -> None:
    secrets: dict[str, list[bytes]] = {"hmac": [], "words": [], "default": []}
    for name, found in secrets.items():
        held = hmac.app.store.load(name).ring
        found += [hmac.app.custody.reveal(key, held.id).reveal() for key in held.keys]
    answers = 0
    for route in ROUTES:
        for ring in secrets:
            path = route.path.replace("{ring}", ring).replace("{issuer:path}", ring)
            body = {"dry_run": True, "reason": "drill", "kid": next(iter(hmac.kids(ring).values()))}
            reply = hmac.get(path, role) if route.method == "GET" else hmac.post(path, body, role=role)
            may_have_secrets = (
                path == f"/v1/rings/{ring}/secrets" and role is Role.VERIFIER and ring != "default"
            )
            asymmetric = (
                secrets["default"] if may_have_secrets else [s for found in secrets.values() for s in found]
            )
            assert not [form for secret in asymmetric for form in forms(secret) if form in reply.body]
            if reply.headers["content-type"].endswith("json") and route.path != "/openapi.json":
                assert not PRIVATE_MEMBERS & members(json.loads(reply.body))
            answers += reply.status == 200
    assert answers > 6


def test_the_canary_would_notice_a_leak() -> None:
    assert forms(b"0123456789abcdef")[2] in b'{"x": "' + base64.b64encode(b"0123456789abcdef") + b'"}'
    assert members({"keys": [{"d": 1}]}) & PRIVATE_MEMBERS


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/rings/default/nothing", "/v1/rings/", "//livez", "/favicon.ico"]
)
def test_where_nothing_is_a_404_problem(world: World, path: str) -> None:
    found = world.get(path)
    assert (found.status, found.code) == (404, "no_such_path")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/v1/rings"), ("PUT", "/livez"), ("OPTIONS", "/metrics")]
)
def test_another_method_is_a_405_problem(world: World, method: str, path: str) -> None:
    found = world.call(method, path)
    assert (found.status, found.code) == (405, "method_not_allowed")
    assert "GET" in found.headers["allow"]


def test_a_failed_backend_is_a_problem_with_its_hint(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from jwturn.core.errors import Unavailable

    def away(*_: object) -> None:
        raise Unavailable("the store is away", hint="wait", retry_after=7)

    monkeypatch.setattr(world.app.store, "load", away)
    found = world.get("/v1/rings/default", Role.AUDITOR)
    assert (found.status, found.code, found.headers["retry-after"]) == (503, "unavailable", "7")

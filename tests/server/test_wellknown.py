"""JWKS and discovery: the exact headers, by Host and path, never empty."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.errors import Unavailable
from jwturn.server.sites import chosen, host_of, site_of
from tests.server.world import ANN, SECOND, World

JWKS = "/.well-known/jwks.json"


@pytest.fixture
def tenants(tmp_path: Path) -> Iterator[World]:
    """Four issuers: one at the root of its host, two below one host, one elsewhere."""
    made = World(tmp_path, rings={})
    made.add_ring("root", issuer="https://auth.example.com")
    made.add_ring("blue", issuer="https://auth.example.com/blue")
    made.add_ring("green", issuer="https://auth.example.com/teams/green/")
    made.add_ring("other", issuer="https://Other.example.org:8443")
    yield made
    made.close()


def kids_in(body: Any) -> set[str]:
    return {key["kid"] for key in body["keys"]}


def test_the_set_has_exactly_these_headers(world: World) -> None:
    found = world.get(JWKS)
    assert found.status == 200
    assert dict(found.headers) == {
        "content-type": "application/jwk-set+json",
        "cache-control": "public, max-age=300",
        "etag": found.headers["etag"],
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "content-length": str(len(found.body)),
    }
    assert kids_in(found.json) == set(world.kids().values())


def test_head_says_what_get_says_without_the_body(world: World) -> None:
    found, head = world.get(JWKS), world.call("HEAD", JWKS)
    assert (head.status, head.headers, head.body) == (200, found.headers, b"")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_who_holds_the_set_is_told_so(world: World, form: str) -> None:
    etag = world.get(JWKS).headers["etag"]
    found = world.get(JWKS, if_none_match=form.format(etag))
    assert (found.status, found.body) == (304, b"")
    assert found.headers["etag"] == etag
    assert "content-length" not in found.headers


def test_who_holds_another_set_gets_this_one(world: World) -> None:
    assert world.get(JWKS, if_none_match='"another"').status == 200


def test_shared_caches_are_refused_where_the_policy_forbids_them(tmp_path: Path) -> None:
    world = World(tmp_path, rings={"default": {"edge_ttl_max": "0s"}})
    assert world.get(JWKS).headers["cache-control"] == "private, max-age=300"
    world.close()


def test_before_the_first_key_there_is_a_503_and_never_an_empty_set(tmp_path: Path) -> None:
    world = World(tmp_path, rings={})
    for path in (JWKS, "/.well-known/openid-configuration"):
        found = world.get(path)
        assert (found.status, found.code) == (503, "no_key")
        assert int(found.headers["retry-after"]) > 0
        assert found.headers["access-control-allow-origin"] == "*"
    world.close()


def test_a_ring_without_keys_is_a_503_until_its_first_key(tmp_path: Path) -> None:
    from jwturn.core.policy import RotationPolicy

    world = World(tmp_path, rings={})
    world.app.commands.add_ring("late", issuer="https://late.example", policy=RotationPolicy(), actor=ANN)
    assert world.get(JWKS).code == "no_key"
    assert world.get("/rings/late" + JWKS).code == "no_key"
    world.app.rotator.turn("late")
    assert world.get(JWKS).status == 200
    assert world.get("/rings/late" + JWKS).status == 200
    world.close()


def test_the_bare_path_answers_any_host_while_there_is_one_issuer(world: World) -> None:
    assert world.get(JWKS, host="127.0.0.1:8470").status == 200


def test_a_single_issuer_with_a_path_answers_there_and_at_the_bare_path(tmp_path: Path) -> None:
    world = World(tmp_path, rings={})
    world.add_ring("blue", issuer="https://auth.example.com/blue")
    assert world.get("/blue" + JWKS).body == world.get(JWKS, host="127.0.0.1").body
    found = world.get("/green" + JWKS)
    assert (found.status, found.code) == (404, "no_such_issuer")
    world.close()


@pytest.mark.parametrize(
    ("host", "path", "ring"),
    [
        ("auth.example.com", "", "root"),
        ("AUTH.example.com:443", "", "root"),
        ("auth.example.com", "/blue", "blue"),
        ("auth.example.com", "/teams/green", "green"),
        ("other.example.org:8443", "", "other"),
    ],
)
def test_each_issuer_has_its_set_at_its_host_and_path(
    tenants: World, host: str, path: str, ring: str
) -> None:
    assert kids_in(tenants.get(path + JWKS, host=host).json) == set(tenants.kids(ring).values())


@pytest.mark.parametrize(
    ("host", "path"),
    [("127.0.0.1:8470", ""), ("other.example.org:8443", "/blue"), ("auth.example.com", "/red"), ("", "")],
)
def test_with_several_issuers_a_request_that_names_none_is_a_404_that_says_how(
    tenants: World, host: str, path: str
) -> None:
    found = tenants.get(path + JWKS, host=host)
    assert (found.status, found.code) == (404, "no_such_issuer")
    assert "/rings/RING" in found.json["hint"]
    assert found.headers["access-control-allow-origin"] == "*"


def test_an_issuer_made_just_now_is_found_at_once(world: World) -> None:
    assert world.get(JWKS).status == 200
    world.add_ring("new", issuer="https://new.example/here")
    assert kids_in(world.get("/here" + JWKS, host="new.example").json) == set(world.kids("new").values())


def test_the_bare_path_stops_answering_any_host_when_a_second_issuer_comes(world: World) -> None:
    assert world.get(JWKS, host="127.0.0.1").status == 200
    world.add_ring("new", issuer="https://new.example")
    world.clock.advance(5 * SECOND)
    assert world.get(JWKS, host="127.0.0.1").code == "no_such_issuer"
    assert kids_in(world.get(JWKS, host="new.example").json) == set(world.kids("new").values())


def test_guessed_paths_do_not_read_the_store_without_end(world: World) -> None:
    for _ in range(30):
        assert world.get("/nobody" + JWKS).status == 404
    world.add_ring("new", issuer="https://new.example/here")
    assert world.get("/here" + JWKS, host="new.example").status == 404
    world.clock.advance(5 * SECOND)
    assert world.get("/here" + JWKS, host="new.example").status == 200


def test_a_ring_has_a_set_of_its_own(tenants: World) -> None:
    assert kids_in(tenants.get("/rings/blue" + JWKS).json) == set(tenants.kids("blue").values())
    assert tenants.get("/rings/absent" + JWKS).status == 404


def test_an_issuer_below_rings_comes_before_the_ring_of_that_name(tenants: World) -> None:
    tenants.add_ring("odd", issuer="https://auth.example.com/rings/blue")
    assert kids_in(tenants.get("/rings/blue" + JWKS).json) == set(tenants.kids("odd").values())


def test_symmetric_secrets_are_in_no_set(tmp_path: Path) -> None:
    world = World(tmp_path, rings={"hmac": {"alg": "HS256"}})
    for path in (JWKS, "/rings/hmac" + JWKS):
        found = world.get(path)
        assert (found.status, found.code) == (404, "symmetric")
    world.close()


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/.well-known/openid-configuration", "https://auth.example.com"),
        ("/.well-known/oauth-authorization-server", "https://auth.example.com"),
        ("/blue/.well-known/openid-configuration", "https://auth.example.com/blue"),
        ("/.well-known/oauth-authorization-server/blue", "https://auth.example.com/blue"),
        ("/blue/.well-known/oauth-authorization-server", "https://auth.example.com/blue"),
        ("/teams/green/.well-known/openid-configuration", "https://auth.example.com/teams/green/"),
    ],
)
def test_discovery_names_the_issuer_and_a_set_that_is_answered(
    tenants: World, path: str, issuer: str
) -> None:
    found = tenants.get(path)
    assert found.status == 200
    assert found.headers["content-type"] == "application/json"
    assert found.headers["access-control-allow-origin"] == "*"
    assert found.json["issuer"] == issuer
    assert found.json["id_token_signing_alg_values_supported"] == ["ES256"]
    jwks = found.json["jwks_uri"].removeprefix("https://auth.example.com")
    assert tenants.get(jwks).status == 200
    assert tenants.get(path, if_none_match=found.headers["etag"]).status == 304


def test_a_post_to_the_set_is_a_405_that_says_what_is_allowed(world: World) -> None:
    found = world.post(JWKS)
    assert (found.status, found.code) == (405, "method_not_allowed")
    assert set(found.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_the_set_is_read_again_within_five_seconds_and_shows_a_revocation(world: World) -> None:
    standby = world.kids()["standby"]
    assert standby in kids_in(world.get(JWKS).json)
    world.app.commands.revoke("default", ANN, kid=standby)
    world.clock.advance(5 * SECOND)
    assert standby not in kids_in(world.get(JWKS).json)


def test_a_store_that_is_away_leaves_the_set_good_for_d_and_then_refuses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.get(JWKS).status == 200

    def away(*_: object) -> None:
        raise Unavailable("the store at db.internal is away", hint="wait")

    monkeypatch.setattr(world.app.store, "published", away)
    monkeypatch.setattr(world.app.store, "rings", away)
    world.clock.advance(timedelta(minutes=29))
    assert world.get(JWKS).status == 200
    world.clock.advance(timedelta(minutes=2))
    found = world.get(JWKS)
    assert (found.status, found.code) == (503, "unavailable")
    assert b"db.internal" not in found.body


@pytest.mark.parametrize(
    ("issuer", "host", "path"),
    [
        ("https://a.example", "a.example", ""),
        ("https://a.example:443/x/", "a.example", "/x"),
        ("http://127.0.0.1:8470", "127.0.0.1:8470", ""),
        ("http://[::1]:8470/t", "[::1]:8470", "/t"),
        ("just-a-name", "", "just-a-name"),
    ],
)
def test_the_place_of_an_issuer(issuer: str, host: str, path: str) -> None:
    site = site_of(issuer)
    assert (site.host, site.path) == (host, path)
    assert chosen([site], "elsewhere.example", "").issuer == issuer


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("A.Example", "a.example"),
        ("a.example:443", "a.example"),
        ("a.example:8443", "a.example:8443"),
        (None, ""),
    ],
)
def test_hosts_are_compared_without_case_and_default_port(header: str | None, host: str) -> None:
    assert host_of(header) == host


def test_the_bytes_of_the_set_are_json_of_public_members_only(world: World) -> None:
    for key in json.loads(world.get(JWKS).body)["keys"]:
        assert set(key) <= {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}

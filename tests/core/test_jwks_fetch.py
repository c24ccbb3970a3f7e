"""Where a set is found, as a sequence of what is asked and what came: no network is needed to see it."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from jwturn.core.errors import BadInput, KeysUnavailable
from jwturn.core.jwks_answer import Answer, Fresh, Get, Unchanged
from jwturn.core.jwks_fetch import Fetched, Source, fetching

ISSUER = "https://auth.example.com"
OPENID = f"{ISSUER}/.well-known/openid-configuration"
OAUTH = f"{ISSUER}/.well-known/oauth-authorization-server"
URL = f"{ISSUER}/jwks.json"
JSON = {"content-type": "application/json"}
SET = Answer(200, JSON, b'{"keys":[]}')
ABSENT = Answer(404, {}, b"")
FRESH = Fresh(SET.body, None, None)


def metadata(jwks_uri: object = URL, issuer: str = ISSUER) -> Answer:
    return Answer(200, JSON, json.dumps({"issuer": issuer, "jwks_uri": jwks_uri}).encode())


def drive(
    site: Mapping[str, Answer],
    source: Source,
    *,
    url: str | None = None,
    etag: str | None = None,
    asked: list[Get] | None = None,
) -> Fetched:
    """What comes of it where the network is a table; what is not in it is absent."""
    steps = fetching(source, url=url, etag=etag)
    get = next(steps)
    while True:
        if asked is not None:
            asked.append(get)
        try:
            get = steps.send(site.get(get.url, ABSENT))
        except StopIteration as stop:
            return stop.value


def refused(site: Mapping[str, Answer], source: Source) -> str:
    with pytest.raises(KeysUnavailable) as caught:
        drive(site, source)
    assert caught.value.hint
    return caught.value.code


def test_a_url_that_is_configured_is_asked_and_nothing_else() -> None:
    asked: list[Get] = []
    source = Source("anything at all", "https://keys.example.net/set")
    assert drive({"https://keys.example.net/set": SET}, source, asked=asked) == Fetched(
        "https://keys.example.net/set", FRESH
    )
    assert asked == [Get("https://keys.example.net/set")]


def test_the_issuer_s_metadata_say_where_the_set_is() -> None:
    asked: list[Get] = []
    assert drive({OPENID: metadata(), URL: SET}, Source(ISSUER), asked=asked) == Fetched(URL, FRESH)
    assert asked == [Get(OPENID), Get(URL)]


@pytest.mark.parametrize("status", [404, 410])
def test_metadata_of_rfc_8414_are_looked_for_where_those_of_openid_are_absent(status: int) -> None:
    asked: list[Get] = []
    site = {OPENID: Answer(status, {}, b""), OAUTH: metadata(), URL: SET}
    assert drive(site, Source(ISSUER), asked=asked) == Fetched(URL, FRESH)
    assert asked == [Get(OPENID), Get(OAUTH), Get(URL)]


@pytest.mark.parametrize("issuer", [f"{ISSUER}/tenant/one", f"{ISSUER}/tenant/one/"])
def test_the_well_known_places_of_an_issuer_with_a_path(issuer: str) -> None:
    asked: list[Get] = []
    site = {f"{OAUTH}/tenant/one": metadata(issuer=issuer), URL: SET}
    assert drive(site, Source(issuer), asked=asked) == Fetched(URL, FRESH)
    assert asked[0] == Get(f"{ISSUER}/tenant/one/.well-known/openid-configuration")


def test_an_issuer_that_ends_in_a_slash_is_named_so_by_its_metadata() -> None:
    assert drive({OPENID: metadata(issuer=f"{ISSUER}/"), URL: SET}, Source(f"{ISSUER}/")).url == URL
    assert refused({OPENID: metadata(), URL: SET}, Source(f"{ISSUER}/")) == "discovery_issuer"


def test_an_issuer_without_metadata_is_to_be_configured_by_url() -> None:
    assert refused({}, Source(ISSUER)) == "discovery_absent"


@pytest.mark.parametrize("status", [301, 403, 500, 503])
def test_metadata_that_cannot_be_had_now_are_not_looked_for_elsewhere(status: int) -> None:
    site = {OPENID: Answer(status, {}, b""), OAUTH: metadata(), URL: SET}
    assert refused(site, Source(ISSUER)) in {"fetch_status", "fetch_redirect"}


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "https://evil.example.com/jwks.json",
        "https://auth.example.com:8443/jwks.json",
        "https://auth.example.com.evil.com/jwks.json",
        "https://auth.example.com@evil.example.com/jwks.json",
        "http://auth.example.com/jwks.json",
        "http://127.0.0.1/jwks.json",
        "http://169.254.169.254/latest/meta-data",
        "https://auth.example.com/jwks.json#x",
        "https://auth.example.com/jwks.json\n",
        "file:///etc/passwd",
        "/jwks.json",
        "",
    ],
)
def test_metadata_may_not_lead_off_the_issuer_s_host(jwks_uri: str) -> None:
    asked: list[Get] = []
    for loopback_http in (False, True):
        source = Source(ISSUER, loopback_http=loopback_http)
        with pytest.raises(KeysUnavailable) as caught:
            drive({OPENID: metadata(jwks_uri), jwks_uri: SET}, source, asked=asked)
        assert caught.value.code == "discovery_jwks_uri"
        assert "jwks_url=" in caught.value.hint
    assert {get.url for get in asked} == {OPENID}


def test_a_set_that_was_found_before_is_asked_for_at_once_with_its_etag() -> None:
    asked: list[Get] = []
    site = {URL: Answer(304, {"cache-control": "max-age=60"}, b"")}
    found = drive(site, Source(ISSUER), url=URL, etag='"a"', asked=asked)
    assert found == Fetched(URL, Unchanged(timedelta(seconds=60)))
    assert asked == [Get(URL, '"a"')]


def test_an_etag_is_not_sent_to_a_place_that_was_looked_up_anew() -> None:
    asked: list[Get] = []
    drive({OPENID: metadata(), URL: SET}, Source(ISSUER), etag='"a"', asked=asked)
    assert asked == [Get(OPENID), Get(URL)]


def test_a_set_that_has_moved_is_looked_up_again() -> None:
    asked: list[Get] = []
    old = f"{ISSUER}/old.json"
    found = drive({OPENID: metadata(), URL: SET}, Source(ISSUER), url=old, etag='"a"', asked=asked)
    assert found == Fetched(URL, FRESH)
    assert asked == [Get(old, '"a"'), Get(OPENID), Get(URL)]


def test_a_set_that_is_gone_where_the_metadata_still_say_is_a_failure() -> None:
    asked: list[Get] = []
    with pytest.raises(KeysUnavailable) as caught:
        drive({OPENID: metadata()}, Source(ISSUER), url=URL, asked=asked)
    assert caught.value.code == "fetch_status"
    assert asked == [Get(URL), Get(OPENID)]


def test_a_configured_url_is_never_replaced_by_metadata() -> None:
    asked: list[Get] = []
    with pytest.raises(KeysUnavailable) as caught:
        drive({OPENID: metadata(), URL: SET}, Source(ISSUER, f"{ISSUER}/x"), url=f"{ISSUER}/x", asked=asked)
    assert caught.value.code == "fetch_status"
    assert asked == [Get(f"{ISSUER}/x")]


@pytest.mark.parametrize(
    ("issuer", "jwks_url"),
    [
        ("http://auth.example.com", None),
        ("auth.example.com", None),
        ("https://auth.example.com/?tenant=one", None),
        ("https://auth.example.com/#x", None),
        ("https://me@auth.example.com", None),
        (ISSUER, "http://auth.example.com/jwks.json"),
        (ISSUER, "http://127.0.0.1/jwks.json"),
        (ISSUER, "jwks.json"),
        (ISSUER, ""),
    ],
)
def test_a_source_that_must_not_be_fetched_is_refused_when_it_is_named(
    issuer: str, jwks_url: str | None
) -> None:
    with pytest.raises(BadInput) as caught:
        Source(issuer, jwks_url)
    assert caught.value.code == "url_refused"


def test_an_issuer_on_this_machine_may_speak_http_where_that_is_allowed() -> None:
    issuer = "http://127.0.0.1:8000"
    site = {
        f"{issuer}/.well-known/openid-configuration": metadata(f"{issuer}/jwks.json", issuer),
        f"{issuer}/jwks.json": SET,
    }
    assert drive(site, Source(issuer, loopback_http=True)).url == f"{issuer}/jwks.json"
    with pytest.raises(BadInput):
        Source(issuer)

"""The issuer's bad day, on real sockets, in both colours: the last good set stays, and good tokens pass.

Each behaviour of acts.py goes through one day: a good set; the issuer turns bad; the set's lifetime ends and
good tokens still pass; `stale_max` ends and they are not judged; the issuer is well again, with a new key.
"""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core.errors import KeysUnavailable, TokenRefused
from jwturn.core.jwks_cache import LIFETIME_SECONDS_MIN
from jwturn.ports.clock import Clock, SystemClock
from jwturn.testing.clock import FakeClock
from jwturn.verifier.trust import FETCH_TIME_MAX
from tests.verifier import acts
from tests.verifier.acts import BAD_BODIES, Bad, Hostile
from tests.verifier.colours import SHORT
from tests.verifier.hostile import DISCOVERY_PATH, JWKS_PATH, JwksServer, Talk
from tests.verifier.seats import SEATS, IssuerKey, TaskSeat, ThreadSeat, cause, seated, status

S = timedelta(seconds=1)
HOUR = timedelta(hours=1)
MAX_AGE = 60
STALE_MAX = 600 * S
OLD, NEW = IssuerKey("old"), IssuerKey("new")

Seat = ThreadSeat | TaskSeat


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=SEATS)
def colour(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site() -> Iterator[JwksServer]:
    with JwksServer(jwks(OLD)) as site:
        site.max_age = MAX_AGE
        yield site


def jwks(*keys: IssuerKey) -> dict[str, Any]:
    return {"keys": [key.jwk for key in keys]}


def rules(site: JwksServer, clock: Clock, **more: Any) -> dict[str, Any]:
    return {
        "issuer": site.issuer,
        "audience": "orders",
        "jwks_url": site.url,
        "stale_max": STALE_MAX,
        "loopback_http": True,
        "clock": clock,
    } | more


def code_of(seat: Seat, token: str) -> str:
    """The code of the refusal, settled; nothing for a good token."""
    try:
        seat.verify(token)
    except TokenRefused as refused:
        return refused.code
    finally:
        seat.settle()
    return ""


def bad_day(seat: Seat, site: JwksServer, clock: FakeClock) -> list[str]:
    """The codes of the fetches that failed while the set grew old; good tokens pass all the time."""
    token = OLD.token(site.issuer, clock.now())
    codes = []
    for _ in range(3):  # before the lifetime ends, and after, and long after
        clock.advance(55 * S)
        assert seat.verify(token)["aud"] == "orders"
        seat.settle()
        failed = cause(seat)
        assert failed is not None
        codes.append(failed.code)
        assert seat.verify(token)["aud"] == "orders"
    assert status(seat).kids == ("old",)
    assert status(seat).failures == 3
    return codes


def end_of_patience(seat: Seat, site: JwksServer, clock: FakeClock) -> None:
    """Past `stale_max` the token is not judged, which is not the same as refused."""
    clock.advance(STALE_MAX + MAX_AGE * S)
    with pytest.raises(KeysUnavailable):
        seat.verify(OLD.token(site.issuer, clock.now()))
    seat.settle()
    assert not status(seat).usable


def recovery(seat: Seat, site: JwksServer, clock: FakeClock) -> None:
    """The site is well again, has a new key and no more the old one."""
    site.answer, site.body, seat.port.hurry = None, jwks(NEW), None
    clock.advance(31 * S)
    assert code_of(seat, NEW.token(site.issuer, clock.now())) == ""
    assert code_of(seat, OLD.token(site.issuer, clock.now())) == "kid_unknown"
    assert status(seat).kids == ("new",)
    assert status(seat).failures == 0


def whole_day(seat: Seat, site: JwksServer, clock: FakeClock) -> set[str]:
    codes = set(bad_day(seat, site, clock))
    end_of_patience(seat, site, clock)
    recovery(seat, site, clock)
    return codes


def begun(seat: Seat, site: JwksServer, clock: FakeClock) -> None:
    """A good set is held."""
    assert code_of(seat, OLD.token(site.issuer, clock.now())) == ""
    assert status(seat).kids == ("old",)


HOSTILE = acts.SLOW | acts.HUGE | acts.BROKEN | acts.WRONG


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_bad_day_of_the_site(colour: str, site: JwksServer, clock: FakeClock, hostile: Hostile) -> None:
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.answer, seat.port.hurry = hostile.act, SHORT
        assert whole_day(seat, site, clock) <= hostile.codes | {"fetch_timeout"}
        assert site.is_left()
    assert not any(talk.outlasted for talk in site.talks)
    assert site.requests.keys() == {JWKS_PATH}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_day_of_the_set(colour: str, site: JwksServer, clock: FakeClock, body: Bad) -> None:
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.body = body.made(jwks(OLD))
        assert whole_day(seat, site, clock) <= body.codes


def test_a_bad_day_of_the_host(colour: str, site: JwksServer, clock: FakeClock) -> None:
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.close()
        assert set(bad_day(seat, site, clock)) == {"fetch_connection"}
        end_of_patience(seat, site, clock)


def test_a_bad_day_of_the_metadata(colour: str, site: JwksServer, clock: FakeClock) -> None:
    """Where the set is found by discovery, a site that lost both is still only late."""
    with seated(colour, **rules(site, clock, jwks_url=None)) as seat:
        begun(seat, site, clock)
        assert site.requests == {DISCOVERY_PATH: 1, JWKS_PATH: 1}
        site.answer = acts.WRONG["a page"].act
        assert whole_day(seat, site, clock) == {"fetch_type"}


def test_metadata_that_begin_to_lead_elsewhere_are_not_followed(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    with JwksServer(jwks(NEW)) as evil, seated(colour, **rules(site, clock, jwks_url=None)) as seat:
        begun(seat, site, clock)
        site.answer = acts.WRONG["too busy"].act
        bad_day(seat, site, clock)
        site.answer, site.jwks_uri = None, evil.url
        clock.advance(31 * S)
        assert code_of(seat, OLD.token(site.issuer, clock.now())) == ""
        failed = cause(seat)
        assert failed is not None
        assert failed.code == "discovery_jwks_uri"
        assert evil.requests == {}


def test_the_deadline_of_five_seconds_is_for_metadata_and_set_together(colour: str, site: JwksServer) -> None:
    """With the ports as they are made, and metadata that take three seconds: by what the site could send."""

    def slowly(talk: Talk) -> None:
        talk.send(acts.OK + b"\r\n")
        if talk.path == DISCOVERY_PATH:
            for _ in range(150):
                site.closing.wait(acts.PAUSE_SECONDS)
                talk.send(b" ")
            talk.send(json.dumps({"issuer": site.issuer, "jwks_uri": site.url}).encode())
        else:
            talk.repeat(b" ", pause_seconds=acts.PAUSE_SECONDS)

    site.answer = slowly
    with seated(colour, **rules(site, SystemClock(), jwks_url=None)) as seat:
        with pytest.raises(KeysUnavailable):
            seat.verify(OLD.token(site.issuer, SystemClock().now()))
        assert site.is_left()
        failed = cause(seat)
    assert failed is not None
    assert failed.code == "fetch_timeout"
    assert [talk.path for talk in site.talks] == [DISCOVERY_PATH, JWKS_PATH]
    head = len(acts.OK) + 2
    assert 150 + site.talks[1].sent_bytes - head < 1.2 * FETCH_TIME_MAX.total_seconds() / acts.PAUSE_SECONDS


def test_a_cold_start_on_a_bad_day_is_no_verdict(colour: str, site: JwksServer, clock: FakeClock) -> None:
    site.answer = acts.WRONG["too busy"].act
    with seated(colour, **rules(site, clock)) as seat:
        with pytest.raises(KeysUnavailable) as caught:
            seat.verify(OLD.token(site.issuer, clock.now()))
        assert caught.value.retry_after >= 1
        site.answer = None
        clock.advance(31 * S)
        begun(seat, site, clock)


def test_a_good_token_does_not_wait_for_a_site_that_is_silent(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    """The renewal is under way, and stays so, while tokens are judged."""
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.gate.clear()
        clock.advance(55 * S)
        token = OLD.token(site.issuer, clock.now())
        for _ in range(50):
            assert seat.verify(token)
        assert seat.verifier._keys.cache.flight is not None
        site.gate.set()
        seat.settle()
        assert seat.verifier._keys.cache.flight is None
        assert site.requests == {JWKS_PATH: 2}


def test_new_material_under_an_old_kid_is_an_alarm_and_neither_is_trusted(
    colour: str, site: JwksServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    other = IssuerKey("old")
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.body = jwks(other, NEW)
        clock.advance(55 * S)
        with caplog.at_level(logging.ERROR, "jwturn.verifier"):
            assert code_of(seat, NEW.token(site.issuer, clock.now())) == ""
        assert status(seat).kids == ("new",)
        assert code_of(seat, other.token(site.issuer, clock.now())) == "kid_unknown"
        assert code_of(seat, OLD.token(site.issuer, clock.now())) == "kid_unknown"
    assert [(one.kid, one.code) for one in status(seat).refused] == [("old", "jwk_changed")]
    assert "'old'" in caplog.text


def test_a_set_of_nothing_but_new_material_under_an_old_kid_is_no_set(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.body = jwks(IssuerKey("old"))
        assert whole_day(seat, site, clock) == {"jwks_empty"}


def test_a_key_with_private_members_is_an_alarm_and_those_beside_it_are_used(
    colour: str, site: JwksServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    site.body = {"keys": [OLD.jwk, {**NEW.jwk, "d": "c2VjcmV0c2VjcmV0"}]}
    with caplog.at_level(logging.ERROR, "jwturn.verifier"), seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        assert code_of(seat, NEW.token(site.issuer, clock.now())) == "kid_unknown"
    assert "'new'" in caplog.text
    assert "c2VjcmV0" not in caplog.text


def test_both_keys_of_one_kid_are_refused_and_those_beside_them_are_used(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    twins = [IssuerKey("new"), NEW]
    site.body = jwks(OLD, *twins)
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        for twin in twins:
            assert code_of(seat, twin.token(site.issuer, clock.now())) == "kid_unknown"


def test_a_set_that_only_says_unchanged_is_used_for_as_long_as_it_says_so(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    site.etag = '"one"'
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        token = OLD.token(site.issuer, clock.now())
        for _ in range(30):
            clock.advance(55 * S)
            assert code_of(seat, token) == ""
        site.etag, site.body = '"two"', jwks(NEW)
        clock.advance(55 * S)
        code_of(seat, token)
        assert code_of(seat, token) == "kid_unknown"
    assert site.conditional == [None, *['"one"'] * 31, '"two"']


def test_a_site_that_says_unchanged_to_nobody_gives_no_set(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    """304 in answer to a GET without If-None-Match."""
    site.answer = lambda talk: talk.reply(304, {"Cache-Control": "max-age=60"})
    with seated(colour, **rules(site, clock)) as seat, pytest.raises(KeysUnavailable):
        seat.verify(OLD.token(site.issuer, clock.now()))


def test_a_lifetime_of_a_year_is_cut_and_one_of_nothing_is_stretched(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    """So that neither keeps a removed key for ever nor has us ask for every token."""
    least = LIFETIME_SECONDS_MIN * S
    for max_age, quiet, asked in ((31_536_000, HOUR / 2, HOUR), (0, least / 3, least)):
        site.max_age = max_age
        with seated(colour, **rules(site, clock)) as seat:
            begun(seat, site, clock)
            before = site.requests.total()
            token = OLD.token(site.issuer, clock.now())
            clock.advance(quiet)
            assert code_of(seat, token) == ""
            assert site.requests.total() == before
            clock.advance(asked - quiet)
            assert code_of(seat, token) == ""
            assert site.requests.total() == before + 1


def test_a_set_of_the_cap_and_the_deepest_nesting_is_read_or_refused_without_harm(
    colour: str, site: JwksServer, clock: FakeClock
) -> None:
    with seated(colour, **rules(site, clock)) as seat:
        begun(seat, site, clock)
        site.body = json.dumps(jwks(OLD)).encode()[:-2] + b"," + b"[" * 200_000 + b"]" * 200_000 + b"]}"
        assert set(bad_day(seat, site, clock)) == {"json_depth"}
        site.body = json.dumps({**jwks(OLD), "x": "y" * 500_000}).encode()
        clock.advance(31 * S)
        assert code_of(seat, OLD.token(site.issuer, clock.now())) == ""
        assert status(seat).failures == 0

"""Both colours of one GET, against sites on real sockets that answer well, badly, slowly and without end."""

import gzip
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jwturn import __version__
from jwturn.core.errors import KeysUnavailable
from jwturn.core.jwks_answer import Fresh, Get, Unchanged
from jwturn.core.jwks_fetch import Source
from tests.verifier import acts
from tests.verifier.acts import Hostile
from tests.verifier.authority import Authority
from tests.verifier.colours import AMPLE, COLOURS, SHORT, Ask, fetched
from tests.verifier.hostile import DISCOVERY_PATH, JWKS_PATH, JwksServer

BODY = b'{"keys":[{"kty":"EC","kid":"one"}]}'
TAKEN_BYTES_MAX = 64 << 20
"""What a site may have handed to the kernel, buffers included, before it sees that we left; of a gigabyte."""
HELD_BYTES_MAX = 16 << 20
"""What both ends of a talk may hold in memory: the cap several times, and the site's own pieces."""


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=COLOURS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return COLOURS[request.param]


@pytest.fixture
def site() -> Iterator[JwksServer]:
    with JwksServer(BODY) as site:
        yield site


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def source(site: JwksServer) -> Source:
    return Source(site.issuer, site.url, loopback_http=True)


def refused(ask: Ask, site: JwksServer, deadline: timedelta = AMPLE) -> str:
    with pytest.raises(KeysUnavailable) as caught:
        fetched(ask, source(site), deadline=deadline)
    assert site.url in caught.value.message
    return caught.value.code


def table(hostile: dict[str, Hostile]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("hostile", hostile.values(), ids=hostile.keys())


def test_a_good_answer_is_told_as_it_came(ask: Ask, site: JwksServer) -> None:
    site.etag, site.max_age = '"one"', 300
    found = fetched(ask, source(site))
    assert found.set == Fresh(BODY, '"one"', timedelta(seconds=300))
    assert found.url == site.url
    assert site.requests == {JWKS_PATH: 1}


def test_a_set_that_has_not_changed_is_not_sent_again(ask: Ask, site: JwksServer) -> None:
    site.etag, site.max_age = '"one"', 60
    assert fetched(ask, source(site), url=site.url, etag='"one"').set == Unchanged(timedelta(seconds=60))
    assert isinstance(fetched(ask, source(site), url=site.url, etag='"zero"').set, Fresh)
    assert site.conditional == ['"one"', '"zero"']


def test_the_issuer_s_metadata_leads_to_the_set(ask: Ask, site: JwksServer) -> None:
    found = fetched(ask, Source(site.issuer, loopback_http=True))
    assert found == fetched(ask, source(site))
    assert site.requests == {DISCOVERY_PATH: 1, JWKS_PATH: 2}


def test_we_say_who_asks_and_for_what_and_no_more(ask: Ask, site: JwksServer) -> None:
    fetched(ask, source(site))
    said = site.talks[0].headers
    assert said["user-agent"] == f"jwturn/{__version__}"
    assert said["accept"] == "application/jwk-set+json, application/json"
    assert said["accept-encoding"] == "gzip"
    assert said.keys() <= {"user-agent", "accept", "accept-encoding", "host", "connection"}


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n", b""])
def test_a_body_may_come_in_chunks_or_until_the_end(ask: Ask, site: JwksServer, head: bytes) -> None:
    body = b"%x;why=not\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(BODY), BODY) if head else BODY
    site.answer = lambda talk: talk.send(acts.OK + head + b"\r\n" + body)
    assert fetched(ask, source(site)).set == Fresh(BODY, None, None)


def test_a_packed_body_is_unpacked(ask: Ask, site: JwksServer) -> None:
    site.answer = lambda talk: talk.reply(200, {"Content-Encoding": "gzip"}, gzip.compress(BODY))
    assert fetched(ask, source(site)).set == Fresh(BODY, None, None)


def test_an_interim_answer_is_passed_over(ask: Ask, site: JwksServer) -> None:
    site.answer = lambda talk: talk.send(b"HTTP/1.1 100 Continue\r\n\r\n" + acts.OK + b"\r\n" + BODY)
    assert fetched(ask, source(site)).set == Fresh(BODY, None, None)


@pytest.mark.parametrize("lie", [len(BODY) - 1, 0])
def test_a_length_that_is_too_short_cuts_the_body(ask: Ask, site: JwksServer, lie: int) -> None:
    site.answer = lambda talk: talk.reply(200, acts.JSON | {"Content-Length": str(lie)}, BODY)
    assert fetched(ask, source(site)).set == Fresh(BODY[:lie], None, None)


@table(acts.SLOW)
def test_the_deadline_is_for_all_of_a_slow_answer(ask: Ask, site: JwksServer, hostile: Hostile) -> None:
    site.answer = hostile.act
    assert refused(ask, site, SHORT) in hostile.codes
    assert site.is_left()
    assert not site.talks[0].outlasted


@table(acts.SLOW | acts.SLOW_GREETINGS)
def test_the_deadline_is_for_all_of_a_slow_answer_in_tls(
    ask: Ask, authority: Authority, hostile: Hostile
) -> None:
    with JwksServer(tls=authority.serving()) as site:
        if hostile in acts.SLOW_GREETINGS.values():
            site.greeting = hostile.act
        else:
            site.answer = hostile.act
        with pytest.raises(KeysUnavailable) as caught:
            fetched(ask, Source(site.issuer, site.url), tls=authority.trusting(), deadline=SHORT)
        assert caught.value.code in hostile.codes
        assert site.is_left()
        assert not site.talks[0].outlasted


@table(acts.HUGE)
def test_what_has_no_end_is_left_and_memory_stays_flat(ask: Ask, site: JwksServer, hostile: Hostile) -> None:
    fetched(ask, source(site))
    site.answer = hostile.act
    tracemalloc.start()
    try:
        assert refused(ask, site, SHORT if "fetch_timeout" in hostile.codes else AMPLE) in hostile.codes
        assert site.is_left()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < HELD_BYTES_MAX
    talk = site.talks[-1]
    assert not talk.outlasted
    if "fetch_timeout" not in hostile.codes:
        assert talk.sent_bytes < TAKEN_BYTES_MAX


@pytest.mark.parametrize("kind", ["interim answers without end", "trailers without end"])
def test_what_http_itself_does_not_bound_is_bounded_by_bytes(site: JwksServer, kind: str) -> None:
    """In threads; in tasks the deadline ends it."""
    site.answer = acts.HUGE[kind].act
    assert refused(COLOURS["thread"], site) == "fetch_malformed"
    assert site.is_left()
    assert site.talks[0].sent_bytes < TAKEN_BYTES_MAX


@table(acts.BROKEN | acts.WRONG)
def test_a_broken_or_wrong_answer_is_no_set(ask: Ask, site: JwksServer, hostile: Hostile) -> None:
    site.answer = hostile.act
    assert refused(ask, site) in hostile.codes
    assert site.is_left()
    assert site.requests == {JWKS_PATH: 1}


def test_a_site_that_is_down_and_comes_back(ask: Ask, site: JwksServer) -> None:
    site.answer = acts.WRONG["too busy"].act
    assert refused(ask, site) == "fetch_status"
    site.answer = None
    assert isinstance(fetched(ask, source(site)).set, Fresh)


def test_nobody_listens(ask: Ask, site: JwksServer) -> None:
    site.close()
    assert refused(ask, site) == "fetch_connection"


def test_tls_of_an_authority_that_is_trusted(ask: Ask, authority: Authority) -> None:
    with JwksServer(BODY, tls=authority.serving()) as site:
        found = fetched(ask, Source(site.issuer), tls=authority.trusting())
    assert found.set == Fresh(BODY, None, None)
    assert found.url == site.url


@pytest.mark.parametrize("fault", ["untrusted", "another name", "expired", "plain"])
def test_a_certificate_that_is_not_good_is_refused(ask: Ask, authority: Authority, fault: str) -> None:
    served = {
        "untrusted": authority.serving(),
        "another name": authority.serving(["auth.example.com"]),
        "expired": authority.serving(expired=True),
        "plain": None,
    }[fault]
    trusted = None if fault == "untrusted" else authority.trusting()
    with JwksServer(BODY, tls=served) as site:
        if fault == "plain":
            site.greeting = lambda talk: talk.send(acts.OK + b"\r\n" + BODY)
        with pytest.raises(KeysUnavailable) as caught:
            ask(Get(site.url.replace("http:", "https:")), trusted, AMPLE)
    assert caught.value.code == "fetch_tls"
    assert site.requests == {}

"""The verifiers of the demonstration: what they fetch, hold, accept and refuse."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jwturn.cli.demo_fleet import (
    KINDS,
    FetchedSet,
    NoSet,
    Refusal,
    Token,
    Trust,
    Verifier,
    fleet,
    joserfc,
    never_refetches,
    refetches,
)
from jwturn.cli.demo_run import Issued
from jwturn.core.claims import prepare
from jwturn.core.jws import header_segment, signing_input, token_of
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import signer
from jwturn.ports.clock import SystemClock

ISSUER = "https://auth.example.com"
Signing = Callable[..., Token]


class Clock(SystemClock):
    """A wall clock that stands still until it is moved."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Issuer:
    """An issuer with a key or two, and how often its set was fetched."""

    def __init__(self) -> None:
        self.fetched = 0
        self.down = False
        self.keys: list[dict[str, str]] = []
        self.url = ""

    def make(self, kid: str, alg: str = "ES256") -> Signing:
        pair = generate(alg)
        assert pair.public is not None
        self.keys = [*self.keys, {**pair.public, "kid": kid, "use": "sig"}]
        sign = signer(alg, pair.private).sign
        header = header_segment(alg, kid, "JWT")

        def issue(ttl: int = 60, ago: int = 0) -> Token:
            now = time.time() - ago
            life = timedelta(seconds=ttl)
            claims = prepare({"sub": "a"}, issuer=ISSUER, now=now, ttl=life, ttl_max=life, jti="j")
            data = signing_input(header, claims)
            return Token(token_of(data, sign(data)), claims["exp"], kid)

        return issue


@contextmanager
def served(issuer: Issuer) -> Iterator[Issuer]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetched += 1
            body = json.dumps({"keys": issuer.keys}).encode()
            self.send_response(503 if issuer.down else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        issuer.url = f"http://127.0.0.1:{server.server_port}/jwks"
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


def trust(issuer: Issuer, lifetime: float = 300.0) -> Trust:
    return Trust(issuer.url, ISSUER, "ES256", lifetime, 5.0)


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_accepts_a_good_token_and_fetches_once(kind):
    with served(Issuer()) as issuer:
        issue = issuer.make("one")
        check = KINDS[kind][0](trust(issuer))
        for _ in range(3):
            check(issue().text)
        assert issuer.fetched == 1


@pytest.mark.parametrize("make", [never_refetches, joserfc])
def test_a_verifier_that_never_refetches_refuses_a_key_it_does_not_hold(make):
    with served(Issuer()) as issuer:
        old = issuer.make("old")
        check = make(trust(issuer))
        check(old().text)
        new = issuer.make("new")
        with pytest.raises(Refusal):
            check(new().text)
        check(old().text)
        assert issuer.fetched == 1


def test_a_verifier_that_refetches_finds_the_key_after_its_cooldown():
    with served(Issuer()) as issuer:
        old = issuer.make("old")
        check = refetches(trust(issuer, lifetime=0.001))
        check(old().text)
        new = issuer.make("new")
        check(new().text)
        assert issuer.fetched >= 2


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_set_that_cannot_be_fetched_is_no_refusal(kind):
    with served(Issuer()) as issuer:
        issue = issuer.make("one")
        issuer.down = True
        check = KINDS[kind][0](trust(issuer))
        with pytest.raises(NoSet):
            check(issue().text)
        issuer.down = False
        check(issue().text)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("wrong", ["signature", "issuer", "expired"])
def test_each_kind_refuses_a_bad_token(kind, wrong):
    with served(Issuer()) as issuer:
        issue, impostor = issuer.make("one"), Issuer().make("one")
        made = trust(issuer)
        other = Trust(made.jwks_url, "https://else.example.com", made.alg, made.lifetime, made.fetch_time)
        check = KINDS[kind][0](other if wrong == "issuer" else made)
        token = impostor() if wrong == "signature" else issue(ago=90 if wrong == "expired" else 0)
        with pytest.raises(Refusal):
            check(token.text)


def test_a_set_is_fetched_again_when_its_lifetime_is_over():
    with served(Issuer()) as issuer:
        issuer.make("one")
        held = FetchedSet(trust(issuer, lifetime=0.0), json.loads)
        held.get()
        issuer.make("two")
        assert len(held.get()["keys"]) == 2
        assert issuer.fetched == 2


def never(_: str) -> None:
    raise AssertionError("presented after its time")


def refuse(_: str) -> None:
    raise Refusal("no")


def without_set(_: str) -> None:
    raise NoSet("no")


def test_a_token_in_its_last_second_is_not_presented():
    verifier = Verifier("pyjwt", never, list, clock=Clock(100))
    verifier.judge(Token("t", 101))
    assert (verifier.tally.verifications, verifier.tally.refused) == (0, 0)


def test_a_refusal_counts_while_the_token_is_good():
    verifier = Verifier("pyjwt", refuse, list, clock=Clock(100))
    verifier.judge(Token("t", 160))
    assert (verifier.tally.verifications, verifier.tally.refused) == (1, 1)
    assert verifier.tally.why == {"no": 1}


def test_a_refusal_does_not_count_once_the_token_has_expired():
    token = Token("t", 160)
    clock = Clock(token.exp - 5)

    def refuse_late(_: str) -> None:
        clock.seconds = token.exp
        raise Refusal("no")

    verifier = Verifier("pyjwt", refuse_late, list, clock=clock)
    verifier.judge(token)
    assert (verifier.tally.verifications, verifier.tally.refused) == (0, 0)


def test_a_verifier_without_a_set_has_judged_nothing():
    verifier = Verifier("pyjwt", without_set, list, clock=Clock(100))
    verifier.judge(Token("t", 160))
    assert (verifier.tally.verifications, verifier.tally.refused, verifier.tally.unjudged) == (0, 0, 1)


def test_a_verifier_judges_in_its_thread_until_it_is_stopped():
    judged = threading.Event()
    live = [Token("t", 160)]
    verifier = Verifier("pyjwt", lambda _: judged.set(), lambda: live, clock=Clock(100))
    verifier.start()
    assert judged.wait(10)
    verifier.stop()
    verifier.join(10)
    assert verifier.tally.verifications >= 1


def test_the_sets_of_a_kind_are_spread_over_their_lifetime():
    delays = [v._delay for v in fleet(Trust("http://127.0.0.1:1/", ISSUER, "ES256", 4.0, 1.0), list)]
    assert delays == [0.0, 1.0, 2.0, 3.0, 0.0, 2.0, 0.0, 1.0, 2.0, 3.0]


def test_only_tokens_well_inside_their_window_are_live():
    issued = Issued(Clock(100))
    issued.add(Token("over", 101))
    issued.add(Token("good", 160))
    assert [token.text for token in issued.live()] == ["good"]
    assert issued.count == 2

"""Faults that an attack on the verifier found: each was there, and each test failed."""

import asyncio
import gc
import json
import logging
import subprocess
import sys
import threading
import tracemalloc
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec
import pytest

from jwturn import AsyncVerifier, KeysUnavailable, LegacySecret, TokenRefused, Verifier
from jwturn.cli.asked import _LIKE_A_TOKEN
from jwturn.core.errors import JwturnError
from jwturn.core.jwk import RefusedKey
from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.jwks_cache import Cache, Failed, Fetch, Refuse, Unknown, Use, absorb, claim, decide, usable
from jwturn.crypto.generate import generate
from jwturn.testing.clock import FakeClock
from jwturn.verifier.aio import INLINE_BYTES_MAX
from jwturn.verifier.judge import COPIED_MAX
from tests.core.caches import DOWN, HOUR, START, asked, fetch, holding, loaded
from tests.verifier.colours import AMPLE, COLOURS, Ask
from tests.verifier.hostile import JwksServer
from tests.verifier.issuer import Issuer, served

GIVEN_UP = Failed(KeysUnavailable("the task was cancelled"), asked=False)


class NoOffset(tzinfo):
    """A zone that does not know its offset, so that Python takes the moment for naive."""

    def utcoffset(self, _: datetime | None, /) -> timedelta | None:
        return None

    def tzname(self, _: datetime | None, /) -> str | None:
        return None

    def dst(self, _: datetime | None, /) -> timedelta | None:
        return None


class NaiveClock(FakeClock):
    """Whose wall clock says no zone."""

    def now(self) -> datetime:
        return super().now().replace(tzinfo=None)


class Port:
    """Gives the body that it has now, in either colour."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def get(self, _: Get, *, deadline: timedelta) -> Answer:
        assert deadline > timedelta()
        return Answer(200, {}, self.body)


class AsyncPort(Port):
    async def get(self, get: Get, *, deadline: timedelta) -> Answer:  # type: ignore[override]  # the other colour
        return super().get(get, deadline=deadline)


def asking(issuer: Issuer, port: Port) -> dict[str, Any]:
    return {**issuer.rules, "jwks": None, "jwks_url": f"{issuer.name}/jwks.json", "fetch": port}


def code_of(work: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(JwturnError) as caught:
        work(*args, **options)
    return caught.value.code


class TestRenewalsGivenUpHere:
    """One event loop for each request cancels every renewal: nobody asked the issuer, who is up."""

    def test_a_removed_key_is_refused_after_its_lifetime_under_one_loop_for_each_request(self) -> None:
        with served("k1", "k2", max_age=60) as issuer:
            verifier = AsyncVerifier(**issuer.rules)
            asyncio.run(verifier.verify(issuer.token("k2")))
            issuer.publish("k1")
            accepted = 0
            for _ in range(5):
                issuer.pass_seconds(10)
                accepted += asyncio.run(verifier.verify(issuer.token("k2")))["sub"] == "alice"
            assert accepted == 5
            issuer.pass_seconds(10)
            with pytest.raises(TokenRefused) as caught:
                asyncio.run(verifier.verify(issuer.token("k2")))
            assert caught.value.code == "kid_unknown"
            assert asyncio.run(verifier.verify(issuer.token("k1")))["sub"] == "alice"

    def test_it_excuses_no_use_of_a_set_past_its_lifetime_and_makes_nobody_wait(self) -> None:
        cache, flight = claim(holding("a"), START + HOUR - 1)
        cache = absorb(cache, flight, GIVEN_UP, START + HOUR - 1, 0.0)
        assert usable(cache, START + HOUR - 0.5)
        assert not usable(cache, START + HOUR)
        assert isinstance(asked(cache, "a", START + HOUR), Fetch)

    def test_it_takes_no_excuse_away_that_the_issuer_gave(self) -> None:
        cache, flight = claim(holding("a"), START + HOUR)
        cache = absorb(cache, flight, DOWN, START + HOUR, 0.0)
        cache, flight = claim(cache, START + HOUR + 5)
        cache = absorb(cache, flight, GIVEN_UP, START + HOUR + 5, 0.0)
        assert isinstance(asked(cache, "a", START + HOUR + 6), Use)
        assert not usable(cache, START + HOUR + 61)

    def test_it_says_nothing_of_a_kid_that_was_asked_for(self) -> None:
        cache, flight = fetch(holding("a"), "b", START + 1)
        cache = absorb(cache, flight, GIVEN_UP, START + 1, 0.0)
        assert isinstance(asked(cache, "b", START + 1, waited=True), Refuse)

    def test_without_a_usable_set_it_backs_off_as_ever(self) -> None:
        for cache in (Cache(), holding("a")):
            begun, flight = claim(cache, START + 2 * HOUR)
            after = absorb(begun, flight, GIVEN_UP, START + 2 * HOUR, 0.0)
            assert isinstance(asked(after, "a", START + 2 * HOUR + 0.5), Refuse)
            assert isinstance(asked(after, "a", START + 2 * HOUR + 1), Fetch)

    def test_a_set_that_comes_afterwards_ends_it(self) -> None:
        cache, flight = claim(holding("a"), START + 1)
        cache, flight = claim(absorb(cache, flight, GIVEN_UP, START + 1, 0.0), START + 2)
        cache = absorb(cache, flight, loaded("a"), START + 2, 0.0)
        assert (cache.failures, cache.cause) == (0, None)
        assert isinstance(decide(cache, "b", START + 2, waited=True)[1], Unknown)


_FORK = """
import os, sys, threading
from importlib.machinery import PathFinder
from tests.verifier.colours import AMPLE, COLOURS, Ask
from tests.verifier.hostile import JwksServer
from tests.verifier.issuer import served
from jwturn import Verifier

inside, go, forked = threading.Event(), threading.Event(), threading.Event()
sys.modules.pop("jwturn.verifier.wire", None)

class Slow(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "jwturn.verifier.wire":
            return None
        spec = PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module
        def exec_module(module):
            os.register_at_fork(before=go.set)  # the last one registered runs first
            inside.set()
            assert go.wait(20)
            run(module)
        spec.loader.exec_module = exec_module
        return spec

with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
    sys.meta_path.insert(0, Slow)
    token = issuer.token()
    first = threading.Thread(target=verifier.verify, args=(token,))
    first.start()
    assert inside.wait(20)
    child = os.fork()
    if child == 0:
        try:
            verifier.verify(token)
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
        os._exit(0)
    first.join()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code)
"""


def test_a_fork_in_the_middle_of_the_first_import_leaves_no_child_with_half_a_module() -> None:
    done = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, timeout=60)  # noqa: PLW1510  # our own text; its code is what is looked at
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def refused_set(issuer: Issuer, count: int, mark: str) -> bytes:
    """A good key behind many that are refused with an alarm, and as many without one before them."""
    quiet = [{"kty": "what", "kid": f"{mark}-quiet-{number}"} for number in range(count)]
    loud = [{"kty": "EC", "d": "AA", "kid": f"{mark}-loud-{number}"} for number in range(count)]
    return json.dumps({"keys": [*quiet, *loud, *issuer.jwks["keys"]]}).encode()


def test_a_set_of_thousands_of_refused_keys_floods_no_log(caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer("k1")
    port = Port(refused_set(issuer, 5000, "first"))
    with caplog.at_level(logging.INFO, "jwturn.verifier"), Verifier(**asking(issuer, port)) as verifier:
        verifier.verify(issuer.token())
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 33
        assert all("loud" in line for line in lines[:32])
        assert "9968 more" in lines[32]
        assert len(verifier.status().refused) == 10_000


def test_an_event_loop_goes_on_while_a_huge_set_is_opened(caplog: pytest.LogCaptureFixture) -> None:
    """6,500 Ed25519 keys take seconds; those refused are told by the thread that opens the set."""

    async def main(body: bytes) -> set[bool]:
        caplog.clear()
        async with AsyncVerifier(**asking(issuer, AsyncPort(body))) as verifier:
            assert (await verifier.verify(issuer.token()))["sub"] == "alice"
            assert (await verifier.verify(issuer.token()))["sub"] == "alice"
        return {record.thread == threading.get_ident() for record in caplog.records}

    issuer = Issuer("k1")
    huge = refused_set(issuer, 1000, "huge")
    assert len(huge) > INLINE_BYTES_MAX
    with caplog.at_level(logging.INFO, "jwturn.verifier"):
        assert asyncio.run(main(huge)) == {False}
        assert asyncio.run(main(refused_set(issuer, 2, "small"))) == {True}


def test_a_huge_set_without_a_usable_key_is_a_failed_fetch_in_a_task_too() -> None:
    issuer = Issuer("k1")
    body = json.dumps({"keys": [{"kty": "EC", "kid": f"k{number}"} for number in range(2000)]}).encode()
    with pytest.raises(KeysUnavailable, match="no usable key"):
        asyncio.run(AsyncVerifier(**asking(issuer, AsyncPort(body))).verify(issuer.token()))


class TestMomentsWithoutAnOffset:
    """A tzinfo without an offset is no zone; it was a TypeError."""

    MOMENT = datetime(2030, 1, 1, tzinfo=NoOffset())

    def test_at_and_now(self) -> None:
        issuer = Issuer("k1")
        for ask in (Verifier(**issuer.rules).verify, Verifier(**issuer.rules).explain):
            assert code_of(ask, issuer.token(), at=self.MOMENT) == "time_malformed"
        judge = Verifier(**issuer.rules, now=lambda: self.MOMENT)
        assert code_of(judge.verify, issuer.token()) == "time_malformed"

    def test_the_end_of_a_legacy_secret(self) -> None:
        secret = generate("HS256").private
        assert code_of(LegacySecret, secret, until=self.MOMENT) == "time_malformed"

    def test_a_clock_that_is_naive_is_no_clock_of_this_machines_zone(self) -> None:
        issuer = Issuer("k1", clock=NaiveClock())
        rules = {**issuer.rules}
        token = issuer.token(iat=1, exp=2)
        assert code_of(Verifier(**rules).verify, token) == "time_malformed"


@pytest.mark.parametrize("exp", [None, float("nan"), float("inf"), True, "5", 5.0, [5]])
def test_a_published_exp_of_a_wrong_type_refuses_the_key_and_is_not_taken_for_absent(exp: Any) -> None:
    issuer = Issuer("k1", "k2")
    keys = [{**issuer.jwk("k1"), "exp": exp}, issuer.jwk("k2")]
    judge = Verifier(**{**issuer.rules, "jwks": {"keys": keys}})
    assert judge.status().refused == (RefusedKey("k1", "jwk_malformed"),)
    assert code_of(judge.verify, issuer.token("k1")) == "kid_unknown"


def test_a_type_that_names_what_is_not_there_is_said_to_be_none() -> None:
    class Broken(msgspec.Struct):
        sub: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # that is the point

    issuer = Issuer("k1")
    assert code_of(Verifier(**issuer.rules).verify, issuer.token(), type=Broken) == "type_unsupported"


def test_a_signature_that_is_no_base64url_is_told_also_where_there_is_no_key() -> None:
    issuer = Issuer("k1")
    checks = Verifier(**issuer.rules).explain(issuer.token(header={"kid": "other"})[:-1] + "!")
    assert {"kid_unknown", "token_base64"} <= {check.code for check in checks if not check.passed}


def test_the_memo_stays_within_its_room_whatever_the_shape_of_the_claims() -> None:
    """A few hundred short claims took five times the room of the token."""
    issuer = Issuer("k1")
    many: dict[str, Any] = {f"{number:x}": number + 0.25 for number in range(5 * COPIED_MAX)}
    tokens = [issuer.token(jti=str(number), **many) for number in range(64)]
    judge = Verifier(**issuer.rules)
    judge.verify(issuer.token())
    gc.collect()
    tracemalloc.start()
    try:
        for token in tokens * 2:
            judge.verify(token)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    held = judge._keys.cache.held
    assert held is not None
    assert len(held.keys._recent) == len(tokens)
    assert taken < len(tokens) * 8 * 1024
    assert judge.verify(tokens[0])["jti"] == "0"
    given = judge.verify(tokens[0])
    given["0"] = "changed"
    assert judge.verify(tokens[0])["0"] == 0.25


def test_a_long_argument_that_is_almost_a_token_is_told_from_one_at_once() -> None:
    """As long as an argument may be; the time grew with the square, to ten minutes."""
    for end in ("!", " !", "\n\0"):
        assert _LIKE_A_TOKEN.fullmatch("ey" + "a" * 128 * 1024 + end) is None
    assert _LIKE_A_TOKEN.fullmatch("  Bearer ey" + "a" * 1024 + ".b-_.c \n")
    assert _LIKE_A_TOKEN.fullmatch("x" * 20 + "." + "y" * 20 + ".")
    assert _LIKE_A_TOKEN.fullmatch("x" * 20 + "." + "y" * 19 + ".") is None


@pytest.mark.parametrize("ask", COLOURS.values(), ids=COLOURS)
def test_https_in_upper_case_goes_through_the_proxy_too(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with JwksServer() as proxy:
        proxy.answer = lambda talk: talk.reply(407, {})
        monkeypatch.setenv("HTTPS_PROXY", proxy.issuer)
        assert code_of(ask, Get("HTTPS://keys.invalid/jwks.json"), None, AMPLE) == "fetch_connection"
        assert proxy.requests == {"keys.invalid:443": 1}

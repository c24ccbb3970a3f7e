"""Scars of fetching that are the verifier's to heal: floods, lost sets, sets that never end."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jwturn import KeysUnavailable, TokenRefused, Verifier
from jwturn.core import jwk, jws
from jwturn.core.errors import JwturnError
from jwturn.core.jwks_answer import Answer, Get, unavailable
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import Signer, signer
from jwturn.testing.clock import FakeClock

ISSUER = "https://auth.example.com"
MIN = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Issuer:
    """An issuer on the other side of the port `Fetch`: its set, how often it was asked, and its bad days."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.signers: dict[str, Signer] = {}
        self.jwks: list[dict[str, Any]] = []
        self.asked = 0
        self.trouble = ""
        self.gate = threading.Event()
        self.gate.set()

    def add(self, kid: str) -> None:
        """Publishes a new key."""
        made = generate("EdDSA")
        assert made.public is not None
        self.signers[kid] = signer("EdDSA", made.private)
        self.jwks.append(jwk.project(made.public, kid=kid, alg="EdDSA"))

    def remove(self, kid: str) -> None:
        """Takes a key out of the set; whoever has its private half goes on signing."""
        self.jwks = [key for key in self.jwks if key["kid"] != kid]

    def token(self, kid: str, *, named: str = "") -> str:
        """A token of a key; `named` is what its header calls it."""
        now = int(self.clock.now().timestamp())
        claims = {"iss": ISSUER, "aud": "orders", "iat": now, "exp": now + 600}
        header = jws.header_segment("EdDSA", named or kid, "JWT")
        return jws.join(header, json.dumps(claims).encode(), self.signers[kid].sign)

    def get(self, get: Get, *, deadline: timedelta) -> Answer:
        """The port."""
        self.asked += 1
        assert deadline <= timedelta(seconds=5)
        assert self.gate.wait(10)
        if self.trouble:
            raise unavailable(self.trouble, get.url)
        return Answer(200, {"content-type": "application/json"}, json.dumps({"keys": self.jwks}).encode())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> Issuer:
    made = Issuer(clock)
    made.add("one")
    return made


@pytest.fixture
def verifier(issuer: Issuer, clock: FakeClock) -> Iterator[Verifier]:
    """A verifier that holds the issuer's set."""
    url = f"{ISSUER}/jwks.json"
    with Verifier(issuer=ISSUER, audience="orders", jwks_url=url, fetch=issuer, clock=clock) as made:
        made.verify(issuer.token("one"))
        yield made


def code_of(verifier: Verifier, token: str) -> str:
    """The code of the refusal, or nothing."""
    try:
        verifier.verify(token)
    except JwturnError as error:
        return error.code
    return ""


def test_a_flood_of_made_up_kids_is_not_passed_on_to_the_issuer(verifier: Verifier, issuer: Issuer) -> None:
    """CVE-2026-48524, jwks-rsa: one fetch for each kid that somebody made up."""
    for index in range(3000):
        assert code_of(verifier, issuer.token("one", named=f"made-up-{index}")) == "kid_unknown"
    assert issuer.asked <= 1 + 4


def test_a_flood_evicts_no_good_key(verifier: Verifier, issuer: Issuer) -> None:
    """A bounded cache of kids, good ones among them, was filled with made-up ones."""
    for index in range(3000):
        code_of(verifier, issuer.token("one", named=f"made-up-{index}"))
    assert verifier.verify(issuer.token("one"))["iss"] == ISSUER


def test_good_tokens_pass_while_a_fetch_for_a_made_up_kid_hangs(verifier: Verifier, issuer: Issuer) -> None:
    """PyJWT, measured: valid look-ups fell to a hundredth, behind the lock of a fetch."""
    issuer.gate.clear()
    refused: list[str] = []
    stray = threading.Thread(target=lambda: refused.append(code_of(verifier, issuer.token("one", named="x"))))
    stray.start()
    for _ in range(200):
        verifier.verify(issuer.token("one"))
    assert not refused
    issuer.gate.set()
    stray.join(10)
    assert refused == ["kid_unknown"]


def test_one_failed_refresh_wipes_nothing(verifier: Verifier, issuer: Issuer, clock: FakeClock) -> None:
    """pyjwt#1162: the cache was cleared before the fetch that then failed."""
    issuer.trouble = "fetch_status"
    for _ in range(20):
        clock.advance(5 * MIN / 2)
        assert code_of(verifier, issuer.token("one")) == ""
    assert issuer.asked > 2
    assert verifier.status().failures > 0


def test_a_set_that_cannot_be_renewed_ends(verifier: Verifier, issuer: Issuer, clock: FakeClock) -> None:
    """mecatl#449: stale for ever. Here an end, and a word that says it is not the token's fault."""
    issuer.trouble = "fetch_connection"
    clock.advance(5 * MIN + HOUR + timedelta(seconds=1))
    with pytest.raises(KeysUnavailable) as caught:
        verifier.verify(issuer.token("one"))
    assert not isinstance(caught.value, TokenRefused)
    assert caught.value.retry_after >= 1
    issuer.trouble = ""
    clock.advance(MIN)
    assert code_of(verifier, issuer.token("one")) == ""


def test_a_refresh_replaces_the_set_and_a_removed_kid_is_refused(
    verifier: Verifier, issuer: Issuer, clock: FakeClock
) -> None:
    """CVE-2025-22149, svelte-langgraph#284: keys were only ever added, a removed kid was never noticed."""
    issuer.add("two")
    issuer.remove("one")
    assert code_of(verifier, issuer.token("two")) == ""
    assert code_of(verifier, issuer.token("one")) == "kid_unknown"
    assert verifier.status().kids == ("two",)


def test_a_removed_kid_is_noticed_though_nobody_asks_for_a_new_one(
    verifier: Verifier, issuer: Issuer, clock: FakeClock
) -> None:
    """svelte-langgraph#284: only a miss ever led to a fetch."""
    issuer.add("two")
    issuer.remove("one")
    clock.advance(5 * MIN)
    assert code_of(verifier, issuer.token("one")) == "kid_unknown"


def test_a_fetch_has_a_total_deadline_and_a_size() -> None:
    """PyJWKClient: timeout=2 took 19.8 s and read 60 MB. The sockets are in tests/verifier/test_fetch.py."""
    from jwturn.core.jwks_answer import Body
    from jwturn.verifier.trust import FETCH_TIME_MAX

    assert timedelta(seconds=5) == FETCH_TIME_MAX
    body = Body("https://auth.example.com/jwks.json", None)
    with pytest.raises(KeysUnavailable) as caught:
        body.feed(b"x" * 1024 * 1024)
    assert caught.value.code == "fetch_too_large"

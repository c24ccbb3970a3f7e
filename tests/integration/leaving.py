"""An application that leaves HS256: two processes that sign, three that verify, each deployed on its own.

Signers begin with PyJWT and a secret of the environment and end with a ring; verifiers begin with PyJWT and
end with `Verifier`. The time is simulated, the store and its loop are the real ones, and every minute each
live token goes to each verifier. A good one that is refused is counted.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from jwturn import KeysUnavailable, LegacySecret, MigrationWarning, TokenRefused, Verifier
from jwturn.compose import create_app, ensure_ring
from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.ledger import Actor
from jwturn.service.publish import answer
from jwturn.settings import load
from jwturn.testing.clock import FakeClock
from tests.service.short import MIN, SHORT

ISSUER: Final = "https://auth.example.com"
AUDIENCE: Final = "shop"
JWKS_URL: Final = f"{ISSUER}/.well-known/jwks.json"
OLD_TTL: Final = 45 * MIN
NEW_TTL: Final = 10 * MIN
LEEWAY: Final = MIN
FAR: Final = timedelta(days=90)
NO_TIME: Final[Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
"""PyJWT reads the machine's clock; whether a token has ended is judged here."""

Accepts = Callable[[str], bool]
Signs = Callable[[str], tuple[str, datetime]]


@dataclass(frozen=True)
class Live:
    """A token and its exp."""

    token: str
    ends: datetime
    alg: str


@dataclass
class Tally:
    """What came of good tokens: how many each verifier judged, by alg, and which were refused."""

    judged: dict[tuple[int, str], int] = field(default_factory=dict)
    refused: list[tuple[datetime, int, str]] = field(default_factory=list)


class Application:
    """Everything that runs; `signers` and `verifiers` are what is deployed now, by process."""

    def __init__(self, folder: Path, *, secret: str | None = None) -> None:
        self.clock = FakeClock()
        self.secret = secrets.token_urlsafe(48) if secret is None else secret
        environ = {
            "JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}",
            "JWTURN_STORE__KEK": f"file:{folder / 'kek'}",
            "JWTURN_STORE__WITNESS": str(folder / "witness"),
        }
        self.app = create_app(load(environ, cwd=folder.parent), clock=self.clock)
        ensure_ring(self.app, "default", issuer=ISSUER, policy=SHORT, actor=Actor("ann"))
        self.app.loop.run_once()
        self.published: set[bytes] = set()
        self.actives: set[str] = set()
        self.live: list[Live] = []
        self.tally = Tally()
        self.opened: list[Verifier] = []
        self.signers: list[Signs] = [self.signs_by_secret()] * 2
        self.verifiers: list[Accepts] = [self.pyjwt(self.secret) for _ in range(3)]

    def close(self) -> None:
        for verifier in self.opened:
            verifier.close()
        self.app.close()

    def get(self, get: Get, *, deadline: timedelta) -> Answer:
        """The issuer as a verifier sees it (ports/fetch.py): what the publisher answers now."""
        assert (get.url, deadline > timedelta()) == (JWKS_URL, True)
        found = answer(self.app.publisher.issuer_set(ISSUER), get.etag)
        self.published |= {found.body} - {b""}
        return Answer(
            found.status, {name.lower(): value for name, value in found.headers.items()}, found.body
        )

    def signs_by_secret(self, secret: str = "", **claims: Any) -> Signs:
        """As it was: PyJWT, HS256, no iss, no aud, no kid."""

        def sign(user: str) -> tuple[str, datetime]:
            now = self.clock.now()
            told = {"sub": user, "iat": now, "exp": now + OLD_TTL, **claims}
            return jwt.encode(told, secret or self.secret, algorithm="HS256"), now + OLD_TTL

        return sign

    def signs_by_ring(self) -> Signs:
        def sign(user: str) -> tuple[str, datetime]:
            signed = self.app.signing.sign("default", {"sub": user}, audience=AUDIENCE, ttl=NEW_TTL)
            return signed.token, signed.expires

        return sign

    def pyjwt(self, *known: str) -> Accepts:
        """As it was: PyJWT with the secret, or while a secret is replaced with two."""

        def accepts(token: str) -> bool:
            for secret in known:
                try:
                    jwt.decode(token, secret, algorithms=["HS256"], options=NO_TIME)
                except jwt.InvalidTokenError:
                    continue
                return True
            return False

        return accepts

    def both(self, *, until: datetime | None = None) -> Accepts:
        """A verifier for the ring's tokens, and for those of the secret until its end."""
        legacy = LegacySecret(self.secret, until=until or self.clock.now() + FAR, without={"iss", "aud"})
        with pytest.warns(MigrationWarning):
            return self._accepts(self.verifier(legacy))

    def new(self) -> Accepts:
        """A verifier that knows nothing of the secret."""
        return self._accepts(self.verifier())

    def verifier(self, legacy: LegacySecret | None = None) -> Verifier:
        made = Verifier(
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks_url=JWKS_URL,
            legacy=legacy,
            fetch=self,
            clock=self.clock,
        )
        self.opened.append(made)
        return made

    def _accepts(self, verifier: Verifier) -> Accepts:
        def accepts(token: str) -> bool:
            try:
                return verifier.verify(token)["sub"] == "alice"
            except (TokenRefused, KeysUnavailable):
                return False

        return accepts

    def run(self, length: timedelta = 3 * MIN) -> None:
        """Lets time pass: each minute the loop runs, every process signs, and every verifier judges."""
        end = self.clock.now() + length
        while self.clock.now() < end:
            self.clock.advance(MIN)
            self.app.loop.run_once()
            self.note()
            for sign in self.signers:
                token, ends = sign("alice")
                self.live.append(Live(token, ends, jwt.get_unverified_header(token)["alg"]))
            self.judge()

    def judge(self) -> None:
        """Every token whose time is not over, before every verifier."""
        now = self.clock.now()
        self.live = [one for one in self.live if now < one.ends]
        for number, accepts in enumerate(self.verifiers):
            for one in self.live:
                place = (number, one.alg)
                self.tally.judged[place] = self.tally.judged.get(place, 0) + 1
                if not accepts(one.token):
                    self.tally.refused.append((now, number, one.alg))

    def note(self) -> None:
        """What is published now, in the issuer's set and the ring's own, and who signs."""
        publisher, ring = self.app.publisher, self.app.store.load("default").ring
        self.published |= {publisher.issuer_set(ISSUER).body, publisher.ring_set("default").body}
        if ring.active is not None:
            self.actives.add(ring.active.kid)

    def deploy_verifiers(self, make: Callable[[], Accepts]) -> None:
        """One process after the other, with time between."""
        for number in range(len(self.verifiers)):
            self.verifiers[number] = make()
            self.run()

    def deploy_signers(self, make: Callable[[], Signs]) -> None:
        """One process after the other, with time between."""
        for number in range(len(self.signers)):
            self.signers[number] = make()
            self.run()


def spellings(secret: str) -> list[bytes]:
    """Every way in which a secret may stand in a text without being seen at once, its hash among them."""
    data = secret.encode()
    whole = [
        data,
        base64.b64encode(data).rstrip(b"="),
        base64.urlsafe_b64encode(data).rstrip(b"="),
        data.hex().encode(),
        data[::-1],
    ]
    hashed = hashlib.sha256(data).digest()
    return [*whole, base64.urlsafe_b64encode(hashed).rstrip(b"="), hashed.hex().encode()]

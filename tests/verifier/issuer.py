"""A small issuer: keys of its own, a set, tokens, and (`served`) a site on loopback that publishes the set.

    with served("k1") as issuer:
        verifier = Verifier(**issuer.rules)
        verifier.verify(issuer.token())
        assert issuer.fetches == 1

Its clock is a FakeClock, which the verifier is handed too: a test moves it.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from jwturn.core import jws
from jwturn.core.jwk import b64url_bytes
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.sign import Signer, signer
from jwturn.testing.clock import FakeClock
from tests.verifier.hostile import JWKS_PATH, JwksServer

AUDIENCE = "orders"
LIFE_SECONDS = 600


class Issuer:
    """Whoever has its name, its keys and its clock; the set is what is published now."""

    def __init__(self, *kids: str, name: str = "https://auth.example.com", clock: FakeClock | None = None):
        self.name = name
        self.clock = clock or FakeClock()
        self.published: list[str] = []
        self.site: JwksServer | None = None
        self._pairs: dict[str, KeyPair] = {}
        self._signers: dict[str, Signer] = {}
        for kid in kids:
            self.make(kid)
        self.publish(*kids)

    def make(self, kid: str, alg: str = "ES256") -> None:
        """A new key, or new material for an old kid; it is not published yet."""
        self._pairs[kid] = generate(alg, rsa_bits=2048)
        self._signers[kid] = signer(alg, self._pairs[kid].private)

    def publish(self, *kids: str) -> None:
        """From now on the set holds these keys, made if need be."""
        for kid in kids:
            if kid not in self._pairs:
                self.make(kid)
        self.published = list(kids)
        if self.site is not None:
            self.site.body = self.jwks

    def jwk(self, kid: str, /, **members: Any) -> dict[str, Any]:
        """The public JWK; a member that is ... is left out."""
        made = self._pairs[kid]
        told = {**(made.public or {}), "kid": kid, "alg": made.alg, "use": "sig", **members}
        return {name: value for name, value in told.items() if value is not ...}

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.jwk(kid) for kid in self.published]}

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Good claims, with these in their place; a claim that is ... is left out."""
        told = {"iss": self.name, "aud": AUDIENCE, "sub": "alice", "iat": self.now}
        told |= {"exp": self.now + LIFE_SECONDS, **claims}
        return {name: value for name, value in told.items() if value is not ...}

    def token(self, kid: str = "", *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Truly signed by the key of this kid (the first one published), whatever the header says instead."""
        kid = kid or self.published[0]
        made = self._signers[kid]
        told = {"alg": made.alg, "kid": kid, "typ": "JWT", **(header or {})}
        return compact(told, self.claims(**claims), made)

    def stranger(self, kid: str) -> str:
        """A token that names this kid and is signed by another key."""
        return self.token(header={"kid": kid})

    @property
    def rules(self) -> dict[str, Any]:
        """The arguments of a verifier of this issuer: it asks its site, or is handed its set."""
        rules: dict[str, Any] = {"issuer": self.name, "audience": AUDIENCE, "clock": self.clock}
        if self.site is None:
            return {**rules, "jwks": self.jwks}
        return {**rules, "jwks_url": self.site.url, "loopback_http": True}

    @property
    def fetches(self) -> int:
        """How many times the set was asked for."""
        assert self.site is not None
        return self.site.requests[JWKS_PATH]

    def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


def compact(header: Mapping[str, Any], claims: Mapping[str, Any] | bytes, key: Signer) -> str:
    """A token of this header (a member that is ... is left out) over these claims or bytes."""
    told = {name: value for name, value in header.items() if value is not ...}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.join(b64url_bytes(json.dumps(told).encode()), payload, key.sign)


@contextmanager
def served(*kids: str, max_age: int | None = None) -> Iterator[Issuer]:
    """An issuer whose name is its site's, so that discovery finds it too."""
    with JwksServer() as site:
        issuer = Issuer(name=site.issuer)
        issuer.site = site
        site.max_age = max_age
        issuer.publish(*kids)
        yield issuer

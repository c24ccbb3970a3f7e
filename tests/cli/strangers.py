"""Issuers that no store knows: their keys, their sets, and the tokens that they sign."""

import json
from dataclasses import dataclass, field
from typing import Any

from jwturn.core import jws
from jwturn.core.jwk import b64url_bytes
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.sign import signer
from jwturn.testing.clock import START

NOW = int(START.timestamp())
"""When the clock of a Stage begins."""


@dataclass
class Stranger:
    """An issuer with one key, which signs whatever it is given."""

    issuer: str = "https://accounts.example.net"
    alg: str = "ES256"
    kid: str = "of-a-stranger"
    pair: KeyPair = field(init=False)

    def __post_init__(self) -> None:
        self.pair = generate(self.alg, rsa_bits=2048)

    def claims(self, **more: Any) -> dict[str, Any]:
        """Good claims with others; one of ... is left out."""
        good = {"iss": self.issuer, "aud": "orders", "sub": "alice", "iat": NOW, "exp": NOW + 600}
        return {name: value for name, value in (good | more).items() if value is not ...}

    def token(self, claims: Any = None, **header: Any) -> bytes:
        """A truly signed token."""
        members = {"alg": self.alg, "kid": self.kid, "typ": "JWT"} | header
        payload = claims if isinstance(claims, bytes) else json.dumps(claims or self.claims()).encode()
        segment = b64url_bytes(json.dumps(members).encode())
        return jws.join(segment, payload, signer(self.alg, self.pair.private).sign).encode()

    def jwk(self, **more: Any) -> dict[str, Any]:
        """Its public key; a member of ... is left out."""
        assert self.pair.public is not None
        members = self.pair.public | {"kid": self.kid, "alg": self.alg, "use": "sig"} | more
        return {name: value for name, value in members.items() if value is not ...}

    def jwks(self, *more: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Its set."""
        return {"keys": [self.jwk(**members), *more]}

"""The issuer as a trial sees it: it publishes keys, signs tokens, is down, and counts who asks."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

from bench.clients.colours import ended
from jwturn.core import jws
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import Signer, signer

ALG: Final = "ES256"
AUDIENCE: Final = "orders"
TOKEN_SECONDS: Final = 900
MAX_AGE_SECONDS: Final = 300
SIGNATURE_BYTES: Final = 64
"""As long as a signature of ES256 (RFC 7518 section 3.4)."""
_SERVED: Final = Path(__file__).with_name("served.py")


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key and the JWK it is published as."""

    kid: str
    jwk: dict[str, str]
    signer: Signer


def new_key() -> Key:
    """A key with a random kid."""
    pair, kid = generate(ALG), secrets.token_urlsafe(16)
    assert pair.public is not None
    return Key(kid, {**pair.public, "kid": kid, "alg": ALG, "use": "sig"}, signer(ALG, pair.private))


class Loopback:
    """The issuer's process; ends at the end of a `with`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            [sys.executable, str(_SERVED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        self._names = count(1)

    def trial(self, *keys: Key, delay: float = 0.0) -> "Trial":
        """An issuer of its own, with a set of its own; it answers after `delay` seconds."""
        trial = Trial(self._port, f"t{next(self._names)}", delay)
        trial.publish(*keys)
        return trial

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        ended(self._process)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one client is tried on."""

    port: int
    name: str
    delay: float

    @property
    def issuer(self) -> str:
        """What `iss` says."""
        return f"http://127.0.0.1:{self.port}/{self.name}"

    @property
    def url(self) -> str:
        """Where the set is."""
        return self.issuer

    @property
    def fetches(self) -> int:
        """How often the set was asked for."""
        return int(self._ask("GET", f"/{self.name}/fetches"))

    def publish(self, *keys: Key, down: bool = False) -> None:
        """Answers with these keys from now on, or with 503."""
        jwks = [key.jwk for key in keys]
        order = {"keys": jwks, "max_age": MAX_AGE_SECONDS, "delay": self.delay, "down": down}
        self._ask("PUT", f"/{self.name}", order)

    def tokens(self, key: Key, number: int) -> list[str]:
        """Good tokens, each another one."""
        header = jws.header_segment(ALG, key.kid, "JWT")
        return [self._token(header, key.signer.sign) for _ in range(number)]

    def token(self, key: Key) -> str:
        """A good token."""
        return self.tokens(key, 1)[0]

    def unknown(self, number: int) -> list[str]:
        """Tokens with kids that somebody made up."""
        headers = [jws.header_segment(ALG, secrets.token_urlsafe(16), "JWT") for _ in range(number)]
        return [self._token(header, lambda _: secrets.token_bytes(SIGNATURE_BYTES)) for header in headers]

    def _token(self, header: bytes, sign: Callable[[bytes], bytes]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "user-1",
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
        signed = jws.signing_input(header, claims)
        return jws.token_of(signed, sign(signed))

    def _ask(self, method: str, path: str, order: Any = None) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, None if order is None else json.dumps(order))
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            return answer.read().decode()
        finally:
            connection.close()

"""An issuer's keys and both colours of the verifier, called alike: for tests that care for neither."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from jwturn.core import jws
from jwturn.core.errors import JwturnError
from jwturn.core.jwk import project
from jwturn.core.jwks_answer import Answer, Get
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import signer
from jwturn.verifier.aio import AsyncVerifier
from jwturn.verifier.fetch import UrllibFetch
from jwturn.verifier.fetch_async import HttpxFetch
from jwturn.verifier.held import KeyStatus
from jwturn.verifier.sync import Verifier

LIFE = timedelta(hours=23)


class IssuerKey:
    """A signing key of an issuer under this kid, made now."""

    def __init__(self, kid: str, alg: str = "ES256") -> None:
        made = generate(alg)
        assert made.public is not None
        self.kid, self.alg = kid, alg
        self.jwk = project(made.public, kid=kid, alg=alg)
        self._signer = signer(alg, made.private)

    def token(self, issuer: str, now: datetime, **claims: Any) -> str:
        """A good token for `orders`, good for LIFE from now on."""
        seconds = int(now.timestamp())
        members = {"iss": issuer, "aud": "orders", "iat": seconds, "exp": seconds + int(LIFE.total_seconds())}
        segment = jws.header_segment(self.alg, self.kid, "JWT")
        return jws.join(segment, json.dumps(members | claims).encode(), self._signer.sign)


class HurriedUrllib(UrllibFetch):
    """The port, with a deadline that a test may shorten."""

    hurry: timedelta | None = None

    def get(self, get: Get, *, deadline: timedelta) -> Answer:
        return super().get(get, deadline=min(deadline, self.hurry or deadline))


class HurriedHttpx(HttpxFetch):
    """The same for tasks."""

    hurry: timedelta | None = None

    async def get(self, get: Get, *, deadline: timedelta) -> Answer:
        return await super().get(get, deadline=min(deadline, self.hurry or deadline))


class ThreadSeat:
    """The verifier for threads."""

    def __init__(self, **rules: Any) -> None:
        self.port = HurriedUrllib(rules.get("tls"))
        self.verifier = Verifier(fetch=self.port, **rules)

    def verify(self, token: str) -> dict[str, Any]:
        return self.verifier.verify(token)

    def settle(self) -> None:
        """Waits for the fetch under way, if there is one."""
        if (flight := self.verifier._keys.cache.flight) is not None:
            self.verifier._thread.wait(flight)

    def close(self) -> None:
        self.verifier.close()


class TaskSeat:
    """The verifier for tasks, in a loop that runs while it is called."""

    def __init__(self, **rules: Any) -> None:
        self._runner = asyncio.Runner()
        self.port = HurriedHttpx(rules.get("tls"))
        self.verifier = AsyncVerifier(fetch=self.port, **rules)

    def verify(self, token: str) -> dict[str, Any]:
        return self._runner.run(self.verifier.verify(token))

    def settle(self) -> None:
        if (flight := self.verifier._keys.cache.flight) is not None:
            self._runner.run(self.verifier._wait(flight))

    def close(self) -> None:
        self._runner.run(self.verifier.close())
        self._runner.close()


SEATS: dict[str, type[ThreadSeat] | type[TaskSeat]] = {"thread": ThreadSeat, "task": TaskSeat}


@contextmanager
def seated(colour: str, **rules: Any) -> Iterator[ThreadSeat | TaskSeat]:
    """A seat that is closed at the end."""
    seat = SEATS[colour](**rules)
    try:
        yield seat
    finally:
        seat.close()


def status(seat: ThreadSeat | TaskSeat) -> KeyStatus:
    return seat.verifier.status()


def cause(seat: ThreadSeat | TaskSeat) -> JwturnError | None:
    """Why the last fetch failed."""
    return seat.verifier._keys.cache.cause

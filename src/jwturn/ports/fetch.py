"""Fetch: one GET over the network, in two colours."""

from datetime import timedelta
from typing import Protocol

from jwturn.core.jwks_answer import Answer, Get


class Fetch(Protocol):
    """Asks for one URL on a connection of its own, which is closed whatever happens.

    Redirects are answers, never followed. Raises KeysUnavailable only, with a code of `jwks_answer.CODES`.
    """

    def get(self, get: Get, *, deadline: timedelta) -> Answer:
        """The answer; `deadline` is all the time there is, from the look-up of the name to the last byte."""
        ...


class AsyncFetch(Protocol):
    """The same, awaited; a cancelled call closes its connection too."""

    async def get(self, get: Get, *, deadline: timedelta) -> Answer:
        """The answer; `deadline` is all the time there is, from the look-up of the name to the last byte."""
        ...

"""The verifier for tasks: whoever finds a flight to begin starts a task for it; nobody waits who need not."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar, overload

from jwturn.core.claims import Check
from jwturn.core.errors import JwturnError
from jwturn.core.jwks_cache import Failed, Flight, Outcome
from jwturn.ports.fetch import AsyncFetch
from jwturn.verifier.fetch_async import HttpxFetch
from jwturn.verifier.trust import FETCH_TIME_MAX, IssuerTrust, Order, broke, not_begun, shaped

T = TypeVar("T")


class AsyncVerifier(IssuerTrust):
    """Verifies the tokens of one issuer, from any number of tasks; `close` it, or use it in an `async with`.

    It needs the extra `async`. A token whose key is known is judged without waiting for anything.
    """

    @overload
    async def verify(self, token: str | bytes, *, at: datetime | None = None) -> dict[str, Any]: ...

    @overload
    async def verify(self, token: str | bytes, *, at: datetime | None = None, type: type[T]) -> T: ...

    async def verify(self, token: str | bytes, *, at: datetime | None = None, type: Any = None) -> Any:  # noqa: A002  # what msgspec calls it
        """The claims of a token that passes every check (RFC 8725): a new dict, or a `type` made of them.

        As `Verifier.verify`: `at` judges the times as of then; raises TokenRefused or KeysUnavailable.
        """
        claims = self._at_once(token) if at is None else None
        if claims is None:
            claims = await self._drive(self._judging(token, self._reading(token, at)))
        return claims if type is None else shaped(claims, type)

    async def explain(self, token: str | bytes, *, at: datetime | None = None) -> list[Check]:
        """Every check of a token, passed or failed, in words; trust it only if all passed."""
        return await self._drive(self._explaining(token, at))

    async def close(self) -> None:
        """Ends the fetches under way. What is held stays in use until it is stale."""
        self._closed = True
        tasks = [task for task in self._tasks if task.get_loop() is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _prepare(self) -> None:
        self._port: AsyncFetch = self._fetch or HttpxFetch(self._tls)
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._guard = threading.Lock()

    async def _drive(self, steps: Generator[Order, None, T]) -> T:
        try:
            while True:
                order = next(steps)
                if order.begin:
                    self._begin(order.flight)
                if order.wait:
                    await self._wait(order.flight)
        except StopIteration as done:
            found: T = done.value
            return found

    def _begin(self, flight: Flight) -> None:
        if self._closed:
            self._keys.land(flight, Failed(not_begun("the verifier was closed")))
            return
        task = asyncio.get_running_loop().create_task(self._fly(flight), name="jwturn-keys")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fly(self, flight: Flight) -> None:
        outcome: Outcome = Failed(not_begun("the task was cancelled"))
        try:
            outcome = await self._flown()
        finally:
            self._keys.land(flight, outcome)
            self._landed(flight)

    async def _flown(self) -> Outcome:
        """How a fetch ended, whatever happened in it."""
        steps, left = self._keys.fetched(), self._keys.countdown(FETCH_TIME_MAX)
        try:
            get = next(steps)
            while True:
                try:
                    answer = await self._port.get(get, deadline=timedelta(seconds=left()))
                except JwturnError as error:
                    get = steps.throw(error)
                else:
                    get = steps.send(answer)
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome
        except Exception as error:  # noqa: BLE001  # a port of others: whatever it raises, no key set came
            return Failed(broke(error))

    async def _wait(self, flight: Flight) -> None:
        """Returns when the flight is over or lost; it may be another loop's."""
        over = asyncio.get_running_loop().create_future()
        with self._guard:
            self._waiting.setdefault(flight.number, []).append(over)
        if self._keys.flying(flight):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._keys.seconds_left(flight)):
                    await over

    def _landed(self, flight: Flight) -> None:
        with self._guard:
            waiting = self._waiting.pop(flight.number, [])
        for over in waiting:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there any more
                over.get_loop().call_soon_threadsafe(_settle, over)


def _settle(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)

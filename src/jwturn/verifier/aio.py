"""The verifier for tasks: whoever finds a flight to begin starts a task for it; nobody waits who need not."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Self, TypeVar, overload

from jwturn.core.claims import Check
from jwturn.core.errors import JwturnError
from jwturn.core.jwks_answer import Answer, Get
from jwturn.core.jwks_cache import Failed, Flight, Outcome
from jwturn.ports.fetch import AsyncFetch
from jwturn.verifier.fetch_async import HttpxFetch
from jwturn.verifier.held import renewed_in_children
from jwturn.verifier.trust import FETCH_TIME_MAX, IssuerTrust, Order, broke, not_begun, shaped

T = TypeVar("T")
INLINE_BYTES_MAX: Final = 32 * 1024
"""A set of this size is opened in a few milliseconds; one of 512 KiB may take seconds."""


class AsyncVerifier(IssuerTrust):
    """Verifies the tokens of one issuer, from any number of tasks; `close` it, or use it in an `async with`.

    It needs the extra `async`; its arguments are those of `Verifier`. A token whose key is known is judged
    without waiting for anything.
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

    async def load(self) -> None:
        """Fetches the keys now, unless usable ones are held; as `Verifier.load`. Raises KeysUnavailable."""
        await self._drive(self._loading())

    async def explain(self, token: str | bytes, *, at: datetime | None = None) -> list[Check]:
        """Every check of a token, passed or failed, in words; trust it only if all passed."""
        return await self._drive(self._explaining(token, at))

    async def close(self) -> None:
        """Ends the fetches under way. What is held stays in use until it is stale."""
        self._closed = True
        tasks = [task for task in list(self._tasks) if task.get_loop() is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _prepare(self) -> None:
        self._port: AsyncFetch | None = self._fetch
        if self._port is None and self._keys.asks:
            self._port = HttpxFetch(self._tls)
        self._closed = False
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._waiters = _Waiters()

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
            self._land(flight, Failed(not_begun("the verifier was closed")))
            return
        task = asyncio.get_running_loop().create_task(self._flown(), name="jwturn-keys")
        self._tasks.add(task)
        task.add_done_callback(partial(self._flown_by, flight))

    def _flown_by(self, flight: Flight, task: "asyncio.Task[Outcome]") -> None:
        """Takes in the end of a task: a callback also of one that was cancelled before its first step."""
        self._tasks.discard(task)
        if task.cancelled():
            self._land(flight, Failed(not_begun("the task was cancelled"), asked=self._closed))
        else:
            error = task.exception()
            self._land(flight, task.result() if error is None else Failed(broke(error)))

    async def _flown(self) -> Outcome:
        """How a fetch ended, whatever happened in it."""
        steps, left, port = self._keys.fetched(), self._keys.countdown(FETCH_TIME_MAX), self._port
        await asyncio.sleep(0)  # a loop that ends with the call that began this cancels it here, unconnected
        try:
            get: Get | Outcome = next(steps)
            while port is not None and isinstance(get, Get):
                try:
                    answer = await port.get(get, deadline=timedelta(seconds=left()))
                except JwturnError as error:
                    get = steps.throw(error)
                else:
                    get = await _taken_in(steps, answer)
            if not isinstance(get, Get):
                return get
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome
        except Exception as error:  # noqa: BLE001  # a port of others: whatever it raises, no key set came
            return Failed(broke(error))
        return Failed(not_begun("there is no port to fetch with"))

    async def _wait(self, flight: Flight) -> None:
        """Returns when the flight is over or lost; it may be another loop's."""
        over = self._waiters.join(flight)
        try:
            if self._keys.flying(flight):
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._keys.seconds_left(flight)):
                        await over
        finally:
            self._waiters.leave(flight, over)

    def _land(self, flight: Flight, outcome: Outcome) -> None:
        self._keys.land(flight, outcome)
        self._waiters.wake(flight)


async def _taken_in(steps: Generator[Get, Answer, Outcome], answer: Answer) -> Get | Outcome:
    """What comes next, or how it ended. A body as large as no honest set is read beside the loop."""

    def send() -> Get | Outcome:
        try:
            return steps.send(answer)
        except StopIteration as done:  # which no thread may hand on
            outcome: Outcome = done.value
            return outcome

    return await asyncio.to_thread(send) if len(answer.body) > INLINE_BYTES_MAX else send()


class _Waiters:
    """Who waits for which flight, in any event loop."""

    def __init__(self) -> None:
        self.after_fork()
        renewed_in_children().add(self)

    def after_fork(self) -> None:
        """In the child: those who wait are the parent's, and so is whoever held the lock."""
        self.by_flight: dict[int, set[asyncio.Future[None]]] = {}
        self.lock = threading.RLock()  # a wait that is collected as garbage leaves while this is held

    def join(self, flight: Flight) -> "asyncio.Future[None]":
        """What to wait for."""
        over = asyncio.get_running_loop().create_future()
        with self.lock:
            self.by_flight.setdefault(flight.number, set()).add(over)
        return over

    def leave(self, flight: Flight, over: "asyncio.Future[None]") -> None:
        """Nobody waits for this any more."""
        with self.lock:
            waiting = self.by_flight.get(flight.number, set())
            waiting.discard(over)
            if not waiting:
                self.by_flight.pop(flight.number, None)

    def wake(self, flight: Flight) -> None:
        """The flight is over."""
        with self.lock:
            waiting = self.by_flight.pop(flight.number, set())
        for over in waiting:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there any more
                over.get_loop().call_soon_threadsafe(_settle, over)


def _settle(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)

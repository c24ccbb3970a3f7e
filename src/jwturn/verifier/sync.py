"""The verifier for threads: callers judge, one lazy daemon thread fetches."""

import threading
import weakref
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeVar, overload

from jwturn.core.claims import Check
from jwturn.core.errors import JwturnError
from jwturn.core.jwks_cache import Failed, Flight, Outcome
from jwturn.ports.fetch import Fetch
from jwturn.verifier.fetch import UrllibFetch
from jwturn.verifier.held import HeldKeys, renewed_in_children
from jwturn.verifier.trust import FETCH_TIME_MAX, IssuerTrust, Order, broke, not_begun, shaped

T = TypeVar("T")
NAP_SECONDS_MIN: Final = 0.05
NAP_SECONDS_MAX: Final = 60.0
"""The thread looks at the clock this often, so that one that jumped does not put it to sleep for good."""
_CLOSED: Final = "the verifier was closed"


class Verifier(IssuerTrust):
    """Verifies the tokens of one issuer, from any number of threads; `close` it, or use it in a `with`.

    A token whose key is known is judged without a lock and never waits for a fetch.

    - `issuer`: `iss` must equal it. Its keys are found by discovery, unless `jwks_url` names where they
      are, or `jwks` gives them: a set as a dict or bytes, for ever, or the path of a file, which is read
      again.
    - `audience`: one name or several, or `ANY`.
    - `algorithms`: None for those of the keys in the set; one or several narrow them.
    - `typ`: None for JWT, at+jwt or absent; one or several: exactly those, and absent is refused.
    - `leeway` on exp, iat and nbf; `token_ttl_max`, the longest life of a token.
    - `keys_ttl_max`: the longest use of a set that could be renewed; `stale_max`: how long beyond that
      while the issuer cannot be reached.
    - `now`: a callable that gives an aware datetime, in place of this machine's time of day.
    - `memo`: remember tokens that passed, and judge them by the clock alone when they come again.
    - `kid_when_absent`: the kid of the one key for tokens that have none; `legacy`: a secret with an end.
      Both are for migrations, and warn.
    - `tls`: an `ssl.SSLContext` in place of the default one; `loopback_http`: allow http to this machine.
    - `fetch`, `clock`: other ports, for tests and simulations.

    Raises BadInput for rules that accept nothing safely, a URL not to be fetched, or no usable key; NotFound
    for a file that is not there, KeysUnavailable for one that cannot be read.
    """

    @overload
    def verify(self, token: str | bytes, *, at: datetime | None = None) -> dict[str, Any]: ...

    @overload
    def verify(self, token: str | bytes, *, at: datetime | None = None, type: type[T]) -> T: ...

    def verify(self, token: str | bytes, *, at: datetime | None = None, type: Any = None) -> Any:  # noqa: A002  # what msgspec calls it
        """The claims of a token that passes every check (RFC 8725): a new dict, or a `type` made of them.

        `at`, an aware datetime, has the time claims judged as of then, afresh. `type` is a msgspec Struct, a
        dataclass or a TypedDict. Raises TokenRefused, whose code says which check failed, or KeysUnavailable
        where the token could not be judged.
        """
        claims = self._at_once(token) if at is None else None
        if claims is None:
            claims = self._drive(self._judging(token, self._reading(token, at)))
        return claims if type is None else shaped(claims, type)

    def load(self) -> None:
        """Fetches the keys now, so that a start fails early and a readiness probe need not wait for a token.

        Returns at once where usable ones are held. Raises KeysUnavailable.
        """
        self._drive(self._loading())

    def explain(self, token: str | bytes, *, at: datetime | None = None) -> list[Check]:
        """Every check of a token, passed or failed, in words; trust it only if all passed.

        Raises KeysUnavailable where there are no keys to check it by.
        """
        return self._drive(self._explaining(token, at))

    def close(self) -> None:
        """Ends the thread; a fetch under way is waited for. What is held stays in use until it is stale."""
        self._thread.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        self._thread = FetchThread(self._keys, self._fetch or UrllibFetch(self._tls))
        weakref.finalize(self, self._thread.stop)

    def _drive(self, steps: Generator[Order, None, T]) -> T:
        try:
            while True:
                order = next(steps)
                if order.begin:
                    self._thread.begin(order.flight)
                if order.wait:
                    self._thread.wait(order.flight)
        except StopIteration as done:
            found: T = done.value
            return found


class FetchThread:
    """One daemon thread, started when the first flight begins, and again after a fork."""

    def __init__(self, keys: HeldKeys, fetch: Fetch) -> None:
        self._keys, self._fetch = keys, fetch
        self._changed = threading.Condition()
        self._begun: list[Flight] = []
        self._thread: threading.Thread | None = None
        self._stopped = False
        renewed_in_children().add(self)

    def begin(self, flight: Flight) -> None:
        """Has the thread fetch; returns at once."""
        with self._changed:
            trouble = _CLOSED if self._stopped else self._start()
            if trouble:
                self._keys.land(flight, Failed(not_begun(trouble)))
            else:
                self._begun.append(flight)
            self._changed.notify_all()

    def wait(self, flight: Flight) -> None:
        """Returns when the flight is over or lost."""
        with self._changed:
            self._changed.wait_for(lambda: not self._keys.flying(flight), self._keys.seconds_left(flight))

    def stop(self) -> None:
        """Has the thread end after the fetch under way; no other begins."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self) -> None:
        """Waits for the end of the thread."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(FETCH_TIME_MAX.total_seconds() + NAP_SECONDS_MIN)

    def after_fork(self) -> None:
        """In the child: the thread is the parent's, and so is whoever held the lock."""
        self._changed = threading.Condition()
        self._begun, self._thread = [], None
        self._keys.after_fork()

    def _start(self) -> str:
        """Starts the thread if none is alive; why that cannot be, or nothing."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name="jwturn-keys", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                return str(error)
            self._thread = thread
        return ""

    def _run(self) -> None:
        while True:
            with self._changed:
                nap = min(max(self._keys.seconds_to_next(), NAP_SECONDS_MIN), NAP_SECONDS_MAX)
                self._changed.wait_for(lambda: self._begun or self._stopped, nap)
                if self._stopped:
                    self._give_up()
                    return
                flight = self._begun.pop(0) if self._begun else None
            flight = flight or self._keys.due()
            if flight is not None:
                self._keys.land(flight, self._flown())
                with self._changed:
                    self._changed.notify_all()

    def _give_up(self) -> None:
        """Nobody has to wait for what was begun and never sent."""
        for flight in self._begun:
            self._keys.land(flight, Failed(not_begun(_CLOSED)))
        self._begun = []
        self._changed.notify_all()

    def _flown(self) -> Outcome:
        """How a fetch ended, whatever happened in it."""
        steps, left = self._keys.fetched(), self._keys.countdown(FETCH_TIME_MAX)
        try:
            get = next(steps)
            while True:
                try:
                    answer = self._fetch.get(get, deadline=timedelta(seconds=left()))
                except JwturnError as error:
                    get = steps.throw(error)
                except StopIteration as error:  # of the port, not of the steps
                    return Failed(broke(error))
                else:
                    get = steps.send(answer)
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome
        except Exception as error:  # noqa: BLE001  # a port of others: whatever it raises, no key set came
            return Failed(broke(error))

"""An issuer's keys as this process holds them: `core.jwks_cache` decides, this keeps state and opens sets.

Whoever finds a usable set reads one reference. A claim is decided twice, once on what was read and once more
under the lock, so that callers who learn nothing new, a flood of made-up kids among them, never take it.
"""

import hashlib
import os
import threading
import weakref
from collections.abc import Callable, Collection, Generator, Iterable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from jwturn.core import jwks_cache
from jwturn.core.errors import BadInput, JwturnError, KeysUnavailable, NotFound
from jwturn.core.jwk import ALARMS, CODES, SET_BYTES_MAX, RefusedKey
from jwturn.core.jwks_answer import Answer, Fresh, Get, shown_url
from jwturn.core.jwks_cache import Bounds, Cache, Failed, Flight, Loaded, Outcome, Unchanged, Verdict
from jwturn.core.jwks_fetch import Source, fetching
from jwturn.verifier.judge import Judge
from jwturn.verifier.keys import NOTHING, Opened, open_set

if TYPE_CHECKING:
    import logging

Origin: TypeAlias = Source | str | bytes
"""Where a set comes from: an issuer, a file that may change, or the set itself, for ever."""


class KeyStatus(Struct, frozen=True, kw_only=True):
    """What is known of an issuer's keys, for a health page; `usable`: tokens can be judged now.

    `age` is that of the set (None: there is none, or it was handed in), `failures` the attempts that failed
    since it came, `cause` why the last of them did and `code` the same to match on; `refused` are the keys of
    the set that are not used.
    """

    usable: bool
    kids: tuple[str, ...]
    age: timedelta | None
    failures: int
    cause: str
    code: str
    refused: tuple[RefusedKey, ...]


class _Record(Struct, frozen=True):
    """The bytes that a set was read from, hashed, and what they gave.

    It stays with the set: one whose answer came too late to be used leaves nothing behind.
    """

    digest: bytes
    opened: Opened


_TOLD_MAX: Final = 32
"""How many refused keys of one set are logged: 512 KiB have room for 24,000."""
_NO_RECORD: Final = _Record(b"", NOTHING)


class HeldKeys:
    """The set in use, and the flight that fetches the next one."""

    def __init__(
        self,
        origin: Origin,
        *,
        bounds: Bounds,
        algorithms: Collection[str] | None,
        judge: Callable[[Opened], Judge],
        elapsed: Callable[[], float],
    ) -> None:
        """Raises BadInput or NotFound for a set that is handed in, or a file, that gives no usable key."""
        self._origin, self._algorithms = origin, algorithms
        self._judge, self._elapsed = judge, elapsed
        self._lock = threading.Lock()
        self._found_at, self._told = "", ""
        self.cache = Cache(bounds=bounds)
        renewed_in_children().add(self)
        if isinstance(origin, bytes):
            made = self._loaded(origin, None, None)
            self.cache = jwks_cache.fixed(made.keys, made.kids, made.record)
        elif isinstance(origin, str):
            self._read_first(origin)

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask over the network."""
        return isinstance(self._origin, Source)

    def ask(self, kid: str, *, waited: bool) -> Verdict:
        """What to do for a token of this kid; what it claims is claimed for the caller."""
        before, now = self.cache, self._elapsed()
        after, verdict = jwks_cache.decide(before, kid, now, waited=waited)
        if after is not before:
            with self._lock:
                now = self._elapsed()  # what others landed since then must not seem to come from the future
                self.cache, verdict = jwks_cache.decide(self.cache, kid, now, waited=waited)
        return verdict

    def usable(self) -> bool:
        """Whether a set is held that tokens may be judged by."""
        return jwks_cache.usable(self.cache, self._elapsed())

    def due(self) -> Flight | None:
        """The renewal that is due now, claimed for the caller."""
        with self._lock:
            self.cache, flight = jwks_cache.refresh(self.cache, self._elapsed())
        return flight

    def seconds_to_next(self) -> float:
        """How long until `due` has something to give, if nothing else happens."""
        now = self._elapsed()
        return jwks_cache.next_refresh(self.cache, now) - now

    def flying(self, flight: Flight) -> bool:
        """Whether this flight is neither over nor lost."""
        now = jwks_cache.under_way(self.cache, self._elapsed())
        return now is not None and now.number == flight.number

    def seconds_left(self, flight: Flight) -> float:
        """How long to wait for a flight at most."""
        return max(flight.until - self._elapsed(), 0.0)

    def countdown(self, limit: timedelta) -> Callable[[], float]:
        """A function that gives the seconds left of `limit`, from now on, never below zero."""
        ends = self._elapsed() + limit.total_seconds()
        return lambda: max(ends - self._elapsed(), 0.0)

    def fetched(self) -> Generator[Get, Answer, Outcome]:
        """Yields what to GET, is sent the answers, and returns how it ended; raises nothing."""
        try:
            if isinstance(self._origin, Source):
                held = self.cache.held
                etag = None if held is None else held.etag
                got = yield from fetching(self._origin, url=self._found_at or None, etag=etag)
                self._found_at = got.url
                lifetime = None if got.set.lifetime is None else got.set.lifetime.total_seconds()
                if isinstance(got.set, Fresh):
                    return self._loaded_from(got.url, got.set, lifetime)
                return Unchanged(lifetime)
            if isinstance(self._origin, str):
                return self._loaded(_read(self._origin), None, None)
            return Unchanged(None)
        except JwturnError as error:
            self._found_at = ""
            return Failed(error)

    def land(self, flight: Flight, outcome: Outcome) -> None:
        """Takes in how the flight ended."""
        jitter = int.from_bytes(os.urandom(4)) / 2**32
        with self._lock:
            self.cache = jwks_cache.absorb(self.cache, flight, outcome, self._elapsed(), jitter)
        if isinstance(outcome, Failed):
            self._tell_failure(outcome.cause)
        elif self._told:
            self._told = ""
            _log().info("there are keys again: %s", self._found_at)

    def _tell_failure(self, cause: JwturnError) -> None:
        """Once for as long as the cause is the same."""
        words, self._told = self._told, f"{cause.message} ({cause.code})"
        if words != self._told:
            tell = _log().error if cause.code in ALARMS else _log().warning
            tell("no new key set: %s", self._told)
            _tell(cause.details.get("refused", ()))

    def after_fork(self) -> None:
        """In a child: whoever held the lock is not here, nor is the thread that was fetching."""
        self._lock = threading.Lock()
        self.cache = replace(self.cache, flight=None)

    def status(self) -> KeyStatus:
        """What a health page shows."""
        cache, now = self.cache, self._elapsed()
        held, cause = cache.held, cache.cause
        age = None if held is None or held.since < 0 else timedelta(seconds=max(now - held.since, 0))
        return KeyStatus(
            usable=jwks_cache.usable(cache, now),
            kids=() if held is None else tuple(sorted(held.keys.court.keys)),
            age=age,
            failures=cache.failures,
            cause="" if cause is None else cause.message,
            code="" if cause is None else cause.code,
            refused=() if held is None else held.record.opened.refused,
        )

    def _loaded_from(self, url: str, fresh: Fresh, lifetime: float | None) -> Loaded:
        try:
            return self._loaded(fresh.body, lifetime, fresh.etag)
        except BadInput as error:
            words = f"{shown_url(url)}: {error.message}"
            raise BadInput(words, code=error.code, hint=error.hint, **error.details) from error

    def _loaded(self, body: bytes, lifetime: float | None, etag: str | None) -> Loaded:
        digest, held = hashlib.sha256(body).digest(), self.cache.held
        before: _Record = _NO_RECORD if held is None else held.record
        if held is not None and digest == before.digest:
            return Loaded(held.keys, held.kids, lifetime, etag, before)
        opened = open_set(body, algorithms=self._algorithms, before=before.opened)
        _tell(opened.refused, but=before.opened.refused)
        judge = self._judge(opened)
        return Loaded(judge, judge, lifetime, etag, _Record(digest, opened))

    def _read_first(self, path: str) -> None:
        self.cache, flight = jwks_cache.claim(self.cache, self._elapsed())
        self.land(flight, self._loaded(_read(path), None, None))


def _log() -> "logging.Logger":
    import logging

    return logging.getLogger("jwturn.verifier")


def _tell(refused: Iterable[RefusedKey], *, but: Collection[RefusedKey] = ()) -> None:
    """Each key that is not used, unless it was named before; the alarms first, for the rest their number."""
    named = {(ascii(one.kid), one.code) for one in but}
    new = [one for one in refused if (ascii(one.kid), one.code) not in named]
    for one in sorted(new, key=lambda one: not one.alarm)[:_TOLD_MAX]:
        tell = _log().error if one.alarm else _log().info
        words = CODES.get(one.code, "it is weak or malformed")
        tell("key %.80a of the set is refused: %s (%s)", one.kid, words, one.code)
    if len(new) > _TOLD_MAX:
        _log().warning("%d more keys of the set are refused", len(new) - _TOLD_MAX)


def _read(path: str) -> bytes:
    """A file's bytes, one more than a set may have at most; raises NotFound or KeysUnavailable."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib costs a twelfth of the import's budget
            return file.read(SET_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no JWKS at {path}", hint="jwturn jwks > FILE writes one") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise KeysUnavailable(
            f"the JWKS at {path} cannot be read: {why}", hint="see what it is and who owns it"
        ) from error


class Renewed(Protocol):
    """What does not survive a fork as it is."""

    def after_fork(self) -> None:
        """Runs in the child, before anything else does."""
        ...


@cache
def renewed_in_children() -> "weakref.WeakSet[Renewed]":
    """Everything that a child has to renew; forks are watched from the first call on."""
    alive: weakref.WeakSet[Renewed] = weakref.WeakSet()

    def renew() -> None:
        for one in list(alive):
            one.after_fork()

    os.register_at_fork(after_in_child=renew)
    return alive

"""An issuer as this process trusts it: the part of a verifier that has no colour.

A token of a known kid is judged at once. Any other goes through `judging`, a generator that says which fetch
to begin and which to wait for, and is the same for threads and tasks: a driver does what it says and knows no
rule.
"""

import math
import warnings
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import Struct

from jwturn.core.claims import Check
from jwturn.core.errors import BadInput, KeysUnavailable, TokenRefused
from jwturn.core.jwks_cache import Bounds, Fetch, Flight, Refuse, Unknown, Use
from jwturn.core.jwks_fetch import Source
from jwturn.core.rules import AnyAudience, Rules
from jwturn.ports.clock import Clock, in_seconds
from jwturn.verifier.checks import refusal
from jwturn.verifier.given import (
    Jwks,
    Names,
    audience_given,
    beside,
    check_kinds,
    narrowed,
    origin_of,
    seconds,
    seconds_now,
)
from jwturn.verifier.held import HeldKeys, KeyStatus
from jwturn.verifier.judge import Court, Judge, Legacy, plain
from jwturn.verifier.keys import NOTHING, Opened

if TYPE_CHECKING:
    import ssl

    from jwturn.verifier.legacy import LegacySecret

T = TypeVar("T")

FETCH_TIME_MAX: Final = timedelta(seconds=5)
"""The total deadline of a fetch, discovery included (SECURITY.md 7)."""


class Order(Struct, frozen=True):
    """What `judging` wants of its driver: begin the flight if it says so, wait for it if it says so."""

    flight: Flight
    begin: bool
    wait: bool


class IssuerTrust:
    """What `Verifier` and `AsyncVerifier` share: rules and keys of one issuer, and what to do about both."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: Names | AnyAudience,
        jwks: Jwks | None = None,
        jwks_url: str | None = None,
        algorithms: Names | None = None,
        typ: Names | None = None,
        leeway: timedelta = timedelta(seconds=60),
        token_ttl_max: timedelta = timedelta(hours=24),
        keys_ttl_max: timedelta = timedelta(hours=1),
        stale_max: timedelta = timedelta(hours=1),
        now: Callable[[], datetime] | None = None,
        memo: bool = True,
        kid_when_absent: str | None = None,
        legacy: "LegacySecret | None" = None,
        tls: "ssl.SSLContext | None" = None,
        loopback_http: bool = False,
        fetch: Any = None,
        clock: Clock | None = None,
    ) -> None:
        """Raises BadInput for what cannot be used; of a file also NotFound and KeysUnavailable."""
        check_kinds(issuer=issuer, jwks_url=jwks_url, now=now, tls=tls, leeway=leeway)
        check_kinds(token_ttl_max=token_ttl_max, keys_ttl_max=keys_ttl_max, stale_max=stale_max)
        check_kinds(memo=memo, loopback_http=loopback_http)
        rules = Rules(
            issuer=issuer,
            audience=audience_given(audience),
            leeway=leeway,
            token_ttl_max=token_ttl_max,
            **narrowed(algorithms=algorithms, typ=typ, kid_when_absent=kid_when_absent),
        )
        wall, elapsed = in_seconds(clock)
        if now is None and clock is not None:
            now = clock.now  # it may be naive, and then no time of anywhere
        self._wall = wall if now is None else partial(seconds_now, now)
        self._elapsed, self._rules, self._tls, self._fetch = elapsed, rules, tls, fetch
        judge = partial(_judge, rules, beside(rules, legacy), memo=memo)
        self._keyless = judge(NOTHING)
        self._keys = HeldKeys(
            origin_of(jwks, partial(Source, issuer, jwks_url, loopback_http), jwks_url=jwks_url),
            bounds=_bounds(keys_ttl_max, stale_max),
            algorithms=rules.algorithms,
            judge=judge,
            elapsed=elapsed,
        )
        _warn(issuer, legacy, kid_when_absent)
        self._prepare()

    def _prepare(self) -> None:
        """What the colour needs to fetch."""
        raise NotImplementedError

    @property
    def issuer(self) -> str:
        """The issuer whose tokens these are."""
        return self._rules.issuer

    def status(self) -> KeyStatus:
        """What is known of the issuer's keys, for a health page; asks nobody."""
        return self._keys.status()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._rules.issuer!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("verifiers cannot be pickled: make one in each process")

    def _at_once(self, token: object) -> dict[str, Any] | None:
        """The claims, or None where a fetch may be needed; raises TokenRefused."""
        held = self._keys.cache.held
        if held is not None and held.since <= self._elapsed() < held.refresh_at:
            try:
                return held.keys.claims(token, self._wall())  # type: ignore[no-any-return]  # a Judge, put there by _loaded
            except TokenRefused as error:
                if error.code != "kid_unknown":
                    raise
        return None

    def _judging(self, token: object, use: Callable[[Judge], T]) -> Generator[Order, None, T]:
        """What `use` makes of the judge who has the keys for this token.

        Raises TokenRefused where no keys could help, and KeysUnavailable where the token was not judged.
        """
        kid = self._keyless.needs(plain(token))
        if kid is None:
            return use(self._keyless)
        waited = joined = False
        while True:
            verdict = self._keys.ask(kid, waited=waited)
            if isinstance(verdict, Refuse):
                raise self._unavailable(verdict)
            if isinstance(verdict, Unknown):
                held = self._keys.cache.held
                return use(self._keyless if held is None else held.keys)
            if isinstance(verdict, Use):
                if verdict.begin is not None:
                    yield Order(verdict.begin, begin=True, wait=False)
                return use(verdict.held.keys)
            began = isinstance(verdict, Fetch)
            yield Order(verdict.flight, begin=began, wait=True)
            # A flight that was joined may have been answered before this key was published; the next was not.
            waited, joined = began or joined, True

    def _loading(self) -> Generator[Order, None, None]:
        """Fetches the set now, unless one is held that may be used. Raises KeysUnavailable."""
        waited = False
        while not self._keys.usable():
            verdict = self._keys.ask("", waited=waited)
            if isinstance(verdict, Refuse):
                raise self._unavailable(verdict)
            if isinstance(verdict, Use | Unknown):
                return
            yield Order(verdict.flight, begin=isinstance(verdict, Fetch), wait=True)
            waited = True

    def _unavailable(self, verdict: Refuse) -> KeysUnavailable:
        cause = verdict.cause
        words = f"no usable keys of {self._rules.issuer}"
        error = KeysUnavailable(
            f"{words}: {cause.message}" if cause is not None else words,
            hint=(cause.hint if cause is not None else "") or "the token was not judged; try again",
            retry_after=max(1, math.ceil(verdict.retry_after)),
        )
        error.__cause__ = cause
        return error

    def _reading(self, token: object, at: datetime | None) -> Callable[[Judge], dict[str, Any]]:
        if at is None:
            return lambda judge: judge.claims(token, self._wall())
        moment = seconds(at)
        return lambda judge: judge.claims(token, moment, afresh=True)

    def _explaining(self, token: object, at: datetime | None) -> Generator[Order, None, list[Check]]:
        moment = self._wall() if at is None else seconds(at)
        try:
            return (yield from self._judging(token, lambda judge: judge.explain(token, moment)))
        except TokenRefused:
            held = self._keys.cache.held
            return (self._keyless if held is None else held.keys).explain(token, moment)


def shaped(claims: dict[str, Any], shape: type[T]) -> T:
    """The claims as a msgspec Struct, a dataclass or a TypedDict; raises TokenRefused `claims_shape`."""
    try:
        return msgspec.convert(claims, shape)
    except msgspec.ValidationError as error:
        if not _is_shape(shape):
            raise _no_shape(shape) from error
        refused = refusal("claims_shape")
        raise TokenRefused(f"{refused.message}: {error}", code=refused.code, hint=refused.hint) from error
    except (TypeError, ValueError, NameError) as error:  # NameError: an annotation that names nothing
        raise _no_shape(shape) from error


def _is_shape(shape: Any) -> bool:
    """Whether claims can become this at all; if not, no token is to blame."""
    from msgspec import inspect as of

    made = of.StructType | of.DataclassType | of.TypedDictType | of.DictType | of.UnionType | of.AnyType
    return isinstance(of.type_info(shape), made)


def _no_shape(shape: Any) -> BadInput:
    words = f"claims cannot become {shape!a}"
    return BadInput(words, code="type_unsupported", hint="a msgspec Struct, a dataclass or a TypedDict")


def not_begun(words: str) -> KeysUnavailable:
    """The failure of a flight that could not begin."""
    return KeysUnavailable(
        f"no fetch was begun: {words}", hint="make a verifier that lives as long as its callers"
    )


def broke(error: BaseException) -> KeysUnavailable:
    """The failure of a flight whose port raised what it may not."""
    hint = "its cause says where; a port of your own (fetch=) raises KeysUnavailable alone"
    failed = KeysUnavailable(f"the fetch broke: {type(error).__name__}", hint=hint)
    failed.__cause__ = error
    return failed


def _judge(rules: Rules, legacy: Legacy | None, opened: Opened, *, memo: bool) -> Judge:
    return Judge(Court(keys=opened.keys, rules=rules, exp_bounds=opened.exp_bounds), legacy=legacy, memo=memo)


def _bounds(keys_ttl_max: timedelta, stale_max: timedelta) -> Bounds:
    if keys_ttl_max <= timedelta() or stale_max < timedelta():
        raise BadInput(
            "these rules were refused: a set would never be used",
            code="rules_malformed",
            hint="keys_ttl_max is above zero, stale_max not below",
        )
    return Bounds(
        keys_ttl_max=keys_ttl_max.total_seconds(),
        stale_max=stale_max.total_seconds(),
        fetch_time_max=FETCH_TIME_MAX.total_seconds(),
    )


def _warn(issuer: str, legacy: object, kid_when_absent: str | None) -> None:
    """Says that a migration's rule is in force, where the verifier was made."""
    told = [] if legacy is None else [f"{issuer}: {legacy} is accepted beside its keys"]
    if kid_when_absent is not None:
        told.append(f"{issuer}: tokens without kid are judged by key {kid_when_absent}")
    for words in told:
        from jwturn.verifier.legacy import MigrationWarning

        warnings.warn(words, MigrationWarning, stacklevel=3)

"""The verifiers of the demonstration: libraries that nobody here wrote, each with a key set of its own.

All fetch over HTTP and use what they fetched for the lifetime that the ring's policy declares, with no
leeway. Those that never refetch early are what the lead is for; one that refetches on an unknown kid could
hide a lead that is broken, so the kinds are counted apart.
"""

import json
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from jwturn.core.errors import ConfigError
from jwturn.ports.clock import Clock, SystemClock

PASS_SECONDS: Final = 0.25
"""How often a verifier goes through every live token."""
WINDOW_END: Final = 1.0
"""Seconds before exp at which a token is no longer presented: nobody is blamed for one that has expired."""
FLEET: Final = {"pyjwt": 4, "pyjwt-refetch": 2, "joserfc": 4}
"""How many of each kind; a kind's sets are fetched evenly spread over their lifetime."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier is configured with. Times in seconds: a set's lifetime, and the longest fetch."""

    jwks_url: str
    issuer: str
    alg: str
    lifetime: float
    fetch_time: float
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True)
class Token:
    """A token just signed; `exp` in Unix seconds."""

    text: str
    exp: int
    kid: str = ""


class Refusal(Exception):
    """A verifier held a key set and said no."""


class NoSet(Exception):
    """A verifier could not fetch the set, and judged nothing."""


Check = Callable[[str], None]


def pyjwt(trust: Trust, *, cooldown: float) -> Check:
    """PyJWT with its PyJWKClient, which refetches on an unknown kid once `cooldown` seconds have passed."""
    import jwt

    client = jwt.PyJWKClient(
        trust.jwks_url, lifespan=trust.lifetime, timeout=trust.fetch_time, cooldown_duration=cooldown
    )
    options: Any = {"require": ["exp", "iat", "iss"]}

    def check(token: str) -> None:
        try:
            key = client.get_signing_key_from_jwt(token)
            jwt.decode(token, key, algorithms=[trust.alg], issuer=trust.issuer, options=options, leeway=0)
        except jwt.PyJWKClientConnectionError as error:
            raise NoSet(str(error)) from error
        except jwt.PyJWTError as error:
            raise Refusal(f"{type(error).__name__}: {error}") from error

    return check


def joserfc(trust: Trust) -> Check:
    """joserfc, which has no client of its own, with a set that is fetched when its lifetime is over."""
    from joserfc import errors, jwk, jwt

    # joserfc warns of each token that RFC 9864 has a newer name than EdDSA, which most clients know.
    warnings.simplefilter("ignore", errors.SecurityWarning)
    essential: Any = {"essential": True}
    claims = jwt.JWTClaimsRegistry(leeway=0, exp=essential, iss={"essential": True, "value": trust.issuer})
    held = FetchedSet(trust, lambda text: jwk.KeySet.import_key_set(json.loads(text)))

    def check(token: str) -> None:
        keys = held.get()
        try:
            claims.validate(jwt.decode(token, keys, algorithms=[trust.alg]).claims)
        except (errors.JoseError, ValueError) as error:
            raise Refusal(f"{type(error).__name__}: {error}") from error

    return check


class FetchedSet:
    """A key set over HTTP: fetched when it is first wanted and when its lifetime is over, never between."""

    def __init__(self, trust: Trust, read: Callable[[bytes], Any]) -> None:
        self._trust = trust
        self._read = read
        self._set: Any = None
        self._ends = timedelta.min
        self._open = build_opener(ProxyHandler({})).open

    def get(self) -> Any:
        """The set in use. Raises NoSet where none can be fetched."""
        if self._set is None or self._trust.clock.boottime() >= self._ends:
            try:
                with self._open(self._trust.jwks_url, timeout=self._trust.fetch_time) as answer:
                    self._set = self._read(answer.read())
            except (URLError, OSError, ValueError) as error:
                self._set = None
                raise NoSet(str(error)) from error
            self._ends = self._trust.clock.boottime() + timedelta(seconds=self._trust.lifetime)
        return self._set


def never_refetches(trust: Trust) -> Check:
    """PyJWT as a verifier that does not refetch before its lifetime is over, as Envoy and HAProxy are."""
    return pyjwt(trust, cooldown=1000 * trust.lifetime)


def refetches(trust: Trust) -> Check:
    """PyJWT as it comes, its times scaled: 300 s of lifetime and 30 s of cooldown are ten to one."""
    return pyjwt(trust, cooldown=trust.lifetime / 10)


KINDS: Final[dict[str, tuple[Callable[[Trust], Check], str]]] = {
    "pyjwt": (never_refetches, "PyJWT, never refetches early"),
    "pyjwt-refetch": (refetches, "PyJWT, refetches on an unknown kid"),
    "joserfc": (joserfc, "joserfc, never refetches early"),
}


def demand_libraries() -> None:
    """Raises ConfigError where PyJWT or joserfc is missing, with the way to get them."""
    try:
        import joserfc  # noqa: F401  # only whether it is there
        import jwt  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise ConfigError(
            f"the demonstration verifies with PyJWT and joserfc, and {error.name} is not installed",
            hint='pip install "jwturn[demo]"',
            code="missing_extra",
        ) from error


@dataclass(slots=True)
class Tally:
    """What one verifier did. Written by its own thread alone."""

    verifications: int = 0
    refused: int = 0
    unjudged: int = 0
    why: Counter[str] = field(default_factory=Counter)


class Verifier:
    """One verifier in a thread of its own, which judges every live token again and again."""

    def __init__(
        self, kind: str, check: Check, live: Callable[[], list[Token]], *, clock: Clock, delay: float = 0.0
    ) -> None:
        self.kind = kind
        self.tally = Tally()
        self._check = check
        self._live = live
        self._clock = clock
        self._delay = delay
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"verifier-{kind}", daemon=True)

    def start(self) -> None:
        """Begins, `delay` seconds from now."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the token it is at."""
        self._stop.set()

    def join(self, timeout: float) -> None:
        """Waits for the thread to end, `timeout` seconds at most."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        if self._stop.wait(self._delay):
            return
        while not self._stop.wait(PASS_SECONDS):
            for token in self._live():
                if self._stop.is_set():
                    return
                self.judge(token)

    def judge(self, token: Token) -> None:
        """Presents a token if it is well inside its time window, and counts the answer."""
        if self._seconds() >= token.exp - WINDOW_END:
            return
        try:
            self._check(token.text)
        except NoSet:
            self.tally.unjudged += 1
        except Refusal as refusal:
            if self._seconds() < token.exp:
                self.tally.refused += 1
                self.tally.verifications += 1
                self.tally.why[str(refusal)[:120]] += 1
        else:
            self.tally.verifications += 1

    def _seconds(self) -> float:
        return self._clock.now().timestamp()


def fleet(trust: Trust, live: Callable[[], list[Token]]) -> Iterator[Verifier]:
    """Every verifier of the demonstration."""
    for kind, number in FLEET.items():
        make, _ = KINDS[kind]
        for index in range(number):
            delay = trust.lifetime * index / number
            yield Verifier(kind, make(trust), live, clock=trust.clock, delay=delay)

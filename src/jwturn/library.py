"""jwturn inside an application: the same ring, no server.

`jwturn.open()` signs, verifies, answers the JWKS and turns.

The loop runs in a daemon thread. After a fork the child makes itself anew on first use (its own node,
connections and threads); nothing of the parent's is used there. `close()` gives the leases back.
"""

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from jwturn.compose import App, create_app, demand_issuer, demand_same_numbers, ensure_ring, open_app
from jwturn.core.errors import ConfigError, JwturnError, LostRace, NotFound, StateForbids
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.policy_text import parse_changes
from jwturn.ports.clock import Clock
from jwturn.service.publish import JWKS_PATH, Answer, answer, discovery, unavailable
from jwturn.service.respond import demand_ring_name
from jwturn.settings import Settings, load

_OF_PARENTS: Final[list[App]] = []
"""Apps of parent processes: a child neither uses them nor lets them be collected, which would close files."""
RACES_MAX: Final = 5


class Jwturn:
    """A ring in this process. Thread-safe; a context manager."""

    def __init__(self, make: Callable[[], App], ring: str) -> None:
        self._make = make
        self._ring = ring
        self._lock = threading.Lock()
        self._closed = False
        self._app: App | None = (app := make())
        try:
            self.issuer = app.store.load(ring).ring.issuer
        except BaseException:
            app.close()
            raise
        app.loop.start()
        os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self)))

    @property
    def app(self) -> App:
        """The parts: store, commands, plan. Raises JwturnError once closed."""
        app = self._app
        if app is not None:
            return app
        with self._lock:
            if self._closed:
                raise JwturnError("this jwturn was closed", code="closed", hint="jwturn.open() makes another")
            if self._app is None:
                self._app = self._make()
                self._app.loop.start()
            return self._app

    def after_fork(self) -> None:
        """In a child: the parent's app is left alone, and the next call makes one of the child's own."""
        self._lock = threading.Lock()
        if self._app is not None:
            _OF_PARENTS.append(self._app)
        self._app = None

    def sign(
        self,
        claims: Mapping[str, object],
        *,
        ring: str | None = None,
        ttl: timedelta | None = None,
        audience: str | None = None,
    ) -> str:
        """A token over `claims`; iss, iat, exp and jti are added. `ttl` at most the policy's token_ttl_max.

        Raises BadInput (claims, ttl), Unavailable (no lease, no mature key), NotFound (no such ring).
        """
        return self.app.signing.sign(ring or self._ring, claims, ttl=ttl, audience=audience).token

    def verify(
        self, token: str | bytes, *, audience: str | None = None, at: datetime | None = None
    ) -> dict[str, Any]:
        """The claims of a token of this store's rings. Raises TokenRefused. `audience` None accepts any."""
        return self.app.verify(token, audience=audience, at=at)

    def jwks(self, *, if_none_match: str | None = None, ring: str | None = None) -> Answer:
        """The JWKS with its headers: status 200, 304 or 503, ready to be sent.

        `ring` asks for a ring's own set.
        """
        try:
            publisher = self.app.publisher
            found = publisher.issuer_set(self.issuer) if ring is None else publisher.ring_set(ring)
        except NotFound:
            raise
        except JwturnError as error:
            return unavailable(error)
        return answer(found, if_none_match)

    def discovery(self) -> bytes:
        """The body of /.well-known/openid-configuration."""
        algs = self.app.publisher.issuer_set(self.issuer).algs
        return discovery(self.issuer, self.issuer.rstrip("/") + JWKS_PATH, algs)

    def close(self) -> None:
        """Stops the loop and gives the leases back. May be called twice."""
        with self._lock:
            self._closed = True
            app, self._app = self._app, None
        if app is not None:
            app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<jwturn ring {self._ring!r}>"


def _forget(of: "weakref.ref[Jwturn]") -> None:
    ring = of()
    if ring is not None:
        ring.after_fork()


def open_ring(
    path: str | Path | None = None,
    *,
    issuer: str | None = None,
    ring: str = "default",
    policy: Mapping[str, object] | Sequence[str] = (),
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> Jwturn:
    """Opens the ring of a folder, making store, KEK and ring where there are none: `issuer` is needed then.

    `path` is the folder of the store (default: that of ./jwturn.toml, else ./.jwturn); `policy` holds
    fields of the policy for a ring that is made, such as {"alg": "EdDSA"}. Raises PolicyRefused,
    CustodyError (a KEK that is missing or wrong: nothing is created), ConfigError, BadInput.
    """
    chosen = settings or _settings(path)
    _make(chosen, ring, issuer, policy, clock)
    return Jwturn(lambda: open_app(chosen, clock=clock), ring)


def _settings(path: str | Path | None) -> Settings:
    if path is None:
        return load(os.environ)
    folder = Path(path).absolute()
    uri = f"sqlite:///{folder / 'jwturn.db'}"
    located = {"JWTURN_STORE__URI": uri, "JWTURN_STORE__WITNESS": str(folder / "witness")}
    if load(os.environ, cwd=folder.parent).store.uri != uri:
        located["JWTURN_STORE__KEK"] = os.environ.get("JWTURN_STORE__KEK", f"file:{folder / 'kek'}")
    return load({**os.environ, **located}, cwd=folder.parent)


def _make(
    settings: Settings,
    ring: str,
    issuer: str | None,
    policy: Mapping[str, object] | Sequence[str],
    clock: Clock | None,
) -> None:
    """Makes what is missing; where another process makes it meanwhile, what that one made is taken."""
    wanted = {**parse_changes(settings.rings.get(ring, {})), **parse_changes(policy)}
    for left in reversed(range(RACES_MAX)):
        try:
            app = _opened(settings, ring, issuer, wanted, clock)
            try:
                ensure_ring(app, ring, issuer=issuer, policy=wanted, actor=Actor("application"))
                _demand_same_issuer(app.store.load(ring).ring.issuer, issuer, ring)
            finally:
                app.close()
        except (StateForbids, LostRace):
            if not left:
                raise
        else:
            return


def _demand_same_issuer(there: str, given: str | None, ring: str) -> None:
    if given is not None and given != there:
        raise ConfigError(
            f"ring {ring!r} signs for {there}, and {given} was asked for",
            hint="an issuer is for life: name another ring, or leave the issuer out",
            code="issuer_differs",
        )


def _opened(
    settings: Settings, ring: str, issuer: str | None, wanted: dict[str, Any], clock: Clock | None
) -> App:
    try:
        return open_app(replace(settings, rings={}), clock=clock)
    except NotFound as error:
        if error.code != "no_store":
            raise
    demand_issuer(issuer, ring)
    demand_ring_name(ring)
    made = edited(RotationPolicy(), dict(wanted), tick_cap=settings.store.tick_cap)
    demand_same_numbers(ring, made, settings.rings.get(ring, {}))
    return create_app(settings, clock=clock)

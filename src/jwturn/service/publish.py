"""Publish: the JWKS answer, pure in what it decides. The server only carries it.

A set is read from committed state and kept with the boottime from *before* the read; it is re-read on
notification and at least every min(5 s, D/3), and never served past D. A set is never empty, never holds a
private member (the very bytes are checked), and says `no-store` with a 503 rather than lie.
"""

import hashlib
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from jwturn.core.envelope import canonical
from jwturn.core.errors import JwturnError, NotFound, TooLarge, Unavailable
from jwturn.core.jwk import check_public_bytes, jwks_bytes, project
from jwturn.core.leases import exp_bound
from jwturn.core.plan import agenda
from jwturn.core.steps import Discard, Retire
from jwturn.ports.clock import Clock
from jwturn.ports.store import RingStore, View

MAX_AGE_FLOOR: Final = timedelta(seconds=30)
REREAD_MAX: Final = timedelta(seconds=5)
SET_BYTES_MAX: Final = 512 * 1024
JWKS_TYPE: Final = "application/jwk-set+json"
JWKS_PATH: Final = "/.well-known/jwks.json"
DISCOVERY_PATHS: Final = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """A set as read from the store: its bytes, ETag, max-age, and how long it may be served."""

    body: bytes
    etag: str
    kids: frozenset[str]
    max_age: timedelta
    shared: bool
    read_at: timedelta
    fresh_for: timedelta
    good_for: timedelta
    algs: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


def key_set(views: Sequence[View], *, issuer_set: bool) -> list[dict[str, str | int]]:
    """The public JWKs of rings, for the issuer's set or a ring's own.

    A verify-only key without its private half says the last exp it can have issued.
    """
    return [
        project(key.public, kid=key.kid, alg=key.alg, exp=exp_bound(view.leases, key))
        for view in views
        for key in view.ring.published
        if key.public is not None and (key.in_issuer_set or not issuer_set)
    ]


def published(views: Sequence[View], *, issuer_set: bool, read_at: timedelta) -> Published:
    """The set of some rings, read at boottime `read_at`.

    Raises Unavailable while it has no key, TooLarge past 512 KiB, IntegrityError where the bytes hold what
    they must not.
    """
    keys = key_set(views, issuer_set=issuer_set)
    if not keys:
        raise Unavailable("this set has no key yet", hint="jwturn plan", code="no_key")
    body = jwks_bytes(keys)
    check_public_bytes(body)
    if len(body) > SET_BYTES_MAX:
        raise TooLarge(
            f"the set has {len(body)} bytes: verifiers stop at {SET_BYTES_MAX}",
            hint="give rings sets or issuers of their own",
        )
    policies = [view.ring.policy for view in views]
    delay = min(p.publish_delay_max / (1 + p.clock_rate_error) for p in policies)
    max_age = min(_max_age(view) for view in views)
    shared = all(p.edge_ttl_max > timedelta() for p in policies)
    cache = f"{'public' if shared else 'private'}, max-age={math.floor(max_age.total_seconds())}"
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Published(
        body=body,
        etag=etag,
        kids=frozenset(str(key["kid"]) for key in keys),
        max_age=max_age,
        shared=shared,
        read_at=read_at,
        fresh_for=min(REREAD_MAX, delay / 3),
        good_for=delay,
        algs=tuple(sorted({str(key["alg"]) for key in keys})),
        headers={
            "content-type": JWKS_TYPE,
            "cache-control": cache,
            "etag": etag,
            "access-control-allow-origin": "*",
            "x-content-type-options": "nosniff",
        },
    )


def _max_age(view: View) -> timedelta:
    """The policy's max-age, or less where a key leaves sooner, but never below 30 s for that."""
    policy, listed = view.ring.policy, {key.kid for key in view.ring.published}
    removals = [
        booked.due.eta(view.now) - view.now.at
        for booked in agenda(view.ring, view.leases, view.now)
        if isinstance(booked.step, Retire | Discard) and booked.step.kid in listed
    ]
    soonest = min(removals, default=policy.jwks_max_age)
    return min(policy.jwks_max_age, max(soonest, MAX_AGE_FLOOR))


def answer(found: Published, if_none_match: str | None) -> Answer:
    """200 with the set, or 304 where the caller holds it (RFC 9110 section 13.1.2.

    Weak comparison, lists, *).
    """
    if if_none_match is not None:
        held = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        if found.etag in held or "*" in held:
            kept = {name: value for name, value in found.headers.items() if name != "content-type"}
            return Answer(304, kept, b"")
    return Answer(200, found.headers, found.body)


def unavailable(error: JwturnError) -> Answer:
    """The answer where no set can be given: never an empty set, never kept by a cache."""
    retry = str(getattr(error, "retry_after", 5))
    # Anyone may ask: what a backend says of itself (paths, addresses) stays in the log.
    detail = error.message if error.code == "no_key" else "the set cannot be read for now"
    title = "Service Unavailable"
    problem = {"type": "about:blank", "title": title, "status": 503, "detail": detail, "code": error.code}
    body = canonical({**problem, "hint": f"keep the set you hold and ask again in {retry} s"})
    headers = {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "retry-after": retry,
        "access-control-allow-origin": "*",
    }
    return Answer(503, headers, body)


def discovery(issuer: str, jwks_uri: str, algs: Sequence[str]) -> bytes:
    """The metadata of an issuer that only signs.

    OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2.
    """
    return canonical(
        {
            "issuer": issuer,
            "jwks_uri": jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(algs),
        }
    )


class Publisher:
    """Keeps the sets of a store's issuers and rings ready to be served.

    Thread-safe; one dictionary look-up when fresh.
    """

    def __init__(self, store: RingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._sets: dict[tuple[str, str], Published] = {}
        self._failed: dict[tuple[str, str], timedelta] = {}
        self._lock = threading.Lock()

    def issuer_set(self, issuer: str) -> Published:
        """The set of an issuer.

        Raises Unavailable (no key, or nothing fresh enough), NotFound (no such issuer).
        """
        return self._get(("issuer", issuer))

    def ring_set(self, ring: str) -> Published:
        """A ring's own set: every public key of the ring. Raises as `issuer_set`."""
        return self._get(("ring", ring))

    def fresh(self, kind: str, which: str) -> Published | None:
        """The set (`issuer` or `ring`) if it can be served without asking the store.

        After a read that failed the store is left alone for as long, so that callers never queue behind it.
        """
        found = self._sets.get((kind, which))
        if found is None:
            return None
        now, asked = self._clock.boottime(), self._failed.get((kind, which), found.read_at)
        return found if now - asked < found.fresh_for and now - found.read_at < found.good_for else None

    def known_issuers(self) -> list[str]:
        """The issuers whose sets were read."""
        return sorted(which for kind, which in list(self._sets) if kind == "issuer")

    def refresh(self) -> None:
        """Re-reads every set that was asked for; one that cannot be read stays until its time is over.

        Raises what the first of them raised, once all were tried.
        """
        errors: list[JwturnError] = []
        for name in list(self._sets):
            try:
                with self._lock:
                    self._read(name)
            except JwturnError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _get(self, name: tuple[str, str]) -> Published:
        if (found := self.fresh(*name)) is not None:
            return found
        with self._lock:
            return self.fresh(*name) or self._read(name)

    def _views(self, kind: str, which: str) -> Sequence[View]:
        if kind == "ring":
            return [self._store.load(which)]
        views = self._store.published(which)
        if not views:
            raise NotFound(f"there is no issuer {which!r} here", hint="jwturn status")
        return views

    def _read(self, name: tuple[str, str]) -> Published:
        read_at = self._clock.boottime()
        try:
            found = published(self._views(*name), issuer_set=name[0] == "issuer", read_at=read_at)
        except JwturnError as error:
            if isinstance(error, NotFound) or error.code == "no_key":
                self._sets.pop(name, None)
            failed = self._clock.boottime()
            old = self._sets.get(name)
            if old is None or failed - old.read_at >= old.good_for:
                raise
            self._failed[name] = failed
            return old
        self._sets[name] = found
        self._failed.pop(name, None)
        if self._clock.boottime() - read_at >= found.good_for:
            raise Unavailable("reading the set took longer than it may be served", hint="jwturn doctor")
        return found

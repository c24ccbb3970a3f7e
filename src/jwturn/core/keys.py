"""Key and KeyRing, the values everything else decides on, and their invariants.

Both are frozen: the only way a ring changes is `evolve.apply`. A key carries the absolute times it was
promised and the bounds it was given, so that editing a policy never shortens a living key's promise.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from jwturn.core.envelope import Envelope
from jwturn.core.errors import IntegrityError, NotFound
from jwturn.core.jwk import ALGS
from jwturn.core.policy import RotationPolicy
from jwturn.core.states import ACTIVE, PUBLISHED, RETIRED, REVOKED, STANDBY, VERIFY_ONLY, KeyState
from jwturn.core.timing import Bounds, Moment


class Origin(StrEnum):
    """Where a key comes from."""

    GENERATED = "generated"
    IMPORTED = "imported"
    RECOVERED = "recovered"


class Waiver(StrEnum):
    """Why a key may sign before its lead was over; stored with the key, checked by every signer."""

    FIRST_KEY = "first_key"
    BEFORE_LEAD = "before_lead"
    PUBLISHED_SINCE = "published_since"


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's word that a key (or a ring's turns) must not be touched by automation."""

    who: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Foreign:
    """Others still sign with this imported key.

    No token of theirs ends after `exp` (the mark), seen time apart.
    """

    exp: datetime
    seen_until: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a ring. `public` is the public JWK (None for oct); `private` is its sealed private half.

    `published` and `superseded` are stamped by the first later transaction that finds the step committed;
    until then they are None. `sign_from` and `sign_until` are promises, rounded up to whole seconds.
    """

    kid: str
    alg: str
    state: KeyState
    origin: Origin
    public: dict[str, str] | None
    private: Envelope | None
    bounds: Bounds
    in_issuer_set: bool
    created: Moment
    delivered: bool = True
    published: Moment | None = None
    promoted: Moment | None = None
    superseded: Moment | None = None
    shredded: Moment | None = None
    revoked: Moment | None = None
    retired: Moment | None = None
    sign_from: datetime | None = None
    sign_until: datetime | None = None
    waiver: Waiver | None = None
    foreign: Foreign | None = None
    holds: tuple[Hold, ...] = ()
    reason: str = ""

    @property
    def symmetric(self) -> bool:
        """Whether this is an HMAC secret (kty oct): one half only, never in a JWKS."""
        return ALGS[self.alg].kty == "oct"


@dataclass(frozen=True, slots=True)
class Easing:
    """Bounds that were shortened: they still count for keys published until one old lead after the edit."""

    bounds: Bounds
    edited: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The keys of one signing purpose under one issuer, with its policy and its place in the audit chain.

    `epoch` counts every change, `era` every recovery; `turn_at` is the booked turn (None: cancelled by a
    roll-back).
    """

    id: str
    name: str
    issuer: str
    policy: RotationPolicy
    issuer_served: bool
    keys: tuple[Key, ...] = ()
    turn_at: datetime | None = None
    policy_version: int = 1
    easings: tuple[Easing, ...] = ()
    hold: Hold | None = None
    epoch: int = 0
    era: int = 0
    event_count: int = 0
    event_hash: str = ""

    def key(self, kid: str) -> Key:
        """The key with this kid. Raises NotFound."""
        for key in self.keys:
            if key.kid == kid:
                return key
        raise NotFound(f"ring {self.name} has no key {kid!r}", hint=f"jwturn keys --ring {self.name}")

    def find(self, prefix: str) -> Key:
        """The one living key (else any key) whose kid begins with `prefix`.

        Raises NotFound, also when several do.
        """
        found = [key for key in self.keys if key.kid == prefix] or [
            key for key in self.keys if prefix and key.kid.startswith(prefix)
        ]
        if len(found) == 1:
            return found[0]
        what = "has no key" if not found else f"has {len(found)} keys that begin with"
        raise NotFound(f"ring {self.name} {what} {prefix!r}", hint=f"jwturn keys --ring {self.name} --wide")

    @property
    def active(self) -> Key | None:
        """The key that signs."""
        return next((key for key in self.keys if key.state is ACTIVE), None)

    @property
    def published(self) -> tuple[Key, ...]:
        """Keys that verifiers may use: standby, active and verify-only, in the order they came."""
        return tuple(key for key in self.keys if key.state in PUBLISHED)

    def in_state(self, state: KeyState) -> tuple[Key, ...]:
        """The keys in a state, oldest first."""
        return tuple(key for key in self.keys if key.state is state)

    def with_key(self, key: Key) -> "KeyRing":
        """This ring with `key` in the place of the one of its kid."""
        return replace(self, keys=tuple(key if old.kid == key.kid else old for old in self.keys))

    def without_private(self) -> "KeyRing":
        """This ring as it is authenticated and stored: private halves lie in rows of their own."""
        return replace(self, keys=tuple(replace(key, private=None) for key in self.keys))


def check(ring: KeyRing) -> KeyRing:
    """The ring, if its invariants hold: checked after every load and before every commit.

    Raises IntegrityError naming the first that does not.
    """
    for broken, words in _broken(ring):
        if broken:
            raise IntegrityError(
                f"ring {ring.name} is not possible: {words}", hint=f"jwturn audit verify --ring {ring.name}"
            )
    return ring


def _broken(ring: KeyRing) -> list[tuple[bool, str]]:
    kids = [key.kid for key in ring.keys]
    ring_wide = [
        (len(set(kids)) != len(kids), "two keys have the same kid"),
        (len(ring.in_state(ACTIVE)) > 1, "more than one key is active"),
    ]
    return ring_wide + [found for key in ring.keys for found in _broken_key(key)]


def _broken_key(key: Key) -> list[tuple[bool, str]]:
    promised = key.promoted is not None and key.sign_from is not None
    early = promised and key.promoted.at < key.sign_from  # type: ignore[union-attr,operator]  # promised says so
    half_due = key.state in (STANDBY, ACTIVE) or (key.state is VERIFY_ONLY and key.symmetric)
    return [
        (key.alg not in ALGS, f"key {key.kid} has the unknown algorithm {key.alg!r}"),
        (key.symmetric != (key.public is None), f"key {key.kid} has the wrong public half"),
        (key.state is ACTIVE and not promised, f"key {key.kid} is active without a promised sign_from"),
        (bool(early), f"key {key.kid} was promoted before its sign_from"),
        (
            key.state in (REVOKED, RETIRED) and key.private is not None,
            f"{key.state} key {key.kid} has a private half",
        ),
        (half_due and key.shredded is not None, f"{key.state} key {key.kid} was shredded"),
        (key.state is REVOKED and key.revoked is None, f"key {key.kid} is revoked without a time"),
    ]

"""Sign under a grant.

A node takes a lease and a mark before it signs, judges its lease by its own boottime before and after each
signature, never issues an exp above the mark, and gives both back when it is done with a key.

The hot path takes two short locks and does no I/O: everything a signature needs hangs on `_Held`, made once
a grant.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Final, TypeAlias

from jwturn.core.claims import prepare
from jwturn.core.clocks import Reading, Watch
from jwturn.core.durations import format_duration
from jwturn.core.errors import JwturnError, Unavailable
from jwturn.core.jws import header_segment, signing_input, token_of
from jwturn.core.keys import Key, KeyRing
from jwturn.core.leases import Grant, Usage
from jwturn.core.timing import REPLY_MAX
from jwturn.ports.clock import Clock
from jwturn.ports.custody import Custody, Signer
from jwturn.ports.leases import Leases
from jwturn.ports.store import RingStore
from jwturn.service import asked
from jwturn.service.tally import Tally, restore
from jwturn.service.watch import StoreWatch

IDLE_MAX: Final = timedelta(minutes=10)
REFRESH_DEFAULT: Final = timedelta(seconds=10)
TRIES: Final = 4
_Asked: TypeAlias = tuple[Reading, timedelta]
"""What a node read before it asked, and its boottime when the reply came."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A token just signed, and what a caller may want to know of it."""

    token: str
    kid: str
    expires: datetime


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A live grant with everything a signature needs."""

    ring: KeyRing
    key: Key
    grant: Grant
    signer: Signer
    header: bytes
    deadline: timedelta
    watch: Watch
    mark: int
    tally: Tally

    @property
    def place(self) -> tuple[str, str]:
        """The ring's id and the kid: what a mark is kept by."""
        return self.ring.id, self.key.kid


class SigningService:
    """Signs for the rings of one store, as one node. Thread-safe."""

    def __init__(
        self,
        store: RingStore,
        leases: Leases,
        custody: Custody,
        clock: Clock,
        *,
        node: str,
        default_ttl: timedelta | None = None,
    ) -> None:
        self._leases = leases
        self._custody = custody
        self._clock = clock
        self._node = node
        self._default_ttl = default_ttl
        self._held: dict[str, _Held] = {}
        self._leaving: list[_Held] = []
        self._largest: dict[tuple[str, str], int] = {}
        self._watch = StoreWatch(store, clock)
        self._grant_lock = threading.Lock()

    def sign(
        self,
        ring: str,
        claims: Mapping[str, object],
        *,
        ttl: timedelta | None = None,
        audience: str | None = None,
    ) -> Signed:
        """A token of `ring` over `claims`.

        It lives for `ttl` (the policy's token_ttl_max by default), or shorter where the mark ends earlier.
        Raises BadInput (reserved or malformed claims, a ttl over the limit), Unavailable (no lease, no
        mature key, clocks that disagree), NotFound, CustodyError, IntegrityError.
        """
        for _ in range(TRIES):
            boottime = self._clock.boottime()
            held = self._held.get(ring)
            if held is None or boottime >= held.deadline:
                held = self._acquire(ring)
            if not held.tally.enter(boottime):
                self._forget(ring, held)
                continue
            signed, exp = None, None
            try:
                signed, exp = self._sign(held, claims, ttl, audience)
                if self._clock.boottime() >= held.deadline:
                    signed = None
            finally:
                held.tally.leave(exp)
            if signed is not None:
                return signed
        raise Unavailable(
            f"the lease on ring {ring} ends before a signature is made",
            hint="the node is too slow or was paused",
        )

    def sign_many(
        self, ring: str, batch: Sequence[Mapping[str, object]], *, ttl: timedelta | None = None
    ) -> list[Signed]:
        """A token for each set of claims, all or none. Raises as `sign` does."""
        return [self.sign(ring, claims, ttl=ttl) for claims in batch]

    def _sign(
        self, held: _Held, claims: Mapping[str, object], ttl: timedelta | None, audience: str | None
    ) -> tuple[Signed, int]:
        if not self._watch.trusted:
            self._watch.demand_trust()
        policy = held.ring.policy
        full = prepare(
            claims,
            issuer=held.ring.issuer,
            now=held.watch.time(self._clock.boottime()),
            ttl=asked.lifetime(policy, ttl, self._default_ttl),
            ttl_max=policy.token_ttl_max,
            jti=token_urlsafe(16),
            audience=asked.audience(policy, audience),
            nbf=policy.not_before,
            exp_max=held.mark,
        )
        data = signing_input(held.header, full)
        token = token_of(data, held.signer.sign(data))
        exp: int = full["exp"]
        return Signed(token, held.key.kid, datetime.fromtimestamp(exp, UTC)), exp

    def ready(self, ring: str) -> Key:
        """The key this node would sign with now; takes the lease if there is none. Raises as `sign` does."""
        held = self._held.get(ring)
        if held is None or self._clock.boottime() >= held.deadline:
            held = self._acquire(ring)
        self._watch.demand_trust()
        return held.key

    def holds(self, ring: str) -> Key | None:
        """The key of a live lease on `ring`, if there is one: then `sign` does no I/O."""
        held = self._held.get(ring)
        return held.key if held is not None and self._clock.boottime() < held.deadline else None

    def refresh_every(self) -> timedelta:
        """How often leases want renewing: the shortest signer_refresh of the rings held."""
        return min((h.ring.policy.signer_refresh for h in list(self._held.values())), default=REFRESH_DEFAULT)

    def totals(self) -> dict[tuple[str, str], int]:
        """Tokens signed by this node so far, by ring and kid (of the keys it holds or is leaving)."""
        return {(h.ring.name, h.key.kid): h.tally.total for h in [*self._held.values(), *self._leaving]}

    def refresh(self) -> None:
        """Renews every lease, reports what was issued, lets go of what is no longer active or idle.

        Raises what the store raises; then the leases run on until their deadline. Without leases, or
        while the clocks are in doubt, it looks at the store's; in doubt it raises Unavailable.
        """
        self._let_go()
        if not self._watch.trusted or not self._held:
            self._watch.look()
        held = {h.grant.ring_id: h for h in list(self._held.values())}
        issued = {
            (h.ring.id, h.key.kid): (h.tally, h.tally.take_issued()) for h in [*held.values(), *self._leaving]
        }
        reading = self._watch.reading()
        try:
            usage = Usage({key: dict(counts) for key, (_, counts) in issued.items() if counts})
            with self._watch.judging(reading):
                grants = self._leases.renew(self._node, usage, at=reading) if held or usage.issued else ()
        except JwturnError:
            restore(issued)
            raise
        answered = self._clock.boottime()
        self._renumber(grants)
        renewed = {grant.ring_id: grant for grant in grants}
        asked = reading, answered
        failed = [self._follow(old, renewed.get(ring_id), asked) for ring_id, old in held.items()]
        self._let_go()
        for error in filter(None, failed):
            raise error

    def _follow(self, old: _Held, grant: Grant | None, asked: _Asked) -> JwturnError | None:
        """Goes on under a renewed grant; without one the key signs no more, even where no other may."""
        try:
            if grant is not None and (grant.kid, grant.epoch) == (old.key.kid, old.ring.epoch):
                self._hold(old, grant, asked)
            elif grant is not None or self._clock.boottime() < old.deadline:
                self._acquire(old.ring.name, replacing=old)
        except JwturnError as error:
            if grant is None:
                self._forget(old.ring.name, old)
            return error
        return None

    def release(self) -> None:
        """A graceful stop: nothing is signed after this, and marks fall to what was really issued."""
        for held in list(self._held.values()):
            self._forget(held.ring.name, held)
        self._report()
        self._let_go()

    def _report(self) -> None:
        issued = {(h.ring.id, h.key.kid): (h.tally, h.tally.take_issued()) for h in self._leaving}
        usage = Usage({key: dict(counts) for key, (_, counts) in issued.items() if counts})
        if usage.issued:
            self._renumber(self._leases.renew(self._node, usage, at=self._watch.reading()))

    def _renumber(self, grants: Sequence[Grant]) -> None:
        """A renewal reaches leases this node is leaving too: their release must name that last grant."""
        renewed = {(grant.ring_id, grant.kid): grant for grant in grants}
        self._leaving = [
            replace(held, grant=renewed.get((held.ring.id, held.key.kid), held.grant))
            for held in self._leaving
        ]

    def _acquire(self, ring: str, *, replacing: _Held | None = None) -> _Held:
        with self._grant_lock:
            held = self._held.get(ring)
            if held is not None and held is not replacing and self._clock.boottime() < held.deadline:
                return held
            for _ in range(TRIES):
                fresh = self._ask(ring, held)
                if fresh is not None:
                    return fresh
        raise Unavailable(
            f"ring {ring} changes faster than a lease is given", hint="ask again", retry_after=1
        )

    def _ask(self, ring: str, old: _Held | None) -> _Held | None:
        view = self._watch.load(ring)
        reading = self._watch.reading()
        with self._watch.judging(reading):
            grant = self._leases.grant(self._node, ring, at=reading)
        answered = self._clock.boottime()
        key = view.ring.active
        if key is None or (grant.kid, grant.epoch) != (key.kid, view.ring.epoch):
            return None
        same = old is not None and old.key.kid == key.kid and not old.tally.closed
        template = _Held(
            ring=view.ring,
            key=key,
            grant=grant,
            signer=old.signer if old is not None and same else self._custody.open(key, view.ring.id),
            header=header_segment(key.alg, key.kid, view.ring.policy.typ),
            deadline=reading.boottime,
            watch=Watch(grant.store_now, answered),
            mark=0,
            tally=old.tally if old is not None and same else Tally(last_used=reading.boottime),
        )
        held = self._hold(template, grant, (reading, answered))
        if old is not None and not same:
            old.tally.close()
            self._leaving.append(old)
        return held

    def _hold(self, held: _Held, grant: Grant, asked: _Asked) -> _Held:
        """Takes a grant's lease and time, if its reply was in time."""
        policy, (reading, answered) = held.ring.policy, asked
        if answered - reading.boottime > REPLY_MAX:
            raise Unavailable(
                "the store's reply took too long: it gives neither lease nor time",
                hint=f"answers must come within {format_duration(REPLY_MAX)}: jwturn doctor",
                code="slow_store",
            )
        self._watch.heard(grant.store_now, reading, answered, refresh=policy.signer_refresh)
        fresh = replace(
            held,
            grant=grant,
            deadline=reading.boottime + grant.lease / (1 + policy.clock_rate_error),
            watch=Watch(grant.store_now, answered),
            mark=int(grant.mark.timestamp()),
        )
        self._held[held.ring.name] = fresh
        return fresh

    def _forget(self, ring: str, held: _Held) -> None:
        held.tally.close()
        with self._grant_lock:
            if self._held.get(ring) is held:
                del self._held[ring]
                self._leaving.append(held)

    def _let_go(self) -> None:
        """Releases the marks of keys this node has left and has nothing in flight with; drops idle leases."""
        boottime = self._clock.boottime()
        for held in list(self._held.values()):
            if boottime - held.tally.last_used > IDLE_MAX and held.tally.in_flight == 0:
                self._forget(held.ring.name, held)
        for held in list(self._leaving):
            if not held.tally.close() or held.tally.issued:
                continue
            largest = max(self._largest.get(held.place, 0), held.tally.largest_exp)
            self._largest[held.place] = largest
            if not self._has_another(held):
                self._leases.release(
                    self._node,
                    held.grant.ring_id,
                    held.key.kid,
                    number=held.grant.number,
                    largest_exp=datetime.fromtimestamp(largest, UTC) if largest else None,
                )
            self._leaving.remove(held)

    def _has_another(self, left: _Held) -> bool:
        """Whether this node has its hands on the key by another grant: only the last one lowers the mark."""
        return any(
            held is not left and held.place == left.place for held in [*self._held.values(), *self._leaving]
        )

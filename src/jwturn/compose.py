"""The composition root, where adapters meet ports: settings go in, a working `App` comes out."""

import os
import secrets
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jwturn.core.claims import Check, epoch
from jwturn.core.errors import (
    BadInput,
    ConfigError,
    IntegrityError,
    JwturnError,
    NotFound,
    StateForbids,
    TokenRefused,
)
from jwturn.core.jws import read_claims, split
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.policy_text import contradictions, parse_changes
from jwturn.core.rules import Rules
from jwturn.core.tokens import ENTROPY_BYTES, PREFIX, ApiToken, Role, digest
from jwturn.custody.integrity import head_seal, new_integrity
from jwturn.custody.sealed import SealedCustody
from jwturn.custody.uri import SecretSource, open_kek
from jwturn.ports.clock import Clock, SystemClock
from jwturn.ports.kek import Kek
from jwturn.ports.leases import Leases
from jwturn.ports.store import HeadSeal, Identity, Store, View, Witness
from jwturn.service.effect import RevokeEffect, revoke_effect
from jwturn.service.loop import Loop
from jwturn.service.own_keys import exp_bounds, own_rules, trusted_keys
from jwturn.service.publish import Publisher
from jwturn.service.recover import Recovery
from jwturn.service.respond import Commands, Outcome
from jwturn.service.rotate import Rotator
from jwturn.service.sign import SigningService
from jwturn.settings import Settings
from jwturn.stores.uri import open_store
from jwturn.stores.witness import FileWitness, MemoryWitness
from jwturn.verifier.judge import Court, Judge

Node = str


@dataclass(slots=True, eq=False)
class App:
    """Everything a node is made of. `close` gives leases back and frees the store."""

    settings: Settings
    identity: Identity
    node: Node
    clock: Clock
    store: Store
    leases: Leases
    witness: Witness
    custody: SealedCustody
    rotator: Rotator
    signing: SigningService
    publisher: Publisher
    commands: Commands
    recovery: Recovery
    loop: Loop

    def close(self) -> None:
        """Stops the loop, releases every lease, closes the store. May be called twice.

        A lease that cannot be given back ends by itself, and its mark stays where it is, as after a crash.
        """
        self.loop.stop()
        try:
            with suppress(JwturnError):
                self.signing.release()
        finally:
            self.store.close()

    def revoke_effect(self, ring: str, kid: str) -> RevokeEffect:
        """What revoking a key would do now. Raises NotFound."""
        view = self.store.load(ring)
        return revoke_effect(view, kid, self.leases.counts(view.ring.id))

    def verify(
        self,
        token: str | bytes,
        *,
        audience: str | Collection[str] | None = None,
        at: datetime | None = None,
        typ: Collection[str] | None = None,
        algorithms: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """The claims of a token of one of the store's own rings. Raises TokenRefused.

        `audience` None accepts any; `at`, an aware datetime, judges the time claims as of then; `typ` and
        `algorithms` narrow what the rings' policies accept.
        """
        views = self._of_issuer(token)
        if not views:
            raise TokenRefused(
                "the token's issuer has no ring in this store",
                code="iss_wrong",
                hint="jwturn status lists the issuers",
            )
        judge = self._judge(views, own_rules(views, audience, typ=typ, algorithms=algorithms))
        return judge.claims(token, epoch(at or self.clock.now()))

    def explain(
        self,
        token: str | bytes,
        *,
        audience: str | Collection[str] | None = None,
        at: datetime | None = None,
        typ: Collection[str] | None = None,
        algorithms: Collection[str] | None = None,
    ) -> list[Check]:
        """Every check of a token, passed or failed, in words; trusts nothing. Raises NotFound: no rings.

        A token of no issuer of the store's is judged as one of the first ring's.
        """
        views: Sequence[View] = ()
        with suppress(TokenRefused):
            views = self._of_issuer(token)
        views = views or [v for row in self.store.rings()[:1] for v in self.store.published(row.issuer)]
        if not views:
            raise NotFound("this store has no rings", hint="jwturn init --ring NAME", code="no_ring")
        judge = self._judge(views, own_rules(views, audience, typ=typ, algorithms=algorithms))
        return judge.explain(token, epoch(at or self.clock.now()))

    def _of_issuer(self, token: str | bytes) -> Sequence[View]:
        """The rings of the issuer that the token names: the choice is among our own, and is checked."""
        issuer = read_claims(split(token).payload).get("iss")
        return self.store.published(issuer) if isinstance(issuer, str) else ()

    def _judge(self, views: Sequence[View], rules: Rules) -> Judge:
        """Who judges by the keys as they are now: the rings may have turned before the next token."""
        keys = trusted_keys(views, self.custody)
        return Judge(Court(keys=keys, rules=rules, exp_bounds=exp_bounds(views)), memo=False)


def create_app(settings: Settings, *, clock: Clock | None = None, source: SecretSource | None = None) -> App:
    """Makes the store that `settings` names, and its KEK where that is a file; the app that runs on it.

    Raises StateForbids where there is a store already: nothing is overwritten.
    """
    clock = clock or SystemClock()
    store = open_store(settings.store.uri, clock)
    try:
        _demand_empty(store, settings)
        keks = [open_kek(settings.store.kek, secrets=source or source_of(settings), create=True)]
        store_id = secrets.token_hex(16)
        store.initialise(
            Identity(
                store_id=store_id, tick_cap=settings.store.tick_cap, integrity=new_integrity(store_id, keks)
            )
        )
    except BaseException:
        store.close()
        raise
    return _assemble(settings, clock, store, keks)


def open_app(settings: Settings, *, clock: Clock | None = None, source: SecretSource | None = None) -> App:
    """The app on the store that `settings` names.

    Raises NotFound where there is none, CustodyError where the KEK is missing or not the store's (nothing
    is created), ConfigError where the settings' numbers are not the rings' (both are named).
    """
    clock = clock or SystemClock()
    store = open_store(settings.store.uri, clock)
    try:
        wraps = _demand_store(store, settings).integrity.wraps
        keks = [open_kek(settings.store.kek, secrets=source or source_of(settings), wraps=wraps)]
        app = _assemble(settings, clock, store, keks)
        _demand_declared(app)
    except BaseException:
        store.close()
        raise
    return app


def _demand_empty(store: Store, settings: Settings) -> None:
    if store.identity() is not None:
        raise StateForbids(
            f"there is a store at {settings.store.uri} already",
            hint="jwturn status shows it; another ring: jwturn init --ring NAME",
            code="already_initialised",
        )


def _demand_store(store: Store, settings: Settings) -> Identity:
    identity = store.identity()
    if identity is None:
        raise NotFound(f"there is no store at {settings.store.uri}", hint="jwturn init", code="no_store")
    return identity


def _demand_declared(app: App) -> None:
    """A ring that cannot be loaded is for its own commands to refuse: `recover` must be able to start."""
    for ring, declared in app.settings.rings.items():
        try:
            policy = app.store.load(ring).ring.policy
        except IntegrityError:
            continue
        demand_same_numbers(ring, policy, declared)


def demand_same_numbers(ring: str, policy: RotationPolicy, declared: Mapping[str, object]) -> None:
    """Raises ConfigError where the settings' numbers for a ring (`declared`) are not those of its policy."""
    if found := contradictions(policy, declared):
        raise ConfigError(
            f"ring {ring}: {'; '.join(found)}",
            hint=f"take it out of the settings, or: jwturn policy set --ring {ring} ...",
        )


def source_of(settings: Settings) -> SecretSource:
    """Where secrets come from when nobody hands them in: the settings and systemd's credentials."""
    return SecretSource(passphrase=settings.store.kek_passphrase, credentials=settings.credentials)


def _assemble(settings: Settings, clock: Clock, store: Any, keks: Sequence[Kek]) -> App:
    identity: Identity = store.identity()
    seal: HeadSeal = head_seal(identity, keks)
    in_memory = settings.store.uri.startswith("memory:")
    witness: Witness = MemoryWitness() if in_memory else FileWitness(Path(settings.store.witness), seal)
    store.unlock(seal, witness)
    node = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    custody = SealedCustody(identity.store_id, keks)
    rotator = Rotator(store, custody, clock, who=f"node:{node}")
    signing = SigningService(
        store, store, custody, clock, node=node, default_ttl=settings.service.default_token_ttl
    )
    publisher = Publisher(store, clock)
    loop = Loop(
        store,
        clock,
        rotator=rotator,
        signing=signing,
        publisher=publisher,
        tick_cap=identity.tick_cap,
    )
    return App(
        settings=settings,
        identity=identity,
        node=node,
        clock=clock,
        store=store,
        leases=store,
        witness=witness,
        custody=custody,
        rotator=rotator,
        signing=signing,
        publisher=publisher,
        commands=Commands(store, custody, clock),
        recovery=Recovery(store, witness, custody, clock),
        loop=loop,
    )


def new_token(
    app: App,
    name: str,
    role: Role,
    actor: Actor,
    *,
    rings: Sequence[str] = (),
    ttl: timedelta = timedelta(days=365),
) -> str:
    """Makes an API token and gives it, once: the store keeps its hash.

    Raises StateForbids: the name is in use.
    """
    for ring in rings:
        app.store.load(ring)
    token = PREFIX + secrets.token_urlsafe(ENTROPY_BYTES)
    now = app.clock.now()
    row = ApiToken(
        name=name, digest=digest(token), role=role, rings=tuple(rings), created=now, expires=now + ttl
    )
    app.store.add_token(row, actor)
    return token


def recover(app: App, ring: str, actor: Actor) -> Outcome:
    """Takes up a ring of a store that is older than its witness, in a new era. Raises NotFound, BadInput."""
    for row in app.store.rings():
        if row.name == ring:
            return app.recovery.recover(row.id, ring, actor)
    raise NotFound(f"there is no ring {ring!r}", hint="jwturn status")


def ensure_ring(
    app: App,
    ring: str,
    *,
    issuer: str | None,
    policy: Mapping[str, object] | Sequence[str] = (),
    actor: Actor,
    issuer_served: bool = False,
) -> bool:
    """Makes the ring and its first keys if it is not there; True if it was made.

    Raises BadInput, PolicyRefused.
    """
    there = any(row.name == ring for row in app.store.rings())
    if not there:
        wanted = edited(RotationPolicy(), parse_changes(policy), tick_cap=app.identity.tick_cap)
        app.commands.add_ring(
            ring, issuer=demand_issuer(issuer, ring), policy=wanted, actor=actor, issuer_served=issuer_served
        )
    if not app.store.load(ring).ring.keys:
        app.rotator.turn(ring)
    return not there


def demand_issuer(issuer: str | None, ring: str) -> str:
    """The issuer, or BadInput: a ring that is made needs one."""
    if not issuer:
        raise BadInput(
            f"ring {ring!r} is not there yet, and no issuer was given",
            hint='jwturn.open(issuer="https://auth.example.com")',
            code="issuer_missing",
        )
    return issuer

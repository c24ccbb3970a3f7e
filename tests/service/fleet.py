"""A fleet in the worst world that the assumptions of the theorem allow, on the real services and one store.

Every clock is wrong by up to eps and runs at an extreme rate; any call of the store or of custody may fail
before or after its work, crash its node or pause it while the others go on; a transaction may stall after it
read its clock; clocks jump, alone or together; persons do what they like. `watch.py` says what must hold.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from jwturn.core.errors import JwturnError, Unavailable
from jwturn.core.keys import KeyRing
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy, edited
from jwturn.custody.integrity import head_seal, new_integrity
from jwturn.custody.sealed import SealedCustody
from jwturn.ports.store import Identity
from jwturn.service.loop import Loop
from jwturn.service.publish import Publisher
from jwturn.service.respond import Commands
from jwturn.service.rotate import Rotator
from jwturn.service.sign import Signed, SigningService
from jwturn.stores.memory import MemoryStore
from jwturn.stores.witness import MemoryWitness
from jwturn.testing.clock import START
from tests.service.stage import ISSUER, HeldKek

S: Final = timedelta(seconds=1)
ZERO: Final = timedelta()
TICK: Final = 15 * S
RATE: Final = 0.001
EPS: Final = S
BOB: Final = Actor("bob", "at a bad moment")
POLICY: Final[dict[str, Any]] = {
    "alg": "EdDSA",
    "rotate_every": 520 * S,
    "rollback_window": 60 * S,
    "token_ttl_max": 150 * S,
    "publish_delay_max": 60 * S,
    "jwks_max_age": 30 * S,
    "edge_ttl_max": 30 * S,
    "verifier_ttl_max": 300 * S,
    "fetch_time_max": S,
    "clock_rate_error": RATE,
    "clock_skew_max": EPS,
    "signer_lease": 60 * S,
    "signer_refresh": 14 * S,
    "leeway_max": 60 * S,
}
"""A lead of six and a half minutes, in ticks of a quarter of a minute."""
EDITS: Final[dict[str, tuple[int, ...]]] = {
    "verifier_ttl_max": (90, 90, 330),
    "publish_delay_max": (20, 60, 90),
    "token_ttl_max": (20, 150, 400),
    "leeway_max": (5, 60, 90),
    "signer_lease": (40, 60, 150),
    "rotate_every": (460, 520),
}
"""Fields that persons edit, up and down, in seconds."""
JUMPS: Final = (-3600, -20, 20, 500, 7200, 315_360_000)
JUMP_ENDS: Final = 0.03


class Crash(BaseException):
    """The node dies here."""


@dataclass(frozen=True)
class Hazards:
    """How often what goes wrong: chances per call, per transaction, or (acts, cuts, jumps) per second."""

    crash: float = 0.0005
    lost: float = 0.002
    pause: float = 0.001
    slow_signature: float = 0.01
    stall: float = 0.02
    cut: float = 0.002
    jump: float = 0.001
    act: float = 0.02


@dataclass
class Dial:
    """A clock in the fleet's time: `now` is off by `skew` and by jumps, `boottime` runs at `rate`."""

    fleet: "Fleet"
    skew: timedelta
    rate: float
    jumped: timedelta = ZERO
    stalls: bool = False

    def now(self) -> datetime:
        at = START + self.fleet.elapsed + self.skew + self.jumped + self.fleet.jumped
        if self.stalls:
            self.fleet.stall()
        return at

    def boottime(self) -> timedelta:
        return timedelta(hours=1) + self.fleet.elapsed * self.rate

    def wait(self, wake: threading.Event, until: datetime) -> bool:
        raise AssertionError((wake, until))


class Flaky:
    """Something a node calls over a bad line."""

    def __init__(self, real: Any, node: "Node") -> None:
        self._real = real
        self._node = node

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            node, asked = self._node, self._node.fleet.elapsed
            node.hazard()
            if name == "sign" and node.fleet.random.random() < node.fleet.hazards.slow_signature:
                node.fleet.live(node.fleet.random.choice([3, 70, 200]) * S)
            node.fleet.dial.stalls = name == "update"
            answer = getattr(self._real, name)(*args, **options)
            node.fleet.dial.stalls = False
            node.fleet.look()
            node.hazard()
            if name in ("grant", "renew"):
                for grant in [answer] if name == "grant" else answer:
                    until = asked + grant.lease
                    node.leases[grant.kid] = max(node.leases.get(grant.kid, ZERO), until)
            return Flaky(answer, node) if name == "open" else answer

        return call


@dataclass(eq=False)
class Node:
    """One machine: its clock, and the services of the process that runs there now."""

    fleet: "Fleet"
    clock: Dial
    starts: int = 0
    busy: bool = False
    wake: timedelta = ZERO
    cut_until: timedelta = ZERO
    leases: dict[str, timedelta] = field(default_factory=dict)

    def start(self) -> "Node":
        """A new process: nothing of the last one is remembered."""
        self.starts += 1
        self.id = f"n{id(self)}-{self.starts}"
        self.leases = {}
        store, custody = Flaky(self.fleet.store, self), Flaky(self.fleet.custody, self)
        ports: Any = store
        keys: Any = custody
        self.signing = SigningService(ports, ports, keys, self.clock, node=self.id)
        self.publisher = Publisher(ports, self.clock)
        self.commands = Commands(ports, keys, self.clock)
        rotator = Rotator(ports, keys, self.clock, who=self.id)
        self.loop = Loop(
            ports,
            self.clock,
            rotator=rotator,
            signing=self.signing,
            publisher=self.publisher,
            tick_cap=TICK,
        )
        return self

    def hazard(self) -> None:
        """What a call may meet before and after its work."""
        chance, hazards = self.fleet.random.random(), self.fleet.hazards
        if self.fleet.elapsed < self.cut_until or chance < hazards.lost:
            raise Unavailable("the store is away", hint="wait")
        if chance < hazards.lost + hazards.crash:
            raise Crash
        if chance < hazards.lost + hazards.crash + hazards.pause:
            self.fleet.live(self.fleet.random.choice([3, 7, 70, 200]) * S)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """A crash in the block is followed by a new start; errors are the caller's to have."""
        self.busy = True
        try:
            yield
        except JwturnError:
            pass
        except Crash:
            self.start()
        finally:
            self.busy = False

    def run(self) -> None:
        """A pass of its loop where one is due, a token, and an answer to whoever asks for the set."""
        with self.alive():
            if self.fleet.elapsed >= self.wake:
                self.wake = self.fleet.elapsed + max(self.loop.run_once() - self.clock.now(), S)
        with self.alive():
            self.sign()
        with self.alive():
            self.serve()

    def sign(self) -> None:
        most = self.fleet.ring.policy.token_ttl_max
        ttl = self.fleet.random.choice([S, most / 2, most])
        self.fleet.issued(self, self.signing.sign("default", {}, ttl=ttl))

    def serve(self) -> None:
        there = bool(self.fleet.ring.published)
        try:
            self.fleet.answered(self.publisher.issuer_set(ISSUER).kids)
        except Unavailable as error:
            if there and error.code == "no_key":
                self.fleet.answered(frozenset())


class Fleet:
    """Nodes on one store, and the time that passes for them; `random` decides everything."""

    def __init__(self, seed: int, hazards: Hazards, *, nodes: int = 3) -> None:
        self.random = random.Random(seed)
        self.hazards = Hazards(0, 0, 0, 0, 0, 0, 0, 0)
        self.elapsed = ZERO
        self.jumped = ZERO
        self.depth = 0
        self.dial = self._dial()
        self.store = MemoryStore(self.dial)
        kek = HeldKek()
        identity = Identity("store", TICK, new_integrity("store", [kek]))
        self.store.initialise(identity)
        self.store.unlock(head_seal(identity, [kek]), MemoryWitness())
        self.custody = SealedCustody("store", [kek])
        self.nodes: list[Node] = []
        self.nodes += [Node(self, self._dial()).start() for _ in range(nodes)]
        policy = edited(RotationPolicy(), POLICY, tick_cap=TICK)
        persons = Commands(self.store, self.custody, self.dial)
        self.ring = persons.add_ring("default", issuer=ISSUER, policy=policy, actor=BOB)
        self.hazards = hazards

    def _dial(self) -> Dial:
        skew = self.random.choice([-1, 0, 1]) * EPS
        return Dial(self, skew, self.random.choice([1 / (1 + RATE), 1, 1 + RATE]))

    def live(self, length: timedelta) -> None:
        """Lets time pass while every node that is not busy runs."""
        self.depth += 1
        end = self.elapsed + length
        while self.elapsed < end:
            self.elapsed += min(self.random.choice([1, 4, 9]) * S, end - self.elapsed)
            self.check()
            self._misfortune()
            for node in self.nodes:
                if not node.busy and self.depth <= 3:
                    node.run()
        self.depth -= 1

    def stall(self) -> None:
        """A transaction that has read its clock comes to a halt; the rows it holds are not the others'."""
        self.dial.stalls = False
        if self.random.random() >= self.hazards.stall:
            return
        for _ in range(self.random.choice([2, 8, 15])):
            self.elapsed += 9 * S
            self.check()
            for node in self.nodes:
                if not node.busy:
                    with node.alive():
                        node.loop.tick()
                    with node.alive():
                        node.serve()

    def _misfortune(self) -> None:
        seconds, chance = self.random.choice([1, 4, 9]), self.random.random
        if chance() < self.hazards.cut * seconds:
            self.random.choice(self.nodes).cut_until = self.elapsed + self.random.choice([20, 70, 200]) * S
        jumped = [clock for clock in self._clocks() if clock.jumped]
        if jumped and chance() < JUMP_ENDS * seconds:
            self.random.choice(jumped).jumped = ZERO
        if chance() < self.hazards.jump * seconds:
            self.random.choice(self._clocks()).jumped = self.random.choice(JUMPS) * S
        idle = [node for node in self.nodes if not node.busy]
        if idle and chance() < self.hazards.act * seconds:
            node = self.random.choice(idle)
            with node.alive():
                self._command(node.commands, self.ring)

    def _clocks(self) -> list["Dial | Fleet"]:
        """Whose clock may jump: the store's, a node's, or (twice as often) that of all of them."""
        return [self.dial, self, self, *(node.clock for node in self.nodes)]

    def _command(self, commands: Commands, ring: KeyRing) -> None:
        draw = self.random
        kid = draw.choice([key.kid for key in ring.published] or ["none"])
        name = draw.choice(sorted(EDITS))
        edit = {name: draw.choice(EDITS[name]) * S}
        alg = {"alg": draw.choice(["EdDSA", "EdDSA", "ES256"])}
        draw.choices(
            [
                lambda: commands.promote("default", BOB),
                lambda: commands.set_policy("default", BOB, changes=edit),
                lambda: commands.set_policy("default", BOB, changes=alg),
                lambda: commands.rotate("default", BOB),
                lambda: commands.roll_back("default", BOB),
                lambda: commands.revoke("default", BOB, kid=kid),
                lambda: commands.promote("default", BOB, before_lead=True),
                lambda: commands.discard("default", BOB, kid=kid),
                lambda: commands.hold("default", BOB, kid=draw.choice([kid, None])),
                lambda: commands.release("default", BOB, kid=draw.choice([kid, None])),
            ],
            [15, 15, 1, 3, 3, 1, 1, 1, 1, 4],
        )[0]()

    def look(self) -> None:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def issued(self, node: Node, signed: Signed) -> None:
        raise NotImplementedError

    def answered(self, kids: frozenset[str]) -> None:
        raise NotImplementedError

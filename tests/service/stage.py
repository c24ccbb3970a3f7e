"""A store in memory, clocks that a test moves, any number of nodes: the real services, no real time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jwturn.core.keys import Key
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.secret import Secret
from jwturn.crypto.seal import fingerprint, unwrap_aes, wrap_aes
from jwturn.custody.integrity import head_seal, new_integrity
from jwturn.custody.sealed import SealedCustody
from jwturn.ports.store import Identity, View
from jwturn.service.loop import Loop
from jwturn.service.publish import Publisher
from jwturn.service.recover import Recovery
from jwturn.service.respond import Commands
from jwturn.service.rotate import Rotator
from jwturn.service.sign import SigningService
from jwturn.stores.memory import MemoryStore
from jwturn.stores.witness import MemoryWitness
from jwturn.testing.clock import FakeClock

ISSUER = "https://auth.example.com"
ANN = Actor("ann", "because")
TICK = timedelta(seconds=60)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class HeldKek:
    """A KEK in memory."""

    def __init__(self) -> None:
        self._key = Secret(bytes(range(32)))
        self.fingerprint = fingerprint(self._key)

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        return wrap_aes(self._key, dek, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        return unwrap_aes(self._key, wrapped, aad)


@dataclass
class Node:
    """One node: its clock and its services."""

    clock: FakeClock
    rotator: Rotator
    signing: SigningService
    publisher: Publisher
    commands: Commands
    loop: Loop


class Stage:
    """A store with one ring named `default`, and its first node."""

    def __init__(self, *, served: bool = False, **policy: Any) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.kek = HeldKek()
        self.identity = Identity("store", TICK, new_integrity("store", [self.kek]))
        self.store.initialise(self.identity)
        self.witness = MemoryWitness()
        self.store.unlock(head_seal(self.identity, [self.kek]), self.witness)
        self.custody = SealedCustody("store", [self.kek])
        self.node = self.join()
        self.recovery = Recovery(self.store, self.witness, self.custody, self.clock)
        wanted = edited(RotationPolicy(), policy, tick_cap=TICK)
        self.node.commands.add_ring("default", issuer=ISSUER, policy=wanted, actor=ANN, issuer_served=served)
        self.node.rotator.turn("default")

    def join(self, *, skew: timedelta = timedelta()) -> Node:
        """Another node on the same store."""
        clock = self.clock.node(skew=skew)
        store, custody = self.store, self.custody
        rotator = Rotator(store, custody, clock, who="node")
        signing = SigningService(store, store, custody, clock, node=f"n{id(clock)}")
        publisher = Publisher(store, clock)
        loop = Loop(store, clock, rotator=rotator, signing=signing, publisher=publisher, tick_cap=TICK)
        return Node(clock, rotator, signing, publisher, Commands(store, custody, clock), loop)

    def run(self, length: timedelta) -> None:
        """Lets the first node's loop run for `length`, waking as it asks to."""
        end = self.clock.now() + length
        for _ in range(100_000):
            wake = min(self.node.loop.run_once(), end)
            if self.clock.now() >= end:
                return
            self.clock.advance(max(wake - self.clock.now(), timedelta(milliseconds=1)))
        raise AssertionError("the loop asked to wake too often")

    def skip(self, length: timedelta) -> None:
        """Lets a long time pass in front of a running loop, in steps of half a tick, doing only its ticks."""
        end = self.clock.now() + length
        while self.clock.now() < end:
            self.clock.advance(min(TICK / 2, end - self.clock.now()))
            self.node.loop.tick()
        self.node.loop.run_once()

    @property
    def view(self) -> View:
        return self.store.load("default")

    @property
    def active(self) -> Key:
        key = self.view.ring.active
        assert key is not None
        return key

    def states(self) -> list[str]:
        return [str(key.state) for key in self.view.ring.keys]

    def counts(self) -> Mapping[str, Mapping[int, int]]:
        return self.store.counts(self.view.ring.id)

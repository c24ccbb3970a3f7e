"""`jwturn serve` in processes on one database that turns every few seconds, and callers who sign by HTTP."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Final

from jwturn import ANY, JwturnError, Verifier
from jwturn.core.jws import split
from jwturn.core.keys import KeyRing
from jwturn.core.timing import lead, tail
from tests.faults.yard import ISSUER, Yard, environ_of, jwturn
from tests.server.test_run import Served

POLICY: Final = {
    "rotate_every": "4s",
    "rollback_window": "200ms",
    "token_ttl_max": "20s",
    "publish_delay_max": "1s",
    "jwks_max_age": "1s",
    "edge_ttl_max": "0s",
    "verifier_ttl_max": "500ms",
    "fetch_time_max": "500ms",
    "clock_skew_max": "50ms",
    "signer_lease": "1s",
    "signer_refresh": "100ms",
    "leeway_max": "1s",
}
"""A lead of about three seconds."""
TICK_CAP: Final = "100ms"
TOKEN_TTL: Final = "7300d"
"""Longer than any step of a clock: a call is refused for the step, not for its API token."""
JWKS: Final = "/.well-known/jwks.json"
WAIT_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.02


@dataclass
class Caller:
    """Signs at a node without pause, and lets a verifier judge each token at once."""

    node: Served
    verifier: Verifier
    tokens: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """What the node said in place of a token."""
    ended: threading.Event = field(default_factory=threading.Event)

    def live(self) -> None:
        """Until it is told to end."""
        while not self.ended.wait(PAUSE_SECONDS):
            self.sign()

    def sign(self) -> str:
        """One token; empty where the node gives none."""
        try:
            status, _, body = self.node.ask("POST", "/v1/rings/default/sign", {"claims": {"sub": "a"}})
        except (OSError, HTTPException):
            return ""
        if status != 200:
            self.codes.append(json.loads(body)["code"])
            return ""
        token: str = json.loads(body)["token"]
        self.tokens.append(token)
        try:
            self.verifier.verify(token)
        except JwturnError as error:
            self.refusals.append(f"{split(token).header.kid}: {error.message}")
        return token

    def kids(self) -> set[str]:
        return {str(split(token).header.kid) for token in list(self.tokens)}


def begun(folder: Path, *, policy: dict[str, str], tick_cap: str = "60s") -> tuple[Yard, str]:
    """A store, made by `jwturn init`, and an API token that may sign."""
    folder.mkdir()
    yard = Yard(folder)
    changes = [argument for item in policy.items() for argument in ("--set", "=".join(item))]
    done = yard.run(jwturn("init", "--offline", "--issuer", ISSUER, "--tick-cap", tick_cap, *changes))
    assert done.returncode == 0, done.stderr
    token = yard.run(jwturn("token", "new", "caller", "--ttl", TOKEN_TTL, "--json"))
    assert token.returncode == 0, token.stderr
    return yard, json.loads(token.stdout)["token"]


@contextmanager
def serving(yard: Yard, token: str, **environ: str) -> Iterator[Served]:
    """`jwturn serve` on a free port, once it answers; killed at the end."""
    command = jwturn("serve", "--port", "0")
    with (yard.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [command[0], "-u", *command[1:]],
            cwd=yard.folder,
            env={**environ_of(yard.folder), **environ},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, (yard.folder / "log").read_text()
        yield Served(process, int(said.split("/")[2].rpartition(":")[2]), token)
    finally:
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)


def verifier_at(node: Served, *, token_ttl_max: timedelta = timedelta(seconds=20)) -> Verifier:
    """A verifier that keeps the node's set as long as the policy says."""
    return Verifier(
        issuer=ISSUER,
        audience=ANY,
        jwks_url=f"http://127.0.0.1:{node.port}{JWKS}",
        loopback_http=True,
        keys_ttl_max=timedelta(milliseconds=500),
        token_ttl_max=token_ttl_max,
    )


@contextmanager
def calling(node: Served, verifier: Verifier) -> Iterator[Caller]:
    """A caller in a thread of its own."""
    caller = Caller(node, verifier)
    thread = threading.Thread(target=caller.live)
    thread.start()
    try:
        yield caller
    finally:
        caller.ended.set()
        thread.join(WAIT_SECONDS)


def await_(happened: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(PAUSE_SECONDS)


def ring_of(yard: Yard) -> KeyRing:
    """The ring as it stands."""
    with yard.app() as app:
        return app.store.load("default").ring


def demand_seen(ring: KeyRing, tokens: list[str]) -> None:
    """Every step that waits for seen time had it, whatever clocks showed; keys of `tokens` were granted."""
    signed = {split(token).header.kid for token in tokens}
    lease, ttl = ring.policy.signer_lease, ring.policy.token_ttl_max
    for key in ring.keys:
        if key.promoted is not None and key.waiver is None:
            assert key.published is not None
            assert key.promoted.seen >= key.published.seen + lead(key.bounds)
        if key.shredded is not None and key.promoted is not None:
            assert key.superseded is not None
            assert key.shredded.seen >= key.superseded.seen + ring.policy.rollback_window
        if key.retired is not None and key.kid in signed:
            assert key.promoted is not None
            assert key.retired.seen >= key.promoted.seen + lease + ttl + tail(key.bounds)

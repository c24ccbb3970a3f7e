"""The real service of the demonstration: a store in a folder, `jwturn serve` in a process, both of its own.

The ring's policy is an ordinary one with bounds of seconds, and its lead comes from the theorem's
arithmetic. With a broken lead the same ring turns as fast as a lead of nothing lets it: verifiers then meet
keys they do not hold.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from jwturn.compose import create_app, new_token
from jwturn.core.errors import Unavailable
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy, validated
from jwturn.core.timing import lead
from jwturn.core.tokens import Role
from jwturn.settings import Settings, load

HOST: Final = "127.0.0.1"
RING: Final = "demo"
TICK_CAP: Final = timedelta(milliseconds=250)
SPARE: Final = timedelta(milliseconds=500)
"""How much rotate_every exceeds the lead."""
START_TRIES: Final = 400
STOP_SECONDS: Final = 10.0
BOUNDS: Final = RotationPolicy(
    rsa_bits=2048,
    token_ttl_max=timedelta(seconds=4),
    rollback_window=timedelta(seconds=1),
    jwks_max_age=timedelta(seconds=1),
    publish_delay_max=timedelta(milliseconds=500),
    edge_ttl_max=timedelta(),
    verifier_ttl_given=timedelta(seconds=4),
    fetch_time_max=timedelta(milliseconds=200),
    clock_skew_max=timedelta(milliseconds=50),
    signer_lease=timedelta(seconds=2),
    signer_refresh=timedelta(milliseconds=400),
    leeway_max=timedelta(),
)


def demo_policy(alg: str, *, broken: bool = False) -> RotationPolicy:
    """A policy of seconds whose `rotate_every` exceeds its lead by SPARE.

    `broken` forces the lead to zero; no other way leads to such a policy.
    """
    policy = replace(BOUNDS, alg=alg, unproved=broken)
    return validated(replace(policy, rotate_every=lead(policy.bounds) + SPARE), tick_cap=TICK_CAP)


@dataclass(frozen=True, slots=True)
class Site:
    """A service that runs: where, and the API tokens of a signer and an auditor."""

    folder: Path
    port: int
    policy: RotationPolicy
    process: "subprocess.Popen[bytes]"
    signer_token: str
    auditor_token: str

    @property
    def issuer(self) -> str:
        """The iss of its tokens."""
        return _issuer(self.port)

    @property
    def jwks_url(self) -> str:
        """Where its set is."""
        return f"{self.issuer}/.well-known/jwks.json"

    def demand_running(self) -> None:
        """Raises Unavailable, with what the service said last, where its process has ended."""
        if self.process.poll() is not None:
            said = (self.folder / "service.log").read_text("utf-8", "replace").strip().splitlines()[-3:]
            raise Unavailable(
                f"the service ended with exit code {self.process.returncode}: {' | '.join(said)[:400]}",
                hint="jwturn demo --keep leaves its folder and log",
            )


class Caller:
    """One keep-alive connection to the service, with an API token."""

    def __init__(self, site: Site, token: str) -> None:
        self._connection = HTTPConnection(HOST, site.port, timeout=5)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> tuple[int, float, Any]:
        """Status, seconds after which to ask again (0: nothing said), and the body; status 0: no answer."""
        text = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, text, self._headers)
            answer = self._connection.getresponse()
            said, retry = answer.read(), answer.getheader("retry-after") or "0"
            return answer.status, float(retry) if retry.isdigit() else 0.0, json.loads(said)
        except (OSError, HTTPException, ValueError):
            self._connection.close()
            return 0, 0.0, None

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


@contextmanager
def site(alg: str, *, broken: bool, keep: bool) -> Iterator[Site]:
    """A store and its service, ready to sign; both are gone at the end, the folder unless `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="jwturn-demo-"))
    process = None
    try:
        port = _free_port()
        settings = _settings(folder, port)
        policy = demo_policy(alg, broken=broken)
        tokens = _make_store(settings, policy)
        process = _start(folder, port)
        made = Site(folder, port, policy, process, *tokens)
        _await_signing(made)
        yield made
    finally:
        try:
            if process is not None:
                _end(process)
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)


def _issuer(port: int) -> str:
    return f"http://{HOST}:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _variables(folder: Path, port: int) -> dict[str, str]:
    return {
        "JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}",
        "JWTURN_STORE__KEK": f"file:{folder / 'kek'}",
        "JWTURN_STORE__WITNESS": str(folder / "witness"),
        "JWTURN_STORE__TICK_CAP": f"{TICK_CAP // timedelta(milliseconds=1)}ms",
        "JWTURN_SERVICE__ISSUER": _issuer(port),
        "JWTURN_SERVICE__RING": RING,
        "JWTURN_SERVICE__HOST": HOST,
        "JWTURN_SERVICE__PORT": str(port),
    }


def _settings(folder: Path, port: int) -> Settings:
    return load(_variables(folder, port), cwd=folder)


def _make_store(settings: Settings, policy: RotationPolicy) -> tuple[str, str]:
    """The store, the ring with its first keys, and two API tokens."""
    actor = Actor("demo")
    app = create_app(settings)
    try:
        app.commands.add_ring(RING, issuer=settings.service.issuer, policy=policy, actor=actor)
        app.rotator.turn(RING)
        signer = new_token(app, "signer", Role.SIGNER, actor, rings=[RING], ttl=timedelta(hours=1))
        return signer, new_token(app, "auditor", Role.AUDITOR, actor, rings=[RING], ttl=timedelta(hours=1))
    finally:
        app.close()


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
    command = [sys.executable, "-P", "-c", "import sys, jwturn.cli.main as m; sys.exit(m.main())", "serve"]
    with (folder / "service.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603  # our own program, no shell
            command,
            cwd=folder,
            env=inherited | _variables(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _await_signing(made: Site) -> None:
    caller = Caller(made, made.signer_token)
    try:
        for _ in range(START_TRIES):
            if caller.call("GET", "/readyz/sign")[0] == 200:
                return
            made.demand_running()
            time.sleep(0.05)
    finally:
        caller.close()
    raise Unavailable("the service did not come up", hint="jwturn demo --keep leaves its folder and log")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()

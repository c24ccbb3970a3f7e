"""The clients: how each is made, with its own defaults but for the times that a trial shortens.

A client that passes no trial of a new key has an option that forgoes its cooldown; it is shown with and
without.
"""

import importlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import jwt

from bench.clients.colours import Client, Process, Tasks, Threads
from bench.clients.issuer import ALG, AUDIENCE, Trial
from jwturn import AsyncVerifier, Verifier, __version__
from jwturn.ports.clock import Clock

HERE: Final = Path(__file__).parent
JOSE_FOLDER: Final = HERE / "node_modules"


@dataclass(frozen=True, slots=True)
class Times:
    """The lifetime of a set and how long beyond it is used in an outage, in seconds; None: the defaults."""

    lifetime: float | None = None
    stale: float | None = None


SHORT: Final = Times(2.0, 3.0)
"""For trials that wait for the end of a lifetime."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A client, its version, how one is made for a trial, its short times and how they pass."""

    name: str
    version: str
    make: Callable[[Trial, Times], Client]
    times: Times = SHORT
    wait: Callable[[float], object] = time.sleep


def kinds(jose: Path = JOSE_FOLDER) -> tuple[list[Kind], list[str]]:
    """The clients that are installed, and for each that is not, how to get it."""
    found, absent = [*ours(), *pyjwt()], []
    for package, of_package in (("jwks-client", jwks_client), ("pyjwt-key-fetcher", key_fetcher)):
        try:
            found += of_package(version(package))
        except PackageNotFoundError:
            absent.append(f"{package} is left out: make bench installs it")
    described = jose / "jose" / "package.json"
    if shutil.which("node") is None:
        absent.append("jose is left out: there is no node on PATH; install Node.js 20 or later")
    elif not described.exists():
        absent.append(
            "jose is left out: npm install --no-package-lock --prefix bench/clients (or --jose FOLDER)"
        )
    else:
        found += npm_jose(jose, json.loads(described.read_text())["version"])
    return found, absent


def ours(clock: Clock | None = None, wait: Callable[[float], object] = time.sleep) -> Iterator[Kind]:
    """Both colours; with a clock of a test, `wait` moves it."""

    def sync(trial: Trial, times: Times) -> Client:
        verifier = verifier_of(trial, times, clock=clock)
        return Threads(verifier.verify, verifier.close)

    def tasks(trial: Trial, times: Times) -> Client:
        async def made() -> tuple[Any, Any]:
            verifier = AsyncVerifier(**_options(trial, times), clock=clock)
            return verifier.verify, verifier.close

        return Tasks(made)

    yield Kind("jwturn Verifier", __version__, sync, wait=wait)
    yield Kind("jwturn AsyncVerifier", __version__, tasks, wait=wait)


def verifier_of(trial: Trial, times: Times, clock: Clock | None = None) -> Verifier:
    """Ours, for threads."""
    return Verifier(**_options(trial, times), clock=clock)


def pyjwt() -> Iterator[Kind]:
    """PyJWT's client, and what its documentation does with it."""
    for words, options in (("", {}), (", cooldown 0", {"cooldown_duration": 0})):

        def make(trial: Trial, times: Times, options: dict[str, Any] = options) -> Client:
            return Threads(pyjwt_of(trial, times, **options))

        yield Kind(f"PyJWT PyJWKClient{words}", jwt.__version__, make)


def pyjwt_of(trial: Trial, times: Times, **options: Any) -> Callable[[str], Any]:
    """Verifies a token: the key from the client, then `decode`."""
    if times.lifetime is not None:
        options["lifespan"] = times.lifetime
    client = jwt.PyJWKClient(trial.url, **options)

    def verify(token: str) -> Any:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=[ALG], audience=AUDIENCE, issuer=trial.issuer)

    return verify


def jwks_client(version: str) -> Iterator[Kind]:
    """The client for tasks of the package jwks-client."""
    module = importlib.import_module("jwks_client")
    for words, options in (("", {}), (", cooldown 0", {"refetch_cooldown": 0.0})):

        def make(trial: Trial, times: Times, options: dict[str, float] = options) -> Client:
            said = {"ttl": times.lifetime, "stale_if_error": times.stale}
            given = {name: float(value) for name, value in said.items() if value is not None}

            async def made() -> tuple[Any, Any]:
                client = module.JWKSClient(trial.url, **options, **given)
                verify = partial(client.decode, algorithms=[ALG], audience=AUDIENCE, issuer=trial.issuer)
                return verify, client.aclose

            return Tasks(made)

        yield Kind(f"jwks-client{words}", version, make)


def key_fetcher(version: str) -> Iterator[Kind]:
    """The client for tasks of the package pyjwt-key-fetcher, told where the set is."""
    module = importlib.import_module("pyjwt_key_fetcher")
    http = importlib.import_module("pyjwt_key_fetcher.http_client")

    def make(trial: Trial, times: Times) -> Client:
        async def made() -> tuple[Any, Any]:
            asks = http.DefaultHTTPClient()
            fetcher = module.AsyncKeyFetcher(
                valid_issuers=[trial.issuer],
                http_client=asks,
                static_issuer_config={trial.issuer: {"jwks_uri": trial.url}},
                **({} if times.lifetime is None else {"cache_ttl": times.lifetime}),
            )

            async def verify(token: str) -> Any:
                key = await fetcher.get_key(token)
                return jwt.decode(token, **key, audience=AUDIENCE, issuer=trial.issuer)

            return verify, asks.session.close

        return Tasks(made)

    yield Kind("pyjwt-key-fetcher", version, make)


def npm_jose(folder: Path, version: str) -> Iterator[Kind]:
    """`createRemoteJWKSet` of the npm package jose, in a process of node."""
    for words, options in (("", {}), (", cooldown 0", {"cooldownDuration": 0})):

        def make(trial: Trial, times: Times, options: dict[str, int] = options) -> Client:
            lifetime = {} if times.lifetime is None else {"cacheMaxAge": round(1000 * times.lifetime)}
            asked = {
                "folder": str(folder.resolve()),
                "url": trial.url,
                "issuer": trial.issuer,
                "audience": AUDIENCE,
                "options": {**options, **lifetime},
            }
            return Process(["node", "jose_client.mjs", json.dumps(asked)], HERE)

        yield Kind(f"npm jose{words}", version, make)


def _options(trial: Trial, times: Times) -> dict[str, Any]:
    options: dict[str, Any] = {
        "issuer": trial.issuer,
        "audience": AUDIENCE,
        "jwks_url": trial.url,
        "loopback_http": True,
    }
    if times.lifetime is not None:
        options["keys_ttl_max"] = timedelta(seconds=times.lifetime)
    if times.stale is not None:
        options["stale_max"] = timedelta(seconds=times.stale)
    return options

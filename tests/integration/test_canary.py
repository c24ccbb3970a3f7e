"""What must not get out is looked for everywhere: in a service, its answers and logs, in files, in objects.

The secrets are those of a real store: KEK, private halves, HMAC secrets, a passphrase, API tokens.
"""

import contextlib
import gc
import json
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from jwturn.cli.main import run
from jwturn.compose import App, ensure_ring, new_token, open_app
from jwturn.core.ledger import Actor
from jwturn.core.secret import Secret
from jwturn.core.tokens import Role
from jwturn.crypto.private import private_key
from jwturn.server.logs import clean
from jwturn.server.metrics import Metrics
from jwturn.server.routes import ROUTES
from jwturn.server.service import Service
from jwturn.settings import load
from tests.cli.stage import Stream, in_place
from tests.integration.test_no_plaintext import raw_halves, spellings

RUN = [sys.executable, "-u", "-c", "import sys; from jwturn.cli.main import main; sys.exit(main())"]
ANN = Actor("ann", "drill")
DEADLINE = 30.0
PASSPHRASE = "canary battery staple of the store"
RINGS = {"default": "ES256", "ed": "EdDSA", "hooks": "HS256"}


@dataclass
class Store:
    """A store of three rings in a folder, and what of it nobody may see."""

    folder: Path
    tokens: dict[Role, str] = field(default_factory=dict)
    secrets: set[bytes] = field(default_factory=set)

    @contextlib.contextmanager
    def app(self) -> Iterator[App]:
        app = open_app(load(self.environ, cwd=self.folder))
        try:
            yield app
        finally:
            app.close()

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
        return kept | {"JWTURN_DEBUG": "1", "JWTURN_STORE__KEK_PASSPHRASE_FILE": str(self.folder / "words")}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [*RUN, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def learn(self) -> None:
        """Every secret that the store holds now, in every spelling in which it could slip out."""
        with self.app() as app:
            found = {PASSPHRASE.encode(), *(token.encode() for token in self.tokens.values())}
            for row in app.store.rings():
                ring = app.store.load(row.name).ring
                for key in ring.keys:
                    half = app.custody.reveal(key, ring.id)
                    opened = None if key.symmetric else private_key(key.alg, half)
                    found |= {half.reveal(), *raw_halves(key.alg, half.reveal(), opened)}
            found |= {secret.reveal() for secret in held(app)}
        for secret in found:
            self.secrets |= {spelled for spelled in spellings(secret) if len(spelled) >= 16}

    def leaks(self, *texts: bytes) -> set[bytes]:
        return {secret for secret in self.secrets for text in texts if secret in text}


def held(root: object) -> Iterator[Secret]:
    """Every Secret that can be reached from an object: integrity key, KEK, passphrase."""
    return (one for one in reached(root) if isinstance(one, Secret))


def reached(root: object) -> Iterator[object]:
    """Everything that can be reached from an object, but not through modules, classes and functions."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        one = waiting.pop()
        yield one
        for next_one in gc.get_referents(one):
            if id(next_one) not in seen and not isinstance(next_one, type(os) | type):
                seen.add(id(next_one))
                waiting.append(next_one)


def ours(found: object) -> bool:
    return type(found).__module__.startswith("jwturn")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("canary"))
    words = made.folder / "words"
    words.touch(0o600)
    words.write_text(f"{PASSPHRASE}\n")
    done = made.run("init", "--offline", "--kek", "passphrase:")
    assert done.returncode == 0, done.stderr
    with made.app() as app:
        for name, alg in RINGS.items():
            ensure_ring(app, name, issuer=f"https://{name}.example.com", policy={"alg": alg}, actor=ANN)
        made.tokens = {role: new_token(app, f"a-{role}", role, ANN) for role in Role}
    made.learn()
    assert len(made.secrets) >= 100
    return made


def test_a_secret_that_slipped_out_would_be_found(store: Store) -> None:
    for secret in store.secrets:
        assert secret in store.leaks(b"x" + secret + b"y")


def test_no_object_of_an_app_tells_a_secret(store: Store) -> None:
    with store.app() as app:
        for ring in RINGS:
            app.signing.sign(ring, {"sub": "alice"})
        service = Service(app, document=b"")
        objects = [one for one in reached(service) if ours(one)]
        assert len([one for one in objects if isinstance(one, Secret)]) >= 2
        for one in objects:
            assert not store.leaks(repr(one).encode(), str(one).encode(), f"{one}".encode()), type(one)
            with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError, ValueError):
                assert not store.leaks(pickle.dumps(one)), type(one)
        assert not store.leaks(Metrics().text(app))


def test_no_file_but_the_secrets_own_holds_one(store: Store) -> None:
    files = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
    assert {path.name for path in files} >= {"jwturn.db", "jwturn.toml", "witness", "words"}
    assert [path.name for path, data in files.items() if store.leaks(data)] == ["words"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("plan",), ("keys", "--all"), ("events",), ("events", "--store"), ("jwks",), ("doctor",),
        ("config", "show", "--origin"), ("token", "list"), ("audit", "verify"), ("audit", "head"),
        ("policy", "show"), ("export",), ("rotate", "--dry-run"), ("revoke", "nobody", "--yes"), ("verify",),
        ("inspect",), ("import", "-"), ("import", "-", "--secret", "--alg", "HS256"), ("sign",),
        ("audit", "verify", "--head", "words"), ("status", "--config", "words"), ("verify", "words"),
    ],
)  # fmt: skip
def test_no_command_prints_a_secret(
    store: Store, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that was handed in and refused."""
    for name in ("JWTURN_DEBUG", "JWTURN_STORE__KEK_PASSPHRASE_FILE"):
        monkeypatch.setenv(name, store.environ[name])
    for more in (("--ring", "default"), ("--ring", "hooks", "--json")):
        out, err = Stream(), Stream()
        with in_place(store.folder, Stream((store.folder / "words").read_bytes()), out, err):
            run([*arguments, *more])
        assert out.text() + err.text()
        assert "Traceback" not in err.text()
        assert not store.leaks(out.text().encode(), err.text().encode()), more


@dataclass
class Served:
    """A service that runs, and everything that was heard of it."""

    process: "subprocess.Popen[bytes]"
    port: int
    heard: list[bytes] = field(default_factory=list)

    def ask(self, method: str, path: str, token: str, body: bytes | None) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        self.heard += [str(answer.getheaders()).encode(), answer.read()]
        connection.close()
        return answer.status


@contextlib.contextmanager
def served(store: Store) -> Iterator[Served]:
    log = (store.folder.parent / "log").open("wb")
    process = subprocess.Popen(
        [*RUN, "serve", "--port", "0", "--json"], cwd=store.folder, env=store.environ, stdout=subprocess.PIPE,
        stderr=log,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = b""
        while not told.endswith(b"}\n") and (line := process.stdout.readline()):
            told += line
        port = int(json.loads(told)["jwks"].split(":")[2].split("/")[0])
        service = Served(process, port, [told])
        yield service
        process.terminate()
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        service_out, _ = process.communicate()
        log.close()
    service.heard += [service_out, Path(log.name).read_bytes()]


def bodies(store: Store) -> list[bytes | None]:
    """What callers send, and a few that put a secret where it does not belong."""
    secret = store.tokens[Role.ADMIN]
    sent: list[Any] = [
        {"claims": {"sub": "alice"}},
        {"reason": "drill", "dry_run": True},
        {"kid": secret, "reason": "drill"},
        {"claims": {"iss": secret}},
        {"claims": {"sub": [secret]}},
        {secret: 1},
        {"changes": {secret: PASSPHRASE}, "reason": "drill"},
    ]
    return [None, f'{{"{PASSPHRASE}"'.encode(), *(json.dumps(one).encode() for one in sent)]


def test_a_running_service_tells_no_secret(store: Store) -> None:
    own: set[bytes] = set()
    with served(store) as node:
        proc = Path(f"/proc/{node.process.pid}")
        node.heard += [(proc / "cmdline").read_bytes(), (proc / "environ").read_bytes()]
        limits = next(line for line in (proc / "limits").read_text().splitlines() if "core file" in line)
        assert limits.split()[4:6] == ["0", "0"]
        assert (proc / "mem").stat().st_uid == 0
        asked = set()
        for token in (*store.tokens.values(), "jwturn_" + "x" * 43, ""):
            for route in ROUTES:
                for ring in RINGS:
                    path = route.path.replace("{ring}", ring).replace("/{issuer:path}", "/a")
                    for body in bodies(store) if route.method == "POST" else [None]:
                        before = len(node.heard)
                        asked.add(node.ask(route.method, path, token, body))
                        if path.endswith("/secrets") and token == store.tokens[Role.VERIFIER]:
                            own |= store.leaks(*node.heard[before:])
                            del node.heard[before:]
        assert asked >= {200, 400, 401, 403, 404}
    assert own, "role verifier reads the secrets of a symmetric ring, and nothing else does"
    echoes = set(spellings(PASSPHRASE.encode())) | {store.tokens[Role.ADMIN].encode()}
    quoted = store.leaks(*node.heard[:-1]) - own
    assert quoted <= echoes, "an answer repeats at most what its own caller just sent"
    assert not store.leaks(node.heard[-1]), "and the log nothing at all"
    store.learn()
    assert not store.leaks(node.heard[-1])
    assert not own & store.leaks(*node.heard)


def test_no_file_is_ever_open_to_others_whatever_the_umask(tmp_path: Path) -> None:
    """Looked at again and again while `init` and the first commands run under a umask of 0."""
    seen: dict[str, set[int]] = {}
    for arguments in (
        ("init", "--offline"),
        ("sign", "--claim", "sub=a"),
        ("token", "new", "t"),
        ("export", "--out", "k"),
    ):
        process = subprocess.Popen(
            [*RUN, *arguments], cwd=tmp_path, umask=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        while process.poll() is None:
            for path in tmp_path.rglob("*"):
                with contextlib.suppress(FileNotFoundError):
                    seen.setdefault(path.name, set()).add(stat.S_IMODE(path.lstat().st_mode))
        _, err = process.communicate()
        assert process.returncode == 0, err
    left = {path.name for path in tmp_path.rglob("*")}
    assert {name for name in left if name.endswith(".tmp")} == set()
    assert seen.keys() >= {".jwturn", "kek", "jwturn.db", "jwturn.toml", "witness", "k"}
    assert {name: modes for name, modes in seen.items() if any(mode & 0o077 for mode in modes)} == {}


def test_a_secret_in_a_caller_s_own_words_is_redacted_in_logs(store: Store) -> None:
    for secret in (*store.tokens.values(), '{"d": "AAAA"}', "-----BEGIN PRIVATE KEY-----\nAAAA"):
        assert "AAAA" not in clean(f"x {secret} y")
        assert secret not in clean(f"x {secret} y")

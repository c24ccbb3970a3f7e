"""A node in memory behind its ASGI app, with a token for every role, and a way to call it."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from jwturn.compose import App, create_app, ensure_ring, new_token
from jwturn.core.ledger import Actor
from jwturn.core.tokens import Role
from jwturn.server.app import Asgi, build
from jwturn.settings import load
from jwturn.testing.clock import FakeClock

ISSUER = "https://auth.example.com"
ANN = Actor("ann", "because")
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Reply:
    """An answer as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem, whose whole form is checked."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["cache-control"] == "no-store"
        found = self.json
        assert set(found) >= {"type", "title", "status", "detail", "code", "hint"}
        assert found["status"] == self.status
        assert found["hint"]
        code: str = found["code"]
        return code


class World:
    """One node. Calls run in one event loop, one after the other unless `together`."""

    def __init__(self, folder: Path, *, rings: Mapping[str, Any] | None = None, **service: Any) -> None:
        self.clock = FakeClock()
        environ = {"JWTURN_STORE__URI": "memory:", "JWTURN_STORE__KEK": f"file:{folder / 'kek'}"}
        environ |= {f"JWTURN_SERVICE__{name.upper()}": str(value) for name, value in service.items()}
        self.app: App = create_app(load(environ, cwd=folder), clock=self.clock)
        for name, policy in ({"default": {}} if rings is None else rings).items():
            self.add_ring(name, policy=policy)
        self.tokens = {role: new_token(self.app, f"a-{role}", role, ANN) for role in Role}
        self.asgi: Asgi = build(self.app, body_deadline=timedelta(milliseconds=50))
        self._scoped: dict[tuple[Role, str], str] = {}
        self._runner = asyncio.Runner()

    def add_ring(
        self, name: str, *, issuer: str = ISSUER, policy: Mapping[str, object] | None = None
    ) -> None:
        ensure_ring(self.app, name, issuer=issuer, policy=policy or {}, actor=ANN)

    def scoped(self, role: Role, ring: str) -> str:
        """A token of one ring."""
        if (role, ring) not in self._scoped:
            self._scoped[role, ring] = new_token(self.app, f"{ring}-{role}", role, ANN, rings=[ring])
        return self._scoped[role, ring]

    def close(self) -> None:
        self._runner.close()
        self.app.close()

    def pass_time(self, length: timedelta, *, steps: int = 1) -> None:
        """Lets time pass under a running loop."""
        for _ in range(steps):
            self.clock.advance(length / steps)
            self.app.loop.run_once()

    def mature(self) -> None:
        """Two days of a watched store: every standby may sign."""
        self.pass_time(2 * DAY, steps=2 * 24 * 60)

    def kids(self, ring: str = "default") -> dict[str, str]:
        """The kids of a ring by state."""
        return {str(key.state): key.kid for key in self.app.store.load(ring).ring.keys}

    def get(self, path: str, role: Role | str | None = None, **headers: str) -> Reply:
        return self.call("GET", path, role=role, headers=headers)

    def post(self, path: str, body: Any = None, *, role: Role | str | None = None, **headers: str) -> Reply:
        data = b"" if body is None else json.dumps(body).encode()
        return self.call(
            "POST", path, data=data, role=role, headers={"content_type": "application/json", **headers}
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        data: bytes | Iterable[bytes] = b"",
        role: Role | str | None = None,
        headers: Mapping[str, str] | None = None,
        again: Mapping[str, str] | None = None,
    ) -> Reply:
        """One call; `again` are headers that come a second time."""
        return self._runner.run(self.send(method, path, data=data, role=role, headers=headers, again=again))

    def together(self, *calls: Any) -> list[Reply]:
        """Calls made with `send`, at the same time."""

        async def all_of() -> list[Reply]:
            return list(await asyncio.gather(*calls))

        return self._runner.run(all_of())

    async def send(
        self,
        method: str,
        path: str,
        *,
        data: bytes | Iterable[bytes] = b"",
        role: Role | str | None = None,
        headers: Mapping[str, str] | None = None,
        again: Mapping[str, str] | None = None,
        stalls: bool = False,
    ) -> Reply:
        """One call. Bytes are declared with their length, parts are not; `stalls`: no end comes."""
        sent = {"host": "auth.example.com", **(headers or {})}
        if role is not None:
            sent["authorization"] = f"Bearer {self.tokens[role] if isinstance(role, Role) else role}"
        if isinstance(data, bytes):
            sent.setdefault("content_length", str(len(data)))
        parts = [data] if isinstance(data, bytes) else list(data)
        coming = iter(
            [
                {"type": "http.request", "body": part, "more_body": stalls or part is not parts[-1]}
                for part in parts
            ]
        )
        told: list[Any] = []

        async def receive() -> Any:
            message = next(coming, None)
            if message is None:
                await asyncio.Event().wait()
            return message

        async def send(message: Any) -> None:
            told.append(message)

        await self.asgi(_scope(method, path, [*sent.items(), *(again or {}).items()]), receive, send)
        start, body = told
        names = [name.decode() for name, _ in start["headers"]]
        assert len(set(names)) == len(names), "a header was sent twice"
        return Reply(
            start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]
        )


def _scope(method: str, path: str, headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.7", 50000),
        "server": ("127.0.0.1", 8470),
    }

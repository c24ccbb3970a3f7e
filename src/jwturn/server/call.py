"""A call: what came in, read once, and who sent it."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from jwturn.core.errors import BadInput
from jwturn.core.tokens import ApiToken


@dataclass(slots=True)
class Call:
    """One request. `caller` and `body` are set once they were judged; `ring` comes from the path."""

    scope: Scope
    receive: Receive
    ring: str = ""
    caller: ApiToken | None = None
    raw: bytes = b""
    body: Any = None
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        path: str = self.scope["path"]
        return path

    @property
    def client(self) -> str:
        """The address the connection comes from."""
        client = self.scope.get("client")
        return client[0] if client else ""

    def headers(self, name: bytes) -> list[str]:
        """The values of a header, in order."""
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]

    def header(self, name: bytes) -> str | None:
        """The values of a header as one list (RFC 9110 section 5.3); None where it is absent."""
        found = self.headers(name)
        return ", ".join(found) if found else None

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number of the query. Raises BadInput: given twice, no number, out of range."""
        query = self.scope["query_string"].decode("latin-1")
        given = [value for key, value in parse_qsl(query, keep_blank_values=True) if key == name]
        if not given:
            return default
        text = given[0]
        if len(given) > 1 or not (text.isascii() and text.isdigit() and len(text) < 16):
            raise BadInput(
                f"{name} is not one whole number", hint=f"?{name}={default}", code="query_malformed"
            )
        if not least <= int(text) <= most:
            raise BadInput(
                f"{name} is not within {least} and {most}", hint=f"?{name}={default}", code="query_malformed"
            )
        return int(text)

"""What can be configured: a frozen value per section, and the whole."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from jwturn.core.secret import Secret
from jwturn.core.values import text

PREFIX: Final = "JWTURN_"
DEFAULT: Final = "default"
MASK: Final = "***"
_PASSWORD: Final = re.compile(r"(://[^:/@]*:)[^/]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """[store]: where the rings are, what opens them, and where their heads are witnessed."""

    uri: str = field(default="sqlite:///.jwturn/jwturn.db", repr=False)
    kek: str = "file:.jwturn/kek"
    kek_passphrase: Secret | None = None
    witness: str = ".jwturn/witness"
    tick_cap: timedelta = timedelta(seconds=60)
    """The most that one tick adds to the seen time; read by `init` only, then it is the store's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """[service]: where it listens, for whom it signs by default, and how much it takes."""

    issuer: str = ""
    ring: str = "default"
    host: str = "127.0.0.1"
    port: int = 8470
    insecure_bind: bool = False
    """Whether plain HTTP may be bound where other machines reach it: only behind a proxy that speaks TLS."""
    body_max: int = 64 * 1024
    """Bytes of a request's body."""
    rate_max: int = 1000
    """Requests per second of one API token."""
    concurrency_max: int = 256
    """Requests at work at once; more are answered 503."""
    batch_max: int = 100
    """Tokens of one batch."""
    default_token_ttl: timedelta | None = None
    """Lifetime of a token whose caller names none; the policy's token_ttl_max where this is not set."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of `config show --origin`: its key, its value as text (secrets masked), its origin."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is configured. Paths are absolute; `rings` are the policy fields a node declares."""

    store: StoreSettings
    service: ServiceSettings
    rings: Mapping[str, Mapping[str, object]]
    origins: Mapping[str, str]
    folder: Path
    """What relative paths count from: the directory of the settings file, or the working directory."""
    file: Path | None = None
    credentials: Path | None = None
    """$CREDENTIALS_DIRECTORY."""
    warnings: tuple[str, ...] = ()

    def describe(self) -> tuple[Setting, ...]:
        """Every setting in order, as text, with its origin; secrets and passwords in URIs are masked."""
        return tuple(
            Setting(key, _shown(value), self.origins.get(key, DEFAULT)) for key, value in self._flat()
        )

    def _flat(self) -> Iterator[tuple[str, object]]:
        for section in SECTIONS:
            table = getattr(self, section)
            yield from ((f"{section}.{f.name}", getattr(table, f.name)) for f in fields(table))
        for ring, declared in self.rings.items():
            yield from ((f"rings.{ring}.{name}", value) for name, value in declared.items())


SECTIONS: Final[dict[str, type[StoreSettings] | type[ServiceSettings]]] = {
    "store": StoreSettings,
    "service": ServiceSettings,
}


def _kinds(section: type[StoreSettings] | type[ServiceSettings]) -> dict[str, Any]:
    """Each key's kind: its annotation without the None that says it may be left out."""
    return {f.name: getattr(f.type, "__args__", (f.type,))[0] for f in fields(section)}


KINDS: Final = {name: _kinds(section) for name, section in SECTIONS.items()}
SECRETS: Final = tuple(
    (section, key) for section, kinds in KINDS.items() for key, kind in kinds.items() if kind is Secret
)


def _shown(value: object) -> str:
    return MASK if isinstance(value, Secret) else _PASSWORD.sub(rf"\1{MASK}@", text(value))

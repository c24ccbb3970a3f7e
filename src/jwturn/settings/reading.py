"""From what was found to checked settings."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jwturn.core.errors import BadInput, ConfigError
from jwturn.core.policy_text import parse_changes
from jwturn.core.secret import Secret
from jwturn.core.values import read_value
from jwturn.settings.model import KINDS, PREFIX, SECTIONS, Settings, StoreSettings
from jwturn.settings.sources import Found, from_environ, from_file, secrets_from

FILE_NAME: Final = "jwturn.toml"
_PATH_URIS: Final = ("sqlite:///", "file://", "file:", "passphrase://", "passphrase:")


def load(
    environ: Mapping[str, str], *, config: Path | None = None, cwd: Path | None = None, new: bool = False
) -> Settings:
    """The settings of this process.

    `config` is the file that was named on the command line; `cwd` the working directory; with `new` (init)
    a named file need not be there yet. Raises ConfigError: a file that is missing or malformed, an unknown
    key, a value of another type or out of range, a secret given twice.
    """
    cwd = _here() if cwd is None else cwd
    named = config or (Path(environ[f"{PREFIX}CONFIG"]) if environ.get(f"{PREFIX}CONFIG") else None)
    path = cwd / (named or FILE_NAME)
    there = path.is_file() or (named is not None and not new)
    credentials = Path(environ["CREDENTIALS_DIRECTORY"]) if environ.get("CREDENTIALS_DIRECTORY") else None
    found = {**(from_file(path) if there else {}), **from_environ(environ)}
    secrets, warnings = secrets_from(environ, credentials, path.parent)
    found |= secrets
    return _checked(
        Settings(
            store=_located(_section("store", found), path.parent),
            service=_section("service", found),
            rings=_rings(found),
            origins=MappingProxyType({".".join(key): origin for key, (_, origin) in found.items()}),
            folder=path.parent,
            file=path if there else None,
            credentials=credentials,
            warnings=warnings,
        )
    )


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(
            "the working directory is gone", hint="cd to one that is there, such as the store's"
        ) from error


def _section(name: str, found: Found) -> Any:
    """The section from what was found for it, each value of its kind."""
    values: dict[str, Any] = {}
    for key_path, (value, origin) in found.items():
        if key_path[0] != name:
            continue
        key = key_path[1]
        if isinstance(value, str) and "\0" in value:
            raise ConfigError(f"{origin}: {name}.{key} holds a NUL character", hint="take it out")
        try:
            values[key] = value if isinstance(value, Secret) else read_value(key, KINDS[name][key], value)
        except BadInput as error:
            raise ConfigError(f"{origin}: {name}.{error.message}", hint=error.hint) from error
    return SECTIONS[name](**values)


def _rings(found: Found) -> Mapping[str, Mapping[str, object]]:
    rings: dict[str, dict[str, object]] = {}
    for key_path, (value, origin) in found.items():
        if key_path[0] != "rings":
            continue
        try:
            parse_changes({key_path[2]: value})
        except BadInput as error:
            raise ConfigError(f"{origin}: ring {key_path[1]}: {error.message}", hint=error.hint) from error
        rings.setdefault(key_path[1], {})[key_path[2]] = value
    return MappingProxyType({name: MappingProxyType(declared) for name, declared in rings.items()})


def _located(store: StoreSettings, folder: Path) -> StoreSettings:
    return replace(
        store,
        uri=_absolute(store.uri, folder),
        kek=_absolute(store.kek, folder),
        witness=str(folder / store.witness),
    )


def _absolute(uri: str, folder: Path) -> str:
    for scheme in _PATH_URIS:
        if uri.startswith(scheme) and (rest := uri.removeprefix(scheme)):
            return f"{scheme}{folder / rest}"
    return uri


def _checked(settings: Settings) -> Settings:
    for broken, message, hint in _broken(settings):
        if broken:
            raise ConfigError(message, hint=hint)
    return settings


def _broken(settings: Settings) -> Iterator[tuple[bool, str, str]]:
    store, service = settings.store, settings.service
    places = [_place(store.uri), _place(store.kek), store.witness]
    files = [Path(place).resolve() for place in places if place]
    yield (
        len(set(files)) < len(files),
        f"store.uri, store.kek and store.witness are not three files: {', '.join(map(str, files))}",
        "keep the KEK outside of the database it protects, such as kek = file:.jwturn/kek",
    )
    yield (
        store.kek_passphrase is not None and store.kek not in ("passphrase:", "passphrase://"),
        f"store.kek_passphrase is given, and kek = {store.kek} does not ask for it",
        "set kek = passphrase: or take the passphrase away",
    )
    yield not 0 <= service.port <= 65_535, f"service.port = {service.port} is no port", "such as 8470"
    for name in ("body_max", "rate_max", "concurrency_max", "batch_max"):
        least = getattr(service, name)
        yield least < 1, f"service.{name} = {least} lets nothing through", "leave it out for the default"
    yield store.tick_cap <= timedelta(), "store.tick_cap is no time at all", "60s is the default"
    ttl = service.default_token_ttl
    yield (
        ttl is not None and ttl < timedelta(seconds=1),
        "service.default_token_ttl is below 1s: exp counts whole seconds",
        "leave it out for the ring's token_ttl_max",
    )
    yield (
        not service.insecure_bind and not _is_loopback(service.host),
        f"service.host = {service.host} is reached by other machines, and the service speaks plain HTTP",
        "put a proxy that speaks TLS in front and set insecure_bind = true, or keep host = 127.0.0.1",
    )


def _place(uri: str) -> str:
    scheme = next((scheme for scheme in _PATH_URIS if uri.startswith(scheme)), None)
    return uri.removeprefix(scheme) if scheme else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

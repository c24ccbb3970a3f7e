"""Where settings come from: the file, the environment, and for secrets files and credentials of their own."""

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from jwturn.core.errors import ConfigError, JwturnError
from jwturn.core.nearest import meant
from jwturn.core.secret import Secret
from jwturn.ports.files import read_private
from jwturn.settings.model import KINDS, PREFIX, SECRETS, SECTIONS

FILE_BYTES_MAX: Final = 1 << 20
SECRET_BYTES_MAX: Final = 4096
Found: TypeAlias = dict[tuple[str, ...], tuple[object, str]]
"""A key's path to its value and origin."""


def from_file(path: Path) -> Found:
    """What a settings file says. Raises ConfigError: missing, malformed, an unknown key, a secret in it."""
    try:
        tables = tomllib.loads(_text(path))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no settings file {path}", hint="make one: jwturn init") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path} cannot be read: {why}", hint=f"ls -l {path}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8", hint="it is TOML, in UTF-8") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint="https://toml.io") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deep", hint="it is TOML, in UTF-8") from error
    found: Found = {}
    for section, table in tables.items():
        _check_section(section, str(path))
        for name, value in _table(section, table, path).items():
            inner = _table(f"rings.{name}", value, path) if section == "rings" else {"": value}
            for key, leaf in inner.items():
                found[(section, name, key) if key else (section, name)] = (leaf, str(path))
    for key_path in found:
        _check_key(key_path, str(path), secret=False)
    return found


def _text(path: Path) -> str:
    """A plain file of bounded length: a device or a pipe would never end, and no settings are that long."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ConfigError(f"{path} is not a plain file", hint="name a TOML file")
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"{path} is larger than {FILE_BYTES_MAX} bytes", hint="is it the right file?")
    return data.decode().replace("\r\n", "\n")


def from_environ(environ: Mapping[str, str]) -> Found:
    """What JWTURN_<SECTION>__<KEY> variables say, secrets apart. Raises ConfigError: an unknown key."""
    # A variable without __ may be anybody's: a cluster sets JWTURN_PORT for a service named jwturn.
    found: Found = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        key_path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        _check_section(key_path[0], variable)
        if key_path not in SECRETS and (*key_path[:-1], key_path[-1].removesuffix("_file")) not in SECRETS:
            _check_key(key_path, variable, secret=True)
            found[key_path] = (environ[variable], variable)
    return found


def secrets_from(
    environ: Mapping[str, str], credentials: Path | None, folder: Path
) -> tuple[Found, tuple[str, ...]]:
    """The secrets that are given, and what is to be warned of; `folder` is what relative paths count from.

    Raises ConfigError where one is given more than once, or its file is open to others.
    """
    found: Found = {}
    warnings = []
    for key_path in SECRETS:
        variable = PREFIX + "__".join(key_path).upper()
        given: dict[str, Secret] = {}
        if variable in environ:
            given[variable] = Secret(environ[variable].encode())
            warnings.append(
                f"{variable} is in the environment, where others may read it: use {variable}_FILE"
            )
        if f"{variable}_FILE" in environ:
            given[f"{variable}_FILE"] = _secret_file(folder / environ[f"{variable}_FILE"], f"{variable}_FILE")
        if credentials is not None and (credentials / key_path[-1]).is_file():
            given[f"credential {key_path[-1]}"] = _line((credentials / key_path[-1]).read_bytes())
        if len(given) > 1:
            raise ConfigError(
                f"{'.'.join(key_path)} is given more than once: {', '.join(given)}", hint="keep one of them"
            )
        for origin, secret in given.items():
            found[key_path] = (secret, origin)
    return found, tuple(warnings)


def _secret_file(path: Path, variable: str) -> Secret:
    try:
        return _line(read_private(path, limit=SECRET_BYTES_MAX))
    except JwturnError as error:
        raise ConfigError(f"{variable}: {error.message}", hint=error.hint) from error


def _line(data: bytes) -> Secret:
    return Secret(data.removesuffix(b"\n").removesuffix(b"\r"))


def _table(name: str, value: object, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {name} is not a table", hint=f"begin it with a line [{name}]")
    return value


def _check_section(section: str, where: str) -> None:
    if section not in (*SECTIONS, "rings"):
        raise ConfigError(
            f"{where}: there is no section {section[:60]!r}",
            hint=meant(section, (*SECTIONS, "rings")),
            code="unknown_key",
        )


def _check_key(key_path: tuple[str, ...], where: str, *, secret: bool) -> None:
    """Refuses a key that does not exist; the fields of a ring are checked where they are read."""
    dotted = ".".join(key_path)
    if key_path in SECRETS and not secret:
        variable = PREFIX + "__".join(key_path).upper()
        raise ConfigError(
            f"{where}: {dotted} is a secret and does not belong there", hint=f"{variable}_FILE names a file"
        )
    if key_path[0] == "rings":
        if len(key_path) != 3:
            raise ConfigError(
                f"{where}: {dotted} names no field of a ring", hint="[rings.NAME], rotate_every = ..."
            )
    elif len(key_path) != 2 or key_path[1] not in KINDS[key_path[0]]:
        raise ConfigError(
            f"{where}: there is no key {dotted[:60]}",
            hint=meant(".".join(key_path[1:]), KINDS[key_path[0]]),
            code="unknown_key",
        )

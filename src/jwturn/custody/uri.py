"""KEK providers by URI, from a lazy table: `file:PATH`, `passphrase:`, `passphrase:PATH`, `systemd:NAME`.

Nothing registers itself and nothing is guessed: a provider is imported when its scheme is asked for, and
finds only what is handed to it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jwturn.core.envelope import Wrap
from jwturn.core.errors import ConfigError, CustodyError, JwturnError
from jwturn.core.nearest import meant
from jwturn.core.secret import Secret
from jwturn.ports.kek import Kek

PASSPHRASE_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a provider may take secrets from.

    `passphrase` is what the settings or standard input gave; `prompt` asks a person (True: twice, it is a
    new one); `credentials` is $CREDENTIALS_DIRECTORY.
    """

    passphrase: Secret | None = None
    prompt: Callable[[bool], Secret] | None = None
    credentials: Path | None = None


def open_kek(uri: str, *, secrets: SecretSource, create: bool = False, wraps: Sequence[Wrap] = ()) -> Kek:
    """The KEK that `uri` names.

    `create` is for a store that is about to be made: only then is a KEK that is missing made too. For a
    store that is there, `wraps` are those of its integrity key: a passphrase finds its salt in them.
    Raises ConfigError for another scheme, CustodyError where the KEK is missing, malformed or open to
    others.
    """
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme not in _SCHEMES:
        raise ConfigError(
            f"there is no KEK provider {scheme[:60]!r} (kek = {uri[:60]!r})",
            hint=f"{meant(scheme, _SCHEMES)} such as file:.jwturn/kek",
            code="unknown_kek",
        )
    return _SCHEMES[scheme](rest, secrets, None if create else wraps)


def _file(rest: str, _: SecretSource, wraps: Sequence[Wrap] | None) -> Kek:
    from jwturn.custody.kek.file import create_file, open_file, take_up

    if not rest:
        raise ConfigError("kek = 'file:' names no file", hint="such as file:.jwturn/kek")
    path = Path(rest.removeprefix("//"))
    if wraps is not None:
        return open_file(path)
    return take_up(path) if os.path.lexists(path) else create_file(path)


def _systemd(rest: str, source: SecretSource, _: Sequence[Wrap] | None) -> Kek:
    from jwturn.custody.kek.systemd import open_credential

    return open_credential(rest, source.credentials)


def _passphrase(rest: str, source: SecretSource, wraps: Sequence[Wrap] | None) -> Kek:
    from jwturn.custody.kek.passphrase import again, first

    new = wraps is None
    passphrase = _from_file(Path(rest.removeprefix("//"))) if rest else _given(source, new=new)
    return first(passphrase) if wraps is None else again(passphrase, wraps)


def _from_file(path: Path) -> Secret:
    from jwturn.ports.files import read_private

    try:
        return Secret(read_private(path, limit=PASSPHRASE_BYTES_MAX).removesuffix(b"\n").removesuffix(b"\r"))
    except JwturnError as error:
        raise CustodyError(f"passphrase file: {error.message}", hint=error.hint) from error


def _given(source: SecretSource, *, new: bool) -> Secret:
    if source.passphrase is not None:
        return source.passphrase
    if source.prompt is None:
        raise CustodyError(
            "the store's KEK is a passphrase, and none was given",
            hint="kek = passphrase:PATH, JWTURN_STORE__KEK_PASSPHRASE_FILE, or a terminal to ask at",
        )
    return source.prompt(new)


_SCHEMES: Final[dict[str, Callable[[str, SecretSource, Sequence[Wrap] | None], Kek]]] = {
    "file": _file,
    "passphrase": _passphrase,
    "systemd": _systemd,
}

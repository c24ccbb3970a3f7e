"""A KEK handed over by systemd: `systemd:NAME` reads $CREDENTIALS_DIRECTORY/NAME (systemd.exec(5)).

The credential is a KEK line as in a KEK file, or raw bytes: 32 as they are, or more of them, which are
hashed to 32.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from jwturn.core.errors import ConfigError, CustodyError
from jwturn.core.secret import Secret
from jwturn.crypto.seal import KEY_BYTES
from jwturn.custody.kek.local import TAG, LocalKek, read_line

CREDENTIAL_BYTES_MAX: Final = 1024 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,255}")


def open_credential(name: str, directory: Path | None) -> LocalKek:
    """The KEK in a credential of this service.

    `directory` is $CREDENTIALS_DIRECTORY, None where it is not set. Raises ConfigError for a name that
    cannot be one, CustodyError where there is no such credential or it is not a KEK. The directory is
    systemd's own: its access lists show as group bits, so modes are not judged here.
    """
    if not _NAME.fullmatch(name) or name.strip(".") == "":
        raise ConfigError(
            f"{name[:60]!r} is not the name of a credential", hint="such as kek = systemd:jwturn-kek"
        )
    if directory is None:
        raise CustodyError(
            f"no credentials directory: systemd handed none over for systemd:{name}",
            hint=f"LoadCredentialEncrypted={name}:... in the unit, and start jwturn by systemctl",
        )
    return _kek(_read(directory / name), f"credential {name}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(CREDENTIAL_BYTES_MAX + 1)
    except OSError as error:
        raise CustodyError(
            f"credential {path.name} cannot be read: {error.strerror}",
            hint=f"LoadCredentialEncrypted={path.name}:... in the unit; ls {path.parent} shows what there is",
        ) from error


def _kek(data: bytes, where: str) -> LocalKek:
    if data.startswith(TAG.encode("ascii")):
        return read_line(data, where)
    if not KEY_BYTES <= len(data) <= CREDENTIAL_BYTES_MAX:
        raise CustodyError(
            f"{where} has {len(data)} bytes; a KEK needs {KEY_BYTES} random ones",
            hint=f"head -c {KEY_BYTES} /dev/urandom | systemd-creds encrypt --name=NAME - FILE",
        )
    return LocalKek(Secret(data if len(data) == KEY_BYTES else hashlib.sha256(data).digest()))

"""A KEK in a file of its own: `file:PATH`, mode 0600, outside of the database it protects.

Only `create` makes one, and never over another. Opening a file that is missing is an error: a new key
could open nothing that the old one sealed.
"""

import os
import secrets
from pathlib import Path

from jwturn.core.errors import CustodyError, JwturnError, NotFound
from jwturn.core.secret import Secret
from jwturn.crypto.seal import KEY_BYTES
from jwturn.custody.kek.local import LINE_BYTES_MAX, LocalKek, key_line, read_line
from jwturn.ports.files import read_private, write_private


def open_file(path: Path) -> LocalKek:
    """The KEK in a file.

    Raises CustodyError where the file is missing, may be read by group or others, or is not a whole KEK line.
    """
    try:
        data = read_private(path, limit=LINE_BYTES_MAX)
    except NotFound as error:
        raise CustodyError(
            f"there is no KEK file {path}",
            hint="restore the copy that is kept elsewhere, or name its place: kek = file:PATH in jwturn.toml;"
            " no new one was made, it could open nothing",
        ) from error
    except JwturnError as error:
        raise CustodyError(f"KEK file: {error.message}", hint=error.hint) from error
    return read_line(data, f"KEK file {path}")


def take_up(path: Path) -> LocalKek:
    """A KEK file that is there, for a store that is about to be made: somebody else's would be known to them.

    Raises CustodyError as `open_file` does, and where another user made the file.
    """
    kek = open_file(path)
    owner = path.stat().st_uid
    if owner not in (os.geteuid(), 0):
        raise CustodyError(
            f"KEK file {path} belongs to the user {owner}, who knows it",
            hint="nothing was made; another place for the KEK of a new store: jwturn init --kek file:PATH",
        )
    return kek


def create_file(path: Path) -> LocalKek:
    """A new KEK in a new file, 0600, durably; the directory is made 0700 where it is missing.

    Raises StateForbids where the file is there already, Unavailable where it cannot be written.
    """
    write_private(path, key_line(Secret(secrets.token_bytes(KEY_BYTES))), new=True)
    return open_file(path)

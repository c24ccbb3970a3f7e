"""The one place where private files are written: the KEK, the witness, exports, the store's own file.

A file is 0600 and a directory 0700 from its first moment, whatever the umask; a symbolic link is never
followed. What is written whole appears whole or not at all: a temporary file in the same directory,
write, fsync, rename, fsync of the directory. A new file has no name until it is whole, where the system can
do that, so that a kill leaves no secret in a file that nobody looks for. An fsync that fails with EIO raises
FatalStorage: the kernel may have dropped what was written, so nothing that was believed to be durable can be
believed any more.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from jwturn.core.errors import FatalStorage, JwturnError, NotFound, NotPermitted, StateForbids, Unavailable

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
OTHERS: Final = 0o077
SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_NO_UNNAMED_FILES: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
"""What open answers where a file system, or an old kernel, has no files without a name."""


def write_private(path: Path, data: bytes, *, new: bool = False) -> None:
    """Writes a private file, durably and as a whole; its directory is made (0700) where it is missing.

    `new`: never replaces a file. Raises StateForbids (`new`, and there is one), NotPermitted, Unavailable
    (the disk is full), FatalStorage.
    """
    make_private_dir(path.parent)
    with naming(path):
        if not (new and _linked_whole(path, data)):
            _moved_whole(path, data, new=new)
    sync_dir(path.parent)


def read_private(path: Path, *, limit: int = 1 << 20) -> bytes:
    """The bytes of a private file of at most `limit` bytes.

    Raises NotFound, NotPermitted (readable by others, a symbolic link, not a plain file), Unavailable.
    """
    with naming(path), os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise NotPermitted(
            f"{path} is larger than {limit} bytes", hint="is it the right file?", code="not_private"
        )
    return data


def make_private_dir(path: Path) -> None:
    """Makes a directory (0700), and those above it, where they are missing; one that is there stays as it is.

    Raises NotPermitted, Unavailable, StateForbids (there is a file in its place).
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_private_dir(path.parent)
    with naming(path):
        try:
            path.mkdir(DIRECTORY_MODE)
        except FileExistsError:
            if path.is_dir():
                return
            raise
        path.chmod(DIRECTORY_MODE)
    sync_dir(path.parent)


def open_private(path: Path, flags: int) -> int:
    """A file descriptor of a private file, made where `flags` say O_CREAT; its directory must be there.

    Raises NotFound, NotPermitted (readable by others, a symbolic link, not a plain file), Unavailable.
    """
    with naming(path):
        fd = _opened(path, flags | os.O_NONBLOCK)
    try:
        demand_private(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def demand_private(path: Path, found: os.stat_result) -> None:
    """Raises NotPermitted unless this is a plain file that only its owner may read or write."""
    if not stat.S_ISREG(found.st_mode):
        raise NotPermitted(f"{path} is not a plain file", hint="name a file of your own", code="not_private")
    if found.st_mode & OTHERS:
        raise NotPermitted(
            f"{path} may be read or written by others (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"chmod 600 {path}; if others may have read it, treat what it holds as known to them",
            code="not_private",
        )


def sync(fd: int, path: Path) -> None:
    """Makes what was written durable. Raises FatalStorage (EIO), Unavailable."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno == errno.EIO:
            raise FatalStorage(f"{path}: fsync failed (EIO); what was written may be lost") from error
        raise cannot(path, error) from error


def sync_dir(path: Path) -> None:
    """Makes a directory's entries durable."""
    with naming(path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(fd, path)
    finally:
        os.close(fd)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns an OSError into an error that names the file, the cause and the way out."""
    try:
        yield
    except OSError as error:
        raise cannot(path, error) from error


def cannot(path: Path, error: OSError) -> JwturnError:
    """The error of ours that says what the system refused to do with a file."""
    why = (error.strerror or str(error)).lower()
    if error.errno == errno.ENOENT:
        return NotFound(f"there is no file {path}", hint="check the path in the settings: jwturn config show")
    if error.errno == errno.EEXIST:
        return StateForbids(f"{path} is there already", hint="nothing was changed; choose another path")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotPermitted(
            f"{path}: {why}", hint=f"who runs jwturn must own it: ls -ld {path.parent} {path}"
        )
    if error.errno == errno.ELOOP:
        return NotPermitted(f"{path} is a symbolic link", hint="name the file itself", code="not_private")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable(
            f"{path}: disk full ({why})",
            hint=f"free some space (df -h {path.parent}) and try again",
            code="disk_full",
        )
    return Unavailable(f"{path}: {why}", hint=f"ls -ld {path.parent} {path}")


def _opened(path: Path, flags: int) -> int:
    existing = (flags & ~os.O_CREAT) | SAFE
    try:
        return os.open(path, existing)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    try:
        fd = _made(path, flags)
    except FileExistsError:
        return os.open(path, existing)
    sync_dir(path.parent)
    return fd


def _made(path: Path, flags: int) -> int:
    fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | SAFE, FILE_MODE)
    os.fchmod(fd, FILE_MODE)
    return fd


def _linked_whole(path: Path, data: bytes) -> bool:
    """Writes a file that has no name, then gives it one; False where the file system or the kernel cannot."""
    try:
        fd = os.open(path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        if error.errno in _NO_UNNAMED_FILES:
            return False
        raise
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, FILE_MODE)
        _write_whole(file, path, data)
        try:
            # With a src_dir_fd, which an absolute path ignores, Python calls linkat, and that one can follow.
            os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
        except FileNotFoundError:  # no /proc
            return False
    return True


def _moved_whole(path: Path, data: bytes, *, new: bool) -> None:
    """Writes a file under a name of its own, then gives it the right one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(_made(temporary, os.O_WRONLY), "wb") as file:
            _write_whole(file, temporary, data)
        if new:
            os.link(temporary, path)
        else:
            temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _write_whole(file: BinaryIO, path: Path, data: bytes) -> None:
    file.write(data)
    file.flush()
    sync(file.fileno(), path)

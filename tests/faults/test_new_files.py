"""A new private file is there as a whole or not at all; a kill leaves no other name with a secret in it."""

import errno
import os
import sys
from pathlib import Path

import pytest

from jwturn.core.errors import StateForbids
from jwturn.ports import files
from tests.faults.cuts import Cut, missing, places
from tests.faults.yard import Yard

WRITE = """
import pathlib
from jwturn.ports.files import write_private
write_private(pathlib.Path({path!r}), b"secret", new=True)
"""


def test_a_kill_at_any_call_leaves_the_file_or_nothing(tmp_path: Path) -> None:
    if why := missing():
        pytest.skip(why)
    yard = Yard(tmp_path / "folder")
    yard.folder.mkdir()
    path = yard.folder / "state" / "kek"
    command = [sys.executable, "-c", WRITE.format(path=str(path))]
    found = places(yard, command, tmp_path / "log")
    cuts = [Cut("kill", call, n) for call, ordinals in found.items() for n in ordinals]
    assert {cut.call for cut in cuts} >= {"mkdir", "openat", "write", "fsync", "linkat"}
    for cut in cuts:
        path.unlink(missing_ok=True)
        yard.run(cut.wrapping(command))
        left = list(path.parent.iterdir()) if path.parent.is_dir() else []
        assert left in ([], [path]), cut
        assert left == [] or path.read_bytes() == b"secret", cut


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR])
def test_where_no_file_can_be_without_a_name_it_has_one_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened = os.open

    def without_unnamed(path: Path, flags: int, *mode: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(number, os.strerror(number))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", without_unnamed)
    files.write_private(tmp_path / "kek", b"secret", new=True)
    assert (tmp_path / "kek").read_bytes() == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["kek"]
    with pytest.raises(StateForbids, match="is there already"):
        files.write_private(tmp_path / "kek", b"other", new=True)
    assert (tmp_path / "kek").read_bytes() == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["kek"]


def test_where_no_proc_is_mounted_it_has_one_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = os.link

    def without_proc(source: str | Path, path: Path, **how: object) -> None:
        if str(source).startswith("/proc/"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))
        linked(source, path, **how)  # type: ignore[arg-type]  # what the caller gave

    monkeypatch.setattr(os, "link", without_proc)
    files.write_private(tmp_path / "kek", b"secret", new=True)
    assert [path.name for path in tmp_path.iterdir()] == ["kek"]
    assert (tmp_path / "kek").stat().st_mode & 0o777 == files.FILE_MODE

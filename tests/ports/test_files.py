"""Private files are private from their first moment, whole or not there, and never written through a link."""

import errno
import os
import stat
from pathlib import Path

import pytest

from jwturn.core.errors import FatalStorage, NotFound, NotPermitted, StateForbids, Unavailable
from jwturn.ports import files


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def any_umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.usefixtures("any_umask")
def test_a_private_file_and_its_directories_are_private_whatever_the_umask(tmp_path):
    path = tmp_path / "a" / "b" / "kek"
    files.write_private(path, b"secret")
    assert files.read_private(path) == b"secret"
    assert [mode(p) for p in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]


@pytest.mark.usefixtures("any_umask")
def test_a_file_opened_for_appending_is_made_private(tmp_path):
    os.close(files.open_private(tmp_path / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    assert mode(tmp_path / "log") == 0o600


def test_a_directory_that_is_there_keeps_its_mode(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    files.write_private(tmp_path / "open" / "x", b"")
    assert mode(tmp_path / "open") == 0o755


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "x"
    files.write_private(path, b"long before")
    files.write_private(path, b"after")
    assert path.read_bytes() == b"after"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_new_file_never_replaces_one(tmp_path):
    path = tmp_path / "x"
    files.write_private(path, b"first", new=True)
    with pytest.raises(StateForbids, match="is there already"):
        files.write_private(path, b"second", new=True)
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x"
    files.write_private(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="disk full") as refused:
        files.write_private(path, b"new")
    assert (refused.value.code, path.read_bytes()) == ("disk_full", b"old")
    assert "df -h" in refused.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_an_fsync_that_fails_with_eio_is_fatal(tmp_path, monkeypatch):
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(FatalStorage, match="EIO"):
        files.write_private(tmp_path / "x", b"new")
    assert not isinstance(FatalStorage("x"), Exception)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path, bits):
    path = tmp_path / "kek"
    files.write_private(path, b"secret")
    path.chmod(bits)
    with pytest.raises(NotPermitted, match=f"mode 0{bits:o}") as refused:
        files.read_private(path)
    assert "chmod 600" in refused.value.hint
    with pytest.raises(NotPermitted):
        files.open_private(path, os.O_RDWR | os.O_CREAT)


def test_a_symbolic_link_is_not_followed(tmp_path):
    files.write_private(tmp_path / "real", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for call in (
        lambda: files.read_private(tmp_path / "link"),
        lambda: files.open_private(tmp_path / "link", os.O_RDWR | os.O_CREAT),
    ):
        with pytest.raises(NotPermitted, match="symbolic link"):
            call()


def test_a_dangling_link_is_not_filled(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotPermitted, match="symbolic link"):
        files.open_private(tmp_path / "link", os.O_RDWR | os.O_CREAT)
    files.write_private(tmp_path / "link", b"x")
    assert not (tmp_path / "elsewhere").exists()


def test_only_a_plain_file_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(NotPermitted, match="not a plain file"):
            files.read_private(tmp_path / name)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="there is no file"):
        files.read_private(tmp_path / "x")
    with pytest.raises(NotFound):
        files.open_private(tmp_path / "x", os.O_RDONLY)


def test_a_file_over_the_limit_is_refused(tmp_path):
    files.write_private(tmp_path / "x", bytes(11))
    assert files.read_private(tmp_path / "x", limit=11) == bytes(11)
    with pytest.raises(NotPermitted, match="larger than 10"):
        files.read_private(tmp_path / "x", limit=10)


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises((StateForbids, Unavailable), match="x"):
        files.write_private(tmp_path / "x" / "y", b"")


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOENT, NotFound, "not_found"),
        (errno.EACCES, NotPermitted, "not_permitted"),
        (errno.EROFS, NotPermitted, "not_permitted"),
        (errno.ELOOP, NotPermitted, "not_private"),
        (errno.ENOSPC, Unavailable, "disk_full"),
        (errno.EDQUOT, Unavailable, "disk_full"),
        (errno.EEXIST, StateForbids, "state_forbids"),
        (errno.EMFILE, Unavailable, "unavailable"),
    ],
)
def test_what_the_system_refuses_is_said_with_a_way_out(number, kind, code):
    error = files.cannot(Path("/tmp/x/kek"), OSError(number, os.strerror(number)))
    assert (type(error), error.code) == (kind, code)
    assert "kek" in error.message
    assert error.hint


def test_a_directory_in_a_file_is_refused_when_no_directory_can_be_made(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises((StateForbids, Unavailable), match="x"):
        files.make_private_dir(tmp_path / "x")

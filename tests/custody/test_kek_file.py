"""KEK files: made once, private, and never replaced by a new one when they are missing or damaged."""

import os
import re
import stat
from pathlib import Path

import pytest

from jwturn.core.errors import CustodyError, JwturnError, StateForbids
from jwturn.core.secret import Secret
from jwturn.custody.kek.file import create_file, open_file
from jwturn.custody.kek.local import LocalKek, key_line, read_line
from jwturn.custody.uri import SecretSource, open_kek

KEY = Secret(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".jwturn" / "kek"


def test_a_new_file_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        create_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_new_file_is_one_line_of_text(path: Path) -> None:
    create_file(path)
    assert re.fullmatch(rb"jwturn-kek-1 [A-Za-z0-9_-]{43} [0-9a-f]{8}\n", path.read_bytes())


def test_no_two_new_files_are_alike(path: Path) -> None:
    assert create_file(path).fingerprint != create_file(path.with_name("other")).fingerprint


def test_a_file_is_never_made_over_another(path: Path) -> None:
    create_file(path)
    before = path.read_bytes()
    with pytest.raises(StateForbids):
        create_file(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["kek"]


def test_a_missing_file_is_refused_and_none_is_made(path: Path) -> None:
    with pytest.raises(CustodyError) as refused:
        open_kek(f"file:{path}", secrets=SecretSource())
    assert str(path) in refused.value.message
    assert "no new one was made" in refused.value.hint
    assert not path.parent.exists()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o644, 0o666])
def test_a_file_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    create_file(path)
    path.chmod(mode)
    with pytest.raises(CustodyError) as refused:
        open_file(path)
    assert f"{mode:04o}" in refused.value.message
    assert "chmod 600" in refused.value.hint


def test_a_directory_is_no_kek(tmp_path: Path) -> None:
    with pytest.raises(CustodyError):
        open_file(tmp_path)


def line() -> bytes:
    return key_line(KEY)


MALFORMED = {
    "empty": b"",
    "truncated": line()[:-6],
    "cut in the key": line()[:30] + line()[-10:],
    "one character of the key changed": line().replace(b"AAEC", b"BAEC"),
    "one character of the checksum changed": line()[:-2] + (b"0" if line()[-2:-1] != b"0" else b"1") + b"\n",
    "another version": line().replace(b"jwturn-kek-1", b"jwturn-kek-2"),
    "another key, well formed but of 16 bytes": key_line(Secret(bytes(16))),
    "two lines": line() * 2,
    "raw bytes": bytes(range(32)),
    "a database": b"SQLite format 3\0" + bytes(100),
    "a byte order mark": b"\xef\xbb\xbf" + line(),
    "a PEM": b"-----BEGIN PRIVATE KEY-----\n",
    "far too long": b"x" * 300,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_damaged_file_is_refused_and_left_alone(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(data)
    for create in (False, True):
        with pytest.raises(CustodyError) as refused:
            open_kek(f"file:{path}", secrets=SecretSource(), create=create)
        assert refused.value.hint
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"SQLite format 3\0" + bytes(100)])
def test_a_database_is_named_as_such(data: bytes) -> None:
    with pytest.raises(CustodyError, match="a KEK lies outside of what it protects"):
        read_line(data, "KEK file x")


@pytest.mark.parametrize("data", [line().replace(b"AAEC", b"BAEC"), line()[:-6], key_line(Secret(bytes(16)))])
def test_a_refusal_does_not_repeat_the_key(data: bytes) -> None:
    with pytest.raises(JwturnError) as refused:
        read_line(data, "KEK file x")
    said = repr((refused.value, refused.value.__cause__, refused.value.hint, refused.value.details))
    assert data.split(b" ")[1][:8].decode() not in said


def test_a_line_without_its_line_end_is_read() -> None:
    assert read_line(line().rstrip(), "x").fingerprint == LocalKek(KEY).fingerprint


def test_a_full_disk_leaves_no_half_written_kek(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path.parent.mkdir(mode=0o700)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JwturnError) as refused:
        create_file(path)
    assert refused.value.exit_code == 69
    assert list(path.parent.iterdir()) == []


def test_a_kek_does_not_show_its_key() -> None:
    kek = LocalKek(Secret(b"canary-canary-canary-canary-cana"))
    assert "canary" not in repr(kek)
    assert b"canary".hex() not in repr(kek)
    assert not hasattr(kek, "__dict__")

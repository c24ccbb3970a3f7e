"""Credentials that systemd hands over."""

from pathlib import Path

import pytest

from jwturn.core.errors import ConfigError, CustodyError
from jwturn.core.secret import Secret
from jwturn.custody.kek.local import LocalKek, key_line
from jwturn.custody.kek.systemd import open_credential

RAW = bytes(range(32))


def test_a_credential_of_32_bytes_is_the_key(tmp_path: Path) -> None:
    (tmp_path / "kek").write_bytes(RAW)
    assert open_credential("kek", tmp_path).fingerprint == LocalKek(Secret(RAW)).fingerprint


def test_a_credential_may_hold_a_kek_line(tmp_path: Path) -> None:
    (tmp_path / "kek").write_bytes(key_line(Secret(RAW)))
    assert open_credential("kek", tmp_path).fingerprint == LocalKek(Secret(RAW)).fingerprint


def test_every_byte_of_a_longer_credential_counts(tmp_path: Path) -> None:
    prints = set()
    for end in (b"", b"a", b"b"):
        (tmp_path / "kek").write_bytes(RAW + end)
        prints.add(open_credential("kek", tmp_path).fingerprint)
    assert len(prints) == 3


@pytest.mark.parametrize("data", [b"", RAW[:31], key_line(Secret(RAW))[:-3]])
def test_a_credential_that_is_no_key_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "kek").write_bytes(data)
    with pytest.raises(CustodyError, match="credential kek") as refused:
        open_credential("kek", tmp_path)
    assert refused.value.hint


def test_a_huge_credential_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kek").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(CustodyError):
        open_credential("kek", tmp_path)


def test_without_a_credentials_directory_the_unit_is_named() -> None:
    with pytest.raises(CustodyError) as refused:
        open_credential("jwturn-kek", None)
    assert "LoadCredentialEncrypted=jwturn-kek" in refused.value.hint


def test_a_missing_credential_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CustodyError, match="credential kek cannot be read"):
        open_credential("kek", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", ".", "../kek", "a/b", "/etc/passwd", "a\0b", "x" * 256])
def test_a_name_does_not_leave_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        open_credential(name, tmp_path / "below")

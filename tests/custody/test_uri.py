"""KEK providers by URI."""

import subprocess
import sys
from pathlib import Path

import pytest

from jwturn.core.errors import ConfigError, CustodyError, WeakKey
from jwturn.core.secret import Secret
from jwturn.custody.integrity import new_integrity
from jwturn.custody.uri import SecretSource, open_kek

WORDS = b"correct horse battery staple"
NOTHING = SecretSource()


def test_a_file_is_made_only_for_a_new_store(tmp_path: Path) -> None:
    uri = f"file:{tmp_path / 'kek'}"
    with pytest.raises(CustodyError):
        open_kek(uri, secrets=NOTHING)
    assert not (tmp_path / "kek").exists()
    made = open_kek(uri, secrets=NOTHING, create=True)
    assert open_kek(uri, secrets=NOTHING).fingerprint == made.fingerprint


def test_a_file_that_is_there_serves_a_new_store(tmp_path: Path) -> None:
    uri = f"file://{tmp_path / 'kek'}"
    made = open_kek(uri, secrets=NOTHING, create=True)
    assert open_kek(uri, secrets=NOTHING, create=True).fingerprint == made.fingerprint


def test_a_link_to_nowhere_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "kek").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CustodyError):
        open_kek(f"file:{tmp_path / 'kek'}", secrets=NOTHING, create=True)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("fil:.jwturn/kek", "did you mean file?"),
        ("passphrse:", "did you mean passphrase?"),
        ("awskms:alias/x", "one of file, passphrase, systemd"),
        (".jwturn/kek", "one of file, passphrase, systemd"),
        ("", "one of file, passphrase, systemd"),
    ],
)
def test_an_unknown_scheme_names_the_nearest(uri: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_kek(uri, secrets=NOTHING)
    assert refused.value.hint.startswith(hint)
    assert refused.value.code == "unknown_kek"


def test_a_file_uri_without_path_is_refused() -> None:
    with pytest.raises(ConfigError):
        open_kek("file:", secrets=NOTHING, create=True)


def test_systemd_looks_only_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "k").write_bytes(bytes(range(32)))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(CustodyError):
        open_kek("systemd:k", secrets=NOTHING, create=True)
    assert open_kek("systemd:k", secrets=SecretSource(credentials=tmp_path)).fingerprint


def test_a_passphrase_file_ends_before_its_line_end(tmp_path: Path) -> None:
    given = open_kek("passphrase:", secrets=SecretSource(passphrase=Secret(WORDS)), create=True)
    wraps = new_integrity("store-1", [given]).wraps
    for end in (b"", b"\n", b"\r\n"):
        path = tmp_path / "words"
        path.touch(mode=0o600)
        path.write_bytes(WORDS + end)
        assert open_kek(f"passphrase:{path}", secrets=NOTHING, wraps=wraps).fingerprint == given.fingerprint


def test_a_passphrase_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(WORDS)
    path.chmod(0o644)
    with pytest.raises(CustodyError, match="passphrase file"):
        open_kek(f"passphrase:{path}", secrets=NOTHING, create=True)


def test_a_prompt_is_told_whether_the_passphrase_is_new() -> None:
    asked = []

    def prompt(new: bool) -> Secret:
        asked.append(new)
        return Secret(WORDS)

    source = SecretSource(prompt=prompt)
    made = open_kek("passphrase:", secrets=source, create=True)
    wraps = new_integrity("store-1", [made]).wraps
    assert open_kek("passphrase:", secrets=source, wraps=wraps).fingerprint == made.fingerprint
    assert asked == [True, False]


def test_a_passphrase_that_nobody_gives_is_refused() -> None:
    with pytest.raises(CustodyError) as refused:
        open_kek("passphrase:", secrets=NOTHING, create=True)
    assert "JWTURN_STORE__KEK_PASSPHRASE_FILE" in refused.value.hint


def test_an_empty_passphrase_makes_no_store() -> None:
    with pytest.raises(WeakKey):
        open_kek("passphrase:", secrets=SecretSource(passphrase=Secret(b"")), create=True)


def test_a_passphrase_without_a_store_opens_nothing() -> None:
    with pytest.raises(CustodyError, match="needs KEK none"):
        open_kek("passphrase:", secrets=SecretSource(passphrase=Secret(WORDS)))


def test_a_source_does_not_show_its_passphrase() -> None:
    assert "horse" not in repr(SecretSource(passphrase=Secret(WORDS)))


def test_a_provider_is_imported_when_it_is_asked_for() -> None:
    listing = "[name for name in sys.modules if name.startswith('jwturn.custody.kek.')]"
    code = f"import sys, jwturn.custody.uri; print({listing})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

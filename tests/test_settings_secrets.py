"""Settings that are secret: where they may come from, that one source is enough, and that none shows."""

from pathlib import Path

import pytest

from jwturn.core.errors import ConfigError
from jwturn.settings import Settings, load

WORDS = "correct horse battery staple"
PASSPHRASE = "JWTURN_STORE__KEK_PASSPHRASE"


def write(folder: Path, text: str, name: str = "jwturn.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def origin(settings: Settings, key: str) -> str:
    return next(line.origin for line in settings.describe() if line.key == key)


def value(settings: Settings, key: str) -> str:
    return next(line.value for line in settings.describe() if line.key == key)


def refused(environ: dict[str, str], cwd: Path, **options: object) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        load(environ, cwd=cwd, **options)  # type: ignore[arg-type]  # the options of load
    assert error.value.hint
    assert error.value.exit_code == 65
    return error.value


def test_a_passphrase_comes_from_a_private_file(tmp_path: Path) -> None:
    private(tmp_path / "words", f"{WORDS}\n")
    settings = load({"JWTURN_STORE__KEK": "passphrase:", f"{PASSPHRASE}_FILE": "words"}, cwd=tmp_path)
    assert settings.store.kek_passphrase is not None
    assert settings.store.kek_passphrase.reveal() == WORDS.encode()
    assert origin(settings, "store.kek_passphrase") == f"{PASSPHRASE}_FILE"
    assert settings.warnings == ()


def test_a_passphrase_comes_from_a_credential(tmp_path: Path) -> None:
    (tmp_path / "kek_passphrase").write_text(WORDS)
    environ = {"JWTURN_STORE__KEK": "passphrase:", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = load(environ, cwd=tmp_path)
    assert settings.store.kek_passphrase is not None
    assert settings.store.kek_passphrase.reveal() == WORDS.encode()
    assert origin(settings, "store.kek_passphrase") == "credential kek_passphrase"
    assert settings.credentials == tmp_path


def test_a_passphrase_in_the_environment_warns(tmp_path: Path) -> None:
    settings = load({"JWTURN_STORE__KEK": "passphrase:", PASSPHRASE: WORDS}, cwd=tmp_path)
    assert settings.store.kek_passphrase is not None
    assert [PASSPHRASE in warning for warning in settings.warnings] == [True]
    assert WORDS not in "".join(settings.warnings)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "words", WORDS)
    private(tmp_path / "kek_passphrase", WORDS)
    ways = {
        PASSPHRASE: WORDS,
        f"{PASSPHRASE}_FILE": str(tmp_path / "words"),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    for left_out in ways:
        environ = {name: way for name, way in ways.items() if name != left_out}
        error = refused(environ | {"JWTURN_STORE__KEK": "passphrase:"}, tmp_path)
        assert "more than once" in error.message
        assert WORDS not in repr(error)


@pytest.mark.parametrize("kek", ["file:.jwturn/kek", "passphrase:words"])
def test_a_passphrase_that_nobody_asks_for_is_refused(tmp_path: Path, kek: str) -> None:
    assert "does not ask for it" in refused({"JWTURN_STORE__KEK": kek, PASSPHRASE: WORDS}, tmp_path).message


def test_a_secret_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "words", WORDS).chmod(0o640)
    error = refused({"JWTURN_STORE__KEK": "passphrase:", f"{PASSPHRASE}_FILE": "words"}, tmp_path)
    assert "chmod 600" in error.hint


def test_a_secret_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert f"{PASSPHRASE}_FILE" in refused({f"{PASSPHRASE}_FILE": "words"}, tmp_path).message


def test_a_secret_in_the_settings_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, f'[store]\nkek = "passphrase:"\nkek_passphrase = "{WORDS}"\n')
    error = refused({}, tmp_path)
    assert error.hint == f"{PASSPHRASE}_FILE names a file"
    assert WORDS not in f"{error!r} {error.hint}"


def test_secrets_and_passwords_are_masked(tmp_path: Path) -> None:
    environ = {
        "JWTURN_STORE__URI": "postgresql://jwturn:hunter2@db/jwturn",
        "JWTURN_STORE__KEK": "passphrase:",
        PASSPHRASE: WORDS,
    }
    settings = load(environ, cwd=tmp_path)
    assert value(settings, "store.uri") == "postgresql://jwturn:***@db/jwturn"
    assert value(settings, "store.kek_passphrase") == "***"
    assert settings.store.uri.count("hunter2") == 1
    for shown in (repr(settings), repr(settings.describe())):
        assert "hunter2" not in shown
        assert "horse" not in shown

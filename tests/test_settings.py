"""Settings: precedence, origins, secrets, and what is refused."""

import os
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from jwturn.core.errors import ConfigError
from jwturn.core.policy import RotationPolicy
from jwturn.core.policy_text import contradictions
from jwturn.settings import ServiceSettings, Settings, load, to_toml

WORDS = "correct horse battery staple"
PASSPHRASE = "JWTURN_STORE__KEK_PASSPHRASE"


def write(folder: Path, text: str, name: str = "jwturn.toml") -> Path:
    path = folder / name
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


def test_without_a_file_the_defaults_lie_in_the_working_directory(tmp_path: Path) -> None:
    settings = load({}, cwd=tmp_path)
    assert settings.store.uri == f"sqlite:///{tmp_path}/.jwturn/jwturn.db"
    assert settings.store.kek == f"file:{tmp_path}/.jwturn/kek"
    assert settings.store.witness == f"{tmp_path}/.jwturn/witness"
    assert settings.store.tick_cap == timedelta(seconds=60)
    assert settings.service == ServiceSettings()
    assert (settings.service.host, settings.service.port) == ("127.0.0.1", 8470)
    assert settings.file is None
    assert {line.origin for line in settings.describe()} == {"default"}


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    load({}, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = write(folder, '[store]\nkek = "file:keys/kek"\nuri = "sqlite:////var/lib/j.db"\n')
    settings = load({}, config=path, cwd=tmp_path)
    assert settings.store.kek == f"file:{folder}/keys/kek"
    assert settings.store.uri == "sqlite:////var/lib/j.db"
    assert settings.store.witness == f"{folder}/.jwturn/witness"
    assert settings.folder == folder
    assert settings.file == path


@pytest.mark.parametrize("kek", ["systemd:jwturn-kek", "passphrase:", "awskms:alias/jwturn"])
def test_a_kek_that_is_no_path_stays_as_it_is(tmp_path: Path, kek: str) -> None:
    write(tmp_path, f'[store]\nkek = "{kek}"\n')
    assert load({}, cwd=tmp_path).store.kek == kek


def test_the_named_file_is_the_one_that_is_read(tmp_path: Path) -> None:
    for name, port in (("jwturn.toml", 1), ("variable.toml", 2), ("option.toml", 3)):
        write(tmp_path, f"[service]\nport = {port}\n", name)
    environ = {"JWTURN_CONFIG": "variable.toml"}
    assert load({}, cwd=tmp_path).service.port == 1
    assert load(environ, cwd=tmp_path).service.port == 2
    assert load(environ, cwd=tmp_path, config=Path("option.toml")).service.port == 3


def test_a_named_file_that_is_missing_is_refused_but_to_init(tmp_path: Path) -> None:
    assert "nowhere.toml" in refused({"JWTURN_CONFIG": "nowhere.toml"}, tmp_path).message
    settings = load({}, cwd=tmp_path, config=Path("new/jwturn.toml"), new=True)
    assert settings.folder == tmp_path / "new"
    assert settings.file is None


def test_a_variable_wins_over_the_file_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, '[service]\nport = 9000\nring = "web"\n')
    settings = load({"JWTURN_SERVICE__PORT": "9001"}, cwd=tmp_path)
    assert (settings.service.port, settings.service.ring) == (9001, "web")
    assert origin(settings, "service.port") == "JWTURN_SERVICE__PORT"
    assert origin(settings, "service.ring") == str(path)
    assert origin(settings, "service.host") == "default"


def test_every_key_has_a_variable(tmp_path: Path) -> None:
    environ = {
        "JWTURN_STORE__URI": "memory:",
        "JWTURN_STORE__KEK": "passphrase:",
        "JWTURN_STORE__WITNESS": "w",
        "JWTURN_STORE__TICK_CAP": "5s",
        "JWTURN_SERVICE__ISSUER": "https://auth.example.com",
        "JWTURN_SERVICE__RING": "web",
        "JWTURN_SERVICE__HOST": "::1",
        "JWTURN_SERVICE__PORT": "1",
        "JWTURN_SERVICE__INSECURE_BIND": "true",
        "JWTURN_SERVICE__BODY_MAX": "2",
        "JWTURN_SERVICE__RATE_MAX": "3",
        "JWTURN_SERVICE__CONCURRENCY_MAX": "4",
        "JWTURN_SERVICE__BATCH_MAX": "5",
        "JWTURN_SERVICE__DEFAULT_TOKEN_TTL": "6s",
    }
    settings = load(environ | {PASSPHRASE: WORDS}, cwd=tmp_path)
    assert {line.origin for line in settings.describe()} == environ.keys() | {PASSPHRASE}
    assert settings.service == ServiceSettings(
        issuer="https://auth.example.com",
        ring="web",
        host="::1",
        port=1,
        insecure_bind=True,
        body_max=2,
        rate_max=3,
        concurrency_max=4,
        batch_max=5,
        default_token_ttl=timedelta(seconds=6),
    )


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    environ = {"JWTURN_PORT": "tcp://10.0.0.1:8470", "JWTURN_SERVICE_HOST": "10.0.0.1", "OTHER__X": "1"}
    assert load(environ, cwd=tmp_path) == load({}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[service]\nprot = 1\n", "did you mean port?"),
        ("[servce]\nport = 1\n", "did you mean service?"),
        ("[store]\nkekk = 'x'\n", "did you mean kek?"),
        ("[rings.web]\nrotate_evry = '1h'\n", "did you mean rotate_every?"),
        ("port = 1\n", "one of store, service, rings"),
    ],
)
def test_an_unknown_key_of_the_file_names_the_nearest(tmp_path: Path, text: str, hint: str) -> None:
    path = write(tmp_path, text)
    error = refused({}, tmp_path)
    assert error.hint == hint
    assert str(path) in error.message


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("JWTURN_SERVICE__PROT", "did you mean port?"),
        ("JWTURN_SERVCE__PORT", "did you mean service?"),
        ("JWTURN_RINGS__WEB__ROTATE_EVRY", "did you mean rotate_every?"),
        ("JWTURN_RINGS__WEB", "[rings.NAME], rotate_every = ..."),
    ],
)
def test_an_unknown_variable_names_the_nearest(tmp_path: Path, variable: str, hint: str) -> None:
    error = refused({variable: "1"}, tmp_path)
    assert error.hint == hint
    assert variable in error.message


@pytest.mark.parametrize(
    "text",
    [
        "[service\n",
        "[service]\nport = 1\nport = 2\n",
        "service = 1\n",
        "[rings]\nweb = 1\n",
        "[service.port]\nx = 1\n",
        "[service]\nport = '1.5'\n",
        "[service]\nport = true\n",
        "[service]\nport = 65536\n",
        "[service]\nbody_max = 0\n",
        "[service]\nrate_max = 0\n",
        "[service]\nring = ''\n",
        "[service]\ndefault_token_ttl = '10ms'\n",
        "[service]\ndefault_token_ttl = 10\n",
        "[store]\ntick_cap = '0s'\n",
        "[rings.web]\nrotate_every = 12\n",
        "[rings.web.deeper]\nx = 1\n",
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    refused({}, tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwturn.toml").write_bytes(b"\xff\xfe[\0")
    assert "is not UTF-8" in refused({}, tmp_path).message


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwturn.toml").write_text("a = " + "[" * 100_000)
    assert "nested too deep" in refused({}, tmp_path).message


def test_a_device_or_a_pipe_is_no_settings_file(tmp_path: Path) -> None:
    """They would be read for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="not a plain file"):
            load({}, cwd=tmp_path, config=path)
    with pytest.raises(ConfigError, match="is a directory"):
        load({}, cwd=tmp_path, config=tmp_path)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "jwturn.toml").write_text("#" * (1 << 20) + "\n")
    assert "larger than" in refused({}, tmp_path).message


def test_a_path_with_a_nul_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwturn.toml").write_text('[store]\nuri = "sqlite:///a\\u0000b"\n')
    assert "NUL" in refused({}, tmp_path).message


def test_a_working_directory_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="working directory is gone"):
        load({})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "auth.example.com"])
def test_a_host_that_others_reach_needs_a_word(tmp_path: Path, host: str) -> None:
    environ = {"JWTURN_SERVICE__HOST": host}
    assert host in refused(environ, tmp_path).message
    assert load(environ | {"JWTURN_SERVICE__INSECURE_BIND": "true"}, cwd=tmp_path).service.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_word(tmp_path: Path, host: str) -> None:
    assert load({"JWTURN_SERVICE__HOST": host}, cwd=tmp_path).service.host == host


@pytest.mark.parametrize(
    "store",
    [
        {"KEK": "file:.jwturn/jwturn.db"},
        {"KEK": "file:./x/../.jwturn/jwturn.db"},
        {"WITNESS": ".jwturn/kek"},
        {"URI": "sqlite:///.jwturn/witness"},
    ],
)
def test_the_kek_lies_outside_of_the_database(tmp_path: Path, store: dict[str, str]) -> None:
    error = refused({f"JWTURN_STORE__{name}": uri for name, uri in store.items()}, tmp_path)
    assert "outside" in error.hint


def test_rings_declare_policy_fields(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[rings.web]\nrotate_every = "30d"\nverifiers = ["jose", "pyjwt"]\nrsa_bits = 2048\n'
    )
    settings = load({"JWTURN_RINGS__WEB__ROTATE_EVERY": "12h"}, cwd=tmp_path)
    assert dict(settings.rings["web"]) == {
        "rotate_every": "12h",
        "verifiers": ["jose", "pyjwt"],
        "rsa_bits": 2048,
    }
    assert value(settings, "rings.web.verifiers") == "jose,pyjwt"
    assert origin(settings, "rings.web.verifiers") == str(path)
    assert origin(settings, "rings.web.rotate_every") == "JWTURN_RINGS__WEB__ROTATE_EVERY"
    assert contradictions(RotationPolicy(), settings.rings["web"])[0] == (
        "rotate_every: the settings say 12h, the ring has 90d"
    )


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    write(tmp_path, '[rings.web]\nrotate_every = "30d"\n')
    settings = load({}, cwd=tmp_path)
    with pytest.raises(TypeError):
        settings.rings["web"]["rotate_every"] = "1h"  # type: ignore[index]  # that is what is tried
    with pytest.raises(AttributeError):
        settings.service.port = 1  # type: ignore[misc]  # that is what is tried


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    ring = 'a "quoted" ring.with\\ dots\x7f\n'
    text = to_toml(
        {
            "store": {"kek": "file:keys/kek", "tick_cap": timedelta(seconds=1.5)},
            "service": {"port": 9000, "insecure_bind": False, "issuer": "https://auth.example.com/é"},
            f"rings.{ring}": {"verifiers": ("jose", "haproxy:24h"), "clock_rate_error": 0.01},
        }
    )
    write(tmp_path, text)
    settings = load({}, cwd=tmp_path)
    assert settings.store.tick_cap == timedelta(seconds=1.5)
    assert (settings.service.port, settings.service.issuer) == (9000, "https://auth.example.com/é")
    assert settings.rings[ring]["verifiers"] == ["jose", "haproxy:24h"]
    assert tomllib.loads(text)["rings"][ring]["clock_rate_error"] == 0.01


def test_a_written_file_reads_well() -> None:
    assert to_toml({"store": {"kek": "file:.jwturn/kek"}, "rings.default": {"rotate_every": "12h"}}) == (
        '[store]\nkek = "file:.jwturn/kek"\n\n[rings.default]\nrotate_every = "12h"\n'
    )

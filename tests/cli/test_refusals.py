"""Every refusal a person can cause: its exit code, its words, its hint; and nothing was changed by it."""

import resource
import secrets
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.stage import Done, Stage

LEAD = (
    "error: rotate_every (12h) must exceed the lead (24h 41m 58s)\n"
    "       the lead is set by verifier_ttl_max = 24h (no verifiers declared)\n"
    'hint:  declare them: verifiers = ["jose", "pyjwt"] gives a lead of 49m 6s\n'
)
CLAIMS = [
    (b'{"iss": "https://evil.example"}', "iss"),
    (b'{"exp": 99999999999}', "exp"),
    (b'{"iat": 1}', "iat"),
    (b'{"nbf": 1}', "nbf"),
    (b'{"jti": "mine"}', "jti"),
]
MALFORMED = [
    b"",
    b"{",
    b"[]",
    b'"alice"',
    b'{"sub": "a", "sub": "b"}',
    b'{"n": NaN}',
    b"\xff\xfe{}",
    b'{"sub": 1}',
    b"[" * 40 + b"]" * 40,
]
NO_KEYS = [
    (b"", "not a key file"),
    (b"hello", "not a key file"),
    (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here", "an SSH public key"),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "CERTIFICATE"),
    (b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}', "x"),
    (b"eyJhbGciOiJub25lIn0.e30.", "a token"),
]


def refused(done: Done, code: int, *words: str) -> None:
    """The call ended with `code`, printed no result, and said the words and a hint."""
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "\nhint:  " in done.err
    for word in words:
        assert word in done.err


def state(stage: Stage) -> str:
    """Everything that a refused command must not change."""
    return stage.jwturn("status", "--json").out + stage.jwturn("audit", "verify", "--json").out


@pytest.mark.parametrize("verb", [("plan", "--set"), ("policy", "set")])
def test_a_policy_that_breaks_the_theorem_is_refused_with_the_numbers(
    empty: Stage, verb: tuple[str, ...]
) -> None:
    empty.init("--issuer", "https://auth.example.com")
    before = state(empty)
    done = empty.jwturn(*verb, "rotate_every=12h")
    assert (done.code, done.out, done.err) == (65, "", LEAD)
    assert state(empty) == before


def test_a_store_is_not_made_for_a_policy_that_breaks_the_theorem(empty: Stage) -> None:
    refused(empty.jwturn("init", "--offline", "--set", "rotate_every=12h"), 65, "24h 41m 58s", "49m 6s")
    assert list(empty.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--alg", "none"), "unknown algorithm 'none'"),
        (("--preset", "hourly"), "there is no policy preset 'hourly'"),
        (("--set", "verifiers=nginx"), "there is no verifier profile 'nginx'"),
        (("--kek", "vault:x"), "there is no KEK provider 'vault'"),
        (("--kek", "systemd:jwturn"), "systemd"),
        (("--kek", "passphrase:"), "passphrase"),
        (("--tick-cap", "1d"), "ten ticks"),
    ],
)
def test_what_init_refuses_leaves_nothing_behind(
    empty: Stage, arguments: tuple[str, ...], words: str
) -> None:
    done = empty.jwturn("init", "--offline", *arguments)
    refused(done, done.code, words)
    assert done.code in (65, 77)
    assert list(empty.folder.iterdir()) == []


def test_a_second_init_changes_nothing(stage: Stage) -> None:
    before, settings = state(stage), (stage.folder / "jwturn.toml").read_bytes()
    refused(stage.jwturn("init", "--offline"), 65, "already", "jwturn init --ring NAME")
    refused(stage.jwturn("init", "--offline", "--ring", "default"), 65, "already")
    refused(stage.jwturn("init", "--offline", "--ring", "default", "--alg", "EdDSA"), 65, "already")
    assert state(stage) == before
    assert (stage.folder / "jwturn.toml").read_bytes() == settings


def test_a_wrong_kek_is_named_with_the_right_one_and_nothing_is_created(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Stage(tmp_path_factory.mktemp("other"))
    other.init()
    shutil.copy(other.folder / ".jwturn/kek", stage.folder / ".jwturn/kek")
    before = (stage.folder / ".jwturn/jwturn.db").read_bytes()
    done = stage.jwturn("sign", "--claim", "sub=alice")
    refused(done, 77, "the KEK does not open this store: it needs ", ", given: ", "No new one was made")
    assert (stage.folder / ".jwturn/jwturn.db").read_bytes() == before


def test_a_missing_kek_is_an_error_and_never_a_new_key(stage: Stage) -> None:
    (stage.folder / ".jwturn/kek").unlink()
    for verb in ("status", "init", "serve"):
        refused(stage.jwturn(verb), 77, "there is no KEK file", "no new one was made")
    assert not (stage.folder / ".jwturn/kek").exists()


def test_a_kek_that_others_may_read_is_refused(stage: Stage) -> None:
    (stage.folder / ".jwturn/kek").chmod(0o644)
    refused(stage.jwturn("status"), 77, "may be read or written by others", "chmod 600")


def test_a_database_that_is_none_is_refused(stage: Stage) -> None:
    database = stage.folder / ".jwturn/jwturn.db"
    database.write_bytes(b"not a database at all" * 500)
    refused(stage.jwturn("status"), 69, "not a store", "restore a backup")
    database.unlink()
    database.mkdir()
    refused(stage.jwturn("status"), 77, "not a plain file")


def test_a_damaged_database_is_refused(stage: Stage) -> None:
    database = stage.folder / ".jwturn/jwturn.db"
    data = bytearray(database.read_bytes())
    data[4096:] = bytes(255 - byte for byte in data[4096:])
    database.write_bytes(data)
    refused(stage.jwturn("status"), 69, "damaged", "restore a backup")


def test_a_database_that_others_may_read_is_refused(stage: Stage) -> None:
    (stage.folder / ".jwturn/jwturn.db").chmod(0o666)
    refused(stage.jwturn("status"), 77, "may be read or written by others", "chmod 600")


@pytest.mark.parametrize("bytes_left", [0, 2_000, 40_000])
def test_a_full_disk_is_said_and_the_next_init_goes_on(stage: Stage, bytes_left: int) -> None:
    folder = stage.folder / "another"
    folder.mkdir()
    command = [sys.executable, "-m", "jwturn.cli.main", "init", "--offline", "--issuer", "https://x.example"]
    code = (
        f"import sys; sys.argv[0] = 'jwturn'; from jwturn.cli.main import run; sys.exit(run({command[3:]!r}))"
    )

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        preexec_fn=small,
        check=False,
    )
    assert (done.returncode, done.stdout) == (69, "")
    assert "disk full" in done.stderr
    assert "hint:  free some space" in done.stderr
    assert not (folder / "jwturn.toml").exists()
    again = Stage(folder)
    again.init("--issuer", "https://x.example")
    assert again.jwturn("status").code == 0


def test_a_restored_older_database_refuses_to_sign_until_recovered(stage: Stage) -> None:
    database, backup = stage.folder / ".jwturn/jwturn.db", stage.folder / "backup"
    shutil.copy(database, backup)
    active = stage.kids()[0]
    assert stage.jwturn("revoke", active, "--reason", "stolen", "--yes").code == 0
    shutil.copy(backup, database)
    for verb in (("sign", "--claim", "sub=a"), ("status",), ("jwks",), ("rotate",)):
        refused(stage.jwturn(*verb), 69, "older than its witness", "jwturn recover")
    refused(stage.jwturn("recover"), 65, "needs a reason")
    assert stage.jwturn("recover", "--reason", "the disk died").code == 0
    assert active not in stage.jwturn("jwks").out


@pytest.mark.parametrize(
    "verb",
    [
        ("keys",),
        ("plan",),
        ("rotate",),
        ("jwks",),
        ("events",),
        ("policy", "show"),
        ("sign", "--claim", "a=b"),
    ],
)
def test_an_unknown_ring_is_named(stage: Stage, verb: tuple[str, ...]) -> None:
    refused(stage.jwturn(*verb, "--ring", "ordres"), 65, "there is no ring ordres", "jwturn status")


@pytest.mark.parametrize(
    "verb", [("status",), ("sign", "--claim", "a=b"), ("serve",), ("doctor", "--ring", "x")]
)
def test_without_a_store_every_verb_says_how_to_make_one(empty: Stage, verb: tuple[str, ...]) -> None:
    done = empty.jwturn(*verb)
    assert done.code in (2, 65)
    assert "there is no store at sqlite://" in done.out + done.err
    assert "--init" in done.err or "jwturn init" in done.out + done.err
    assert list(empty.folder.iterdir()) == []


@pytest.mark.parametrize("ttl", ["2h", "61m", "500ms", "0s"])
def test_a_lifetime_beyond_the_policy_is_refused(stage: Stage, ttl: str) -> None:
    done = stage.jwturn("sign", "--claim", "sub=alice", "--ttl", ttl)
    refused(done, 65, "is not within 1s and 1h", "token_ttl_max")


@pytest.mark.parametrize(("claims", "name"), CLAIMS)
def test_claims_that_the_signer_sets_are_refused(stage: Stage, claims: bytes, name: str) -> None:
    refused(stage.jwturn("sign", stdin=claims), 65, name)


@pytest.mark.parametrize("claims", MALFORMED)
def test_claims_that_are_not_strict_json_are_refused(stage: Stage, claims: bytes) -> None:
    refused(stage.jwturn("sign", stdin=claims), 65)


def test_claims_above_the_limit_are_refused(stage: Stage) -> None:
    refused(stage.jwturn("sign", stdin=b'{"a": "' + b"x" * 70_000 + b'"}'), 65, "larger than 65536 bytes")
    refused(stage.jwturn("sign", stdin=b'{"a": "' + b"x" * 20_000 + b'"}'), 65)


@pytest.mark.parametrize(("data", "words"), NO_KEYS)
def test_a_key_file_that_is_none_is_refused(stage: Stage, data: bytes, words: str) -> None:
    before = state(stage)
    refused(stage.jwturn("import", "-", stdin=data), 65, words)
    assert state(stage) == before


def test_a_secret_does_not_enter_a_ring_of_key_pairs(stage: Stage) -> None:
    secret = secrets.token_bytes(48)
    done = stage.jwturn("import", "-", "--secret", "--alg", "HS256", stdin=secret)
    refused(done, 65, "does not fit ring default", "jwturn init --ring NAME")


def test_an_expired_token_is_refused_by_name(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=alice", "--ttl", "1m").out
    stage.clock.advance(timedelta(minutes=7))
    refused(stage.jwturn("verify", stdin=token.encode()), 65, "exp has passed", "get a new token")
    assert stage.jwturn("verify", "--at", "2030-01-01T00:00:30Z", stdin=token.encode()).code == 0


def test_settings_that_contradict_the_ring_are_refused_and_policy_set_still_works(stage: Stage) -> None:
    settings = stage.folder / "jwturn.toml"
    settings.write_text(settings.read_text() + '\n[rings.default]\nrotate_every = "30d"\n')
    refused(stage.jwturn("status"), 65, "the settings say 30d, the ring has 90d", "jwturn policy set")
    assert stage.jwturn("policy", "set", "rotate_every=30d").code == 0
    assert stage.jwturn("status").code == 0


def test_a_setting_that_does_not_exist_is_named_with_the_nearest(stage: Stage) -> None:
    settings = stage.folder / "jwturn.toml"
    settings.write_text(settings.read_text().replace("port =", "prt ="))
    refused(stage.jwturn("status"), 65, "there is no key service.prt", "did you mean port?")


@pytest.mark.parametrize(
    "arguments",
    [
        ("stauts",),
        ("revoke",),
        ("status", "--colour"),
        ("serve", "--port", "70000"),
        ("import", "-", "--as", "active"),
        ("verify", "-", "--at", "noon"),
        ("token", "new", "x", "--role", "root"),
        ("sign",),
    ],
)
def test_a_command_line_that_is_wrong_is_a_usage_error(stage: Stage, arguments: tuple[str, ...]) -> None:
    refused(stage.jwturn(*arguments, terminal=True), 64, "--help")


def test_a_misspelled_verb_is_named_with_the_nearest(empty: Stage) -> None:
    assert "did you mean status?" in empty.jwturn("stauts").err


@pytest.mark.parametrize("name", ["../up", "a b", "", "x" * 65])
def test_a_name_that_cannot_be_a_ring_is_refused(stage: Stage, name: str, tmp_path: Path) -> None:
    done = stage.jwturn("init", "--offline", "--ring", name)
    refused(done, 65)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".jwturn", "jwturn.toml"]

"""Closed and full streams, arguments that are no text, files in wrong places, an `init` that ended half-way.

Each is refused with what, why and the next command, and nothing is left half-made.
"""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from jwturn.compose import create_app
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy
from jwturn.settings import load
from tests.cli.stage import Stage

RUN = [sys.executable, "-c", "import sys; from jwturn.cli.main import main; sys.exit(main())"]


def shell(folder: Path, line: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    """A line of shell in which `jwturn` is ours."""
    script = f'jwturn() {{ "{RUN[0]}" -c "{RUN[2]}" "$@"; }}; {line}'
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=kept | environ, capture_output=True, timeout=60, check=False
    )


@pytest.fixture
def made(stage: Stage) -> Path:
    return stage.folder


def test_nothing_is_done_where_the_result_would_be_lost(stage: Stage) -> None:
    done = shell(stage.folder, "jwturn token new lost >&-")
    assert done.returncode == 64
    assert b"standard output is closed" in done.stderr
    assert "lost" not in stage.jwturn("token", "list").out


def test_closed_talk_and_input_are_no_descriptors_of_the_store(made: Path) -> None:
    assert shell(made, "jwturn status 2>&- <&-").returncode == 0
    assert shell(made, "jwturn revoke nobody --yes 2>&-").returncode == 65
    done = shell(made, "jwturn sign <&-")
    assert done.returncode == 64
    assert b"standard input is closed" in done.stderr
    assert (made / ".jwturn" / "jwturn.db").read_bytes().startswith(b"SQLite format 3\0")


def test_output_that_cannot_be_written_is_said(made: Path) -> None:
    done = shell(made, "jwturn status > /dev/full")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.splitlines()[0] == b"error: standard output: no space left on device"
    assert b"Exception" not in done.stderr


@pytest.mark.parametrize("argument", ["--ring $'\\xff'", "revoke $'\\xff' --yes", "--config $'\\xff\\xfe'"])
def test_an_argument_that_is_no_text_is_a_usage_error(made: Path, argument: str) -> None:
    done = shell(made, f"jwturn status {argument}")
    assert done.returncode == 64
    assert done.stderr.splitlines()[0] == b"error: an argument is not UTF-8 text"


def test_an_ascii_locale_is_enough(made: Path) -> None:
    done = shell(
        made, "jwturn init --ring web --offline --issuer https://b\xfccher.example", LANG="C", LC_ALL="C"
    )
    assert b"unexpected" not in done.stderr


def test_a_user_without_a_name_is_known_by_number(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_017)
    assert stage.jwturn("rotate", "--reason", "drill").code == 0
    assert "person:uid-2000000017@" in stage.jwturn("events").out


@pytest.mark.parametrize("number", ["-5", "x", "", "99999999999999999999"])
def test_an_event_number_that_is_none_is_a_usage_error(stage: Stage, number: str) -> None:
    assert stage.jwturn("events", f"--after={number}").code == 64
    assert stage.jwturn("events", f"--limit={number}").code == (0 if number.startswith("999") else 64)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "-x", "\x1b[2J", "a" * 65, "ü"])
def test_a_token_s_name_stands_in_logs_and_on_command_lines(stage: Stage, name: str) -> None:
    done = stage.jwturn("token", "new", "--", name)
    assert (done.code, done.out) == (65, "")
    assert "jwturn token new checkout" in done.err


def test_a_token_lives_a_second_or_more(stage: Stage) -> None:
    done = stage.jwturn("token", "new", "short", "--ttl", "0s")
    assert (done.code, done.out) == (65, "")
    assert "may never be used" in done.err


def test_an_init_that_ended_half_way_is_gone_on_with(empty: Stage) -> None:
    """The disk was full after the store was made, or after the ring was: the next one ends it."""
    create_app(load({}, cwd=empty.folder), clock=empty.clock).close()
    assert empty.init().code == 0
    assert len(empty.kids()) == 2
    assert empty.jwturn("init").code == 65


def test_a_ring_without_keys_is_no_ring_that_is_there(empty: Stage) -> None:
    app = create_app(load({}, cwd=empty.folder), clock=empty.clock)
    app.commands.add_ring(
        "default",
        issuer="https://a.example",
        policy=RotationPolicy(),
        actor=Actor("ann"),
        issuer_served=False,
    )
    app.close()
    assert empty.init().code == 0
    assert len(empty.kids()) == 2


def test_a_kek_that_somebody_else_laid_out_seals_no_new_store(
    empty: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert empty.init("--kek", "file:mine").code == 0
    (empty.folder / "other").mkdir()
    line = (empty.folder / "mine").read_bytes()
    planted = empty.folder / "other" / "kek"
    planted.touch(0o600)
    planted.write_bytes(line)
    if os.geteuid() == 0:
        os.chown(planted, 4711, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.setenv("JWTURN_STORE__URI", "sqlite:///other/jwturn.db")
    done = empty.jwturn("init", "--offline", "--kek", f"file:{planted}")
    assert done.code == 77
    assert "belongs to the user" in done.err
    assert not (empty.folder / "other" / "witness").exists()


@pytest.mark.parametrize(
    ("data", "alg"), [(b"k" * 32, "HS256"), (b"0" + b"k" * 63, "HS512"), (b"\x00\xff" * 24, "HS384")]
)
def test_a_secret_without_its_word_is_told_the_word(stage: Stage, data: bytes, alg: str) -> None:
    (stage.folder / "s").write_bytes(data)
    done = stage.jwturn("import", "s", "--alg", alg)
    assert done.code == 65
    assert f"hint:  if it holds the bytes of the secret: --secret --alg {alg}" in done.err


def test_an_export_never_follows_a_link(stage: Stage) -> None:
    (stage.folder / "link").symlink_to(stage.folder / "elsewhere")
    before = stage.jwturn("events").out
    done = stage.jwturn(
        "export", "--private", "--i-want-the-private-key", "--unencrypted", "--reason", "r", "--out", "link"
    )
    assert done.code == 65
    assert "is there already" in done.err
    assert not (stage.folder / "elsewhere").exists()
    assert stage.jwturn("events").out == before, "what cannot be written is not said to have left"


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"[store]\n", b"{}", b'{"store":1,"heads":[]}', b"{" * 99]
)
def test_a_file_that_holds_no_heads_is_named(stage: Stage, text: bytes) -> None:
    (stage.folder / "kept.json").write_bytes(text)
    done = stage.jwturn("audit", "verify", "--head", "kept.json")
    assert done.code == 65
    assert done.err.startswith(
        "error: kept.json holds no heads of audit chains\nhint:  jwturn audit head > FILE"
    )


def test_doctor_knows_that_nobody_ran_the_loop_yet(stage: Stage) -> None:
    done = stage.jwturn("doctor")
    assert "note  loop       nobody has run it yet" in done.out
    stage.passes(timedelta(minutes=5))
    assert "ok    loop       somebody runs it (last tick" in stage.jwturn("doctor").out

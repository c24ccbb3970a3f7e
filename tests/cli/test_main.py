"""How calls begin and end: lazily, with the right code, and without a word too many."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

import jwturn
from jwturn.cli import main
from tests.cli.stage import Stage

HEAVY = {"cryptography", "msgspec", "rich", "sqlite3", "starlette", "uvicorn", "structlog", "http.client"}
RUN = "import sys; from jwturn.cli.main import main; sys.exit(main())"


def python(code: str, *arguments: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """A process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def loaded(*arguments: str, folder: Path) -> set[str]:
    """The modules that one call loads."""
    code = f"""
import sys
from jwturn.cli.main import run
run({list(arguments)!r})
print("MODULES", *sys.modules)
"""
    return set(python(code, folder=folder).stdout.rpartition("MODULES ")[2].split())


def test_version_loads_next_to_nothing(tmp_path: Path) -> None:
    modules = loaded("--version", folder=tmp_path)
    assert "click" in modules
    assert modules & (HEAVY | {"jwturn.compose", "jwturn.settings"}) == set()
    ours = {name for name in modules if name.startswith("jwturn.cli.")}
    assert ours == {"jwturn.cli.main", "jwturn.cli.invocation", "jwturn.cli.options"}


def test_status_loads_no_server_no_network_and_no_other_verb(stage: Stage) -> None:
    modules = loaded("status", folder=stage.folder)
    assert {"sqlite3", "jwturn.cli.status"} <= modules
    assert modules & {"rich", "starlette", "uvicorn", "structlog", "http.client", "urllib.request"} == set()
    others = {f"jwturn.cli.{verb}" for verb in ("init", "sign", "serve", "doctor", "export", "demo")}
    assert modules & others == set()


def test_version_is_the_packages(empty: Stage) -> None:
    assert empty.jwturn("--version").out == f"jwturn {jwturn.__version__}\n"


@pytest.mark.parametrize("verb", sorted(main.VERBS))
def test_every_verb_has_help_that_begins_with_a_sentence(empty: Stage, verb: str) -> None:
    done = empty.jwturn(verb, "--help")
    assert (done.code, done.err) == (0, "")
    first = done.out.splitlines()[2].strip()
    assert first[0].isupper()
    for option in ("--config", "--ring", "--json", "--no-color"):
        assert option in done.out


@pytest.mark.parametrize("verb", sorted(main.VERBS))
def test_every_verb_shows_an_example(verb: str) -> None:
    command = main.root.get_command(click.Context(main.root), verb)
    leaves = getattr(command, "commands", {}).values() or [command]
    assert all(f"jwturn {verb}" in leaf.example for leaf in leaves)


def test_help_lists_every_verb(empty: Stage) -> None:
    out = empty.jwturn("--help").out
    assert all(f"\n  {verb} " in out for verb in main.VERBS)
    assert empty.jwturn("-h").out == out


def test_options_may_stand_before_or_after_the_verb(stage: Stage) -> None:
    stage.init("--ring", "orders", "--set", "verifiers=jose")
    for arguments in (("--ring", "orders", "--json", "keys"), ("keys", "--json", "--ring", "orders")):
        assert '"ring": "orders"' in stage.jwturn(*arguments).out
    grouped = [("--ring", "orders", "policy", "show"), ("policy", "--ring", "orders", "show")]
    assert [stage.jwturn(*words, "--json").out for words in grouped].count("") == 0
    assert '"ring": "orders"' in stage.jwturn("policy", "show", "--ring", "orders", "--json").out


def test_settings_may_be_named_before_or_after_the_verb(stage: Stage) -> None:
    (stage.folder / "jwturn.toml").rename(stage.folder / "other.toml")
    for arguments in (("--config", "other.toml", "status"), ("status", "--config", "other.toml")):
        assert "https://auth.example.com" in stage.jwturn(*arguments).out


def test_a_kid_may_begin_with_a_dash(stage: Stage) -> None:
    done = stage.jwturn("hold", "-xyz_123", "--reason", "there is none such")
    assert (done.code, "has no key '-xyz_123'" in done.err) == (65, True)
    assert stage.jwturn("hold", "--reson", "typo", "x").code == 64


def test_an_unexpected_error_shows_neither_its_text_nor_a_traceback(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("hunter2")

    monkeypatch.setattr("jwturn.compose.open_store", broken)
    monkeypatch.delenv("JWTURN_DEBUG", raising=False)
    done = stage.jwturn("status")
    assert done.code == 1
    assert "unexpected ValueError (test_main.py:" in done.err
    assert "hunter2" not in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("JWTURN_DEBUG", "1")
    assert "hunter2" in stage.jwturn("status").err


def test_an_interrupt_ends_with_130(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jwturn.compose.open_store", interrupted)
    assert stage.jwturn("status").code == 130


def test_following_events_ends_quietly_on_an_interrupt(stage: Stage) -> None:
    command = [sys.executable, "-u", "-c", RUN, "events", "--follow"]
    ignored = signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background inherits SIG_IGN
    try:
        process = subprocess.Popen(
            command, cwd=stage.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("SEQ  AT ")
    assert process.stdout.readline().startswith("1    2030-01-01")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (130, "")


def test_following_events_ends_at_its_limit(stage: Stage) -> None:
    done = stage.jwturn("events", "--follow", "--limit", "3")
    assert (done.code, len(done.out.splitlines())) == (0, 1 + 3)
    assert stage.jwturn("events", "--after", "4").out.splitlines()[1].startswith("5    ")


def test_a_reader_that_goes_away_ends_the_call_quietly(stage: Stage) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-c", RUN, "policy", "verifiers"],
            cwd=stage.folder,
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (main.PIPE_CLOSED, b"")


def test_a_secret_in_the_environment_is_warned_about(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWTURN_STORE__KEK_PASSPHRASE", "hunter2 hunter2 hunter2")
    monkeypatch.setenv("JWTURN_STORE__KEK", "passphrase:")
    done = stage.jwturn("config", "show")
    assert "warning: JWTURN_STORE__KEK_PASSPHRASE is in the environment" in done.err
    assert "hunter2" not in done.err + done.out
    assert "hunter2" not in stage.jwturn("config", "show", "--origin").out


def test_completion_knows_the_verbs(tmp_path: Path) -> None:
    asked = {"_JWTURN_COMPLETE": "bash_complete", "COMP_WORDS": "jwturn ro", "COMP_CWORD": "1"}
    done = python(RUN, folder=tmp_path, **asked)
    assert {line.partition(",")[2] for line in done.stdout.split()} == {"rotate", "rollback"}

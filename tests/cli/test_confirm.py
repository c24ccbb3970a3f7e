"""What destroys shows its effect first and asks for the kid typed back."""

import pytest

from tests.cli.stage import Done, Stage

REVOKE = ("--reason", "laptop stolen")


def states(stage: Stage) -> list[str]:
    """The states of the ring's keys, in order."""
    lines = stage.jwturn("keys", "--all").out.splitlines()[1:]
    return [line.split()[2] for line in lines]


def typed(stage: Stage, text: str, *arguments: str) -> Done:
    """A call at a terminal at which somebody types `text`."""
    return stage.jwturn(*arguments, stdin=f"{text}\n".encode(), terminal=True)


@pytest.mark.parametrize("whole", [True, False])
def test_a_kid_typed_back_whole_or_as_shown_goes_on(stage: Stage, whole: bool) -> None:
    active = stage.kids()[0]
    done = typed(stage, active if whole else active[:8], "revoke", active[:8], *REVOKE)
    assert done.code == 0
    assert f"Type the kid to revoke ({active[:8]}): " in done.out + done.err
    assert states(stage)[0] in ("revoked", "retired")


@pytest.mark.parametrize("text", ["", "yes", "y", "b7Jm2kQe"])
def test_anything_else_changes_nothing(stage: Stage, text: str) -> None:
    active = stage.kids()[0]
    done = typed(stage, text, "revoke", active, *REVOKE)
    assert done.code in (65, 130)
    assert states(stage) == ["active", "standby"]


@pytest.mark.parametrize(
    "arguments", [("revoke",), ("discard",), ("promote", "--before-lead")], ids=lambda words: words[0]
)
def test_where_nobody_can_be_asked_nothing_is_done_without_yes(
    stage: Stage, arguments: tuple[str, ...]
) -> None:
    done = stage.jwturn(*arguments, stage.kids()[1], *REVOKE)
    assert done.code == 64
    assert "without one say --yes" in done.err
    assert states(stage) == ["active", "standby"]
    assert stage.jwturn(*arguments, stage.kids()[1], *REVOKE, "--yes").code == 0
    assert states(stage) != ["active", "standby"]


@pytest.mark.parametrize(
    "arguments",
    [("revoke", *REVOKE), ("discard",), ("promote", "--before-lead", *REVOKE)],
    ids=lambda words: words[0],
)
def test_a_dry_run_asks_nothing_and_changes_nothing(stage: Stage, arguments: tuple[str, ...]) -> None:
    before = stage.jwturn("status", "--json").out
    done = stage.jwturn(arguments[0], stage.kids()[1], *arguments[1:], "--dry-run")
    assert done.code == 0
    assert stage.jwturn("status", "--json").out == before


def test_promote_without_a_mature_standby_is_refused(stage: Stage) -> None:
    done = stage.jwturn("promote")
    assert (done.code, "--before-lead with a reason" in done.err) == (65, True)


def test_before_lead_says_who_refuses_and_how_long(stage: Stage) -> None:
    done = stage.jwturn("promote", "--before-lead", *REVOKE, "--yes")
    assert "refuse every new token" in done.err
    assert "jose for up to 46m 3s" in done.err


def test_a_password_for_an_export_is_typed_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["correct horse", "correct horse"])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(answers))
    loud = ("export", "--private", "--i-want-the-private-key", "--reason", "escrow")
    done = stage.jwturn(*loud, terminal=True)
    assert done.out.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert list(answers) == []

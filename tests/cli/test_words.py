"""What a person is told where something was forgotten, asked twice, or is over."""

import json
import os
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from jwturn.cli.rings import step_words
from jwturn.compose import open_app
from jwturn.core.keys import Easing
from jwturn.core.seen import Seen
from jwturn.core.steps import DropEasings
from jwturn.server.auth import REREAD
from jwturn.service.health import findings
from jwturn.settings import load
from tests.cli.stage import Stage, Stream, in_place
from tests.cli.test_serve import kids_at, served

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def marks(out: str) -> dict[str, str]:
    """The mark of each check that `inspect` shows."""
    return {line[6:].split("  ")[0].strip(): line[:6].strip() for line in out.splitlines()}


def test_a_bare_call_prints_its_help_and_is_no_error(empty: Stage) -> None:
    done = empty.jwturn()
    assert (done.code, done.err) == (0, "")
    assert done.out == empty.jwturn("--help").out


@pytest.mark.parametrize("group", ["token", "config", "policy", "audit"])
def test_a_group_without_its_verb_prints_plain_help(empty: Stage, group: str) -> None:
    done = empty.jwturn(group)
    assert (done.code, done.err) == (64, "")
    assert done.out == empty.jwturn(group, "--help").out


def test_serve_names_a_path_that_answers_for_every_issuer(stage: Stage) -> None:
    other = "https://other.example.com"
    stage.init("--ring", "other", "--issuer", other, "--set", "verifiers=jose")
    with served(stage.folder, lines=2) as service:
        rows = [line.removeprefix("JWKS").split() for line in service.lines]
        found = {kid for row in rows for kid in kids_at(row[0])}
    assert {row[-1].rstrip(")") for row in rows} == {"https://auth.example.com", other}
    assert found == set(stage.kids())


def test_serve_says_loudly_that_a_store_is_older_than_its_witness(stage: Stage) -> None:
    database, backup = stage.folder / ".jwturn/jwturn.db", stage.folder / "backup"
    shutil.copy(database, backup)
    assert stage.jwturn("revoke", stage.kids()[0], "--reason", "stolen", "--yes").code == 0
    shutil.copy(backup, database)
    with served(stage.folder, lines=1) as service:
        assert service.process.stderr is not None
        said = [service.process.stderr.readline() for _ in range(4)]
    assert service.lines[0].startswith("JWKS   http://")
    assert any("older than its witness" in line for line in said)
    assert any(line.startswith("hint:") and "jwturn recover" in line for line in said)


def test_a_token_of_a_revoked_key_is_refused_with_what_became_of_the_key(stage: Stage) -> None:
    kid, token = stage.kids()[0], stage.jwturn("sign", "--claim", "sub=alice").out.encode()
    assert stage.jwturn("revoke", kid, "--reason", "stolen", "--yes").code == 0
    stage.clock.advance(timedelta(seconds=34))
    done = stage.jwturn("verify", stdin=token)
    assert (done.code, done.out) == (65, "")
    assert f"key {kid[:8]} was revoked 34s ago" in done.err
    assert json.loads(stage.jwturn("verify", "--json", stdin=token).err)["error"]["code"] == "kid_unknown"


def test_inspect_does_not_judge_what_needs_the_key_that_is_gone(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=alice").out.encode()
    assert stage.jwturn("revoke", stage.kids()[0], "--reason", "stolen", "--yes").code == 0
    done = stage.jwturn("inspect", stdin=token)
    found = marks(done.out)
    assert (done.code, found["kid"]) == (2, "FAIL")
    assert (found["alg of the key"], found["signature"], found["exp"]) == ("-", "-", "ok")
    assert "was revoked just now" in done.out


def test_recover_says_until_when_nobody_signs_and_the_way_out(stage: Stage) -> None:
    database, backup = stage.folder / ".jwturn/jwturn.db", stage.folder / "backup"
    shutil.copy(database, backup)
    assert stage.jwturn("revoke", stage.kids()[0], "--reason", "stolen", "--yes").code == 0
    shutil.copy(backup, database)
    done = stage.jwturn("recover", "--reason", "the disk died")
    assert (done.code, "goes on in era 1" in done.out) == (0, True)
    assert "nobody signs for " in done.err
    assert "jwturn promote --ring default --before-lead" in done.err
    refused = stage.jwturn("sign", "--claim", "sub=alice")
    assert "jwturn status" in refused.err
    assert "promote --before-lead" in refused.err


def test_a_second_withdrawal_says_it_was_withdrawn_before(stage: Stage) -> None:
    assert stage.jwturn("token", "new", "checkout").code == 0
    first = stage.jwturn("token", "withdraw", "checkout")
    assert first.out == "API token checkout is withdrawn\n"
    assert f"takes it for {REREAD.seconds}s more at most" in first.err
    stage.clock.advance(HOUR)
    second = stage.jwturn("token", "withdraw", "checkout")
    assert (second.code, second.out) == (0, "API token checkout was withdrawn before (1h ago)\n")


def test_the_example_of_verify_works_as_printed(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=alice", "--aud", "orders").out.encode()
    assert json.loads(stage.jwturn("verify", "--aud", "orders", stdin=token).out)["aud"] == "orders"


def test_an_audience_that_was_asked_for_is_not_the_issuers_fault(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=alice").out.encode()
    done = stage.jwturn("verify", "--aud", "orders", stdin=token)
    assert (done.code, "made for no audience" in done.err) == (65, True)
    assert "break RFC" not in done.err


@pytest.mark.parametrize("given", [b"", b"\n"])
def test_sign_says_that_stdin_is_empty(stage: Stage, given: bytes) -> None:
    done = stage.jwturn("sign", stdin=given)
    assert (done.code, "standard input is empty" in done.err) == (65, True)
    assert """hint:  echo '{"sub": "alice"}' | jwturn sign""" in done.err


def test_a_tried_policy_warns_as_the_set_one_would(stage: Stage) -> None:
    tried = stage.jwturn("plan", "--set", "rotate_every=365d")
    asked = stage.jwturn("policy", "set", "rotate_every=365d", "--dry-run")
    assert (tried.code, asked.code) == (2, 0)
    assert "warning: " in tried.err
    assert tried.err == asked.err


def test_an_issuer_without_a_scheme_is_refused_with_the_one_meant(empty: Stage) -> None:
    done = empty.jwturn("init", "--offline", "--issuer", "auth.example.com")
    assert (done.code, done.out) == (65, "")
    assert "hint:  --issuer https://auth.example.com" in done.err
    assert list(empty.folder.iterdir()) == []


def test_only_a_standby_or_a_past_key_is_discarded(stage: Stage) -> None:
    kid = stage.kids()[0]
    done = stage.jwturn("discard", kid, "--yes")
    assert done.code == 65
    assert f"key {kid[:8]} is active: only a standby or a past verify-only key is discarded" in done.err
    assert f"jwturn revoke {kid[:8]}" in done.err


def test_a_standby_that_may_not_sign_yet_is_named_short_with_the_end_of_its_lead(stage: Stage) -> None:
    kid = stage.kids()[1]
    done = stage.jwturn("promote", kid)
    assert done.code == 65
    assert f"key {kid[:8]} may not sign yet: its lead ends in " in done.err
    assert kid not in done.err


def test_what_is_due_and_not_done_is_said_in_the_words_of_plan(stage: Stage) -> None:
    with in_place(stage.folder, Stream(), Stream(), Stream()):
        app = open_app(load(os.environ, cwd=stage.folder), clock=stage.clock)
        view = app.store.load("default")
        app.close()
    edited = view.ring.keys[0].created
    now = replace(view.now, at=view.now.at + 30 * DAY, seen=view.now.seen + 30 * DAY)
    ring = replace(view.ring, easings=(Easing(view.ring.policy.bounds, edited),))
    said = [one.words for one in findings(replace(view, ring=ring, now=now), Seen(now.seen, now.at))]
    assert f"due now and not done: {step_words(DropEasings(), {})}" in said

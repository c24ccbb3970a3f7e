"""The demonstration as a user sees it, and the verifiers it believes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn.cli import demo_service
from jwturn.cli.demo import _close
from jwturn.cli.demo_fleet import (
    FLEET,
    demand_libraries,
)
from jwturn.cli.demo_run import Kind, Result, Timeline
from jwturn.cli.demo_service import TICK_CAP, Caller, Site, demo_policy, site
from jwturn.cli.invocation import Invocation
from jwturn.cli.main import run
from jwturn.core.errors import BadInput, ConfigError, Unavailable
from jwturn.core.policy import edited, validated, warnings
from jwturn.core.policy_text import parse_changes
from jwturn.core.timing import lead

SECONDS_MAX = 100
ISSUER = "https://auth.example.com"
JWTURN = [sys.executable, "-c", "import sys; from jwturn.cli.main import main; sys.exit(main())"]


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
    return subprocess.Popen(
        [*JWTURN, "demo", *arguments],
        cwd=folder,
        env={**environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demonstrate(folder: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    with start(folder, "--json", *arguments) as process:
        out, said = process.communicate(timeout=SECONDS_MAX)
    assert out, said
    return process.returncode, said, json.loads(out.splitlines()[-1])


def service_pid(said: str) -> int:
    found = re.search(r"process (\d+)", said)
    assert found is not None, said
    return int(found[1])


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_verifier_refuses_a_token_through_live_turns(tmp_path):
    code, said, counts = demonstrate(tmp_path, "--turns", "2")
    assert counts["refused"] == 0, said
    assert counts["turns"] >= 2
    assert code == 0
    assert counts["issued"] > 50
    assert all(counts["verified_by"][kind] > 100 for kind in FLEET), counts
    assert counts["verifications"] == sum(counts["verified_by"].values())
    assert list(tmp_path.iterdir()) == []
    assert not is_running(service_pid(said))
    for word in ("created", "standby", "promoted", "verify-only", "shredded", "retired"):
        assert word in said


def test_without_the_lead_good_tokens_are_refused(tmp_path):
    code, said, counts = demonstrate(tmp_path, "--turns", "2", "--break-lead")
    assert counts["refused_by"]["pyjwt"] > 0, said
    assert counts["refused_by"]["joserfc"] > 0, said
    assert counts["refused"] == sum(counts["refused_by"].values())
    assert code == 0
    assert list(tmp_path.iterdir()) == []
    assert not is_running(service_pid(said))


def test_an_interrupted_run_leaves_no_process_and_no_folder(tmp_path):
    with start(tmp_path, "--json") as process:
        assert process.stderr is not None
        said = ""
        while "process" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        (folder,) = tmp_path.iterdir()
        assert (folder / "jwturn.db").exists()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert not is_running(service_pid(said))


def test_a_service_that_does_not_start_leaves_no_folder(monkeypatch, tmp_path):
    def ended(folder: Path, _port: int) -> "subprocess.Popen[bytes]":
        (folder / "service.log").write_text("error: there is no disk\n")
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(69)"])
        process.wait()
        return process

    monkeypatch.setattr(demo_service, "_start", ended)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises(Unavailable, match="exit code 69: error: there is no disk"),
        site("ES256", broken=False, keep=False),
    ):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["jwt", "joserfc"])
def test_a_missing_library_says_how_to_get_it(monkeypatch, capsys, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=missing) as refused:
        demand_libraries()
    assert refused.value.hint == 'pip install "jwturn[demo]"'
    assert run(["demo"]) == ConfigError.exit_code
    assert 'pip install "jwturn[demo]"' in capsys.readouterr().err


def test_an_algorithm_that_the_libraries_do_not_know_is_a_usage_error(capsys):
    assert run(["demo", "--alg", "ML-DSA-65"]) == 64
    assert "ES256" in capsys.readouterr().err


@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_the_policy_keeps_every_inequality_by_arithmetic(alg):
    policy = demo_policy(alg)
    assert validated(policy, tick_cap=TICK_CAP) == policy
    assert timedelta() < policy.rotate_every - lead(policy.bounds) < timedelta(seconds=1)
    assert 5 * (policy.rotate_every + timedelta(seconds=1)) < timedelta(seconds=50)
    assert policy.verifier_ttl_max < lead(policy.bounds)


def test_a_broken_lead_is_zero_and_said_aloud():
    policy = demo_policy("ES256", broken=True)
    assert lead(policy.bounds) == timedelta()
    assert policy.verifier_ttl_max == demo_policy("ES256").verifier_ttl_max
    assert any("refuse good tokens" in line for line in warnings(policy))


@pytest.mark.parametrize("items", [["unproved=true"], {"unproved": True}, ["declared=x"]])
def test_no_person_can_set_a_policy_without_proof(items):
    with pytest.raises(BadInput) as refused:
        parse_changes(items)
    assert refused.value.code == "unknown_field"


def test_a_policy_that_is_edited_does_not_lose_its_proof():
    policy = edited(demo_policy("ES256"), parse_changes(["rotate_every=20s"]), tick_cap=TICK_CAP)
    assert not policy.unproved


def event(action: str, kid: str, reason: str, second: int) -> dict[str, Any]:
    return {"action": action, "kid": kid, "reason": reason, "at": f"2026-01-01T00:00:{second:02d}+00:00"}


def test_the_timeline_tells_each_step_once_and_counts_turns(site_stub):
    told: list[str] = []
    timeline = Timeline(site_stub, told.append)
    for line in (
        event("add", "AAAAAAAAAA", "first_key", 10),
        event("promote", "AAAAAAAAAA", "first_key", 10),
        event("stamp", "", "seen_committed", 11),
        event("add", "BBBBBBBBBB", "next_standby", 12),
        event("promote", "BBBBBBBBBB", "turn_due", 20),
        event("shred", "AAAAAAAAAA", "window_over", 22),
        event("retire", "AAAAAAAAAA", "tail_over", 30),
    ):
        timeline.take(line)
    assert timeline.turns == 1
    assert [line.split()[:3] for line in told] == [
        ["0.0s", "AAAAAAAA", "created:"],
        ["0.0s", "AAAAAAAA", "promoted:"],
        ["2.0s", "BBBBBBBB", "created:"],
        ["10.0s", "BBBBBBBB", "promoted:"],
        ["10.0s", "AAAAAAAA", "verify-only:"],
        ["12.0s", "AAAAAAAA", "shredded:"],
        ["20.0s", "AAAAAAAA", "retired:"],
    ]
    assert "8.0s after it entered the set (turn 1)" in told[3]


@pytest.fixture
def site_stub() -> Any:
    """A service that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    return Site(Path(), port, demo_policy("ES256"), ended, "jwturn_a", "jwturn_b")


def test_a_service_that_does_not_answer_is_asked_again(site_stub):
    assert Caller(site_stub, "jwturn_a").call("GET", "/readyz/sign") == (0, 0.0, None)


def test_a_service_that_ended_is_told_with_its_last_words(site_stub, tmp_path):
    (tmp_path / "service.log").write_text("error: port 1 is in use\n")
    with pytest.raises(Unavailable, match="port 1 is in use"):
        replace(site_stub, folder=tmp_path).demand_running()


def result(*, refused: int = 0, turns: int = 5, verified: int = 100) -> Result:
    kinds = {kind: Kind(100, 0, 0, ()) for kind in FLEET} | {"joserfc": Kind(verified, refused, 0, ("no",))}
    return Result(issued=9, retries=1, turns=turns, seconds=3.0, kinds=kinds)


@pytest.mark.parametrize(
    ("made", "broken", "code"),
    [
        (result(), False, 0),
        (result(refused=1), False, 1),
        (result(turns=4), False, 1),
        (result(verified=0), False, 1),
        (result(refused=1), True, 0),
        (result(), True, 1),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_the_exit_code_says_whether_the_demonstration_held(capsys, made, broken, code, as_json):
    policy = demo_policy("ES256", broken=broken)
    assert _close(Invocation(json=as_json), made, policy, 5) == code
    out = capsys.readouterr().out
    if as_json:
        counts = json.loads(out)
        assert (counts["good"], counts["refused"]) == (code == 0, made.total("refused"))
        assert counts["lead_seconds"] == (0 if broken else lead(policy.bounds).total_seconds())
    else:
        assert f"refused {made.total('refused')}" in out
        assert "please report" in out if code and not broken else "please report" not in out

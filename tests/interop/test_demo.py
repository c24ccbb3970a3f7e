"""The demonstration as a user sees it, and the verifiers it believes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from jwturn.cli.demo_fleet import (
    FLEET,
    KINDS,
    FetchedSet,
    NoSet,
    Refusal,
    Token,
    Trust,
    Verifier,
    demand_libraries,
    fleet,
    joserfc,
    never_refetches,
    refetches,
)
from jwturn.cli.demo_run import Issued, Timeline
from jwturn.cli.demo_service import TICK_CAP, Caller, demo_policy
from jwturn.cli.main import run
from jwturn.core.claims import prepare
from jwturn.core.errors import BadInput, ConfigError
from jwturn.core.jws import header_segment, signing_input, token_of
from jwturn.core.policy import edited, validated, warnings
from jwturn.core.policy_text import parse_changes
from jwturn.core.timing import lead
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import signer

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


class Issuer:
    """An issuer with a key or two, and how often its set was fetched."""

    def __init__(self) -> None:
        self.fetched = 0
        self.down = False
        self.keys: list[dict[str, str]] = []
        self.url = ""

    def make(self, kid: str, alg: str = "ES256") -> "Signing":
        pair = generate(alg)
        assert pair.public is not None
        self.keys = [*self.keys, {**pair.public, "kid": kid, "use": "sig"}]
        sign = signer(alg, pair.private).sign
        header = header_segment(alg, kid, "JWT")

        def issue(ttl: int = 60) -> Token:
            now = time.time()
            life = timedelta(seconds=ttl)
            claims = prepare({"sub": "a"}, issuer=ISSUER, now=now, ttl=life, ttl_max=life, jti="j")
            data = signing_input(header, claims)
            return Token(token_of(data, sign(data)), claims["exp"], kid)

        return issue


Signing = Any


@contextmanager
def served(issuer: Issuer) -> Iterator[Issuer]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetched += 1
            body = json.dumps({"keys": issuer.keys}).encode()
            self.send_response(503 if issuer.down else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        issuer.url = f"http://127.0.0.1:{server.server_port}/jwks"
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


def trust(issuer: Issuer, lifetime: float = 300.0) -> Trust:
    return Trust(issuer.url, ISSUER, "ES256", lifetime, 5.0)


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_accepts_a_good_token_and_fetches_once(kind):
    with served(Issuer()) as issuer:
        issue = issuer.make("one")
        check = KINDS[kind][0](trust(issuer))
        for _ in range(3):
            check(issue().text)
        assert issuer.fetched == 1


@pytest.mark.parametrize("make", [never_refetches, joserfc])
def test_a_verifier_that_never_refetches_refuses_a_key_it_does_not_hold(make):
    with served(Issuer()) as issuer:
        old = issuer.make("old")
        check = make(trust(issuer))
        check(old().text)
        new = issuer.make("new")
        with pytest.raises(Refusal):
            check(new().text)
        check(old().text)
        assert issuer.fetched == 1


def test_a_verifier_that_refetches_finds_the_key_after_its_cooldown():
    with served(Issuer()) as issuer:
        old = issuer.make("old")
        check = refetches(trust(issuer, lifetime=0.001))
        check(old().text)
        new = issuer.make("new")
        check(new().text)
        assert issuer.fetched >= 2


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_set_that_cannot_be_fetched_is_no_refusal(kind):
    with served(Issuer()) as issuer:
        issue = issuer.make("one")
        issuer.down = True
        check = KINDS[kind][0](trust(issuer))
        with pytest.raises(NoSet):
            check(issue().text)
        issuer.down = False
        check(issue().text)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("wrong", ["signature", "issuer", "expired"])
def test_each_kind_refuses_a_bad_token(kind, wrong):
    with served(Issuer()) as issuer:
        issue, impostor = issuer.make("one"), Issuer().make("one")
        made = trust(issuer)
        other = Trust(made.jwks_url, "https://else.example.com", made.alg, made.lifetime, made.fetch_time)
        check = KINDS[kind][0](other if wrong == "issuer" else made)
        token = impostor() if wrong == "signature" else issue(ttl=1)
        if wrong == "expired":
            while time.time() < token.exp:
                time.sleep(0.02)
        with pytest.raises(Refusal):
            check(token.text)


def test_a_set_is_fetched_again_when_its_lifetime_is_over():
    with served(Issuer()) as issuer:
        issuer.make("one")
        held = FetchedSet(trust(issuer, lifetime=0.0), json.loads)
        held.get()
        issuer.make("two")
        assert len(held.get()["keys"]) == 2
        assert issuer.fetched == 2


def never(_: str) -> None:
    raise AssertionError("presented after its time")


def refuse(_: str) -> None:
    raise Refusal("no")


def without_set(_: str) -> None:
    raise NoSet("no")


def test_a_token_in_its_last_second_is_not_presented():
    verifier = Verifier("pyjwt", never, list)
    verifier.judge(Token("t", int(time.time())))
    assert (verifier.tally.verifications, verifier.tally.refused) == (0, 0)


def test_a_refusal_counts_while_the_token_is_good():
    verifier = Verifier("pyjwt", refuse, list)
    verifier.judge(Token("t", int(time.time()) + 60))
    assert (verifier.tally.verifications, verifier.tally.refused) == (1, 1)
    assert verifier.tally.why == {"no": 1}


def test_a_refusal_does_not_count_once_the_token_has_expired(monkeypatch):
    token = Token("t", int(time.time()) + 60)
    times = iter([float(token.exp - 5), float(token.exp)])
    monkeypatch.setattr("jwturn.cli.demo_fleet.time.time", lambda: next(times))
    verifier = Verifier("pyjwt", refuse, list)
    verifier.judge(token)
    assert (verifier.tally.verifications, verifier.tally.refused) == (0, 0)


def test_a_verifier_without_a_set_has_judged_nothing():
    verifier = Verifier("pyjwt", without_set, list)
    verifier.judge(Token("t", int(time.time()) + 60))
    assert (verifier.tally.verifications, verifier.tally.refused, verifier.tally.unjudged) == (0, 0, 1)


def test_a_verifier_judges_in_its_thread_until_it_is_stopped():
    judged = threading.Event()
    verifier = Verifier("pyjwt", lambda _: judged.set(), lambda: [Token("t", int(time.time()) + 60)])
    verifier.start()
    assert judged.wait(10)
    verifier.stop()
    verifier.join(10)
    assert verifier.tally.verifications >= 1


def test_the_sets_of_a_kind_are_spread_over_their_lifetime():
    delays = [v._delay for v in fleet(Trust("http://127.0.0.1:1/", ISSUER, "ES256", 4.0, 1.0), list)]
    assert delays == [0.0, 1.0, 2.0, 3.0, 0.0, 2.0, 0.0, 1.0, 2.0, 3.0]


def test_only_tokens_well_inside_their_window_are_live():
    issued, now = Issued(), int(time.time())
    issued.add(Token("over", now))
    issued.add(Token("good", now + 60))
    assert [token.text for token in issued.live()] == ["good"]
    assert issued.count == 2


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
    from jwturn.cli.demo_service import Site

    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    return Site(Path(), port, demo_policy("ES256"), ended, "jwturn_a", "jwturn_b")


def test_a_service_that_does_not_answer_is_asked_again(site_stub):
    assert Caller(site_stub, "jwturn_a").call("GET", "/readyz/sign") == (0, 0.0, None)


def test_a_service_that_ended_is_told_with_its_last_words(site_stub, tmp_path):
    from dataclasses import replace

    from jwturn.core.errors import Unavailable

    (tmp_path / "service.log").write_text("error: port 1 is in use\n")
    with pytest.raises(Unavailable, match="port 1 is in use"):
        replace(site_stub, folder=tmp_path).demand_running()

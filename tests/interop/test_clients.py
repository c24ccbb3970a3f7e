"""The comparison of JWKS clients says what is so: verdicts and counts, none of them about how long."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.clients.__main__ import behaviour_table, flood_tables, markdown
from bench.clients.behaviours import BEHAVIOURS, UNKNOWN_KIDS, Finding, tried
from bench.clients.clients import HERE, Kind, Times, kinds, ours, pyjwt, pyjwt_of, verifier_of
from bench.clients.flood import SLICES, Flood, Latency, kind_of, measure, refusal_cost, work_of
from bench.clients.issuer import Loopback, new_key
from jwturn import KeysUnavailable, TokenRefused
from jwturn.testing.clock import FakeClock

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explain" / "clients.md"
TINY = Times(0.3, 0.3)
COLOURS = ("jwturn Verifier", "jwturn AsyncVerifier")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def clocked(which: int) -> Kind:
    """A colour of ours, whose time passes when a trial waits."""
    clock = FakeClock(datetime.now(UTC))
    return list(ours(clock, wait=lambda seconds: clock.advance(timedelta(seconds=seconds))))[which]


@pytest.fixture(scope="module")
def seen(issuer) -> dict[str, tuple[Kind, list[Finding]]]:
    """What both colours of ours did and what PyJWT did, with its cooldown and without."""
    found = [clocked(0), clocked(1), *(replace(kind, times=TINY) for kind in pyjwt())]
    with ThreadPoolExecutor(len(found)) as pool:
        findings = list(pool.map(lambda kind: tried(kind, issuer), found))
    return {kind.name: (kind, did) for kind, did in zip(found, findings, strict=True)}


def said(did: tuple[Kind, list[Finding]]) -> dict[str, str]:
    return {finding.behaviour: finding.words for finding in did[1]}


def counted(did: tuple[Kind, list[Finding]]) -> dict[str, int]:
    return {finding.behaviour: finding.fetches for finding in did[1]}


@pytest.mark.parametrize("colour", COLOURS)
def test_ours_passes_all_five(colour, seen):
    assert said(seen[colour]) == dict.fromkeys(BEHAVIOURS, "")
    assert all(finding.passed for finding in seen[colour][1])
    fetches = counted(seen[colour])
    assert fetches["cold callers"] == 1
    assert fetches["unknown kids"] <= 4
    assert fetches["new key"] == 2


def test_pyjwt_refuses_a_new_key_and_does_not_survive_an_outage(seen):
    failed = {"new key": "refused", "outage": "refused"}
    assert said(seen["PyJWT PyJWKClient"]) == dict.fromkeys(BEHAVIOURS, "") | failed


def test_pyjwt_without_its_cooldown_finds_the_new_key_and_passes_a_flood_on(seen):
    without = seen["PyJWT PyJWKClient, cooldown 0"]
    failed = {"unknown kids": "a flood", "outage": "refused"}
    assert said(without) == dict.fromkeys(BEHAVIOURS, "") | failed
    assert counted(without)["unknown kids"] > UNKNOWN_KIDS


def test_ten_thousand_unknown_kids_in_a_minute_cause_six_fetches_at_most(issuer):
    clock, key = FakeClock(datetime.now(UTC)), new_key()
    trial = issuer.trial(key)
    verifier = verifier_of(trial, Times(), clock=clock)
    try:
        verifier.verify(trial.token(key))
        for number, token in enumerate(trial.unknown(10_000)):
            clock.advance(timedelta(milliseconds=6))
            with pytest.raises(TokenRefused) as caught:
                verifier.verify(token)
            assert caught.value.code == "kid_unknown"
            if number % 100 == 0:
                verifier.verify(trial.token(key))
    finally:
        verifier.close()
    assert 4 < trial.fetches <= 6


def test_what_ours_says_beyond_the_stale_time_is_that_there_are_no_keys(issuer):
    clock, key = FakeClock(datetime.now(UTC)), new_key()
    trial = issuer.trial(key)
    verifier = verifier_of(trial, Times(2.0, 3.0), clock=clock)
    try:
        verifier.verify(trial.token(key))
        trial.publish(key, down=True)
        clock.advance(timedelta(seconds=6))
        with pytest.raises(KeysUnavailable):
            verifier.verify(trial.token(key))
    finally:
        verifier.close()


@pytest.mark.parametrize("client", ["ours", "PyJWT"])
def test_a_flood_is_measured_in_slices_of_three_kinds(client, issuer):
    closing = []

    def made(trial):
        if client == "PyJWT":
            return pyjwt_of(trial, Times())
        closing.append(verifier_of(trial, Times()))
        return closing[-1].verify

    flood = measure(client, made, issuer, seconds=1.5, kids=100)
    for verifier in closing:
        verifier.close()
    assert (flood.client, flood.seconds, flood.kids, flood.good_refused) == (client, 1.5, 100, 0)
    assert 1 <= flood.fetches <= 6
    assert flood.refusal_micros > 0
    assert {one.slices: one.tokens for one in flood.latencies} == dict.fromkeys(SLICES, 200)
    for one in flood.latencies:
        assert 0 < one.verify_p50 <= one.verify_p99
        assert one.due_p50 <= one.due_p99 <= one.due_max


def test_slices_come_in_turn():
    assert [kind_of(number) for number in range(4)] == ["quiet", "flood", "control", "quiet"]


def test_a_client_that_accepts_made_up_kids_is_no_measurement(issuer):
    with pytest.raises(AssertionError, match="made-up kid was accepted"):
        measure("careless", lambda trial: lambda token: None, issuer, seconds=1.5, kids=20)


def test_the_control_is_work_and_looks_nothing_up(issuer):
    asked = []

    def made(trial):
        asked.append(trial)
        return pyjwt_of(trial, Times())

    seconds = refusal_cost(made, issuer)
    before = asked[0].fetches
    assert seconds > 0
    work_of(seconds)()
    assert asked[0].fetches == before


def test_a_client_that_is_not_there_is_named_with_the_way_to_get_it(tmp_path):
    found, absent = kinds(tmp_path)
    names = [kind.name for kind in found]
    assert names[:4] == [*COLOURS, "PyJWT PyJWKClient", "PyJWT PyJWKClient, cooldown 0"]
    assert not any(name.startswith("npm jose") for name in names)
    assert sum(words.startswith("jose is left out: ") for words in absent) == 1


def test_the_version_of_jose_is_that_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    (tmp_path / "jose").mkdir()
    (tmp_path / "jose" / "package.json").write_text('{"version": "6.0.1"}')
    found, absent = kinds(tmp_path)
    jose = {kind.name: kind.version for kind in found if kind.name.startswith("npm jose")}
    assert jose == {"npm jose": "6.0.1", "npm jose, cooldown 0": "6.0.1"}
    assert not any(words.startswith("jose") for words in absent)


FINDINGS = [
    Finding(
        "one",
        behaviour,
        passed=behaviour != "outage",
        fetches=1,
        words="" if behaviour != "outage" else "refused",
    )
    for behaviour in BEHAVIOURS
]
KIND = Kind("one", "1.0", make=lambda trial, times: pytest.fail("not made"))


def test_a_table_says_yes_or_no_and_how_many_fetches():
    head, rule, row = behaviour_table([KIND], FINDINGS, markdown).splitlines()
    assert head == "| client | cold callers | unknown kids | new key | outage | removed key |"
    assert rule == "| --- | --- | --- | --- | --- | --- |"
    assert (
        row
        == "| one 1.0 | yes, 1 fetch | yes, 1 fetch | yes, 1 fetch | NO: refused, 1 fetch | yes, 1 fetch |"
    )


def test_the_tables_of_a_flood_have_both_sides():
    latency = Latency("flood", 200, 1.0, 2.0, 3.0, 4.0, 3.5, 5000.0)
    flood = Flood("one", 60.0, 10_000, 6, 0, 16.4, [latency])
    caused, seen = flood_tables([flood], markdown).split("\n\n")
    assert caused.splitlines()[2] == "| one | 10,000 in 60 s | 6 | 0 | 16 |"
    assert seen.splitlines()[2] == "| one | flood | 200 | 1 | 2 | 3 | 4 | 4 | 5,000 |"


def test_the_page_says_what_is_seen_here(seen):
    rows = {
        line.split(" | ")[0].removeprefix("| "): re.findall(r"(yes|NO)[,:]", line)
        for line in PAGE.read_text("utf-8").splitlines()
    }
    for kind, findings in seen.values():
        verdicts = ["yes" if finding.passed else "NO" for finding in findings]
        assert rows[f"{kind.name} {kind.version}"] == verdicts


def test_the_command_line_names_its_options():
    command = [sys.executable, "-m", "bench.clients", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for option in ("--only", "--seconds", "--jose", "--json", "--markdown"):
        assert option in done.stdout


def test_what_npm_is_to_fetch_is_pinned():
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", wanted["jose"])

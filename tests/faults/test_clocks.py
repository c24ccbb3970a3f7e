"""The time of day of a service steps by an hour or ten years (libfaketime); its monotonic clocks go on.

Nothing matures and nothing is destroyed by a step: what waits, waits for time that was seen. A good token of
before the step is good after it, and when the clock is right again the service goes on by itself.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from pathlib import Path

import pytest

from jwturn.core.jws import read_claims, split
from jwturn.core.states import ACTIVE, STANDBY
from jwturn.service.audit import verify_store
from tests.faults.nodes import (
    POLICY,
    TICK_CAP,
    Caller,
    await_,
    begun,
    calling,
    demand_seen,
    ring_of,
    serving,
    verifier_at,
)
from tests.faults.whole import demand_no_secrets, demand_verified, said
from tests.faults.yard import Yard, jwturn, secrets_of
from tests.server.test_run import Served

RIGHT, HOUR_BACK, DECADE_ON = "+0", "-1h", "+10y"
HOUR, DECADE = 3600.0, 10 * 365 * 86400.0
PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
NAME = "libfaketimeMT.so.1"
LONG = {"token_ttl_max": "10m"}
"""A policy whose lead is a day."""
TTL_MAX = timedelta(minutes=10)


@functools.cache
def library() -> Path | None:
    """The libfaketime for programs with threads; None where it is not installed."""
    found = (path for place in PLACES for path in Path(place).glob(f"**/{NAME}"))
    return next(found, None)


needs_library = pytest.mark.skipif(
    library() is None, reason="libfaketime is not installed (make test installs it on Debian for root)"
)


@dataclass
class Dial:
    """The clock of a process: a file that libfaketime reads at every look at the time."""

    file: Path

    def set(self, step: str) -> None:
        """Steps the clock. The file is replaced as a whole: half of it would be another time."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{step}\n")
        new.replace(self.file)

    @property
    def environ(self) -> dict[str, str]:
        """What makes a process go by this clock."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def dial(tmp_path: Path) -> Dial:
    dial = Dial(tmp_path / "dial")
    dial.set(RIGHT)
    return dial


@contextmanager
def stepping(yard: Yard, token: str, dial: Dial) -> Iterator[tuple[Served, Caller]]:
    """A service under that clock, and a caller whose own clock is right."""
    with (
        serving(yard, token, **dial.environ) as node,
        calling(node, verifier_at(node, token_ttl_max=TTL_MAX)) as caller,
    ):
        yield node, caller


def demand_as_it_was(yard: Yard, good: list[str]) -> None:
    """One active key, one chain, every step in seen time; the tokens of before the step are good."""
    with yard.app() as app:
        ring = app.store.load("default").ring
        assert len(ring.in_state(ACTIVE)) == 1
        assert len(ring.in_state(STANDBY)) <= 2
        demand_seen(ring, good)
        verify_store(app.store)
        demand_no_secrets(yard.folder, secrets_of(app, ring))
    demand_verified(yard, good)
    assert said(yard.folder, "audit", "verify")[0] == 0


@needs_library
def test_the_library_steps_the_time_of_day_and_leaves_the_monotonic_clocks(dial: Dial) -> None:
    dial.set(DECADE_ON)
    code = "import time; print(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))"
    told = [
        [float(word) for word in subprocess.check_output([sys.executable, "-c", code], env=environ).split()]
        for environ in (dict(os.environ), {**os.environ, **dial.environ})
    ]
    right, faked = told
    assert abs(faked[0] - right[0] - DECADE) < 3 * 86400
    assert abs(faked[1] - right[1]) < HOUR / 2
    assert abs(faked[2] - right[2]) < HOUR / 2


@needs_library
@pytest.mark.parametrize("step", [HOUR_BACK, DECADE_ON])
def test_a_step_matures_and_destroys_nothing_and_is_noticed(tmp_path: Path, dial: Dial, step: str) -> None:
    yard, token = begun(tmp_path / "store", policy=POLICY, tick_cap=TICK_CAP)
    with stepping(yard, token, dial) as (_, caller):
        await_(lambda: len(caller.kids()) >= 2, "the ring does not turn")
        assert caller.refusals == []
        good, codes = caller.tokens[-5:], len(caller.codes)
        dial.set(step)
        await_(lambda: "clocks_disagree" in caller.codes[codes:], "the step is not noticed")
        demand_as_it_was(yard, good)
        seen = ring_seen(yard)
        await_(lambda: ring_seen(yard) > seen + 1, "seen time does not go on")
        demand_as_it_was(yard, good)
        dial.set(RIGHT)
        await_(lambda: iat_near(caller.tokens[-1], good[-1]), "it does not sign again by the right clock")
    demand_as_it_was(yard, good)


@needs_library
@pytest.mark.parametrize("step", [HOUR_BACK, DECADE_ON])
def test_a_start_by_a_wrong_clock_matures_and_destroys_nothing(tmp_path: Path, dial: Dial, step: str) -> None:
    yard, token = begun(tmp_path / "store", policy=LONG)
    with stepping(yard, token, dial) as (_, caller):
        await_(lambda: len(caller.tokens) >= 3, "nobody signs")
    good, before = list(caller.tokens), ring_of(yard)
    dial.set(step)
    with stepping(yard, token, dial) as (node, wrong):
        await_(lambda: wrong.codes or wrong.tokens, "it answers nothing")
        assert node.ask("GET", "/livez")[0] == 200
        await_(lambda: len(wrong.codes) + len(wrong.tokens) > 50, "it answers no more")
    after, fields = ring_of(yard), attrgetter("state", "private", "sign_from", "promoted")
    for key in before.keys:
        assert fields(after.key(key.kid)) == fields(key)
    assert {key.state for key in after.keys if key not in before.keys} <= {STANDBY}
    demand_as_it_was(yard, good)
    dial.set(RIGHT)
    with stepping(yard, token, dial) as (_, again):
        await_(lambda: len(again.tokens) >= 3, "it does not sign again by the right clock")
    assert again.refusals == []
    demand_as_it_was(yard, good + again.tokens)


@needs_library
def test_a_person_brings_back_the_turns_that_a_wrong_clock_booked_for_the_next_decade(
    tmp_path: Path, dial: Dial
) -> None:
    yard, token = begun(tmp_path / "store", policy=POLICY, tick_cap=TICK_CAP)
    with stepping(yard, token, dial) as (_, caller):
        await_(lambda: caller.tokens, "nobody signs")
        right = ring_of(yard).turn_at
        assert right is not None
        dial.set(DECADE_ON)
        await_(lambda: turn_year(yard) > right.year, "no turn comes by the wrong clock")
        dial.set(RIGHT)
        await_(lambda: iat_near(caller.tokens[-1], caller.tokens[0]), "it does not sign by the right clock")
        for key in ring_of(yard).in_state(STANDBY):
            done = yard.run(jwturn("discard", key.kid, "--yes", "--reason", "the clock was wrong"))
            assert done.returncode == 0, done.stderr
        done = yard.run(jwturn("rotate", "--reason", "the clock was wrong"))
        assert done.returncode == 0, done.stderr
        await_(lambda: turn_year(yard) == right.year, "the turn is not booked anew")
        kid = ring_of(yard).in_state(ACTIVE)[0].kid
        await_(lambda: ring_of(yard).in_state(ACTIVE)[0].kid != kid, "the ring does not turn")
    demand_as_it_was(yard, [])


def turn_year(yard: Yard) -> int:
    """The year of the booked turn."""
    at = ring_of(yard).turn_at
    return 0 if at is None else at.year


def ring_seen(yard: Yard) -> float:
    """Seconds for which the store has been watched."""
    with yard.app() as app:
        return app.store.seen().total.total_seconds()


def iat_near(token: str, other: str) -> bool:
    """Whether a token was made in the minutes after another, each by its own clock."""
    first, second = (float(read_claims(split(each).payload)["iat"]) for each in (other, token))
    return 0 < second - first < HOUR / 2

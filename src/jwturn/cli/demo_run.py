"""A run of the demonstration: one thread signs, each verifier judges in its own, the timeline is told."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from jwturn.cli.demo_fleet import FLEET, WINDOW_END, Token, Trust, Verifier, fleet
from jwturn.cli.demo_service import RING, Caller, Site
from jwturn.core.durations import format_duration
from jwturn.core.errors import Unavailable
from jwturn.core.reasons import Reason
from jwturn.ports.clock import Clock, SystemClock

SIGN_SECONDS: Final = 0.05
"""How often a token is signed."""
RETRY_SECONDS: Final = 0.2
WATCH_SECONDS: Final = 0.1
KID_CHARS: Final = 8
WORDS: Final = {
    "add": "created: standby, in the set",
    "shred": "shredded: its private half is gone",
    "retire": "retired: its last token has expired, out of the set",
}
TURN_MAX: Final = timedelta(seconds=20)
"""How long one turn may take before the run is given up."""


@dataclass(slots=True)
class Issued:
    """What was signed. `retries` counts answers 429 and 503 and connections lost, each asked again."""

    clock: Clock
    count: int = 0
    retries: int = 0
    failure: str = ""
    _live: list[Token] = field(default_factory=list)

    def add(self, token: Token) -> None:
        """Counts a token and keeps it while it may be presented. Called by one thread alone."""
        self.count += 1
        self._live = [*self.live(), token]

    def live(self) -> list[Token]:
        """The tokens that are well inside their time window."""
        now = self.clock.now().timestamp() + WINDOW_END
        return [token for token in self._live if now < token.exp]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the verifiers of a kind did together; `why` are their commonest words of refusal."""

    verifications: int
    refused: int
    unjudged: int
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run counted. `unjudged`: a set could not be fetched, so a verifier judged nothing."""

    issued: int
    retries: int
    turns: int
    seconds: float
    kinds: dict[str, Kind]

    def total(self, what: str) -> int:
        """The sum over kinds of `verifications`, `refused` or `unjudged`."""
        return sum(getattr(kind, what) for kind in self.kinds.values())


class Signer:
    """Signs through the service, one token after another, in a thread of its own."""

    def __init__(self, site: Site, issued: Issued) -> None:
        self._caller = Caller(site, site.signer_token)
        self._issued = issued
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signer", daemon=True)

    def start(self) -> None:
        """Begins to sign."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the call it is at, and waits for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            wait = self._sign()
        self._caller.close()

    def _sign(self) -> float:
        """Asks for one token; gives the seconds to wait before the next."""
        body = {"claims": {"sub": f"user-{self._issued.count}"}}
        status, retry_after, answer = self._caller.call("POST", f"/v1/rings/{RING}/sign", body)
        if status == 200:
            expires = datetime.fromisoformat(answer["expires_at"])
            self._issued.add(Token(answer["token"], int(expires.timestamp()), answer["kid"]))
            return SIGN_SECONDS
        if status in (0, 429, 503):
            self._issued.retries += 1
            return max(RETRY_SECONDS, min(retry_after, 1.0))
        self._issued.failure = f"sign was answered {status}: {answer}"[:300]
        self._stop.set()
        return 0.0


class Timeline:
    """The ring's events, read from the service as an auditor reads them, told one a line."""

    def __init__(self, site: Site, tell: Callable[[str], None]) -> None:
        self._caller = Caller(site, site.auditor_token)
        self._tell = tell
        self._last = 0
        self._active = ""
        self._entered: dict[str, float] = {}
        self.turns = 0

    def read(self) -> None:
        """Tells what has happened since the last time."""
        status, _, answer = self._caller.call("GET", f"/v1/rings/{RING}/events?after={self._last}")
        for event in answer["events"] if status == 200 else ():
            self._last = event["seq"]
            self.take(event)

    def take(self, event: dict[str, Any]) -> None:
        """Tells an event in words; times count from the first key."""
        kid, at = event["kid"] or "", datetime.fromisoformat(event["at"]).timestamp()
        if event["action"] == "add":
            self._entered[kid] = at
        for which, words in self._words(kid, at, event):
            seconds = at - min(self._entered.values(), default=at)
            self._tell(f"  {seconds:5.1f}s  {which[:KID_CHARS]:<{KID_CHARS}}  {words}")

    def _words(self, kid: str, at: float, event: dict[str, Any]) -> list[tuple[str, str]]:
        if event["action"] != "promote":
            return [(kid, WORDS[event["action"]])] if event["action"] in WORDS else []
        before, self._active = self._active, kid
        if event["reason"] == Reason.FIRST_KEY:
            return [(kid, "promoted: active at once, nobody can hold an older set")]
        self.turns += 1
        age = at - self._entered.get(kid, at)
        return [
            (kid, f"promoted: active, {age:.1f}s after it entered the set (turn {self.turns})"),
            (before, "verify-only: signs no more"),
        ]

    def close(self) -> None:
        """Ends the connection."""
        self._caller.close()


def run(site: Site, turns: int, tell: Callable[[str], None]) -> Result:
    """Signs and verifies through `turns` turns, and on until the last key's tokens have met every verifier.

    Raises Unavailable where the service ends, refuses to sign or does not turn.
    """
    clock = SystemClock()
    began, issued = clock.boottime(), Issued(clock)
    signer, timeline = Signer(site, issued), Timeline(site, tell)
    policy = site.policy
    trust = Trust(
        jwks_url=site.jwks_url,
        issuer=site.issuer,
        alg=policy.alg,
        lifetime=policy.verifier_ttl_max.total_seconds(),
        fetch_time=policy.fetch_time_max.total_seconds(),
        clock=clock,
    )
    verifiers = list(fleet(trust, issued.live))
    try:
        signer.start()
        for verifier in verifiers:
            verifier.start()
        _watch(site, timeline, issued, turns)
    finally:
        for verifier in verifiers:
            verifier.stop()
        signer.stop()
        for verifier in verifiers:
            verifier.join(10)
        timeline.close()
    kinds = {kind: _counted([v for v in verifiers if v.kind == kind]) for kind in FLEET}
    seconds = (clock.boottime() - began).total_seconds()
    return Result(issued.count, issued.retries, timeline.turns, seconds, kinds)


def _watch(site: Site, timeline: Timeline, issued: Issued, turns: int) -> None:
    """Tells the timeline until the turns are done and the newest key has been met by every verifier."""
    after = site.policy.verifier_ttl_max + site.policy.token_ttl_max / 2
    boottime, ends = issued.clock.boottime, None
    give_up = boottime() + TURN_MAX * (turns + 1)
    while ends is None or boottime() < ends:
        time.sleep(WATCH_SECONDS)
        timeline.read()
        site.demand_running()
        if issued.failure:
            raise Unavailable(issued.failure, hint="jwturn demo --keep leaves its folder and log")
        if ends is None and timeline.turns >= turns:
            ends = boottime() + after
        if ends is None and boottime() > give_up:
            raise Unavailable(
                f"{timeline.turns} of {turns} turns came in {format_duration(TURN_MAX * (turns + 1))}",
                hint="is this machine very busy? jwturn demo --keep leaves its folder and log",
            )


def _counted(verifiers: list[Verifier]) -> Kind:
    tallies = [verifier.tally for verifier in verifiers]
    words = sum((tally.why for tally in tallies), Counter[str]())
    return Kind(
        verifications=sum(tally.verifications for tally in tallies),
        refused=sum(tally.refused for tally in tallies),
        unjudged=sum(tally.unjudged for tally in tallies),
        why=tuple(why for why, _ in words.most_common(2)),
    )

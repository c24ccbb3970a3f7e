"""Five things a verifier should do with an issuer's keys, each as a trial: passed or not, and the fetches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.clients.clients import Kind, Times
from bench.clients.colours import Client
from bench.clients.issuer import Loopback, Trial, new_key

COLD_CALLERS: Final = 50
UNKNOWN_KIDS: Final = 200
AT_ONCE: Final = 10
"""Unknown kids come in waves, so that neither a single flight nor a wait between them is all it takes."""
BURST: Final = 4
"""The fetches that unknown kids may cause at once, the first fetch of the set among them (SECURITY.md 7)."""
ANSWER_SECONDS: Final = 0.2
"""The issuer takes so long to answer: all cold callers are there before it does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one client did: whether it passed, how often it fetched, and what it did where it did not pass."""

    client: str
    behaviour: str
    passed: bool
    fetches: int
    words: str = ""


def cold_callers(kind: Kind, issuer: Loopback) -> tuple[Trial, str]:
    """50 callers come to a client that has no set: one fetch, and all succeed."""
    key = new_key()
    trial = issuer.trial(key, delay=ANSWER_SECONDS)
    client = kind.make(trial, Times())
    try:
        failed = [said for said in client.verdicts(trial.tokens(key, COLD_CALLERS)) if said]
    finally:
        client.close()
    if failed:
        return trial, f"{len(failed)} fail: {failed[0]}"
    return (
        trial,
        "" if trial.fetches == 1 else "each fetches" if trial.fetches == COLD_CALLERS else "many fetch",
    )


def unknown_kids(kind: Kind, issuer: Loopback) -> tuple[Trial, str]:
    """200 made-up kids, in waves of 10: all are refused, and the fetches stay within the burst."""
    key = new_key()
    trial = issuer.trial(key)
    client = kind.make(trial, Times())
    try:
        warm(client, trial.token(key))
        made_up = trial.unknown(UNKNOWN_KIDS)
        waves = [made_up[at : at + AT_ONCE] for at in range(0, UNKNOWN_KIDS, AT_ONCE)]
        accepted = [said for wave in waves for said in client.verdicts(wave) if not said]
    finally:
        client.close()
    if accepted:
        return trial, "accepts"
    return trial, "" if trial.fetches <= BURST else "a flood"


def new_key_at_once(kind: Kind, issuer: Loopback) -> tuple[Trial, str]:
    """A key is published a moment after a fetch: a token of it is accepted at once."""
    elder, younger = new_key(), new_key()
    trial = issuer.trial(elder)
    client = kind.make(trial, Times())
    try:
        warm(client, trial.token(elder))
        trial.publish(elder, younger)
        said = client.verdicts([trial.token(younger)])[0]
    finally:
        client.close()
    return trial, said and "refused"


def outage(kind: Kind, issuer: Loopback) -> tuple[Trial, str]:
    """The issuer is down after the set's lifetime: good tokens pass for the stale time, and no longer."""
    key, (lifetime, stale) = new_key(), short(kind)
    trial = issuer.trial(key)
    client = kind.make(trial, kind.times)
    try:
        warm(client, trial.token(key))
        trial.publish(key, down=True)
        kind.wait(lifetime + stale / 3)
        during = client.verdicts([trial.token(key)])[0]
        kind.wait(stale)
        after = client.verdicts([trial.token(key)])[0]
    finally:
        client.close()
    if during:
        return trial, "refused"
    return trial, "" if after else "without end"


def removed_key(kind: Kind, issuer: Loopback) -> tuple[Trial, str]:
    """A key leaves the set: its tokens are refused after the lifetime, those of the other are not."""
    kept, removed, (lifetime, stale) = new_key(), new_key(), short(kind)
    trial = issuer.trial(kept, removed)
    client = kind.make(trial, kind.times)
    try:
        warm(client, trial.token(kept))
        warm(client, trial.token(removed))
        trial.publish(kept)
        kind.wait(lifetime + stale / 3)
        if not client.verdicts([trial.token(removed)])[0]:
            return trial, "accepted"
        return trial, client.verdicts([trial.token(kept)])[0] and "the kept one too"
    finally:
        client.close()


def short(kind: Kind) -> tuple[float, float]:
    """The lifetime and the stale time that the client is tried with, in seconds."""
    assert kind.times.lifetime is not None
    assert kind.times.stale is not None
    return kind.times.lifetime, kind.times.stale


def warm(client: Client, token: str) -> None:
    """Has a good token accepted; a client that refuses it cannot be tried."""
    said = client.verdicts([token])[0]
    assert not said, said


BEHAVIOURS: Final[dict[str, Callable[[Kind, Loopback], tuple[Trial, str]]]] = {
    "cold callers": cold_callers,
    "unknown kids": unknown_kids,
    "new key": new_key_at_once,
    "outage": outage,
    "removed key": removed_key,
}


def tried(kind: Kind, issuer: Loopback) -> list[Finding]:
    """All five, for one client."""
    findings = []
    for behaviour, trying in BEHAVIOURS.items():
        trial, words = trying(kind, issuer)
        findings.append(Finding(kind.name, behaviour, not words, trial.fetches, words))
    return findings

"""The commands that are cut short, and how each is run again and judged."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from jwturn.core.keys import KeyRing
from jwturn.core.states import ACTIVE, REVOKED, STANDBY
from jwturn.ports.store import View
from tests.faults.cuts import Cut
from tests.faults.whole import demand_no_secrets, demand_one_active, demand_whole, said
from tests.faults.yard import ISSUER, Yard, jwturn, secrets_of

KILLED: Final = (-9, 137)
DONE, REFUSED_AS_DONE = 0, 65
LEEWAY: Final = "4m"
WORDS: Final = re.compile(r'^error: |"event": *"', re.MULTILINE)
"""How a command, or the log of the service, says what went wrong."""
UNTOLD: Final = re.compile(r"Traceback|unexpected")
"""What stands where nobody thought of a failure."""


@dataclass(frozen=True)
class Act:
    """A command. `done`: whether what it is asked for is there. `revokes`: it ends trust in the active key.

    `promises`: when it ends well, it is done. `threads`: its threads make calls of the same names on other
    files, so that only those on the files of the store may be counted.
    """

    name: str
    command: Callable[[Yard], list[str]]
    done: Callable[[Yard, View], bool]
    revokes: bool = False
    from_nothing: bool = False
    promises: bool = True
    threads: bool = False

    def only(self, yard: Yard) -> list[Path]:
        """The files whose calls count; all where it is empty."""
        names = ("jwturn.db", "jwturn.db-wal", "jwturn.db-shm", "witness", "kek")
        return [yard.state / name for name in names] if self.threads else []


def active_kid(ring: KeyRing) -> str:
    assert ring.active is not None
    return ring.active.kid


def old_kid(yard: Yard) -> str:
    """The key that signs before the turn."""
    assert yard.before is not None
    return active_kid(yard.before.view.ring)


def next_kid(yard: Yard) -> str:
    """The mature standby before the turn."""
    assert yard.before is not None
    (standby,) = yard.before.view.ring.in_state(STANDBY)
    return standby.kid


def _turned(yard: Yard, view: View) -> bool:
    return view.ring.active is not None and view.ring.active.kid == next_kid(yard)


def _revoked(yard: Yard, view: View) -> bool:
    return view.ring.key(old_kid(yard)).state is REVOKED and _turned(yard, view)


ACTS: Final = {
    act.name: act
    for act in (
        Act("promote", lambda yard: jwturn("promote", next_kid(yard), "--yes"), _turned),
        Act("pass", lambda _: [sys.executable, "-m", "tests.faults.once"], _turned),
        Act(
            "revoke",
            lambda yard: jwturn("revoke", old_kid(yard), "--yes", "--reason", "drill"),
            _revoked,
            revokes=True,
        ),
        Act(
            "serve",
            lambda _: [sys.executable, "-m", "tests.faults.serving"],
            _turned,
            promises=False,
            threads=True,
        ),
        Act("sign", lambda _: jwturn("sign", "--claim", "sub=carol"), lambda *_: True),
        Act(
            "policy",
            lambda _: jwturn("policy", "set", f"leeway_max={LEEWAY}"),
            lambda _, view: view.ring.policy.leeway_max.total_seconds() == 240,
        ),
        Act(
            "init",
            lambda _: jwturn("init", "--offline", "--issuer", ISSUER),
            lambda _, view: bool(view.ring.in_state(ACTIVE)),
            from_nothing=True,
        ),
    )
}


def try_cut(act: Act, yard: Yard, cut: Cut, *, ours: bool = True) -> None:
    """Runs the command under a fault, judges what it left, and runs it again.

    `ours`: the call is one on the store's files. Raises AssertionError where anything is not as it must be.
    """
    ended = yard.run(cut.wrapping(act.command(yard), only=act.only(yard)))
    if cut.kind == "kill":
        assert ended.returncode in (*KILLED, DONE), ended.stderr
    elif ours:
        mute = (cut.kind, cut.call) == ("EIO for good", "write")
        assert mute or ended.returncode == DONE or WORDS.search(ended.stderr), (
            ended.returncode,
            ended.stderr,
        )
        assert not UNTOLD.search(ended.stderr), ended.stderr
    judge(act, yard, ended)


def judge(act: Act, yard: Yard, ended: CompletedProcess[str]) -> None:
    """What a command that failed left behind, and that it goes on."""
    if act.from_nothing:
        _begin_again(act, yard)
        return
    demand_whole(yard, revoked=_to_revoke(act, yard))
    committed = _is_done(act, yard)
    assert committed or ended.returncode != DONE or not act.promises, f"it said it was done: {ended.stdout}"
    assert committed or "IS committed" not in ended.stderr, ended.stderr
    _go_on(act, yard, again=not committed)


def _is_done(act: Act, yard: Yard) -> bool:
    with yard.app() as app:
        return act.done(yard, app.store.load("default"))


def _to_revoke(act: Act, yard: Yard) -> set[str]:
    """The key that is revoked, if the command came so far."""
    if not act.revokes:
        return set()
    with yard.app() as app:
        return {key.kid for key in app.store.load("default").ring.in_state(REVOKED)}


def _go_on(act: Act, yard: Yard, *, again: bool) -> None:
    """The same command where it was not done, and the passes of a service: one turn, one new key."""
    assert yard.before is not None
    if again or act.name == "sign":
        done = yard.run(act.command(yard))
        assert done.returncode == DONE, done.stderr
    with yard.app() as app:
        for _ in range(3):
            app.loop.run_once()
        assert app.loop.health.errors == 0, app.loop.health.last_error
        ring, known = app.store.load("default").ring, {key.kid for key in yard.before.view.ring.keys}
        made = [key for key in ring.keys if key.kid not in known]
        assert active_kid(ring) == next_kid(yard)
        assert [key.state for key in made] == [STANDBY], "the turn makes one key, no second"
    demand_whole(yard, revoked={old_kid(yard)} if act.revokes else set())


def _begin_again(act: Act, yard: Yard) -> None:
    """Another init goes on, or says that there is a store; then the ring has its two keys."""
    done = yard.run(act.command(yard))
    assert done.returncode in (DONE, REFUSED_AS_DONE), done.stderr
    assert done.returncode == DONE or "already" in done.stderr, done.stderr
    with yard.app() as app:
        app.loop.run_once()
        assert app.loop.health.errors == 0, app.loop.health.last_error
        view = app.store.load("default")
        demand_one_active(view)
        assert sorted(key.state for key in view.ring.keys) == sorted([ACTIVE, STANDBY])
        assert act.done(yard, view)
        demand_no_secrets(yard.folder, secrets_of(app, view.ring))
    assert said(yard.folder, "audit", "verify")[0] == DONE


def fresh(act: Act, template: Yard, folder: Path) -> Yard:
    """Where a command begins: a copy of the store before its turn, or an empty folder."""
    if act.from_nothing:
        folder.mkdir()
        return Yard(folder)
    return template.copy(folder)

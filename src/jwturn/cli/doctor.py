"""doctor: everything that can be checked from here, in one list."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb
from jwturn.core.errors import JwturnError

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.settings import Settings

SOON: Final = timedelta(days=14)
EXAMPLE = """\
$ jwturn doctor
ok    files      all private
ok    kek        opens the store
note  ring       default: no mature standby for 23h 2m
FAIL  loop       nobody runs the loop (last tick 3h ago)
                 -> jwturn serve, or an application that embeds jwturn"""


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found; `good` None is a note."""

    name: str
    good: bool | None
    words: str
    hint: str = ""


@click.command(cls=Verb, example=EXAMPLE)
@click.pass_obj
def doctor(inv: Invocation) -> int:
    """Check everything that can be checked from here.

    Files, KEK, witness, audit chains, clocks, loop, rings, API tokens; exit code 2 on findings.
    """
    settings = inv.settings()
    found = [*_files(settings), *_environment(settings)]
    try:
        with inv.open() as app:
            found.append(Result("kek", good=True, words="opens the store"))
            for check in CHECKS:
                found += [
                    one for one in _guarded(check, app) if one.words not in {known.words for known in found}
                ]
    except JwturnError as error:
        found.append(Result("store", good=False, words=error.message, hint=error.hint))
    for one in found:
        mark = {True: "ok", False: "FAIL", None: "note"}[one.good]
        inv.show(f"{mark:<4}  {one.name:<9}  {one.words}" + (f"\n{'':17}-> {one.hint}" if one.hint else ""))
    inv.emit(checks=[{"name": r.name, "good": r.good, "words": r.words, "hint": r.hint} for r in found])
    return 2 if any(one.good is False for one in found) else 0


def _guarded(check: "Callable[[App], Iterator[Result]]", app: "App") -> list[Result]:
    try:
        return list(check(app))
    except JwturnError as error:
        return [Result(check.__name__.strip("_"), good=False, words=error.message, hint=error.hint)]


def _files(settings: "Settings") -> Iterator[Result]:
    places = [_place(settings.store.uri), _place(settings.store.kek), settings.store.witness]
    known = [Path(place) for place in places if place]
    logs = [path.with_name(path.name + end) for path in known[:1] for end in ("-wal", "-shm")]
    bad = [path for path in [*known, *logs] if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    bad += [path for path in {path.parent for path in known} if path.exists() and _open_folder(path)]
    for path in sorted(bad):
        mode = stat.S_IMODE(path.stat().st_mode)
        yield Result(
            "files", good=False, words=f"{path} is open to others (mode {mode:04o})", hint=f"chmod go= {path}"
        )
    if not bad:
        yield Result("files", good=True, words="all private")


def _open_folder(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o022) and path.stat().st_uid == os.getuid()


def _place(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    return f"/{rest.lstrip('/')}" if scheme in ("sqlite", "file", "passphrase") and "/" in rest else ""


def _environment(settings: "Settings") -> Iterator[Result]:
    for warning in settings.warnings:
        yield Result("secrets", good=False, words=warning)


def _chains(app: "App") -> Iterator[Result]:
    from jwturn.service.audit import verify_store

    chains = verify_store(app.store)
    events = sum(chain.head.count for chain in chains)
    yield Result(
        "audit", good=True, words=f"{len(chains)} chains of {events} events are whole, under MAC and witness"
    )


def _clocks(app: "App") -> Iterator[Result]:
    from jwturn.cli.output import relative
    from jwturn.core.durations import format_duration
    from jwturn.service.health import loop_silent

    seen, now = app.store.seen(), app.clock.now()
    back = seen.last - now
    if back > app.identity.tick_cap:
        words = (
            f"the store was last ticked {format_duration(back, parts=2)} in the future: a clock was set back"
        )
        yield Result(
            "clocks",
            good=False,
            words=words,
            hint="timedatectl; the loop goes on when the clock has caught up",
        )
    for row in app.store.rings()[:1]:
        for silent in loop_silent(app.store.load(row.name).now, seen):
            yield Result("loop", good=False, words=silent.words, hint=silent.hint)
            return
    if not seen.total:
        yield Result(
            "loop",
            good=None,
            words="nobody has run it yet: nothing matures, turns or retires",
            hint="jwturn serve, or an application that embeds jwturn",
        )
        return
    yield Result("loop", good=True, words=f"somebody runs it (last tick {relative(seen.last, now)})")


def _rings(app: "App") -> Iterator[Result]:
    from jwturn.service.health import findings

    for row in app.store.rings():
        view = app.store.load(row.name)
        found = [one for one in findings(view, app.store.seen()) if one.code != "loop_silent"]
        for one in found:
            good = False if one.serious else None
            yield Result("ring", good=good, words=f"{row.name}: {one.words}", hint=one.hint)
        unknown = {
            (v.name, k.alg)
            for v in view.ring.policy.declared
            for k in view.ring.published
            if k.alg in v.algs_unknown
        }
        for name, alg in sorted(unknown):
            yield Result(
                "verifiers",
                good=False,
                words=f"{row.name}: {name} does not know {alg}",
                hint="jwturn policy verifiers",
            )
        if not found:
            yield Result("ring", good=True, words=f"{row.name}: nothing to do")


def _tokens(app: "App") -> Iterator[Result]:
    from jwturn.cli.output import relative

    now = app.clock.now()
    for token in app.store.tokens():
        if token.withdrawn is None and token.expires - now < SOON:
            ends = "expires" if token.expires > now else "expired"
            words = f"API token {token.name} {ends} {relative(token.expires, now)}"
            yield Result("tokens", good=None, words=words, hint="jwturn token new")


CHECKS: Final = (_chains, _clocks, _rings, _tokens)

"""init: the settings file, the store, its KEK, a ring and its first keys; or another ring of a store."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import SPAN, Verb

if TYPE_CHECKING:
    from jwturn.compose import App
    from jwturn.settings import Settings

LOCAL_ISSUER = "http://127.0.0.1:8470"
EXAMPLE = """\
$ jwturn init --issuer https://auth.example.com
Created jwturn.toml and .jwturn/ (keys encrypted; KEK in .jwturn/kek, mode 0600; keep a copy elsewhere)
  KID       ALG    STATE    SINCE  NEXT
  b7Jm2kQe  ES256  active   now    verify-only in 90d
  xK9dQ41c  ES256  standby  now    may sign in 24h 42m, promoted in 90d"""


@click.command(cls=Verb, example=EXAMPLE)
@click.option("--issuer", metavar="URL", help=f"The iss of its tokens ({LOCAL_ISSUER}).")
@click.option("--alg", help="The algorithm (ES256).")
@click.option("--preset", metavar="NAME", default="standard", help="A named policy: jwturn policy presets.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="A field of the policy.")
@click.option("--kek", metavar="URI", help="file:PATH, passphrase:, passphrase:PATH or systemd:NAME.")
@click.option("--tick-cap", type=SPAN, help="The most one tick adds to the seen time (60s).")
@click.option("--existing", is_flag=True, help="The issuer has served keys before: no key skips its lead.")
@click.option("--offline", is_flag=True, help="Do not ask the issuer whether it serves keys.")
@click.pass_obj
def init(inv: Invocation, /, *, existing: bool, offline: bool, **given: Any) -> int:
    """Make a store and its first ring.

    On a store that is there, add the ring that --ring names.
    """
    _demand_scheme(given["issuer"])
    settings = inv.settings(new=True, given=_overlay(given["kek"], given["tick_cap"]))
    ring, policy = inv.ring_name, _policy(settings, inv.ring_name, given)
    app = _existing_store(inv, settings, ring)
    made = app is None
    try:
        issuer = given["issuer"] or _default_issuer(settings, app)
        served = existing or (not offline and _served(inv, issuer))
        app = app or _created(inv, settings, issuer)
        _add(inv, app, issuer, policy, served=served)
        _tell(inv, app, made=made)
    finally:
        if app is not None:
            app.close()
    return 0


def _demand_scheme(issuer: str | None) -> None:
    from jwturn.core.errors import BadInput

    if issuer is not None and "://" not in issuer:
        raise BadInput(
            f"the issuer {issuer!r} is no URL: it has no scheme",
            hint=f"--issuer https://{issuer}",
            code="issuer_malformed",
        )


def create(inv: Invocation, *, issuer: str) -> "App":
    """The app on a new store with the settings' ring, as `serve --init` makes it. Raises as `init` does."""
    settings = inv.settings(new=True)
    policy = _policy(settings, inv.ring_name, {})
    app = _created(inv, settings, issuer)
    try:
        _add(inv, app, issuer, policy, served=False)
    except BaseException:
        app.close()
        raise
    return app


def _overlay(kek: str | None, tick_cap: timedelta | None) -> dict[str, str]:
    from jwturn.core.values import text

    given = {"JWTURN_STORE__KEK": kek, "JWTURN_STORE__TICK_CAP": None if tick_cap is None else text(tick_cap)}
    return {name: value for name, value in given.items() if value is not None}


def _policy(settings: "Settings", ring: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the ring's policy (preset, settings, --set, --alg), checked before anything is made."""
    from jwturn.core.errors import BadInput
    from jwturn.core.policy import PRESETS, RotationPolicy, edited
    from jwturn.core.policy_text import parse_changes

    name = given.get("preset") or "standard"
    if name not in PRESETS:
        raise BadInput(f"there is no policy preset {name!r}", hint=f"one of {', '.join(PRESETS)}")
    changes = {**PRESETS[name][1], **parse_changes(settings.rings.get(ring, {}))}
    changes |= parse_changes(given.get("changes") or ())
    if given.get("alg"):
        changes["alg"] = given["alg"]
    edited(RotationPolicy(), dict(changes), tick_cap=settings.store.tick_cap)
    return changes


def _existing_store(inv: Invocation, settings: "Settings", ring: str) -> "App | None":
    """The app of a store that lacks the ring; None where there is no store. Raises StateForbids."""
    from jwturn.compose import open_app
    from jwturn.core.errors import NotFound, StateForbids

    try:
        app = open_app(replace(settings, rings={}), clock=inv.clock, source=inv.source(settings))
    except NotFound as error:
        if error.code != "no_store":
            raise
        return None
    known = [row.name for row in app.store.rings()]
    if ring in known and not app.store.load(ring).ring.keys:
        return app  # an init that ended half-way is gone on with
    if ring not in known and (inv.ring is not None or not known):
        return app
    app.close()
    raise StateForbids(
        f"there is a store with ring {', '.join(known)} already; nothing was changed",
        hint="jwturn status shows it; another ring: jwturn init --ring NAME",
        code="already_initialised",
    )


def _default_issuer(settings: "Settings", app: "App | None") -> str:
    rows = [] if app is None else app.store.rings()
    return settings.service.issuer or (rows[0].issuer if rows else LOCAL_ISSUER)


def _served(inv: Invocation, issuer: str) -> bool:
    from jwturn.cli.probe import answers, may_ask

    if not may_ask(issuer):
        inv.warn(
            f"{issuer} was not asked for its keys (it is not https); if it has served any say --existing"
        )
        return False
    with inv.busy(f"asking {issuer} for its keys"):
        found = answers(issuer)
    if found:
        inv.say(
            f"{issuer} answers already: verifiers may hold its keys, so the first key here waits its lead"
        )
    elif found is None and issuer != LOCAL_ISSUER:
        inv.say(f"{issuer} was not reached; if it has served keys before, start again with --existing")
    return bool(found)


def _created(inv: Invocation, settings: "Settings", issuer: str) -> "App":
    from jwturn.compose import create_app

    written = None if settings.file else _write_settings(inv, settings, issuer)
    try:
        with inv.busy("making the store"):
            return create_app(settings, clock=inv.clock, source=inv.source(settings))
    except BaseException:
        if written is not None:
            written.unlink()
        raise


def _write_settings(inv: Invocation, settings: "Settings", issuer: str) -> Path:
    from jwturn.ports.files import write_private
    from jwturn.settings import to_toml
    from jwturn.settings.reading import FILE_NAME

    store, service = settings.store, settings.service
    paths = {name: near(getattr(store, name), settings.folder) for name in ("uri", "kek", "witness")}
    served = {"issuer": issuer, "ring": inv.ring_name, "host": service.host, "port": service.port}
    path = settings.folder / (inv.config.name if inv.config else FILE_NAME)
    write_private(path, to_toml({"store": paths, "service": served}).encode(), new=True)
    return path


def _add(inv: Invocation, app: "App", issuer: str, policy: Mapping[str, Any], *, served: bool) -> None:
    from jwturn.compose import ensure_ring

    with inv.busy("making the keys"):
        ensure_ring(
            app, inv.ring_name, issuer=issuer, policy=policy, actor=inv.actor("init"), issuer_served=served
        )


def _tell(inv: Invocation, app: "App", *, made: bool) -> None:
    from jwturn.cli.rings import key_table, ring_json
    from jwturn.core.policy import warnings

    view, settings = app.store.load(inv.ring_name), app.settings
    if made:
        config = settings.file or settings.folder / (inv.config.name if inv.config else "jwturn.toml")
        where = near(str(Path(settings.store.witness).parent), Path.cwd())
        inv.say(
            f"Created {near(str(config), Path.cwd())} and {where}/ (keys encrypted; {_kek_words(settings)})"
        )
    else:
        inv.say(f"Added ring {view.ring.name} under {view.ring.issuer}")
    inv.show(key_table(view, color=inv.color))
    for words in warnings(view.ring.policy):
        inv.warn(words)
    inv.emit(created=made, store=near(settings.store.uri, Path.cwd()), ring=ring_json(view))


def _kek_words(settings: "Settings") -> str:
    scheme, _, rest = settings.store.kek.partition(":")
    if scheme == "file":
        return f"KEK in {near(rest, Path.cwd())}, mode 0600; keep a copy elsewhere"
    if scheme == "systemd":
        return f"KEK in the systemd credential {rest}; keep a copy elsewhere"
    return "KEK from a passphrase: without it nothing opens"


def near(text: str, folder: Path) -> str:
    """A path, or a URI with one, as it is written from `folder`."""
    return text.replace(f"{folder}/", "")

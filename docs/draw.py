# ruff: noqa: INP001  # run as `python docs/draw.py` from the tree, never installed
"""Draws the parts of these pages that the code already says: `python docs/draw.py`, or `--check`.

A part stands between `<!-- drawn: NAME -->` and `<!-- end of NAME -->`. Whoever edits a table in the code
runs this; a test refuses pages that were not drawn again.
"""

import argparse
import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from jwturn.cli.main import root
from jwturn.core import errors, jwk, jwks_answer
from jwturn.core.durations import format_duration
from jwturn.core.policy import PRESETS, UNKNOWN_FLEET, RotationPolicy, edited
from jwturn.core.policy_text import SETTABLE, show
from jwturn.core.profiles import PROFILES, Profile
from jwturn.core.reasons import TEXTS, Reason
from jwturn.core.states import BEGINNINGS, LAW, KeyState
from jwturn.core.timing import exposure, horizon, lead, tail
from jwturn.core.tokens import PERMITS, Permission, Role
from jwturn.core.values import text
from jwturn.server.routes import ROUTES
from jwturn.settings.model import KINDS, SECRETS, SECTIONS
from jwturn.verifier.checks import CODES

DOCS: Final = Path(__file__).resolve().parent
SOURCE: Final = DOCS.parent / "src" / "jwturn"
PART: Final = re.compile(r"<!-- drawn: ([a-z-]+) -->\n(.*?)<!-- end of \1 -->", re.DOTALL)
TICK_CAP: Final = timedelta(seconds=60)
MEANINGS: Final[dict[str, dict[str, str]]] = tomllib.loads((DOCS / "meanings.toml").read_text("utf-8"))
NOT_SET: Final = "-"
WIDTH: Final = 100


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def states() -> str:
    """The law of states as a diagram, then as a table."""
    moves = [f"    {_node(before)} --> {_node(after)}: {act}\n" for (before, after), act in LAW.items()]
    begins = [f"    [*] --> {_node(state)}\n" for state in KeyState if state in BEGINNINGS]
    ends = [f"    {_node(state)} --> [*]\n" for state in KeyState if not any(b is state for b, _ in LAW)]
    names = [f'    state "{state}" as {_node(state)}\n' for state in KeyState if _node(state) != state]
    diagram = f"```mermaid\nstateDiagram-v2\n{''.join([*names, *begins, *moves, *ends])}```\n"
    rows = [
        [f"**{before}**", *(LAW.get((before, after), NOT_SET) for after in KeyState)]
        for before in KeyState
        if any(b is before for b, _ in LAW)
    ]
    return f"{diagram}\n{table(['from, to', *KeyState], rows)}"


def _node(state: KeyState) -> str:
    return state.replace("-", "_")


def reasons() -> str:
    """Every reason a step may have."""
    return table(["reason", "text"], [[f"`{reason}`", TEXTS[reason]] for reason in Reason])


def default_numbers() -> str:
    """The theorem with the numbers of the default policy."""
    policy = RotationPolicy()
    bounds = policy.bounds
    ttl, stale = UNKNOWN_FLEET, policy.stale_max
    over = policy.token_ttl_max + tail(bounds)
    longest = policy.signer_lease + policy.token_ttl_max + tail(bounds)
    rows = [
        ("horizon H", "(D + E + V + 2F)(1 + rho)", horizon(bounds)),
        ("lead", "(H + 6 eps)(1 + rho)", lead(bounds)),
        ("tail, after the last exp", "lam + 2 eps + 1 s", tail(bounds)),
        ("out of the set after the last signature, usually", "tau + tail", over),
        ("the same after a crash, at most", "L + tau + tail", longest),
        ("revoked: connected signers stop", "signer_refresh", policy.signer_refresh),
        ("revoked: partitioned signers stop", "L", policy.signer_lease),
        ("revoked: healthy verifiers refuse", "H", horizon(bounds, ttl)),
        ("revoked: any verifier with that stale bound", "H + S(1 + rho)", exposure(bounds, ttl, stale)),
    ]
    shown = [(what, f"`{how}`", "-" if much is None else format_duration(much)) for what, how, much in rows]
    return table(["what", "how", "default policy"], shown)


def leads() -> str:
    """The lead that each verifier profile gives when it is declared alone."""
    rows = []
    for name, row in PROFILES.items():
        declared = name if row.set_lifetime is not None else f"{name}:24h"
        alg = "RS256" if "ES256" in row.algs_unknown else "ES256"
        policy = edited(RotationPolicy(), {"alg": alg, "verifiers": (declared,)}, tick_cap=TICK_CAP)
        rows.append([f"`{declared}`", format_duration(lead(policy.bounds))])
    return table(["declared alone", "lead"], rows)


def profiles() -> str:
    """Every verifier profile."""
    head = ["name", "product", "keeps a set", "unknown kid", "beyond that, stale", "does not know", "source"]
    return table(head, [_profile(row) for row in PROFILES.values()])


def _profile(row: Profile) -> list[str]:
    lifetime = "as configured: declare it" if row.set_lifetime is None else format_duration(row.set_lifetime)
    follows = ", or max-age where that is longer" if row.follows_max_age else ""
    stale = "without limit" if row.stale_max is None else format_duration(row.stale_max)
    unknown = ", ".join(alg for alg in jwk.ALGS if alg in row.algs_unknown) or NOT_SET
    return [f"`{row.name}`", row.title, lifetime + follows, row.unknown_kid, stale, unknown, row.source]


def policy() -> str:
    """Every field of a policy that a person may set."""
    shown = show(RotationPolicy())
    kinds = {field.name: field.type for field in fields(RotationPolicy)} | {"verifier_ttl_max": timedelta}
    rows = [
        [f"`{name}`", _kind(kinds[name]), f"`{shown[name] or '(empty)'}`", MEANINGS["policy"][name]]
        for name in SETTABLE
    ]
    return table(["field", "type", "default", "meaning"], rows)


def presets() -> str:
    """The named policies."""
    return table(["preset", "what it is"], [[f"`{name}`", words] for name, (words, _) in PRESETS.items()])


def settings() -> str:
    """Every key of the settings file."""
    rows = []
    for section, made in SECTIONS.items():
        for field in fields(made):
            key = f"{section}.{field.name}"
            variable = f"JWTURN_{section}__{field.name}".upper()
            secret = (section, field.name) in SECRETS
            kind = "secret" if secret else _kind(KINDS[section][field.name])
            default = NOT_SET if field.default in (None, MISSING) else f"`{text(field.default) or '(empty)'}`"
            where = f"`{variable}_FILE`" if secret else f"`{variable}`"
            rows.append([f"`{key}`", kind, default, where, MEANINGS["settings"][key]])
    return table(["key", "type", "default", "variable", "meaning"], rows)


def _kind(kind: Any) -> str:
    names = {timedelta: "duration", bool: "true or false", int: "number", float: "number", str: "text"}
    return names.get(kind, "list")


def _error_classes() -> list[type[errors.JwturnError]]:
    return [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.JwturnError)
    ]


def exit_codes() -> str:
    """What each exit code means, and which errors give it."""
    given: dict[int, list[str]] = {}
    for error in _error_classes():
        given.setdefault(error.exit_code, []).append(f"`{error.__name__}`")
    codes = {int(code): words for code, words in MEANINGS["exit codes"].items()}
    rows = [
        [str(code), codes[code], ", ".join(given.get(code, ())) or NOT_SET]
        for code in sorted({*codes, *given})
    ]
    return table(["exit code", "meaning", "errors"], rows)


def error_classes() -> str:
    """The tree of errors, in the order of the code."""
    rows = [
        [
            f"`{error.__name__}`",
            f"`{error.code}`",
            str(error.fault),
            str(error.http_status),
            str(error.exit_code),
            (inspect.getdoc(error) or "").splitlines()[0],
        ]
        for error in _error_classes()
    ]
    return table(["error", "code", "whose fault", "HTTP", "exit", "what it says"], rows)


def error_codes() -> str:
    """The codes that say more than their class, as they stand in the code."""
    found = sorted({pair for path in SOURCE.rglob("*.py") for pair in _codes_in(path)})
    return table(["code", "error"], [[f"`{code}`", f"`{error}`"] for code, error in found])


def _codes_in(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        error = getattr(errors, node.func.id, None)
        for keyword in node.keywords:
            code = keyword.value
            if inspect.isclass(error) and keyword.arg == "code" and isinstance(code, ast.Constant):
                yield str(code.value), node.func.id


def token_codes() -> str:
    """Every code of a refused token."""
    return table(["code", "why the token is refused"], [[f"`{code}`", why] for code, why in CODES.items()])


def fetch_codes() -> str:
    """Every code of an answer that gave no set, and of a URL that is not asked."""
    return table(["code", "why there are no keys"], [[f"`{c}`", why] for c, why in jwks_answer.CODES.items()])


def set_codes() -> str:
    """Every code of a set, or of a key in one, that is not used."""
    rows = [[f"`{code}`", why, "yes" if code in jwk.ALARMS else NOT_SET] for code, why in jwk.CODES.items()]
    return table(["code", "why it is not used", "alarm"], rows)


def roles() -> str:
    """What each role of an API token may do."""
    rows = [
        [f"**{role}**", *("yes" if permission in PERMITS[role] else NOT_SET for permission in Permission)]
        for role in Role
    ]
    return table(["role", *Permission], rows)


def commands() -> str:
    """The help of every command, verbs of verbs included."""
    context = click.Context(root, info_name="jwturn")
    return "\n".join([f"## jwturn\n\n{_help(root, 'jwturn', None)}", *_verbs(root, context)])


def _verbs(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, info_name=name, parent=context, max_content_width=WIDTH)
        yield f"## {inner.command_path}\n\n{_help(command, name, context)}"
        if isinstance(command, click.Group):
            yield from _verbs(command, inner)


def _help(command: click.Command, name: str, parent: click.Context | None) -> str:
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        max_content_width=WIDTH,
        terminal_width=WIDTH,
        color=False,
        help_option_names=["-h", "--help"],
    )
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


def routes() -> str:
    """Every path of the service."""
    rows = [
        [
            f"`{route.method} {route.path}`",
            str(route.needs or "no token"),
            route.summary,
            f"`{route.body.__name__}`" if route.body else NOT_SET,
        ]
        for route in ROUTES
    ]
    return table(["path", "needs", "what", "body"], rows)


def request_bodies() -> str:
    """Every body a caller may send, member by member."""
    used = dict.fromkeys(route.body for route in ROUTES if route.body is not None)
    return table(["body", "members"], [[f"`{body.__name__}`", _members(body)] for body in used])


def _members(body: Any) -> str:
    return ", ".join(
        f"`{field.encode_name}`{' (needed)' if field.required else ''}"
        for field in msgspec.structs.fields(body)
    )


PARTS: Final[dict[str, Callable[[], str]]] = {
    "states": states,
    "reasons": reasons,
    "default-numbers": default_numbers,
    "leads": leads,
    "profiles": profiles,
    "policy": policy,
    "presets": presets,
    "settings": settings,
    "exit-codes": exit_codes,
    "error-classes": error_classes,
    "error-codes": error_codes,
    "token-codes": token_codes,
    "fetch-codes": fetch_codes,
    "set-codes": set_codes,
    "roles": roles,
    "commands": commands,
    "routes": routes,
    "request-bodies": request_bodies,
}


def drawn(page: str) -> str:
    """The page with every part drawn as the code is now. Raises KeyError for a part that does not exist."""
    return PART.sub(
        lambda found: f"<!-- drawn: {found[1]} -->\n{PARTS[found[1]]()}<!-- end of {found[1]} -->", page
    )


def pages() -> list[Path]:
    """Every page, in order."""
    return [*sorted(DOCS.parent.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws every page, or with --check names those that are not as the code is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; 2 if a page is out of date")
    check = parser.parse_args(arguments).check
    stale = [page for page in pages() if drawn(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in stale:
        if not check:
            page.write_text(drawn(page.read_text("utf-8")), "utf-8")
        sys.stderr.write(f"{page.relative_to(DOCS.parent)}: {'out of date' if check else 'drawn'}\n")
    return 2 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""How a token is shown: the verdict first, then its checks, then what it says, as data of somebody else.

Whatever a token holds, what is printed is printable: bytes of strangers must not steer a terminal.
"""

import json
import re
from contextlib import suppress
from typing import Any, Final

import click

from jwturn.cli.report import Report
from jwturn.core import jws, strict_json
from jwturn.core.errors import BadInput
from jwturn.verifier.checks import NOT_CHECKED

NEVER_READ: Final = frozenset({"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"})
"""Members with which a token would choose its own key (SECURITY.md 2)."""
MEMBERS_SHOWN: Final = 40
_NAME_CHARS: Final = 40
_VALUE_CHARS: Final = 80
_ESCAPED: Final = re.compile(r"[^ -~\n]")
_MARKS: Final = {True: "ok", False: "FAIL"}
_COLORS: Final = {"passed": "green", "refused": "red", "not_judged": "yellow"}


def lines_of(report: Report, token: bytes, *, under: str = "", color: bool = False) -> list[str]:
    """The report in words."""
    header, claims = segments(token)
    verdict = f"{report.why}{under}"
    width = max(len(check.name) for check in report.checks)
    marks = ["-" if check.code == NOT_CHECKED else _MARKS[check.passed] for check in report.checks]
    rows = [
        f"{mark:<4}  {check.name:<{width}}  {check.words}"
        for mark, check in zip(marks, report.checks, strict=True)
    ]
    shown = [
        printable(line) for line in [verdict, *([f"hint: {report.hint}"] if report.hint else []), "", *rows]
    ]
    if color:
        shown[0] = click.style(shown[0], fg=_COLORS[report.verdict])
    worth = "" if report.verdict == "passed" else " (do not act on them)"
    return [*shown, *_section("header", header), *_section(f"claims{worth}", claims)]


def json_of(report: Report, token: bytes) -> dict[str, Any]:
    """The report as it is under --json (docs/reference/json.md)."""
    import msgspec

    header, claims = segments(token)
    failed, key = report.failed, report.key
    return {
        "valid": report.verdict == "passed",
        "verdict": report.verdict,
        "code": report.unavailable.code if report.unavailable else failed.code if failed else "",
        "why": printable(report.why),
        "hint": report.hint,
        "checks": [
            {"name": c.name, "passed": c.passed, "words": printable(c.words), "code": c.code}
            for c in report.checks
        ],
        "key": None
        if key is None
        else {name: getattr(key, name) for name in ("kid", "ring", "issuer", "alg", "state", "since")},
        "header": msgspec.Raw(escaped(header).encode()),
        "never_read": sorted(NEVER_READ & (header or {}).keys()),
        "claims": msgspec.Raw(escaped(claims).encode()),
    }


def escaped(value: object) -> str:
    """Indented JSON with nothing in it that could steer a terminal (RFC 8259 section 7)."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(
        char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text
    ).replace("\x7f", r"\u007f")


def printable(text: str) -> str:
    """Text as one line of printable ASCII."""
    return _ESCAPED.sub(lambda char: ascii(char[0])[1:-1], text.replace("\n", r"\n"))


def segments(token: bytes) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Header and claims, if they are JSON objects: to be shown, not to be believed."""
    try:
        header, payload, _, _ = jws.cut(token)
    except BadInput:
        return None, None
    return _object(header), _object(payload)


def _object(segment: bytes) -> dict[str, Any] | None:
    with suppress(BadInput):
        value = strict_json.loads(jws.decode(segment))
        return value if isinstance(value, dict) else None
    return None


def _section(title: str, members: dict[str, Any] | None) -> list[str]:
    if not members:
        return []
    names = list(members)[:MEMBERS_SHOWN]
    more = len(members) - len(names)
    lines = [f"  {_json(name, _NAME_CHARS)}: {_value(title, name, members[name])}" for name in names]
    return ["", title, *lines, *([f"  and {more} more"] if more else [])]


def _value(title: str, name: str, value: object) -> str:
    return "present, never read" if title == "header" and name in NEVER_READ else _json(value, _VALUE_CHARS)


def _json(value: object, chars_max: int) -> str:
    """JSON in printable ASCII, cut."""
    text = printable(json.dumps(value))
    return text if len(text) <= chars_max else f"{text[: chars_max - 3]}..."

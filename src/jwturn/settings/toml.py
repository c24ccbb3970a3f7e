"""The text of a settings file."""

import json
import re
from collections.abc import Mapping
from typing import Final

from jwturn.core.values import text

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """The text of a settings file: dotted table names (`store`, `rings.default`) to their keys, in order."""
    parts = []
    for table, values in tables.items():
        lines = [f"{name} = {_toml(value)}" for name, value in values.items()]
        head = ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in table.split(".", 1))
        parts.append("\n".join([f"[{head}]", *lines]) + "\n")
    return "\n".join(parts)


def _toml(value: object) -> str:
    if isinstance(value, bool | int | float):
        return text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return _quoted(text(value))


def _quoted(value: str) -> str:
    # A JSON string is a TOML string but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

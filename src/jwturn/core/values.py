"""Values as people write them in a policy or in the settings: `12h`, `true`, `jose,pyjwt`, and back."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import msgspec

from jwturn.core.durations import format_duration, parse_duration
from jwturn.core.errors import BadInput

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)


def read_value(name: str, kind: Any, value: object) -> Any:
    """The value of `name` as a `kind`: timedelta, bool, int, float, str or a tuple of str.

    A text is read, a value of the kind (from TOML or JSON) is taken as it is. Raises BadInput, naming `name`.
    """
    reader, example = _READERS.get(kind, (_list, "jose,pyjwt"))
    try:
        found = reader(value)
    except BadInput as error:
        raise BadInput(f"{name}: {error.message}", hint=error.hint, code=error.code) from error
    if found is None:
        raise BadInput(
            f"{name} = {text(value)[:60]!r} is not of its type", hint=f"such as {name} = {example}"
        )
    return found


def text(value: object) -> str:
    """A value as `read_value` reads it again."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return _duration_text(value)
        case tuple() | list():
            return ",".join(map(str, value))
        case None:
            return "none"
    return str(value)


def _duration_text(value: timedelta) -> str:
    # format_duration rounds up to whole seconds; this must be read again as the same number.
    if value > _SECOND and value % _SECOND and not value % _MILLISECOND:
        return f"{format_duration(value // _SECOND * _SECOND)} {value % _SECOND // _MILLISECOND}ms"
    return format_duration(value)


def _duration(value: object) -> timedelta | None:
    if isinstance(value, timedelta):
        return value
    return parse_duration(value) if isinstance(value, str) else None


def _bool(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _int(value: object) -> int | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value) and "." not in value:
        return int(value)
    return value if type(value) is int else None


def _float(value: object) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _str(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value) if value.startswith("[") else _commas(value)
        except msgspec.DecodeError:
            return None
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) and part for part in value):
        return None
    return tuple(value)


def _commas(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")] if value else []


_READERS: Final[dict[Any, tuple[Callable[[object], Any], str]]] = {
    timedelta: (_duration, "12h"),
    bool: (_bool, "true"),
    int: (_int, "3072"),
    float: (_float, "0.001"),
    str: (_str, "ES256"),
}

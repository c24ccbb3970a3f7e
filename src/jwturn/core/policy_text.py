"""A policy as text and back: `rotate_every=12h` from a person or a file, and every number shown again.

What `show` prints can be read again by `parse_changes` for every field a person may set; the resolved
`verifier_ttl_max` and the `lead` are shown as well, because they are what the settings amount to.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final

import msgspec

from jwturn.core.durations import format_duration, parse_duration
from jwturn.core.errors import BadInput
from jwturn.core.nearest import meant
from jwturn.core.policy import FIELDS, RotationPolicy
from jwturn.core.profiles import resolve
from jwturn.core.timing import lead

_KINDS: Final[dict[str, Any]] = {
    field.name: timedelta if field.type == timedelta | None else field.type for field in fields(RotationPolicy)
} | {"verifier_ttl_max": timedelta}
SETTABLE: Final = tuple(
    name for name in (*(f.name for f in fields(RotationPolicy)), "verifier_ttl_max") if name in FIELDS
)
"""The names a person may set, in the order in which they are shown."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)


def parse_changes(items: Sequence[str] | Mapping[str, object]) -> dict[str, Any]:
    """Typed values for `policy.edited`, from `name=value` texts or from a table of texts, numbers and lists.

    A list is `jose,pyjwt` or JSON; `verifier_ttl_max = none` takes the given bound away. Raises BadInput: an unknown
    name (with the nearest), a value of another type, a name given twice.
    """
    pairs = list(items.items()) if isinstance(items, Mapping) else [_split(item) for item in items]
    changes: dict[str, Any] = {}
    for name, value in pairs:
        if name not in FIELDS:
            raise BadInput(
                f"a policy has no field {name[:60]!r}", hint=meant(name, SETTABLE), code="unknown_field"
            )
        if name in changes:
            raise BadInput(f"{name} is given twice", hint="give each field once")
        changes[name] = _typed(name, value)
    return changes


def show(policy: RotationPolicy) -> dict[str, str]:
    """Every field as text, then the lead; `verifier_ttl_max` is the one that counts."""
    shown = {name: text(getattr(policy, name)) for name in SETTABLE}
    if policy.unproved:
        shown["unproved"] = "true"
    return shown | {"lead": text(lead(policy.bounds))}


def diff(old: RotationPolicy, new: RotationPolicy) -> dict[str, tuple[str, str]]:
    """What differs, as text: name to (old, new), derived numbers included."""
    before, after = show(old), show(new)
    names = [*after, *(name for name in before if name not in after)]
    pairs = {name: (before.get(name, "false"), after.get(name, "false")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def contradictions(policy: RotationPolicy, declared: Mapping[str, object]) -> list[str]:
    """Where a node's settings (field to text or value) give other numbers than the ring has: a line for each.

    The settings' verifiers are turned into numbers again, so that a release that knows them better is noticed.
    Raises BadInput as `parse_changes` does.
    """
    return [
        f"{name}: the settings say {text(value)}, the ring has {text(getattr(policy, name))}"
        for name, value in parse_changes(declared).items()
        if not _agrees(policy, name, value)
    ]


def text(value: object) -> str:
    """A field's value as `parse_changes` reads it."""
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
    # format_duration rounds up to whole seconds; what is shown here must be read again as the same number.
    if value > _SECOND and value % _SECOND and not value % _MILLISECOND:
        return f"{format_duration(value // _SECOND * _SECOND)} {value % _SECOND // _MILLISECOND}ms"
    return format_duration(value)


def _agrees(policy: RotationPolicy, name: str, value: Any) -> bool:
    if name == "verifiers":
        numbers = resolve(value, max_age=policy.jwks_max_age)
        return set(value) == set(policy.verifiers) and set(numbers) == set(policy.declared)
    if name == "verifier_ttl_max":
        return value in (policy.verifier_ttl_given, policy.verifier_ttl_max)
    return bool(getattr(policy, name) == value)


def _split(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise BadInput(f"{item[:60]!r} does not say name=value", hint="such as rotate_every=12h")
    return name.strip(), value.strip()


def _typed(name: str, value: object) -> Any:
    if name == "verifier_ttl_max" and value in ("none", None):
        return None
    kind = _KINDS[name]
    reader, example = _READERS.get(kind, (_list, "jose,pyjwt"))
    try:
        found = reader(value)
    except BadInput as error:
        raise BadInput(f"{name}: {error.message}", hint=error.hint, code=error.code) from error
    if found is None:
        raise BadInput(f"{name} = {text(value)[:60]!r} is not of its type", hint=f"such as {name}={example}")
    return found


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

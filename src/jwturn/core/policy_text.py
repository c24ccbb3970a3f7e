"""A policy as text and back: `rotate_every=12h` from a person or a file, and every number shown again.

What `show` prints can be read again by `parse_changes` for every field a person may set; the resolved
`verifier_ttl_max` and the `lead` are shown as well, because they are what the settings amount to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final

from jwturn.core.errors import BadInput
from jwturn.core.nearest import meant
from jwturn.core.policy import FIELDS, RotationPolicy
from jwturn.core.profiles import resolve
from jwturn.core.timing import lead
from jwturn.core.values import read_value, text

_KINDS: Final[dict[str, Any]] = {
    **{field.name: field.type for field in fields(RotationPolicy)},
    "verifier_ttl_max": timedelta,
}
SETTABLE: Final = tuple(
    name for field in fields(RotationPolicy) if (name := field.name.replace("ttl_given", "ttl_max")) in FIELDS
)
"""The names a person may set, in the order in which they are shown."""


def parse_changes(items: Sequence[str] | Mapping[str, object]) -> dict[str, Any]:
    """Typed values for `policy.edited`, from `name=value` texts or from a table of texts, numbers and lists.

    A list is `jose,pyjwt` or JSON; `verifier_ttl_max = none` takes the given bound away. Raises BadInput:
    an unknown name (with the nearest), a value of another type, a name given twice.
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
        unset = name == "verifier_ttl_max" and value in ("none", None)
        changes[name] = None if unset else read_value(name, _KINDS[name], value)
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
    pairs = {name: (before.get(name, "false"), after.get(name, "false")) for name in before | after}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def contradictions(policy: RotationPolicy, declared: Mapping[str, object]) -> list[str]:
    """Where a node's settings (field to text or value) give other numbers than the ring has: a line for each.

    The settings' verifiers are turned into numbers again, so that a release that knows them better is
    noticed. Raises BadInput as `parse_changes` does.
    """
    return [line for name, value in parse_changes(declared).items() for line in _against(policy, name, value)]


def _against(policy: RotationPolicy, name: str, value: Any) -> list[str]:
    if name == "verifiers":
        return _verifiers_against(policy, value)
    same = (policy.verifier_ttl_given, policy.verifier_ttl_max) if name == "verifier_ttl_max" else ()
    held = getattr(policy, name)
    return [] if value in (held, *same) else [_line(name, text(value), text(held))]


def _verifiers_against(policy: RotationPolicy, names: tuple[str, ...]) -> list[str]:
    if set(names) != set(policy.verifiers):
        return [_line("verifiers", text(names), text(policy.verifiers))]
    held = {verifier.name: verifier.lifetime for verifier in policy.declared}
    return [
        _line(f"verifier {known.name}", text(known.lifetime), text(held.get(known.name)))
        for known in resolve(names, max_age=policy.jwks_max_age)
        if known.lifetime != held.get(known.name)
    ]


def _line(name: str, said: str, held: str) -> str:
    return f"{name}: the settings say {said or 'none'}, the ring has {held or 'none'}"


def _split(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise BadInput(f"{item[:60]!r} does not say name=value", hint="such as rotate_every=12h")
    return name.strip(), value.strip()

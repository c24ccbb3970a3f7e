"""The law of states: which state a key may move to, and by which act.

The lifecycle diagram is drawn from this table.

The names are the field's: standby is NIST SP 800-57 pre-activation, verify-only its deactivated, revoked
its compromised, retired its destroyed.
"""

from enum import StrEnum
from typing import Final


class KeyState(StrEnum):
    """What a key may do now."""

    STANDBY = "standby"
    """Published, does not sign yet."""
    ACTIVE = "active"
    """Signs. A ring has at most one."""
    VERIFY_ONLY = "verify-only"
    """Signs no more, still published until its last token has expired."""
    REVOKED = "revoked"
    """Not trusted: out of the JWKS at once."""
    RETIRED = "retired"
    """Out of the JWKS, no private half; kept in history."""


STANDBY, ACTIVE, VERIFY_ONLY, REVOKED, RETIRED = KeyState

BEGINNINGS: Final = frozenset({STANDBY, VERIFY_ONLY})

LAW: Final[dict[tuple[KeyState, KeyState], str]] = {
    (STANDBY, ACTIVE): "promote",
    (STANDBY, REVOKED): "revoke",
    (STANDBY, RETIRED): "discard",
    (ACTIVE, VERIFY_ONLY): "superseded",
    (ACTIVE, REVOKED): "revoke",
    (VERIFY_ONLY, ACTIVE): "roll back",
    (VERIFY_ONLY, REVOKED): "revoke",
    (VERIFY_ONLY, RETIRED): "tail is over",
    (REVOKED, RETIRED): "tail is over",
}

PUBLISHED: Final = frozenset({STANDBY, ACTIVE, VERIFY_ONLY})


def allows(before: KeyState, after: KeyState) -> bool:
    """Whether the law has a move from `before` to `after`."""
    return (before, after) in LAW

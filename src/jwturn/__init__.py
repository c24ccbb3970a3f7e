"""Make, keep, publish and turn the keys that sign JSON Web Tokens, without one good token being refused.

`jwturn.open()` gives the ring inside an application; the command line and the service stand on the same
parts. Names are imported when they are first used, so that importing jwturn costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from jwturn.core.version import VERSION as __version__  # noqa: N811  # what packages call it

if TYPE_CHECKING:
    from jwturn.core.errors import (
        BadInput,
        ConfigError,
        CustodyError,
        IntegrityError,
        JwturnError,
        KeysUnavailable,
        LostRace,
        NotFound,
        PolicyRefused,
        StateForbids,
        TokenRefused,
        Unavailable,
        WeakKey,
    )
    from jwturn.core.keys import Key, KeyRing
    from jwturn.core.policy import RotationPolicy
    from jwturn.core.rules import ANY
    from jwturn.core.states import KeyState
    from jwturn.library import Jwturn
    from jwturn.library import open_ring as open  # noqa: A004  # jwturn.open reads as what it does
    from jwturn.verifier.aio import AsyncVerifier
    from jwturn.verifier.legacy import LegacySecret, MigrationWarning
    from jwturn.verifier.multi import MultiIssuer
    from jwturn.verifier.sync import Verifier


__all__ = [
    "ANY",
    "AsyncVerifier",
    "BadInput",
    "ConfigError",
    "CustodyError",
    "IntegrityError",
    "Jwturn",
    "JwturnError",
    "Key",
    "KeyRing",
    "KeyState",
    "KeysUnavailable",
    "LegacySecret",
    "LostRace",
    "MigrationWarning",
    "MultiIssuer",
    "NotFound",
    "PolicyRefused",
    "RotationPolicy",
    "StateForbids",
    "TokenRefused",
    "Unavailable",
    "Verifier",
    "WeakKey",
    "__version__",
    "open",
]

_ELSEWHERE: Final = {
    "ANY": ("jwturn.core.rules", "ANY"),
    "AsyncVerifier": ("jwturn.verifier.aio", "AsyncVerifier"),
    "LegacySecret": ("jwturn.verifier.legacy", "LegacySecret"),
    "MigrationWarning": ("jwturn.verifier.legacy", "MigrationWarning"),
    "MultiIssuer": ("jwturn.verifier.multi", "MultiIssuer"),
    "Verifier": ("jwturn.verifier.sync", "Verifier"),
    "Jwturn": ("jwturn.library", "Jwturn"),
    "open": ("jwturn.library", "open_ring"),
    "Key": ("jwturn.core.keys", "Key"),
    "KeyRing": ("jwturn.core.keys", "KeyRing"),
    "KeyState": ("jwturn.core.states", "KeyState"),
    "RotationPolicy": ("jwturn.core.policy", "RotationPolicy"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'jwturn' has no attribute {name!r}")
    module, attribute = _ELSEWHERE.get(name, ("jwturn.core.errors", name))
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""Good keys that we take and some of the others refuse; what known.STRICTER is for tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jwturn.core.jwk import PUBLIC_MEMBERS
from tests.differential.bad_keys import KID
from tests.differential.world import jwk_of, text

Jwk = Mapping[str, Any]
VALUE_MEMBERS: Final = frozenset(
    {"n", "e", "d", "p", "q", "dp", "dq", "qi", "oth", "crv", "x", "y", "k", "pub", "priv"}
)
OPERATIONS: Final = frozenset(
    {"sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"}
)
"""Those that RFC 7517 section 4.3 names."""


@dataclass(frozen=True)
class StricterKey:
    """Good keys that some libraries refuse: which, why, members that prove it, and what else is of the kind.

    Each of `keys` is the kid of a good key and the members that it has besides (... leaves one out).
    """

    what: str
    refused_by: frozenset[str]
    why: str
    keys: Mapping[str, tuple[str, Jwk]]
    applies: Callable[[Jwk, str], bool]


def set_with(kid: str, members: Jwk) -> tuple[Jwk, bytes]:
    """The key `bad`, which is that of `kid` with other members, and a set that holds it alone."""
    changed = {**jwk_of(kid), "kid": KID, **members}
    key = {name: value for name, value in changed.items() if value is not ...}
    return key, text({"keys": [key]})


def explained_key(library: str, key: Jwk, alg: str) -> bool:
    """Whether a row says why this library refuses this key, which we take."""
    return any(library in row.refused_by and row.applies(key, alg) for row in STRICTER_KEYS)


def _of_another_type(key: Jwk, _: str) -> bool:
    return not key.keys() & VALUE_MEMBERS <= PUBLIC_MEMBERS[key["kty"]]


def _x5_wrongly_typed(key: Jwk, _: str) -> bool:
    def good(name: str, value: object) -> bool:
        if name == "x5c":
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        return isinstance(value, str) and (name != "x5u" or value.startswith(("http://", "https://")))

    return any(not good(name, key[name]) for name in ("x5u", "x5c", "x5t", "x5t#S256") if name in key)


STRICTER_KEYS: Final = (
    StricterKey(
        "a member that belongs to another key type",
        frozenset({"jwcrypto"}),
        "RFC 7517 section 4: what is not understood must be ignored.",
        {"EC with n": ("ES256", {"n": "AQAB"}), "OKP with y": ("EdDSA", {"y": "AQAB"})},
        _of_another_type,
    ),
    StricterKey(
        "x5u, x5c or x5t of a wrong type",
        frozenset({"joserfc"}),
        "SECURITY 2: they are never read here, so nothing they hold matters.",
        {"x5c a text": ("ES256", {"x5c": "MIIB"}), "x5u a name": ("RS256", {"x5u": "chain"})},
        _x5_wrongly_typed,
    ),
    StricterKey(
        "an operation that RFC 7517 does not name, beside verify and without use",
        frozenset({"joserfc"}),
        "RFC 7517 section 4.3: other values may be used.",
        {"key_ops audit": ("ES256", {"use": ..., "key_ops": ["verify", "audit"]})},
        lambda key, _: "use" not in key and not set(key.get("key_ops", ())) <= OPERATIONS,
    ),
    StricterKey(
        "an RSA key without alg, where another algorithm than RS256 is expected",
        frozenset({"PyJWT"}),
        "RFC 7517 section 4.4: alg is optional. Here `algorithms` names the one expected; PyJWT takes RS256.",
        {"RSA, PS256 expected": ("PS256", {"alg": ...})},
        lambda key, alg: key["kty"] == "RSA" and "alg" not in key and alg != "RS256",
    ),
    StricterKey(
        "alg Ed25519",
        frozenset({"PyJWT"}),
        "RFC 9864. PyJWT knows such a key by the older name, EdDSA, alone.",
        {"alg Ed25519": ("Ed25519", {})},
        lambda _, alg: alg == "Ed25519",
    ),
    StricterKey(
        "key type AKP",
        frozenset({"PyJWT", "joserfc"}),
        "RFC 9964.",
        {"ML-DSA-65": ("ML-DSA-65", {})},
        lambda key, _: key["kty"] == "AKP",
    ),
)
"""Good keys that others refuse; there is no other kind."""

"""API tokens: who may call the service, with which role, for which rings, until when.

Only the hash is kept.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

PREFIX: Final = "jwturn_"
ENTROPY_BYTES: Final = 32


class Role(StrEnum):
    """What an API token may do; each role is a set of permissions, and none gives a private half."""

    SIGNER = "signer"
    """Sign."""
    VERIFIER = "verifier"
    """Read the current and overlapping secrets of a symmetric ring; nothing else."""
    AUDITOR = "auditor"
    """Read rings, plans, keys and events."""
    OPERATOR = "operator"
    """Read, and turn: rotate, promote, roll back, hold, release, delivered, discard."""
    ADMIN = "admin"
    """Everything: also revoke, policy, before-lead, tokens."""


class Permission(StrEnum):
    """What a call needs."""

    SIGN = "sign"
    SECRETS = "secrets"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


PERMITS: Final[dict[Role, frozenset[Permission]]] = {
    Role.SIGNER: frozenset({Permission.SIGN}),
    Role.VERIFIER: frozenset({Permission.SECRETS}),
    Role.AUDITOR: frozenset({Permission.READ}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset({Permission.SIGN, Permission.READ, Permission.OPERATE, Permission.ADMIN}),
}


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A caller of the service.

    `rings` empty means every ring; `digest` is SHA-256 of the whole token, in hex.
    """

    name: str
    digest: str
    role: Role
    rings: tuple[str, ...]
    created: datetime
    expires: datetime
    withdrawn: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Whether the token may be used at `now`."""
        return self.withdrawn is None and now < self.expires

    def permits(self, permission: Permission, ring: str | None) -> bool:
        """Whether its role and its rings allow a call."""
        in_scope = not self.rings or (ring is not None and ring in self.rings)
        return permission in PERMITS[self.role] and in_scope


def digest(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()

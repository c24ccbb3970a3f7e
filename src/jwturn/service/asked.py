"""What a caller asks of a token beside its claims, within what the ring's policy gives."""

from datetime import timedelta

from jwturn.core.errors import BadInput
from jwturn.core.policy import RotationPolicy


def lifetime(policy: RotationPolicy, asked: timedelta | None, default: timedelta | None) -> timedelta:
    """How long a token lives: as asked, or by default, which never exceeds the policy's token_ttl_max."""
    if asked is not None:
        return asked
    return min(default or policy.token_ttl_max, policy.token_ttl_max)


def audience(policy: RotationPolicy, asked: str | None) -> str | tuple[str, ...] | None:
    """The audience asked for, where the policy names none or names it; else the policy's. Raises BadInput."""
    if asked is None:
        return policy.audience or None
    if policy.audience and asked not in policy.audience:
        raise BadInput(
            f"the audience {asked[:60]!r} is not one of the ring's: {', '.join(policy.audience)}",
            hint="leave it out, or add it to the policy's audience",
            code="claims_reserved",
        )
    return asked

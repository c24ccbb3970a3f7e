"""Every error jwturn raises.

One tree, each with a code, a hint, whose fault it is, an HTTP status and an exit code.

A code is stable and may be matched on; a message may change. A hint is the next thing to do, and never
holds a secret. Library exceptions never leave: they are raised `from` here. The mapping to HTTP (RFC 9457)
and to the exit codes of sysexits is made once, in this file.
"""

from enum import StrEnum
from typing import Any, ClassVar


class Fault(StrEnum):
    """Who has to change something for the call to succeed."""

    CALLER = "caller"
    OPERATOR = "operator"
    BACKEND = "backend"
    NOBODY = "nobody"  # a race was lost: ask again
    US = "jwturn"


class JwturnError(Exception):
    """The root of the tree; `code`, `hint`, `fault`, `http_status`, `exit_code` tell callers what to do."""

    code: str = "failed"
    fault: ClassVar[Fault] = Fault.US
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", code: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or type(self).code
        self.details = details


class BadInput(JwturnError):
    """What was handed in is malformed or breaks a rule; nothing was changed."""

    code = "bad_input"
    fault = Fault.CALLER
    http_status = 400
    exit_code = 65


class PolicyRefused(BadInput):
    """The policy breaks an inequality of the theorem (core/policy.py); the message has the numbers."""

    code = "policy_refused"
    http_status = 422


class WeakKey(BadInput):
    """A key or secret that must not be used: too short, known, guessable or malformed."""

    code = "weak_key"
    http_status = 422


class TooLarge(BadInput):
    """A body, token or set above its limit."""

    code = "too_large"
    http_status = 413


class NotFound(BadInput):
    """No such ring, key, token or file."""

    code = "not_found"
    http_status = 404


class StateForbids(BadInput):
    """The law of states, a hold or a bound forbids this move now; the message says until when."""

    code = "state_forbids"
    http_status = 409


class TokenRefused(BadInput):
    """A token that must not be trusted; `code` names the check that failed."""

    code = "token_refused"
    http_status = 401


class Unauthenticated(JwturnError):
    """No API token, or one that is unknown, expired or withdrawn."""

    code = "unauthenticated"
    fault = Fault.CALLER
    http_status = 401
    exit_code = 77


class NotPermitted(JwturnError):
    """The caller is known and may not do this."""

    code = "not_permitted"
    fault = Fault.CALLER
    http_status = 403
    exit_code = 77


class LostRace(JwturnError):
    """Another node changed the ring first; nothing was written, ask again."""

    code = "lost_race"
    fault = Fault.NOBODY
    http_status = 409
    exit_code = 75


class Overloaded(JwturnError):
    """More calls than this node takes at once (`retry_after` seconds)."""

    code = "overloaded"
    fault = Fault.CALLER
    http_status = 429
    exit_code = 69

    def __init__(self, message: str, *, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unavailable(JwturnError):
    """A backend, a lease or a mature key is missing for now (`retry_after` seconds)."""

    code = "unavailable"
    fault = Fault.BACKEND
    http_status = 503
    exit_code = 69

    def __init__(self, message: str, *, hint: str = "", code: str = "", retry_after: int = 5) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after


class KeysUnavailable(Unavailable):
    """No usable key set: the token was not judged."""

    code = "keys_unavailable"


class ClocksDisagree(Unavailable):
    """The node's clock and the store's differ by more than the policy's clock_skew_max allows."""

    code = "clocks_disagree"


class CustodyError(JwturnError):
    """A KEK is missing or wrong, or a private half does not open; both fingerprints are named."""

    code = "custody"
    fault = Fault.OPERATOR
    http_status = 503
    exit_code = 77


class IntegrityError(JwturnError):
    """Something in the store was edited, swapped, truncated or rolled back."""

    code = "integrity"
    fault = Fault.OPERATOR
    http_status = 503
    exit_code = 69


class ConfigError(JwturnError):
    """A setting is unknown, malformed, given twice or contradicts the store."""

    code = "config"
    fault = Fault.OPERATOR
    http_status = 500
    exit_code = 65


class FatalStorage(BaseException):
    """What was believed durable may be lost (EIO from fsync): the process must end and read everything again.

    Not an Exception, so that nothing which survives errors survives this; a service ends its process on it.
    """

    code = "fatal_storage"
    exit_code = 69

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = "check the disk (dmesg, smartctl), then start again"

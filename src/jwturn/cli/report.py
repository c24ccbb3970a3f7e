"""What `inspect` tells of a token: every check, what the store knows of its key, and the verdict."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from jwturn.core import jws
from jwturn.core.errors import KeysUnavailable, TokenRefused
from jwturn.verifier.checks import NOT_CHECKED

if TYPE_CHECKING:
    from jwturn.core.claims import Check

_SHOWN_CHARS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A key of the store: what is known of it beside the token."""

    kid: str
    shown: str
    ring: str
    issuer: str
    alg: str
    state: str
    since: datetime
    now: datetime

    @property
    def gone(self) -> bool:
        """Whether no token of it is good any more."""
        return self.state in ("revoked", "retired")

    @property
    def words(self) -> str:
        """`key b7Jm2kQe was revoked 34s ago`, or where it is and in which state."""
        from jwturn.cli.output import relative, when

        if self.gone:
            ago = relative(self.since, self.now).replace("now", "just now")
            return f"key {self.shown} was {self.state} {ago}"
        return f"of ring {self.ring}, {self.state} since {when(self.since, self.now)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Every check, in the order in which they are made.

    `refusal` is what `verify` says of the same token; `unavailable` why the keys could not be had.
    """

    checks: "Sequence[Check]"
    advice: str = ""
    refusal: TokenRefused | None = None
    key: Found | None = None
    unavailable: KeysUnavailable | None = None

    @property
    def failed(self) -> "Check | None":
        """The check that `verify` refuses the token by, else the first that it failed."""
        if self.unavailable is not None:
            return None
        failed = [check for check in self.checks if not check.passed and check.code != NOT_CHECKED]
        code = "" if self.refusal is None else self.refusal.code
        return next((check for check in failed if check.code == code), failed[0] if failed else None)

    @property
    def verdict(self) -> str:
        """`passed`, `refused` or `not_judged`: a check that could not be made is not one that passed."""
        if self.failed is not None or self.refusal is not None:
            return "refused"
        return "passed" if all(check.passed for check in self.checks) else "not_judged"

    @property
    def why(self) -> str:
        """The verdict in words."""
        failed = self.failed
        if failed is not None:
            return f"refused: {failed.words}"
        if self.refusal is not None:
            return f"refused: {self.refusal.message}"
        left = next((check for check in self.checks if not check.passed), None)
        return "every check passed" if left is None else f"not judged: {left.words}"

    @property
    def hint(self) -> str:
        """What to do next, or nothing; that `inspect` explains it is known here."""
        hint = "" if self.refusal is None else self.refusal.hint
        return self.advice or ("" if hint == jws.HINT else hint)

    @property
    def exit_code(self) -> int:
        """0, 2 for findings, 69 where the keys could not be had."""
        if self.unavailable is not None:
            return self.unavailable.exit_code
        return 0 if self.verdict == "passed" else 2


def kid_of(token: bytes) -> str:
    """The kid that the token names, or nothing."""
    with suppress(TokenRefused):
        return jws.read_header(jws.cut(token)[0]).kid or ""
    return ""


def claimed_issuer(token: bytes) -> str:
    """The issuer that the token claims to be of, or nothing; only to say so."""
    with suppress(TokenRefused):
        claimed = jws.read_claims(jws.decode(jws.cut(token)[1])).get("iss")
        return claimed if isinstance(claimed, str) else ""
    return ""


def refusal_of(judge: Callable[[], object]) -> TokenRefused | None:
    """How `verify` refuses the token, if it does."""
    try:
        judge()
    except TokenRefused as error:
        return error
    return None


def cut(text: object) -> str:
    """Something of strangers as ASCII in quotes, cut."""
    shown = ascii(text)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[: _SHOWN_CHARS - 3]}..."

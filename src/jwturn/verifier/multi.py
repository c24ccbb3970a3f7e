"""Tokens of several issuers: the choice is made from configuration, by an `iss` that is then verified."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jwturn.core import jws
from jwturn.core.errors import BadInput
from jwturn.verifier.checks import refusal
from jwturn.verifier.judge import plain

if TYPE_CHECKING:
    from jwturn.verifier.aio import AsyncVerifier
    from jwturn.verifier.sync import Verifier

V = TypeVar("V", "Verifier", "AsyncVerifier")


class MultiIssuer(Generic[V]):
    """Verifiers by issuer: all of one colour, each under the issuer it is for.

    The token's `iss` only picks among them, and the one picked compares it again after the signature. Raises
    BadInput for an empty mapping, or a verifier under another name than its issuer's.
    """

    def __init__(self, verifiers: Mapping[str, V]) -> None:
        given: object = verifiers
        self._verifiers: dict[str, V] = dict(verifiers) if isinstance(given, Mapping) else {}
        wrong = [str(name) for name, one in self._verifiers.items() if getattr(one, "issuer", None) != name]
        if wrong or not self._verifiers:
            raise BadInput(
                f"each verifier belongs under its own issuer: {', '.join(wrong) or 'there is none'}",
                code="rules_malformed",
                hint="MultiIssuer({verifier.issuer: verifier})",
            )

    def of(self, token: str | bytes) -> V:
        """The verifier for this token; raises TokenRefused where its issuer is not one of these."""
        found: V | None = None
        claims = jws.read_claims(jws.decode(jws.cut(plain(token))[1]))
        if type(iss := claims.get("iss")) is str:
            found = self._verifiers.get(iss)
        if found is None:
            raise refusal("iss_unknown" if "iss" in claims else "iss_missing")
        return found

    def verify(self, token: str | bytes, *, at: datetime | None = None, type: Any = None) -> Any:  # noqa: A002  # what msgspec calls it
        """What the issuer's own verifier says: the claims, or of an AsyncVerifier what to await for them."""
        return self.of(token).verify(token, at=at, type=type)

"""Tokens of several issuers: the choice is made from configuration, by an `iss` that is then verified."""

from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from jwturn.core import jws
from jwturn.core.errors import BadInput
from jwturn.verifier.checks import refusal
from jwturn.verifier.judge import plain

if TYPE_CHECKING:
    from jwturn.verifier.aio import AsyncVerifier
    from jwturn.verifier.sync import Verifier

T = TypeVar("T")
V = TypeVar("V", "Verifier", "AsyncVerifier")


class MultiIssuer(Generic[V]):
    """Verifiers by issuer: all of one colour, each under the issuer it is for.

    The token's `iss` only picks among them, and the one picked compares it again after the signature. Raises
    BadInput for an empty mapping, a verifier under another name than its issuer's, or both colours.
    """

    def __init__(self, verifiers: Mapping[str, V]) -> None:
        given: object = verifiers
        self._verifiers: dict[str, V] = dict(verifiers) if isinstance(given, Mapping) else {}
        wrong = [
            f"{name!a:.200} has that of {getattr(one, 'issuer', None)!a:.200}"
            for name, one in self._verifiers.items()
            if getattr(one, "issuer", None) != name
        ]
        if wrong or not self._verifiers:
            raise BadInput(
                f"each verifier belongs under its own issuer: {', '.join(wrong) or 'there is none'}",
                code="rules_malformed",
                hint="MultiIssuer({verifier.issuer: verifier})",
            )
        if len({hasattr(one, "__aenter__") for one in self._verifiers.values()}) > 1:
            raise BadInput(
                "verifiers of both colours, of which one would have to be awaited and the other not",
                code="rules_malformed",
                hint="all Verifier, or all AsyncVerifier",
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

    @overload
    def verify(
        self: "MultiIssuer[Verifier]", token: str | bytes, *, at: datetime | None = None
    ) -> dict[str, Any]: ...

    @overload
    def verify(
        self: "MultiIssuer[Verifier]", token: str | bytes, *, at: datetime | None = None, type: type[T]
    ) -> T: ...

    @overload
    def verify(
        self: "MultiIssuer[AsyncVerifier]", token: str | bytes, *, at: datetime | None = None
    ) -> Coroutine[Any, Any, dict[str, Any]]: ...

    @overload
    def verify(
        self: "MultiIssuer[AsyncVerifier]", token: str | bytes, *, at: datetime | None = None, type: type[T]
    ) -> Coroutine[Any, Any, T]: ...

    def verify(self, token: str | bytes, *, at: datetime | None = None, type: Any = None) -> Any:  # noqa: A002  # what msgspec calls it
        """What the issuer's own verifier says: the claims, or of an AsyncVerifier what to await for them."""
        return self.of(token).verify(token, at=at, type=type)

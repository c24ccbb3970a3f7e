"""What a verifier accepts of one issuer: said once and handed to every check (SECURITY.md 3, 6)."""

from collections.abc import Collection
from datetime import timedelta
from enum import Enum
from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS
from jwturn.core.jws import media_type


class AnyAudience(Enum):
    """The type of ANY."""

    ANY = "any"


ANY: Final = AnyAudience.ANY
"""Said aloud where tokens for any audience are accepted."""
MAY_LACK: Final = frozenset({"iss", "aud"})
"""The claims that an older issuer may never have set."""


class Rules(Struct, frozen=True, kw_only=True):
    """What a verifier accepts of one issuer.

    `typ` holds the header types accepted, compared without `application/` and case; None in it is an absent
    typ. `algorithms` narrows the algorithms (None: those of the keys). `kid_when_absent` names the one key
    for tokens without kid, and `may_lack` the claims (iss, aud) that a token may do without: both for
    migrations. Raises BadInput `rules_malformed`.
    """

    issuer: str
    audience: frozenset[str] | AnyAudience
    leeway: timedelta = timedelta(seconds=60)
    token_ttl_max: timedelta = timedelta(hours=24)
    typ: frozenset[str | None] = frozenset({"jwt", "at+jwt", None})
    algorithms: frozenset[str] | None = None
    kid_when_absent: str | None = None
    may_lack: frozenset[str] = frozenset()
    leeway_seconds: float = 0.0
    """The leeway as a number; computed, whatever is handed in."""
    ttl_seconds: float = 0.0
    """The longest lifetime as a number; computed, whatever is handed in."""

    def __post_init__(self) -> None:
        unknown = sorted((self.algorithms or frozenset()) - ALGS.keys())
        for wrong, words, hint in (
            (not self.issuer, "the issuer is empty", "give the iss of its tokens, to the last slash"),
            (not _is_audience(self.audience), "no audience is named", "name one or several, or say ANY"),
            (self.leeway < timedelta(), "the leeway is negative", "a minute is usual"),
            (self.token_ttl_max <= timedelta(), "token_ttl_max is not above zero", "a day is the default"),
            (not self.typ, "no typ is accepted", "name one, or leave it out"),
            (not self.may_lack <= MAY_LACK, "only iss and aud may be lacking", "exp is never optional"),
            (bool(unknown), f"algorithms has unknown names: {unknown}", f"one of {', '.join(ALGS)}"),
        ):
            if wrong:
                raise BadInput(f"these rules were refused: {words}", code="rules_malformed", hint=hint)
        typ = frozenset(name if name is None else media_type(name) for name in self.typ)
        force_setattr(self, "typ", typ)
        force_setattr(self, "leeway_seconds", self.leeway.total_seconds())
        force_setattr(self, "ttl_seconds", self.token_ttl_max.total_seconds())


def audience_of(audience: str | Collection[str] | AnyAudience) -> frozenset[str] | AnyAudience:
    """One name, several, or ANY, as Rules want it."""
    if isinstance(audience, AnyAudience):
        return audience
    return frozenset({audience} if isinstance(audience, str) else audience)


def _is_audience(audience: object) -> bool:
    if audience is ANY:
        return True
    return isinstance(audience, frozenset) and bool(audience) and all(isinstance(a, str) for a in audience)

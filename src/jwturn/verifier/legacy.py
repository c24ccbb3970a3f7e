"""Rules for the way out of an older issuer: explicit, with an end, and never silent."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NoReturn

from jwturn.core.errors import BadInput
from jwturn.core.jwk import check_kid
from jwturn.core.rules import AnyAudience, Rules
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Hmac, algorithm
from jwturn.crypto.import_oct import check_secret
from jwturn.crypto.verify import hmac_key
from jwturn.verifier.given import audience_given, check_kinds, names
from jwturn.verifier.judge import Court, Legacy


class MigrationWarning(UserWarning):
    """A rule that is meant for a migration is in force."""


class LegacySecret:
    """An HMAC secret whose tokens are accepted beside the issuer's until `until`, an aware datetime.

    Its tokens are those whose header has this `alg` and this `kid` (None: no kid). They are judged by the
    verifier's rules; `issuer`, `audience`, `typ` and `token_ttl_max` replace its own where theirs were
    others, and `without` names the claims (iss, aud) that they may lack. A `str` secret is its UTF-8
    bytes. Raises BadInput or WeakKey for one that is short, known or guessable: whoever guesses it can
    forge tokens until its end.
    """

    __slots__ = ("_key", "alg", "audience", "issuer", "kid", "token_ttl_max", "typ", "until", "without")

    def __init__(
        self,
        secret: str | bytes | Secret,
        *,
        until: datetime,
        alg: str = "HS256",
        kid: str | None = None,
        issuer: str | None = None,
        audience: str | Collection[str] | AnyAudience | None = None,
        typ: str | Collection[str] | None = None,
        token_ttl_max: timedelta | None = None,
        without: Collection[str] = (),
    ) -> None:
        data = _bytes_of(secret)
        check_secret(_hmac(alg), data)
        self._key = hmac_key(alg, Secret(data))
        self.until, self.alg = _aware(until), alg
        self.kid = None if kid is None else check_kid(kid)
        if issuer is not None:
            check_kinds(issuer=issuer)
        if token_ttl_max is not None:
            check_kinds(token_ttl_max=token_ttl_max)
        self.issuer, self.token_ttl_max = issuer, token_ttl_max
        self.audience = None if audience is None else audience_given(audience)
        self.typ = None if typ is None else names("typ", typ)
        self.without = names("without", without) if without else frozenset()

    def __repr__(self) -> str:
        return f"LegacySecret({self.alg}, until={self.until:%Y-%m-%d %H:%M})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled or copied")

    def beside(self, rules: Rules) -> Legacy:
        """Its court, where `rules` are those of the issuer's own tokens."""
        name = self.kid or "legacy"
        own = Rules(
            issuer=rules.issuer if self.issuer is None else self.issuer,
            audience=rules.audience if self.audience is None else self.audience,
            leeway=rules.leeway,
            token_ttl_max=rules.token_ttl_max if self.token_ttl_max is None else self.token_ttl_max,
            typ=rules.typ if self.typ is None else self.typ,
            kid_when_absent=None if self.kid else name,
            may_lack=self.without,
        )
        return Legacy(
            self.alg, self.kid, Court(keys={name: self._key}, rules=own, ends=self.until.timestamp())
        )


def _hmac(alg: object) -> Hmac:
    row = algorithm(alg) if isinstance(alg, str) else None
    if isinstance(row, Hmac):
        return row
    raise BadInput(f"{alg} does not verify with a secret", hint="HS256, HS384 or HS512")


def _aware(until: object) -> datetime:
    if isinstance(until, datetime) and until.utcoffset() is not None:
        return until
    words = "has no zone" if isinstance(until, datetime) else f"is {type(until).__name__}"
    hint = "hand in an aware datetime: datetime(2027, 3, 1, tzinfo=UTC)"
    raise BadInput(f"the end date {words}", code="time_malformed", hint=hint)


def _bytes_of(secret: object) -> bytes:
    if isinstance(secret, str):
        try:
            return secret.encode()
        except UnicodeEncodeError:
            words = "the secret is no text that has bytes in UTF-8"
    else:
        words = f"a secret is bytes or a str, and this is {type(secret).__name__}"
        if isinstance(secret, Secret):
            return secret.reveal()
        if isinstance(secret, bytes):
            return secret
    raise BadInput(words, hint="hand in its bytes")

"""Judges tokens by one set of keys under one policy, and remembers what follows from both alone.

Two things are kept, each for the life of the set: by encoded header, which key decides and under which rules
(an issuer's tokens have one header for months), and by whole token, the claims of those that passed twice. A
token seen again is judged by the clock alone: the signature over the same bytes under the same key cannot
have changed, the times can. Both are bounded, and only a token that passed every check gets into them; a new
set means a new judge, with nothing remembered (SECURITY.md 2).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from jwturn.core import jws
from jwturn.core.claims import Check, good_during
from jwturn.core.errors import TokenRefused
from jwturn.core.jws import Header
from jwturn.core.payload import ReadPayload, payload_reader
from jwturn.core.rules import Rules
from jwturn.verifier.checks import CODES, TrustedKey, explain, pick, refusal

MEMO_TOKENS: Final = 1024
"""How many tokens are remembered before the older half is forgotten: at most twice as many are held."""
MEMO_CHARS_MAX: Final = 4096
"""Longer tokens are judged afresh every time, so that the memo stays below 16 MiB."""
COPIED_MAX: Final = 32
"""Claims of more members are remembered as text: as a dict they take five times the room."""
ONCE_MAX: Final = 4096
"""Of how many tokens it is known that they passed once: most come only once, and should cost no more."""
PLANS_MAX: Final = 256
_EDGE_SECONDS: Final = 1e-3
"""This near to its beginning a token is judged afresh: rounding could give the memo another edge."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Court(Struct, frozen=True, kw_only=True):
    """Keys by kid, and the rules for their tokens; `ends` in Unix seconds, when all of them are refused."""

    keys: Mapping[str, TrustedKey]
    rules: Rules
    exp_bounds: Mapping[str, int] = msgspec.field(default_factory=dict)
    ends: float | None = None


_Seen: TypeAlias = tuple[float, float, Callable[[], dict[str, Any]]]
"""From when until when the clock alone passes a token, in Unix seconds, and what gives its claims."""


class _Plan(NamedTuple):
    verify: Callable[[bytes, bytes], bool]
    read: ReadPayload
    rules: Rules
    ends: float | None


class Judge:
    """Judges by a set's keys, or by those of a legacy secret where the header is one of its tokens'."""

    __slots__ = ("_court", "_legacy", "_older", "_once", "_plans", "_recent", "_remembers")

    def __init__(self, court: Court, *, legacy: "Legacy | None" = None, memo: bool = True) -> None:
        self._court = court
        self._legacy = legacy
        self._plans: dict[bytes, _Plan] = {}
        self._recent: dict[str, _Seen] = {}
        self._older: dict[str, _Seen] = {}
        self._once: set[int] = set()
        self._remembers = memo

    def __contains__(self, kid: object) -> bool:
        return kid in self._court.keys

    @property
    def court(self) -> Court:
        """The set's keys and their rules."""
        return self._court

    def claims(self, token: object, now: float, *, afresh: bool = False) -> dict[str, Any]:
        """The claims of a token that passes every check, a new dict each time; raises TokenRefused.

        `now` in Unix seconds; `afresh` neither asks the memo nor adds to it.
        """
        text = token if type(token) is str else plain(token)
        seen = self._recent.get(text) or self._older.get(text)
        if seen is not None and not afresh:
            since, until, again = seen
            if since <= now < until:
                return again()
        header, payload, signature, signed = jws.cut(text)
        plan = self._plans.get(header)
        verify, read, rules, ends = found = plan or self._plan(header)
        if not verify(signed, jws.decode(signature)):
            raise refusal("signature_wrong")
        claims, data = read(payload, now)
        if ends is not None and now >= ends:
            raise refusal("legacy_ended")
        if plan is None and len(self._plans) < PLANS_MAX:
            self._plans[header] = found
        if self._remembers and not afresh:
            if (mark := hash(text)) in self._once:
                self._remember(text, good_during(claims, rules, ends), _copies(claims, data))
            else:
                if len(self._once) >= ONCE_MAX:
                    self._once = set()
                self._once.add(mark)
        return claims

    def needs(self, token: str) -> str | None:
        """The kid whose key it takes to judge this token; None where no key of the set does.

        Raises TokenRefused where the header is refused whatever keys there are.
        """
        header = jws.read_header(jws.cut(token)[0])
        if self._legacy is not None and self._legacy.owns(header):
            return None
        try:
            pick(header, {}, self._court.rules)
        except TokenRefused as error:
            if error.code != "kid_unknown":
                raise
        return header.kid or self._court.rules.kid_when_absent

    def explain(self, token: object, now: float) -> list[Check]:
        """Every check of a token, passed or failed, in words; raises nothing."""
        try:
            text = plain(token)
        except TokenRefused as error:
            return [Check("form", passed=False, words=error.message, code=error.code)]
        court = self._court
        with suppress(TokenRefused):
            court = self._court_of(jws.read_header(jws.cut(text)[0]))
        found = explain(text, court.keys, court.rules, now, exp_bounds=court.exp_bounds)
        if court.ends is None:
            return found
        ended = now >= court.ends
        words = CODES["legacy_ended"] if ended else "the end date of the legacy secret is still ahead"
        return [*found, Check("legacy secret", not ended, words, "legacy_ended" if ended else "")]

    def _plan(self, segment: bytes) -> _Plan:
        header = jws.read_header(segment)
        court = self._court_of(header)
        kid = pick(header, court.keys, court.rules)
        read = payload_reader(court.rules, key_exp=court.exp_bounds.get(kid))
        return _Plan(court.keys[kid].verify, read, court.rules, court.ends)

    def _court_of(self, header: Header) -> Court:
        legacy = self._legacy
        return self._court if legacy is None or not legacy.owns(header) else legacy.court

    def _remember(self, token: str, during: tuple[float, float], again: Callable[[], dict[str, Any]]) -> None:
        if len(token) > MEMO_CHARS_MAX:
            return
        if len(self._recent) >= MEMO_TOKENS:
            self._older, self._recent = self._recent, {}
        since, until = during
        self._recent[token] = (since + _EDGE_SECONDS, until, again)


def _copies(claims: dict[str, Any], data: bytes) -> Callable[[], dict[str, Any]]:
    """Gives the claims again, nothing of them shared: whoever gets them may change them."""
    if len(claims) > COPIED_MAX or any(type(value) in {dict, list} for value in claims.values()):
        return partial(_decode, data)
    return claims.copy().copy


class Legacy(NamedTuple):
    """The court of an old HMAC secret, and the headers that are its: this alg, and this kid or none."""

    alg: str
    kid: str | None
    court: Court

    def owns(self, header: Header) -> bool:
        """Whether a token of this header is the secret's to judge."""
        return header.alg == self.alg and header.kid == self.kid


def plain(token: object) -> str:
    """The token as a str and nothing else, so that no subclass has a say; raises TokenRefused."""
    if isinstance(token, bytes):
        try:
            return bytes.decode(token, "ascii")
        except UnicodeDecodeError as error:
            raise jws.refused("token_base64") from error
    if not isinstance(token, str):
        raise jws.refused("token_type")
    return token if type(token) is str else str.__getitem__(token, slice(None))

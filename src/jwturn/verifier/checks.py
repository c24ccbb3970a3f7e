"""Whether a token is to be trusted, given keys that are already loaded (SECURITY.md 1 to 6, RFC 8725).

The header only ever picks a key by its kid; the key says which algorithm it is for. Claims are read after the
signature holds. `verify` raises at the first check that fails, `explain` goes through all of them in words.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NoReturn, Protocol, TypeVar

from jwturn.core import claims as claim_checks
from jwturn.core import jws
from jwturn.core.claims import Check, check, checks
from jwturn.core.errors import TokenRefused
from jwturn.core.jws import Header
from jwturn.core.rules import Rules

T = TypeVar("T")


class TrustedKey(Protocol):
    """A public key or secret with its one algorithm; `jwturn.crypto` makes them."""

    @property
    def alg(self) -> str:
        """The one algorithm, for life."""

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Whether this is the key's signature over data."""


CODES: Final[Mapping[str, str]] = {
    **jws.CODES,
    **claim_checks.CODES,
    "typ_refused": "the typ of the header is not one expected here",
    "alg_not_allowed": "this algorithm is not allowed for this issuer",
    "kid_missing": "the header has no kid, and no rule names the one key for such tokens",
    "kid_unknown": "no key of this issuer has this kid",
    "alg_mismatch": "alg in the header is not the algorithm of the key",
    "signature_wrong": "the signature is not this key's over this token",
    "iss_unknown": "no verifier is configured for the issuer of this token",
    "legacy_ended": "the end date of the legacy secret has passed",
    "claims_shape": "the claims do not have the shape of the type asked for",
}
"""Every code a TokenRefused may carry, a line each."""

NOT_CHECKED: Final = "not_checked"
"""The code of a check that could not be made; it says nothing about the token."""
_NOT_CHECKED: Final = "not checked, because an earlier check failed"
_NO_BOUNDS: Final[Mapping[str, int]] = {}


def verify(
    token: str | bytes,
    keys: Mapping[str, TrustedKey],
    rules: Rules,
    now: datetime | float,
    *,
    exp_bounds: Mapping[str, int] = _NO_BOUNDS,
) -> dict[str, Any]:
    """The claims of a token that passes every check; raises TokenRefused with one of CODES otherwise.

    `keys` are the issuer's by kid; `now` is an aware datetime or Unix seconds; `exp_bounds` holds the
    published `exp` of keys that have one, in Unix seconds.
    """
    parts = jws.split(token)
    kid = pick(parts.header, keys, rules)
    if not keys[kid].verify(parts.signing_input, parts.signature):
        raise refusal("signature_wrong")
    claims = jws.read_claims(parts.payload)
    check(claims, rules, now, key_exp=exp_bounds.get(kid))
    return claims


def pick(header: Header, keys: Mapping[str, TrustedKey], rules: Rules) -> str:
    """The kid of the one key that may judge this token; raises TokenRefused. One look-up, no trial."""
    kid, allowed = header.kid or rules.kid_when_absent, rules.algorithms
    if (
        not kid
        or (key := keys.get(kid)) is None
        or key.alg != header.alg
        or header.typ not in rules.typ
        or (allowed is not None and header.alg not in allowed)
    ):
        _refuse(header, keys, rules)
    return kid


def explain(
    token: str | bytes,
    keys: Mapping[str, TrustedKey],
    rules: Rules,
    now: datetime | float,
    *,
    exp_bounds: Mapping[str, int] = _NO_BOUNDS,
) -> list[Check]:
    """Every check of a token, passed or failed, in words; raises nothing. Trust it only if all passed."""
    try:
        header_text, payload_text, signature_text, signed = jws.cut(token)
    except TokenRefused as error:
        return [_failed("form", error), *_not_checked("header", *_NAMES, "signature", "claims")]
    header, header_check = _attempt("header", jws.read_header, header_text)
    report = [Check("form", passed=True, words="three segments, within the size limits"), header_check]
    report += _header_checks(header, keys, rules)
    key = keys[_kid(header, rules)] if header and not _alg_of_key(header, keys, rules) else None
    report.append(_signature_check(key, signed, signature_text))
    claims, claims_check = _attempt("claims", lambda text: jws.read_claims(jws.decode(text)), payload_text)
    bound = exp_bounds.get(_kid(header, rules)) if header else None
    return [*report, claims_check, *(checks(claims, rules, now, key_exp=bound) if claims is not None else ())]


def _refuse(header: Header, keys: Mapping[str, TrustedKey], rules: Rules) -> NoReturn:
    raise refusal(next(code for judge in _JUDGES if (code := judge(header, keys, rules))))


def _typ(header: Header, _: Mapping[str, TrustedKey], rules: Rules) -> str:
    return "" if header.typ in rules.typ else "typ_refused"


def _allowed(header: Header, _: Mapping[str, TrustedKey], rules: Rules) -> str:
    return "" if rules.algorithms is None or header.alg in rules.algorithms else "alg_not_allowed"


def _known(header: Header, keys: Mapping[str, TrustedKey], rules: Rules) -> str:
    if header.kid is None and rules.kid_when_absent is None:
        return "kid_missing"
    return "" if _kid(header, rules) in keys else "kid_unknown"


def _alg_of_key(header: Header, keys: Mapping[str, TrustedKey], rules: Rules) -> str:
    key = keys.get(_kid(header, rules))
    return "" if key is not None and key.alg == header.alg else "alg_mismatch"


def _kid(header: Header, rules: Rules) -> str:
    """Never empty in a header, so the empty string is the kid of no key."""
    return header.kid or rules.kid_when_absent or ""


def _header_checks(header: Header | None, keys: Mapping[str, TrustedKey], rules: Rules) -> Iterator[Check]:
    if header is None:
        yield from _not_checked(*_NAMES)
        return
    for name, judge, words in _HEADER_CHECKS:
        code = judge(header, keys, rules)
        if code == "alg_mismatch" and _kid(header, rules) not in keys:
            yield Check(name, passed=False, words="not checked, because there is no key", code=NOT_CHECKED)
            continue
        shown = words(header, rules)
        yield Check(name, not code, f"{CODES[code]}; {shown}" if code else shown, code)


def _signature_check(key: TrustedKey | None, signed: bytes, text: bytes) -> Check:
    signature, decoded = _attempt("signature", jws.decode, text)
    if signature is None:
        return decoded
    if key is None:
        return next(_not_checked("signature"))
    good = key.verify(signed, signature)
    if not good:
        return Check("signature", passed=False, words=CODES["signature_wrong"], code="signature_wrong")
    return Check("signature", passed=True, words=f"made by this {key.alg} key over this token")


def _attempt(name: str, read: Callable[[bytes], T], text: bytes) -> tuple[T | None, Check]:
    try:
        return read(text), Check(name, passed=True, words="well formed")
    except TokenRefused as error:
        return None, _failed(name, error)


def _failed(name: str, error: TokenRefused) -> Check:
    return Check(name, passed=False, words=error.message, code=error.code)


def _not_checked(*names: str) -> Iterator[Check]:
    for name in names:
        yield Check(name, passed=False, words=_NOT_CHECKED, code=NOT_CHECKED)


def refusal(code: str) -> TokenRefused:
    """The refusal with this code, in the table's words."""
    return TokenRefused(CODES[code], code=code, hint=_HINTS.get(code, jws.HINT))


_HINTS: Final[Mapping[str, str]] = {
    "iss_unknown": "configure a verifier for this issuer, if its tokens are meant for this place",
    "legacy_ended": "have the caller get a new token: those of the old secret are over",
    "claims_shape": "the issuer's claims changed, or the type is for other tokens",
    "kid_unknown": "the key may be retired or revoked, or this set is not its issuer's: see `jwturn keys`",
    "typ_refused": "name the typ expected in the rules, if these tokens are meant for this place",
    "alg_not_allowed": "add the algorithm to the rules if the issuer means to use it",
}

_Judge = Callable[[Header, Mapping[str, TrustedKey], Rules], str]
_Words = Callable[[Header, Rules], str]
_HEADER_CHECKS: Final[tuple[tuple[str, _Judge, _Words], ...]] = (
    ("typ", _typ, lambda header, _: f"typ is {header.typ!a}"),
    ("alg allowed", _allowed, lambda header, _: f"alg is {header.alg}"),
    ("kid", _known, lambda header, _: f"kid is {header.kid!a}"),
    ("alg of the key", _alg_of_key, lambda header, _: f"alg is {header.alg}"),
)
_JUDGES: Final = tuple(judge for _, judge, _ in _HEADER_CHECKS)
_NAMES: Final = tuple(name for name, _, _ in _HEADER_CHECKS)

"""Every known difference between ours and the three others: the table behind docs/explain/differences.md.

`FORGED` are tokens that we refuse and some of them accept. `STRICTER` are good tokens that we accept and some
of them refuse: each row has tokens that prove it, and says of any other token whether it is of this kind, so
that a test which compares verdicts knows what is explained, and that all else is a fault of ours.

`python -m tests.differential.known` writes the tables of the page again.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from jwturn.core.jws import HEADER_BYTES_MAX
from tests.differential import forged_keys, forged_text
from tests.differential.forging import Maker, Row
from tests.differential.others import RULES, UNKNOWN
from tests.differential.world import LEEWAY, MIXED, NOW, good, header, text, with_claims, with_header

FORGED: Final[tuple[Row, ...]] = (*forged_keys.ROWS, *forged_text.ROWS)
NEVER_READ: Final = ("jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256")
REGISTERED: Final = frozenset({"alg", "kid", "typ", "cty", "crit", "b64", *NEVER_READ})
JOSERFC_HEADER_CHARS_MAX: Final = 512


@dataclass(frozen=True)
class Token:
    """A token, and what it says."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


@dataclass(frozen=True)
class Stricter:
    """Good tokens that some libraries refuse: which, why, tokens that prove it, and what else is of the kind.

    `kids` are the keys of the set under which the tokens are judged.
    """

    what: str
    refused_by: frozenset[str]
    why: str
    tokens: Mapping[str, Maker]
    applies: Callable[[Token], bool]
    kids: tuple[str, ...] = MIXED


def read(token: str) -> Token:
    """What a token that we accepted says."""
    first, second, _ = token.split(".")
    return Token(token, json.loads(_decoded(first)), json.loads(_decoded(second)))


def explained(library: str, token: Token) -> bool:
    """Whether a row says why this library refuses this token, which we accept."""
    return any(library in row.refused_by and row.applies(token) for row in STRICTER)


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _has_fraction_of_last_second(token: Token) -> bool:
    exp = token.claims["exp"]
    return isinstance(exp, float) and int(exp) <= NOW - RULES.leeway_seconds < exp


def _of_alg(library: str) -> Callable[[Token], bool]:
    return lambda token: token.header["alg"] in UNKNOWN[library]


def _typed_wrongly(token: Token) -> bool:
    return any(name in token.header and not _is_of_its_type(name, token.header[name]) for name in NEVER_READ)


def _is_of_its_type(name: str, value: object) -> bool:
    if name == "jwk":
        return isinstance(value, dict)
    if name == "x5c":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, str) and (name.startswith("x5t") or value.startswith(("http://", "https://")))


def _long_header() -> str:
    long = text(header(jku="https://a.example/" + "y" * (JOSERFC_HEADER_CHARS_MAX - 100)))
    assert len(long) < HEADER_BYTES_MAX
    return replace(good(), header_text=long).token()


STRICTER: Final = (
    Stricter(
        "a header member that no RFC registers",
        frozenset({"joserfc"}),
        "RFC 7515 section 4: what is not understood must be ignored. joserfc refuses it unless its "
        "`strict_check_header` is off.",
        {"header x": lambda: with_header(x=1), "header nonce": lambda: with_header(nonce="n")},
        lambda token: not token.header.keys() <= REGISTERED,
    ),
    Stricter(
        "jku, jwk, x5u, x5c or x5t of a wrong type",
        frozenset({"joserfc"}),
        "SECURITY 2: they are never read here, so nothing they hold matters.",
        {
            "header jku": lambda: with_header(jku="nowhere"),
            "header x5c": lambda: with_header(x5c={}),
            "header jwk": lambda: with_header(jwk=None),
        },
        _typed_wrongly,
    ),
    Stricter(
        f"an encoded header of more than {JOSERFC_HEADER_CHARS_MAX} characters",
        frozenset({"joserfc"}),
        f"SECURITY 4: the limit is {HEADER_BYTES_MAX} bytes here.",
        {"header long": _long_header},
        lambda token: token.text.index(".") > JOSERFC_HEADER_CHARS_MAX,
    ),
    Stricter(
        "a claim named typ that is not a string",
        frozenset({"jwcrypto"}),
        "RFC 7519 registers no such claim (typ is of the header); unknown claims pass.",
        {"claims typ": lambda: with_claims(typ=5), "claims typ list": lambda: with_claims(typ=["JWT"])},
        lambda token: not isinstance(token.claims.get("typ", ""), str | None),
    ),
    Stricter(
        "an exp with a fraction, in its last second",
        frozenset({"PyJWT"}),
        "RFC 7519 section 2: a NumericDate may have a fraction. PyJWT cuts it off.",
        {"claims exp": lambda: with_claims(exp=NOW - LEEWAY + 0.5, iat=NOW - 600)},
        _has_fraction_of_last_second,
    ),
    Stricter(
        "alg Ed25519",
        frozenset({"PyJWT"}),
        "RFC 9864. PyJWT knows the key by its older name, EdDSA, alone; a set whose only key has this alg it "
        "cannot read.",
        {"Ed25519": lambda: good("Ed25519").token()},
        lambda token: token.header["alg"] == "Ed25519",
        ("Ed25519",),
    ),
    Stricter(
        "alg ML-DSA-44, ML-DSA-65 or ML-DSA-87",
        frozenset({"PyJWT", "joserfc"}),
        "RFC 9964. The two do not know the key type AKP.",
        {alg: (lambda alg=alg: good(alg).token()) for alg in ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")},  # type: ignore[misc]  # bound now
        lambda token: token.header["alg"].startswith("ML-DSA"),
        ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
    ),
)
"""Good tokens that others refuse; there is no other kind."""

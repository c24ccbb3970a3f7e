"""Good tokens with a few parts changed at random: members, texts, encodings, signatures, keys.

One or two changes at a time: more would leave nothing that anybody accepts, and nothing to compare.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from jwturn.core.jwk import b64url_bytes, unb64url_bytes
from tests.differential.forging import begun, ended, inserted, padded, standard, stray_bits
from tests.differential.world import (
    AUDIENCE,
    ISSUER,
    LEEWAY,
    MIXED,
    NOW,
    Draft,
    claims,
    good,
    header,
    signer_of,
)

ABSENT: Any = ...

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**21), 10**21),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(["JWT", "at+jwt", "", "\0", "\ud800", "none", *MIXED]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
TIMES = st.one_of(
    st.integers(NOW - LEEWAY - 2, NOW + LEEWAY + 2),
    st.integers(-4, 4).map(lambda more: NOW + LEEWAY + more / 4),
    st.integers(-4, 4).map(lambda more: NOW - LEEWAY + more / 4),
    st.integers(NOW - 90_000, NOW + 90_000),
    st.sampled_from([0, -1, 1e300, float(NOW), 10**19, 10**20, 86_400, NOW + 86_400, NOW + 86_390]),
    VALUES,
)
NAMES = st.sampled_from([AUDIENCE, ISSUER, "billing", "", AUDIENCE + " ", AUDIENCE.upper()])
STRINGS = st.one_of(NAMES, st.lists(NAMES | VALUES, max_size=3), VALUES)
HEADER_MEMBERS = {
    "alg": st.sampled_from([*MIXED, "Ed25519", "none", "ES256K", "es256"]) | VALUES,
    "kid": st.sampled_from([*MIXED, "nobody", ""]) | VALUES,
    "typ": st.sampled_from(["jwt", "JWT", "at+jwt", "application/at+jwt", "JWS", "APPLICATION/JWT"]) | VALUES,
    "cty": st.sampled_from(["JWT", "json", "application/jwt", "x"]) | VALUES,
    "crit": st.lists(st.sampled_from(["alg", "b64", "exp", "x"]), max_size=2) | VALUES,
    "b64": st.booleans() | VALUES,
    "zip": st.just("DEF"),
    "jku": st.sampled_from(["https://evil.example/", "x"]) | VALUES,
    "jwk": VALUES,
    "x5c": st.lists(st.just("MIIB"), max_size=2) | VALUES,
    "x5t#S256": VALUES,
    "x": VALUES,
}
CLAIM_MEMBERS = {
    "exp": TIMES,
    "iat": TIMES,
    "nbf": TIMES,
    "iss": STRINGS,
    "aud": STRINGS,
    "sub": STRINGS,
    "jti": STRINGS,
    "typ": STRINGS,
    "scope": STRINGS,
    "x": VALUES,
}


def _members(pool: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from(sorted(pool)).flatmap(
        lambda name: st.tuples(st.just(name), st.just(ABSENT) | pool[name])
    )
    return st.lists(one, max_size=2).map(dict)


def _text(value: dict[str, Any], style: int) -> bytes:
    """JSON in one of several ways of writing it; the last three are not the JSON that RFC 7515 wants."""
    if style == 0:
        return json.dumps(value, separators=(",", ":")).encode()
    if style == 1:
        return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    escaped = json.dumps(value).replace("a", "\\u0061") if style == 2 else json.dumps(value)
    if style == 3:
        inner = json.dumps(next(iter(value), "x"))
        escaped = f"{{{inner}:1,{escaped[1:]}"
    return escaped.encode({4: "utf-16", 5: "utf-8-sig"}.get(style, "utf-8"))


STYLES = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5])
Change = Callable[[bytes], bytes]


def _safely(change: Change) -> Change:
    """A change of encoding, where the segment has anything to change."""
    return lambda segment: change(segment) if len(segment) > 9 else segment


SEGMENT_CHANGES = st.one_of(
    st.sampled_from([standard, padded, stray_bits, lambda _: b""]).map(_safely),
    st.builds(
        inserted, st.sampled_from([b" ", b"\n", b"=", b"!", b"A", b".", b"\xc3\xa9"]), st.integers(0, 9)
    ),
    st.builds(ended, st.sampled_from([b"A", b"=", b"==", b"\n", b"\0", b"AA", b"."])),
    st.builds(begun, st.sampled_from([b"A", b"=", b" ", b"."])),
)


def _raw(change: Callable[[bytes], bytes]) -> Change:
    return lambda segment: b64url_bytes(change(unb64url_bytes(segment)))


SIGNATURE_CHANGES = st.one_of(
    st.integers(0, 2**16).map(lambda bit: _raw(lambda raw: _flip(raw, bit))),
    st.integers(0, 70).map(lambda size: _raw(lambda raw: raw[:size] or b"\0")),
    st.binary(min_size=1, max_size=3).map(lambda more: _raw(lambda raw: raw + more)),
    st.binary(min_size=1, max_size=3).map(lambda more: _raw(lambda raw: more + raw)),
    st.integers(0, 3).map(
        lambda n: _raw(lambda raw: [bytes(len(raw)), raw[::-1], raw * 2, b"\xff" * len(raw)][n])
    ),
)


def _flip(raw: bytes, bit: int) -> bytes:
    at = bit // 8 % len(raw)
    return raw[:at] + bytes([raw[at] ^ 1 << bit % 8]) + raw[at + 1 :]


@st.composite
def drafts(draw: st.DrawFn, kids: tuple[str, ...] = MIXED) -> Draft:
    """A token with at most three kinds of change; many have none but in the members."""
    kid = draw(st.sampled_from(kids))
    members = draw(_members(HEADER_MEMBERS)) if draw(st.booleans()) else {}
    said = draw(_members(CLAIM_MEMBERS)) if draw(st.booleans()) else {}
    draft = replace(
        good(kid),
        header_text=_text(header(kid, **members), draw(STYLES)),
        payload_text=_text(claims(**said), draw(STYLES)),
    )
    which = draw(
        st.sampled_from(["", "", "", "", "header_as", "payload_as", "signature_as", "whole_as", "raw", "key"])
    )
    if which == "raw":
        return replace(draft, signature_as=draw(SIGNATURE_CHANGES))
    if which == "key":
        return replace(draft, sign=signer_of(draw(st.sampled_from([*kids, "ES256/1", "RS256/1"]))).sign)
    changes: dict[str, Any] = {which: draw(SEGMENT_CHANGES)} if which else {}
    return replace(draft, **changes)

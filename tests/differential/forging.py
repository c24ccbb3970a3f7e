"""How the tables of forged tokens are written: a row is a rule, its source, and tokens that break it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from jwturn.core.jwk import b64url_bytes, unb64url_bytes
from tests.differential.world import good, with_claims, with_header

Maker: TypeAlias = Callable[[], str]
Makers: TypeAlias = dict[str, Maker]


@dataclass(frozen=True)
class Row:
    """A rule, its source, and tokens that break it, by name."""

    rule: str
    source: str
    tokens: Mapping[str, Maker]


def headers(cases: Mapping[str, dict[str, Any]]) -> Makers:
    """Tokens with other header members (... leaves one out)."""
    return {f"header {name}": partial(with_header, **members) for name, members in cases.items()}


def claim_sets(cases: Mapping[str, dict[str, Any]]) -> Makers:
    """Tokens with other claims (... leaves one out)."""
    return {f"claims {name}": partial(with_claims, **members) for name, members in cases.items()}


def header_texts(cases: Mapping[str, bytes]) -> Makers:
    """Tokens whose header is this text."""
    return drafts({f"header {name}": {"header_text": data} for name, data in cases.items()})


def payload_texts(cases: Mapping[str, bytes]) -> Makers:
    """Tokens whose payload is this text."""
    return drafts({f"payload {name}": {"payload_text": data} for name, data in cases.items()})


def drafts(cases: Mapping[str, dict[str, Any]]) -> Makers:
    """Tokens of which other parts are replaced (world.Draft)."""
    return {name: partial(_drafted, parts) for name, parts in cases.items()}


def signatures(kid: str, cases: Mapping[str, Callable[[bytes], bytes]]) -> Makers:
    """Tokens whose raw signature is changed."""
    return {f"{kid}, {name}": partial(_signed, kid, change) for name, change in cases.items()}


def _drafted(parts: dict[str, Any]) -> str:
    return replace(good(), **parts).token()


def _signed(kid: str, change: Callable[[bytes], bytes]) -> str:
    draft = good(kid)
    return replace(draft, signature_as=lambda segment: b64url_bytes(change(unb64url_bytes(segment)))).token()


ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def standard(segment: bytes) -> bytes:
    """The other alphabet of base64."""
    return segment.translate(bytes.maketrans(b"-_", b"+/"))


def padded(segment: bytes) -> bytes:
    """With the padding that JWS leaves out."""
    return segment + b"=" * (-len(segment) % 4)


def stray_bits(segment: bytes) -> bytes:
    """The same bytes in another spelling, where the last character has unused bits."""
    return segment[:-1] + bytes([ALPHABET[ALPHABET.index(segment[-1:]) | 1]])


def inserted(what: bytes, at: int = 8) -> Callable[[bytes], bytes]:
    """Characters inside of a segment."""
    return lambda segment: segment[:at] + what + segment[at:]


def ended(what: bytes) -> Callable[[bytes], bytes]:
    """Characters behind a segment or a token."""
    return lambda segment: segment + what


def begun(what: bytes) -> Callable[[bytes], bytes]:
    """Characters in front of a segment or a token."""
    return lambda segment: what + segment

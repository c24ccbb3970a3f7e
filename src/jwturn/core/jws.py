"""Compact JWS (RFC 7515 section 7.1): a strict split, the header's rules, and the join for the signer.

Length comes before anything that costs more, dots are counted before anything is cut, and a header is read
only for alg, kid, typ and cty: jwk, jku, x5u, x5c and x5t are never looked at, whatever they hold
(SECURITY.md 2 to 4). A parsed header is kept by its encoded segment, because an issuer's tokens have one
header for months.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from jwturn.core import strict_json
from jwturn.core.errors import BadInput, TokenRefused
from jwturn.core.jwk import ALGS, b64url_bytes, check_kid, unb64url_reader
from jwturn.core.strict_json import object_reader

TOKEN_CHARS_MAX: Final = 16 * 1024
HEADER_BYTES_MAX: Final = 1024

CODES: Final[Mapping[str, str]] = {
    "token_type": "a token is a str or bytes",
    "token_too_long": f"the token is longer than {TOKEN_CHARS_MAX} characters",
    "token_jwe": "five segments: an encrypted token (JWE), which nobody here can have signed",
    "token_json": "the JSON serialization, where only the compact one is read",
    "token_segments": "not three segments with exactly two dots between them",
    "token_base64": "a segment is not base64url: a stray character, padding, odd length or trailing bits",
    "header_too_long": f"the header is longer than {HEADER_BYTES_MAX} bytes",
    "header_not_object": "the header is not a JSON object",
    "crit_refused": "the header has crit: an extension that nobody here understands",
    "b64_refused": "the header has b64: an unencoded payload (RFC 7797)",
    "zip_refused": "the header has zip: a compressed payload",
    "cty_refused": "the header says cty JWT, a token within a token, or cty is no ASCII string",
    "alg_malformed": "the header has no alg, or it is not a string",
    "alg_unknown": "alg is not one of the algorithms of this project, byte for byte; none is not one",
    "kid_malformed": "kid is not a string of 1 to 256 printable ASCII characters",
    "typ_malformed": "typ is not a string of ASCII characters",
    "claims_not_object": "the payload is not a JSON object",
    **strict_json.CODES,
}
"""Every refusal of this file, a line each; what is not strict JSON keeps the code of that."""

HINT: Final = "do not trust this token; `jwturn inspect` explains every check of it"
_PASTED: Final = "hand in the token alone: no `Bearer`, quotes, blanks or line end"
_HINTS: Final = dict.fromkeys(("token_type", "token_base64", "token_segments"), _PASTED)

_HEADER_CHARS_MAX: Final = (HEADER_BYTES_MAX * 4 + 2) // 3
_DOT: Final = ord(".")
_REFUSED_MEMBERS: Final = ("crit", "b64", "zip")
_encode: Final = msgspec.json.Encoder().encode


class Header(NamedTuple):
    """What a header says, before anybody believes it; typ is lower-cased, without `application/`."""

    alg: str
    kid: str | None
    typ: str | None


class Parts(msgspec.Struct, frozen=True, gc=False):
    """A token taken apart: nothing of it is verified yet. A Struct, the cheapest to make for every token."""

    header: Header
    payload: bytes
    signing_input: bytes
    signature: bytes


def split(token: str | bytes) -> Parts:
    """Take a compact token apart; raises TokenRefused with one of CODES (RFC 7515 section 5.2)."""
    header, payload, signature, signing_input = cut(token)
    return Parts(read_header(header), decode(payload), signing_input, decode(signature))


def cut(token: str | bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Header, payload, signature, signing input: still encoded, judged by length and dots only.

    Raises TokenRefused.
    """
    if isinstance(token, str):
        if len(token) > TOKEN_CHARS_MAX:
            raise refused("token_too_long")
        try:
            token = token.encode("ascii")
        except UnicodeEncodeError as error:
            raise refused("token_base64") from error
    elif not isinstance(token, bytes):
        raise refused("token_type")
    elif len(token) > TOKEN_CHARS_MAX:
        raise refused("token_too_long")
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    if not header or not payload or not signature or _DOT in payload:
        raise refused(_wrong_form(token))
    return header, payload, signature, signed


def _wrong_form(token: bytes) -> str:
    if token.lstrip()[:1] in {b"{", b"["}:
        return "token_json"
    return "token_jwe" if token.count(b".") == 4 else "token_segments"


@lru_cache(maxsize=512)
def read_header(segment: bytes) -> Header:
    """The header in an encoded segment; raises TokenRefused (SECURITY.md 3). 512 good ones are kept."""
    if len(segment) > _HEADER_CHARS_MAX:
        raise refused("header_too_long")
    members = _read_members(decode(segment))
    for name in _REFUSED_MEMBERS:
        if name in members:
            raise refused(f"{name}_refused")
    if "cty" in members and _media_type(members["cty"], "cty_refused") == "jwt":
        raise refused("cty_refused")
    alg = members.get("alg")
    if not isinstance(alg, str):
        raise refused("alg_malformed")
    if alg not in ALGS:
        raise refused("alg_unknown")
    typ = _media_type(members["typ"], "typ_malformed") if "typ" in members else None
    return Header(alg, _kid(members["kid"]) if "kid" in members else None, typ)


def header_segment(alg: str, kid: str, typ: str) -> bytes:
    """The encoded header of our tokens; the same for every token of a key, so make it once."""
    return b64url_bytes(_encode({"alg": alg, "kid": check_kid(kid), "typ": typ}))


def signing_input(segment: bytes, claims: Mapping[str, object]) -> bytes:
    """What is signed: the encoded header, a dot, the encoded claims (of `claims.prepare`)."""
    return segment + b"." + b64url_bytes(_encode(claims))


def token_of(signed: bytes, signature: bytes) -> str:
    """The compact token: what was signed, a dot, the encoded signature."""
    return (signed + b"." + b64url_bytes(signature)).decode("ascii")


def join(segment: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The compact token over an encoded header and a payload; `sign` gives the raw JWS signature."""
    signed = segment + b"." + b64url_bytes(payload)
    return token_of(signed, sign(signed))


def media_type(typ: str) -> str:
    """A typ or cty as it is compared: lower-cased, without `application/` (RFC 7515 section 4.1.9)."""
    return typ.lower().removeprefix("application/")


def refused(code: str, words: str = "") -> TokenRefused:
    """The refusal with this code, in the table's words unless others are given."""
    return TokenRefused(words or CODES[code], code=code, hint=_HINTS.get(code, HINT))


def _object_reader(what: str) -> Callable[[bytes], dict[str, Any]]:
    return object_reader(lambda code: refused(f"{what}_{code}" if code == "not_object" else code))


decode: Final = unb64url_reader(lambda: refused("token_base64"))
"""The bytes of a segment of `cut`; raises TokenRefused `token_base64`."""
read_claims: Final = _object_reader("claims")
"""The claims in a decoded payload, none of them judged; raises TokenRefused. A new dict for each call."""
_read_members: Final = _object_reader("header")


def _media_type(value: object, code: str) -> str:
    if not isinstance(value, str) or not value.isascii():
        raise refused(code)
    return media_type(value)


def _kid(value: object) -> str:
    try:
        return check_kid(value)
    except BadInput as error:
        raise refused("kid_malformed") from error

"""What is asked of an issuer, and what its answers are worth, before any key in them is looked at.

An answer comes from the network, so everything in it is bounded while it is read and refused by a code of
CODES: a status that is not the one, a page in place of a set, a body that grows when it is unpacked, a
redirect (SECURITY.md 7; RFC 9110, RFC 9111, RFC 7517, OpenID Connect Discovery 1.0, RFC 8414).
"""

import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from jwturn.core import strict_json
from jwturn.core.errors import BadInput, KeysUnavailable
from jwturn.core.jwk import SET_BYTES_MAX

HEADER_BYTES_MAX: Final = 64 * 1024
"""Status line and headers of one answer, interim ones counted in: many times what real issuers send."""
WIRE_BYTES_MAX: Final = HEADER_BYTES_MAX + 2 * SET_BYTES_MAX
"""All bytes of one answer, chunk framing and trailers counted in."""
URL_CHARS_MAX: Final = 2048
ETAG_CHARS_MAX: Final = 256
LIFETIME_SECONDS_MAX: Final = 2**31
"""What a larger max-age counts as (RFC 9111 section 1.2.2)."""

CODES: Final = {
    "url_refused": "the URL is not plain https, or not on the host that was configured",
    "fetch_connection": "no connection was made, or it broke",
    "fetch_tls": "TLS failed: the certificate, the host name or the protocol",
    "fetch_timeout": "the answer was not complete within the deadline",
    "fetch_malformed": "what came is no whole answer in HTTP, or its headers are too long",
    "fetch_redirect": "the answer is a redirect, and redirects are not followed",
    "fetch_status": "the status is not 200 (nor 304, where an ETag was sent)",
    "fetch_type": "the answer is not JSON by its Content-Type",
    "fetch_encoding": "the Content-Encoding is neither identity nor gzip, or the body is not what it says",
    "fetch_too_large": f"the answer is above {SET_BYTES_MAX} bytes, packed or unpacked",
    "discovery_absent": "the issuer has no metadata at either of the well-known places",
    "discovery_malformed": "the metadata is no JSON object with the strings issuer and jwks_uri",
    "discovery_issuer": "the metadata is of another issuer than the one asked",
    "discovery_jwks_uri": "the jwks_uri of the metadata is not on the issuer's host",
}
_HINTS: Final = {
    "fetch_tls": "an authority of your own: tls=ssl.create_default_context(cafile=...); or is it not https?",
    "fetch_status": "is this URL the JWKS, and does it answer others?",
    "fetch_redirect": "name the URL that the set is really at, as jwks_url=",
    "fetch_type": "is this URL the JWKS?",
    "fetch_too_large": "is this URL the JWKS?",
    "discovery_absent": "name the URL of the set, as jwks_url=",
    "discovery_malformed": "name the URL of the set, as jwks_url=",
    "discovery_issuer": "give the issuer exactly as its metadata and its tokens spell it",
    "discovery_jwks_uri": "if that host is to be trusted for this issuer, name it, as jwks_url=",
}

_URL: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_ADDRESS: Final = re.compile(r"\[([0-9a-f:.]+)\]")
_PORTS: Final = {"https": 443, "http": 80}
_DIRECTIVE: Final = re.compile(r'\s*+([^\s=",]*+)(?:=(?:"((?:[^"\\]|\\.)*+)"|([^",]*+)))?+([^,]*+)(?:,|$)')
_JSON_TYPE: Final = re.compile(
    r"\s*application/(?:json|[a-z0-9!#$&^_.-]+\+json)\s*(?:;[^,]*)?", re.IGNORECASE
)
_ETAG: Final = re.compile(r'(?:W/)?"[!#-~]*"')
_SHOWN_CHARS: Final = 200


class Get(Struct, frozen=True):
    """One GET: the URL, and the ETag of the set that is held, if one is."""

    url: str
    etag: str | None = None


class Answer(Struct, frozen=True):
    """What came: headers by lower-case name (`headers_of`), the body unpacked and within its cap.

    The body of any status but 200 is not read, and is empty here.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fresh(Struct, frozen=True):
    """A body that may be a set, its ETag, and how long the issuer says that it is good for."""

    body: bytes
    etag: str | None
    lifetime: timedelta | None


class Unchanged(Struct, frozen=True):
    """The set that is held is still the one (304)."""

    lifetime: timedelta | None


class Body:
    """Takes the raw pieces of a body as they arrive, and gives it whole, unpacked, never above the cap.

    Nothing above SET_BYTES_MAX is kept, whatever the pieces unpack to. Every method raises KeysUnavailable.
    """

    def __init__(self, url: str, encoding: str | None) -> None:
        """`encoding` is the Content-Encoding header; any but identity and gzip raises `fetch_encoding`."""
        name = (encoding or "identity").strip().lower()
        if name not in {"identity", "gzip", "x-gzip"}:
            raise unavailable("fetch_encoding", url, encoding or "")
        self._url = url
        self._unpack = None if name == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._taken_bytes = 0
        self._whole = bytearray()

    def feed(self, piece: bytes) -> None:
        """The next raw piece."""
        self._taken_bytes += len(piece)
        if self._taken_bytes > SET_BYTES_MAX:
            raise unavailable("fetch_too_large", self._url)
        self._whole += piece if self._unpack is None else self._unpacked(self._unpack, piece)
        if len(self._whole) > SET_BYTES_MAX:
            raise unavailable("fetch_too_large", self._url)

    def _unpacked(self, unpack: "zlib._Decompress", piece: bytes) -> bytes:
        room = SET_BYTES_MAX + 1 - len(self._whole)
        try:
            out = unpack.decompress(piece, room)
        except zlib.error as error:
            raise unavailable("fetch_encoding", self._url, str(error)) from error
        if unpack.unused_data:
            raise unavailable("fetch_encoding", self._url, "more follows the first gzip member")
        return out

    def whole(self) -> bytes:
        """All of it; raises `fetch_encoding` if the packed body was cut short."""
        if self._unpack is not None and not self._unpack.eof:
            raise unavailable("fetch_encoding", self._url, "the gzip member is cut short")
        return bytes(self._whole)


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; those that came more than once joined by commas (RFC 9110 section 5.2)."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def check_url(url: str, *, hosts: Collection[str] | None = None, loopback_http: bool = False) -> str:
    """The URL, if it may be fetched: https, or http to this very machine where `loopback_http` says so.

    `hosts` are the origins that it may be on, as `origin_of` writes them; None is any. Raises BadInput
    `url_refused` (SECURITY.md 7).
    """
    origin = origin_of(url)
    scheme, _, host = origin.partition("://")
    if scheme == "http" and not loopback_http:
        raise _url_refused(url, "it is not https", hint="http is for loopback only, with loopback_http=True")
    if scheme == "http" and not _is_loopback(host.rpartition(":")[0]):
        raise _url_refused(url, "it is not https", hint="http is for loopback hosts only")
    if hosts is not None and origin not in hosts:
        raise _url_refused(
            url, f"it is not on {' or '.join(sorted(hosts))}", hint=_HINTS["discovery_jwks_uri"]
        )
    return url


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as `https://host:443`; raises BadInput `url_refused` for a strange one.

    Strange are: other schemes than https and http, user names, fragments, other characters than those of
    RFC 3986, hosts that are no name or address, and URLs above URL_CHARS_MAX.
    """
    if len(url) > URL_CHARS_MAX or not _URL.fullmatch(url):
        raise _url_refused(url, "it is too long, or has characters that a URL has not (RFC 3986)")
    try:
        parts = urlsplit(url)
        port, host = parts.port, _host(parts.netloc.lower())
    except ValueError as error:
        raise _url_refused(url, "its host or port is malformed, or it has a user name") from error
    if parts.scheme not in _PORTS:
        raise _url_refused(url, "it is not https")
    if "#" in url or port == 0:
        raise _url_refused(url, "it has a fragment, or port 0")
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def _host(netloc: str) -> str:
    """The host in its one spelling; raises ValueError unless it is a name or address, without a user name."""
    host = re.sub(r":[0-9]*$", "", netloc)
    if address := _ADDRESS.fullmatch(host):
        import ipaddress

        return f"[{ipaddress.IPv6Address(address[1])}]"
    if not _NAME.fullmatch(host):
        raise ValueError("neither a name nor an address")
    return host


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _url_refused(url: str, words: str, *, hint: str = "") -> BadInput:
    return BadInput(
        f"{shown_url(url)} is refused: {words}",
        code="url_refused",
        hint=hint or "give an https URL of a host, like https://auth.example.com/jwks.json",
    )


def lifetime(headers: Mapping[str, str]) -> timedelta | None:
    """How long an answer is good for by its Cache-Control and Age; None if it does not say (RFC 9111 4.2).

    Zero for no-store and no-cache, and for a max-age that is malformed; of several the least. s-maxage is
    for shared caches, not for us.
    """
    found = []
    for name, quoted, plain, rest in _DIRECTIVE.findall(headers.get("cache-control", "")):
        directive = name.lower()
        if directive in {"no-store", "no-cache"}:
            return timedelta(0)
        if directive == "max-age":
            found.append(0 if rest.strip() else _seconds(quoted or plain) or 0)
    if not found:
        return None
    age = _seconds(headers.get("age", "").partition(",")[0]) or 0
    return timedelta(seconds=max(0, min(found) - age))


def _seconds(text: str) -> int | None:
    """Delta-seconds (RFC 9111 section 1.2.2), or None where the text is none."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return LIFETIME_SECONDS_MAX if len(digits.lstrip("0")) > 10 else min(int(digits), LIFETIME_SECONDS_MAX)


def read_set(get: Get, answer: Answer) -> Fresh | Unchanged:
    """What the answer to a GET of a set is worth; whether the body is a set is for `jwk.parse_set` to say.

    Raises KeysUnavailable unless it is 200 with a JSON type or none, or 304 to a GET that had an ETag.
    """
    if answer.status == 304 and get.etag is not None:
        return Unchanged(lifetime(answer.headers))
    _check_json(get, answer)
    etag = answer.headers.get("etag", "").strip()
    usable = len(etag) <= ETAG_CHARS_MAX and _ETAG.fullmatch(etag) is not None
    return Fresh(answer.body, etag if usable else None, lifetime(answer.headers))


def read_discovery(get: Get, answer: Answer, issuer: str) -> str:
    """The jwks_uri of an issuer's metadata (OpenID Connect Discovery 1.0 section 4.3, RFC 8414 section 3.3).

    Raises KeysUnavailable unless it is 200 with a JSON type or none, and names exactly this issuer.
    """
    _check_json(get, answer)
    try:
        members = strict_json.loads(answer.body)
    except BadInput as error:
        raise unavailable("discovery_malformed", get.url, error.message) from error
    if not isinstance(members, dict):
        raise unavailable("discovery_malformed", get.url)
    named, jwks_uri = members.get("issuer"), members.get("jwks_uri")
    if not isinstance(named, str) or not isinstance(jwks_uri, str):
        raise unavailable("discovery_malformed", get.url)
    if named != issuer:
        raise unavailable("discovery_issuer", get.url, named)
    return jwks_uri


def _check_json(get: Get, answer: Answer) -> None:
    if 300 <= answer.status < 400 and answer.status != 304:
        raise unavailable("fetch_redirect", get.url, f"{answer.status} {answer.headers.get('location', '')}")
    if answer.status != 200:
        raise unavailable("fetch_status", get.url, str(answer.status))
    content_type = answer.headers.get("content-type", "")
    if content_type and not _JSON_TYPE.fullmatch(content_type):
        raise unavailable("fetch_type", get.url, content_type)


def unavailable(code: str, url: str, seen: str = "") -> KeysUnavailable:
    """The failure of one GET, by a code of CODES; `seen` is what came instead, shown escaped and cut."""
    came = f" ({shown(seen)})" if seen else ""
    hint = _HINTS.get(code, "open that URL from this machine; a set that is held stays in use meanwhile")
    return KeysUnavailable(f"{shown_url(url)}: {CODES[code]}{came}", code=code, hint=hint)


def shown(text: str) -> str:
    """Text of others as words may carry it: printable ASCII, cut."""
    escaped = ascii(text[:_SHOWN_CHARS])[1:-1]
    return escaped if len(text) <= _SHOWN_CHARS else escaped + "..."


def shown_url(url: str) -> str:
    """A URL without its query, which may hold what others should not read."""
    bare, query, _ = url.partition("?")
    return shown(bare) + ("?..." if query else "")

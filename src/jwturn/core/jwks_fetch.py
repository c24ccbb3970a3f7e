"""How a set is found and fetched: one algorithm, driven by both colours.

It yields what to ask and is sent what came, so it opens no connection and waits for nothing. Where the set
is comes from configuration, or from metadata that the issuer publishes on its own host (SECURITY.md 7;
OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3).
"""

from collections.abc import Generator
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from jwturn.core.errors import BadInput
from jwturn.core.jwks_answer import (
    Answer,
    Fresh,
    Get,
    Unchanged,
    check_url,
    origin_of,
    read_discovery,
    read_set,
    unavailable,
)

GONE: Final = frozenset({404, 410})
_OPENID: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"


class Source(Struct, frozen=True):
    """Where the keys of an issuer come from: `jwks_url`, or what the issuer's own metadata says.

    `loopback_http` allows http to this very machine. Raises BadInput `url_refused` for a URL that must not be
    fetched; an issuer has to be a URL only where there is no `jwks_url`.
    """

    issuer: str
    jwks_url: str | None = None
    loopback_http: bool = False

    def __post_init__(self) -> None:
        asked_first = self.issuer if self.jwks_url is None else self.jwks_url
        check_url(asked_first, loopback_http=self.loopback_http)
        if self.jwks_url is None and "?" in self.issuer:
            raise BadInput(
                "the metadata of an issuer with a query cannot be found (RFC 8414 section 2)",
                code="url_refused",
                hint="name the URL of the set, as jwks_url=",
            )


class Fetched(Struct, frozen=True):
    """The URL that the set was found at, and what came."""

    url: str
    set: Fresh | Unchanged


Fetching: TypeAlias = Generator[Get, Answer, Fetched]


def fetching(source: Source, *, url: str | None = None, etag: str | None = None) -> Fetching:
    """Yields each Get, is sent its Answer, returns what it Fetched.

    `url` is where the set was found before, and `etag` that of the set that is held; without `url` the place
    is looked up, and looked up again where nothing is there any more. Raises KeysUnavailable only.
    """
    if url is None:
        return (yield from _set_at((yield from _place(source))))
    get = Get(url, etag)
    answer = yield get
    if answer.status in GONE:
        found = yield from _place(source)
        if found != url:
            return (yield from _set_at(found))
    return Fetched(url, read_set(get, answer))


def _set_at(url: str) -> Fetching:
    get = Get(url)
    return Fetched(url, read_set(get, (yield get)))


def _place(source: Source) -> Generator[Get, Answer, str]:
    """The URL of the set, as configured or as the issuer's metadata says."""
    if source.jwks_url is not None:
        return source.jwks_url
    issuer = source.issuer.rstrip("/")
    parts = urlsplit(issuer)
    get = Get(issuer + _OPENID)
    answer = yield get
    if answer.status in GONE:
        get = Get(f"{parts.scheme}://{parts.netloc}{_OAUTH}{parts.path}")
        answer = yield get
    if answer.status in GONE:
        raise unavailable("discovery_absent", get.url, str(answer.status))
    jwks_uri = read_discovery(get, answer, source.issuer)
    try:
        return check_url(jwks_uri, hosts={origin_of(source.issuer)}, loopback_http=source.loopback_http)
    except BadInput as error:
        raise unavailable("discovery_jwks_uri", get.url, error.message) from error

"""Which set is asked for.

By Host and path of the issuer URL, by ring, or the bare path while there is one issuer.

Sets come from memory while they are fresh; else one lane reads them, and nothing that asks for a token
stands in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from jwturn.core.errors import NotFound, Overloaded, Unavailable
from jwturn.ports.clock import Clock
from jwturn.ports.store import RingStore
from jwturn.server.lanes import Lane, Recent
from jwturn.server.limits import Buckets, Gate
from jwturn.service.publish import JWKS_PATH, Published, Publisher

REREAD: Final = timedelta(seconds=5)
GOOD: Final = timedelta(days=1)
"""The list of issuers only says where sets are; each set judges its own age."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Site:
    """Where an issuer's set is: the Host (without a default port) and the path of its URL."""

    issuer: str
    host: str
    path: str


def site_of(issuer: str) -> Site:
    """The place of an issuer's well-known paths (OpenID Connect Discovery 1.0 section 4, RFC 8414)."""
    url = urlsplit(issuer)
    host = (url.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = "" if url.port in (None, _DEFAULT_PORTS.get(url.scheme)) else f":{url.port}"
    return Site(issuer, host + port, url.path.rstrip("/"))


def host_of(header: str | None) -> str:
    """The Host header as sites are compared: lower case, a default port dropped."""
    host = (header or "").lower()
    return host.removesuffix(":443").removesuffix(":80")


def chosen(sites: Sequence[Site], host: str, path: str) -> Site:
    """The one site asked for. Raises NotFound naming how to ask, Unavailable while there is no issuer."""
    if not sites:
        raise Unavailable("there is no ring here yet", hint="jwturn init", code="no_key")
    exact = [site for site in sites if (site.host, site.path) == (host, path)]
    if len(exact) == 1:
        return exact[0]
    if len(sites) == 1 and path in ("", sites[0].path):
        return sites[0]
    raise NotFound(
        "no one issuer of this service has this Host and path",
        hint=f"ask at the issuer URL itself + {JWKS_PATH}, or at /rings/RING{JWKS_PATH}",
        code="no_such_issuer",
    )


class Sets:
    """The sets this node answers with. `width`: how many callers may wait for a set that is being read."""

    def __init__(self, store: RingStore, publisher: Publisher, clock: Clock, *, width: int) -> None:
        self._store = store
        self._publisher = publisher
        self._lane = Lane(8)
        self._gate = Gate(width)
        self._sites = Recent(self._read_sites, self._lane, clock, fresh=REREAD, good=GOOD)
        self._misses = Buckets(clock, rate=1, burst=10)

    async def issuers(self) -> list[str]:
        """Every issuer of the store."""
        return [site.issuer for site in await self._sites.get()]

    async def issuer_at(self, host: str | None, path: str) -> str:
        """The issuer asked for. Raises as `chosen`; a miss reads the store again, within bounds."""
        wanted = host_of(host)
        try:
            return chosen(await self._sites.get(), wanted, path).issuer
        except (NotFound, Unavailable) as error:
            try:
                self._misses.take("", "everybody")
            except Overloaded:
                raise error from None
            return chosen(await self._sites.again(), wanted, path).issuer

    async def of_issuer(self, issuer: str) -> Published:
        """An issuer's set. Raises Unavailable, NotFound, IntegrityError."""
        return await self._get("issuer", issuer)

    async def of_ring(self, ring: str) -> Published:
        """A ring's own set. Raises NotFound (also for a symmetric ring), Unavailable, IntegrityError."""
        return await self._get("ring", ring)

    async def _get(self, kind: str, which: str) -> Published:
        found = self._publisher.fresh(kind, which)
        if found is not None:
            return found
        with self._gate:
            return await self._lane.run(partial(self._read, kind, which))

    def _read(self, kind: str, which: str) -> Published:
        try:
            return self._publisher.issuer_set(which) if kind == "issuer" else self._publisher.ring_set(which)
        except Unavailable as error:
            if error.code != "no_key":
                raise
            views = self._store.published(which) if kind == "issuer" else [self._store.load(which)]
            if not all(view.ring.policy.symmetric for view in views):
                raise
            raise NotFound(
                f"the {kind} {which} has only symmetric secrets: they are in no set",
                hint="GET /v1/rings/RING/secrets with an API token of role verifier",
                code="symmetric",
            ) from error

    def _read_sites(self) -> list[Site]:
        return [site_of(issuer) for issuer in sorted({row.issuer for row in self._store.rings()})]

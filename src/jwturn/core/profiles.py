"""How long known verifiers keep a key set, and what they do on an unknown kid: data, a row per product.

The largest set lifetime among the verifiers that a policy declares is its V (`verifier_ttl_max`). A row
errs on the long side: where a product's documentation is silent the row says so, and counts it as one that
does not refetch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from jwturn.core.durations import parse_duration
from jwturn.core.errors import BadInput, PolicyRefused
from jwturn.core.jwk import ALGS
from jwturn.core.nearest import meant

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
SURVEYED: Final = date(2026, 11, 23)

_NOT_RSA: Final = frozenset(alg for alg, facts in ALGS.items() if facts.kty != "RSA")
_PYJWT_UNKNOWN: Final = frozenset({"Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of verifier.

    `set_lifetime` None: it has no bound of its own, and is declared with one. `within_request`: on an
    unknown kid it refetches before it answers, unless it fetched within `cooldown`. `stale_max`: how long
    beyond its lifetime it uses a set that it cannot refresh (None: without limit). `usual`: what is seen on
    an ordinary day.
    """

    name: str
    title: str
    source: str
    set_lifetime: timedelta | None
    unknown_kid: str
    within_request: bool = False
    cooldown: timedelta = timedelta()
    follows_max_age: bool = False
    algs_unknown: frozenset[str] = frozenset()
    stale_max: timedelta | None = HOUR
    usual: timedelta | None = None
    surveyed: date = SURVEYED


@dataclass(frozen=True, slots=True)
class Declared:
    """A verifier as a policy declares it, with the numbers that count; a ring stores it."""

    name: str
    lifetime: timedelta
    refetches: bool
    cooldown: timedelta
    stale_max: timedelta | None
    usual: timedelta | None
    algs_unknown: frozenset[str]


_ROWS: Final = (
    Profile(
        name="dotnet",
        title="ASP.NET, Microsoft IdentityModel",
        source="Microsoft.IdentityModel.Protocols, ConfigurationManager: both refresh intervals",
        set_lifetime=12 * HOUR + 36 * MINUTE,
        unknown_kid="refetch, not within 5 min; the request at hand fails",
        cooldown=5 * MINUTE,
        stale_max=None,
    ),
    Profile(
        name="spring",
        title="Spring Security (Nimbus JOSE + JWT)",
        source="NimbusJwtDecoder, JWKSourceBuilder: cache time to live",
        set_lifetime=5 * MINUTE,
        unknown_kid="refetch",
        within_request=True,
        usual=5 * MINUTE,
    ),
    Profile(
        name="jose",
        title="npm jose 6",
        source="createRemoteJWKSet: cacheMaxAge, cooldownDuration",
        set_lifetime=10 * MINUTE,
        unknown_kid="refetch, not within 30 s of the last fetch",
        within_request=True,
        cooldown=timedelta(seconds=30),
        usual=10 * MINUTE,
    ),
    Profile(
        name="pyjwt",
        title="PyJWT 2.15 PyJWKClient",
        source="PyJWKClient: lifespan; get_default_algorithms",
        set_lifetime=5 * MINUTE,
        unknown_kid="refetch, not within 30 s of the last fetch",
        within_request=True,
        cooldown=timedelta(seconds=30),
        algs_unknown=_PYJWT_UNKNOWN,
        usual=5 * MINUTE,
    ),
    Profile(
        name="jwks-rsa",
        title="node jwks-rsa 4",
        source="jwks-rsa: cacheMaxAge, per kid, so that a removed kid stays trusted as long",
        set_lifetime=10 * MINUTE,
        unknown_kid="refetch, always",
        within_request=True,
        usual=10 * MINUTE,
    ),
    Profile(
        name="envoy",
        title="Envoy jwt_authn",
        source="JwtAuthentication RemoteJwks: cache_duration, per worker",
        set_lifetime=10 * MINUTE,
        unknown_kid="never",
        usual=10 * MINUTE,
    ),
    Profile(
        name="istio",
        title="Istio",
        source="istiod: JWKS refresh interval",
        set_lifetime=20 * MINUTE,
        unknown_kid="never",
        usual=20 * MINUTE,
    ),
    Profile(
        name="haproxy",
        title="HAProxy jwt_verify",
        source="HAProxy configuration: keys are read from files at load",
        set_lifetime=None,
        unknown_kid="never",
    ),
    Profile(
        name="mod-auth-openidc",
        title="Apache mod_auth_openidc",
        source="OIDCJWKSRefreshInterval",
        set_lifetime=None,
        unknown_kid="refetch at once",
        within_request=True,
    ),
    Profile(
        name="keyfunc",
        title="keyfunc (Go)",
        source="keyfunc: refresh interval, refresh of unknown kids",
        set_lifetime=HOUR,
        unknown_kid="refetch, one per 5 min",
        within_request=True,
        cooldown=5 * MINUTE,
        usual=HOUR,
    ),
    Profile(
        name="step-ca",
        title="step-ca OIDC provisioner",
        source="step-ca key store: max-age with jitter, 12 h without one",
        set_lifetime=12 * HOUR,
        unknown_kid="never",
        follows_max_age=True,
    ),
    Profile(
        name="ktor",
        title="Ktor (jwks-rsa for Java)",
        source="Ktor JWT: JwkProviderBuilder cached",
        set_lifetime=10 * HOUR,
        unknown_kid="varies with the configuration",
        usual=10 * HOUR,
    ),
    Profile(
        name="kong",
        title="Kong Gateway",
        source="Kong OpenID Connect: cache of discovery and keys",
        set_lifetime=HOUR,
        unknown_kid="varies with the configuration",
        usual=HOUR,
    ),
    Profile(
        name="ping",
        title="Ping Gateway",
        source="PingGateway JwkSetSecretStore: cacheTimeout",
        set_lifetime=2 * MINUTE,
        unknown_kid="varies with the configuration",
        usual=2 * MINUTE,
    ),
    Profile(
        name="aws-rest",
        title="AWS API Gateway, REST API (JWT)",
        source="Amazon API Gateway developer guide",
        set_lifetime=HOUR,
        unknown_kid="refetch; whether within the request is not stated",
        usual=HOUR,
    ),
    Profile(
        name="aws-http",
        title="AWS API Gateway, HTTP API JWT authorizer",
        source="Amazon API Gateway developer guide: keys cached for two hours, RSA only",
        set_lifetime=2 * HOUR,
        unknown_kid="refetch; whether within the request is not stated",
        algs_unknown=_NOT_RSA,
        usual=2 * HOUR,
    ),
    Profile(
        name="apigee",
        title="Apigee VerifyJWT",
        source="Apigee documentation: JWKS cached for 5 minutes, headers ignored",
        set_lifetime=5 * MINUTE,
        unknown_kid="not stated",
        usual=5 * MINUTE,
    ),
    Profile(
        name="confluent",
        title="Confluent Cloud",
        source="Confluent Cloud documentation: max-age within 5 min and 7 d, 24 h without one",
        set_lifetime=24 * HOUR,
        unknown_kid="not stated",
        follows_max_age=True,
    ),
    Profile(
        name="tibco",
        title="TIBCO EMS",
        source="TIBCO EMS documentation: OAuth 2.0 JWKS refresh",
        set_lifetime=24 * HOUR,
        unknown_kid="refetch after 5 min",
        cooldown=5 * MINUTE,
        usual=24 * HOUR,
    ),
    Profile(
        name="kube-apiserver",
        title="Kubernetes API server, external signer",
        source="KEP-740: refresh hint of the signer",
        set_lifetime=None,
        unknown_kid="refetch",
        within_request=True,
    ),
    Profile(
        name="openfga",
        title="OpenFGA",
        source="OpenFGA OIDC authenticator: refresh interval",
        set_lifetime=48 * HOUR,
        unknown_kid="not stated",
        usual=48 * HOUR,
    ),
    Profile(
        name="jwturn",
        title="jwturn's own verifier",
        source="jwturn: max-age, at most keys_ttl_max = 1 h",
        set_lifetime=HOUR,
        unknown_kid="refetch: four at once, then one per 30 s",
        within_request=True,
        cooldown=timedelta(seconds=30),
    ),
    Profile(
        name="unknown",
        title="a verifier nobody knows",
        source="the longest that is common among the products above",
        set_lifetime=24 * HOUR,
        unknown_kid="taken as never",
    ),
)

PROFILES: Final = {row.name: row for row in _ROWS}


def resolve(names: Sequence[str], *, max_age: timedelta) -> tuple[Declared, ...]:
    """The verifiers declared by entries such as `jose` and `haproxy:24h`.

    A bound after the colon says how this one is configured, and replaces the row's. Those that follow
    max-age count the larger of row and `max_age`. Raises PolicyRefused for an unknown name, a bad bound, or
    a kind that needs one.
    """
    return tuple(_declared(entry, max_age) for entry in names)


def _declared(entry: str, max_age: timedelta) -> Declared:
    name, colon, bound = entry.partition(":")
    row = PROFILES.get(name)
    if row is None:
        raise _refused(f"there is no verifier profile {name[:40]!r}", meant(name, PROFILES))
    lifetime = _bound(entry, bound) if colon else row.set_lifetime
    if lifetime is None:
        raise _refused(
            f"{row.title} keeps a set until it is told otherwise, so it needs a bound",
            f'declare how long at most: verifiers = ["{name}:24h"]',
        )
    return Declared(
        name=entry,
        lifetime=max(lifetime, max_age) if row.follows_max_age else lifetime,
        refetches=row.within_request,
        cooldown=row.cooldown,
        stale_max=row.stale_max,
        usual=None if colon else row.usual,
        algs_unknown=row.algs_unknown,
    )


def _bound(entry: str, bound: str) -> timedelta:
    try:
        lifetime = parse_duration(bound)
    except BadInput as error:
        raise _refused(f"the bound of {entry[:40]!r} is not a duration", error.hint) from error
    if not lifetime:
        raise _refused(f"the bound of {entry[:40]!r} is zero", "say how long it keeps a set, as in 24h")
    return lifetime


def _refused(message: str, hint: str) -> PolicyRefused:
    return PolicyRefused(message, hint=hint, code="verifier_refused")

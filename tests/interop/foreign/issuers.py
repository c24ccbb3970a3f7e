"""What the tokens and sets of well-known issuers look like, and what a verifier has to be told of each.

Shapes only, from the vendors' documentation: keys are made by joserfc when the tests run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jwturn import ANY

NOW: Final = 1_790_000_000
CLIENT: Final = "6731de76-14a6-49ae-97bc-6eba6914391e"
TENANT: Final = "9122040d-6c67-4c5b-b112-36a304b66dad"


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """An issuer; `told` is what its verifier needs beyond issuer and audience."""

    iss: str
    audience: Any
    kid: str
    alg: str = "RS256"
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    jwk: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[Mapping[str, Any], ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)


SIG: Final = {"use": "sig", "alg": "RS256"}
TYP: Final = {"typ": "JWT"}
HOUR: Final = {"iat": NOW, "exp": NOW + 3600}

ISSUERS: Final = {
    "Auth0": Issuer(
        iss="https://tenant.eu.auth0.com/",
        audience="https://orders.example.com",
        kid="NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg",
        header=TYP,
        claims={
            "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": ["https://orders.example.com", "https://tenant.eu.auth0.com/userinfo"],
            "iat": NOW,
            "exp": NOW + 86_400,
            "azp": "my_client",
            "scope": "openid profile read:orders",
        },
        jwk={**SIG, "x5t": "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg", "x5c": ["MIIC8jCCAdqg"]},
    ),
    "Auth0, RFC 9068 profile": Issuer(
        iss="https://tenant.eu.auth0.com/",
        audience="https://orders.example.com",
        kid="4bcJ0lzS-eQ_h3YVVvdBz",
        header={"typ": "at+jwt"},
        claims={"sub": "auth0|5f7c8ec7", "aud": "https://orders.example.com", **HOUR, "jti": "Xp3"},
        jwk=SIG,
        told={"typ": "at+jwt"},
    ),
    "Okta": Issuer(
        iss="https://dev-1234.okta.com/oauth2/default",
        audience="api://default",
        kid="lYvzU_8qSoPXHdTzyW-wAsMkmiHNFOSzBb7dJX2D6Hk",
        claims={
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "aud": "api://default",
            **HOUR,
            "cid": "nmdP1fcyvdVO11AL7ECm",
            "uid": "00ulthapbErVUwVJy4x6",
            "scp": ["openid", "read"],
            "sub": "alice@example.com",
        },
        jwk=SIG,
    ),
    "Entra ID": Issuer(
        iss=f"https://login.microsoftonline.com/{TENANT}/v2.0",
        audience=CLIENT,
        kid="L1KfKFI_jnXbwWc22xZxw1sUHH0",
        header={**TYP, "x5t": "L1KfKFI_jnXbwWc22xZxw1sUHH0"},
        claims={
            "aud": CLIENT,
            "iat": NOW - 300,
            "nbf": NOW - 300,
            "exp": NOW + 4_500,
            "aio": "AXQAi/8IAAAAtAaZLo3",
            "azp": CLIENT,
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "scp": "access_as_user",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": TENANT,
            "ver": "2.0",
        },
        jwk={
            "use": "sig",
            "x5t": "L1KfKFI_jnXbwWc22xZxw1sUHH0",
            "x5c": ["MIIC/TCCAeWgAwIBAgIIUd7j/OIahkYw"],
            "cloud_instance_name": "microsoftonline.com",
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        },
        told={"algorithms": "RS256"},
    ),
    "Entra ID, first version": Issuer(
        iss=f"https://sts.windows.net/{TENANT}/",
        audience=f"api://{CLIENT}",
        kid="L1KfKFI_jnXbwWc22xZxw1sUHH0",
        header={**TYP, "x5t": "L1KfKFI_jnXbwWc22xZxw1sUHH0"},
        claims={"aud": f"api://{CLIENT}", "iat": NOW, "nbf": NOW, "exp": NOW + 4_000, "ver": "1.0"},
        jwk={"use": "sig"},
        told={"algorithms": {"RS256"}},
    ),
    "Google": Issuer(
        iss="https://accounts.google.com",
        audience="1234987819200.apps.googleusercontent.com",
        kid="f833e8a7fe3fe4b878948219a1684afa373ca86f",
        header=TYP,
        claims={
            "azp": "1234987819200.apps.googleusercontent.com",
            "aud": "1234987819200.apps.googleusercontent.com",
            "sub": "10769150350006150715113082367",
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "hd": "example.com",
            "email": "jsmith@example.com",
            "email_verified": True,
            **HOUR,
        },
        jwk=SIG,
    ),
    "Keycloak": Issuer(
        iss="https://sso.example.com/realms/shop",
        audience="account",
        kid="q4mE1QZ0k7u8sEzG6Yt0oVt3mCqS7iW8oB1pQ2rS3tU",
        header=TYP,
        claims={
            **HOUR,
            "auth_time": NOW - 60,
            "jti": "onrtac:9bd1e4f5",
            "aud": ["orders", "account"],
            "sub": "f1a9",
            "typ": "Bearer",
            "realm_access": {"roles": ["offline_access", "uma_authorization"]},
            "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
        },
        jwk={**SIG, "x5c": ["MIIClzCCAX8CBgF"], "x5t": "abc", "x5t#S256": "def"},
        beside=({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"},),
    ),
    "Keycloak, ES256": Issuer(
        iss="https://sso.example.com/realms/shop",
        audience="orders",
        kid="5Zc3oUu8",
        alg="ES256",
        header=TYP,
        claims={**HOUR, "aud": "orders", "sub": "f1a9"},
        jwk={"use": "sig", "alg": "ES256"},
        beside=({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"},),
    ),
    "Cognito, id token": Issuer(
        iss="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab12Cd34E",
        audience="7lhlkkfbfb4q5kpp90urffao",
        kid="dIuTk2hVgB+0oPV9/z1hY0aPH7rYk8Z0m4oBfUjN3dA=",
        claims={
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "aud": "7lhlkkfbfb4q5kpp90urffao",
            "cognito:groups": ["admin"],
            "email_verified": True,
            "token_use": "id",
            "auth_time": NOW,
            **HOUR,
        },
        jwk=SIG,
    ),
    "Cognito, access token": Issuer(
        iss="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab12Cd34E",
        audience=ANY,
        kid="vL9/8mTqzP0pQhZ+q9sP0nYy0m5M2xN0uW7kzJr4C1g=",
        claims={"sub": "aaaa", "client_id": "7lhlkkfbfb4q5kpp90urffao", "token_use": "access", **HOUR},
        jwk=SIG,
    ),
    "GitHub Actions": Issuer(
        iss="https://token.actions.githubusercontent.com",
        audience="https://github.com/octo-org",
        kid="cc413527-173f-5a05-976e-9c52b1d7b431",
        header={**TYP, "x5t": "eBZ_cn3sXYAd0ch4THBKHIgOwOE"},
        claims={
            "jti": "f8b8c1b9",
            "sub": "repo:octo-org/octo-repo:environment:prod",
            "aud": "https://github.com/octo-org",
            "nbf": NOW - 300,
            "iat": NOW,
            "exp": NOW + 300,
        },
        jwk={**SIG, "x5t": "eBZ_cn3sXYAd0ch4THBKHIgOwOE", "x5c": ["MIIDrDCCApSgAwIBAgIQ"]},
    ),
    "Kubernetes": Issuer(
        iss="https://kubernetes.default.svc.cluster.local",
        audience="https://kubernetes.default.svc.cluster.local",
        kid="QmJTWwc1xX7T0Gm9w0Kf4wIhO2Q2x7f0zq9oQ2b4c8E",
        claims={
            "aud": ["https://kubernetes.default.svc.cluster.local"],
            **HOUR,
            "nbf": NOW,
            "kubernetes.io": {
                "namespace": "shop",
                "pod": {"name": "orders-0", "uid": "b1f3"},
                "serviceaccount": {"name": "orders", "uid": "c7d1"},
            },
            "sub": "system:serviceaccount:shop:orders",
        },
        jwk=SIG,
    ),
    "Apple": Issuer(
        iss="https://appleid.apple.com",
        audience="com.example.app",
        kid="fh6Bs8C",
        claims={
            "aud": "com.example.app",
            **HOUR,
            "sub": "001234.abc.1234",
            "email_verified": "true",
            "nonce_supported": True,
        },
        jwk=SIG,
    ),
    "somebody's Python, float times": Issuer(
        iss="https://auth.example.com",
        audience="orders",
        kid="k1",
        alg="EdDSA",
        header=TYP,
        claims={"aud": "orders", "iat": NOW + 0.123456, "exp": NOW + 900.123456, "sub": "alice"},
    ),
}

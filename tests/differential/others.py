"""Ours and three others behind one face, each as strict as its options allow, all told the same moment.

PyJWT and jwcrypto read the clock themselves; a subclass hands them the moment where they would compare with
it. Everything else is their public face: keys by kid from one JWKS, the algorithms of the keys, issuer,
audience, exp required, a leeway of 60 seconds.
"""

import json
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from joserfc.jws import JWSRegistry
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

from jwturn.core.errors import TokenRefused
from jwturn.core.rules import Rules
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key
from jwturn.verifier import checks
from tests.differential.world import AUDIENCE, ISSUER, LEEWAY, NOW, jwk_of, pair, secret_of, set_of

Judge = Callable[[str], Mapping[str, Any]]
"""The claims of a token that is accepted; raises otherwise."""

OTHERS: Final = ("PyJWT", "joserfc", "jwcrypto")
UNKNOWN: Final[Mapping[str, frozenset[str]]] = {
    "PyJWT": frozenset({"Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}),
    "joserfc": frozenset({"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}),
    "jwcrypto": frozenset(),
}
"""The algorithms that a library does not know, or knows by another name only."""
RULES: Final = Rules(issuer=ISSUER, audience=frozenset({AUDIENCE}))


class _PyJWTAt(jwt.PyJWT):
    """PyJWT at the moment of these tests."""

    def _validate_iat(self, payload: dict[str, Any], now: float, leeway: float) -> None:
        super()._validate_iat(payload, NOW, leeway)

    def _validate_nbf(self, payload: dict[str, Any], now: float, leeway: float) -> None:
        super()._validate_nbf(payload, NOW, leeway)

    def _validate_exp(self, payload: dict[str, Any], now: float, leeway: float) -> None:
        super()._validate_exp(payload, NOW, leeway)


class _JwcryptoAt(JWT):  # type: ignore[misc]  # jwcrypto has no types
    """The token of jwcrypto at the moment of these tests."""

    def _check_exp(self, claim: Any, limit: float, leeway: float) -> None:
        super()._check_exp(claim, NOW, leeway)

    def _check_nbf(self, claim: Any, limit: float, leeway: float) -> None:
        super()._check_nbf(claim, NOW, leeway)


def ours(kids: Collection[str]) -> Judge:
    """The checks, with keys that are already loaded: HMAC secrets too."""
    keys = {kid: key_of(kid) for kid in kids}
    return lambda token: checks.verify(token, keys, RULES, NOW)


def key_of(kid: str) -> VerifyKey:
    """Ours, for a kid."""
    alg, made = kid.partition("/")[0], pair(kid)
    return hmac_key(alg, secret_of(kid)) if made.public is None else verify_key(made.public, alg=alg)


def pyjwt(document: dict[str, Any], algorithms: list[str]) -> Judge:
    """PyJWT; its `strict_aud` stays off, because it refuses every list."""
    keys = jwt.PyJWKSet.from_dict(document)
    options: Any = {"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True}

    def judge(token: str) -> Mapping[str, Any]:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        return _PyJWTAt().decode(
            token, key, algorithms, options, audience=AUDIENCE, issuer=ISSUER, leeway=LEEWAY
        )

    return judge


def joserfc_(document: dict[str, Any], algorithms: list[str]) -> Judge:
    """The library joserfc, with only the registered header parameters."""
    keys = joserfc_jwk.KeySet.import_key_set(document)  # type: ignore[arg-type]  # a TypedDict of theirs
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=True)
    judged = joserfc_jwt.JWTClaimsRegistry(
        now=NOW,
        leeway=LEEWAY,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )

    def judge(token: str) -> Mapping[str, Any]:
        claims = joserfc_jwt.decode(token, keys, registry=registry).claims
        judged.validate(claims)
        return claims

    return judge


def jwcrypto_(document: dict[str, Any], algorithms: list[str]) -> Judge:
    """The library jwcrypto, twice: only without `check_claims` does it look at an nbf that may be absent."""
    keys = JWKSet.from_json(json.dumps(document))
    options: Any = {"algs": algorithms, "expected_type": "JWS", "strict_serialization": True}
    demanded = {"iss": ISSUER, "aud": AUDIENCE, "exp": None}

    def judge(token: str) -> Mapping[str, Any]:
        _JwcryptoAt(jwt=token, key=keys, **options)
        claims: Mapping[str, Any] = json.loads(
            _JwcryptoAt(jwt=token, key=keys, check_claims=demanded, **options).claims
        )
        return claims

    return judge


MAKERS: Final[Mapping[str, Callable[[dict[str, Any], list[str]], Judge]]] = {
    "PyJWT": pyjwt,
    "joserfc": joserfc_,
    "jwcrypto": jwcrypto_,
}


def other(library: str, kids: Collection[str]) -> Judge:
    """A library with these keys; raises what it raises for a set that it cannot read."""
    return MAKERS[library](set_of(*kids), sorted({jwk_of(kid)["alg"] for kid in kids}))


def verdict(judge: Judge, token: str) -> Mapping[str, Any] | None:
    """The claims, or None: whatever one of the others raises is a refusal, and a warning is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return judge(token)
        except Exception:  # noqa: BLE001  # many of their refusals are ValueError, KeyError, TypeError
            return None


def verdict_of_ours(judge: Judge, token: str) -> Mapping[str, Any] | None:
    """The claims, or None for a refusal; nothing else may leave, so nothing else is caught."""
    try:
        return judge(token)
    except TokenRefused:
        return None


def knows(library: str, kid: str) -> bool:
    """Whether a library knows the algorithm of a key."""
    return kid.partition("/")[0] not in UNKNOWN[library]

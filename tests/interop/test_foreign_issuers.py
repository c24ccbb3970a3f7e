"""Tokens that others made: by three libraries, kept as files, and in the shapes of well-known issuers."""

import json
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import joserfc.errors
import joserfc.jwk
import joserfc.jws
import pytest

from jwturn import ANY, BadInput, MigrationWarning, MultiIssuer, TokenRefused, Verifier
from jwturn.core.jwk import PRIVATE_MEMBERS
from tests.interop.foreign.issuers import ISSUERS, NOW, Issuer
from tests.interop.foreign.make import FILE, LIBRARIES, SHAPES, kty, made_by

FIXTURES: Final[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
NAMES: Final = list(SHAPES["shapes"])
AT: Final = datetime.fromtimestamp(SHAPES["at"], UTC)


def algs(name: str) -> str:
    alg: str = SHAPES["shapes"][name]["alg"]
    return alg


def verifier(jwks: dict[str, Any], **options: Any) -> Verifier:
    return Verifier(**{"issuer": SHAPES["issuer"], "audience": "orders", "jwks": jwks, **options})


def refusal(verifier: Verifier, token: str, at: datetime = AT) -> str:
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(token, at=at)
    return refused.value.code


def with_other_signature(token: str) -> str:
    """The same token with one character in the middle of its signature turned into another."""
    head, payload, signature = token.split(".")
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return f"{head}.{payload}.{signature[:middle]}{other}{signature[middle + 1 :]}"


def test_three_libraries_made_a_token_of_every_shape() -> None:
    assert sorted(FIXTURES) == ["jose", "joserfc", "jwcrypto"]
    assert all(sorted(made["tokens"]) == sorted(NAMES) for made in FIXTURES.values())
    assert {algs(name) for name in NAMES} == {
        *(f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)),
        "EdDSA",
    }


def test_no_private_half_is_in_the_files() -> None:
    members = {member for made in FIXTURES.values() for key in made["jwks"]["keys"] for member in key}
    assert members & PRIVATE_MEMBERS == set()


@pytest.mark.parametrize("library", FIXTURES)
@pytest.mark.parametrize("name", NAMES)
def test_a_token_of_another_library_is_verified(library: str, name: str) -> None:
    made = FIXTURES[library]
    claims = verifier(made["jwks"], algorithms=algs(name)).verify(made["tokens"][name], at=AT)
    expected = {"iss": SHAPES["issuer"], "sub": "alice", **SHAPES["shapes"][name]["claims"]}
    assert claims == expected


@pytest.mark.parametrize("library", FIXTURES)
@pytest.mark.parametrize("name", NAMES)
def test_only_an_rsa_key_that_does_not_say_its_algorithm_needs_algorithms(library: str, name: str) -> None:
    made, shape = FIXTURES[library], SHAPES["shapes"][name]
    told_nothing = verifier(made["jwks"])
    if "alg" in shape["jwk"] or kty(shape["alg"]) != "RSA":
        assert told_nothing.verify(made["tokens"][name], at=AT)["sub"] == "alice"
    else:
        assert refusal(told_nothing, made["tokens"][name]) == "kid_unknown"
        codes = {key.kid: key.code for key in told_nothing.status().refused}
        assert codes[shape["jwk"]["kid"]] == "jwk_unknown_alg"


@pytest.mark.parametrize("library", FIXTURES)
@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_when_it_is_forged_or_old_or_for_others(library: str, name: str) -> None:
    made, alg = FIXTURES[library], algs(name)
    token = made["tokens"][name]
    ours = verifier(made["jwks"], algorithms=alg)
    assert refusal(ours, with_other_signature(token)) == "signature_wrong"
    late = datetime.fromtimestamp(SHAPES["shapes"][name]["claims"]["exp"] + 60, UTC)
    assert refusal(ours, token, late) == "expired"
    assert refusal(verifier(made["jwks"], algorithms=alg, audience="billing"), token) == "aud_wrong"
    unslashed = SHAPES["issuer"].rstrip("/")
    assert refusal(verifier(made["jwks"], algorithms=alg, issuer=unslashed), token) == "iss_wrong"
    others = FIXTURES["jose" if library != "jose" else "joserfc"]["jwks"]
    assert refusal(verifier(others, algorithms=alg), token) in {"signature_wrong", "kid_unknown"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_script_makes_today_is_verified_as_well(library: str) -> None:
    made = made_by(library)
    for name in NAMES:
        assert verifier(made["jwks"], algorithms=algs(name)).verify(made["tokens"][name], at=AT)


@cache
def key(alg: str, number: int) -> Any:
    """A key of joserfc; another one for another number."""
    if kty(alg) == "RSA":
        return joserfc.jwk.RSAKey.generate_key(2048)
    return (
        joserfc.jwk.OKPKey.generate_key("Ed25519")
        if alg == "EdDSA"
        else joserfc.jwk.ECKey.generate_key("P-256")
    )


def signed(issuer: Issuer, **claims: Any) -> str:
    header = {"alg": issuer.alg, "kid": issuer.kid, **issuer.header}
    told = json.dumps({"iss": issuer.iss, **issuer.claims, **claims})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", joserfc.errors.SecurityWarning)
        return joserfc.jws.serialize_compact(header, told, key(issuer.alg, 0), algorithms=[issuer.alg])


def set_of(issuer: Issuer) -> dict[str, Any]:
    """Its published set: the key that signs, the next one, and what else lies in it."""
    own = [
        {**key(issuer.alg, number).as_dict(private=False), "kid": kid, **issuer.jwk}
        for number, kid in enumerate((issuer.kid, "next"))
    ]
    others = [{**key("RS256", 2).as_dict(private=False), **members} for members in issuer.beside]
    return {"keys": [*others, *own]}


def of_issuer(issuer: Issuer, **options: Any) -> Verifier:
    told = {"issuer": issuer.iss, "audience": issuer.audience, "jwks": set_of(issuer), **issuer.told}
    return Verifier(**{**told, **options})


MOMENT: Final = datetime.fromtimestamp(NOW + 30, UTC)


@pytest.mark.parametrize("name", ISSUERS)
def test_a_token_in_the_shape_of_a_known_issuer_is_verified(name: str) -> None:
    issuer = ISSUERS[name]
    claims = of_issuer(issuer).verify(signed(issuer), at=MOMENT)
    assert claims == {"iss": issuer.iss, **issuer.claims}


def test_keys_that_do_not_say_their_algorithm_are_passed_over_until_it_is_named() -> None:
    for name in ("Entra ID", "Entra ID, first version"):
        with pytest.raises(BadInput) as refused:
            of_issuer(ISSUERS[name], algorithms=None)
        assert refused.value.code == "jwks_empty"


def test_an_access_token_of_cognito_has_no_audience_so_any_has_to_be_said() -> None:
    issuer = ISSUERS["Cognito, access token"]
    assert (
        refusal(of_issuer(issuer, audience="7lhlkkfbfb4q5kpp90urffao"), signed(issuer), MOMENT)
        == "aud_missing"
    )
    assert issuer.audience is ANY


def test_the_typ_of_an_access_token_can_be_asked_for() -> None:
    access, other = ISSUERS["Auth0, RFC 9068 profile"], ISSUERS["Auth0"]
    asked = of_issuer(other, typ="at+jwt")
    assert refusal(asked, signed(other), MOMENT) == "typ_refused"
    assert refusal(of_issuer(access, typ="JWT"), signed(access), MOMENT) == "typ_refused"


def test_a_key_for_encryption_beside_those_that_sign_is_passed_over() -> None:
    keycloak = of_issuer(ISSUERS["Keycloak"])
    assert [(key.kid, key.code) for key in keycloak.status().refused] == [("enc", "jwk_wrong_use")]
    assert not any(key.alarm for key in keycloak.status().refused)


def test_a_pod_s_token_of_a_year_needs_a_longer_life_allowed() -> None:
    issuer = ISSUERS["Kubernetes"]
    year = signed(issuer, exp=NOW + 365 * 86_400)
    assert refusal(of_issuer(issuer), year, MOMENT) == "lifetime_too_long"
    assert of_issuer(issuer, token_ttl_max=timedelta(days=366)).verify(year, at=MOMENT)


def test_several_known_issuers_stand_side_by_side_and_none_speaks_for_another() -> None:
    names = ("Auth0", "Okta", "Entra ID", "Google", "Keycloak")
    all_of_them = MultiIssuer({ISSUERS[name].iss: of_issuer(ISSUERS[name]) for name in names})
    for name in names:
        assert all_of_them.verify(signed(ISSUERS[name]), at=MOMENT)["iss"] == ISSUERS[name].iss
    for name in names[1:]:
        with pytest.raises(TokenRefused):
            all_of_them.verify(signed(ISSUERS["Auth0"], iss=ISSUERS[name].iss), at=MOMENT)


def test_a_token_without_kid_is_judged_by_the_one_key_that_is_named() -> None:
    own = {**key("ES256", 0).as_dict(private=False), "use": "sig"}
    claims = json.dumps({"iss": SHAPES["issuer"], "aud": "orders", "iat": NOW, "exp": NOW + 600})
    token = joserfc.jws.serialize_compact({"alg": "ES256"}, claims, key("ES256", 0), algorithms=["ES256"])
    assert refusal(verifier({"keys": [own]}), token, MOMENT) == "kid_missing"
    with pytest.warns(MigrationWarning, match="tokens without kid"):
        named = verifier({"keys": [own]}, kid_when_absent=key("ES256", 0).thumbprint())
    assert named.verify(token, at=MOMENT)["exp"] == NOW + 600

"""SECURITY.md section 6, row by row: what the claims must say, each token truly signed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jwturn import ANY, TokenRefused, Verifier
from jwturn.core.errors import BadInput
from jwturn.core.rules import Rules
from jwturn.verifier import checks
from tests.security import forged, forged_claims, mint
from tests.security.court import judged
from tests.security.forged_claims import DAY, NOW


def claimed(**members: Any) -> str:
    return mint.token("ES256", mint.claims(**members))


def test_exp_is_required() -> None:
    assert forged.complaints(forged_claims.absent) == []


@pytest.mark.parametrize("alg", [*mint.PUBLIC, *mint.HMAC])
def test_exp_is_required_under_every_algorithm(alg: str) -> None:
    assert judged(mint.token(alg, mint.claims(exp=...))) == "exp_missing"
    assert judged(mint.token(alg, mint.claims(exp=None))) == "exp_type"


def test_times_are_finite_numbers() -> None:
    """CVE-2026-25537: a claim of the wrong type was taken for an absent one."""
    assert forged.complaints(forged_claims.types) == []


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_times_are_finite_numbers_even_if_they_would_do(name: str) -> None:
    value = mint.claims(nbf=NOW)[name]
    assert judged(claimed(**{name: value})) == judged(claimed(**{name: float(value)})) == ""
    for odd in (str(value), f"{value}.0", True, [value], {"$date": value}, f"0{value}", ""):
        assert judged(claimed(**{name: odd})) == f"{name}_type"


def test_expired_tokens_are_refused() -> None:
    assert forged.complaints(forged_claims.times) == []


@pytest.mark.parametrize("leeway", [0, 1, 60, 300])
def test_expired_tokens_are_refused_at_the_second(leeway: int) -> None:
    """From exp + leeway on, and not a moment before."""
    rules = {"leeway": timedelta(seconds=leeway)}
    token = mint.token("EdDSA")
    for past, code in (
        (-1, ""),
        (-0.001, ""),
        (0, "expired"),
        (0.001, "expired"),
        (1, "expired"),
        (DAY, "expired"),
    ):
        assert judged(token, now=NOW + 600 + leeway + past, **rules) == code


@pytest.mark.parametrize("leeway", [0, 1, 60, 300])
@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_tokens_from_the_future_are_refused(name: str, leeway: int) -> None:
    rules = {"leeway": timedelta(seconds=leeway)}
    for ahead, code in (
        (-60, ""),
        (0, ""),
        (leeway, ""),
        (leeway + 0.001, "future"),
        (leeway + 1, "future"),
    ):
        times: dict[str, Any] = {"iat": ..., name: NOW + ahead, "exp": NOW + 600}
        assert judged(claimed(**times), **rules) == (code and f"{name}_{code}")


def test_exp_is_after_iat() -> None:
    for iat, exp in ((NOW, NOW), (NOW + 1, NOW), (NOW + 60, NOW + 1), (NOW + 0.5, NOW + 0.5)):
        assert judged(claimed(iat=iat, exp=exp)) == "exp_before_iat"
    assert judged(claimed(iat=NOW, exp=NOW + 0.001)) == ""


@pytest.mark.parametrize(
    "most", [timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24), timedelta(days=30)]
)
def test_the_lifetime_is_bounded(most: timedelta) -> None:
    seconds = int(most.total_seconds())
    for longer, code in ((-1, ""), (0, ""), (0.5, "lifetime_too_long"), (1, "lifetime_too_long")):
        assert judged(claimed(exp=NOW + seconds + longer), token_ttl_max=most) == code
        assert judged(claimed(iat=..., exp=NOW + seconds + longer), token_ttl_max=most) == code
    assert judged(claimed(iat=NOW - seconds, exp=NOW + 1), token_ttl_max=most) == "lifetime_too_long"


def test_the_lifetime_is_bounded_by_24_hours_unless_something_else_is_said() -> None:
    assert judged(claimed(exp=NOW + DAY)) == ""
    assert judged(claimed(exp=NOW + DAY + 1)) == "lifetime_too_long"


def bounded(exp: int) -> Verifier:
    jwks = {"keys": [mint.public("ES256") | {"exp": exp}, mint.public("EdDSA")]}
    time = datetime.fromtimestamp(NOW, UTC)
    return Verifier(issuer=mint.ISSUER, audience=mint.AUDIENCE, jwks=jwks, now=lambda: time)


def test_exp_above_the_bound_of_the_key_proves_theft() -> None:
    for bound in (NOW + 599, NOW, 0, -1, NOW - DAY):
        with pytest.raises(TokenRefused) as refused:
            bounded(bound).verify(mint.token("ES256"))
        assert refused.value.code == "exp_past_key"
        assert "theft" in refused.value.hint
        assert bounded(bound).verify(mint.token("EdDSA"))["sub"] == "alice"
        with pytest.raises(TokenRefused):
            bounded(bound).verify(claimed(iat=...))
    for bound in (NOW + 600, NOW + 601, 2**40):
        assert bounded(bound).verify(mint.token("ES256"))["sub"] == "alice"


def test_exp_above_the_bound_of_the_key_is_refused_by_the_checks_too() -> None:
    rules = Rules(issuer=mint.ISSUER, audience=frozenset({mint.AUDIENCE}))
    bounds = {mint.kid("ES256"): NOW + 599, mint.kid("EdDSA"): 0}
    with pytest.raises(TokenRefused) as refused:
        checks.verify(mint.token("ES256"), mint.keys(), rules, NOW, exp_bounds=bounds)
    assert refused.value.code == "exp_past_key"
    told = checks.explain(mint.token("ES256"), mint.keys(), rules, NOW, exp_bounds=bounds)
    assert "exp_past_key" in {check.code for check in told if not check.passed}


def test_iss_is_an_exact_string() -> None:
    """CVE-2024-53861: an issuer that only contained the expected one, or was contained in it."""
    assert forged.complaints(forged_claims.names, only="iss") == []


@pytest.mark.parametrize(
    "issuer", ["a", "https://auth.example.com/", "https://auth.example.com/tenant/1", "joe"]
)
def test_iss_is_an_exact_string_whatever_the_issuer(issuer: str) -> None:
    assert judged(claimed(iss=issuer), issuer=issuer) == ""
    for other in (issuer[:-1], issuer + "x", issuer + "/", issuer.upper(), f" {issuer}", "", mint.ISSUER):
        assert judged(claimed(iss=other), issuer=issuer) == "iss_wrong"
    for odd in ([issuer], {issuer: 1}, None, True):
        assert judged(claimed(iss=odd), issuer=issuer) == "iss_type"


def test_aud_names_this_audience_exactly() -> None:
    assert forged.complaints(forged_claims.names, only="aud") == []


def test_aud_names_this_audience_exactly_among_several() -> None:
    several = ("orders", "billing")
    for good in ("orders", "billing", ["x", "billing"], ["orders", "billing"]):
        assert judged(claimed(aud=good), audience=several) == ""
    for bad in ("ordersbilling", "orders billing", "orders,billing", ["x"], [], ["order", "bill"], "o"):
        assert judged(claimed(aud=bad), audience=several) == "aud_wrong"


def test_aud_names_this_audience_exactly_unless_any_is_said_aloud() -> None:
    assert judged(claimed(aud="whoever"), audience=ANY) == judged(claimed(aud=...), audience=ANY) == ""
    for bad in (None, 7, [7], {"orders": 1}, [["orders"]]):
        assert judged(claimed(aud=bad), audience=ANY) == "aud_type"
    for nothing in (None, (), 7, "", ("orders", "")):
        with pytest.raises((BadInput, TypeError)):
            Verifier(issuer=mint.ISSUER, audience=nothing, jwks=mint.jwks())  # type: ignore[arg-type]  # says so
    assert judged(claimed(aud="orders"), audience="any") == "aud_wrong"


@pytest.mark.parametrize("name", ["sub", "jti"])
def test_sub_and_jti_are_strings(name: str) -> None:
    for good in ("", "a", "\u00e9", "x" * 500, "0"):
        assert judged(claimed(**{name: good})) == ""
    for bad in forged_claims.NO_STRINGS:
        assert judged(claimed(**{name: bad})) == f"{name}_type"
    assert judged(claimed(**{name: ...})) == ""


@pytest.mark.parametrize(
    "value", [None, True, 0, 1.5, "", "x", [], [None], {}, {"exp": "x", "iss": 7}, [{"a": [1, {"b": None}]}]]
)
def test_unknown_claims_pass(value: Any) -> None:
    for name in ("scope", "nonce", "azp", "cnf", "EXP", "Exp", "exp ", "__proto__", "a.b", "\u00e9", ""):
        assert judged(claimed(**{name: value})) == ""

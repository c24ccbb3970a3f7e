"""Keys and sets beside the importers of PyJWT, joserfc and jwcrypto: what we take they take."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwturn.core.jwk import ALGS, thumbprint
from tests.differential.bad_keys import KID, ROWS, good_set
from tests.differential.importers import IMPORTERS, opened, ours_takes, takes
from tests.differential.known_keys import STRICTER_KEYS, StricterKey, explained_key, set_with
from tests.differential.mutants import VALUES
from tests.differential.others import knows, other, ours, verdict, verdict_of_ours
from tests.differential.world import CLAIMS, good, header, jwk_of, pair, signer_of, text

KIDS = ("ES256", "ES384", "EdDSA", "RS256", "PS256")
VALUE = (
    st.sampled_from(["", "A", "AAAA", "AQAB", "=", "A A", "AB==", "A" * 43, "A" * 342, "!", "_w"]) | VALUES
)
POOL: dict[str, st.SearchStrategy[Any]] = {
    "kty": st.sampled_from(["RSA", "EC", "OKP", "oct", "AKP", "ec"]) | VALUES,
    "crv": st.sampled_from(["P-256", "P-384", "Ed25519", "secp256k1", "X25519"]) | VALUES,
    "alg": st.sampled_from([*KIDS, "Ed25519", "ES512", "HS256", "none", "RSA-OAEP"]) | VALUES,
    "use": st.sampled_from(["sig", "enc", ""]) | VALUES,
    "key_ops": st.lists(st.sampled_from(["verify", "sign", "encrypt", "audit", 5]), max_size=3) | VALUES,
    "e": st.sampled_from(["AQAB", "Aw", "AAEAAQ", "AQAC", "AQAAAAE"]) | VALUES,
    "exp": st.integers(0, 2**40) | VALUES,
    "kid": VALUES,
    **dict.fromkeys(("x", "y", "n", "d", "k", "p", "oth", "priv"), VALUE),
    **dict.fromkeys(("x5c", "x5u", "x5t", "note"), VALUES),
}
CHANGES = st.lists(
    st.sampled_from(sorted(POOL)).flatmap(lambda name: st.tuples(st.just(name), st.just(...) | POOL[name])),
    min_size=1,
    max_size=2,
).map(dict)
QUIET = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]


@settings(max_examples=700, derandomize=True, database=None, suppress_health_check=QUIET)
@given(st.sampled_from(KIDS), CHANGES)
def test_a_key_that_we_take_is_taken_by_the_others(expected: str, members: dict[str, Any]) -> None:
    key, data = set_with(expected, members)
    found = opened(data, expected)
    if found is None:
        return
    ((kid, ours_),) = found.keys.items()
    if "kid" not in key:
        key, data = set_with(expected, {**members, "kid": kid})
    for library in IMPORTERS:
        if not explained_key(library, key, ours_.alg):
            assert takes(library, data, kid, ours_.alg), library


@pytest.mark.parametrize("row", STRICTER_KEYS, ids=lambda row: row.what)
def test_good_keys_that_others_refuse_are_of_a_known_kind(row: StricterKey) -> None:
    for name, (expected, members) in row.keys.items():
        key, data = set_with(expected, members)
        assert ours_takes(data, KID, expected), name
        assert {library for library in IMPORTERS if not takes(library, data, KID, expected)} == row.refused_by
        assert row.applies(key, expected), name


@pytest.mark.parametrize("row", STRICTER_KEYS, ids=lambda row: row.what)
def test_a_plain_key_is_of_no_known_kind(row: StricterKey) -> None:
    assert not row.applies(*(jwk_of("ES256"), "ES256"))


BAD = [(name, alg, make) for row in ROWS for name, (alg, make) in row.sets.items()]


@pytest.mark.parametrize(("name", "alg", "make"), BAD, ids=[name for name, *_ in BAD])
def test_a_bad_key_is_never_used_and_the_good_one_beside_it_is(name: str, alg: str, make: Any) -> None:
    data = make()
    assert not ours_takes(data, KID, alg)
    if (found := opened(data, alg)) is not None:
        assert list(found.keys) == ["ES256/1"]


@pytest.mark.parametrize("kid", ["ES256", "RS256", "EdDSA"])
def test_the_set_that_the_bad_ones_differ_from_is_good_for_all(kid: str) -> None:
    assert ours_takes(good_set(kid), KID, kid)
    assert all(takes(library, good_set(kid), KID, kid) for library in IMPORTERS)


@pytest.mark.parametrize("alg", sorted(alg for alg in ALGS if not alg.startswith("HS")))
def test_thumbprints_are_those_of_the_others(alg: str) -> None:
    import joserfc.jwk
    from jwcrypto.jwk import JWK

    public = pair(alg).public
    assert public is not None
    expected = thumbprint(public)
    assert JWK(**public).thumbprint() == expected
    if knows("joserfc", alg):
        assert joserfc.jwk.import_key(dict(public)).thumbprint() == expected


@settings(max_examples=60, derandomize=True, database=None)
@given(st.sampled_from(KIDS), st.sampled_from(KIDS), st.sampled_from(KIDS))
def test_a_token_is_judged_by_the_key_of_its_kid_alone(signs: str, named: str, said: str) -> None:
    members = header(named, alg=said)
    draft = good(signs)
    token = type(draft)(text(members), text(CLAIMS), signer_of(signs).sign).token()
    found = verdict_of_ours(ours(KIDS), token)
    assert (found is not None) is (signs == named == said)
    for library in IMPORTERS if found is not None else ():
        assert verdict(other(library, KIDS), token) == found

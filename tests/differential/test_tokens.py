"""Ours beside PyJWT, joserfc and jwcrypto on the same tokens: what we accept they accept and read the same.

The other direction is the table of forged tokens, and not our business beyond it: we may refuse more.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwturn.core import jws
from jwturn.core.claims import prepare
from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS
from tests.differential.known import STRICTER, Stricter, explained, read
from tests.differential.mutants import VALUES, drafts
from tests.differential.others import OTHERS, Judge, knows, other, ours, verdict, verdict_of_ours
from tests.differential.world import AUDIENCE, CLAIMS, ISSUER, MIXED, NOW, Draft, good, signer_of

QUIET = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]


@cache
def judge_of(library: str, kids: tuple[str, ...] = MIXED) -> Judge:
    return ours(kids) if library == "ours" else other(library, kids)


def verdicts(token: str, kids: tuple[str, ...] = MIXED) -> dict[str, Mapping[str, Any] | None]:
    """What each library says; one that cannot read the set refuses."""
    said: dict[str, Mapping[str, Any] | None] = {"ours": verdict_of_ours(judge_of("ours", kids), token)}
    for library in OTHERS:
        try:
            judge = judge_of(library, kids)
        except Exception:  # noqa: BLE001  # as in others.verdict
            said[library] = None
        else:
            said[library] = verdict(judge, token)
    return said


@pytest.mark.parametrize("alg", sorted(ALGS))
def test_a_token_made_by_ours_is_accepted_by_all_that_know_its_algorithm(alg: str) -> None:
    said = verdicts(good(alg).token(), (alg,))
    assert said == {"ours": CLAIMS} | {name: CLAIMS if knows(name, alg) else None for name in OTHERS}


@settings(max_examples=100, derandomize=True, database=None, suppress_health_check=QUIET)
@given(st.sampled_from(["EdDSA", "ES256", "HS256"]), st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_what_our_signer_writes_the_others_read(kid: str, asked: dict[str, Any]) -> None:
    options: Any = {"issuer": ISSUER, "audience": AUDIENCE, "jti": "1", "nbf": True, "now": NOW}
    try:
        made = prepare(asked, ttl=timedelta(minutes=5), ttl_max=timedelta(hours=1), **options)
    except BadInput:
        return
    signed = jws.signing_input(jws.header_segment(kid, kid, "at+jwt"), made)
    token = jws.token_of(signed, signer_of(kid).sign(signed))
    for library, claims in verdicts(token).items():
        if library == "ours" or not explained(library, read(token)):
            assert claims == made, library


@pytest.mark.parametrize("kid", MIXED)
def test_a_token_under_a_set_of_many_algorithms_is_accepted_by_all(kid: str) -> None:
    assert set(map(str, verdicts(good(kid).token()).values())) == {str(CLAIMS)}


@settings(max_examples=800, derandomize=True, database=None, suppress_health_check=QUIET)
@given(drafts())
def test_what_we_accept_the_others_accept_and_read_the_same(draft: Draft) -> None:
    token = draft.token()
    if (accepted := verdict_of_ours(judge_of("ours"), token)) is None:
        return
    for library in OTHERS:
        if not explained(library, read(token)):
            assert verdict(judge_of(library), token) == accepted, library


@pytest.mark.parametrize("row", STRICTER, ids=lambda row: row.what)
def test_good_tokens_that_others_refuse_are_of_a_known_kind(row: Stricter) -> None:
    for name, make in row.tokens.items():
        token = make()
        said = verdicts(token, row.kids)
        assert said["ours"] is not None, name
        assert {library for library in OTHERS if said[library] is None} == row.refused_by, name
        assert row.applies(read(token)), name


@pytest.mark.parametrize("row", STRICTER, ids=lambda row: row.what)
def test_a_plain_token_is_of_no_known_kind(row: Stricter) -> None:
    assert not row.applies(read(good("ES256").token()))

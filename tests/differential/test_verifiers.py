"""The public verifier beside the plain checks: with its memo, without it, as of a moment, and in words."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwturn import TokenRefused, Verifier
from jwturn.verifier import checks
from tests.differential.mutants import TIMES, drafts
from tests.differential.others import RULES, key_of, ours, verdict_of_ours
from tests.differential.world import AUDIENCE, CLAIMS, ISSUER, MIXED, NOW, Draft, good, set_of, with_claims

KIDS = tuple(kid for kid in MIXED if not kid.startswith("HS"))
QUIET = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]


class Clock:
    """A time of day that a test sets."""

    def __init__(self) -> None:
        self.seconds: float = NOW

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def verifier(clock: Clock, *, memo: bool) -> Verifier:
    return Verifier(issuer=ISSUER, audience=AUDIENCE, jwks=set_of(*KIDS), now=clock, memo=memo)


def said(made: Verifier, token: str | bytes, **options: Any) -> Mapping[str, Any] | None:
    try:
        return made.verify(token, **options)
    except TokenRefused:
        return None


CLOCK = Clock()
REMEMBERS, FORGETS = verifier(CLOCK, memo=True), verifier(CLOCK, memo=False)
PLAIN = ours(KIDS)


@settings(max_examples=250, derandomize=True, database=None, suppress_health_check=QUIET)
@given(drafts(KIDS))
def test_a_verifier_says_what_the_checks_say_the_first_time_and_every_time(draft: Draft) -> None:
    token = draft.token()
    CLOCK.seconds = NOW
    expected = verdict_of_ours(PLAIN, token)
    for made in (REMEMBERS, REMEMBERS, FORGETS):
        assert said(made, token) == expected
        assert said(made, token, at=CLOCK()) == expected
        assert all(check.passed for check in made.explain(token)) is (expected is not None)
    assert said(REMEMBERS, token.encode("utf-8", "surrogateescape")) == expected


@settings(max_examples=150, derandomize=True, database=None, suppress_health_check=QUIET)
@given(
    st.dictionaries(st.sampled_from(["exp", "iat", "nbf"]), TIMES | st.just(...), max_size=3),
    st.lists(
        st.integers(-400, 400).map(lambda quarter: NOW + quarter / 4) | st.integers(NOW - 10**5, NOW + 10**5),
        min_size=2,
        max_size=6,
    ),
)
def test_a_token_seen_before_is_judged_by_the_clock_as_if_it_were_new(
    times: dict[str, Any], moments: list[float]
) -> None:
    token = with_claims(**times)
    keys = {"ES256": key_of("ES256")}
    for moment in moments:
        CLOCK.seconds = moment
        try:
            expected: Mapping[str, Any] | None = checks.verify(token, keys, RULES, CLOCK.seconds)
        except TokenRefused:
            expected = None
        assert said(REMEMBERS, token) == expected
        assert said(FORGETS, token) == expected


def test_a_remembered_token_is_a_dict_of_its_own_each_time() -> None:
    CLOCK.seconds = NOW
    token = good("ES256").token()
    for _ in range(3):
        claims = REMEMBERS.verify(token)
        assert claims == CLAIMS
        claims["sub"] = "admin"

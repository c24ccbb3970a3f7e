"""A judge that remembers says what one that does not would say, of any token at any time (SECURITY.md 2)."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jwturn.core.errors import TokenRefused
from jwturn.core.rules import Rules
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import Signer, signer
from jwturn.crypto.verify import hmac_key, verify_key
from jwturn.verifier.judge import MEMO_CHARS_MAX, MEMO_TOKENS, ONCE_MAX, PLANS_MAX, Court, Judge, Legacy
from tests.verifier.issuer import compact

NOW = 1_900_000_000
RULES = Rules(issuer="https://a.example", audience=frozenset({"orders"}))
CLAIMS = {"iss": "https://a.example", "aud": "orders", "sub": "alice", "iat": NOW, "exp": NOW + 600}
ENDS = float(NOW + 300)


def key_pair(alg: str) -> tuple[Signer, Any]:
    made = generate(alg)
    key = hmac_key(alg, made.private) if made.public is None else verify_key(made.public, alg=alg)
    return signer(alg, made.private), key


GOOD, GOOD_KEY = key_pair("EdDSA")
OTHER, OTHER_KEY = key_pair("EdDSA")
OLD, OLD_KEY = key_pair("HS256")
COURT = Court(keys={"k": GOOD_KEY, "shredded": OTHER_KEY}, rules=RULES, exp_bounds={"shredded": NOW + 400})
LEGACY = Legacy(
    "HS256", None, Court(keys={"old": OLD_KEY}, rules=replace(RULES, kid_when_absent="old"), ends=ENDS)
)


def token(claims: Any = CLAIMS, *, key: Signer = GOOD, **header: Any) -> str:
    return compact({"alg": key.alg, "kid": "k", "typ": "JWT"} | header, claims, key)


def verdict(judge: Judge, text: object, now: float, *, afresh: bool = False) -> object:
    try:
        return judge.claims(text, now, afresh=afresh)
    except TokenRefused as refused:
        return refused.code


whole = st.integers(-100_000, 100_000).map(lambda offset: NOW + offset)
times = st.one_of(whole, whole.map(lambda second: second + 0.25), st.floats(NOW - 1e5, NOW + 1e5))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
odd_claims = st.fixed_dictionaries(
    {"iss": st.just(RULES.issuer), "aud": st.sampled_from(["orders", ["a", "orders"]]), "exp": times},
    optional={"iat": times, "nbf": times, "sub": st.sampled_from(["alice", 1]), "x": values},
)
tokens = st.one_of(
    st.builds(token, odd_claims),
    st.builds(lambda claims: token(claims, key=OTHER, kid="shredded"), odd_claims),
    st.builds(lambda claims: token(claims, key=OLD, kid=...), odd_claims),
    st.builds(lambda claims: token(claims, key=OTHER), odd_claims),
    st.builds(lambda claims, cut: token(claims)[:-cut], odd_claims, st.integers(1, 5)),
    st.text(),
    st.binary(),
)


@given(st.lists(tokens, min_size=1, max_size=3), st.data())
def test_memo_or_not_the_verdict_is_the_same_for_any_token_and_any_clock(
    pool: list[object], data: st.DataObject
) -> None:
    remembers, forgets = (Judge(COURT, legacy=LEGACY, memo=memo) for memo in (True, False))
    edges = [edge for text in pool for edge in edges_of(text, forgets)]
    for _ in range(data.draw(st.integers(2, 8))):
        text = data.draw(st.sampled_from(pool))
        now = data.draw(st.one_of(times, st.sampled_from(edges))) if edges else data.draw(times)
        afresh = data.draw(st.booleans())
        said = verdict(remembers, text, now, afresh=afresh)
        assert repr(said) == repr(verdict(forgets, text, now))


def edges_of(text: object, judge: Judge) -> list[float]:
    """The moments just before, at and after which the clock alone changes what is said of this token."""
    try:
        claims = judge.claims(text, NOW + 0.0)
    except TokenRefused:
        return []
    leeway = RULES.leeway_seconds
    found = [claims["exp"] + leeway, claims["exp"] - RULES.ttl_seconds, ENDS]
    found += [claims[name] - leeway for name in ("iat", "nbf") if name in claims]
    return [near for edge in found for near in (math.nextafter(edge, 0), edge, math.nextafter(edge, 9e9))]


def test_an_edge_that_is_rounded_is_the_same_with_a_memo() -> None:
    rules = replace(RULES, token_ttl_max=timedelta(seconds=86399.7))
    judge = Judge(Court(keys=COURT.keys, rules=rules))
    exp, now = 1900057848.8407555, 1899971449.1407554
    text = token({"iss": RULES.issuer, "aud": "orders", "exp": exp})
    assert isinstance(verdict(judge, text, now + 1), dict)
    assert verdict(judge, text, now) == "lifetime_too_long"


def test_a_token_seen_again_is_judged_by_the_clock() -> None:
    judge, text = Judge(COURT), token()
    assert verdict(judge, text, NOW) == CLAIMS
    assert judge._recent == {}
    assert verdict(judge, text, NOW) == CLAIMS
    assert text in judge._recent
    assert verdict(judge, text, NOW + 659) == CLAIMS
    assert verdict(judge, text, NOW + 660) == "expired"
    assert verdict(judge, text, NOW - 61) == "iat_future"
    assert verdict(judge, text, NOW) == CLAIMS


def test_what_is_remembered_is_given_without_the_signature_being_asked_again() -> None:
    calls = []

    class Counting:
        alg = "EdDSA"

        def verify(self, data: bytes, signature: bytes) -> bool:
            calls.append(data)
            return GOOD_KEY.verify(data, signature)

    judge, text = Judge(Court(keys={"k": Counting()}, rules=RULES)), token()
    for _ in range(3):
        judge.claims(text, NOW)
    assert len(calls) == 2
    judge.claims(text, NOW, afresh=True)
    assert len(calls) == 3


def test_only_tokens_that_passed_are_remembered() -> None:
    judge = Judge(COURT, legacy=LEGACY)
    for bad in (token({}), token(key=OTHER), token(kid="x"), "no token", token()[:-2]):
        assert isinstance(verdict(judge, bad, NOW), str)
    assert judge._recent == {}
    assert set(judge._plans) <= {token().partition(".")[0].encode()}


def test_what_was_remembered_of_a_token_changes_with_none_of_its_letters() -> None:
    judge, text = Judge(COURT), token()
    for _ in range(3):
        judge.claims(text, NOW)
    for at in range(0, len(text), 7):
        other = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert isinstance(verdict(judge, other, NOW), str)


def test_the_memo_is_bounded() -> None:
    judge = Judge(COURT)
    texts = [token({**CLAIMS, "n": n}) for n in range(2 * MEMO_TOKENS + 50)]
    for text in texts:
        judge.claims(text, NOW)
        judge.claims(text, NOW)
        assert len(judge._once) <= ONCE_MAX
    assert len(judge._recent) + len(judge._older) <= 2 * MEMO_TOKENS
    assert texts[-1] in judge._recent
    assert texts[0] not in {*judge._recent, *judge._older}


def test_long_tokens_are_not_remembered() -> None:
    judge = Judge(COURT)
    text = token({**CLAIMS, "long": "x" * MEMO_CHARS_MAX})
    for _ in range(3):
        judge.claims(text, NOW)
    assert judge._recent == {}


def test_without_memo_nothing_is_remembered() -> None:
    judge, text = Judge(COURT, memo=False), token()
    for _ in range(3):
        judge.claims(text, NOW)
    assert judge._recent == {}


def test_plans_are_bounded() -> None:
    judge = Judge(COURT, memo=False)
    for n in range(PLANS_MAX + 20):
        assert judge.claims(token(x=n), NOW) == CLAIMS
    assert len(judge._plans) == PLANS_MAX


@pytest.mark.parametrize("memo", [True, False])
def test_what_was_given_may_be_changed(memo: bool) -> None:
    judge, text = Judge(COURT, memo=memo), token({**CLAIMS, "roles": ["reader"]})
    for _ in range(3):
        given_ = judge.claims(text, NOW)
        assert given_ == {**CLAIMS, "roles": ["reader"]}
        given_["roles"].append("admin")
        given_["exp"] = 2 * NOW


def test_a_new_judge_remembers_nothing() -> None:
    text = token()
    judge = Judge(COURT)
    judge.claims(text, NOW)
    removed = Judge(Court(keys={"shredded": OTHER_KEY}, rules=RULES))
    assert verdict(removed, text, NOW) == "kid_unknown"


class Text(str):
    """A str with opinions of its own."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(token_of_somebody_else)

    def __eq__(self, other: object) -> bool:
        return True

    def encode(self, *_: Any, **__: Any) -> bytes:
        return token_of_somebody_else.encode()


token_of_somebody_else = token()


def test_a_subclass_of_str_has_no_say() -> None:
    judge = Judge(COURT)
    judge.claims(token_of_somebody_else, NOW)
    assert verdict(judge, Text("no token"), NOW) == "token_segments"
    assert verdict(judge, bytearray(token().encode()), NOW) == "token_type"


class TestLegacy:
    def test_its_tokens_end_with_it_also_those_that_are_remembered(self) -> None:
        judge, text = Judge(COURT, legacy=LEGACY), token(key=OLD, kid=...)
        assert verdict(judge, text, ENDS - 1) == CLAIMS
        assert verdict(judge, text, ENDS - 1) == CLAIMS
        assert text in judge._recent
        assert verdict(judge, text, ENDS) == "legacy_ended"
        assert verdict(judge, token(), ENDS) == CLAIMS

    def test_a_plan_made_before_its_end_ends_with_it(self) -> None:
        judge = Judge(COURT, legacy=LEGACY, memo=False)
        judge.claims(token(key=OLD, kid=...), ENDS - 1)
        assert verdict(judge, token({**CLAIMS, "n": 1}, key=OLD, kid=...), ENDS) == "legacy_ended"

    def test_needs_names_the_kid_only_for_keys_of_the_set(self) -> None:
        judge = Judge(COURT, legacy=LEGACY)
        assert judge.needs(token()) == "k"
        assert judge.needs(token(key=OLD, kid=...)) is None
        for bad in (token(typ="other"), token(kid=...), token(alg="none"), "x"):
            with pytest.raises(TokenRefused):
                judge.needs(bad)

    def test_explain_says_until_when(self) -> None:
        judge, text = Judge(COURT, legacy=LEGACY), token(key=OLD, kid=...)
        assert all(check.passed for check in judge.explain(text, ENDS - 1))
        told = judge.explain(text, ENDS)
        assert [check.code for check in told if not check.passed] == ["legacy_ended"]

    def test_the_secret_is_for_its_alg_alone(self) -> None:
        hs512 = signer("HS512", Secret(b"\x07" * 64))
        judge = Judge(COURT, legacy=LEGACY)
        assert verdict(judge, token(key=hs512, kid=...), NOW) == "kid_missing"


@given(st.text() | st.binary() | st.integers() | st.none())
def test_explain_raises_nothing(text: object) -> None:
    assert not all(check.passed for check in Judge(COURT, legacy=LEGACY).explain(text, NOW))

"""SECURITY.md sections 1, 2 and 5 where token, key and rules meet; `verify` and `explain` say the same."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core import claims as claims_
from jwturn.core import jws
from jwturn.core.claims import ANY, Rules
from jwturn.core.errors import TokenRefused
from jwturn.core.jwk import ALGS, b64url, unb64url
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import Signer, signer
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key
from jwturn.verifier import checks
from jwturn.verifier.checks import CODES, explain, pick, verify

NOW = 1_700_000_000
RULES = Rules(issuer="https://a.example", audience=frozenset({"orders"}))
CLAIMS = {"iss": "https://a.example", "aud": "orders", "sub": "alice", "iat": NOW, "exp": NOW + 600}
QUICK = sorted(alg for alg in ALGS if not alg.startswith(("RS", "PS")))


def pair(alg: str) -> tuple[Signer, VerifyKey]:
    made = generate(alg, rsa_bits=2048)
    if made.public is None:
        return signer(alg, made.private), hmac_key(alg, made.private)
    return signer(alg, made.private), verify_key(made.public, alg=alg)


SIGNERS: dict[str, Signer] = {}
KEYS: dict[str, VerifyKey] = {}
for _alg in ("ES256", "EdDSA", "HS256"):
    SIGNERS[_alg], KEYS[_alg] = pair(_alg)


def signed(claims: object = CLAIMS, *, key: str = "ES256", **header: Any) -> str:
    """A token truly signed with the key whose kid is its alg; a header member of ... is left out."""
    members = {"alg": key, "kid": key, "typ": "JWT"} | header
    text = json.dumps({name: value for name, value in members.items() if value is not ...}).encode()
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.join(b64url(text).encode(), payload, SIGNERS[key].sign)


def code_of(token: Any, rules: Rules = RULES, keys: Any = KEYS, **options: Any) -> str:
    """The code of the refusal, or nothing; `explain` must agree, and stumble over nothing."""
    told = explain(token, keys, rules, NOW, **options)
    assert all(entry.words for entry in told)
    failed = [entry.code for entry in told if not entry.passed]
    assert set(failed) <= CODES.keys() | {"not_checked"}
    try:
        verify(token, keys, rules, NOW, **options)
    except TokenRefused as refused:
        assert refused.code in CODES
        assert refused.hint
        assert refused.code in failed
        return refused.code
    assert not failed
    return ""


def rules(**options: Any) -> Rules:
    return Rules(**({"issuer": RULES.issuer, "audience": RULES.audience} | options))


@pytest.mark.parametrize("alg", [*QUICK, "RS256", "PS256"])
def test_a_good_token_of_every_algorithm_is_accepted(alg: str) -> None:
    sign, key = pair(alg)
    segment = jws.header_segment(alg, "k", "JWT")
    token = jws.join(segment, json.dumps(CLAIMS).encode(), sign.sign)
    assert verify(token, {"k": key}, RULES, datetime.fromtimestamp(NOW, UTC)) == CLAIMS
    assert verify(token.encode(), {"k": key}, RULES, NOW) == CLAIMS
    assert all(entry.passed for entry in explain(token, {"k": key}, RULES, NOW))


def test_the_es256_example_of_rfc7515_appendix_a3() -> None:
    token = (
        "eyJhbGciOiJFUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    public = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    joe = Rules(issuer="joe", audience=ANY, kid_when_absent="a3")
    keys = {"a3": verify_key(public, alg="ES256")}
    assert verify(token, keys, joe, 1300819000)["http://example.com/is_root"] is True
    with pytest.raises(TokenRefused) as caught:
        verify(token, keys, joe, 1300819380 + 60)
    assert caught.value.code == "expired"


def test_the_hs256_example_of_rfc7515_appendix_a1() -> None:
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    keys = {"a1": hmac_key("HS256", Secret(unb64url(secret)))}
    joe = Rules(issuer="joe", audience=ANY, kid_when_absent="a1")
    assert verify(token, keys, joe, 1300819000)["iss"] == "joe"


# Section 1, algorithm.


def test_none_is_not_an_algorithm() -> None:
    header = b64url(b'{"alg":"none","kid":"ES256"}')
    unsigned = f"{header}.{b64url(json.dumps(CLAIMS).encode())}."
    assert code_of(unsigned) == "token_segments"
    assert code_of(unsigned + "AA") == "alg_unknown"


@pytest.mark.parametrize("alg", ["HS256", "ES384", "EdDSA", "Ed25519", "RS256"])
def test_the_alg_of_the_header_is_that_of_the_key(alg: str) -> None:
    assert code_of(signed(alg=alg)) == "alg_mismatch"


def test_a_public_key_is_never_a_secret() -> None:
    assert code_of(signed(key="HS256", kid="ES256")) == "alg_mismatch"
    assert code_of(signed(key="HS256", kid="ES256", alg="ES256")) == "signature_wrong"


def test_the_two_spellings_of_ed25519_are_two_algorithms() -> None:
    assert code_of(signed(key="EdDSA")) == ""
    assert code_of(signed(key="EdDSA", alg="Ed25519")) == "alg_mismatch"


def test_only_algorithms_allowed_for_the_issuer_pass() -> None:
    assert code_of(signed(), rules(algorithms=frozenset({"EdDSA"}))) == "alg_not_allowed"
    assert code_of(signed(), rules(algorithms=frozenset({"EdDSA", "ES256"}))) == ""


# Section 2, which key.


def test_a_kid_is_looked_up_and_nothing_is_tried() -> None:
    other, _ = pair("ES256")
    token = jws.join(jws.header_segment("ES256", "ES256", "JWT"), json.dumps(CLAIMS).encode(), other.sign)
    assert code_of(token, keys={"ES256": KEYS["ES256"], "other": KEYS["EdDSA"]}) == "signature_wrong"
    assert code_of(signed(kid="unheard")) == "kid_unknown"
    assert code_of(signed(), keys={}) == "kid_unknown"


def test_a_token_without_kid_needs_a_rule_that_names_the_one_key() -> None:
    token = signed(kid=...)
    assert code_of(token) == "kid_missing"
    assert code_of(token, keys={"": KEYS["ES256"], "ES256": KEYS["ES256"]}) == "kid_missing"
    assert code_of(token, rules(kid_when_absent="ES256")) == ""
    assert code_of(token, rules(kid_when_absent="EdDSA")) == "alg_mismatch"
    assert code_of(token, rules(kid_when_absent="gone")) == "kid_unknown"
    assert code_of(signed(kid="EdDSA"), rules(kid_when_absent="ES256")) == "alg_mismatch"


def test_a_key_in_the_header_is_not_read() -> None:
    attacker, _ = pair("ES256")
    header = {"alg": "ES256", "kid": "mine", "jwk": {"kty": "EC"}, "jku": "https://evil.example"}
    token = jws.join(b64url(json.dumps(header).encode()).encode(), json.dumps(CLAIMS).encode(), attacker.sign)
    assert code_of(token) == "kid_unknown"


# Section 3, typ.


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+JWT", ...])
def test_by_default_typ_is_jwt_or_at_jwt_or_absent(typ: Any) -> None:
    assert code_of(signed(typ=typ)) == ""


@pytest.mark.parametrize("typ", ["dpop+jwt", "JWS", "", "logout+jwt", "application/application/jwt"])
def test_another_typ_is_refused(typ: str) -> None:
    assert code_of(signed(typ=typ)) == "typ_refused"


def test_a_named_typ_is_required() -> None:
    logout = rules(typ=frozenset({"logout+jwt"}))
    assert code_of(signed(typ="application/Logout+JWT"), logout) == ""
    assert code_of(signed(typ="JWT"), logout) == "typ_refused"
    assert code_of(signed(typ=...), logout) == "typ_refused"


# Section 5, signature.


@pytest.mark.parametrize("key", sorted(SIGNERS))
def test_a_signature_is_whole_and_over_this_token(key: str) -> None:
    head, payload, signature = signed(key=key).split(".")
    raw = unb64url(signature)
    forged = b64url(json.dumps(CLAIMS | {"sub": "admin"}).encode())
    assert code_of(f"{head}.{forged}.{signature}") == "signature_wrong"
    for wrong in (raw[:-1], raw + b"\0", bytes(len(raw)), b"\xff" * len(raw), raw[::-1], b"0"):
        assert code_of(f"{head}.{payload}.{b64url(wrong)}") == "signature_wrong"


def test_claims_are_not_read_before_the_signature_holds() -> None:
    head, _, signature = signed().split(".")
    twice = b64url(b'{"a":1,"a":2}')
    assert code_of(f"{head}.{twice}.{signature}") == "signature_wrong"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (b'{"exp":1,"exp":9999999999}', "json_duplicate"),
        (b"[1]", "claims_not_object"),
        (b"", "token_segments"),
        (CLAIMS | {"exp": NOW - 60, "iat": NOW - 600}, "expired"),
        (CLAIMS | {"iss": "https://a.example.evil"}, "iss_wrong"),
        (CLAIMS | {"aud": None}, "aud_type"),
    ],
)
def test_a_signed_token_is_still_judged(claims: Any, code: str) -> None:
    assert code_of(signed(claims)) == code


def test_a_token_past_the_bound_of_its_key_proves_theft() -> None:
    assert code_of(signed(), exp_bounds={"ES256": NOW + 600, "EdDSA": 0}) == ""
    assert code_of(signed(), exp_bounds={"ES256": NOW + 599}) == "exp_past_key"


def test_each_call_gives_a_dict_of_its_own() -> None:
    token = signed()
    verify(token, KEYS, RULES, NOW)["sub"] = "admin"
    assert verify(token, KEYS, RULES, NOW)["sub"] == "alice"


# Explaining.


def names(token: Any, passed: bool) -> list[str]:
    return [entry.name for entry in explain(token, KEYS, RULES, NOW) if entry.passed is passed]


def test_explain_goes_through_every_check() -> None:
    every = ["form", "header", "typ", "alg allowed", "kid", "alg of the key", "signature", "claims"]
    times = ["exp", "iat", "nbf", "lifetime", "iss", "aud", "sub and jti"]
    assert names(signed(), passed=True) == every + times


def test_explain_goes_on_after_a_failure() -> None:
    token = signed(CLAIMS | {"exp": NOW - 999, "aud": "x"}, typ="JWS")
    assert names(token, passed=False) == ["typ", "exp", "lifetime", "aud"]
    assert "signature" in names(token, passed=True)


def test_explain_shows_claims_of_a_token_whose_header_or_key_is_wrong() -> None:
    unsure = ["header", "typ", "alg allowed", "kid", "alg of the key", "signature"]
    assert names(signed(crit=["x"]), passed=False) == unsure
    assert names(signed(kid="gone"), passed=False) == ["kid", "alg of the key", "signature"]
    assert "exp" in names(signed(kid="gone"), passed=True)


def test_explain_says_what_it_could_not_check() -> None:
    told = explain("a.b", KEYS, RULES, NOW)
    assert [entry.code for entry in told[:2]] == ["token_segments", "not_checked"]
    assert not any(entry.passed for entry in told)


def test_every_code_has_a_line_of_its_own() -> None:
    assert not jws.CODES.keys() & claims_.CODES.keys()
    assert len(CODES) == len(set(CODES.values()))
    assert all(code.islower() and words for code, words in CODES.items())


# Whatever comes in.


@given(st.sampled_from([None, "jwt", "at+jwt", "x"]), st.sampled_from(sorted(ALGS)), st.booleans(), st.data())
def test_the_quick_choice_of_a_key_and_the_checks_in_words_agree(
    typ: str | None, alg: str, narrowed: bool, data: st.DataObject
) -> None:
    kid = data.draw(st.sampled_from([None, "ES256", "EdDSA", "gone"]))
    header = jws.Header(alg, kid, typ)
    one = rules(
        algorithms=frozenset({"ES256"}) if narrowed else None,
        kid_when_absent=data.draw(st.sampled_from([None, "EdDSA", "gone"])),
    )
    codes = [code for judge in checks._JUDGES if (code := judge(header, KEYS, one))]
    try:
        picked = pick(header, KEYS, one)
    except TokenRefused as refused:
        assert refused.code == codes[0]
    else:
        assert not codes
        assert KEYS[picked].alg == alg


GOOD = signed()
MUTANTS = st.tuples(st.integers(0, len(GOOD) - 1), st.characters(max_codepoint=300), st.integers(0, 2))


@given(st.lists(MUTANTS, min_size=1, max_size=3))
def test_no_mutant_of_a_good_token_is_accepted(mutants: list[tuple[int, str, int]]) -> None:
    token = GOOD
    for place, letter, cut in mutants:
        token = token[:place] + letter + token[place + cut :]
    assert (code_of(token) == "") == (token == GOOD)


@given(st.binary(max_size=60) | st.text(max_size=60) | st.integers() | st.none())
def test_nothing_but_a_refusal_leaves_whatever_the_token(token: Any) -> None:
    assert code_of(token)


@given(
    st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "jti"]), st.none() | st.integers() | st.text(max_size=3))
)
def test_nothing_but_a_refusal_leaves_whatever_the_claims(claims: dict[str, Any]) -> None:
    code = code_of(signed(CLAIMS | claims))
    assert code or all(isinstance((CLAIMS | claims)[name], str) for name in ("iss", "aud", "sub"))


def test_a_longer_leeway_accepts_longer() -> None:
    late = signed(CLAIMS | {"iat": NOW - 600, "exp": NOW - 100})
    assert code_of(late) == "expired"
    assert code_of(late, rules(leeway=timedelta(seconds=101))) == ""

"""The hot path gives the verdicts of the strict one, whatever the payload: SECURITY.md sections 4 and 6."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jwturn.core import jws, payload
from jwturn.core.claims import ANY, Rules, check
from jwturn.core.errors import TokenRefused
from jwturn.core.jwk import b64url_bytes
from jwturn.core.payload import payload_reader

NOW = 1_700_000_000
RULES = Rules(issuer="https://a.example:8443", audience=frozenset({"urn:orders", "billing"}))
GOOD = {
    "iss": "https://a.example:8443",
    "aud": "urn:orders",
    "sub": "alice",
    "jti": "1",
    "iat": NOW - 60,
    "exp": NOW + 600,
    "scope": "read",
}
WRITERS: list[Callable[[Any], bytes]] = [
    msgspec.json.encode,
    lambda value: json.dumps(value).encode(),
    lambda value: json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"),
    lambda value: json.dumps(value).replace("https:", "https\\u003a").encode(),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**21), 10**21) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
NEAR = st.integers(NOW - 100, NOW + 100) | st.sampled_from(
    [
        "urn:orders",
        "https://a.example:8443",
        ["billing"],
        ["x", "billing"],
        ["x"],
        [["billing"]],
        "a:b",
        1e308,
    ]
)
CHANGES = st.dictionaries(st.sampled_from([*GOOD, "nbf"]) | st.text(max_size=3), NEAR | ANYTHING, max_size=4)


def strictly(text: bytes, rules: Rules, now: float, key_exp: int | None) -> Any:
    """What the strict readers make of it: the claims, or the code of the refusal."""
    try:
        claims = jws.read_claims(jws.decode(text))
        check(claims, rules, now, key_exp=key_exp)
    except TokenRefused as refused:
        return refused.code
    return claims


def fast(text: bytes, rules: Rules = RULES, now: float = NOW, key_exp: int | None = None) -> Any:
    """What `payload_reader` makes of it, which is what the strict readers make of it."""
    try:
        found, data = payload_reader(rules, key_exp=key_exp)(text, now)
    except TokenRefused as refused:
        assert refused.hint
        assert refused.code == strictly(text, rules, now, key_exp)
        return refused.code
    assert found == strictly(text, rules, now, key_exp)
    assert data == jws.decode(text)
    return found


def encoded(claims: Any) -> bytes:
    return b64url_bytes(msgspec.json.encode(claims))


@given(
    CHANGES,
    st.sampled_from(WRITERS),
    st.integers(NOW, NOW + 900) | st.none(),
    st.sampled_from([0.0, 0.5, -61.0, 599.5, 600.0, 659.9, 660.0, 1e6]),
)
@example({}, WRITERS[0], None, 0.0)
@example({}, WRITERS[3], None, 0.0)
def test_the_verdict_is_that_of_the_strict_readers(
    changes: dict[str, Any], write: Callable[[Any], bytes], key_exp: int | None, later: float
) -> None:
    try:
        text = write(GOOD | changes)
    except (ValueError, OverflowError, msgspec.MsgspecError):
        return
    fast(b64url_bytes(text), now=NOW + later, key_exp=key_exp)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["billing"]},
        {"nbf": NOW},
        {"nbf": 0},
        {"roles": ["admin"]},
        {"act": {"sub": "a"}},
        {"sub": "urn:alice"},
        {"name": "\u00e9\\"},
        {"iat": NOW + 30},
        {"aud": ["x", "billing"]},
    ],
)
@pytest.mark.parametrize("write", WRITERS)
def test_good_claims_pass_however_they_are_written(
    changes: dict[str, Any], write: Callable[[Any], bytes]
) -> None:
    assert fast(b64url_bytes(write(GOOD | changes))) == GOOD | changes


@pytest.mark.parametrize("now", [NOW, float(NOW), NOW + 0.75])
@pytest.mark.parametrize("changes", [{}, {"aud": ["billing"]}, {"nbf": NOW}, {"roles": ["admin"]}])
def test_plain_claims_never_meet_the_slow_checks(
    changes: dict[str, Any], now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = payload_reader(RULES, key_exp=NOW + 600)
    monkeypatch.setattr(payload, "check", None)
    monkeypatch.setattr(payload, "read_claims", None)
    assert read(encoded(GOOD | changes), now)[0] == GOOD | changes


TEXT = msgspec.json.encode(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1] + b',"sub":"bob"}',
        TEXT[:-1] + b',"s\\u0075b":"bob"}',
        TEXT[:-1] + b',"a":{"b":1,"b":2}}',
        TEXT.replace(b"https:", b"https\\u003a")[:-1] + b',"sub":"bob"}',
        TEXT.replace(b"urn:", b"urn\\u003a")[:-1] + b',"exp":1700000600}',
        TEXT.replace(b'"urn:orders"', b'["urn\\u003aorders"]')[:-1] + b',"aud":"urn:orders"}',
        json.dumps(GOOD).encode()[:-1] + b', "sub" : "bob"}',
    ],
)
def test_a_name_that_comes_twice_is_refused_also_where_colons_are_escaped(text: bytes) -> None:
    assert fast(b64url_bytes(text)) == "json_duplicate"


@given(
    st.lists(st.sampled_from(["sub", "jti", "x", "\\u0073ub"]), max_size=3),
    st.sampled_from(["", "\\u003a", ":"]),
)
def test_members_that_come_again_are_seen_whatever_their_values(names: list[str], colon: str) -> None:
    more = "".join(f',"{name}":"v{colon}"' for name in names).encode()
    fast(b64url_bytes(TEXT[:-1].replace(b"https:", f"https{colon or ':'}".encode()) + more + b"}"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": NOW - 60}, "expired"),
        ({"iat": NOW + 61}, "iat_future"),
        ({"nbf": NOW + 61}, "nbf_future"),
        ({"exp": NOW + 90_000}, "lifetime_too_long"),
        ({"iss": "https://a.example"}, "iss_wrong"),
        ({"aud": "urn"}, "aud_wrong"),
        ({"aud": ["urn"]}, "aud_wrong"),
        ({"aud": [1]}, "aud_type"),
        ({"aud": ["billing", 1]}, "aud_type"),
        ({"sub": 1}, "sub_type"),
        ({"exp": True}, "exp_type"),
        ({"iat": 10**19}, "iat_future"),
        ({"a": 10**21}, "json_number"),
        ({"a": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}, "json_depth"),
    ],
)
def test_what_is_not_good_is_refused_by_the_strict_checks(changes: dict[str, Any], code: str) -> None:
    assert fast(b64url_bytes(json.dumps(GOOD | changes).encode())) == code


def test_an_exp_above_the_bound_of_the_key_proves_theft() -> None:
    assert fast(encoded(GOOD), key_exp=NOW + 600) == GOOD
    assert fast(encoded(GOOD), key_exp=NOW + 599) == "exp_past_key"


def test_any_audience_and_claims_that_may_be_lacking_go_the_strict_way() -> None:
    anybody = Rules(issuer=RULES.issuer, audience=ANY)
    assert fast(encoded(GOOD | {"aud": "x"}), anybody)["aud"] == "x"
    older = Rules(issuer=RULES.issuer, audience=frozenset({"x"}), may_lack=frozenset({"iss", "aud"}))
    assert fast(encoded({"exp": NOW + 60}), older) == {"exp": NOW + 60}


def test_a_longest_lifetime_of_half_seconds_is_kept() -> None:
    rules = Rules(issuer=RULES.issuer, audience=RULES.audience, token_ttl_max=timedelta(seconds=660.5))
    assert fast(encoded(GOOD), rules) == GOOD
    assert fast(encoded(GOOD | {"exp": NOW + 601}), rules) == "lifetime_too_long"


@pytest.mark.parametrize("text", [b"", b"A", b"eyI=", b"eyI.", b64url_bytes(b"[]"), b64url_bytes(b"\xff")])
def test_what_is_no_payload_is_refused(text: bytes) -> None:
    assert fast(text) in {"token_base64", "json_malformed", "claims_not_object", "json_encoding"}


def test_claims_are_a_new_dict_for_each_call() -> None:
    read = payload_reader(RULES)
    read(encoded(GOOD), NOW)[0]["sub"] = "mallory"
    assert read(encoded(GOOD), NOW)[0] == GOOD

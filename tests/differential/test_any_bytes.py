"""Whatever comes in: TokenRefused leaves `verify`, nothing leaves `explain`, BadInput leaves a set."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwturn import AsyncVerifier, MultiIssuer, Verifier
from jwturn.core import strict_json
from jwturn.core.errors import BadInput, TokenRefused
from jwturn.core.jwk import parse_set
from jwturn.verifier import checks
from tests.differential.others import RULES, key_of
from tests.differential.test_verifiers import KIDS
from tests.differential.world import AUDIENCE, ISSUER, MIXED, NOW, good, set_of

KEYS = {kid: key_of(kid) for kid in MIXED}
VERIFIERS = [
    Verifier(issuer=ISSUER, audience=AUDIENCE, jwks=set_of(*KIDS), memo=memo) for memo in (True, False)
]
GOOD = [good(kid).token() for kid in MIXED]


class Text(str):
    """A str of a class of its own."""

    __slots__ = ()


class Octets(bytes):
    """Bytes of a class of their own."""


def judged(token: Any) -> None:
    """Hands a token to every way of judging it, and lets nothing pass but a refusal."""
    ways: list[Callable[[Any], object]] = [lambda token: checks.verify(token, KEYS, RULES, NOW)]
    ways += [made.verify for made in VERIFIERS]
    ways.append(MultiIssuer({ISSUER: VERIFIERS[0]}).verify)
    for way in ways:
        with pytest.raises(TokenRefused) as caught:
            way(token)
        assert caught.value.code in checks.CODES
        assert caught.value.hint
    told = [checks.explain(token, KEYS, RULES, NOW), *(made.explain(token) for made in VERIFIERS)]
    for report in told:
        assert report
        assert not all(check.passed for check in report)
        assert all(check.words for check in report)


ODD: list[Any] = [
    *(None, 0, 1.5, True, 10**5000, object(), [], {}, ("a.b.c",), type, Ellipsis, range(3), judged),
    *(memoryview(GOOD[0].encode()), bytearray(GOOD[0].encode()), [GOOD[0]], {"token": GOOD[0]}),
    *(
        "",
        ".",
        "..",
        "...",
        "....",
        b"",
        b"..",
        "a.b.c",
        "\ud800.\udfff.\ud800",
        "\0.\0.\0",
        "é.é.é",
        b"\xff.\xff.\xff",
    ),
    *(
        Text("a.b.c"),
        Octets(b"a.b.c"),
        "A" * 20_000,
        "." * 20_000,
        "A." * 8_000,
        "=.=.=",
        "{}",
        '{"payload":"e30"}',
        "[]",
    ),
    *(
        " " + GOOD[0],
        GOOD[0] + "\n",
        GOOD[0].upper(),
        GOOD[0] + "=",
        GOOD[0].replace(".", "\u3002"),
        GOOD[0].encode("utf-16"),
    ),
]


@pytest.mark.parametrize("token", ODD, ids=[f"{at}_{type(token).__name__}" for at, token in enumerate(ODD)])
def test_what_is_no_token_is_refused(token: Any) -> None:
    judged(token)


def test_what_is_no_token_is_refused_in_the_other_colour_too() -> None:
    async def refused() -> int:
        made = AsyncVerifier(issuer=ISSUER, audience=AUDIENCE, jwks=set_of(*KIDS))
        count = 0
        for token in ODD:
            with pytest.raises(TokenRefused):
                await made.verify(token)
            assert not all(check.passed for check in await made.explain(token))
            count += 1
        await made.close()
        return count

    assert asyncio.run(refused()) == len(ODD)


def test_a_token_in_a_class_of_its_own_is_judged_by_its_text() -> None:
    for token in (Text(GOOD[0]), Octets(GOOD[0].encode())):
        assert checks.verify(token, KEYS, RULES, NOW) == checks.verify(GOOD[0], KEYS, RULES, NOW)


@settings(max_examples=150, derandomize=True, database=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200), st.text("AQ-_.=e", max_size=60)))
def test_noise_is_refused(noise: str | bytes) -> None:
    judged(noise)


@settings(max_examples=150, derandomize=True, database=None)
@given(
    st.sampled_from(GOOD),
    st.lists(
        st.tuples(st.integers(0, 10**6), st.text(max_size=2), st.integers(0, 3)), min_size=1, max_size=4
    ),
)
def test_a_good_token_with_any_damage_is_refused(token: str, damage: list[tuple[int, str, int]]) -> None:
    before = token
    for place, more, fewer in damage:
        at = place % len(token)
        token = token[:at] + more + token[at + fewer :]
    if token.rpartition(".")[0] != before.rpartition(".")[0]:
        judged(token)


NESTED = [b"[" * 100_000, b'{"a":' * 50_000, b'{"keys":' + b"[" * 5_000 + b"]" * 5_000 + b"}"]
HUGE = [b'{"keys":[{"kty":' + b"9" * 5_000 + b"}]}", b'{"keys":[{"exp":1e' + b"9" * 400 + b"}]}"]
SETS = [
    b"",
    b"{}",
    b"null",
    b"\xff\xfe",
    b'{"keys":{}}',
    b'{"keys":[1]}',
    b'{"keys":[[]]}',
    b'{"keys":[{}]}',
    *NESTED,
    *HUGE,
]
MORE_SETS = [
    b'{"keys":[{"kty":["RSA"]}]}',
    b'{"keys":[{"kty":"RSA","n":1,"e":{}}]}',
    b'{"keys":null}',
    b"A" * 600_000,
]


@pytest.mark.parametrize("data", SETS + MORE_SETS, ids=lambda data: ascii(data[:20]))
def test_what_is_no_set_is_refused(data: bytes) -> None:
    refused_set(data)


def refused_set(data: bytes) -> None:
    with pytest.raises(BadInput):
        parse_set(data)
    with pytest.raises(BadInput):
        Verifier(issuer=ISSUER, audience=AUDIENCE, jwks=data)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
KEY = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "exp", "pub"]),
    st.sampled_from(["RSA", "EC", "OKP", "AKP", "P-256", "Ed25519", "ML-DSA-44", "AQAB", "A" * 43, "sig"])
    | VALUES,
)


@settings(max_examples=100, derandomize=True, database=None)
@given(st.dictionaries(st.just("keys") | st.text(max_size=4), st.lists(KEY | VALUES, max_size=4) | VALUES))
def test_a_set_of_anything_is_read_or_refused_as_bytes_and_as_a_dict(document: dict[str, Any]) -> None:
    for jwks in (json.dumps(document).encode("utf-8", "surrogatepass"), document):
        try:
            made = Verifier(issuer=ISSUER, audience=AUDIENCE, jwks=jwks)
        except BadInput:
            continue
        with pytest.raises(TokenRefused):
            made.verify(GOOD[0])


@settings(max_examples=150, derandomize=True, database=None)
@given(VALUES)
def test_strict_json_reads_what_json_writes_or_refuses_it(value: Any) -> None:
    data = json.dumps(value).encode()
    try:
        assert strict_json.loads(data) == value
    except BadInput as error:
        assert error.code in strict_json.CODES

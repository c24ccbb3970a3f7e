"""Targets that judge: whole tokens, tokens truly signed over anything, claims, and sets of keys."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fuzz import reference
from fuzz.issuer import (
    CLAIMS,
    GOOD,
    KEYS,
    KIDS,
    NOW,
    RULES,
    SET,
    SIGNED,
    SIGNERS,
    ambiguous,
    text_of,
    token_of,
)
from fuzz.reference import Refused, same
from fuzz.target import Target, must
from fuzz.text import JSON_WORDS
from jwturn.core import claims as claim_checks
from jwturn.core import jwk, jws
from jwturn.core.claims import ANY, Rules
from jwturn.core.errors import BadInput, TokenRefused, Unavailable
from jwturn.core.jwk import ALGS, PRIVATE_MEMBERS, b64url_bytes, unb64url
from jwturn.core.payload import payload_reader
from jwturn.verifier.checks import explain, verify
from jwturn.verifier.judge import Court, Judge
from jwturn.verifier.keys import open_set
from jwturn.verifier.sync import Verifier

REMEMBERS: Final = Judge(Court(keys=KEYS, rules=RULES))
AFRESH: Final = Judge(Court(keys=KEYS, rules=RULES), memo=False)
VERIFIER: Final = Verifier(
    issuer=RULES.issuer, audience="orders", jwks=SET, now=lambda: datetime.fromtimestamp(NOW, UTC)
)


def claims_of(judge: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The claims, or None for a refusal; anything else that is raised goes through."""
    try:
        return judge()
    except TokenRefused as error:
        must(bool(error.code and error.hint and error.message), "a refusal without words", error)
        return None


def verdict(token: Any) -> dict[str, Any] | None:
    """What all our ways to judge a token say; they must agree."""
    found = claims_of(lambda: verify(token, KEYS, RULES, NOW))
    told = explain(token, KEYS, RULES, NOW)
    must(all(check.passed for check in told) is (found is not None), "explain differs", token, told)
    for judge in (REMEMBERS, REMEMBERS, AFRESH):
        other = claims_of(lambda judge=judge: judge.claims(token, NOW))  # type: ignore[misc]  # bound now
        must(same(other, found), "a judge differs", token, found, other)
        shown = judge.explain(token, NOW)
        must(all(check.passed for check in shown) is (found is not None), "its words differ", token, shown)
    online = claims_of(lambda: VERIFIER.verify(token))
    if found is None or jws.read_header(jws.cut(token)[0]).kid != "HS256":
        must(same(online, found), "the verifier differs", token, found, online)
    else:
        must(online is None, "a secret in a set", token)
    return found


def run_token(data: bytes) -> None:
    """Nothing but what we signed is accepted, and nothing but TokenRefused leaves."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    as_bytes, as_str = verdict(data), verdict(text)
    must(same(as_bytes, as_str), "bytes and str differ", data)
    must(as_bytes is None or data.rpartition(b".")[0] in SIGNED, "FORGED", data)


def run_signed(data: bytes) -> None:
    """A header and a payload, truly signed, pass exactly when the rules, read a second time, say so."""
    header, _, payload = data.partition(b"\0")
    kid = KIDS[payload[0] % 3] if b"" < payload[:1] < b"\x20" else "HS256"
    payload = payload[1:] if payload[:1] < b"\x20" else payload
    token = token_of(header, payload, kid)
    found = verdict(token)
    expected = False
    if reference.header_passes(header, kid, kid) and len(token) <= jws.TOKEN_CHARS_MAX:
        with suppress(Refused):
            claims = reference.json_value(payload)
            expected = reference.claims_pass(claims, RULES, NOW)
            must(not expected or same(found, claims), "other claims", token, found, claims)
    must((found is not None) is expected, "the rules differ", header, payload, found)


def signed_seeds() -> Iterable[bytes]:
    """Good headers and payloads, and some of the edges."""
    for at, kid in enumerate(KIDS[:3]):
        header = json.dumps({"alg": kid, "kid": kid, "typ": "at+jwt", "jku": "x"}).encode()
        for more in (
            {},
            {"nbf": 1_800_000_060},
            {"exp": 1_799_999_940.5},
            {"aud": ["x", "orders"]},
            {"iat": 1_800_000_060},
        ):
            yield header + b"\0" + bytes([at + 3]) + json.dumps({**CLAIMS, **more}).encode()
    for payload in ambiguous():
        yield b'{"alg":"HS256","kid":"HS256"}\0' + payload
    yield b'{"alg":"HS256","kid":"HS256","crit":[]}\0{"exp":1}'


_BOUNDS: Final = (None, 1_800_000_600)
_POLICIES: Final = (
    RULES,
    Rules(issuer=RULES.issuer, audience=ANY, leeway=timedelta()),
    Rules(issuer=RULES.issuer, audience=frozenset({"orders", "billing"}), token_ttl_max=timedelta(minutes=5)),
)
_MOMENTS: Final = (*(NOW + step for step in (-90_000, -61, -60, -10, -0.5, 60, 600, 659.5, 660, 90_000)), NOW)


def run_claims(data: bytes) -> None:
    """Quick and slow judgement agree with the reference, and with what a memo would conclude later."""
    try:
        claims = reference.json_value(data)
    except Refused:
        claims = None
    rules, bound, read = _READERS[len(data) % len(_READERS)]
    passed = dict.fromkeys(_MOMENTS, False)
    if isinstance(claims, dict):
        passed = _judge_claims(claims, rules, bound)
    payload = b64url_bytes(data)
    for now, good in passed.items():
        found = claims_of(lambda now=now: read(payload, now)[0])  # type: ignore[misc]  # bound now
        must((found is not None) is good, "the quick reading differs", data, rules, now, bound, found)
        must(found is None or same(found, claims), "other claims", data, found, claims)


_READERS: Final = tuple(
    (rules, bound, payload_reader(rules, key_exp=bound)) for rules in _POLICIES for bound in _BOUNDS
)
"""One of them judges an input, by its length: a blank more, and it is the next."""


def _judge_claims(claims: Mapping[str, Any], rules: Rules, bound: int | None) -> dict[float, bool]:
    passed: dict[float, bool] = {}
    for now in _MOMENTS:
        try:
            claim_checks.check(claims, rules, now, key_exp=bound)
            passed[now] = True
        except TokenRefused:
            passed[now] = False
        told = [check.passed for check in claim_checks.checks(claims, rules, now, key_exp=bound)]
        must(all(told) is passed[now], "words differ", claims, rules, now, bound)
        expected = reference.claims_pass(claims, rules, now, key_exp=bound)
        must(expected is passed[now], "the rules differ", claims, rules, now, bound)
    if any(passed.values()):
        since, until = claim_checks.good_during(claims, rules)
        for now, good in passed.items():
            must((since <= now < until) is good, "a memo would differ", claims, rules, now, since, until)
    return passed


def claims_seeds() -> Iterable[bytes]:
    """Claims at the edges of every rule."""
    edges: tuple[dict[str, Any], ...] = (
        *({}, {"nbf": 1_800_000_000}, {"nbf": 1_800_000_000.5}, {"exp": 1_800_000_600.5}, {"iat": 1e9}),
        *({"exp": 1_800_086_390}, {"aud": ["orders", "x"]}, {"aud": []}, {"exp": True}, {"sub": 1}),
        *({"iat": None}, {"jti": "1"}),
    )
    for more in edges:
        yield json.dumps({**CLAIMS, **more}).encode()
        yield text_of({**CLAIMS, **more})
    yield b'{"iss":"https://a.example","aud":"orders","exp":1800000300}'
    yield text_of({**CLAIMS, "a:b": {"c": ":"}, "d": ['"', "\\"]})
    yield from ambiguous()
    yield b'{"iss":"https://a.example","aud":"orders","exp":99999999999999999999,"iat":99999999999999999998}'


def run_prepare(data: bytes) -> None:
    """What is signed is what was asked, and our own checks accept it."""
    try:
        asked = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(asked, dict):
        return
    asked = {name: value for name, value in asked.items() if name not in {*claim_checks.RESERVED, "aud"}}
    try:
        made = claim_checks.prepare(
            asked,
            issuer=RULES.issuer,
            now=NOW,
            ttl=timedelta(minutes=5),
            ttl_max=timedelta(hours=1),
            jti="1",
            audience="orders",
        )
    except (BadInput, Unavailable):
        return
    segment = jws.header_segment("HS256", "HS256", "JWT")
    signed = jws.signing_input(segment, made)
    token = jws.token_of(signed, SIGNERS["HS256"].sign(signed))
    found = verdict(token)
    must(
        found == made and asked.items() <= made.items(), "signed and refused, or changed", asked, made, found
    )
    must(same(found, json.loads(unb64url(token.split(".")[1]))), "another reading", token)


def run_jwks(data: bytes) -> None:
    """A set gives keys that may be used, or BadInput; nothing private and nothing ambiguous gets through."""
    for algorithms in (None, frozenset({"RS256"}), frozenset({"Ed25519", "PS256", "PS384"})):
        try:
            opened = open_set(data, algorithms=algorithms)
        except BadInput as error:
            must(bool(error.code), "no code", data)
            continue
        value = reference.json_value(data)
        named = [key.get("kid") for key in value["keys"] if isinstance(key.get("kid"), str)]
        must(not any(key.get("kty") == "oct" for key in value["keys"]), "a secret in a set", data)
        for kid, key in opened.keys.items():
            must(key.alg in ALGS and not key.alg.startswith("HS"), "a strange alg", data, key)
            must(named.count(kid) <= 1, "a kid of two keys", data, kid)
            must(key.verify(b"", bytes(64)) is False, "it verifies zeros", data)
        for found in jwk.parse_set(data, algorithms=algorithms).keys:
            source = [key for key in value["keys"] if _is_from(found, key)]
            source = [key for key in source if PRIVATE_MEMBERS.isdisjoint(key)]
            must(bool(source), "a private half", data)
            must(any(key.get("use", "sig") == "sig" for key in source), "another use", data)
        _with_verifier(data)


def _is_from(found: jwk.Jwk, key: Mapping[str, Any]) -> bool:
    return found.kid == key.get("kid") and found.public.items() <= key.items()


def _with_verifier(data: bytes) -> None:
    with suppress(BadInput):
        verifier = Verifier(issuer=RULES.issuer, audience="orders", jwks=data)
        must(claims_of(lambda: verifier.verify("a.b.c")) is None, "it accepts anything", data)
        must(not all(check.passed for check in verifier.explain("a.b.c")), "its words accept anything", data)


def jwks_seeds() -> Iterable[bytes]:
    """Sets whole and damaged."""
    yield json.dumps(SET).encode()
    for key in SET["keys"]:
        yield json.dumps(
            {"keys": [key, {**key, "kid": "other", "use": "sig", "key_ops": ["verify"]}]}
        ).encode()
        yield json.dumps({"keys": [{name: key[name] for name in key if name != "alg"}], "exp": 1}).encode()
        yield json.dumps({"keys": [{**key, "exp": 1_800_000_000, "d": "AA"}, key]}).encode()
    yield json.dumps(
        {"keys": [*SET["keys"], {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "use": "enc"}]}
    ).encode()
    yield b'{"keys":[{"kty":"oct","k":"AAAA"}]}'
    yield json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "zero"}]}).encode()


_MEMBERS: Final = tuple(
    f'"{name}":'.encode()
    for name in ("alg", "kid", "typ", "cty", "crit", "exp", "iat", "nbf", "iss", "aud", "sub", "jti")
)
_VALUES: Final = tuple(
    json.dumps(value).encode()
    for value in (
        1_800_000_000,
        1_800_000_060,
        math.pi,
        "orders",
        ["orders"],
        "https://a.example",
        *KIDS,
        "JWT",
        None,
    )
)
_JWK: Final = tuple(
    f'"{name}":'.encode()
    for name in ("kty", "crv", "x", "y", "n", "e", "d", "use", "key_ops", "keys", "oth", "k")
)
TARGETS: Final = (
    Target("token", run_token, lambda: GOOD, (b".", b"=", b"..", b"eyJ", b"\xc3\xa9", b"\n")),
    Target("signed", run_signed, signed_seeds, (*JSON_WORDS, *_MEMBERS, *_VALUES, b"\0")),
    Target("claims", run_claims, claims_seeds, (*JSON_WORDS, *_MEMBERS, *_VALUES)),
    Target("prepare", run_prepare, claims_seeds, (*JSON_WORDS, *_MEMBERS, *_VALUES)),
    Target(
        "jwks",
        run_jwks,
        jwks_seeds,
        (*JSON_WORDS, *_MEMBERS, *_JWK, b'"RSA"', b'"EC"', b'"OKP"', b'"P-256"', b'"AKP"'),
    ),
)

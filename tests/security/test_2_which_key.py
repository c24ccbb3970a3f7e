"""SECURITY.md section 2, row by row: one key judges a token, and the token has no say in which."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn import LegacySecret, MigrationWarning, MultiIssuer, TokenRefused, Verifier
from jwturn.core.errors import BadInput, JwturnError
from jwturn.core.jwk import parse_set
from jwturn.testing.clock import FakeClock
from tests.security import forged, forged_keys, mint
from tests.security.court import judged
from tests.service.stage import Stage


def verifier(now: Any = None, **options: Any) -> Verifier:
    given = {"issuer": mint.ISSUER, "audience": mint.AUDIENCE, "jwks": mint.jwks()} | options
    return Verifier(now=now or (lambda: datetime.fromtimestamp(mint.NOW, UTC)), **given)


def code_of(trusting: Any, token: str, **options: Any) -> str:
    try:
        trusting.verify(token, **options)
    except TokenRefused as refused:
        return refused.code
    return ""


def test_keys_in_a_header_are_never_read() -> None:
    assert forged.complaints(forged_keys.embedded) == []


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    asked: list[Any] = []
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, lambda *args: asked.append(args))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args))
    yield asked
    assert asked == []


def test_keys_in_a_header_are_never_read_and_no_connection_is_opened(no_network: list[Any]) -> None:
    own = mint.public("ES256", "the attacker's")
    for name in ("jku", "x5u", "jwk", "iss", "url", "jwks_uri"):
        for url in ("http://127.0.0.1:9/", "https://evil.example/jwks.json", "file:///dev/null", own):
            for kid in (mint.kid("ES256"), "unheard", ...):
                there: dict[str, Any] = {name: url}
                assert judged(mint.token("ES256", whose="the attacker's", kid=kid, **there))
                if kid == mint.kid("ES256"):
                    assert judged(mint.token("ES256", **there)) == ""
    assert no_network == []


def test_kid_is_a_short_printable_string() -> None:
    assert forged.complaints(forged_keys.kids) == []


@pytest.mark.parametrize(
    "kid", ["k", "a=b+c/d", "x" * 256, "0", "a b", "~!@#$%^&*()", "__class__", "{}", "%s"]
)
def test_kid_is_a_short_printable_string_that_may_look_odd(kid: str) -> None:
    odd = {"keys": [mint.public("ES256") | {"kid": kid}]}
    assert code_of(verifier(jwks=odd), mint.token("ES256", kid=kid)) == ""


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "' OR 1=1 --", "http://evil.example/k", "|id", "*", "\\"]
)
def test_kid_is_only_a_name(kid: str, no_network: list[Any], tmp_path: Path) -> None:
    """CVE-2018-0114 and many others: a kid that became a path, a query or a URL."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [mint.public("ES256") | {"kid": kid}]}))
    assert code_of(verifier(jwks=path), mint.token("ES256", kid=kid)) == ""
    assert code_of(verifier(), mint.token("ES256", kid=kid)) == "kid_unknown"
    assert no_network == []


@pytest.mark.parametrize("kid", ["\x1b[2J", "a\nb: forged line", "x" * 5000, "\u202e", "%n%n", "<script>"])
def test_a_kid_is_escaped_and_cut_in_logs(kid: str, caplog: pytest.LogCaptureFixture) -> None:
    token = mint.token("ES256", kid=kid)
    with pytest.raises(TokenRefused) as refused:
        verifier().verify(token)
    told = [refused.value.message, refused.value.hint, *(check.words for check in verifier().explain(token))]
    for text in (*told, caplog.text):
        assert text.isprintable() or "\n" not in text.strip()
        assert not set("\x1b\u202e") & set(text)
        assert "x" * 300 not in text


def test_a_kid_is_escaped_and_cut_in_logs_when_it_stands_in_a_set(caplog: pytest.LogCaptureFixture) -> None:
    for kid in ("\x1b[2J" * 99, "a\nb: forged line", "x" * 5000):
        bad = {"keys": [mint.public("ES256") | {"kid": kid, "d": "AAAA"}, mint.public("EdDSA")]}
        assert code_of(verifier(jwks=bad), mint.token("EdDSA")) == ""
    assert "\x1b" not in caplog.text
    assert "\nb: forged" not in caplog.text
    assert "x" * 300 not in caplog.text


def test_a_token_without_kid_is_refused() -> None:
    alone = verifier(jwks={"keys": [mint.public("ES256")]})
    nameless = {name: value for name, value in mint.public("ES256").items() if name != "kid"}
    for trusting in (alone, verifier(), verifier(jwks={"keys": [nameless]})):
        assert code_of(trusting, mint.token("ES256", kid=...)) == "kid_missing"


def test_a_token_without_kid_is_refused_unless_a_policy_names_the_one_key() -> None:
    with pytest.warns(MigrationWarning):
        migrating = verifier(kid_when_absent=mint.kid("ES256"))
    assert code_of(migrating, mint.token("ES256", kid=...)) == ""
    assert code_of(migrating, mint.token("EdDSA")) == ""
    assert code_of(migrating, mint.token("EdDSA", kid=...)) == "alg_mismatch"
    assert code_of(migrating, mint.token("ES256", kid=..., whose="the attacker's")) == "signature_wrong"
    assert code_of(migrating, mint.token("ES256", kid="")) == "kid_malformed"
    assert code_of(migrating, mint.token("ES256", kid=None)) == "kid_malformed"
    assert code_of(migrating, mint.token("ES256", kid="unheard")) == "kid_unknown"


def without_alg(alg: str) -> bytes:
    jwk = {name: value for name, value in mint.public(alg).items() if name != "alg"}
    return json.dumps({"keys": [jwk]}).encode()


@pytest.mark.parametrize(
    ("alg", "algorithms", "settled"),
    [
        ("ES256", None, "ES256"),
        ("ES384", None, "ES384"),
        ("ES512", ("RS256",), "ES512"),
        ("EdDSA", None, "EdDSA"),
        ("EdDSA", ("Ed25519",), "Ed25519"),
        ("EdDSA", ("EdDSA", "ES256"), "EdDSA"),
        ("RS256", ("PS384",), "PS384"),
        ("RS256", ("RS256", "ES256"), "RS256"),
        ("RS256", None, ""),
        ("RS256", (), ""),
        ("RS256", ("RS256", "PS256"), ""),
        ("RS256", ("ES256",), ""),
        ("ML-DSA-44", ("ML-DSA-44",), ""),
    ],
)
def test_a_jwk_without_alg_gets_the_one_that_follows(alg: str, algorithms: Any, settled: str) -> None:
    if settled:
        assert [key.alg for key in parse_set(without_alg(alg), algorithms=algorithms).keys] == [settled]
        return
    with pytest.raises(BadInput):
        parse_set(without_alg(alg), algorithms=algorithms)


def test_a_jwk_without_alg_that_is_a_secret_refuses_the_set() -> None:
    secret = {"kty": "oct", "k": "AAAA", "kid": "x"}
    for algorithms in (None, ("HS256",)):
        with pytest.raises(BadInput) as refused:
            parse_set(json.dumps({"keys": [secret, mint.public("ES256")]}).encode(), algorithms=algorithms)
        assert refused.value.code == "jwks_oct"


def test_the_issuer_is_chosen_from_configuration() -> None:
    """The same kid at two issuers: a key of one judges no token of the other."""
    other = "https://other.example"
    theirs = {"keys": [mint.public("ES256", "the other issuer's") | {"kid": mint.kid("ES256")}]}
    two = MultiIssuer({mint.ISSUER: verifier(), other: verifier(issuer=other, jwks=theirs)})
    assert code_of(two, mint.token("ES256")) == ""
    assert code_of(two, mint.token("ES256", mint.claims(iss=other), whose="the other issuer's")) == ""
    assert code_of(two, mint.token("ES256", mint.claims(iss=other))) == "signature_wrong"
    assert code_of(two, mint.token("ES256", whose="the other issuer's")) == "signature_wrong"
    for iss in ("https://third.example", f"{other}/", None, 7, [other], {"a": other}, ""):
        assert code_of(two, mint.token("ES256", mint.claims(iss=iss)))
    assert code_of(two, mint.token("ES256", mint.claims(iss=...)))
    for broken in ("", "a.b.c", "...", mint.token("ES256").replace(".", "..")):
        assert code_of(two, broken)


def test_the_issuer_is_chosen_from_configuration_and_must_be_the_verifiers_own() -> None:
    with pytest.raises(JwturnError):
        MultiIssuer({"https://a.example": verifier()})


@pytest.mark.parametrize("alg", mint.PUBLIC)
def test_no_trial_over_all_keys(alg: str) -> None:
    """Our own key under another kid of the set is not found, however many would verify."""
    for other in (*mint.PUBLIC, *mint.HMAC):
        if other != alg:
            assert judged(mint.token(alg, kid=mint.kid(other))) in {"alg_mismatch", "kid_unknown"}
    assert judged(mint.token(alg, kid="unheard")) == "kid_unknown"
    assert judged(mint.token(alg, kid=...)) == "kid_missing"


def test_the_memo_is_keyed_by_the_whole_token() -> None:
    """CVE-2026-35039: a memo keyed by less than the token gives one caller the claims of another."""
    trusting = verifier()
    good = mint.token("ES256")
    assert trusting.verify(good)["sub"] == trusting.verify(good)["sub"] == "alice"
    head, payload, signature = good.split(".")
    admin = mint.segment(mint.claims(sub="admin"))
    near = [
        f"{head}.{admin}.{signature}",
        f"{head}.{payload}.{signature[:-4]}",
        f"{head}.{payload}.",
        good + "=",
    ]
    near += [
        good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :] for place in range(len(good))
    ]
    assert [token for token in near if not code_of(trusting, token)] == []
    other = mint.token("ES256", mint.claims(sub="bob"))
    assert trusting.verify(other)["sub"] == trusting.verify(other)["sub"] == "bob"
    assert trusting.verify(good)["sub"] == "alice"


class Sly(str):
    """Text that says it equals anything, and has the hash of another."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(mint.token("EdDSA"))


def test_the_memo_is_keyed_by_the_whole_token_not_by_what_a_subclass_says() -> None:
    trusting = verifier()
    assert code_of(trusting, mint.token("EdDSA")) == ""
    assert code_of(trusting, Sly("a.b.c"))
    assert code_of(trusting, Sly(mint.token("EdDSA", whose="the attacker's")))


def test_the_memo_is_keyed_by_the_whole_token_and_gives_each_caller_claims_of_its_own() -> None:
    trusting, token = verifier(), mint.token("ES256", mint.claims(roles=["reader"]))
    for _ in range(3):
        claims = trusting.verify(token)
        assert claims["roles"] == ["reader"]
        claims["roles"].append("admin")
        claims["sub"] = "admin"


class Hand:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = float(mint.NOW)

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@pytest.mark.parametrize("nbf", [..., mint.NOW + 30])
@pytest.mark.parametrize("iat", [..., mint.NOW])
def test_a_memo_hit_checks_time_policy_and_set(iat: Any, nbf: Any) -> None:
    """With and without a memo the verdict is the same at every moment, in whatever order they come."""
    hand = Hand()
    remembering, forgetting = verifier(hand), verifier(hand, memo=False)
    token = mint.token("EdDSA", mint.claims(iat=iat, nbf=nbf))
    edges = (-100, -60.5, -60, -59.5, -31, -30, -29, 0, 100, 599, 600, 659, 659.5, 660, 661, 86_400, -86_400)
    for ahead in (*edges, *reversed(edges), 0, 660, 0, -61, 0, 659.999):
        hand.seconds = mint.NOW + ahead
        assert code_of(remembering, token) == code_of(forgetting, token), ahead
    hand.seconds = mint.NOW
    assert code_of(remembering, token) == ""
    for at in (hand.seconds - 172_800, hand.seconds + 3600):
        assert code_of(remembering, token, at=datetime.fromtimestamp(at, UTC))
    assert code_of(remembering, token) == ""


def test_a_memo_hit_checks_time_policy_and_set_and_the_end_of_a_legacy_secret() -> None:
    hand = Hand()
    until = datetime.fromtimestamp(mint.NOW + 100, UTC)
    legacy = LegacySecret(mint.private("HS256"), until=until, kid=mint.kid("HS256"))
    with pytest.warns(MigrationWarning):
        remembering = verifier(hand, legacy=legacy)
    token = mint.token("HS256")
    for ahead, code in ((0, ""), (99.5, ""), (100, "legacy_ended"), (99, ""), (101, "legacy_ended"), (0, "")):
        hand.seconds = mint.NOW + ahead
        assert code_of(remembering, token) == code_of(remembering, token) == code
        assert code_of(remembering, mint.token("ES256")) == ""
        assert code_of(remembering, token, at=datetime.fromtimestamp(mint.NOW + 101, UTC)) == "legacy_ended"


def test_a_memo_hit_checks_time_policy_and_set_of_its_own_verifier() -> None:
    """Another verifier with other rules never hears of what the first one remembers."""
    token = mint.token("ES256")
    for _ in range(2):
        assert judged(token) == ""
        assert judged(token, audience="billing") == "aud_wrong"
        assert judged(token, issuer="https://other.example") == "iss_wrong"
        assert judged(token, typ="at+jwt") == "typ_refused"
        assert judged(token, algorithms=("RS256",)) == "alg_not_allowed"


def test_a_memo_hit_checks_time_policy_and_set_when_the_key_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(mint.jwks()))
    clock = FakeClock()
    trusting = verifier(jwks=path, clock=clock)
    token = mint.token("ES256")
    assert code_of(trusting, token) == code_of(trusting, token) == ""
    path.write_text(json.dumps({"keys": [mint.public("EdDSA")]}))
    clock.advance(timedelta(hours=1, minutes=30))
    assert code_of(trusting, mint.token("EdDSA")) == ""
    assert code_of(trusting, token) == "kid_unknown"
    trusting.close()


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "nbf", "jti"])
def test_a_key_is_bound_to_its_ring_and_its_signer_sets_what_binds(name: str) -> None:
    """Storm-0558: a key of one purpose signed for another."""
    with pytest.raises(BadInput) as refused:
        Stage().node.signing.sign("default", {name: "https://other.example"})
    assert refused.value.code == "claims_reserved"


def test_a_key_is_bound_to_its_ring_and_audience() -> None:
    stage = Stage(audience=("orders",))
    signing = stage.node.signing
    assert signing.sign("default", {"sub": "a"}).token
    for ask in ({"audience": "billing"}, {"ttl": timedelta(days=30)}):
        with pytest.raises(BadInput):
            signing.sign("default", {"sub": "a"}, **ask)
    with pytest.raises(BadInput):
        signing.sign("default", {"aud": "billing"})
    with pytest.raises(JwturnError):
        signing.sign("another", {"sub": "a"})

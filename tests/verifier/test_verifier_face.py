"""The face of a verifier: every argument, what it refuses, and what it gives."""

import copy
import itertools
import json
import pickle
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from jwturn import ANY, AsyncVerifier, TokenRefused, Verifier
from jwturn.core.errors import BadInput
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import signer
from tests.verifier.issuer import AUDIENCE, LIFE_SECONDS, Issuer, compact

ISSUER = Issuer("k1")
NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001  # naive: that is what is refused
INSECURE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
INSECURE.check_hostname = False


def verifier(**options: Any) -> Verifier:
    return Verifier(**(ISSUER.rules | options))


def remote(**options: Any) -> Verifier:
    return Verifier(**(ISSUER.rules | {"jwks": None} | options))


def refusal(judge: Verifier, token: str, **options: Any) -> str:
    with pytest.raises(TokenRefused) as caught:
        judge.verify(token, **options)
    assert caught.value.hint
    return caught.value.code


NO_NAMES: tuple[Any, ...] = (None, "", [], (), set(), 5, b"orders", [5], ["a", None], [""])
NO_SETS: tuple[Any, ...] = (5, ["k"], {}, {"keys": []}, {"keys": 5}, b"", b"{}", b"\xff", b"[]")
NO_SECRETS: tuple[Any, ...] = ("secret", b"secret", 5, {})
BAD: list[dict[str, Any]] = [
    *({"issuer": issuer} for issuer in ("", None, 5, b"https://a.example", ["https://a.example"])),
    *({"audience": audience} for audience in NO_NAMES),
    *({"algorithms": algs} for algs in ("", [], "none", "rs256", ["ES256", "HS1"], 5, [5], b"ES256")),
    *({"typ": typ} for typ in ("", [], 5, [5], [None], b"JWT")),
    *({"leeway": leeway} for leeway in (60, 60.0, "60", None, timedelta(seconds=-1))),
    *({"token_ttl_max": ttl} for ttl in (86_400, None, timedelta(), timedelta(seconds=-1))),
    *({"keys_ttl_max": ttl} for ttl in (3600, None, "1h", timedelta(), timedelta(seconds=-1))),
    *({"stale_max": ttl} for ttl in (0, None, "1h", timedelta(seconds=-1))),
    *({"now": now} for now in (NAIVE, 5, datetime.now(UTC), "now")),
    *({"kid_when_absent": kid} for kid in ("", 5, "\u00fc", "k" * 257, b"k1")),
    *({"legacy": legacy} for legacy in NO_SECRETS),
    *({"jwks": jwks} for jwks in NO_SETS),
    *({"jwks": jwks} for jwks in ('{"keys": []}', " [1]", "https://a.example/jwks", "http://a.example")),
    *({"jwks": jwks} for jwks in ({"keys": [object()]}, {"keys": [10**30]}, {"keys": ["\ud800"]})),
    {"jwks": ISSUER.jwks, "jwks_url": "https://auth.example.com/jwks.json"},
    *(
        {"jwks": None, "jwks_url": url}
        for url in ("", 5, "ftp://a", "http://a.example", "https://u@a.example")
    ),
    *(
        {"jwks": None, "jwks_url": url}
        for url in ("jwks.json", "https://", "https://a.example/#x", "file:///x")
    ),
    {"jwks": None, "issuer": "not a URL"},
    {"jwks": None, "tls": INSECURE},
    {"jwks": None, "tls": "cert.pem"},
    *({name: value} for name in ("memo", "loopback_http") for value in ("false", 1, None)),
]


@pytest.mark.parametrize("options", BAD, ids=itertools.count())
@pytest.mark.parametrize("colour", [Verifier, AsyncVerifier])
def test_an_argument_that_is_none_is_refused_and_said_why(colour: Any, options: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        colour(**(ISSUER.rules | options))
    assert caught.value.code != "bad_input"
    assert caught.value.hint
    assert caught.value.message


def test_issuer_and_audience_have_to_be_said() -> None:
    with pytest.raises(TypeError):
        Verifier(issuer=ISSUER.name, jwks=ISSUER.jwks)  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError):
        Verifier(ISSUER.name, AUDIENCE)  # type: ignore[call-arg]  # by name alone


class TestAudience:
    @pytest.mark.parametrize("audience", ["orders", ["orders", "x"], {"orders"}, ("orders",), ANY])
    def test_one_several_or_any(self, audience: Any) -> None:
        assert verifier(audience=audience).verify(ISSUER.token())["aud"] == "orders"

    def test_any_is_any_and_a_name_is_that_name(self) -> None:
        assert verifier(audience=ANY).verify(ISSUER.token(aud="whoever"))["aud"] == "whoever"
        assert "aud" not in verifier(audience=ANY).verify(ISSUER.token(aud=...))
        assert refusal(verifier(audience=ANY), ISSUER.token(aud=5)) == "aud_type"
        assert refusal(verifier(), ISSUER.token(aud="order")) == "aud_wrong"
        assert refusal(verifier(), ISSUER.token(aud=...)) == "aud_missing"


class TestTyp:
    def test_by_default_jwt_at_jwt_or_absent(self) -> None:
        for typ in ("JWT", "jwt", "at+jwt", "application/at+jwt", ...):
            assert verifier().verify(ISSUER.token(header={"typ": typ}))
        assert refusal(verifier(), ISSUER.token(header={"typ": "dpop+jwt"})) == "typ_refused"

    @pytest.mark.parametrize("typ", ["at+jwt", ["at+jwt"], "application/AT+JWT"])
    def test_one_that_is_named_is_exactly_that(self, typ: Any) -> None:
        assert verifier(typ=typ).verify(ISSUER.token(header={"typ": "at+jwt"}))
        for other in ("JWT", ...):
            assert refusal(verifier(typ=typ), ISSUER.token(header={"typ": other})) == "typ_refused"


class TestAlgorithms:
    def test_they_narrow_what_the_set_offers(self) -> None:
        issuer = Issuer("ec")
        issuer.make("ed", "EdDSA")
        issuer.publish("ec", "ed")
        narrow = Verifier(**issuer.rules, algorithms="ES256")
        assert narrow.verify(issuer.token("ec"))
        assert refusal(narrow, issuer.token("ed")) == "alg_not_allowed"
        assert Verifier(**issuer.rules).verify(issuer.token("ed"))

    def test_an_rsa_key_without_alg_is_used_where_one_is_named(self) -> None:
        issuer = Issuer()
        issuer.make("r", "RS256")
        rules = {**issuer.rules, "jwks": {"keys": [issuer.jwk("r", alg=...)]}}
        assert Verifier(**rules, algorithms=["RS256"]).verify(issuer.token("r"))
        for algorithms in (None, ["RS256", "PS256"]):
            with pytest.raises(BadInput, match="no usable key"):
                Verifier(**rules, algorithms=algorithms)
        assert refusal(Verifier(**rules, algorithms=["PS256"]), issuer.token("r")) in {
            "alg_mismatch",
            "alg_not_allowed",
        }

    def test_ed25519_has_two_spellings_and_a_key_one_of_them(self) -> None:
        issuer = Issuer()
        issuer.make("o", "EdDSA")
        bare = {**issuer.rules, "jwks": {"keys": [issuer.jwk("o", alg=...)]}}
        made = generate("EdDSA")
        assert made.public is not None
        new = {"keys": [{**made.public, "kid": "n", "alg": "Ed25519"}]}
        assert Verifier(**bare).verify(issuer.token("o"))
        assert refusal(Verifier(**bare, algorithms="Ed25519"), issuer.token("o")) == "alg_not_allowed"
        key = signer("Ed25519", made.private)
        token = compact({"alg": "Ed25519", "kid": "n"}, issuer.claims(), key)
        assert Verifier(**{**issuer.rules, "jwks": new}).verify(token)
        eddsa = compact({"alg": "EdDSA", "kid": "n"}, issuer.claims(), key)
        assert refusal(Verifier(**{**issuer.rules, "jwks": new}), eddsa) == "alg_mismatch"


class TestTime:
    def test_at_is_past_the_memo_in_both_directions(self) -> None:
        judge, token, now = verifier(), ISSUER.token(), ISSUER.clock.now()
        after, before = now + timedelta(seconds=LIFE_SECONDS + 60), now - timedelta(seconds=61)
        for _ in range(2):
            assert judge.verify(token)
            assert refusal(judge, token, at=after) == "expired"
            assert refusal(judge, token, at=before) == "iat_future"
            assert judge.verify(token, at=now)
        old = ISSUER.token(iat=ISSUER.now - 7200, exp=ISSUER.now - 3600)
        for _ in range(2):
            assert judge.verify(old, at=now - timedelta(hours=1, minutes=30))
            assert refusal(judge, old) == "expired"

    def test_what_was_judged_as_of_a_moment_is_not_remembered(self) -> None:
        judge, token = verifier(), ISSUER.token()
        judge.verify(token, at=ISSUER.clock.now())
        held = judge._keys.cache.held
        assert held is not None
        for remembered in (0, 1):
            judge.verify(token)
            assert len(held.keys._recent) == remembered
            judge.verify(token, at=ISSUER.clock.now())

    @pytest.mark.parametrize("at", [NAIVE, 5, 5.0, "2030-01-01", timedelta(1), True])
    def test_a_moment_is_an_aware_datetime(self, at: Any) -> None:
        for ask in (verifier().verify, verifier().explain):
            with pytest.raises(BadInput) as caught:
                ask(ISSUER.token(), at=at)
            assert caught.value.code == "time_malformed"
            assert caught.value.hint

    def test_now_is_in_place_of_the_time_of_day(self) -> None:
        moment = ISSUER.clock.now()
        judge = verifier(clock=None, now=lambda: moment)
        assert judge.verify(ISSUER.token())
        moment += timedelta(hours=1)
        assert refusal(judge, ISSUER.token()) == "expired"

    @pytest.mark.parametrize("now", [NAIVE, 5, None])
    def test_a_now_that_gives_no_aware_datetime_is_an_error_and_no_verdict(self, now: Any) -> None:
        with pytest.raises(BadInput) as caught:
            verifier(now=lambda: now).verify(ISSUER.token())
        assert caught.value.code == "time_malformed"

    def test_the_expiry_of_a_token_that_is_remembered_is_seen(self) -> None:
        issuer = Issuer("k1")
        judge, token = Verifier(**issuer.rules), issuer.token()
        judge.verify(token)
        issuer.pass_seconds(LIFE_SECONDS + 59)
        assert judge.verify(token)
        issuer.pass_seconds(1)
        assert refusal(judge, token) == "expired"

    def test_leeway_and_the_longest_life(self) -> None:
        late = ISSUER.token(iat=ISSUER.now - 700, exp=ISSUER.now - 100)
        assert refusal(verifier(), late) == "expired"
        assert verifier(leeway=timedelta(seconds=101)).verify(late)
        assert refusal(verifier(token_ttl_max=timedelta(seconds=599)), ISSUER.token()) == "lifetime_too_long"


class Claims(msgspec.Struct):
    sub: str
    exp: int
    roles: list[str] = []


@dataclass
class Plain:
    sub: str
    exp: int


class TestType:
    def test_a_struct_or_a_dataclass(self) -> None:
        token = ISSUER.token(roles=["a"])
        for _ in range(2):
            exp = ISSUER.now + LIFE_SECONDS
            assert verifier().verify(token, type=Claims) == Claims("alice", exp, ["a"])
            assert verifier().verify(token, type=Plain) == Plain("alice", exp)

    def test_claims_of_another_shape_are_refused(self) -> None:
        for claims in ({"sub": ...}, {"roles": "admin"}, {"roles": [1]}):
            assert refusal(verifier(), ISSUER.token(**claims), type=Claims) == "claims_shape"

    def test_a_type_that_cannot_be_made_is_the_callers_mistake(self) -> None:
        shapes: list[Any] = [5, "Claims", dict[int, Verifier], list[int | str | list[int] | list[str]]]
        for shape in shapes:
            with pytest.raises(BadInput) as caught:
                verifier().verify(ISSUER.token(), type=shape)
            assert caught.value.hint

    def test_a_type_that_no_claims_can_become_blames_no_token(self) -> None:
        class Bare:
            sub: str

        shapes: list[Any] = [Bare, int, str, list[str], Verifier]
        for shape in shapes:
            with pytest.raises(BadInput) as caught:
                verifier().verify(ISSUER.token(), type=shape)
            assert caught.value.code == "type_unsupported"

    def test_the_shape_is_looked_at_only_after_the_checks(self) -> None:
        assert refusal(verifier(), ISSUER.token(aud="other", sub=...), type=Claims) == "aud_wrong"


class TestSets:
    def test_a_key_without_kid_is_known_by_its_thumbprint(self) -> None:
        judge = verifier(jwks={"keys": [ISSUER.jwk("k1", kid=...)]})
        (kid,) = judge.status().kids
        assert judge.verify(ISSUER.token(header={"kid": kid}))
        assert refusal(judge, ISSUER.token()) == "kid_unknown"

    def test_any_mapping_is_a_set(self) -> None:
        assert verifier(jwks=OrderedDict(ISSUER.jwks)).verify(ISSUER.token())
        assert verifier(jwks=json.dumps(ISSUER.jwks).encode()).verify(ISSUER.token())


@pytest.mark.parametrize("memo", [True, False])
def test_the_dict_is_the_callers_own(memo: bool) -> None:
    judge, token = verifier(memo=memo), ISSUER.token(roles=["reader"])
    for _ in range(3):
        claims = judge.verify(token)
        assert claims == ISSUER.claims(roles=["reader"])
        claims["roles"].append("admin")
        claims.clear()


@pytest.mark.parametrize(
    "token", [None, 5, [], b"", "", "a.b.c", "\ud800.b.c", bytearray(b"a.b.c"), "a" * 17_000]
)
def test_what_is_no_token_is_refused_by_the_one_exception(token: Any) -> None:
    assert refusal(verifier(), token).startswith(("token_", "json_"))
    assert not all(check.passed for check in verifier().explain(token))


def test_it_is_not_pickled_nor_copied_and_shows_its_issuer_only() -> None:
    judge = verifier()
    assert repr(judge) == f"Verifier({ISSUER.name!r})"
    assert judge.issuer == ISSUER.name
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(judge)


def test_explain_says_every_check_of_a_good_and_a_bad_token() -> None:
    judge = verifier()
    assert all(check.passed and check.words for check in judge.explain(ISSUER.token()))
    told = judge.explain(ISSUER.token(aud="other", exp=ISSUER.now - 100))
    assert {"aud_wrong", "expired"} <= {check.code for check in told}
    told = judge.explain(ISSUER.stranger("x"))
    assert "kid_unknown" in {check.code for check in told}


def test_a_verifier_of_a_url_asks_nobody_before_its_first_token() -> None:
    with remote(jwks_url="https://auth.example.invalid/jwks.json") as judge:
        assert not judge.status().usable
        assert refusal(judge, "a.b.c").startswith("token_")

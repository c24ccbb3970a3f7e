"""The rules for migrations: explicit, with an end, never silent, and no way around the issuer's own keys."""

import copy
import itertools
import json
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from jwturn import ANY, LegacySecret, MigrationWarning, TokenRefused, Verifier
from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.sign import Signer, signer
from jwturn.testing.clock import START
from tests.verifier.issuer import Issuer, compact, served

SECRET = generate("HS256", printable=True).private
UNTIL = START + timedelta(days=30)
OLD = signer("HS256", SECRET)


def legacy(**options: Any) -> LegacySecret:
    given: dict[str, Any] = {"secret": SECRET.reveal(), "until": UNTIL} | options
    return LegacySecret(**given)


def old_token(issuer: Issuer, key: Signer = OLD, *, header: Any = None, **claims: Any) -> str:
    """As the application made them: no kid."""
    return compact({"alg": key.alg, "typ": "JWT", **(header or {})}, issuer.claims(**claims), key)


@contextmanager
def migrating(issuer: Issuer, secret: LegacySecret, **options: Any) -> Iterator[Verifier]:
    with pytest.warns(MigrationWarning, match="legacy|Legacy") as told:
        verifier = Verifier(**(issuer.rules | {"legacy": secret} | options))
    assert [warning.filename for warning in told] == [__file__]
    with verifier:
        yield verifier


def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifier.verify(token)
    return caught.value.code


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.reveal(), SECRET.reveal().decode()], ids=["Secret", "bytes", "str"]
)
def test_old_and_new_tokens_verify_until_the_end_date_and_then_new_ones_only(secret: Any) -> None:
    issuer = Issuer("k1")
    with migrating(issuer, legacy(secret=secret)) as verifier:
        for _ in range(2):
            assert verifier.verify(old_token(issuer))["sub"] == "alice"
            assert verifier.verify(issuer.token())["sub"] == "alice"
        issuer.clock.jump(UNTIL - issuer.clock.now() - timedelta(seconds=1))
        last = old_token(issuer)
        assert verifier.verify(last)["sub"] == "alice"
        issuer.clock.jump(timedelta(seconds=1))
        assert refusal(verifier, last) == "legacy_ended"
        assert refusal(verifier, old_token(issuer)) == "legacy_ended"
        assert verifier.verify(issuer.token())["sub"] == "alice"


def test_old_tokens_need_no_keys_of_the_issuer() -> None:
    with served("k1") as issuer:
        assert issuer.site is not None
        issuer.site.answer = lambda talk: talk.reply(503, {})
        with migrating(issuer, legacy()) as verifier:
            assert verifier.verify(old_token(issuer))["sub"] == "alice"
            assert issuer.fetches == 0


def test_its_tokens_obey_the_verifiers_rules() -> None:
    issuer = Issuer("k1")
    with migrating(issuer, legacy()) as verifier:
        assert refusal(verifier, old_token(issuer, aud="other")) == "aud_wrong"
        assert refusal(verifier, old_token(issuer, iss="https://other.example")) == "iss_wrong"
        assert refusal(verifier, old_token(issuer, exp=issuer.now - 60)) == "expired"
        assert refusal(verifier, old_token(issuer, exp=...)) == "exp_missing"
        assert refusal(verifier, old_token(issuer, iss=...)) == "iss_missing"
        assert refusal(verifier, old_token(issuer, header={"typ": "other"})) == "typ_refused"


def test_claims_that_the_old_issuer_never_set_may_be_lacking_and_not_wrong() -> None:
    issuer = Issuer("k1")
    with migrating(issuer, legacy(without={"iss", "aud"})) as verifier:
        bare = old_token(issuer, iss=..., aud=...)
        assert "iss" not in verifier.verify(bare)
        assert refusal(verifier, old_token(issuer, iss="https://other.example")) == "iss_wrong"
        assert refusal(verifier, old_token(issuer, iss=1)) == "iss_type"
        assert refusal(verifier, old_token(issuer, aud="other")) == "aud_wrong"
        assert refusal(verifier, issuer.token(iss=...)) == "iss_missing"
        assert refusal(verifier, issuer.token(aud=...)) == "aud_missing"


def test_it_may_have_an_issuer_and_an_audience_of_its_own() -> None:
    issuer = Issuer("k1")
    with migrating(issuer, legacy(issuer="app", audience=ANY)) as verifier:
        assert verifier.verify(old_token(issuer, iss="app", aud="whoever"))["iss"] == "app"
        assert refusal(verifier, old_token(issuer)) == "iss_wrong"
        assert refusal(verifier, issuer.token(iss="app")) == "iss_wrong"


def test_it_may_have_a_typ_and_a_longest_life_of_its_own() -> None:
    issuer, month = Issuer("k1"), timedelta(days=30)
    long: dict[str, Any] = {"exp": issuer.now + month.total_seconds()}
    with migrating(issuer, legacy(token_ttl_max=month, typ="JWT"), typ="at+jwt") as verifier:
        assert verifier.verify(old_token(issuer, **long))["iss"] == issuer.name
        assert refusal(verifier, old_token(issuer, header={"typ": "at+jwt"})) == "typ_refused"
        assert refusal(verifier, issuer.token(header={"typ": "at+jwt"}, **long)) == "lifetime_too_long"
        assert refusal(verifier, issuer.token()) == "typ_refused"


def test_with_a_kid_it_is_that_kids_alone() -> None:
    issuer = Issuer("k1")
    with migrating(issuer, legacy(kid="old")) as verifier:
        assert verifier.verify(old_token(issuer, header={"kid": "old"}))["sub"] == "alice"
        assert refusal(verifier, old_token(issuer)) == "kid_missing"
        assert refusal(verifier, old_token(issuer, header={"kid": "other"})) == "kid_unknown"


def test_a_kid_of_the_set_is_no_way_to_the_secret_nor_the_secrets_kid_to_the_set() -> None:
    issuer = Issuer("k1")
    with migrating(issuer, legacy(kid="k1")) as verifier:
        assert verifier.verify(old_token(issuer, header={"kid": "k1"}))["sub"] == "alice"
        assert verifier.verify(issuer.token("k1"))["sub"] == "alice"
        assert refusal(verifier, issuer.token("k1", header={"alg": "HS256"})) == "signature_wrong"
        assert refusal(verifier, old_token(issuer, header={"kid": "k1", "alg": "ES256"})) == "signature_wrong"


def test_what_is_public_signs_nothing() -> None:
    """The oldest trick: the bytes of the public key, in any of its forms, as the HMAC secret."""
    issuer = Issuer("k1")
    public = issuer.jwk("k1")
    forms = [json.dumps(public), json.dumps(issuer.jwks), public["x"], public["x"] + public["y"], issuer.name]
    with migrating(issuer, legacy()) as verifier:
        for form in forms:
            key = signer("HS256", Secret(form.encode().ljust(32, b"\0")))
            assert refusal(verifier, old_token(issuer, key)) == "signature_wrong"
            assert refusal(verifier, old_token(issuer, key, header={"kid": "k1"})) == "alg_mismatch"


def test_without_it_a_token_of_the_secret_is_refused() -> None:
    issuer = Issuer("k1")
    with warnings.catch_warnings(), Verifier(**issuer.rules) as verifier:
        warnings.simplefilter("error")
        assert refusal(verifier, old_token(issuer)) == "kid_missing"


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_longer_hashes_have_longer_secrets(alg: str) -> None:
    secret, issuer = generate(alg).private, Issuer("k1")
    with migrating(issuer, LegacySecret(secret, until=UNTIL, alg=alg)) as verifier:
        assert verifier.verify(old_token(issuer, signer(alg, secret)))["sub"] == "alice"
        assert refusal(verifier, old_token(issuer)) == "kid_missing"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"secret": b"short"}, WeakKey),
        ({"secret": ""}, WeakKey),
        ({"secret": "secret" * 10}, WeakKey),
        ({"secret": "a" * 64}, WeakKey),
        ({"secret": "your-256-bit-secret-your-256-bit-secret"}, WeakKey),
        ({"secret": '{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}'}, BadInput),
        ({"secret": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"}, BadInput),
        ({"secret": SECRET.reveal().decode() + "\n"}, BadInput),
        ({"secret": "\udcff" * 64}, BadInput),
        ({"secret": 5}, BadInput),
        ({"secret": None}, BadInput),
        ({"alg": "ES256"}, BadInput),
        ({"alg": "none"}, BadInput),
        ({"alg": None}, BadInput),
        ({"alg": "HS512"}, WeakKey),
        ({"until": datetime(2030, 1, 1)}, BadInput),  # noqa: DTZ001  # naive: that is what is refused
        ({"until": "2030-01-01"}, BadInput),
        ({"until": None}, BadInput),
        ({"kid": ""}, BadInput),
        ({"kid": "\u00fc"}, BadInput),
        ({"kid": 5}, BadInput),
    ],
    ids=itertools.count(),
)
def test_what_is_no_safe_secret_with_an_end_is_refused_when_it_is_made(
    options: dict[str, Any], error: type[BadInput]
) -> None:
    with pytest.raises(error) as caught:
        legacy(**options)
    assert caught.value.hint
    assert SECRET.reveal().decode() not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize(
    "options",
    [
        *({"without": without} for without in ({"exp"}, "exp", 5)),
        *({"audience": audience} for audience in ([], [5], 5, "")),
        *({"typ": typ} for typ in ({""}, 5, "")),
        *({"issuer": issuer} for issuer in (5, "")),
        *({"token_ttl_max": life} for life in (5, timedelta(0))),
    ],
)
def test_rules_that_are_none_are_refused_with_the_verifier(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        Verifier(**Issuer("k1").rules, legacy=legacy(**options))
    assert caught.value.code == "rules_malformed"


def test_the_secret_gets_out_nowhere() -> None:
    secret = legacy()
    shown = f"{secret!r} {secret} {secret.__reduce_ex__!r}"
    assert SECRET.reveal().decode() not in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)
    assert not hasattr(secret, "__dict__")
    issuer = Issuer("k1")
    with migrating(issuer, secret) as verifier:
        assert SECRET.reveal().decode() not in f"{verifier!r} {vars(verifier)!r} {verifier.status()!r}"


class TestKidWhenAbsent:
    def test_it_names_the_one_key_and_warns(self) -> None:
        issuer = Issuer("k1", "k2")
        with pytest.warns(MigrationWarning, match="k1"):
            verifier = Verifier(**issuer.rules, kid_when_absent="k1")
        with verifier:
            assert verifier.verify(issuer.token("k1", header={"kid": ...}))["sub"] == "alice"
            assert refusal(verifier, issuer.token("k2", header={"kid": ...})) == "signature_wrong"
            assert verifier.verify(issuer.token("k2"))["sub"] == "alice"

    def test_the_key_is_fetched_as_any_other(self) -> None:
        with served("k1") as issuer:
            with pytest.warns(MigrationWarning):
                verifier = Verifier(**issuer.rules, kid_when_absent="k2")
            with verifier:
                issuer.make("k2")
                assert refusal(verifier, issuer.token("k2", header={"kid": ...})) == "kid_unknown"
                issuer.pass_seconds(1)
                issuer.publish("k1", "k2")
                assert verifier.verify(issuer.token("k2", header={"kid": ...}))["sub"] == "alice"

    def test_without_it_a_token_without_kid_is_refused_and_nothing_is_fetched(self) -> None:
        with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
            assert refusal(verifier, issuer.token(header={"kid": ...})) == "kid_missing"
            assert issuer.fetches == 0

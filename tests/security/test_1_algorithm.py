"""SECURITY.md section 1, row by row: which algorithms there are, and that a key has one."""

import copy
import itertools
import json
import math
import pickle
from typing import Any

import pytest

from jwturn.core.errors import BadInput, JwturnError, WeakKey
from jwturn.core.jwk import ALGS, b64url
from jwturn.core.policy import RotationPolicy
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.import_ import import_key, import_secret
from jwturn.crypto.known_secrets import PUBLISHED
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import hmac_key, verify_key
from jwturn.verifier import checks
from tests.security import forged, forged_headers, forged_keys, mint
from tests.security.court import court, judged

SUPPORTED = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    *("EdDSA", "Ed25519", "HS256", "HS384", "HS512", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
)


def test_none_is_not_implemented() -> None:
    assert forged.complaints(forged_headers.none) == []
    for spelling in (*forged_headers.NONES, *forged_headers.NEARLY_NONE, "", "null"):
        with pytest.raises(BadInput):
            signer(spelling, Secret(b"s" * 64))
        with pytest.raises(BadInput):
            verify_key({"kty": "oct"}, alg=spelling)
        with pytest.raises(BadInput):
            generate(spelling)


def test_none_is_not_implemented_as_a_key_or_an_algorithm_to_allow() -> None:
    with pytest.raises(BadInput):
        judged("x", algorithms=("none",))
    with pytest.raises(BadInput):
        import_key(b'{"kty":"oct","k":"","alg":"none"}')


def test_alg_is_a_registered_name_byte_for_byte() -> None:
    assert forged.complaints(forged_headers.alg_names) == []


@pytest.mark.parametrize("alg", SUPPORTED)
def test_a_key_has_exactly_one_alg_for_life(alg: str) -> None:
    """RFC 8725bis section 3.1: an object without a setter for it, no copy, no second alg."""
    key, signing = mint.keys()[mint.kid(alg)], signer(alg, mint.private(alg))
    for made in (key, signing):
        assert made.alg == alg
        assert not hasattr(made, "__dict__")
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copied(made)


@pytest.mark.parametrize("alg", mint.PUBLIC)
def test_a_key_has_exactly_one_alg_for_life_which_its_jwk_says(alg: str) -> None:
    for other in set(ALGS) - {alg}:
        with pytest.raises(BadInput):
            verify_key(mint.public(alg), alg=other)
        with pytest.raises(BadInput):
            import_key(json.dumps(mint.public(alg)).encode(), alg=other)
    for weird in (None, ["RS256", "PS256"], 7, "", "RS256,PS256", alg.lower()):
        if weird != alg:
            with pytest.raises(BadInput):
                import_key(json.dumps(mint.public(alg) | {"alg": weird}).encode(), alg=alg)


def test_the_alg_of_the_header_is_that_of_the_key_and_allowed() -> None:
    assert forged.complaints(forged_keys.other_algorithms) == []


@pytest.mark.parametrize("alg", mint.PUBLIC)
def test_the_alg_of_the_header_is_that_of_the_key_and_allowed_for_the_issuer(alg: str) -> None:
    others = tuple(sorted(set(ALGS) - {alg}))
    assert judged(mint.token(alg), algorithms=(alg,)) == ""
    assert judged(mint.token(alg), algorithms=others) in {"alg_not_allowed", "kid_unknown"}


def test_nothing_is_guessed_to_be_a_key() -> None:
    assert forged.complaints(forged_keys.confusion) == []


@pytest.mark.parametrize("alg", mint.PUBLIC)
def test_nothing_is_guessed_to_be_a_key_when_one_is_made(alg: str) -> None:
    for text in forged_keys.public_texts(alg).values():
        with pytest.raises(BadInput):
            hmac_key(alg, Secret(text))
        with pytest.raises(BadInput):
            signer(alg, Secret(text))
        with pytest.raises((BadInput, AttributeError, TypeError)):
            verify_key(text, alg=alg)  # type: ignore[arg-type]  # text is no JWK, whatever it spells


def test_nothing_is_guessed_to_be_a_key_when_a_token_is_judged() -> None:
    """Text among the keys is no key: the judge takes only objects that know their alg."""
    token = forged_keys.confused("HS256", b"s" * 32, "sha256", kid="text")
    for text in (b"s" * 32, "s" * 32, {"kty": "oct", "k": b64url(b"s" * 32)}):
        keys: dict[str, Any] = {"text": text}
        with pytest.raises((AttributeError, JwturnError)):
            checks.verify(token, keys, court().rules, mint.NOW)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES512", "EdDSA", "ML-DSA-44"])
@pytest.mark.parametrize("digest", ["HS256", "HS384", "HS512"])
def test_key_text_is_no_secret(alg: str, digest: str) -> None:
    bare = ("the ", "PEM body")
    texts = {n: text for n, text in forged_keys.public_texts(alg).items() if not n.startswith(bare)}
    assert len(texts) >= 8
    for name, text in texts.items():
        fronts = (
            (b"",) if "DER" in name else (b"", b" ", b"\n\t ", b"\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf ")
        )
        for front in fronts:
            with pytest.raises(BadInput) as refused:
                import_secret(front + text, alg=digest)
            assert refused.value.code == "key_as_secret", name
            jwk = json.dumps({"kty": "oct", "alg": digest, "k": b64url(front + text)}).encode()
            with pytest.raises(BadInput):
                import_key(jwk)


def test_key_text_is_no_secret_if_it_is_a_token_either() -> None:
    with pytest.raises(BadInput) as refused:
        import_secret(mint.token("ES256").encode(), alg="HS256")
    assert refused.value.code == "key_as_secret"


@pytest.mark.parametrize("alg", mint.HMAC)
def test_a_short_secret_is_an_error_at_import_sign_and_verify(alg: str) -> None:
    least = ALGS[alg].hash_bytes
    for size in (0, 1, 8, 16, least - 1):
        secret = mint.private(alg).reveal()[:size]
        for make in (
            lambda secret=secret: import_secret(secret, alg=alg),
            lambda secret=secret: signer(alg, Secret(secret)),
            lambda secret=secret: hmac_key(alg, Secret(secret)),
            lambda secret=secret: import_key(
                json.dumps({"kty": "oct", "alg": alg, "k": b64url(secret)}).encode()
            ),
        ):
            with pytest.raises(BadInput):
                make()
    exact = Secret(mint.private(alg).reveal()[:least])
    assert hmac_key(alg, exact).verify(b"x", signer(alg, exact).sign(b"x"))


@pytest.mark.parametrize("alg", mint.HMAC)
@pytest.mark.parametrize("printable", [False, True])
def test_a_generated_secret_has_256_bits_or_more(alg: str, printable: bool) -> None:
    made = [generate(alg, printable=printable).private.reveal() for _ in range(50)]
    assert len(set(made)) == 50
    letters = len(set(itertools.chain.from_iterable(made)))
    assert letters > (60 if printable else 250)
    bits_each = math.log2(64) if printable else 8
    assert min(len(secret) for secret in made) * bits_each >= 8 * ALGS[alg].hash_bytes >= 256
    assert all(import_secret(secret, alg=alg).private for secret in made)


@pytest.mark.parametrize("text", PUBLISHED)
def test_a_known_or_guessable_secret_is_refused_in_any_spelling(text: str) -> None:
    data = text.encode()
    spellings = (
        data,
        text.upper().encode(),
        text.swapcase().encode(),
        data.hex().encode(),
        b64url(data).encode(),
    )
    for spelling in spellings:
        with pytest.raises(WeakKey):
            import_secret(spelling, alg="HS256")


@pytest.mark.parametrize("times", [1, 2, 8, 100])
@pytest.mark.parametrize(
    "text", ["password", "correcthorse", "qwertyuiop", "changeme", "letmein!", "a", "abc123"]
)
def test_a_known_or_guessable_secret_is_refused_however_long(text: str, times: int) -> None:
    for data in (text * times * 8, f"{text}-" * times * 8, (text * times * 8)[::-1]):
        with pytest.raises(WeakKey):
            import_secret(data.encode(), alg="HS256")


def test_ed25519_has_two_spellings_and_a_key_has_one() -> None:
    assert judged(mint.token("EdDSA")) == judged(mint.token("Ed25519")) == ""
    assert judged(mint.token("EdDSA", alg="Ed25519")) == "alg_mismatch"
    assert judged(mint.token("Ed25519", alg="EdDSA")) == "alg_mismatch"
    for spelling in (
        "ED25519",
        "ed25519",
        "EDDSA",
        "eddsa",
        "Ed25519ph",
        "Ed25519ctx",
        "Ed448",
        "EdDSA25519",
    ):
        assert judged(mint.token("EdDSA", alg=spelling)) == "alg_unknown"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_ed25519_has_two_spellings_for_ed25519_keys_only(alg: str) -> None:
    for other in ("RS256", "ES256", "ML-DSA-44"):
        jwk = {name: value for name, value in mint.public(other).items() if name != "alg"}
        with pytest.raises(BadInput):
            verify_key(jwk, alg=alg)
    for crv in ("Ed448", "X25519", "X448", "P-256", "ed25519", None):
        with pytest.raises(BadInput):
            verify_key(mint.public(alg) | {"crv": crv}, alg=alg)


def test_ed25519_has_two_spellings_of_which_eddsa_is_the_default() -> None:
    jwk = {name: value for name, value in mint.public("EdDSA").items() if name != "alg"}
    assert import_key(json.dumps(jwk).encode()).alg == "EdDSA"
    assert import_key(json.dumps(jwk).encode(), alg="Ed25519").alg == "Ed25519"


def test_what_is_supported() -> None:
    assert set(ALGS) == set(SUPPORTED)
    assert RotationPolicy().alg == "ES256"
    for alg in SUPPORTED:
        assert judged(mint.token(alg)) == ""


@pytest.mark.parametrize("alg", SUPPORTED)
def test_akp_keys_have_a_set_of_their_own(alg: str) -> None:
    told = RotationPolicy(alg=alg, akp_in_issuer_set=True)
    assert RotationPolicy(alg=alg).in_issuer_set(alg) is (alg not in {*mint.AKP, *mint.HMAC})
    assert told.in_issuer_set(alg) is (alg not in mint.HMAC)

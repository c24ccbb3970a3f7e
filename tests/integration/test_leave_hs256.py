"""From an HS256 secret in the environment to an ES256 ring (docs/howto/leave-hs256.md).

Nobody is logged out, and every step but the last can be taken back.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from jwturn import KeysUnavailable, LegacySecret, MigrationWarning, TokenRefused, Verifier, WeakKey
from jwturn.core.jwk import b64url
from tests.docs.reader import free_port
from tests.integration.leaving import (
    AUDIENCE,
    FAR,
    ISSUER,
    LEEWAY,
    NEW_TTL,
    OLD_TTL,
    Application,
    spellings,
)
from tests.service.short import MIN


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Application]:
    made = Application(tmp_path / "state")
    yield made
    made.close()


def refusal(verifier: Verifier, token: str | bytes) -> str:
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(token)
    return refused.value.code


def beside(shop: Application, **options: Any) -> Verifier:
    """A verifier of the application while the secret is accepted beside the ring."""
    told = {"until": shop.clock.now() + FAR, "without": {"iss", "aud"}, **options}
    with pytest.warns(MigrationWarning, match="accepted beside its keys"):
        return shop.verifier(LegacySecret(shop.secret, **told))


def test_old_and_new_tokens_pass_all_the_way_and_every_step_can_be_taken_back(shop: Application) -> None:
    tally = shop.tally
    shop.run(OLD_TTL)

    shop.deploy_verifiers(shop.both)
    shop.deploy_verifiers(lambda: shop.pyjwt(shop.secret))
    assert tally.refused == [], "verifiers that accept both, taken back"

    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_ring)
    shop.run(NEW_TTL)
    shop.deploy_signers(shop.signs_by_secret)
    shop.run(NEW_TTL + LEEWAY)
    shop.deploy_verifiers(lambda: shop.pyjwt(shop.secret))
    assert tally.refused == [], "signers that sign by the ring, taken back, and verifiers after them"

    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_ring)
    end = shop.clock.now() + OLD_TTL + LEEWAY
    shop.deploy_verifiers(lambda: shop.both(until=end))
    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_secret)
    shop.run(OLD_TTL)
    assert tally.refused == [], "an end that was set, taken back before it came"

    shop.deploy_signers(shop.signs_by_ring)
    end = shop.clock.now() + OLD_TTL + LEEWAY
    shop.deploy_verifiers(lambda: shop.both(until=end))
    while shop.clock.now() < end:
        shop.run(MIN)
    shop.deploy_verifiers(shop.new)
    shop.run(3 * 60 * MIN)
    assert tally.refused == []
    assert {place for place, count in tally.judged.items() if count > 500} == {
        (number, alg) for number in range(3) for alg in ("HS256", "ES256")
    }, "each verifier judged many of both"
    assert len(shop.actives) > 2, "the ring turned meanwhile"
    assert {one.alg for one in shop.live} == {"ES256"}


def test_signers_that_go_first_are_noticed(shop: Application) -> None:
    shop.deploy_signers(shop.signs_by_ring)
    assert {alg for _, _, alg in shop.tally.refused} == {"ES256"}


def test_verifiers_that_are_taken_back_while_new_tokens_live_are_noticed(shop: Application) -> None:
    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_ring)
    shop.deploy_signers(shop.signs_by_secret)
    assert shop.tally.refused == []
    shop.deploy_verifiers(lambda: shop.pyjwt(shop.secret))
    assert {alg for _, _, alg in shop.tally.refused} == {"ES256"}


def test_an_end_before_the_last_old_token_has_ended_is_noticed(shop: Application) -> None:
    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_ring)
    end = shop.clock.now() + OLD_TTL / 2
    shop.deploy_verifiers(lambda: shop.both(until=end))
    assert shop.tally.refused == []
    shop.run(OLD_TTL)
    assert {alg for _, _, alg in shop.tally.refused} == {"HS256"}


def test_no_set_at_any_step_holds_the_secret(shop: Application, tmp_path: Path) -> None:
    shop.run(MIN)
    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_ring)
    shop.run(3 * 60 * MIN)
    shop.deploy_verifiers(shop.new)
    assert len(shop.published) > 2
    assert shop.tally.refused == []
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for text in [*shop.published, *stored]:
        assert [spelling for spelling in spellings(shop.secret) if spelling in text] == []
    members = [set(key) for body in shop.published for key in json.loads(body)["keys"]]
    assert members
    assert all(names <= {"kty", "crv", "x", "y", "kid", "alg", "use", "exp"} for names in members)


def test_a_set_that_held_the_secret_would_be_noticed(shop: Application) -> None:
    text = json.dumps({"keys": [{"kty": "oct", "k": b64url(shop.secret.encode())}]}).encode()
    assert [spelling for spelling in spellings(shop.secret) if spelling in text] != []


def test_after_the_end_a_token_signed_with_the_secret_is_refused(shop: Application) -> None:
    until = shop.clock.now() + OLD_TTL
    verifier, without = beside(shop, until=until), shop.verifier()
    shop.clock.advance(OLD_TTL - MIN)
    bare, _ = shop.signs_by_secret()("mallory")
    full, _ = shop.signs_by_secret(iss=ISSUER, aud=AUDIENCE)("mallory")
    assert verifier.verify(bare)["sub"] == verifier.verify(full)["sub"] == "mallory"
    assert refusal(without, full) == "kid_missing"
    shop.clock.advance(MIN - timedelta(milliseconds=1))
    assert verifier.verify(full)["sub"] == "mallory", "from the memo"
    shop.clock.advance(timedelta(milliseconds=1))
    for token in (bare, full, shop.signs_by_secret(iss=ISSUER, aud=AUDIENCE)("mallory")[0]):
        assert refusal(verifier, token) == "legacy_ended"
        assert refusal(without, token) == "kid_missing"


def forged(secret: bytes, claims: dict[str, Any], **header: Any) -> str:
    """An HMAC token made by hand: PyJWT refuses to sign with a public key."""
    name = {"HS384": "sha384", "HS512": "sha512"}.get(header["alg"], "sha256")
    told = {"typ": "JWT", **{key: value for key, value in header.items() if value is not None}}
    signed = f"{b64url(json.dumps(told).encode())}.{b64url(json.dumps(claims).encode())}"
    return f"{signed}.{b64url(hmac.new(secret, signed.encode(), name).digest())}"


def everything_public(shop: Application) -> list[bytes]:
    """What anybody can know of the ring, as the secret that a confused verifier would take it for."""
    body = shop.app.publisher.issuer_set(ISSUER).body
    found = [body, b"", ISSUER.encode(), b"\0" * 32]
    for members in json.loads(body)["keys"]:
        key = jwt.PyJWK(members).key
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_bytes(serialization.Encoding.PEM, info)
        found += [
            pem,
            pem.strip(),
            key.public_bytes(serialization.Encoding.DER, info),
            key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint),
            json.dumps(members).encode(),
            json.dumps(members, separators=(",", ":")).encode(),
            members["kid"].encode(),
            members["x"].encode(),
            hashlib.sha256(pem).digest(),
        ]
    return found


def test_no_public_key_passes_for_the_secret_while_it_is_accepted(shop: Application) -> None:
    verifier = beside(shop)
    good = verifier.verify(shop.signs_by_ring()("alice")[0])
    kids = [key["kid"] for key in json.loads(shop.app.publisher.issuer_set(ISSUER).body)["keys"]]
    codes = {
        refusal(verifier, forged(known, good, alg=alg, kid=kid))
        for known in everything_public(shop)
        for alg in ("HS256", "HS384", "HS512")
        for kid in (None, *kids, "legacy")
    }
    assert codes == {"signature_wrong", "kid_missing", "alg_mismatch", "kid_unknown"}


def test_the_secret_is_for_its_own_alg_and_its_own_kid_and_nothing_else(shop: Application) -> None:
    verifier, secret = beside(shop), shop.secret.encode()
    new = shop.signs_by_ring()("alice")[0]
    claims = verifier.verify(new)
    kid = jwt.get_unverified_header(new)["kid"]
    assert verifier.verify(forged(secret, claims, alg="HS256"))["sub"] == "alice"
    for header, code in [
        ({"alg": "HS256", "kid": kid}, "alg_mismatch"),
        ({"alg": "HS384"}, "kid_missing"),
        ({"alg": "HS512"}, "kid_missing"),
        ({"alg": "HS384", "kid": kid}, "alg_mismatch"),
        ({"alg": "HS256", "kid": "legacy"}, "kid_unknown"),
        ({"alg": "hs256"}, "alg_unknown"),
        ({"alg": "none"}, "alg_unknown"),
        ({"alg": "ES256"}, "kid_missing"),
        ({"alg": "ES256", "kid": kid}, "signature_wrong"),
        ({"alg": "HS256", "crit": ["exp"]}, "crit_refused"),
    ]:
        assert refusal(verifier, forged(secret, claims, **header)) == code, header
    rest = new.partition(".")[2]
    bare = b64url(json.dumps({"alg": "ES256", "typ": "JWT"}).encode())
    assert refusal(verifier, f"{bare}.{rest}") == "kid_missing"


def test_claims_that_old_tokens_may_lack_are_judged_where_they_are_there(shop: Application) -> None:
    verifier, secret = beside(shop), shop.secret.encode()
    now = int(shop.clock.now().timestamp())
    claims: dict[str, Any] = {"sub": "alice", "iat": now, "exp": now + 600}
    assert verifier.verify(forged(secret, claims, alg="HS256"))["sub"] == "alice"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"iss": "https://evil.example.com"}, "iss_wrong"),
        ({"aud": "billing"}, "aud_wrong"),
        ({"iss": None}, "iss_type"),
        ({"exp": None}, "exp_type"),
    ]
    for more, code in wrong:
        assert refusal(verifier, forged(secret, {**claims, **more}, alg="HS256")) == code, more
    assert refusal(verifier, forged(secret, {"sub": "alice", "iat": now}, alg="HS256")) == "exp_missing"
    told = beside(shop, without=())
    assert refusal(told, forged(secret, claims, alg="HS256")) == "iss_missing"
    ring_like = {**claims, "iss": ISSUER, "aud": AUDIENCE}
    assert told.verify(forged(secret, ring_like, alg="HS256"))["sub"] == "alice"


def test_old_tokens_pass_while_the_ring_cannot_be_reached(shop: Application) -> None:
    with pytest.warns(MigrationWarning):
        verifier = Verifier(
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks_url=f"http://127.0.0.1:{free_port()}/jwks.json",
            loopback_http=True,
            legacy=LegacySecret(shop.secret, until=shop.clock.now() + FAR, without={"iss", "aud"}),
            clock=shop.clock,
        )
    with verifier:
        assert verifier.verify(shop.signs_by_secret()("alice")[0])["sub"] == "alice"
        with pytest.raises(KeysUnavailable):
            verifier.verify(shop.signs_by_ring()("alice")[0])


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("hunter2", "weak_key"),
        ("your-256-bit-secret", "weak_key"),
        ("a-string-secret-at-least-256-bits-long", "known_secret"),
        ("passwordpasswordpasswordpassword", "guessable_secret"),
        ("0123456789012345678901234567890123456789", "guessable_secret"),
    ],
)
def test_a_secret_that_others_can_guess_is_not_accepted_beside_a_ring(
    shop: Application, secret: str, code: str
) -> None:
    with pytest.raises(WeakKey) as refused:
        LegacySecret(secret, until=shop.clock.now() + FAR)
    assert refused.value.code == code
    assert secret not in f"{refused.value} {refused.value.hint}"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_guessable_secret_is_replaced_by_a_long_one_first_and_nobody_is_logged_out(tmp_path: Path) -> None:
    shop = Application(tmp_path / "state")
    long, short = shop.secret, "secret"
    shop.signers = [shop.signs_by_secret(short)] * 2
    shop.verifiers = [shop.pyjwt(short)] * 3
    shop.run(OLD_TTL)
    shop.deploy_verifiers(lambda: shop.pyjwt(long, short))
    shop.deploy_signers(lambda: shop.signs_by_secret(long))
    shop.run(OLD_TTL)
    shop.deploy_verifiers(lambda: shop.pyjwt(long))
    shop.deploy_verifiers(shop.both)
    shop.deploy_signers(shop.signs_by_ring)
    shop.run(OLD_TTL)
    shop.deploy_verifiers(shop.new)
    assert shop.tally.refused == []
    forgery, _ = shop.signs_by_secret(short)("mallory")
    assert not any(accepts(forgery) for accepts in shop.verifiers)
    shop.close()

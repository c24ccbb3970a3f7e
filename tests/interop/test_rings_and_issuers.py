"""Several rings under an issuer, several issuers on a store, and secrets that are in no JWKS."""

import json
import string
from datetime import timedelta
from itertools import permutations

import jwt
import pytest
from jwcrypto.jwk import JWK

from jwturn.core.errors import BadInput, NotFound, TokenRefused, Unavailable
from jwturn.core.jwk import b64url
from jwturn.core.jws import read_claims, split
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.rules import ANY, Rules
from jwturn.service.own_keys import trusted_keys
from jwturn.service.respond import Usage
from jwturn.verifier.checks import verify
from tests.crypto.keys import pair
from tests.interop.stale import CLASSIC, NO_TIME, REFUSALS
from tests.service.short import GONE, MATURE, SHORT
from tests.service.stage import ANN, HOUR, ISSUER, TICK, Stage

OTHER = "https://other.example.com"
ALGS_OF = {"default": "ES256", "api": "EdDSA", "hooks": "HS256", "quantum": "ML-DSA-65"}


def add(stage: Stage, name: str, *, issuer: str = ISSUER, **policy: object) -> None:
    wanted = edited(RotationPolicy(), {**SHORT, **policy}, tick_cap=TICK)
    stage.node.commands.add_ring(name, issuer=issuer, policy=wanted, actor=ANN)
    stage.node.rotator.turn(name)


@pytest.fixture
def stage() -> Stage:
    """One issuer with four rings, each with an active key; another with one."""
    made = Stage(**SHORT)
    for name, alg in list(ALGS_OF.items())[1:]:
        add(made, name, alg=alg)
    add(made, "default-there", issuer=OTHER)
    made.run(2 * MATURE)
    return made


def kids(stage: Stage, *rings: str) -> set[str]:
    return {key.kid for ring in rings for key in stage.store.load(ring).ring.published}


def members(stage: Stage, issuer: str) -> list[dict[str, str]]:
    stage.node.publisher.refresh()
    found: list[dict[str, str]] = json.loads(stage.node.publisher.issuer_set(issuer).body)["keys"]
    return found


def token(stage: Stage, ring: str) -> str:
    return stage.node.signing.sign(ring, {"sub": "alice"}).token


def test_an_issuer_s_set_is_the_union_of_its_rings_public_keys(stage: Stage) -> None:
    assert {key["kid"] for key in members(stage, ISSUER)} == kids(stage, "default", "api")
    assert {key["kid"] for key in members(stage, OTHER)} == kids(stage, "default-there")
    assert len(kids(stage, *ALGS_OF, "default-there")) == 10


@pytest.mark.parametrize("client", CLASSIC)
def test_a_verifier_takes_the_tokens_of_every_ring_of_its_issuer_and_of_no_other(
    stage: Stage, client: str
) -> None:
    here, there = (
        CLASSIC[client](stage.node.publisher.issuer_set(issuer).body) for issuer in (ISSUER, OTHER)
    )
    for ring in ("default", "api"):
        here(token(stage, ring), ALGS_OF[ring])
        with pytest.raises(REFUSALS):
            there(token(stage, ring), ALGS_OF[ring])
    with pytest.raises(REFUSALS):
        here(token(stage, "default-there"), "ES256")


def test_a_ring_s_token_says_its_ring_s_issuer(stage: Stage) -> None:
    issuers = {
        ring: read_claims(split(token(stage, ring)).payload)["iss"] for ring in ("api", "default-there")
    }
    assert issuers == {"api": ISSUER, "default-there": OTHER}
    with pytest.raises(BadInput):
        stage.node.signing.sign("api", {"iss": OTHER})


def test_the_keys_of_one_issuer_do_not_vouch_for_another_s_tokens(stage: Stage) -> None:
    keys = trusted_keys(stage.store.published(ISSUER), stage.custody)
    rules = Rules(issuer=ISSUER, audience=ANY, leeway=timedelta(), token_ttl_max=HOUR, typ=frozenset({"jwt"}))
    for ring in ALGS_OF:
        assert verify(token(stage, ring), keys, rules, stage.clock.now())["sub"] == "alice"
    with pytest.raises(TokenRefused) as refused:
        verify(token(stage, "default-there"), keys, rules, stage.clock.now())
    assert refused.value.code == "kid_unknown"
    both = {**keys, **trusted_keys(stage.store.published(OTHER), stage.custody)}
    with pytest.raises(TokenRefused) as refused:
        verify(token(stage, "default-there"), both, rules, stage.clock.now())
    assert refused.value.code == "iss_wrong"


@pytest.mark.parametrize(("first", "second"), list(permutations(["default", "api"])))
def test_a_kid_is_taken_once_under_an_issuer_whichever_ring_has_it(
    stage: Stage, first: str, second: str
) -> None:
    key = pair("ES256")
    for ring, refused in ((first, False), (second, True), ("default-there", False)):
        ring_id = stage.store.load(ring).ring.id
        made = stage.custody.adopt("ES256", ring_id, private=key.private, public=key.public, kid="shared")
        if refused:
            with pytest.raises(BadInput) as told:
                stage.node.commands.take_in(ring, ANN, made=made, usage=Usage())
            assert told.value.code == "kid_reused"
        else:
            stage.node.commands.take_in(ring, ANN, made=made, usage=Usage())
    assert "shared" in kids(stage, first) & kids(stage, "default-there")
    assert "shared" not in kids(stage, second)


def test_turning_or_revoking_one_ring_leaves_the_others_as_they_are(stage: Stage) -> None:
    before = {name: stage.store.load(name).ring for name in (*ALGS_OF, "default-there")}
    stage.node.commands.promote("api", ANN)
    stage.node.rotator.turn("api")
    stage.node.commands.revoke("api", ANN, kid=before["api"].keys[0].kid)
    assert {name for name, ring in before.items() if stage.store.load(name).ring != ring} == {"api"}
    assert {key["kid"] for key in members(stage, ISSUER)} == kids(stage, "default", "api")


def test_the_second_ring_of_an_issuer_waits_for_its_lead_and_another_issuer_s_first_does_not() -> None:
    stage = Stage(**SHORT)
    add(stage, "api")
    add(stage, "there", issuer=OTHER)
    assert [str(key.state) for key in stage.store.load("api").ring.keys] == ["standby"]
    with pytest.raises(Unavailable):
        token(stage, "api")
    assert token(stage, "there")
    assert {key["kid"] for key in members(stage, ISSUER)} == kids(stage, "default", "api")
    stage.run(MATURE)
    assert token(stage, "api")


def test_no_jwks_of_any_issuer_or_ring_ever_holds_a_secret(stage: Stage) -> None:
    for _ in range(3):
        secrets = kids(stage, "hooks")
        assert len(secrets) >= 2
        for issuer in (ISSUER, OTHER):
            assert not secrets & {key["kid"] for key in members(stage, issuer)}
            assert {key["kty"] for key in members(stage, issuer)} <= {"EC", "OKP"}
        with pytest.raises(Unavailable) as refused:
            stage.node.publisher.ring_set("hooks")
        assert refused.value.code == "no_key"
        stage.node.commands.promote("hooks", ANN)
        stage.run(GONE)


def test_a_post_quantum_key_is_in_its_ring_s_set_and_in_the_issuer_s_only_where_the_ring_says_so() -> None:
    stage = Stage(**SHORT)
    add(stage, "quantum", alg="ML-DSA-65")
    assert not kids(stage, "quantum") & {key["kid"] for key in members(stage, ISSUER)}
    assert stage.node.publisher.ring_set("quantum").kids == kids(stage, "quantum")
    add(stage, "mixed", alg="ML-DSA-65", akp_in_issuer_set=True)
    assert kids(stage, "mixed") < {key["kid"] for key in members(stage, ISSUER)}


def test_an_issuer_nobody_made_has_no_set(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.node.publisher.issuer_set("https://nobody.example.com")


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_printable_secret_is_a_string_key_for_pyjwt_both_ways(alg: str) -> None:
    stage = Stage(**SHORT, alg=alg, printable=True)
    secret = stage.custody.reveal(stage.active, stage.view.ring.id).reveal().decode("ascii")
    kinds = (string.ascii_uppercase, string.ascii_lowercase, string.digits, string.punctuation)
    assert all(set(secret) & set(kind) for kind in kinds)
    assert set(secret) <= set("".join(kinds))
    assert jwt.decode(token(stage, "default"), secret, algorithms=[alg], options=NO_TIME)["sub"] == "alice"
    theirs = jwt.encode({"sub": "bob"}, secret, alg, headers={"kid": stage.active.kid})
    parts = split(theirs)
    key = trusted_keys([stage.view], stage.custody)[stage.active.kid]
    assert key.verify(parts.signing_input, parts.signature)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(theirs, secret[:-1] + "~~", algorithms=[alg], options=NO_TIME)


def test_kids_of_public_keys_are_thumbprints_and_that_of_a_secret_tells_nothing_of_it(stage: Stage) -> None:
    for key in members(stage, ISSUER):
        assert JWK(**key).thumbprint() == key["kid"]
    hooks = stage.store.load("hooks").ring
    for kept in hooks.keys:
        secret = stage.custody.reveal(kept, hooks.id).reveal()
        assert JWK(kty="oct", k=b64url(secret)).thumbprint() != kept.kid

"""The openssl command reads what a ring exports, and a ring takes in and signs with what openssl makes."""

import json
from functools import cache
from pathlib import Path

import jwt
import pytest

from jwturn.core.errors import BadInput
from jwturn.core.jwk import ALGS, b64url_bytes, thumbprint
from jwturn.core.jws import header_segment, read_claims, signing_input, split
from jwturn.core.keys import Key
from jwturn.core.secret import Secret
from jwturn.crypto.export import private_jwk, private_pem, public_pem
from jwturn.crypto.import_ import import_key
from jwturn.ports.custody import Made
from jwturn.service.own_keys import trusted_keys
from jwturn.service.respond import Usage
from tests.crypto.test_openssl import CURVES, as_der, as_raw, digest_options, known, made_by_openssl, openssl
from tests.interop.stale import issuer_set, ring_set
from tests.service.stage import ANN, Stage

PASSWORD = b"correct horse battery staple"
TAKEN_IN = [alg for alg in known() if alg not in {"RS384", "RS512", "PS384", "PS512", "Ed25519"}]


@cache
def ring_of(alg: str) -> Stage:
    """A ring of an algorithm; tests only add events and keys to it."""
    return Stage(alg=alg, rsa_bits=2048)


def spki(key: Key) -> bytes:
    assert key.public is not None
    return public_pem({**key.public, "alg": key.alg})


def openssl_verifies(folder: Path, alg: str, public: bytes, token: str) -> bool:
    """Whether openssl, with a public PEM, says that a token's signature holds."""
    parts = split(token)
    key, data, signature = (folder / name for name in ("public.pem", "data", "signature"))
    key.write_bytes(public)
    data.write_bytes(parts.signing_input)
    signature.write_bytes(as_der(parts.signature) if alg in CURVES else parts.signature)
    if ALGS[alg].kty in {"OKP", "AKP"}:
        verify = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key), "-in", str(data)]
        return b"Verified Successfully" in openssl(*verify, "-sigfile", str(signature))
    verify = ["dgst", *digest_options(alg), "-verify", str(key), "-signature", str(signature), str(data)]
    return b"Verified OK" in openssl(*verify)


def signed_by_openssl(folder: Path, alg: str, private: bytes, kid: str) -> str:
    """A token that openssl signs with a private PEM under PASSWORD."""
    key, data, signature = (folder / name for name in ("private.pem", "data", "signature"))
    secret = folder / "password"
    secret.write_bytes(PASSWORD)
    message = signing_input(header_segment(alg, kid, "JWT"), {"sub": "openssl", "exp": 4_000_000_000})
    key.write_bytes(private)
    data.write_bytes(message)
    ways = ["-passin", f"file:{secret}", "-out", str(signature)]
    if ALGS[alg].kty in {"OKP", "AKP"}:
        made = openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(key), *ways, "-in", str(data))
    else:
        made = openssl("dgst", *digest_options(alg), "-sign", str(key), *ways, str(data))
    assert made == b""
    raw = signature.read_bytes()
    size = {"ES256": 32, "ES384": 48, "ES512": 66}.get(alg)
    return (message + b"." + b64url_bytes(as_raw(raw, size) if size else raw)).decode()


@pytest.mark.parametrize("alg", known())
def test_openssl_verifies_a_ring_s_token_with_its_exported_public_key(alg: str, tmp_path: Path) -> None:
    stage = ring_of(alg)
    public = spki(stage.active)
    assert openssl("pkey", "-pubin", "-pubout", stdin=public) == public
    token = stage.node.signing.sign("default", {"sub": "alice"}).token
    assert openssl_verifies(tmp_path, alg, public, token)


@pytest.mark.parametrize("alg", known())
def test_openssl_opens_the_exported_private_half_and_its_tokens_verify_with_the_ring(
    alg: str, tmp_path: Path
) -> None:
    stage = ring_of(alg)
    kid = stage.active.kid
    half = stage.node.commands.export("default", ANN, kid=kid, form="pem, encrypted")
    private = private_pem(alg, half, password=Secret(PASSWORD))
    assert private.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    token = signed_by_openssl(tmp_path, alg, private, kid)
    parts = split(token)
    assert trusted_keys([stage.view], stage.custody)[kid].verify(parts.signing_input, parts.signature)
    assert read_claims(parts.payload)["sub"] == "openssl"
    told = stage.store.events(stage.view.ring.id)[-1]
    assert (told.action, told.who, told.why) == ("export", "ann", "because")


def locked(pem: bytes) -> bytes:
    cipher = ["-v2", "aes-256-cbc", "-passout", f"pass:{PASSWORD.decode()}"]
    return openssl("pkcs8", "-topk8", *cipher, stdin=pem)


FORMS = {
    "pkcs8": lambda pem: pem,
    "der": lambda pem: openssl("pkey", "-outform", "DER", stdin=pem),
    "older": lambda pem: openssl("pkey", "-traditional", stdin=pem),
    "encrypted": locked,
}
OLDER = {"RSA": b"BEGIN RSA PRIVATE KEY", "EC": b"BEGIN EC PRIVATE KEY"}
FORMED = [(alg, form) for alg in TAKEN_IN for form in FORMS if form != "older" or ALGS[alg].kty in OLDER]


def taken_in(stage: Stage, data: bytes, alg: str, *, kid: str | None, usage: Usage | None = None) -> Made:
    """A key file, as the importing command takes it into the ring."""
    password = Secret(PASSWORD) if b"ENCRYPTED" in data else None
    found = import_key(data, alg=alg, password=password)
    if found.private is None:
        assert kid is not None
        made = Made(kid, found.alg, found.public, None)
    else:
        ring = stage.view.ring.id
        made = stage.custody.adopt(alg, ring, private=found.private, public=found.public, kid=kid)
    stage.node.commands.take_in("default", ANN, made=made, usage=usage or Usage())
    stage.node.rotator.turn("default")
    return made


@pytest.mark.parametrize(("alg", "form"), FORMED)
def test_a_key_of_openssl_enters_a_ring_and_openssl_verifies_what_it_signs(
    alg: str, form: str, tmp_path: Path
) -> None:
    stage = ring_of(alg)
    pem = made_by_openssl(alg)
    data = FORMS[form](pem)
    assert form != "older" or OLDER[ALGS[alg].kty] in data
    made = taken_in(stage, data, alg, kid=f"{form}.2024=07")
    assert made.kid == f"{form}.2024=07"
    assert stage.view.ring.key(made.kid).state == "standby"
    stage.node.commands.promote("default", ANN, kid=made.kid, before_lead=True)
    stage.node.signing.refresh()
    signed = stage.node.signing.sign("default", {"sub": "alice"})
    assert signed.kid == made.kid
    public = openssl("pkey", "-pubout", stdin=pem)
    assert openssl_verifies(tmp_path, alg, public, signed.token)
    assert spki(stage.active) == public


@pytest.mark.parametrize("alg", TAKEN_IN)
def test_a_key_without_a_kid_gets_its_thumbprint(alg: str) -> None:
    stage = ring_of(alg)
    made = taken_in(stage, made_by_openssl(alg), alg, kid=None)
    assert made.public is not None
    assert made.kid == thumbprint(made.public)
    published = {key["kid"]: key for key in json.loads(ring_set(stage))["keys"]}
    assert published[made.kid]["alg"] == alg


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_of_openssl_enters_as_verify_only_and_its_holders_tokens_are_accepted(
    alg: str, tmp_path: Path
) -> None:
    stage = ring_of(alg)
    pem = made_by_openssl(alg)
    public = openssl("pkey", "-pubout", stdin=pem)
    made = taken_in(stage, public, alg, kid="theirs", usage=Usage(state="verify-only"))
    assert stage.view.ring.key(made.kid).state == "verify-only"
    token = signed_by_openssl(tmp_path, alg, locked(pem), "theirs")
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(issuer_set(stage).decode()).keys}
    assert jwt.decode(token, keys["theirs"], algorithms=[alg])["sub"] == "openssl"


def test_a_kid_that_the_ring_has_had_is_refused() -> None:
    stage = ring_of("ES384")
    taken_in(stage, made_by_openssl("ES384"), "ES384", kid="twice")
    with pytest.raises(BadInput) as refused:
        taken_in(stage, made_by_openssl("ES384"), "ES384", kid="twice")
    assert refused.value.code == "kid_reused"


@pytest.mark.parametrize("alg", ["RS256", "ES512", "EdDSA"])
def test_what_a_ring_exports_another_ring_takes_in_under_the_same_kid(alg: str) -> None:
    here, there = ring_of(alg), Stage(alg="ES256")
    key = here.active
    half = here.node.commands.export("default", ANN, kid=key.kid, form="jwk, unencrypted")
    file = json.dumps({**private_jwk(alg, half), "kid": key.kid}).encode()
    found = import_key(file)
    assert (found.alg, found.kid, found.public) == (alg, key.kid, key.public)
    made = taken_in(there, file, alg, kid=found.kid)
    assert there.view.ring.key(made.kid).public == key.public

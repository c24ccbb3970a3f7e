"""RFC 9964 appendix A: ML-DSA for JOSE, and FIPS 204 where it has no example."""

import hashlib
import json
from typing import Any, Final

import pytest

from jwturn.core import jws
from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url, parse_set, thumbprint, unb64url
from jwturn.crypto.import_ import import_key
from jwturn.crypto.sign import signer
from tests.vectors.level import code_of, key_of, stored

BOOK: Final = stored("rfc9964.json")
VECTORS: Final[dict[str, dict[str, str]]] = BOOK["vectors"]
SIZES: Final = {"ML-DSA-44": (1312, 2420), "ML-DSA-65": (1952, 3309), "ML-DSA-87": (2592, 4627)}
"""Bytes of a public key and of a signature: FIPS 204 table 2."""


def whole(alg: str) -> dict[str, Any]:
    """The private JWK: the seed of zeros, and the public key that follows from it."""
    from jwturn.crypto.algorithms import MlDsa, algorithm

    row = algorithm(alg)
    assert isinstance(row, MlDsa)
    public = row.private.from_seed_bytes(bytes(32)).public_key().public_bytes_raw()
    return {"kty": "AKP", "alg": alg, "pub": b64url(public), "priv": b64url(bytes(32))}


@pytest.mark.parametrize("alg", VECTORS)
def test_the_key_that_follows_from_the_seed_is_the_one_of_the_rfc(alg: str) -> None:
    public = unb64url(whole(alg)["pub"])
    assert len(public) == SIZES[alg][0]
    assert hashlib.sha256(public).hexdigest() == VECTORS[alg]["pub_sha256"]
    found = import_key(json.dumps(whole(alg)).encode())
    assert found.alg == alg
    assert found.public is not None
    assert found.public["pub"] == b64url(public)


@pytest.mark.parametrize("alg", VECTORS)
def test_the_kid_is_the_thumbprint_with_alg_in_it(alg: str) -> None:
    assert thumbprint(whole(alg)) == VECTORS[alg]["kid"]
    assert thumbprint(whole(alg) | {"alg": "ML-DSA-00"}) != VECTORS[alg]["kid"]


@pytest.mark.parametrize("alg", VECTORS)
def test_the_signature_of_the_rfc_holds(alg: str) -> None:
    token, kid = VECTORS[alg]["jws"], VECTORS[alg]["kid"]
    keys = {kid: key_of(whole(alg), alg)}
    parts = jws.split(token)
    assert parts.header == jws.Header(alg, kid, None)
    assert parts.payload.decode() == BOOK["payload"]
    assert len(parts.signature) == SIZES[alg][1]
    assert code_of(token, keys) == ""
    head, payload, signature = token.split(".")
    assert code_of(f"{head}.{payload[4:]}.{signature}", keys) == "signature_wrong"
    assert code_of(f"{head}.{payload}.{signature[4:]}", keys) == "signature_wrong"


@pytest.mark.parametrize("alg", VECTORS)
def test_every_bit_of_the_hint_and_of_the_challenge_counts(alg: str) -> None:
    """FIPS 204 algorithm 21 refuses a hint out of order; a lax decoder takes several for one signature."""
    key, parts = key_of(whole(alg), alg), jws.split(VECTORS[alg]["jws"])
    size = len(parts.signature)
    for place in (*range(32), *range(size - 90, size)):
        changed = bytearray(parts.signature)
        changed[place] ^= 1
        assert not key.verify(parts.signing_input, bytes(changed)), place


@pytest.mark.parametrize("alg", VECTORS)
def test_what_we_sign_with_the_key_of_the_rfc_holds_too(alg: str) -> None:
    found = import_key(json.dumps(whole(alg)).encode())
    assert found.private is not None
    signature = signer(alg, found.private).sign(b"data")
    assert key_of(whole(alg), alg).verify(b"data", signature)
    assert not key_of(whole(alg), alg).verify(b"Data", signature)


@pytest.mark.parametrize("alg", VECTORS)
def test_a_key_of_another_size_or_name_is_refused(alg: str) -> None:
    public = unb64url(whole(alg)["pub"])
    for pub in (public[:-1], public + b"\0", b"", b"\0", *(bytes(size) for size, _ in SIZES.values())):
        if len(pub) != len(public):
            with pytest.raises(BadInput):
                key_of({"kty": "AKP", "alg": alg, "pub": b64url(pub)}, alg)
    for other in set(VECTORS) - {alg}:
        with pytest.raises(BadInput):
            key_of(whole(alg), other)
    with pytest.raises(BadInput):
        import_key(json.dumps({name: value for name, value in whole(alg).items() if name != "alg"}).encode())


@pytest.mark.parametrize("alg", VECTORS)
def test_a_private_key_that_is_no_seed_or_another_seed_is_refused(alg: str) -> None:
    """RFC 9964 section 3: priv is the seed of 32 bytes; the expanded form has no place in a JWK."""
    for priv in (bytes(31), bytes(33), bytes(64), bytes(2560), b"\x01" * 32):
        with pytest.raises(BadInput):
            import_key(json.dumps(whole(alg) | {"priv": b64url(priv)}).encode())
    with pytest.raises(BadInput) as refused:
        parse_set(json.dumps({"keys": [whole(alg) | {"kid": "a"}]}).encode())
    assert refused.value.code == "jwks_empty"

"""No private half lies in the state folder in any usual encoding: not in database, log or witness."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

import jwturn
from jwturn.core.keys import Key
from jwturn.core.ledger import Actor
from jwturn.crypto.private import private_key
from jwturn.library import Jwturn

ISSUER = "https://auth.example.com"
ANN = Actor("ann", "drill")
POLICIES: dict[str, dict[str, object]] = {
    "ES256": {"alg": "ES256"},
    "ES512": {"alg": "ES512"},
    "EdDSA": {"alg": "EdDSA"},
    "RS256": {"alg": "RS256", "rsa_bits": 2048},
    "ML-DSA-44": {"alg": "ML-DSA-44"},
    "HS256": {"alg": "HS256"},
    "HS512, printable": {"alg": "HS512", "printable": True},
}


def raw_halves(alg: str, private: bytes, key: object) -> Iterator[bytes]:
    """The bytes that nobody but the signer may hold."""
    if alg.startswith("HS"):
        yield private
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        yield key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8)
    elif isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
            yield number.to_bytes((number.bit_length() + 7) // 8)
    else:
        assert isinstance(key, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey)
        yield key.private_bytes_raw()


def spellings(half: bytes) -> Iterator[bytes]:
    """A half in every encoding in which it could have slipped out; base64 at each of its three alignments."""
    yield from (half, half[::-1], half.hex().encode(), half.hex().upper().encode())
    yield from (str(int.from_bytes(half)).encode(), str(list(half)).encode(), repr(half)[2:-1].encode())
    for shift in range(3):
        body = half[shift : shift + (len(half) - shift) // 3 * 3]
        yield base64.b64encode(body)
        yield base64.urlsafe_b64encode(body)


def secrets_of(ring: Jwturn, key: Key) -> set[bytes]:
    loaded = ring.app.store.load("default").ring
    secret = ring.app.custody.reveal(key, loaded.id)
    private = None if key.symmetric else private_key(key.alg, secret)
    halves = [secret.reveal(), *raw_halves(key.alg, secret.reveal(), private)]
    return {spelled for half in halves for spelled in spellings(half)}


def found_in(folder: Path, secrets: set[bytes]) -> set[tuple[str, bytes]]:
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files
    return {(path.name, secret) for path, data in files.items() for secret in secrets if secret in data}


@pytest.mark.parametrize("policy", POLICIES)
def test_no_private_half_is_in_the_state_folder_at_any_moment_of_its_life(
    tmp_path: Path, policy: str
) -> None:
    folder, secrets = tmp_path / "state", set[bytes]()
    with jwturn.open(folder, issuer=ISSUER, policy=POLICIES[policy]) as ring:
        app = ring.app
        for act in (
            lambda: ring.sign({"sub": "alice"}),
            lambda: app.commands.promote("default", ANN, before_lead=True),
            lambda: app.rotator.turn("default"),
            lambda: ring.sign({"sub": "bob"}),
            lambda: app.commands.revoke("default", ANN, kid=app.store.load("default").ring.published[0].kid),
        ):
            act()
            for key in app.store.load("default").ring.keys:
                secrets |= secrets_of(ring, key) if key.private is not None else set()
            assert found_in(folder, secrets) == set()
        assert {path.name for path in folder.iterdir()} >= {"jwturn.db", "jwturn.db-wal", "kek", "witness"}
    assert len(secrets) >= 3 * 9
    assert found_in(folder, secrets) == set()


@pytest.mark.parametrize("policy", ["ES256", "HS256", "RS256"])
def test_a_private_half_that_slipped_out_would_be_found(tmp_path: Path, policy: str) -> None:
    with jwturn.open(tmp_path / "state", issuer=ISSUER, policy=POLICIES[policy]) as ring:
        key = ring.app.store.load("default").ring.keys[0]
        secrets = secrets_of(ring, key)
    leak = tmp_path / "leak"
    leak.mkdir()
    for secret in secrets:
        (leak / "dump").write_bytes(b'{"d":"' + secret + b'"}')
        assert ("dump", secret) in found_in(leak, secrets)


def test_what_is_shredded_is_gone_from_the_database_sealed_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with jwturn.open(folder, issuer=ISSUER) as ring:
        key = ring.app.store.load("default").ring.keys[0]
        assert key.private is not None
        sealed = key.private.ciphertext
        spelled = {sealed, *spellings(sealed)}
        assert found_in(folder, spelled)
        ring.app.commands.promote("default", ANN, before_lead=True)
        ring.app.commands.revoke("default", ANN, kid=key.kid)
    assert found_in(folder, spelled) == set()

"""Interoperation with the openssl command, both ways, for every algorithm that the installed one knows."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

from jwturn.core.jwk import ALGS
from jwturn.core.secret import Secret
from jwturn.crypto.export import private_pem, public_pem
from jwturn.crypto.import_ import import_key
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import verify_key
from tests.crypto.keys import pair, verifier

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@cache
def known() -> tuple[str, ...]:
    named = openssl("list", "-public-key-algorithms").decode()
    post_quantum = tuple(alg for alg in ALGS if ALGS[alg].kty == "AKP" and alg in named)
    return (*(alg for alg in ALGS if ALGS[alg].kty in {"RSA", "EC", "OKP"}), *post_quantum)


def made_by_openssl(alg: str) -> bytes:
    if ALGS[alg].kty == "RSA":
        return openssl("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    if alg in CURVES:
        return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES[alg]}")
    return openssl("genpkey", "-algorithm", "ED25519" if ALGS[alg].kty == "OKP" else alg)


def digest_options(alg: str) -> list[str]:
    options = [f"-sha{alg[2:]}"]
    if alg.startswith("PS"):
        options += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    return options


def as_der(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = len(signature) // 2
    return encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )


def as_raw(der: bytes, size: int) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


@pytest.mark.parametrize("alg", known())
def test_a_key_of_openssl_is_imported_and_signs(alg):
    pem = made_by_openssl(alg)
    found = import_key(pem, alg=alg)
    assert found.private is not None
    assert found.public is not None
    signature = signer(alg, found.private).sign(b"x")
    assert verify_key(found.public, alg=alg).verify(b"x", signature)
    assert import_key(openssl("pkey", "-pubout", stdin=pem), alg=alg).public == found.public
    assert import_key(openssl("pkey", "-outform", "DER", stdin=pem), alg=alg).public == found.public


@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES384", "ES512"])
def test_the_older_forms_of_openssl_are_imported(alg):
    pem = made_by_openssl(alg)
    old = openssl("pkey", "-traditional", stdin=pem)
    assert b"BEGIN PRIVATE KEY" not in old
    assert import_key(old, alg=alg).public == import_key(pem, alg=alg).public


def test_a_curve_name_in_front_of_the_key_is_nothing():
    pem = openssl("ecparam", "-name", "prime256v1", "-genkey")
    assert pem.startswith(b"-----BEGIN EC PARAMETERS-----")
    assert import_key(pem).alg == "ES256"


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-128-cbc"])
def test_an_encrypted_key_of_openssl_is_imported(cipher):
    pem = made_by_openssl("ES256")
    locked = openssl("pkcs8", "-topk8", "-v2", cipher, "-passout", "pass:words", stdin=pem)
    assert import_key(locked, password=Secret(b"words")).public == import_key(pem).public


def test_a_scrypt_encrypted_key_of_openssl_is_imported():
    pem = made_by_openssl("EdDSA")
    locked = openssl("pkcs8", "-topk8", "-scrypt", "-passout", "pass:words", stdin=pem)
    assert import_key(locked, password=Secret(b"words")).public == import_key(pem).public


@pytest.mark.parametrize("alg", known())
def test_openssl_reads_what_is_exported(alg):
    made = pair(alg)
    assert made.public is not None
    spki = public_pem(made.public)
    assert openssl("pkey", "-pubin", "-pubout", stdin=spki) == spki
    assert openssl("pkey", "-pubout", stdin=private_pem(alg, made.private, password=None)) == spki


@pytest.mark.parametrize("alg", [alg for alg in known() if alg not in {"RS384", "RS512", "PS384", "PS512"}])
def test_openssl_opens_what_is_exported_encrypted(alg):
    made = pair(alg)
    assert made.public is not None
    spki = public_pem(made.public)
    locked = private_pem(alg, made.private, password=Secret(b"words"))
    assert openssl("pkey", "-passin", "pass:words", "-pubout", stdin=locked) == spki


@pytest.mark.parametrize("alg", [alg for alg in ALGS if ALGS[alg].kty in {"RSA", "EC"}])
def test_openssl_verifies_what_is_signed_here(alg, tmp_path: Path):
    made = pair(alg)
    assert made.public is not None
    signature = signer(alg, made.private).sign(b"header.payload")
    (tmp_path / "key.pem").write_bytes(public_pem(made.public))
    (tmp_path / "signature").write_bytes(as_der(signature) if alg in CURVES else signature)
    arguments = ["-verify", str(tmp_path / "key.pem"), "-signature", str(tmp_path / "signature")]
    assert b"OK" in openssl("dgst", *digest_options(alg), *arguments, stdin=b"header.payload")


@pytest.mark.parametrize("alg", [alg for alg in ALGS if ALGS[alg].kty in {"RSA", "EC"}])
def test_what_openssl_signs_is_verified_here(alg, tmp_path: Path):
    (tmp_path / "key.pem").write_bytes(private_pem(alg, pair(alg).private, password=None))
    made = openssl("dgst", *digest_options(alg), "-sign", str(tmp_path / "key.pem"), stdin=b"header.payload")
    signature = as_raw(made, {"ES256": 32, "ES384": 48, "ES512": 66}[alg]) if alg in CURVES else made
    assert verifier(alg).verify(b"header.payload", signature)


@pytest.mark.parametrize("alg", [alg for alg in known() if ALGS[alg].kty in {"OKP", "AKP"}])
def test_one_shot_signatures_agree_with_openssl(alg, tmp_path: Path):
    (tmp_path / "key.pem").write_bytes(private_pem(alg, pair(alg).private, password=None))
    (tmp_path / "data").write_bytes(b"header.payload")
    key, data, out = (str(tmp_path / name) for name in ("key.pem", "data", "signature"))
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", data, "-out", out)
    assert verifier(alg).verify(b"header.payload", Path(out).read_bytes())
    Path(out).write_bytes(signer(alg, pair(alg).private).sign(b"header.payload"))
    openssl("pkeyutl", "-verify", "-rawin", "-inkey", key, "-in", data, "-sigfile", out)


@pytest.mark.parametrize("alg", [alg for alg in ALGS if ALGS[alg].kty == "oct"])
def test_the_hmac_is_that_of_openssl(alg):
    made = pair(alg)
    options = ["-mac", "HMAC", "-macopt", f"hexkey:{made.private.reveal().hex()}", "-binary"]
    assert openssl("dgst", f"-sha{alg[2:]}", *options, stdin=b"x") == signer(alg, made.private).sign(b"x")


def test_rsa_pss_keys_of_openssl_are_imported():
    pem = openssl("genpkey", "-quiet", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    assert import_key(pem, alg="PS256").alg == "PS256"

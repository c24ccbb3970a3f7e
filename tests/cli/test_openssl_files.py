"""openssl reads what `export` writes and makes what `import` takes: files, through the command line."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.stage import Stage

LOUD = ("--i-want-the-private-key", "--reason", "escrow")
MADE = {
    "ES256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "RS256": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "EdDSA": ("-algorithm", "ED25519"),
}


def openssl(folder: Path, *arguments: str) -> bytes:
    """What openssl prints; it must succeed."""
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def password(empty: Stage) -> Stage:
    """A folder with a password in a private file."""
    (empty.folder / "pass").write_text("correct horse battery staple\n")
    (empty.folder / "pass").chmod(0o600)
    return empty


@pytest.mark.parametrize("alg", MADE)
def test_openssl_opens_an_exported_key_and_finds_the_public_half(password: Stage, alg: str) -> None:
    password.init("--alg", alg, "--set", "rsa_bits=2048")
    active = password.kids()[0]
    public = password.jwturn("export", active, "--format", "pem").out
    done = password.jwturn(
        "export", active, "--private", *LOUD, "--password-file", "pass", "--out", "key.pem"
    )
    assert done.code == 0
    assert (password.folder / "key.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    read = openssl(password.folder, "pkey", "-in", "key.pem", "-passin", "file:pass", "-pubout")
    assert read.decode() == public


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("alg", MADE)
def test_a_key_that_openssl_made_is_taken_in_and_signs(password: Stage, alg: str, encrypted: bool) -> None:
    password.init("--alg", alg, "--set", "rsa_bits=2048", "--set", "verifiers=jose")
    how = ("-aes-256-cbc", "-pass", "file:pass") if encrypted else ()
    openssl(password.folder, "genpkey", *MADE[alg], *how, "-out", "made.pem")
    opened = ("--password-file", "pass") if encrypted else ()
    done = password.jwturn(
        "import", "made.pem", "--alg", alg, "--kid", "theirs", *opened, "--published-since", "2029-12-01",
        "--reason", "it was in use elsewhere",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert "may sign" in done.out
    exported = password.jwturn("export", "theirs", "--format", "pem").out
    passin = ("-passin", "file:pass") if encrypted else ()
    assert openssl(password.folder, "pkey", "-in", "made.pem", *passin, "-pubout").decode() == exported


def test_a_wrong_password_is_said_and_nothing_enters(password: Stage) -> None:
    password.init()
    openssl(
        password.folder,
        "genpkey",
        *MADE["EdDSA"],
        "-aes-256-cbc",
        "-pass",
        "pass:another",
        "-out",
        "made.pem",
    )
    before = password.kids()
    done = password.jwturn("import", "made.pem", "--password-file", "pass")
    assert (done.code, "the password does not open the key" in done.err) == (65, True)
    assert password.kids() == before

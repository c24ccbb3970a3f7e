"""Forgeries that try to choose the key: confusion, other algorithms, keys in the header, tricks with kid.

SECURITY.md 1 and 2; CVE-2018-0114, CVE-2022-29217, CVE-2024-33663, CVE-2026-34950, CVE-2026-48526.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives import serialization as form

from jwturn.core.jwk import b64url, unb64url
from jwturn.crypto.public import public_key
from tests.security import mint
from tests.security.forged_form import Forged

KID_NOT_A_STRING: Final[tuple[Any, ...]] = (None, 0, 1, 1.5, True, False, [], {}, ["key-ES256"], {"kid": "x"})
KID_NO_NAME: Final = (
    "",
    "key-ES256\n",
    "key-ES256\0",
    "key\x7f",
    "key\x1b[31m",
    "key\u00e9",
    "key\u200b",
    "\u043aey-ES256",
    "k" * 257,
    "k" * 700,
)
KID_UNHEARD: Final = (
    "key-es256",
    "KEY-ES256",
    " key-ES256",
    "key-ES256 ",
    "key-ES25",
    "key-ES2566",
    "key-*",
    "../../../../dev/null",
    "/dev/null",
    "file:///dev/null",
    "https://evil.example/jwks.json",
    "' OR '1'='1",
    "x' UNION SELECT 'secret",
    "key-ES256; rm -rf .",
    "$(id)",
    "`id`",
    "%s%s%s%n",
    "{0.__class__}",
    "${jndi:ldap://evil.example/a}",
    "__proto__",
    "constructor",
    "__class__",
    "None",
    "null",
    "0",
    "k" * 256,
)


def public_texts(alg: str) -> dict[str, bytes]:
    """The public key of `alg` in every form in which somebody took one for an HMAC secret."""
    jwk = mint.public(alg)
    key = public_key({name: value for name, value in jwk.items() if name not in {"kid", "use"}}, alg=alg)
    spki = key.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    texts = {
        "PEM": pem,
        "PEM without its last line end": pem.strip(),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM behind blanks": b"\n \t" + pem,
        "PEM body": b"".join(pem.splitlines()[1:-1]),
        "DER": spki,
        "JWK": json.dumps(jwk).encode(),
        "JWK, compact": json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode(),
        "JWK set": json.dumps({"keys": [jwk]}).encode(),
        "the set": json.dumps(mint.jwks()).encode(),
    }
    for name in {"n", "x", "pub"} & jwk.keys():
        texts |= {f"the text of {name}": jwk[name].encode(), f"the bytes of {name}": unb64url(jwk[name])}
    if jwk["kty"] != "AKP":
        ssh = key.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
        texts |= {"SSH": ssh, "SSH with a comment": ssh + b" alice@example.com\n"}
    if jwk["kty"] == "RSA":
        texts["PKCS#1 PEM"] = key.public_bytes(form.Encoding.PEM, form.PublicFormat.PKCS1)
        texts["PKCS#1 DER"] = key.public_bytes(form.Encoding.DER, form.PublicFormat.PKCS1)
    if jwk["kty"] == "EC":
        point = form.PublicFormat.UncompressedPoint
        texts["the point"] = key.public_bytes(form.Encoding.X962, point)
    return texts


def guessed_secrets(alg: str) -> dict[str, bytes]:
    everybody = (
        b"",
        b"\0",
        b"secret",
        b"null",
        b"None",
        b"key",
        mint.kid(alg).encode(),
        mint.ISSUER.encode(),
    )
    return {f"the secret {text!r}": text for text in everybody}


def confused(alg: str, secret: bytes, digest: str, /, **members: Any) -> str:
    """A token with an HMAC under `secret`, for the key of `alg`."""
    signed = f"{mint.segment(mint.header(alg, **members))}.{mint.segment(mint.CLAIMS)}"
    return f"{signed}.{b64url(hmac.digest(secret, signed.encode(), digest))}"


def confusion() -> Iterator[Forged]:
    for alg in ("RS256", "PS384", "ES256", "ES512", "EdDSA", "Ed25519", "ML-DSA-44"):
        for name, secret in (public_texts(alg) | guessed_secrets(alg)).items():
            for bits in (256, 384, 512):
                token = confused(alg, secret, f"sha{bits}", alg=f"HS{bits}")
                yield Forged(f"HS{bits} under {name} of {alg}", token, "alg_mismatch")
            token = confused(alg, secret, "sha256")
            yield Forged(f"{alg} that is an HMAC under {name}", token, "signature_wrong")
            without = confused(alg, secret, "sha256", alg="HS256", kid=...)
            yield Forged(f"HS256 without kid under {name} of {alg}", without, "kid_missing")
    for alg in mint.HMAC:
        for name, secret in guessed_secrets(alg).items():
            token = confused(alg, secret, f"sha{alg[2:]}")
            yield Forged(f"{alg} under {name}", token, "signature_wrong")


def other_algorithms() -> Iterator[Forged]:
    for family in (mint.RSA, mint.EC, mint.OKP, mint.AKP, mint.HMAC):
        for key in family:
            for other in family:
                if other == key:
                    continue
                says = mint.over(
                    other, f"{mint.segment(mint.header(key, alg=other))}.{mint.segment(mint.CLAIMS)}"
                )
                yield Forged(f"{other} for the kid of {key}", says, "alg_mismatch")
                if {key, other} != set(mint.OKP):
                    is_other = mint.over(other, mint.signing_input(key))
                    yield Forged(f"{key} that is {other}", is_other, "signature_wrong")
    for key in mint.ONE_OF_EACH:
        for other in (*mint.PUBLIC, *mint.HMAC):
            if other != key:
                token = mint.token(key, alg=other)
                yield Forged(f"{key} that calls itself {other}", token, "alg_mismatch")


def other_keys() -> Iterator[Forged]:
    for alg in (*mint.PUBLIC, *mint.HMAC):
        token = mint.token(alg, whose="the attacker's")
        yield Forged(f"{alg} by another key under our kid", token, "signature_wrong")
        digest = hashlib.sha256(mint.signing_input(alg).encode()).digest()
        yield Forged(f"{alg} that is a plain digest", mint.with_signature(alg, digest), "signature_wrong")


def embedded() -> Iterator[Forged]:
    for alg in ("RS256", "ES256", "ES384", "EdDSA"):
        jwk = mint.public(alg, "the attacker's")
        der = base64.b64encode(public_texts(alg)["DER"]).decode()
        digest = b64url(hashlib.sha256(base64.b64decode(der)).digest())
        members: dict[str, dict[str, Any]] = {
            "jwk": {"jwk": jwk},
            "jwk without alg": {"jwk": {name: value for name, value in jwk.items() if name != "alg"}},
            "jku": {"jku": "http://127.0.0.1:9/jwks.json"},
            "jku of the issuer": {"jku": f"{mint.ISSUER}@evil.example/jwks.json"},
            "x5u": {"x5u": "file:///dev/null"},
            "x5c": {"x5c": [der]},
            "x5t": {"x5t": digest, "x5t#S256": digest},
            "all": {"jwk": jwk, "jku": "http://[::1]:9/", "x5c": [der], "x5u": "http://localhost:9/"},
        }
        for name, extra in members.items():
            for who, code in (
                (mint.kid(alg), "signature_wrong"),
                ("mine", "kid_unknown"),
                (..., "kid_missing"),
            ):
                token = mint.token(alg, whose="the attacker's", kid=who, **extra)
                yield Forged(f"{alg} with {name} in the header, kid {who}", token, code)
    oct_jwk = {"kty": "oct", "k": b64url(b"k" * 32), "alg": "HS256"}
    for who, code in ((mint.kid("HS256"), "signature_wrong"), ("mine", "kid_unknown"), (..., "kid_missing")):
        token = confused("HS256", b"k" * 32, "sha256", kid=who, jwk=oct_jwk)
        yield Forged(f"HS256 with a secret in the header, kid {who}", token, code)


def kids() -> Iterator[Forged]:
    for alg in ("ES256", "EdDSA", "HS256"):
        for value in KID_NOT_A_STRING:
            yield Forged(f"{alg} kid {value!r}", mint.token(alg, kid=value), "kid_malformed")
        yield Forged(f"{alg} without kid", mint.token(alg, kid=...), "kid_missing")
    for name in KID_NO_NAME:
        yield Forged(
            f"kid {name[:20]!a}, {len(name)} characters", mint.token("ES256", kid=name), "kid_malformed"
        )
    for name in KID_UNHEARD:
        yield Forged(f"kid {name[:40]!a}", mint.token("ES256", kid=name), "kid_unknown")
        empty = confused("HS256", b"", "sha256", kid=name)
        yield Forged(f"kid {name[:40]!a}, HMAC under nothing", empty, "kid_unknown")
    for other in ("ES384", "EdDSA", "RS256", "HS256"):
        token = mint.token("ES256", kid=mint.kid(other))
        yield Forged(f"ES256 under the kid of {other}", token, "alg_mismatch")


def every() -> Iterator[Forged]:
    for family in (confusion, other_algorithms, other_keys, embedded, kids):
        yield from family()

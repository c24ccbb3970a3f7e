"""Makes the tokens of joserfc and jwcrypto anew: `python -m tests.interop.foreign.make`.

Each library makes its own keys, exports them in its own way, and signs; `shapes.json` says what else stands
in headers, claims and keys. Private keys are never written. make.mjs does the same with the npm package jose.
"""

import base64
import json
import sys
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwcrypto.jwk
import jwcrypto.jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

HERE: Final = Path(__file__).parent
FILE: Final = HERE / "tokens.json"
SHAPES: Final[dict[str, Any]] = json.loads((HERE / "shapes.json").read_text("utf-8"))
CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
RSA_BITS: Final = 2048

Made = tuple[dict[str, Any], str]
"""A public JWK as the library exports it, and a token."""


def with_joserfc(alg: str, header: dict[str, Any], claims: dict[str, Any], jwk: dict[str, Any]) -> Made:
    """The library joserfc."""
    with warnings.catch_warnings():
        # It warns that RFC 9864 has a newer name than EdDSA.
        warnings.simplefilter("ignore", joserfc.errors.SecurityWarning)
        kinds: dict[str, Callable[[], Any]] = {
            "RSA": lambda: joserfc.jwk.RSAKey.generate_key(RSA_BITS),
            "EC": lambda: joserfc.jwk.ECKey.generate_key(CURVES[alg]),
            "OKP": lambda: joserfc.jwk.OKPKey.generate_key("Ed25519"),
        }
        key = kinds[kty(alg)]()
        told = {**header, "alg": alg}
        if told.get("kid") == "THUMBPRINT":
            told["kid"] = key.thumbprint()
        token = joserfc.jwt.encode(told, claims, key, algorithms=[alg])
    return {**key.as_dict(private=False), **jwk}, token


def with_jwcrypto(alg: str, header: dict[str, Any], claims: dict[str, Any], jwk: dict[str, Any]) -> Made:
    """The library jwcrypto."""
    kinds: dict[str, dict[str, Any]] = {
        "RSA": {"size": RSA_BITS},
        "EC": {"crv": CURVES.get(alg)},
        "OKP": {"crv": "Ed25519"},
    }
    key = jwcrypto.jwk.JWK.generate(kty=kty(alg), **kinds[kty(alg)])
    told = {**header, "alg": alg}
    if told.get("kid") == "THUMBPRINT":
        told["kid"] = key.thumbprint()
    token = jwcrypto.jwt.JWT(header=told, claims=claims)
    token.make_signed_token(key)
    return {**key.export_public(as_dict=True), **jwk}, token.serialize()


LIBRARIES: Final = {"joserfc": with_joserfc, "jwcrypto": with_jwcrypto}


def kty(alg: str) -> str:
    """The key type of an algorithm."""
    return {"RS": "RSA", "PS": "RSA", "ES": "EC"}.get(alg[:2], "OKP")


def made_by(library: str) -> dict[str, Any]:
    """What one library makes of every shape: a set, and a token for each."""
    keys, tokens = [], {}
    for name, shape in SHAPES["shapes"].items():
        claims = {"iss": SHAPES["issuer"], "sub": "alice", **shape["claims"]}
        jwk, tokens[name] = LIBRARIES[library](shape["alg"], shape["header"], claims, shape["jwk"])
        keys.append(with_certificate(jwk) if shape["alg"] == "RS256" else jwk)
    return {"made_by": f"{library} {version(library)}", "jwks": {"keys": keys}, "tokens": tokens}


def with_certificate(jwk: dict[str, Any]) -> dict[str, Any]:
    """A key with x5c and x5t (RFC 7517 section 4.7), as large providers publish it; another key signs it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login.example.com")])
    begins = datetime.fromtimestamp(SHAPES["at"]) - timedelta(days=1)  # noqa: DTZ006  # what x509 takes as UTC
    e, n = (int.from_bytes(base64.urlsafe_b64decode(jwk[of] + "=="), "big") for of in ("e", "n"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa.RSAPublicNumbers(e, n).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=3650))
        .sign(rsa.generate_private_key(65537, RSA_BITS), hashes.SHA256())
    )
    data = signed.public_bytes(serialization.Encoding.DER)
    digest = base64.urlsafe_b64encode(signed.fingerprint(hashes.SHA1())).rstrip(b"=")
    return {**jwk, "x5c": [base64.b64encode(data).decode()], "x5t": digest.decode()}


def main() -> int:
    """Writes tokens.json, what make.mjs wrote into it kept."""
    before = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    made = {**before, **{library: made_by(library) for library in LIBRARIES}}
    FILE.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

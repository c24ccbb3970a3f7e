"""How each library signs and verifies: keys parsed once where it allows that, iss, aud and exp checked.

Libraries are imported by name when they are asked for; one that is not installed, or does not know the
algorithm, gives none.
"""

import importlib
import secrets
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jwturn import LegacySecret, Verifier
from jwturn.core.claims import prepare
from jwturn.core.jwk import b64url
from jwturn.core.jws import header_segment, signing_input, token_of
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.private import private_key
from jwturn.crypto.sign import signer

ISSUER: Final = "https://auth.example.com"
AUDIENCE: Final = "https://api.example.com"
KID: Final = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
JTI: Final = "3Jv0cN2nQmKqfYV0m4TzGw"
TTL: Final = timedelta(hours=1)

Claims: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contender:
    """One library with one key: `sign` from a caller's claims, `verify` gives claims or raises."""

    sign: Callable[[Claims], str]
    verify: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Material:
    """A key in the forms that libraries take."""

    alg: str
    pair: KeyPair

    @property
    def header(self) -> dict[str, str]:
        """The header of its tokens."""
        return {"alg": self.alg, "kid": KID, "typ": "JWT"}

    @property
    def secret(self) -> bytes:
        """The bytes of an HMAC secret."""
        return self.pair.private.reveal()

    @property
    def private_pem(self) -> bytes:
        """PKCS#8."""
        key = private_key(self.alg, self.pair.private)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public_pem(self) -> bytes:
        """SubjectPublicKeyInfo."""
        key = private_key(self.alg, self.pair.private).public_key()
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def oct(self) -> dict[str, str]:
        """The JWK of an HMAC secret."""
        return {"kty": "oct", "k": b64url(self.secret)}

    @property
    def hashed(self) -> bool:
        """Whether it is an HMAC secret."""
        return self.pair.public is None


def contender(name: str, alg: str, pair: KeyPair) -> Contender | None:
    """The library of this name under this key; None where it is not installed or does not know `alg`."""
    try:
        return _MAKERS[name](Material(alg, pair))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("jwturn"):
            raise
        return None


def full(claims: Claims) -> Claims:
    """What other libraries are given to sign: they set no claims of their own."""
    now = int(time.time())
    return {"iss": ISSUER, **claims, "iat": now, "exp": now + 3600, "aud": AUDIENCE, "jti": JTI}


def verifier_for(alg: str, pair: KeyPair, *, memo: bool = True) -> Verifier:
    """Ours, offline; an HMAC secret belongs in no set, so it is a migration's secret beside one."""
    public = pair.public or generate("ES256").public
    key = {**(public or {}), "kid": KID if pair.public else "other", "use": "sig"}
    legacy = None
    if pair.public is None:
        legacy = LegacySecret(pair.private, alg=alg, kid=KID, until=datetime.now(UTC) + TTL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Verifier(
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks={"keys": [key]},
            leeway=timedelta(),
            token_ttl_max=TTL,
            memo=memo,
            legacy=legacy,
        )


def _jwturn(material: Material) -> Contender:
    header = header_segment(material.alg, KID, "JWT")
    sign_bytes = signer(material.alg, material.pair.private).sign

    def sign(claims: Claims) -> str:
        whole = prepare(
            claims, issuer=ISSUER, now=time.time(), ttl=TTL, ttl_max=TTL, jti=JTI, audience=AUDIENCE
        )
        data = signing_input(header, whole)
        return token_of(data, sign_bytes(data))

    return Contender(sign, verifier_for(material.alg, material.pair).verify)


def _pyjwt(material: Material) -> Contender:
    jwt, alg, allowed = importlib.import_module("jwt"), material.alg, [material.alg]
    key = jwt.get_algorithm_by_name(alg)
    private = material.secret if material.hashed else key.prepare_key(material.private_pem)
    public = material.secret if material.hashed else key.prepare_key(material.public_pem)

    def sign(claims: Claims) -> str:
        return str(jwt.encode(full(claims), private, alg, {"kid": KID}))

    def verify(token: str) -> Any:
        return jwt.decode(token, public, allowed, audience=AUDIENCE, issuer=ISSUER)

    return Contender(sign, verify)


def _joserfc(material: Material) -> Contender:
    jwt, jwk = importlib.import_module("joserfc.jwt"), importlib.import_module("joserfc.jwk")
    header, allowed = material.header, [material.alg]
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    if material.hashed:
        private = public = jwk.OctKey.import_key(material.oct)
    else:
        kind = {"RS": jwk.RSAKey, "ES": jwk.ECKey, "Ed": jwk.OKPKey}[material.alg[:2]]
        private, public = kind.import_key(material.private_pem), kind.import_key(material.public_pem)

    def sign(claims: Claims) -> str:
        return str(jwt.encode(header, full(claims), private, allowed))

    def verify(token: str) -> Any:
        claims = jwt.decode(token, public, allowed).claims
        registry.validate(claims)
        return claims

    return Contender(sign, verify)


def _authlib(material: Material) -> Contender:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jose = importlib.import_module("authlib.jose")
    jwt, header = jose.JsonWebToken([material.alg]), material.header
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }
    if material.hashed:
        private = public = jose.OctKey.import_key(material.secret)
    else:
        kind = {"RS": jose.RSAKey, "ES": jose.ECKey, "Ed": jose.OKPKey}[material.alg[:2]]
        private, public = kind.import_key(material.private_pem), kind.import_key(material.public_pem)

    def sign(claims: Claims) -> str:
        token: bytes = jwt.encode(header, full(claims), private)
        return token.decode()

    def verify(token: str) -> Any:
        claims = jwt.decode(token, public, claims_options=options)
        claims.validate()
        return claims

    return Contender(sign, verify)


def _jwcrypto(material: Material) -> Contender:
    jwk, jwt = importlib.import_module("jwcrypto.jwk"), importlib.import_module("jwcrypto.jwt")
    header, algs = material.header, [material.alg]
    wanted = {"iss": ISSUER, "aud": AUDIENCE, "exp": None}
    if material.hashed:
        private = public = jwk.JWK(**material.oct)
    else:
        private, public = jwk.JWK.from_pem(material.private_pem), jwk.JWK.from_pem(material.public_pem)

    def sign(claims: Claims) -> str:
        token = jwt.JWT(header=header, claims=full(claims), algs=algs)
        token.make_signed_token(private)
        return str(token.serialize())

    def verify(token: str) -> Any:
        return jwt.JWT(jwt=token, key=public, algs=algs, check_claims=wanted, expected_type="JWS").claims

    return Contender(sign, verify)


def _python_jose(material: Material) -> Contender | None:
    jwt, jwk = importlib.import_module("jose.jwt"), importlib.import_module("jose.jwk")
    if material.alg == "EdDSA":
        return None
    alg, allowed = material.alg, [material.alg]
    private = jwk.construct(material.secret if material.hashed else material.private_pem, alg)
    public = jwk.construct(material.secret if material.hashed else material.public_pem, alg)

    def sign(claims: Claims) -> str:
        return str(jwt.encode(full(claims), private, alg, {"kid": KID}))

    def verify(token: str) -> Any:
        return jwt.decode(token, public, allowed, audience=AUDIENCE, issuer=ISSUER)

    return Contender(sign, verify)


def _oxyjwt(material: Material) -> Contender:
    oxy = importlib.import_module("oxyjwt")
    alg, allowed, header = material.alg, [material.alg], {"kid": KID}
    if material.hashed:
        private = oxy.EncodingKey.from_secret(material.secret)
        public = oxy.DecodingKey.from_secret(material.secret)
    else:
        kind = {"RS": "rsa", "ES": "ec", "Ed": "ed"}[alg[:2]]
        private = getattr(oxy.EncodingKey, f"from_{kind}_pem")(material.private_pem)
        public = getattr(oxy.DecodingKey, f"from_{kind}_pem")(material.public_pem)

    def sign(claims: Claims) -> str:
        return str(oxy.encode(full(claims), private, alg, header))

    def verify(token: str) -> Any:
        return oxy.decode(token, public, allowed, audience=AUDIENCE, issuer=ISSUER)

    return Contender(sign, verify)


_MAKERS: Final[dict[str, Callable[[Material], Contender | None]]] = {
    "jwturn": _jwturn,
    "PyJWT": _pyjwt,
    "joserfc": _joserfc,
    "Authlib": _authlib,
    "jwcrypto": _jwcrypto,
    "python-jose": _python_jose,
    "oxyjwt": _oxyjwt,
}
NAMES: Final = tuple(_MAKERS)
PURE_PYTHON: Final = NAMES[1:-1]


def longer(claims: Claims) -> Claims:
    """Claims for a token of 600 to 900 characters."""
    return {**claims, "name": "Alice Example", "email": "alice@example.com", "session": secrets.token_hex(45)}

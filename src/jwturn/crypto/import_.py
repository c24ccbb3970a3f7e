"""Keys and secrets from elsewhere, in the one form that is sealed here: strict, or refused with the way out.

Whatever the input, what is raised is BadInput, WeakKey or TooLarge, without a byte of the input. A private
half is proved to be that of its public half before it is returned.
"""

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jwturn.core.errors import BadInput, TooLarge
from jwturn.core.jwk import ALGS
from jwturn.core.secret import Secret
from jwturn.crypto import import_jwk
from jwturn.crypto.algorithms import Ecdsa, Hmac, MlDsa, algorithm
from jwturn.crypto.import_oct import SIZE_MAX, SSH, TOKEN, check_secret
from jwturn.crypto.import_pem import Loaded, load_der, load_pem
from jwturn.crypto.private import PrivateKey, fits, pkcs8
from jwturn.crypto.public import PublicKey, octets, public_jwk
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import verify_key

_PRIVATE_KINDS: Final = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    *(row.private for row in map(algorithm, ALGS) if isinstance(row, MlDsa)),
)
_PUBLIC_KINDS: Final = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    *(row.public for row in map(algorithm, ALGS) if isinstance(row, MlDsa)),
)
_PROOF: Final = b"a private half is proved against its public half"


@dataclass(frozen=True, slots=True)
class Imported:
    """A key from elsewhere: its one alg, its kid if it had one, its halves, and what a person should know.

    `public` is the JWK without kid (None for oct); `private` is PKCS#8 DER or the bytes of an HMAC secret
    (None for a public key).
    """

    alg: str
    kid: str | None
    public: dict[str, str] | None
    private: Secret | None
    notes: tuple[str, ...] = ()


def import_key(data: bytes, *, alg: str | None = None, password: Secret | None = None) -> Imported:
    """The one key of a PEM, DER or JWK file.

    `alg` is needed where the key does not settle it (RSA; `Ed25519` in place of `EdDSA`); a JWK's own alg
    must equal it. `password` opens an encrypted PKCS#8 or a legacy encrypted PEM. Raises BadInput, WeakKey or
    TooLarge.
    """
    if alg is not None:
        algorithm(alg)
    if len(data) > SIZE_MAX:
        raise TooLarge(f"a key file of {len(data)} bytes is above {SIZE_MAX}", hint="is this a key?")
    text = data.strip()
    if text.startswith(b"{"):
        return _from_jwk(text, alg, password)
    _refuse_other_forms(text)
    loaded = load_pem(text, password) if text.startswith(b"-----BEGIN ") else load_der(data, password)
    return _from_loaded(loaded, alg)


def import_secret(data: bytes, *, alg: str) -> Imported:
    """An HMAC secret, the bytes as they are.

    Raises BadInput for an alg that is not HMAC, for key files and for text with blanks around it, WeakKey for
    a secret below the hash length, a published one, or one that can be guessed (SECURITY.md section 1).
    """
    row = algorithm(alg)
    if not isinstance(row, Hmac):
        raise BadInput(f"{alg} does not sign with a secret", hint="HS256, HS384 or HS512")
    return Imported(alg, None, None, Secret(data), check_secret(row, data))


def _refuse_other_forms(text: bytes) -> None:
    if SSH.match(text) or text.startswith(b"---- BEGIN"):
        raise BadInput("this is an SSH public key", hint="convert it: ssh-keygen -e -m PKCS8 -f FILE")
    if TOKEN.fullmatch(text):
        raise BadInput("this is a token or an encrypted JWE, not a key", hint="see: jwturn inspect")
    if not text.startswith((b"-----BEGIN ", b"0")):
        raise BadInput(
            "this is not a key file: neither PEM, DER nor a JWK",
            hint="for an HMAC secret: --secret --alg HS256",
        )


def _from_jwk(text: bytes, alg: str | None, password: Secret | None) -> Imported:
    if password is not None:
        raise BadInput("a JWK has no password", hint="leave the password out")
    members = import_jwk.parse(text)
    settled, kid = import_jwk.alg_of(members, alg), members.get("kid")
    if isinstance(algorithm(settled), Hmac):
        return _from_oct(members, settled, kid)
    public, private = import_jwk.halves(members, settled)
    return _proved(settled, kid, public, private)


def _from_oct(members: dict[str, Any], alg: str, kid: str | None) -> Imported:
    if members.get("kty") != "oct":
        raise BadInput(f"the JWK is not a key for {alg}", hint=f"{alg} needs kty oct")
    found = import_secret(octets(members, "k"), alg=alg)
    return Imported(alg, kid, None, found.private, found.notes)


def _from_loaded(loaded: Loaded, alg: str | None) -> Imported:
    if isinstance(loaded, _PRIVATE_KINDS):
        private: PrivateKey | None = loaded
        public: PublicKey = loaded.public_key()
    elif isinstance(loaded, _PUBLIC_KINDS):
        private, public = None, loaded
    else:
        raise BadInput(
            "a key of this type does not sign tokens here", hint=f"one for {', '.join(_asymmetric())}"
        )
    return _proved(_settled(public, alg), None, public, private)


def _settled(public: PublicKey, alg: str | None) -> str:
    fitting = [name for name in ALGS if fits(algorithm(name), public)]
    if alg is not None and alg not in fitting:
        names = ", ".join(fitting) or "no algorithm that is supported"
        raise BadInput(f"the key is not a key for {alg}", hint=f"it is one for {names}")
    if alg is None and isinstance(public, rsa.RSAPublicKey):
        raise BadInput("an RSA key does not say its alg", hint=f"--alg, one of {', '.join(fitting)}")
    if not fitting:
        curves = ", ".join(row.curve.name for row in map(algorithm, ALGS) if isinstance(row, Ecdsa))
        raise BadInput("an elliptic-curve key of another curve", hint=f"{curves} are supported")
    return alg or fitting[0]


def _proved(alg: str, kid: str | None, public: PublicKey, private: PrivateKey | None) -> Imported:
    jwk = public_jwk(alg, public)
    key = verify_key(jwk, alg=alg)
    if private is None:
        return Imported(alg, kid, jwk, None)
    half = pkcs8(private)
    if not key.verify(_PROOF, signer(alg, half).sign(_PROOF)):
        raise BadInput("the private half is not that of the public half", hint="the key is damaged")
    return Imported(alg, kid, jwk, half)


def _asymmetric() -> list[str]:
    return [name for name, facts in ALGS.items() if facts.kty != "oct"]

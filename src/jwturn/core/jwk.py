"""JSON Web Keys: which algorithms there are, base64url, thumbprints, and the sets we publish and read.

What we publish is picked from an allow-list of public members, then the very bytes are checked again: no
mistake in one of the two puts a private half on the network. What we read is one key at a time: a key we do
not know is passed over, one that should not be there is refused and named, and a set that holds a secret is
refused whole (SECURITY.md 7; RFC 7517, RFC 7518, RFC 7638, RFC 8037, RFC 9964).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from jwturn.core import strict_json
from jwturn.core.envelope import canonical
from jwturn.core.errors import BadInput, IntegrityError, TooLarge


class AlgFacts(Struct, frozen=True):
    """What an alg fixes: key type, curve or None, hash and least secret length in bytes (0: none)."""

    kty: str
    crv: str | None
    hash_bytes: int
    secret_bytes_min: int = 0


ALGS: Final[Mapping[str, AlgFacts]] = {
    "RS256": AlgFacts("RSA", None, 32),
    "RS384": AlgFacts("RSA", None, 48),
    "RS512": AlgFacts("RSA", None, 64),
    "PS256": AlgFacts("RSA", None, 32),
    "PS384": AlgFacts("RSA", None, 48),
    "PS512": AlgFacts("RSA", None, 64),
    "ES256": AlgFacts("EC", "P-256", 32),
    "ES384": AlgFacts("EC", "P-384", 48),
    "ES512": AlgFacts("EC", "P-521", 64),
    "EdDSA": AlgFacts("OKP", "Ed25519", 0),
    "Ed25519": AlgFacts("OKP", "Ed25519", 0),
    "HS256": AlgFacts("oct", None, 32, 32),
    "HS384": AlgFacts("oct", None, 48, 48),
    "HS512": AlgFacts("oct", None, 64, 64),
    "ML-DSA-44": AlgFacts("AKP", None, 0),
    "ML-DSA-65": AlgFacts("AKP", None, 0),
    "ML-DSA-87": AlgFacts("AKP", None, 0),
}

PUBLIC_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "RSA": frozenset({"kty", "n", "e"}),
    "EC": frozenset({"kty", "crv", "x", "y"}),
    "OKP": frozenset({"kty", "crv", "x"}),
    "AKP": frozenset({"kty", "alg", "pub"}),
}
"""The members that make up a public key; an RFC 7638 thumbprint is over exactly these."""

PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
SET_BYTES_MAX: Final = 512 * 1024

CODES: Final = {
    "base64_malformed": "not base64url: a stray character, padding, an impossible length or trailing bits",
    "kid_malformed": "a kid is a string of 1 to 256 printable ASCII characters",
    "jwk_malformed": "a member is missing or has the wrong type",
    "jwk_oct_thumbprint": "a thumbprint of a secret would publish its hash",
    "jwk_private": "the key has private members",
    "jwk_changed": "the kid was another key's before: its material or alg is not what it was",
    "jwk_duplicate_kid": "two keys of the set have the same kid",
    "jwk_unknown_kty": "the key type is not one of RSA, EC, OKP, AKP",
    "jwk_unknown_alg": "the algorithm is not one of ours, or the key does not say which it is for",
    "jwk_alg_mismatch": "the algorithm does not belong to the key's type or curve",
    "jwk_wrong_use": "use is not sig, or key_ops does not hold verify, names one twice or contradicts use",
    "jwks_malformed": "not a JSON object with a member `keys` that is a list of objects",
    "jwks_oct": "the set holds a symmetric key",
    "jwks_empty": "the set holds no usable key",
    "jwks_member": "a member is missing, or not in the allow-list of public members",
}
ALARMS: Final = frozenset({"jwk_private", "jwk_changed", "jwks_oct"})
"""The codes that a person must hear of: somebody published a secret, or put a key in place of another."""

_BASE64URL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_KID: Final = re.compile(r"[ -~]{1,256}", re.ASCII)
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_PLUS, _SLASH = b"+/"
_NOT_URL: Final = b'"='
_TO_STANDARD: Final = bytes(
    byte if byte in _BASE64URL[:62] else {45: 43, 95: 47}.get(byte, 33) for byte in range(256)
)
"""- and _ become + and /, and whatever is no base64url at all becomes one stray character."""
_PADDING: Final = (b'"', b'"', b'=="', b'="')
_decode_bytes: Final = msgspec.json.Decoder(bytes).decode
_encode_bytes: Final = msgspec.json.Encoder().encode
"""Strict base64 in a JSON string, there and back: less than half the time of binascii's strict mode."""
_LAST: Final = (b"", b"", _BASE64URL[::16], _BASE64URL[::4])
"""By length mod 4, the last characters whose unused bits are zero, so that encoding gives the input again."""
_ALG_OF_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}


def b64url_bytes(data: bytes) -> bytes:
    """base64url without padding (RFC 7515 section 2), as bytes."""
    text = _encode_bytes(data)
    if _PLUS in text or _SLASH in text:
        return text.translate(_TO_URL, _NOT_URL)
    return text.strip(_NOT_URL)


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return b64url_bytes(data).decode("ascii")


def unb64url(text: str) -> bytes:
    """The bytes of a base64url text; raises BadInput `base64_malformed` unless it is their one spelling."""
    try:
        return unb64url_bytes(text.encode("ascii"))
    except UnicodeEncodeError as error:
        raise _refused("base64_malformed") from error


def unb64url_reader(refusal: Callable[[], Exception]) -> Callable[[bytes], bytes]:
    """A function from base64url to its bytes, which raises `refusal()` unless it is their one spelling.

    The decoder finds strays and odd lengths, the last character stray bits. One frame, for the hot path.
    """
    decode, table, padding, lasts = _decode_bytes, _TO_STANDARD, _PADDING, _LAST

    def read(text: bytes) -> bytes:
        surplus = len(text) & 3
        if surplus and text[-1] not in lasts[surplus]:
            raise refusal()
        try:
            return decode(b'"' + text.translate(table) + padding[surplus])
        except msgspec.DecodeError as error:
            raise refusal() from error

    return read


unb64url_bytes: Final = unb64url_reader(lambda: _refused("base64_malformed"))
"""As unb64url, from bytes."""


def check_kid(kid: object) -> str:
    """The kid itself; raises BadInput `kid_malformed` unless it is 1 to 256 printable ASCII characters."""
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise _refused("kid_malformed", hint="ours are thumbprints; an imported kid must be plain ASCII")
    return kid


def thumbprint(public: Mapping[str, str]) -> str:
    """The RFC 7638 SHA-256 thumbprint (OKP: RFC 8037; AKP, alg included: RFC 9964); raises BadInput."""
    kty = public.get("kty", "")
    if kty == "oct":
        raise _refused("jwk_oct_thumbprint", hint="the kid of a secret is random")
    if kty not in PUBLIC_MEMBERS:
        raise _refused("jwk_unknown_kty")
    return b64url(hashlib.sha256(canonical(_public_members(public, kty))).digest())


def project(public: Mapping[str, str], *, kid: str, alg: str, exp: int | None = None) -> dict[str, str | int]:
    """The public JWK for a set: allow-listed members, kid, alg, use, and `exp` (Unix seconds) when given.

    Raises IntegrityError when the key has no public half, or alg is not for this type and curve.
    """
    try:
        members = _public_members(public, public.get("kty", ""))
        _check_alg(alg, members)
        projected: dict[str, str | int] = {**members, "kid": check_kid(kid), "alg": alg, "use": "sig"}
    except BadInput as error:
        raise _not_published(error.code, f"key {kid!r}: {error.message}") from error
    return projected if exp is None else {**projected, "exp": exp}


def jwks_bytes(keys: Sequence[Mapping[str, str | int]]) -> bytes:
    """The bytes of a set: the same for the same keys on every node, whatever order they come in."""
    return canonical({"keys": sorted(keys, key=lambda key: str(key.get("kid")))})


def check_public_bytes(jwks: bytes) -> None:
    """Raise IntegrityError unless these bytes are a set of public keys and nothing else (SECURITY.md 7)."""
    try:
        members = _members(jwks)
    except BadInput as error:
        raise _not_published(error.code, error.message) from error
    if members.keys() != {"keys"}:
        raise _not_published("jwks_member", CODES["jwks_member"])
    if not (keys := members["keys"]):
        raise _not_published("jwks_empty", CODES["jwks_empty"])
    for key in keys:
        _check_published(key)
    if len({key["kid"] for key in keys}) != len(keys):
        raise _not_published("jwk_duplicate_kid", CODES["jwk_duplicate_kid"])


class Jwk(Struct, frozen=True):
    """A public key read from a set: allow-listed members only, its one alg settled, `exp` in Unix seconds."""

    kid: str | None
    alg: str
    public: Mapping[str, str]
    exp: int | None


class RefusedKey(Struct, frozen=True):
    """A key of a set that is not used, and the code that says why; an alarm wants a person."""

    kid: object
    code: str

    @property
    def alarm(self) -> bool:
        """Whether a person must hear of it."""
        return self.code in ALARMS


class KeySet(Struct, frozen=True):
    """What a set gave: the keys to use, and those passed over."""

    keys: tuple[Jwk, ...]
    refused: tuple[RefusedKey, ...]


def parse_set(data: bytes, *, algorithms: Collection[str] | None = None) -> KeySet:
    """Read a published set strictly (SECURITY.md 2 and 7).

    `algorithms`, those expected of the issuer, settles the alg of RSA and OKP keys that do not say it. Raises
    TooLarge above 512 KiB, and BadInput when it is no set, holds a symmetric key, or holds no usable key.
    """
    if len(data) > SET_BYTES_MAX:
        raise TooLarge(f"a JWKS of {len(data)} bytes is above {SET_BYTES_MAX}", hint="is this URL the JWKS?")
    objects = _members(data)["keys"]
    if any(key.get("kty") == "oct" for key in objects):
        raise _refused("jwks_oct", hint="tell the issuer that a secret is public, and take another")
    names = Counter(kid for key in objects if isinstance(kid := key.get("kid"), str))
    keys, refused = [], []
    for members in objects:
        kid = members.get("kid")
        try:
            if isinstance(kid, str) and names[kid] > 1:
                raise _refused("jwk_duplicate_kid")
            keys.append(_read_key(members, algorithms))
        except BadInput as error:
            refused.append(RefusedKey(kid, error.code))
    if not keys:
        raise _refused("jwks_empty", refused=tuple(refused))
    return KeySet(tuple(keys), tuple(refused))


def _members(data: bytes) -> dict[str, Any]:
    """The members of a set; `keys` is there, and is a list of objects."""
    value = strict_json.loads(data)
    keys = value.get("keys") if isinstance(value, dict) else None
    if (
        not isinstance(value, dict)
        or not isinstance(keys, list)
        or not all(isinstance(k, dict) for k in keys)
    ):
        raise _refused("jwks_malformed", hint="is this the JWKS? An issuer's metadata names it as jwks_uri")
    return value


def _read_key(members: dict[str, Any], algorithms: Collection[str] | None) -> Jwk:
    if not PRIVATE_MEMBERS.isdisjoint(members):
        raise _refused("jwk_private")
    kty, exp = members.get("kty"), members.get("exp")
    if not isinstance(kty, str) or kty not in PUBLIC_MEMBERS:
        raise _refused("jwk_unknown_kty")
    _check_use(members)
    alg = members["alg"] if "alg" in members else _implied_alg(members, algorithms)
    public = _public_members(members, kty)
    if "exp" in members and type(exp) is not int:
        raise _refused("jwk_malformed")
    kid = check_kid(members["kid"]) if "kid" in members else None
    return Jwk(kid, _check_alg(alg, public), public, exp)


def _check_use(members: Mapping[str, Any]) -> None:
    """RFC 7517 sections 4.2 and 4.3: what both say must agree, and no operation is named twice."""
    if members.get("use", "sig") != "sig":
        raise _refused("jwk_wrong_use")
    if "key_ops" not in members:
        return
    named = members["key_ops"]
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise _refused("jwk_wrong_use")
    foreign = "use" in members and not {"sign", "verify"}.issuperset(named)
    if "verify" not in named or len(set(named)) != len(named) or foreign:
        raise _refused("jwk_wrong_use")


def _implied_alg(members: Mapping[str, Any], algorithms: Collection[str] | None) -> str | None:
    """The alg of a key that does not say it: by its curve, or the one RSA algorithm that is expected."""
    expected = algorithms or ()
    crv = members.get("crv")
    if members["kty"] == "RSA":
        named = [alg for alg in expected if alg in ALGS and ALGS[alg].kty == "RSA"]
        return named[0] if len(named) == 1 else None
    if crv == "Ed25519" and "Ed25519" in expected:
        return "Ed25519"
    return _ALG_OF_CURVE.get(crv) if isinstance(crv, str) else None


def _public_members(members: Mapping[str, Any], kty: str) -> dict[str, str]:
    public = {name: members.get(name) for name in PUBLIC_MEMBERS.get(kty, ())}
    if not public or not all(isinstance(value, str) and value for value in public.values()):
        raise _refused("jwk_malformed")
    strings = {name: str(value) for name, value in public.items()}
    for name in strings.keys() - {"kty", "crv", "alg"}:
        unb64url(strings[name])
    return strings


def _check_alg(alg: object, public: Mapping[str, str]) -> str:
    if not isinstance(alg, str) or alg not in ALGS:
        raise _refused("jwk_unknown_alg")
    facts = ALGS[alg]
    if (facts.kty, facts.crv) != (public["kty"], public.get("crv")) or public.get("alg", alg) != alg:
        raise _refused("jwk_alg_mismatch")
    return alg


def _check_published(key: Mapping[str, Any]) -> None:
    kty = key.get("kty")
    if kty == "oct":
        raise _not_published("jwks_oct", CODES["jwks_oct"])
    if not PRIVATE_MEMBERS.isdisjoint(key):
        raise _not_published("jwk_private", CODES["jwk_private"])
    if not isinstance(kty, str) or type(key.get("exp", 0)) is not int:
        raise _not_published("jwk_malformed", CODES["jwk_malformed"])
    if project(key, kid=key.get("kid", ""), alg=key.get("alg", ""), exp=key.get("exp")) != key:
        raise _not_published("jwks_member", CODES["jwks_member"])


def _refused(code: str, *, hint: str = "", **details: Any) -> BadInput:
    return BadInput(CODES[code], code=code, hint=hint or "the rules are those of RFC 7517", **details)


def _not_published(code: str, words: str) -> IntegrityError:
    return IntegrityError(
        f"this set must not be published: {words}",
        code=code,
        hint="nothing was published; `jwturn audit verify` shows whether the store was edited",
    )

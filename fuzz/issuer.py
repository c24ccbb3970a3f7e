"""The issuer of the targets: the keys of RFC 7515 appendix A and RFC 8037 appendix A, and good tokens.

Published keys, so that a saved input means the same in every run.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fuzz.target import must
from jwturn.core.jwk import PRIVATE_MEMBERS, b64url_bytes, unb64url
from jwturn.core.rules import Rules
from jwturn.core.secret import Secret
from jwturn.crypto.import_jwk import halves
from jwturn.crypto.private import pkcs8
from jwturn.crypto.sign import Signer, signer
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key
from tests.crypto.rfc_vectors import VECTORS

NOW: Final = 1_800_000_000.0
RULES: Final = Rules(issuer="https://a.example", audience=frozenset({"orders"}))
CLAIMS: Final = {
    "iss": "https://a.example",
    "aud": "orders",
    "sub": "alice",
    "iat": 1_799_999_990,
    "exp": 1_800_000_600,
}
KIDS: Final = ("HS256", "ES256", "EdDSA", "RS256")


def _keys() -> tuple[dict[str, Signer], dict[str, VerifyKey], dict[str, dict[str, Any]]]:
    signers: dict[str, Signer] = {}
    keys: dict[str, VerifyKey] = {}
    publics: dict[str, dict[str, Any]] = {}
    for kid in KIDS:
        members = VECTORS[kid][0]
        if kid == "HS256":
            secret = Secret(unb64url(members["k"]))
            signers[kid], keys[kid] = signer(kid, secret), hmac_key(kid, secret)
            continue
        private = halves(members, kid)[1]
        must(private is not None, "the vector has no private half", kid)
        signers[kid] = signer(kid, pkcs8(private))  # type: ignore[arg-type]  # it is there
        publics[kid] = {name: value for name, value in members.items() if name not in PRIVATE_MEMBERS}
        keys[kid] = verify_key(publics[kid], alg=kid)
    return signers, keys, publics


SIGNERS, KEYS, PUBLICS = _keys()
SET: Final = {"keys": [{**members, "kid": kid, "alg": kid} for kid, members in PUBLICS.items()]}


def text_of(claims: Mapping[str, object]) -> bytes:
    """Compact JSON, as issuers write it."""
    return json.dumps(claims, separators=(",", ":")).encode()


def ambiguous() -> Iterable[bytes]:
    """Good claims in which a member comes twice, in the ways that a quick reading might overlook."""
    rest = text_of(CLAIMS)[1:]
    for more in (
        *(
            b'"sub":"admin"',
            b'"s\\u0075b":"admin"',
            b'"iss":"https://a.example"',
            b'"x":1,"x":1',
            b'"":1,"":2',
        ),
        *(
            b'"x":{"y":1,"y":2}',
            b'"x":[{"y":1,"y":2}]',
            b'"x:":":","x:":1',
            b'"x":"\\"","x":"\\""',
            b'"sub" : 1',
        ),
    ):
        yield b"{" + more + b"," + rest
        yield text_of(CLAIMS)[:-1] + b"," + more + b"}"


def token_of(header: bytes, payload: bytes, kid: str) -> bytes:
    """A token truly signed over anything."""
    signed = b64url_bytes(header) + b"." + b64url_bytes(payload)
    return signed + b"." + b64url_bytes(SIGNERS[kid].sign(signed))


def _good(kid: str, **more: object) -> bytes:
    header = json.dumps({"alg": kid, "kid": kid, "typ": "JWT"}, separators=(",", ":"))
    return token_of(header.encode(), json.dumps({**CLAIMS, **more}, separators=(",", ":")).encode(), kid)


GOOD: Final = tuple(_good(kid, jti=str(number)) for kid in KIDS for number in range(3))
SIGNED: Final = frozenset(token.rpartition(b".")[0] for token in GOOD)

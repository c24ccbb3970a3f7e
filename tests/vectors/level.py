"""A token judged at the level of JWS: for vectors whose payload is no set of claims."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jwturn.core import jws
from jwturn.core.errors import TokenRefused
from jwturn.core.jwk import unb64url
from jwturn.core.secret import Secret
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key


def stored(name: str) -> dict[str, Any]:
    """The vectors of a file beside this one; it names its source."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / name).read_text("utf-8"))
    assert found["source"]
    return found


def key_of(jwk: Mapping[str, Any], alg: str) -> VerifyKey:
    """The verification key of a JWK, secrets among them, from its public members."""
    if jwk["kty"] == "oct":
        return hmac_key(alg, Secret(unb64url(jwk["k"])))
    private = {"d", "p", "q", "dp", "dq", "qi", "priv"}
    public = {name: value for name, value in jwk.items() if name not in private}
    return verify_key(public, alg=alg)


def code_of(token: str, keys: Mapping[Any, VerifyKey]) -> str:
    """The code of a refusal by RFC 7515 section 5.2, or nothing if the signature holds."""
    try:
        parts = jws.split(token)
    except TokenRefused as refused:
        return refused.code
    key = keys.get(parts.header.kid)
    if key is None or key.alg != parts.header.alg:
        return "alg_mismatch" if key else "kid_unknown"
    return "" if key.verify(parts.signing_input, parts.signature) else "signature_wrong"

"""How each library takes a key out of a published set, as strictly as its options allow."""

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Final

import joserfc.jwk
import jwt
from jwcrypto.jwk import JWKSet

from jwturn.core.errors import BadInput
from jwturn.verifier.keys import Opened, open_set

Take = Callable[[bytes, str, str], object]
"""Of a set's bytes: the key with this kid for this alg, ready to verify; raises otherwise."""


def opened(data: bytes, alg: str) -> Opened | None:
    """Ours, where one algorithm is expected; None for a set that is refused."""
    try:
        return open_set(data, algorithms=frozenset({alg}))
    except BadInput:
        return None


def ours_takes(data: bytes, kid: str, alg: str) -> bool:
    """Whether ours would verify with this key."""
    found = opened(data, alg)
    return found is not None and kid in found.keys and found.keys[kid].alg == alg


def _pyjwt(data: bytes, kid: str, alg: str) -> object:
    key = jwt.PyJWKSet.from_json(data.decode())[kid]
    _require(alg == key.algorithm_name and key.public_key_use in {None, "sig"})
    prepared = key.Algorithm.prepare_key(key.key)
    _require(not key.Algorithm.check_key_length(prepared))
    return prepared


def _joserfc(data: bytes, kid: str, alg: str) -> object:
    key = joserfc.jwk.KeySet.import_key_set(json.loads(data)).get_by_kid(kid)
    key.check_alg(alg)
    key.check_use("sig")
    return key.get_op_key("verify")


def _jwcrypto(data: bytes, kid: str, alg: str) -> object:
    (key,) = JWKSet.from_json(data.decode()).get_keys(kid)
    _require(key.get("alg", alg) == alg)
    return key.get_op_key("verify", key.get("crv"))


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("not a key for this")


IMPORTERS: Final[Mapping[str, Take]] = {"PyJWT": _pyjwt, "joserfc": _joserfc, "jwcrypto": _jwcrypto}


def takes(library: str, data: bytes, kid: str, alg: str) -> bool:
    """Whether a library would verify with this key; whatever it raises is a refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            IMPORTERS[library](data, kid, alg)
        except Exception:  # noqa: BLE001  # as in others.verdict
            return False
    return True

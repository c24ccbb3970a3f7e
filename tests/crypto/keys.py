"""Keys that several tests share: each is made once for a test run."""

from functools import cache
from typing import Final

from jwturn.core.jwk import ALGS
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key

ASYMMETRIC: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty != "oct")
SYMMETRIC: Final = tuple(alg for alg, facts in ALGS.items() if facts.kty == "oct")


@cache
def pair(alg: str) -> KeyPair:
    return generate(alg, rsa_bits=2048)


@cache
def verifier(alg: str) -> VerifyKey:
    made = pair(alg)
    return hmac_key(alg, made.private) if made.public is None else verify_key(made.public, alg=alg)

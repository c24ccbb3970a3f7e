"""Every behaviour that SECURITY.md sections 1 to 6 state, and what section 7 states of reading a set.

A row is a short title; its tests are those of the section's file whose names begin with it.
"""

from collections.abc import Mapping
from typing import Final

ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "test_1_algorithm": (
        "none is not implemented",
        "alg is a registered name byte for byte",
        "a key has exactly one alg for life",
        "the alg of the header is that of the key and allowed",
        "nothing is guessed to be a key",
        "key text is no secret",
        "a short secret is an error",
        "a generated secret has 256 bits or more",
        "a known or guessable secret is refused",
        "ed25519 has two spellings",
        "what is supported",
        "akp keys have a set of their own",
    ),
    "test_2_which_key": (
        "keys in a header are never read",
        "kid is a short printable string",
        "kid is only a name",
        "a kid is escaped and cut in logs",
        "a token without kid is refused",
        "a jwk without alg",
        "the issuer is chosen from configuration",
        "no trial over all keys",
        "the memo is keyed by the whole token",
        "a memo hit checks time policy and set",
        "a key is bound to its ring",
    ),
    "test_3_header": (
        "crit is refused",
        "b64 is refused",
        "zip is refused",
        "jwe is refused",
        "json serialization is refused",
        "cty jwt is refused",
        "the expected typ is part of the call",
        "typ is compared lower cased and stripped",
        "our signer sets typ",
    ),
    "test_4_encoding": (
        "length comes first",
        "exactly two dots",
        "each segment is base64url",
        "stray trailing bits are refused",
        "strict utf 8",
        "duplicate members are refused",
        "numbers are finite and short",
        "depth is bounded before parsing",
    ),
    "test_5_signature": (
        "ecdsa signatures have one length",
        "r and s are in range",
        "a signature is no identity",
        "ed25519 points of small order are refused",
        "ed25519 keys are canonical",
        "rsa keys are of good sizes",
        "rsa keys of weak forms are refused",
        "the pss salt is as long as the hash",
        "an rsa signature is as long as the modulus",
        "tags are compared in constant time",
    ),
    "test_6_claims": (
        "exp is required",
        "times are finite numbers",
        "expired tokens are refused",
        "tokens from the future are refused",
        "exp is after iat",
        "the lifetime is bounded",
        "exp above the bound of the key",
        "iss is an exact string",
        "aud names this audience exactly",
        "sub and jti are strings",
        "unknown claims pass",
    ),
    "test_7_reading": (
        "a private member refuses the key with an alarm",
        "oct refuses the set",
        "a duplicate kid refuses both",
        "an unknown kty or alg is skipped",
        "wrong use or key ops is refused",
        "a set has at most 512 kib",
        "no set at all",
    ),
}


def prefix(row: str) -> str:
    """How the names of a row's tests begin."""
    return "test_" + row.replace(" ", "_")

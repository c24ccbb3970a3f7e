"""HMAC with the padded key hashed once: each call copies the two states (RFC 2104 section 4)."""

import hashlib
from collections.abc import Callable
from typing import Final

from jwturn.core.errors import WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Hmac

_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def mac(digest: str, key: bytes) -> Callable[[bytes], bytes]:
    """A function from data to its HMAC under `key`, `digest` being one of hashlib's names."""
    empty = hashlib.new(digest, usedforsecurity=True)
    padded = (key if len(key) <= empty.block_size else hashlib.new(digest, key).digest()).ljust(
        empty.block_size, b"\0"
    )
    inner = hashlib.new(digest, padded.translate(_INNER)).copy
    outer = hashlib.new(digest, padded.translate(_OUTER)).copy

    def authenticate(data: bytes) -> bytes:
        first, second = inner(), outer()
        first.update(data)
        second.update(first.digest())
        return second.digest()

    return authenticate


def hmac_secret(row: Hmac, private: Secret) -> bytes:
    """The bytes of an HMAC secret; raises WeakKey below the hash length (RFC 7518 section 3.2)."""
    if len(private) < row.secret_min:
        raise WeakKey(
            f"an HMAC secret of {len(private)} bytes: {row.name} needs {row.secret_min} or more",
            hint="let jwturn make one, or: openssl rand -base64 48 | tr -d '\\n'",
        )
    return private.reveal()

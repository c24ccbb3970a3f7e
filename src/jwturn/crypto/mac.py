"""HMAC with the padded key hashed once: each call copies the two states (RFC 2104 section 4)."""

import hashlib
from collections.abc import Callable
from typing import Final

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

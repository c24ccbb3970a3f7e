"""The envelope of a private half, and the canonical bytes that bind it to its place.

AES-256-GCM under a fresh data-encryption key (DEK); the DEK is wrapped by one or more key-encryption keys
(KEK). Both layers carry the same associated data, so a ciphertext moved to another store, ring, kid,
algorithm or public half does not open. Ids are immutable, so the binding never has to be rewritten.
"""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

FORMAT = 1


class Wrap(Struct, frozen=True):
    """One KEK's wrap of a DEK; `kek` is the KEK's fingerprint, which says which provider opens it."""

    kek: str
    wrapped: bytes


class Envelope(Struct, frozen=True):
    """A sealed private half: nonce and ciphertext (with its tag), and every wrap of its DEK."""

    format: int
    nonce: bytes
    ciphertext: bytes
    wraps: tuple[Wrap, ...]

    def __repr__(self) -> str:
        return f"Envelope(format={self.format}, wraps={[wrap.kek for wrap in self.wraps]})"


def canonical(value: object) -> bytes:
    """One spelling of a JSON value: members sorted by name, no spaces, UTF-8. Numbers should be integers."""
    return msgspec.json.encode(value, order="deterministic")


def associated_data(
    *, store_id: str, ring_id: str, kid: str, alg: str, public: Mapping[str, str] | None
) -> bytes:
    """The bytes that both layers of an envelope are bound to (`public` is None for oct)."""
    digest = "" if public is None else hashlib.sha256(canonical(dict(public))).hexdigest()
    return canonical([FORMAT, store_id, ring_id, kid, alg, digest])

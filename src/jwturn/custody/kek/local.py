"""A KEK whose 32 bytes are in this process, and the one line of text in which they are kept.

The line is `jwturn-kek-1 KEY CHECKSUM`: a tag with the version, the key in base64url, and the first 8
hexadecimal digits of the SHA-256 of what stands before, so that a truncated or edited file is noticed
instead of being a wrong KEK.
"""

import hashlib
import re
from typing import Final, NoReturn

from jwturn.core.errors import BadInput, CustodyError
from jwturn.core.jwk import b64url, unb64url
from jwturn.core.secret import Secret
from jwturn.crypto.seal import KEY_BYTES, fingerprint, unwrap_aes, wrap_aes

TAG: Final = "jwturn-kek-1"
LINE_BYTES_MAX: Final = 256
_LINE: Final = re.compile(r"jwturn-kek-1 ([A-Za-z0-9_-]+) ([0-9a-f]{8})\n?")


class LocalKek:
    """Wraps with AES-256-GCM under a key in memory; no repr, pickle or copy gives it away."""

    __slots__ = ("_key", "fingerprint")

    fingerprint: str
    """16 hexadecimal digits that say nothing of the key."""

    def __init__(self, key: Secret) -> None:
        self._key = key
        self.fingerprint = fingerprint(key)

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """The DEK, encrypted and bound to `aad`."""
        return wrap_aes(self._key, dek, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """The DEK; raises IntegrityError if it was not wrapped by this KEK under `aad`."""
        return unwrap_aes(self._key, wrapped, aad)

    def __repr__(self) -> str:
        return f"LocalKek({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("KEKs cannot be pickled or copied")


def key_line(key: Secret) -> bytes:
    """The key as the line that a KEK file holds."""
    said = f"{TAG} {b64url(key.reveal())}"
    return f"{said} {_checksum(said)}\n".encode("ascii")


def read_line(data: bytes, where: str) -> LocalKek:
    """The KEK of a line; `where` names it in errors. Raises CustodyError unless it is whole and unedited."""
    found = _LINE.fullmatch(data.decode("ascii", "replace"))
    if found is None:
        raise _malformed(where, _what_it_is(data))
    if found[2] != _checksum(f"{TAG} {found[1]}"):
        raise _malformed(where, "its checksum does not fit: it was edited or damaged")
    try:
        key = Secret(unb64url(found[1]))
    except BadInput:
        raise _malformed(where, "its key is not base64url") from None
    if len(key) != KEY_BYTES:
        raise _malformed(where, f"its key has {len(key)} bytes, not {KEY_BYTES}")
    return LocalKek(key)


def _checksum(said: str) -> str:
    return hashlib.sha256(said.encode("ascii")).hexdigest()[:8]


def _what_it_is(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data.startswith(b"SQLite format 3\0"):
        return "it is a database; a KEK lies outside of what it protects"
    if data.startswith(TAG.encode("ascii")):
        return "it is truncated or was edited"
    return f"it does not begin with {TAG}"


def _malformed(where: str, why: str) -> CustodyError:
    return CustodyError(
        f"{where} is not a KEK: {why}",
        hint="restore the copy of the KEK that is kept elsewhere; without it the keys of the store are lost",
    )

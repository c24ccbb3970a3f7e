"""Bytes that must not get out: no repr, no str, no pickle, no equality, no hash.

Only `reveal()` gives them.

CPython cannot promise that memory is zeroed, so this keeps secrets out of logs, tracebacks and comparisons
rather than out of memory (SECURITY.md says so).
"""

from typing import NoReturn


class Secret:
    """A private half (PKCS#8 DER) or the bytes of an HMAC secret."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes. Every call is a place to review."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __hash__ = None  # type: ignore[assignment]  # a hash would be an equality oracle

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are compared by hmac.compare_digest on reveal(), never by ==")

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled or copied")

"""What a key-encryption key can do, wherever it lives: a file, a passphrase, a credential, a KMS."""

from typing import Protocol


class Kek(Protocol):
    """Wraps and unwraps data-encryption keys; never shows its own key."""

    @property
    def fingerprint(self) -> str:
        """A short public identifier; the same for every process that holds this KEK."""

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """The DEK, encrypted and bound to `aad`; raises CustodyError or Unavailable."""

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """The DEK; raises IntegrityError if it was not wrapped so, or CustodyError, Unavailable."""

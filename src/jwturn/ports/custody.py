"""The port of custody: where private halves live."""

from dataclasses import dataclass
from typing import Protocol

from jwturn.core.envelope import Envelope
from jwturn.core.keys import Key
from jwturn.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Made:
    """A key just made or taken in: its kid, its public JWK (None for oct) and its private half, sealed.

    `private` is None where only the public half came.
    """

    kid: str
    alg: str
    public: dict[str, str] | None
    private: Envelope | None


class Signer(Protocol):
    """Signs with one key. It never shows the key."""

    @property
    def alg(self) -> str:
        """The key's one algorithm."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The JWS signature of `data`, encoded as RFC 7518 says."""
        ...


class Custody(Protocol):
    """Private halves. `ring_id` is part of what binds a half to its place."""

    def create(self, alg: str, ring_id: str, *, rsa_bits: int = 3072, printable: bool = False) -> Made:
        """A new key. The kid is its RFC 7638 thumbprint (oct: random). Raises CustodyError."""
        ...

    def adopt(
        self, alg: str, ring_id: str, *, private: Secret, public: dict[str, str] | None, kid: str | None
    ) -> Made:
        """Seals a key made elsewhere; a given kid is kept."""
        ...

    def open(self, key: Key, ring_id: str) -> Signer:
        """The signer of a key.

        Raises CustodyError (wrong KEK), IntegrityError (the half is not this key's).
        """
        ...

    def reveal(self, key: Key, ring_id: str) -> Secret:
        """The private half itself: for HMAC secrets that verifiers share, and for loud exports."""
        ...

    def destroy(self, key: Key, ring_id: str) -> None:
        """Ends what the custody itself holds of the key.

        Nothing where the half lies in the store's envelope.
        """
        ...

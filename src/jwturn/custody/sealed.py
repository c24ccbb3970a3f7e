"""Custody in envelopes: private halves lie sealed in the store, and only a KEK that is not there opens them.

An envelope is bound to store, ring, kid, alg and public half (core/envelope.py). On opening, the binding
is computed from the key's own fields and the public half is derived again from the private one, so a row
that was planted, edited or swapped does not sign.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from jwturn.core.envelope import associated_data
from jwturn.core.errors import BadInput, CustodyError, IntegrityError, StateForbids
from jwturn.core.jwk import ALGS, b64url, check_kid, thumbprint
from jwturn.core.keys import Key
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.crypto.private import private_key
from jwturn.crypto.public import public_jwk
from jwturn.crypto.seal import seal, unseal
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import hmac_key, verify_key
from jwturn.ports.custody import Made, Signer
from jwturn.ports.kek import Kek

KID_BYTES: Final = 16
_PROOF: Final = b"a sealed private half signs for its public half"


class SealedCustody:
    """Private halves of one store, each in an envelope that any of `keks` opens."""

    def __init__(self, store_id: str, keks: Sequence[Kek]) -> None:
        self._store_id = store_id
        self._keks = tuple(keks)

    def __repr__(self) -> str:
        return f"SealedCustody({self._store_id!r}, keks={[kek.fingerprint for kek in self._keks]})"

    def create(self, alg: str, ring_id: str, *, rsa_bits: int = 3072, printable: bool = False) -> Made:
        """A new key. Its kid is the RFC 7638 thumbprint (oct: 128 random bits). Raises BadInput.

        One that begins with a dash, as one in 64 does, is drawn again: on a command line it is an option.
        """
        while True:
            pair = generate(alg, rsa_bits=rsa_bits, printable=printable)
            kid = _own_kid(pair.public)
            if not kid.startswith("-"):
                return self._made(ring_id, alg, kid, pair.public, private=pair.private)

    def adopt(
        self, alg: str, ring_id: str, *, private: Secret, public: dict[str, str] | None, kid: str | None
    ) -> Made:
        """Seals a key made elsewhere; a given kid is kept.

        Raises BadInput if the halves do not belong together or to `alg`, WeakKey, CustodyError.
        """
        derived = _public_half(alg, private)
        if (public is None) != (derived is None) or (
            public is not None and derived is not None and thumbprint(public) != thumbprint(derived)
        ):
            raise BadInput(
                "the private half is not that of the public half",
                hint="import the key as one file: jwturn import",
                code="halves_differ",
            )
        kid = _own_kid(derived) if kid is None else check_kid(kid)
        return self._made(ring_id, alg, kid, derived, private=private)

    def open(self, key: Key, ring_id: str) -> Signer:
        """The signer of a key.

        Raises CustodyError (no KEK of this store), IntegrityError (the half is not this key's),
        StateForbids (the key has no private half).
        """
        return signer(key.alg, self.reveal(key, ring_id))

    def reveal(self, key: Key, ring_id: str) -> Secret:
        """The private half: PKCS#8 DER, or the bytes of an HMAC secret. Raises as `open` does."""
        if key.private is None:
            raise StateForbids(
                f"key {key.kid} has no private half any more: it was shredded, or only its public half came",
                hint="jwturn keys shows which keys can sign",
            )
        private = unseal(key.private, self._aad(ring_id, key.kid, key.alg, key.public), self._keks)
        if _derived_again(key, private) != key.public:
            raise _planted(key.kid)
        return private

    def destroy(self, key: Key, ring_id: str) -> None:
        """Nothing: the half lies in the store's envelope, and the store deletes that row."""

    def _made(
        self, ring_id: str, alg: str, kid: str, public: dict[str, str] | None, *, private: Secret
    ) -> Made:
        aad = self._aad(ring_id, kid, alg, public)
        envelope = seal(private, aad, self._keks)
        opened = unseal(envelope, aad, self._keks)
        key = hmac_key(alg, private) if public is None else verify_key(public, alg=alg)
        if not key.verify(_PROOF, signer(alg, opened).sign(_PROOF)):
            raise CustodyError(
                "a key just sealed does not sign for its public half", hint="nothing was stored"
            )
        return Made(kid, alg, public, envelope)

    def _aad(self, ring_id: str, kid: str, alg: str, public: Mapping[str, str] | None) -> bytes:
        return associated_data(store_id=self._store_id, ring_id=ring_id, kid=kid, alg=alg, public=public)


def _own_kid(public: Mapping[str, str] | None) -> str:
    return b64url(secrets.token_bytes(KID_BYTES)) if public is None else thumbprint(public)


def _public_half(alg: str, private: Secret) -> dict[str, str] | None:
    if alg in ALGS and ALGS[alg].kty == "oct":
        return None
    return public_jwk(alg, private_key(alg, private).public_key())


def _derived_again(key: Key, private: Secret) -> dict[str, str] | None:
    try:
        return _public_half(key.alg, private)
    except BadInput as error:
        raise _planted(key.kid) from error


def _planted(kid: str) -> IntegrityError:
    return IntegrityError(
        f"the private half of key {kid} is not that of its public half",
        hint="somebody edited the store: jwturn audit verify, then restore it from a backup",
    )

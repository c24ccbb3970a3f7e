"""Seal a private half in an envelope and open it again; the local half of a KEK.

AES-256-GCM (NIST SP 800-38D) on both layers, a fresh data-encryption key (DEK) per private half, random
96-bit nonces, the same associated data on both (core/envelope.py). A local KEK is never used as a key itself:
HKDF (RFC 5869) makes one key to wrap with and one short public fingerprint of it, so neither says anything of
the other.
"""

import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jwturn.core.envelope import FORMAT, Envelope, Wrap
from jwturn.core.errors import CustodyError, IntegrityError
from jwturn.core.secret import Secret
from jwturn.ports.kek import Kek

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


def seal(private: Secret, aad: bytes, keks: Sequence[Kek]) -> Envelope:
    """An envelope that any of `keks` opens, opened once by each before it is returned.

    Raises CustodyError without a KEK or if one cannot open what it wrapped; whatever a KEK raises passes
    through.
    """
    if not keks:
        raise CustodyError("no KEK to seal with", hint="name one: jwturn config show")
    dek, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
    ciphertext = AESGCM(dek).encrypt(nonce, private.reveal(), aad)
    wraps = tuple(Wrap(kek.fingerprint, kek.wrap(dek, aad)) for kek in keks)
    envelope = Envelope(FORMAT, nonce, ciphertext, wraps)
    for kek in keks:
        if not hmac.compare_digest(unseal(envelope, aad, [kek]).reveal(), private.reveal()):
            raise CustodyError(
                f"KEK {kek.fingerprint} does not open what it sealed", hint="nothing was stored"
            )
    return envelope


def unseal(envelope: Envelope, aad: bytes, keks: Sequence[Kek]) -> Secret:
    """The private half of an envelope, opened by the first of `keks` that it names.

    Raises CustodyError, naming the fingerprints wanted and offered, if it names none of them, and
    IntegrityError if the envelope or its place was changed.
    """
    if envelope.format != FORMAT:
        raise IntegrityError(
            f"envelope format {envelope.format} is not known", hint="use the jwturn that wrote it"
        )
    dek = _dek(envelope, aad, keks)
    return Secret(_decrypt(dek, envelope.nonce, envelope.ciphertext, aad))


def _dek(envelope: Envelope, aad: bytes, keks: Sequence[Kek]) -> bytes:
    wrapped = {wrap.kek: wrap.wrapped for wrap in envelope.wraps}
    for kek in keks:
        if kek.fingerprint in wrapped:
            return kek.unwrap(wrapped[kek.fingerprint], aad)
    wanted, offered = ", ".join(wrapped) or "none", ", ".join(kek.fingerprint for kek in keks) or "none"
    raise CustodyError(
        f"no KEK opens this private half: it wants {wanted}, offered: {offered}",
        hint="restore the KEK it was sealed with; a new one cannot open it",
        wanted=list(wrapped),
        offered=[kek.fingerprint for kek in keks],
    )


def wrap_aes(kek_key: Secret, dek: bytes, aad: bytes) -> bytes:
    """A DEK wrapped by a local KEK of 32 bytes: nonce, then ciphertext with tag; raises CustodyError."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_derived(kek_key, b"wrap")).encrypt(nonce, dek, aad)


def unwrap_aes(kek_key: Secret, wrapped: bytes, aad: bytes) -> bytes:
    """The DEK of `wrap_aes`; raises IntegrityError if the wrap, the KEK or `aad` is another."""
    return _decrypt(_derived(kek_key, b"wrap"), wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], aad)


def fingerprint(key: Secret) -> str:
    """The public identifier of a local KEK: 16 hexadecimal digits that say nothing of the key."""
    return _derived(key, b"fingerprint")[:8].hex()


def integrity_mac(key: Secret, data: bytes) -> bytes:
    """HMAC-SHA256 of `data` under an integrity key of 32 bytes or more; raises CustodyError."""
    if len(key) < KEY_BYTES:
        raise CustodyError(f"an integrity key of {len(key)} bytes, not {KEY_BYTES}", hint="restore the store")
    return hmac.digest(key.reveal(), data, "sha256")


def check_mac(key: Secret, data: bytes, tag: bytes) -> bool:
    """Whether `tag` is the MAC of `data`, compared in constant time."""
    return hmac.compare_digest(integrity_mac(key, data), tag)


def _derived(key: Secret, purpose: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise CustodyError(
            f"a KEK has {KEY_BYTES} bytes, this one {len(key)}",
            hint="a file of 32 random bytes; nothing was made",
        )
    info = b"jwturn kek " + purpose + b" 1"
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key.reveal())


def _decrypt(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    hint = "it was edited, moved or sealed elsewhere: restore it from a backup, then jwturn audit verify"
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES or len(ciphertext) < TAG_BYTES:
        raise IntegrityError("a sealed value is truncated", hint=hint)
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except InvalidTag as error:
        raise IntegrityError("a sealed value does not open in its place", hint=hint) from error

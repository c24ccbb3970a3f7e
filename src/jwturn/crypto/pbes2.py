"""Encrypted PKCS#8 as everything reads it, the password stretched well: PBES2 (RFC 8018 section 6.2).

PBKDF2-HMAC-SHA256 and AES-256-CBC. The library writes this form with 2048 rounds and offers no other number.
"""

import hashlib
import secrets
from typing import Final

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from jwturn.core.secret import Secret

ROUNDS: Final = 600_000  # OWASP Password Storage Cheat Sheet (2023) for PBKDF2-HMAC-SHA256

_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2: Final = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256: Final = bytes.fromhex("06082a864886f70d0209") + b"\x05\x00"
_AES256_CBC: Final = bytes.fromhex("060960864801650304012a")

_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30


def encrypted(private: Secret, password: Secret) -> bytes:
    """The EncryptedPrivateKeyInfo (RFC 5958 section 3), DER, of a PKCS#8 private half."""
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", password.reveal(), salt, ROUNDS, 32)
    rounds = _der(_INTEGER, ROUNDS.to_bytes(3, "big"))
    stretch = _der(_SEQUENCE, _der(_OCTETS, salt) + rounds + _der(_SEQUENCE, _HMAC_SHA256))
    scheme = _der(
        _SEQUENCE,
        _der(_SEQUENCE, _PBKDF2 + stretch) + _der(_SEQUENCE, _AES256_CBC + _der(_OCTETS, iv)),
    )
    ciphertext = _der(_OCTETS, _encrypt(key, iv, private.reveal()))
    return _der(_SEQUENCE, _der(_SEQUENCE, _PBES2 + scheme) + ciphertext)


def _encrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    padder, cipher = padding.PKCS7(128).padder(), Cipher(AES256(key), CBC(iv)).encryptor()
    return cipher.update(padder.update(data) + padder.finalize()) + cipher.finalize()


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content

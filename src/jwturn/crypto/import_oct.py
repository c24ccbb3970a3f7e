"""What may be an HMAC secret: long, no key file, not published, not guessable (SECURITY.md section 1)."""

import re
from typing import Final

from jwturn.core.errors import BadInput, TooLarge, WeakKey
from jwturn.core.secret import Secret
from jwturn.crypto.algorithms import Hmac
from jwturn.crypto.guessable import estimate_bits, is_known, is_printable
from jwturn.crypto.mac import hmac_secret

SIZE_MAX: Final = 16 * 1024
GUESSABLE_BITS: Final = 112  # the least strength of NIST SP 800-131A rev. 2 section 10

SSH: Final = re.compile(rb"(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)[a-z0-9@.-]+ ")
TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){2,4}")


def check_secret(row: Hmac, data: bytes) -> tuple[str, ...]:
    """What a person should know of a secret that may be used.

    Raises TooLarge, BadInput for a key file, a token or text with blanks around it, and WeakKey.
    """
    if len(data) > SIZE_MAX:
        raise TooLarge(
            f"a secret of {len(data)} bytes is above {SIZE_MAX}", hint="48 random bytes are enough"
        )
    _refuse_key_text(data)
    hmac_secret(row, Secret(data))
    text = data.strip()
    if data != text and is_printable(text):
        raise BadInput(
            "the secret has blanks or a line end around it", hint="write it with printf %s, not echo"
        )
    return _judged(row, data)


def _judged(row: Hmac, data: bytes) -> tuple[str, ...]:
    hint = "let jwturn make one, or: openssl rand -base64 48 | tr -d '\\n'"
    if is_known(data):
        raise WeakKey("the secret is a published one", code="known_secret", hint=hint)
    bits = estimate_bits(data)
    if bits < GUESSABLE_BITS:
        raise WeakKey(
            f"the secret can be guessed: about {bits:.0f} bits, {GUESSABLE_BITS} are the least",
            code="guessable_secret",
            hint=hint,
        )
    full = 8 * row.secret_min
    return () if bits >= full / 2 else (f"about {bits:.0f} bits by estimate; {row.name} can use {full}",)


def _refuse_key_text(data: bytes) -> None:
    text = data.strip().removeprefix(b"\xef\xbb\xbf").lstrip()
    pem = text.startswith(b"---- BEGIN") or b"-----BEGIN " in data
    jwk = text.startswith(b"{") and text.endswith(b"}")
    if pem or jwk or SSH.match(text) or TOKEN.fullmatch(text) or _is_der(data):
        raise BadInput(
            "this is a key file or a token, not a secret",
            code="key_as_secret",
            hint="whoever has its public half could sign; import it as the key it is, or make a secret",
        )


def _is_der(data: bytes) -> bool:
    """Whether the bytes are one ASN.1 SEQUENCE of an INTEGER or SEQUENCE, as every key and certificate is."""
    if len(data) < 4 or data[0] != 0x30 or is_printable(data):
        return False
    long = data[1] & 0x7F if data[1] & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + long], "big") if long else data[1]
    return len(data) == 2 + long + length and data[2 + long :][:1] in {b"\x02", b"\x30"}

"""How hard an HMAC secret is to guess: length is not enough (SECURITY.md section 1).

The estimate is a lower bound by the cheapest way to describe the secret: the short period it repeats, the
words and sequences it is made of, the letters of a natural language, and only for the rest the alphabet it is
drawn from. A secret that is the hexadecimal or base64 spelling of a text is judged as that text too.
"""

import base64
import binascii
import math
import string
import unicodedata
from collections import Counter
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Final

from jwturn.crypto.known_secrets import PUBLISHED, WORDS

JUDGED_BYTES: Final = 512  # what begins strong is strong, and a long secret must not cost minutes
PART_BITS: Final = 8.0
PART_MAX: Final = 16
RUN_MIN: Final = 4
SEPARATOR_BITS: Final = 1.0
LANGUAGE_BITS: Final = 2.0  # per letter; Shannon measured 0.6 to 1.3 for long English texts (1951)
LANGUAGE_SHARE: Final = 0.38  # English has 0.5 to 0.8, one random text in thousands as much as this

_ALPHABETS: Final = (
    string.digits,
    string.digits + "abcdef-",
    string.digits + "ABCDEF-",
    string.ascii_lowercase,
    string.ascii_uppercase,
    string.digits + string.ascii_lowercase,
    string.digits + string.ascii_uppercase,
    string.ascii_letters,
    string.ascii_letters + string.digits + "-_",
    string.ascii_letters + string.digits + "+/=",
)
_FORWARD: Final = (
    "01234567890",
    string.ascii_lowercase,
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "!@#$%^&*()",
)
_ROWS: Final = (*_FORWARD, *(row[::-1] for row in _FORWARD))
_COMMON: Final = """
th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra
ld ur ro ri me ne ll ec cr ct ic om io ce ch be ma li ss ee tt us wo wi ke ey no
"""
_PAIRS: Final = frozenset(_COMMON.split())
_LEET: Final = str.maketrans("013457$@!", "oieastsai")


def is_known(secret: bytes) -> bool:
    """Whether the secret is a published one, in any case, spelling or encoding."""
    return not _spellings(secret).isdisjoint(_published())


def estimate_bits(secret: bytes) -> float:
    """About how many bits of entropy a secret has at most, in bits."""
    return min(_bits(view[:JUDGED_BYTES]) for view in _views(secret)) if secret else 0.0


def is_printable(data: bytes) -> bool:
    """Whether the bytes are ASCII text without control characters."""
    return data.isascii() and data.decode("ascii").isprintable()


@cache
def _published() -> frozenset[bytes]:
    return frozenset().union(*(_spellings(sample.encode()) for sample in PUBLISHED))


def _spellings(secret: bytes) -> set[bytes]:
    """What a secret is compared by: its letters and digits in lower case, and the bytes it may spell."""
    text = unicodedata.normalize("NFKC", secret.decode("utf-8", "replace")).lower()
    plain = "".join(character for character in text if character.isalnum()).encode()
    return ({plain} if len(plain) > len(secret) // 2 else {secret}) | {secret} | set(_decodings(secret))


def _decodings(secret: bytes) -> list[bytes]:
    found = []
    with suppress(binascii.Error):
        found.append(binascii.unhexlify(secret))
    with suppress(binascii.Error):
        padded = secret.rstrip(b"=") + b"=" * (-len(secret.rstrip(b"=")) % 4)
        found.append(base64.b64decode(padded.translate(bytes.maketrans(b"-_", b"+/")), validate=True))
    return found


def _views(secret: bytes) -> list[bytes]:
    return [secret, *(decoded for decoded in _decodings(secret) if decoded and is_printable(decoded))]


def _bits(secret: bytes) -> float:
    unit = secret[: _period(secret)]
    least = _text_bits(unit.decode("ascii")) if is_printable(unit) else _spread_bits(unit)
    return least + math.log2(max(1.0, len(secret) / max(1, len(unit))))


def _period(secret: bytes) -> int:
    """The length of the shortest unit that the secret repeats, the last time perhaps in part."""
    return next(length for length in range(len(secret) + 1) if secret.startswith(secret[length:]) and length)


def _spread_bits(data: bytes) -> float:
    """Of bytes: by how evenly they, and the steps between them, are spread."""
    steps = bytes((after - before) % 256 for before, after in pairwise(data))
    return min(len(data) * _evenness(data), len(data) * _evenness(steps) + 8)


def _evenness(data: bytes | str) -> float:
    counts = Counter(data)
    return -sum(n / len(data) * math.log2(n / len(data)) for n in counts.values())


def _text_bits(text: str) -> float:
    """Of text: as one, or as two that were interleaved."""
    each = _character_bits(text)
    return min(_parts_bits(text, each), _parts_bits(text[::2], each) + _parts_bits(text[1::2], each))


def _parts_bits(text: str, each: float) -> float:
    """The cheapest way to write the text in words, runs, repeats and single characters of `each` bits."""
    lowered = text.lower()
    plain = lowered.translate(_LEET)
    least = [0.0]
    for end in range(1, len(text) + 1):
        again = not text[end - 1].isalnum() and text[end - 1] in text[: end - 1]
        cheapest = least[-1] + (SEPARATOR_BITS if again else each)
        for start in range(max(0, end - PART_MAX), end - 1):
            part = lowered[start:end]
            if part in WORDS or plain[start:end] in WORDS or _is_run(part, lowered[:start]):
                cheapest = min(cheapest, least[start] + PART_BITS)
        least.append(cheapest)
    return least[-1]


def _character_bits(text: str) -> float:
    alphabet = next((kind for kind in _ALPHABETS if set(text) <= set(kind)), string.printable[:95])
    each, spread = math.log2(len(alphabet)), _evenness(text)
    if spread < 0.7 * min(each, math.log2(len(text))):
        each = spread
    return min(each, LANGUAGE_BITS) if _is_language(text) else each


def _is_language(text: str) -> bool:
    """Whether the letters follow each other as in English, which random letters rarely do."""
    pairs = [a + b for a, b in pairwise(text) if a.isalpha() and b.isalpha()]
    common = sum(pair.lower() in _PAIRS for pair in pairs if not (pair[0].islower() and pair[1].isupper()))
    return len(pairs) >= len(text) // 2 and common >= LANGUAGE_SHARE * len(pairs) > 0


def _is_run(part: str, before: str) -> bool:
    """A repeated character, a stretch of a row of _ROWS either way, or what stood before already."""
    if len(part) < RUN_MIN:
        return False
    return part in before or len(set(part)) == 1 or any(part in row for row in _ROWS)

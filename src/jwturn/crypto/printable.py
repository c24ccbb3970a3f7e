"""HMAC secrets as text, for systems that want upper case, lower case, a digit and a special character.

The alphabet is the letters, the digits, `-` and `.`: exactly 64 characters. No shell, dotenv file, YAML
scalar or URL needs to quote any of them (RFC 3986 section 2.3 calls all of them unreserved), and both
specials count as special where `_` does not. Strings are drawn uniformly and drawn again while a class is
missing, so what remains is uniform over the strings that have all four; the entropy is the logarithm of their
number.
"""

import itertools
import math
import secrets
import string
from typing import Final

CLASSES: Final = (string.ascii_uppercase, string.ascii_lowercase, string.digits, "-.")
ALPHABET: Final = "".join(CLASSES)


def printable_entropy_bits(length: int) -> float:
    """The entropy, in bits, of a printable secret of `length` characters; 0 if none has all classes."""
    accepted = sum(
        (-1) ** len(absent) * (len(ALPHABET) - sum(map(len, absent))) ** length
        for count in range(len(CLASSES) + 1)
        for absent in itertools.combinations(CLASSES, count)
    )
    return math.log2(accepted) if accepted > 0 else 0.0


def printable_length(bits: int) -> int:
    """The least length whose entropy is at least `bits`."""
    return next(n for n in itertools.count(len(CLASSES)) if printable_entropy_bits(n) >= bits)


def draw(length: int) -> str:
    """A printable secret of `length` characters (at least one per class) from the system CSPRNG."""
    while True:
        text = "".join(secrets.choice(ALPHABET) for _ in range(length))
        if all(any(character in kind for character in text) for kind in CLASSES):
            return text

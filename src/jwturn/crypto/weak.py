"""Public numbers that must not be used, though a library takes them (SECURITY.md section 5).

RSA moduli made by the library of CVE-2017-15361 ("ROCA") are k * M + (65537**a mod M) with M a product of the
first primes; so modulo each of these primes such a modulus is a power of 65537, which happens by chance about
once in 2**27 (Nemec and others, "The Return of Coppersmith's Attack", 2017, section 3.1).

Ed25519 has eight points of small order; under such a public key one signature fits any message. A point has
small order exactly when eight times it is the neutral element, whose y is 1 (RFC 8032 section 5.1).
"""

from functools import cache
from typing import Final

from jwturn.core.errors import WeakKey

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
RSA_E_MIN: Final = 65537
RSA_E_MAX: Final = 2**32

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_COFACTOR_DOUBLINGS: Final = 3


def check_rsa(n: int, e: int) -> None:
    """Refuse an RSA public key that is too short, too long or of a known weak form; raises WeakKey."""
    bits = n.bit_length()
    if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX:
        raise WeakKey(
            f"an RSA modulus of {bits} bits: {RSA_BITS_MIN} to {RSA_BITS_MAX} are accepted",
            hint="make a new key: RSA 3072, or ES256",
        )
    if e % 2 == 0 or not RSA_E_MIN <= e < RSA_E_MAX:
        raise WeakKey("an RSA public exponent must be odd, 65537 or more, below 2**32", hint="use e = 65537")
    if any(n % prime == 0 for prime in (2, *_fingerprint())):
        raise WeakKey("the RSA modulus has a small factor", hint="make a new key; this one is malformed")
    if is_roca(n):
        raise WeakKey(
            "the RSA modulus has the fingerprint of CVE-2017-15361 (ROCA): it can be factored",
            hint="make a new key with other hardware or software, and withdraw this one",
        )


def is_roca(n: int) -> bool:
    """Whether a modulus has the ROCA fingerprint."""
    return all(n % prime in powers for prime, powers in _fingerprint().items())


@cache
def _fingerprint() -> dict[int, frozenset[int]]:
    odd = range(3, 168, 2)
    primes = [n for n in odd if all(n % divisor for divisor in range(3, n, 2))]
    return {prime: frozenset(pow(65537, k, prime) for k in range(prime - 1)) for prime in primes}


def check_ed25519(point: bytes) -> None:
    """Refuse an Ed25519 public key that is not canonical, off the curve or of small order; raises WeakKey.

    The library keeps the 32 bytes as they are and refuses none of these.
    """
    y = int.from_bytes(point, "little") & (2**255 - 1)
    if len(point) != 32 or y >= _P:
        raise WeakKey("the Ed25519 public key is not canonically encoded", hint="RFC 8032 section 5.1.2")
    if not _on_curve(y):
        raise WeakKey("the Ed25519 public key is not a point of the curve", hint="the key is damaged")
    for _ in range(_COFACTOR_DOUBLINGS):
        y = _double(y)
    if y == 1:
        raise WeakKey(
            "the Ed25519 public key has small order: any message verifies", hint="refuse its sender"
        )


def _x_squared(y: int) -> int:
    return (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P


def _on_curve(y: int) -> bool:
    return pow(_x_squared(y), (_P - 1) // 2, _P) in {0, 1}


def _double(y: int) -> int:
    """The y of twice a point, from its y alone: (y^2 + x^2) / (1 - d x^2 y^2)."""
    x2, y2 = _x_squared(y), y * y
    return (y2 + x2) * pow(1 - _D * x2 * y2, -1, _P) % _P

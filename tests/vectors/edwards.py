"""Ed25519 by the formulas of RFC 8032 section 5.1, slow and plain: to make what no library signs."""

import hashlib
from typing import Final, TypeAlias

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P

Point: TypeAlias = tuple[int, int]

NEUTRAL: Final[Point] = (0, 1)


def add(one: Point, two: Point) -> Point:
    (x1, y1), (x2, y2) = one, two
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def times(scalar: int, point: Point) -> Point:
    result = NEUTRAL
    for bit in f"{scalar:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def x_of(y: int, sign: int) -> int | None:
    """The x of a y, or nothing if there is none (RFC 8032 section 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return P - x if x % 2 != sign and x else x


def encode(point: Point) -> bytes:
    return encoded(point[1], point[0] & 1)


def encoded(y: int, sign: int) -> bytes:
    """32 bytes for any y below 2**255, canonical or not."""
    return (y | sign << 255).to_bytes(32, "little")


def _base() -> Point:
    y = 4 * pow(5, -1, P) % P
    x = x_of(y, 0)
    assert x is not None
    return x, y


B: Final = _base()


def small_order() -> list[Point]:
    """The eight points whose eightfold is the neutral element."""
    y = next(y for y in range(2, 100) if (x := x_of(y, 0)) is not None and times(4 * L, (x, y)) != NEUTRAL)
    x = x_of(y, 0)
    assert x is not None
    torsion = times(L, (x, y))
    return [times(n, torsion) for n in range(8)]


def expanded(seed: bytes) -> tuple[int, bytes]:
    """The secret scalar and the prefix of a private key (RFC 8032 section 5.1.5)."""
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254, digest[32:]


def challenge(r: bytes, public: bytes, message: bytes, domain: bytes = b"") -> int:
    return int.from_bytes(hashlib.sha512(domain + r + public + message).digest(), "little") % L


def sign(seed: bytes, message: bytes, *, domain: bytes = b"", shift: Point = NEUTRAL) -> bytes:
    """A signature; `domain` is that of Ed25519ctx or ph (dom2), `shift` a point that is added to R."""
    scalar, prefix = expanded(seed)
    public = encode(times(scalar, B))
    r = int.from_bytes(hashlib.sha512(domain + prefix + message).digest(), "little") % L
    first = encode(add(times(r, B), shift))
    s = (r + challenge(first, public, message, domain) * scalar) % L
    return first + s.to_bytes(32, "little")


def with_r(seed: bytes, message: bytes, first: bytes) -> bytes:
    """The signature whose R is `first`, an encoding of the neutral element: s = h * a."""
    scalar, _ = expanded(seed)
    public = encode(times(scalar, B))
    return first + (challenge(first, public, message) * scalar % L).to_bytes(32, "little")


def dom2(flag: int, context: bytes) -> bytes:
    return b"SigEd25519 no Ed25519 collisions" + bytes([flag, len(context)]) + context

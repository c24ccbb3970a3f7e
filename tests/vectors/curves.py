"""The curves of FIPS 186-5 by the school's formulas: to choose r and s first, and the key after them."""

import hashlib
from dataclasses import dataclass
from typing import Final, TypeAlias

Point: TypeAlias = tuple[int, int] | None
"""A point, or nothing for the one at infinity."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve y^2 = x^3 - 3x + b over the integers modulo p, with a base point of prime order n."""

    name: str
    digest: str
    p: int
    b: int
    n: int
    base: tuple[int, int]

    @property
    def size(self) -> int:
        """The bytes of a coordinate."""
        return (self.p.bit_length() + 7) // 8

    def add(self, one: Point, two: Point) -> Point:
        if one is None or two is None:
            return one or two
        (x1, y1), (x2, y2) = one, two
        if x1 == x2 and (y1 + y2) % self.p == 0:
            return None
        if one == two:
            slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, self.p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, self.p)
        x = (slope * slope - x1 - x2) % self.p
        return x, (slope * (x1 - x) - y1) % self.p

    def times(self, scalar: int, point: Point) -> Point:
        result: Point = None
        for bit in f"{scalar % self.n:b}":
            result = self.add(result, result)
            if bit == "1":
                result = self.add(result, point)
        return result

    def lift(self, x: int) -> Point:
        """A point with this x, or nothing; p = 3 modulo 4 on every curve here."""
        square = (x * x * x - 3 * x + self.b) % self.p
        y = pow(square, (self.p + 1) // 4, self.p)
        return (x, y) if y * y % self.p == square else None

    def hashed(self, data: bytes) -> int:
        """The leftmost bits of the digest, as many as n has."""
        digest = hashlib.new(self.digest, data).digest()
        return int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - self.n.bit_length())

    def key_for(self, data: bytes, point: Point, s: int, *, hashed: int | None = None) -> Point:
        """The public key under which (x of `point`, s) is a signature of data: (s R - e B) / r."""
        assert point is not None
        e = self.hashed(data) if hashed is None else hashed
        total = self.add(self.times(s, point), self.times(-e % self.n, self.base))
        return self.times(pow(point[0] % self.n, -1, self.n), total)


P256: Final = Curve(
    "P-256",
    "sha256",
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
)
P384: Final = Curve(
    "P-384",
    "sha384",
    2**384 - 2**128 - 2**96 + 2**32 - 1,
    0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    (
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
)
P521: Final = Curve(
    "P-521",
    "sha512",
    2**521 - 1,
    int(
        "51953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109"
        "E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
        16,
    ),
    2**521 - 657877501894328237357444332315020117536923257219387276263472201219398408051703,
    (
        int(
            "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3D"
            "BAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66",
            16,
        ),
        int(
            "11839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E6"
            "62C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650",
            16,
        ),
    ),
)
CURVES: Final = {"ES256": P256, "ES384": P384, "ES512": P521}


def join(curve: Curve, r: int, s: int) -> bytes:
    """Both, r before s, each in the bytes of a coordinate (RFC 7518 section 3.4)."""
    return r.to_bytes(curve.size, "big") + s.to_bytes(curve.size, "big")

"""ECDSA where arithmetic has edges, as Wycheproof tests them: the key is chosen after the signature.

For any point R and any s there is one key under which (x of R, s) signs a message, so r and s can be
whatever a careless implementation stumbles over, and the verdict is known (SEC 1 section 4.1.6).
"""

from collections.abc import Iterator

import pytest

from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url
from jwturn.crypto.verify import VerifyKey, verify_key
from tests.vectors.curves import CURVES, Curve, Point, join

DATA = b"header.payload"


def key_at(alg: str, point: Point) -> VerifyKey:
    curve = CURVES[alg]
    assert point is not None
    x, y = (b64url(number.to_bytes(curve.size, "big")) for number in point)
    return verify_key({"kty": "EC", "crv": curve.name, "x": x, "y": y}, alg=alg)


def holds(alg: str, point: Point, s: int) -> bool:
    """Whether (x of the point, s) is accepted under the key that it belongs to."""
    curve = CURVES[alg]
    assert point is not None
    return key_at(alg, curve.key_for(DATA, point, s)).verify(DATA, join(curve, point[0] % curve.n, s))


def points_from(curve: Curve, x: int, count: int) -> Iterator[Point]:
    """The first points whose x is this or more."""
    while count:
        if (point := curve.lift(x)) is not None:
            yield point
            count -= 1
        x += 1


@pytest.mark.parametrize("alg", CURVES)
def test_extreme_values_of_s_are_accepted(alg: str) -> None:
    curve = CURVES[alg]
    n, e, k = curve.n, curve.hashed(DATA), 12345
    point = curve.times(k, curve.base)
    assert point is not None
    r = point[0] % n
    for s in (1, 2, n - 1, n - 2, (n - 1) // 2, (n + 1) // 2, e % n, -e % n, 2**8, 2 ** (n.bit_length() - 9)):
        key = key_at(alg, curve.times((s * k - e) * pow(r, -1, n), curve.base))
        assert key.verify(DATA, join(curve, r, s)), s
        assert key.verify(DATA, join(curve, r, n - s)), s


@pytest.mark.parametrize("alg", CURVES)
def test_small_and_large_values_of_r_are_accepted(alg: str) -> None:
    curve = CURVES[alg]
    starts = (1, 2**8, 2**64, 2**128, curve.n - 50, curve.n // 2, 2 ** (8 * curve.size - 20) % curve.p)
    for start in starts:
        for point in points_from(curve, start, 1):
            assert holds(alg, point, 4711), start


@pytest.mark.parametrize("alg", CURVES)
def test_a_point_whose_x_is_above_the_order_is_accepted_by_its_r_alone(alg: str) -> None:
    """The r is x modulo n: the same signature with x itself in place of r is out of range."""
    curve = CURVES[alg]
    for point in points_from(curve, curve.n + 1, 2):
        assert point is not None
        assert curve.n < point[0] < curve.p
        key = key_at(alg, curve.key_for(DATA, point, 4711))
        assert key.verify(DATA, join(curve, point[0] - curve.n, 4711))
        assert not key.verify(DATA, join(curve, point[0], 4711))


@pytest.mark.parametrize("alg", CURVES)
def test_leading_zeros_belong_to_r_and_s(alg: str) -> None:
    curve = CURVES[alg]
    point = next(points_from(curve, 2 ** (8 * curve.size - 40), 1))
    assert point is not None
    key = key_at(alg, curve.key_for(DATA, point, 7))
    whole = join(curve, point[0], 7)
    assert key.verify(DATA, whole)
    r, s = whole[: curve.size], whole[curve.size :]
    for cut in (r.lstrip(b"\0") + s, r + s.lstrip(b"\0"), r.lstrip(b"\0") + s.lstrip(b"\0"), b"\0" + whole):
        assert not key.verify(DATA, cut)
        assert not key.verify(DATA, cut.ljust(2 * curve.size, b"\0")[: 2 * curve.size])


@pytest.mark.parametrize("alg", CURVES)
def test_the_sum_of_equal_points_is_found(alg: str) -> None:
    """u1 B = u2 Q: an addition that forgets to double gives infinity or nonsense."""
    curve = CURVES[alg]
    e = curve.hashed(DATA) % curve.n
    for k in (2, 3, 99_991):
        point = curve.times(k, curve.base)
        assert point is not None
        r = point[0] % curve.n
        key = key_at(alg, curve.times(e * pow(r, -1, curve.n), curve.base))
        s = 2 * e * pow(k, -1, curve.n) % curve.n
        assert key.verify(DATA, join(curve, r, s))
        assert key.verify(DATA, join(curve, r, curve.n - s))
        assert not key.verify(DATA, join(curve, r, s + 1))


@pytest.mark.parametrize("alg", CURVES)
def test_a_sum_at_infinity_is_refused(alg: str) -> None:
    """u1 B = -u2 Q: there is no x to compare, and taking it for zero or for r accepts anything."""
    curve = CURVES[alg]
    e = curve.hashed(DATA) % curve.n
    for r in (1, 2, 12345, curve.n - 1, curve.base[0] % curve.n):
        key = key_at(alg, curve.times(-e * pow(r, -1, curve.n), curve.base))
        for s in (1, 2, e, curve.n - 1, r):
            assert not key.verify(DATA, join(curve, r, s))


@pytest.mark.parametrize("alg", CURVES)
def test_zero_order_and_beyond_are_refused_under_special_keys_too(alg: str) -> None:
    curve = CURVES[alg]
    base = curve.base
    for point in (
        base,
        (base[0], curve.p - base[1]),
        curve.times(2, base),
        curve.times((curve.n + 1) // 2, base),
    ):
        key = key_at(alg, point)
        for r in (0, 1, curve.n, curve.n - 1, base[0] % curve.n, curve.p % 2 ** (8 * curve.size)):
            for s in (0, curve.n):
                assert not key.verify(DATA, join(curve, r, s))
                assert not key.verify(DATA, join(curve, s, r))


@pytest.mark.parametrize("alg", CURVES)
def test_keys_with_zeros_in_their_coordinates_are_taken_whole_only(alg: str) -> None:
    curve = CURVES[alg]
    point = next(points_from(curve, 2 ** (8 * curve.size - 30), 1))
    assert point is not None
    key_at(alg, point)
    x, y = (number.to_bytes(curve.size, "big") for number in point)
    for short in (x.lstrip(b"\0"), b"\0" + x, x[:-1], b""):
        with pytest.raises(BadInput):
            verify_key({"kty": "EC", "crv": curve.name, "x": b64url(short), "y": b64url(y)}, alg=alg)


@pytest.mark.parametrize("alg", CURVES)
def test_points_off_the_curve_are_refused(alg: str) -> None:
    """An invalid curve attack begins with a point of another curve."""
    curve = CURVES[alg]
    x, y = curve.base
    off = [(0, 0), (0, 1), (1, 0), (x, y + 1), (x + 1, y), (y, x), (x, 0), (x, curve.p - y - 1)]
    size = 2 ** (8 * curve.size)
    beyond = [(x + curve.p, y), (x, y + curve.p), (curve.p, curve.p), (size - 1, size - 1), (curve.p, 0)]
    beyond += [(small[0] + curve.p, small[1]) for small in points_from(curve, 0, 3) if small]
    points = [point for point in (*off, *beyond) if max(point) < size]
    assert len(points) > 8
    for point in points:
        with pytest.raises(BadInput):
            key_at(alg, point)
    for other, theirs in CURVES.items():
        if theirs.size == curve.size and other != alg:
            with pytest.raises(BadInput):
                key_at(alg, theirs.base)


def test_the_curve_of_a_key_is_the_one_of_its_alg() -> None:
    for alg, curve in CURVES.items():
        for other in set(CURVES) - {alg}:
            x, y = (b64url(number.to_bytes(curve.size, "big")) for number in curve.base)
            for crv in (curve.name, CURVES[other].name):
                with pytest.raises(BadInput):
                    verify_key({"kty": "EC", "crv": crv, "x": x, "y": y}, alg=other)

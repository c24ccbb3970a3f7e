"""What the public suites state their promises with: no framework is needed to import them."""

from collections.abc import Callable
from typing import Any

from jwturn.core.errors import JwturnError


def expect(holds: object, words: str) -> None:
    """Raises AssertionError with these words unless it holds."""
    if not holds:
        raise AssertionError(words)


def same(found: object, wanted: object) -> None:
    """Raises AssertionError with both unless they are equal."""
    if found != wanted:
        raise AssertionError(f"found {found!r}, not {wanted!r}")


def refused(
    kinds: type[JwturnError] | tuple[type[JwturnError], ...],
    call: Callable[..., object],
    *args: Any,
    **options: Any,
) -> JwturnError:
    """The error of one of these kinds that the call raises; AssertionError if it raises none."""
    try:
        call(*args, **options)
    except kinds as error:
        return error
    raise AssertionError(f"not refused with {kinds}")

"""When verifiers stop trusting a revoked key, in words and as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jwturn.core.durations import format_duration

if TYPE_CHECKING:
    from jwturn.service.effect import VerifierEnd


def ends_words(ends: Sequence["VerifierEnd"]) -> str:
    """`jose <= 46m 3s, usually 10m, 1h 47m if it cannot refresh; dotnet <= 13h 13m, ...`."""
    return "; ".join(_words(end) for end in ends)


def _words(end: "VerifierEnd") -> str:
    usual = "" if end.usual is None else f", usually {format_duration(end.usual, parts=2)}"
    bound = "no bound" if end.bound is None else format_duration(end.bound, parts=2)
    return f"{end.name} <= {format_duration(end.healthy, parts=2)}{usual}, {bound} if it cannot refresh"


def ends_json(ends: Sequence["VerifierEnd"]) -> list[dict[str, Any]]:
    """Each verifier's bounds in seconds; None where there is none."""
    return [
        {
            "verifier": end.name,
            "healthy_seconds": end.healthy.total_seconds(),
            "usual_seconds": None if end.usual is None else end.usual.total_seconds(),
            "bound_seconds": None if end.bound is None else end.bound.total_seconds(),
        }
        for end in ends
    ]

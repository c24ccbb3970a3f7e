"""The name that was probably meant, for the hints of every error that says a name is unknown."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest of the known names if one is near, else all of them."""
    names = list(known)
    near = get_close_matches(name[:60].lower(), [known.lower() for known in names], n=1)
    for other in names:
        if near and other.lower() == near[0]:
            return f"did you mean {other}?"
    return f"one of {', '.join(names)}" if names else "there is none"

"""The name that was probably meant, for the hints of every error that says a name is unknown."""

from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest of the known names if one is near, else all of them."""
    names = list(known)
    cut = name[:60].lower()
    distance, near = min(((_edits(cut, other.lower()), other) for other in names), default=(0, ""))
    if near and distance <= max(2, len(near) // 3):
        return f"did you mean {near}?"
    return f"one of {', '.join(names)}" if names else "there is none"


def _edits(one: str, other: str) -> int:
    """The Levenshtein distance: how many characters to insert, drop or replace at least."""
    row = list(range(len(other) + 1))
    for above, left in enumerate(one):
        diagonal, row[0] = above, above + 1
        for place, right in enumerate(other):
            kept = diagonal + (left != right)
            diagonal = row[place + 1]
            row[place + 1] = min(kept, diagonal + 1, row[place] + 1)
    return row[-1]

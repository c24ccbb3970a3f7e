"""The name that was probably meant, for the hints of every error that says a name is unknown."""

from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest of the known names if one is near, else all of them."""
    names = list(known)
    cut = name[:60]
    near = min(names, key=lambda other: _edits(cut.lower(), other.lower()), default="")
    if near and _edits(cut.lower(), near.lower()) <= max(2, len(near) // 3):
        return f"did you mean {near}?"
    return f"one of {', '.join(names)}" if names else "there is none"


def _edits(one: str, other: str) -> int:
    """The Levenshtein distance: the least number of characters to insert, drop or replace."""
    row = list(range(len(other) + 1))
    for above, left in enumerate(one):
        diagonal, row[0] = row[0], above + 1
        for place, right in enumerate(other):
            replaced = diagonal + (left != right)
            diagonal = row[place + 1]
            row[place + 1] = min(replaced, diagonal + 1, row[place] + 1)
    return row[-1]

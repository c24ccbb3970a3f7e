"""What a forgery is: a name that says what was done, the token, the code of its one fault if it has one."""

from typing import Any, NamedTuple


class Forged(NamedTuple):
    """A token that must be refused; an empty code leaves the choice among the known ones."""

    name: str
    token: Any
    code: str = ""

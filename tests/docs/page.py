"""A page of the documentation as a script: its fenced blocks, and what stands in comments for the tests.

- ```` ```console ````: lines that begin with `$ ` are commands, the lines below are what they print.
- ```` ```python ````: a script of its own; ```` ```python NAME ```` (or toml, ini, ...): a file of that name.
- `<!-- test: $ command -->` runs unseen, `<!-- test: after 25h -->` lets the service run for so long.
- `<!-- test: real time -->`: the clocks of the machine from here on.

Every other block is text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ITEM = re.compile(
    r"^```(?P<kind>\w+)(?: (?P<name>[\w./-]+))?\n(?P<text>.*?)^```$|^<!-- test: (?P<aside>.*?) -->$",
    re.DOTALL | re.MULTILINE,
)
_KID = re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*[0-9])[A-Za-z0-9_-]{8}(?![\w-])")


@dataclass(frozen=True)
class Item:
    """Something to do: `console`, `python`, `file` or `aside`, and on which line it stands."""

    kind: str
    text: str
    name: str
    line: int


@dataclass(frozen=True)
class Command:
    """A command and the lines that the page says it prints."""

    text: str
    printed: tuple[str, ...]


def everything() -> list[Path]:
    """Every page, the ones beside the code included."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def items(page: str) -> Iterator[Item]:
    """What a page has to run, in order."""
    for found in _ITEM.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        if found["aside"] is not None:
            yield Item("aside", found["aside"], "", line)
        elif found["name"]:
            yield Item("file", found["text"], found["name"], line)
        elif found["kind"] in ("console", "python"):
            yield Item(found["kind"], found["text"], "", line)


def commands(block: str) -> list[Command]:
    """The commands of a console block; a line that ends in a backslash goes on."""
    found: list[tuple[str, list[str]]] = []
    going_on = False
    for line in block.splitlines():
        if going_on:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
        going_on = (going_on or line.startswith("$ ")) and line.endswith("\\")
    return [Command(text, tuple(printed)) for text, printed in found]


def known(text: str, kids: dict[str, str]) -> str:
    """A command with the kids of the page turned into those of this run."""
    return _KID.sub(lambda kid: kids.get(kid[0], kid[0]), text)


def matches(said: tuple[str, ...], printed: list[str], kids: dict[str, str]) -> bool:
    """Whether what was printed is what the page says; learns which kid of the page is which of this run.

    `...` stands for anything within a line, and alone for any lines; runs of blanks are one.
    """
    if not said:
        return not printed
    if said[0] == "...":
        return any(matches(said[1:], printed[at:], kids) for at in range(len(printed) + 1))
    if not printed:
        return False
    learned = dict(kids)
    if not line_matches(said[0], printed[0], learned) or not matches(said[1:], printed[1:], learned):
        return False
    kids.update(learned)
    return True


def line_matches(said: str, printed: str, kids: dict[str, str]) -> bool:
    """Whether a line is what the page says."""
    parts: list[str] = []
    names: list[str] = []
    end = 0
    for kid in _KID.finditer(said):
        parts.append(_pattern(said[end : kid.start()]))
        parts.append(re.escape(kids[kid[0]]) if kid[0] in kids else rf"(?P<k{len(names)}>[\w-]{{8}})")
        names += [] if kid[0] in kids else [kid[0]]
        end = kid.end()
    found = re.fullmatch("".join(parts) + _pattern(said[end:]), printed.rstrip())
    if found is None:
        return False
    learned = {name: found[f"k{number}"] for number, name in enumerate(names)}
    if set(learned.values()) & set(kids.values()):
        return False
    kids.update(learned)
    return True


def _pattern(text: str) -> str:
    pieces = [re.escape(piece) for piece in re.split(r"\.\.\.", text)]
    return re.sub(r"(\\ )+", r"\\s+", ".*?".join(pieces))

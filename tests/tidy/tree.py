"""The tree as these tests read it: its files, their text, their syntax."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "jwturn"
NOT_OURS = {
    *(".git", ".jwturn", ".venv", ".venv-bench", ".venv-fuzz"),
    *("__pycache__", "build", "dist", "node_modules"),
}


def python(*folders: str) -> list[Path]:
    """Every Python file below the folders, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def files() -> tuple[Path, ...]:
    """What is, or is about to be, in the repository: as git says, else by walking (an unpacked archive)."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        found = [ROOT / name for name in names if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not ours_not(path)]
    return tuple(path for path in found if path.is_file())


def ours_not(path: Path) -> bool:
    """Whether the path lies in a folder that tools made."""
    parts = path.relative_to(ROOT).parts
    return any(part in NOT_OURS or part.endswith("_cache") for part in parts)


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


def name(path: Path) -> str:
    """The path as findings show it."""
    return str(path.relative_to(ROOT))

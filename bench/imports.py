"""What a start costs beyond the interpreter: imports, `jwturn --version`, `jwturn status`.

Modules are compiled beforehand, as an installer leaves them; the compiled ones lie in a folder of our own.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CALL: Final = "import sys; from jwturn.cli.main import main; sys.exit(main())"
STARTS: Final[dict[str, tuple[list[str], float]]] = {
    "import jwturn": (["-c", "import jwturn"], 60.0),
    "from jwturn import Verifier": (["-c", "from jwturn import Verifier"], 60.0),
    "jwturn --version": (["-c", CALL, "--version"], 100.0),
    "jwturn status": (["-c", CALL, "status"], 250.0),
}
"""The interpreter's arguments, and the budget in milliseconds beyond it (DESIGN section 7)."""


@dataclass(frozen=True, slots=True)
class Start:
    """Median milliseconds beyond the interpreter, which takes `interpreter` itself."""

    what: str
    interpreter: float
    over: float
    budget: float


def measure(folder: Path, *, rounds: int) -> list[Start]:
    """Starts each in turn, `rounds` times, in `folder`, where a store is made first."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("JWTURN_", "PYTHON"))
    }
    environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    _run(["-c", CALL, "init", "--offline"], folder, environ)
    for arguments, _ in STARTS.values():
        _run(arguments, folder, environ)
    found: dict[str, list[float]] = {what: [] for what in ("", *STARTS)}
    for _ in range(rounds):
        found[""].append(_run(["-c", "pass"], folder, environ))
        for what, (arguments, _) in STARTS.items():
            found[what].append(_run(arguments, folder, environ))
    empty = statistics.median(found[""])
    return [
        Start(what, empty, statistics.median(found[what]) - empty, budget)
        for what, (_, budget) in STARTS.items()
    ]


def _run(arguments: list[str], folder: Path, environ: dict[str, str]) -> float:
    """Milliseconds of a whole process; `status` may say 2 where a person should look."""
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603  # our own program, no shell
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, check=False
    )
    spent = (time.perf_counter() - began) * 1e3
    assert done.returncode in (0, 2), done.stderr.decode()
    return spent

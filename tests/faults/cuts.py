"""A command cut short at one system call by strace: killed before it, or the call fails.

strace counts the calls of each name in each thread, so a place is (name, N): the N-th write, the N-th rename.
A first run without a fault tells how many there are, and which of them touch the folder of the store.
"""

import collections
import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.yard import Yard

CALLS: Final = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "openat",
    "mkdir",
    "rename",
    "link",
    "linkat",
    "unlink",
)
"""What changes files; Python and SQLite make no other calls for it here."""
KINDS: Final = {
    "kill": "signal=SIGKILL:when={n}",
    "EIO": "error=EIO:when={n}",
    "EIO for good": "error=EIO:when={n}+",
    "ENOSPC": "error=ENOSPC:when={n}",
}
STRACE: Final = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none")
_LINE: Final = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<rest>.*)")
_LISTING: Final = "O_NONBLOCK|O_CLOEXEC|O_DIRECTORY"
"""How the interpreter looks for modules in the folder it starts in."""
_FROM: Final = re.compile(r"AT_FDCWD<[^>]*>")
"""Where a relative path would count from: shown with every open, and no sign of what is opened."""


@dataclass(frozen=True)
class Cut:
    """One fault: its kind, and the call it meets."""

    kind: str
    call: str
    n: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.call} {self.n}"

    def wrapping(self, command: Sequence[str], *, only: Sequence[Path] = ()) -> list[str]:
        """The command under this fault; with `only`, calls on other files neither count nor fail."""
        fault = f"inject={self.call}:{KINDS[self.kind].format(n=self.n)}"
        log = ["-o", "/dev/null", "-e", f"trace={self.call}", "-e", fault]
        return [*STRACE, *log, *_paths(only), "--", *command]


@functools.cache
def missing() -> str:
    """Why no call can be made to fail here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (make test installs it on Debian for root)"
    tried = subprocess.run(
        [*STRACE, "-o", "/dev/null", "-e", "trace=getcwd", "-e", "inject=getcwd:error=EIO", "pwd"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return "" if "strace" not in tried.stderr else f"strace may not trace here: {tried.stderr.strip()}"


def places(
    yard: Yard, command: Sequence[str], log: Path, *, only: Sequence[Path] = ()
) -> dict[str, list[int]]:
    """Per call the ordinals of those that touch the yard's folder, in a run without a fault."""
    every = [*STRACE, "-y", "-s", "256", "-o", str(log), "-e", f"trace={','.join(CALLS)}"]
    done = yard.run([*every, *_paths(only), "--", *command])
    assert done.returncode == 0, done.stderr
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    found: dict[str, list[int]] = {call: [] for call in CALLS}
    for line in log.read_text("utf-8", "replace").splitlines():
        if (match := _LINE.match(line)) is None:
            continue
        seen[match["thread"], match["call"]] += 1
        rest = _FROM.sub("", match["rest"])
        if str(yard.folder) in rest and _LISTING not in rest:
            found[match["call"]].append(seen[match["thread"], match["call"]])
    return {call: sorted(set(ordinals)) for call, ordinals in found.items()}


def _paths(only: Sequence[Path]) -> list[str]:
    return [argument for path in only for argument in ("-P", str(path))]

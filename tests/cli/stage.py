"""A folder, a clock that stands still, and the real `jwturn` on a real SQLite store, in this process."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jwturn.cli.main import run
from jwturn.compose import open_app
from jwturn.core.errors import JwturnError
from jwturn.settings import load
from jwturn.testing.clock import FakeClock


@dataclass(frozen=True)
class Done:
    """What a call printed and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class Stage:
    """Calls of `jwturn` in one folder, under one clock."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)

    def jwturn(self, *arguments: str, stdin: bytes = b"", terminal: bool = False) -> Done:
        """One call; with `terminal` stdin passes for one."""
        out, err = Stream(), Stream()
        with in_place(self.folder, Stream(stdin, terminal=terminal), out, err):
            code = run(arguments, clock=self.clock)
        return Done(code, out.text(), err.text())

    def merged(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str]:
        """One call, with stdout and stderr as a terminal shows them."""
        both = Stream()
        with in_place(self.folder, Stream(stdin), both, both):
            code = run(arguments, clock=self.clock)
        return code, both.text()

    def init(self, *arguments: str) -> Done:
        """`jwturn init --offline` that must succeed."""
        done = self.jwturn("init", "--offline", *arguments)
        assert done.code == 0, done.err
        return done

    def passes(self, span: timedelta) -> None:
        """Time passes while somebody runs the loop."""
        with in_place(self.folder, Stream(), Stream(), Stream()):
            app = open_app(load(os.environ, cwd=self.folder), clock=self.clock)
            end, step = self.clock.now() + span, app.identity.tick_cap / 2
            try:
                app.loop.run_once()
                for _ in range(span // step + 1):
                    self.clock.advance(min(step, end - self.clock.now()))
                    app.loop.run_once()
            finally:
                app.close()

    def kids(self) -> list[str]:
        """Every kid of every ring, in the order of creation."""
        with in_place(self.folder, Stream(), Stream(), Stream()), suppress(JwturnError):
            app = open_app(load(os.environ, cwd=self.folder), clock=self.clock)
            try:
                views = [app.store.load(row.name) for row in app.store.rings()]
            finally:
                app.close()
            return [key.kid for view in views for key in view.ring.keys]
        return []


class Stream(io.TextIOWrapper):
    """A stream in memory, with the bytes below it that click writes to."""

    def __init__(self, data: bytes = b"", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        """Everything that was written."""
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]  # a BytesIO


@contextmanager
def in_place(folder: Path, stdin: Stream, out: Stream, err: Stream) -> Iterator[None]:
    """The process's folder and streams are these meanwhile."""
    before = Path.cwd(), sys.stdin, sys.stdout, sys.stderr
    os.chdir(folder)
    sys.stdin, sys.stdout, sys.stderr = stdin, out, err
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before[1:]
        os.chdir(before[0])

"""Somebody who reads a page and does what it says, in a folder of their own."""

import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from jwturn.compose import open_app
from jwturn.core.durations import parse_duration
from jwturn.settings import load
from jwturn.testing.clock import FakeClock
from tests.docs.clocked import BEGAN
from tests.docs.page import ROOT, Command, Item, commands, items, known, matches

TIMEOUT = 120
PORTS = ("8470", "8000")


class Reader:
    """Runs the items of a page in `folder`; raises AssertionError where the page is not true."""

    def __init__(self, page: str, folder: Path) -> None:
        self.page = page
        self.folder = folder / "here"
        self.folder.mkdir()
        self.kids: dict[str, str] = {}
        self.passed = timedelta()
        self.running: list[subprocess.Popen[bytes]] = []
        self.ports = {port: str(free_port()) for port in PORTS}
        self.clock_file = folder / "clock"
        self.clock_file.write_text("0")
        self.environ = self._environ(folder / "bin")

    def read(self, page: str) -> None:
        """Does everything that a page's text says, in order."""
        for item in items(page):
            self.do(item)

    def do(self, item: Item) -> None:
        """Does one item."""
        where = f"{self.page}:{item.line}"
        if item.kind == "file":
            path = self.folder / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._ported(item.text))
        elif item.kind == "python":
            self._script(item.text, where)
        elif item.text.startswith("after "):
            self._let_pass(parse_duration(item.text.removeprefix("after ")))
        elif item.text == "real time":
            del self.environ["DOCS_CLOCK"]
        else:
            self._console(commands(item.text), where)

    def stop(self) -> None:
        """Ends what was started, as Ctrl-C does."""
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)

    def _console(self, wanted: list[Command], where: str) -> None:
        status = 0
        for command, following in zip(wanted, [*wanted[1:], None], strict=True):
            text = self._ported(known(command.text, self.kids))
            if text.endswith(" &"):
                self._start(text.removesuffix(" &"), where)
                continue
            done = self._run(["bash", "-c", f"(exit {status}); {text}"])
            output = self._unported(done.stdout.decode())
            told = f"{where}\n$ {text}\n{output}[{done.returncode}]"
            status = done.returncode
            asked = following is not None and following.text == "echo $?"
            assert status == 0 or asked, f"failed: {told}"
            assert matches(command.printed, output.splitlines(), self.kids), f"not as the page says: {told}"

    def _script(self, text: str, where: str) -> None:
        done = self._run([sys.executable, "-c", self._ported(text)])
        assert done.returncode == 0, f"{where}: {done.stdout.decode()}"

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            arguments,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )

    def _start(self, text: str, where: str) -> None:
        silent = [int(port) for port in self.ports.values() if not answers(int(port))]
        log = self.folder.parent / f"log-{len(self.running)}"
        with log.open("wb") as told:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)
        for _ in range(TIMEOUT * 10):
            if any(answers(port) for port in silent):
                return
            assert process.poll() is None, f"{where}: {text}: {log.read_text()}"
            time.sleep(0.1)
        raise AssertionError(f"{where}: {text} does not listen: {log.read_text()}")

    def _let_pass(self, length: timedelta) -> None:
        """The service runs for so long: the loop's passes, each a tick apart."""
        clock = FakeClock(BEGAN)
        clock.advance(self.passed)
        app = open_app(load(self.environ, cwd=self.folder), clock=clock)
        step = app.identity.tick_cap
        for _ in range(length // step + 1):
            app.loop.run_once()
            clock.advance(step)
        app.loop.run_once()
        app.close()
        self.passed = clock.now() - BEGAN
        self.clock_file.write_text(str(self.passed.total_seconds()))

    def _ported(self, text: str) -> str:
        for port, free in self.ports.items():
            text = text.replace(f":{port}", f":{free}").replace(f"--port {port}", f"--port {free}")
        return text

    def _unported(self, text: str) -> str:
        for port, free in self.ports.items():
            text = text.replace(free, port)
        return text

    def _environ(self, programs: Path) -> dict[str, str]:
        programs.mkdir()
        for name, script in (("jwturn", "clocked.py"), ("curl", "curl.py")):
            program = programs / name
            program.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "tests" / "docs" / script}" "$@"\n'
            )
            program.chmod(0o755)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JWTURN_")}
        return {
            **kept,
            "PATH": path,
            "HOME": str(self.folder.parent),
            "DOCS_CLOCK": str(self.clock_file),
            "JWTURN_SERVICE__PORT": self.ports["8470"],
        }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0

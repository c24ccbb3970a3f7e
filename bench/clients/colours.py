"""How many callers come to a client at once, whatever it is made of: threads, tasks, or another process."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

ANSWER_SECONDS_MAX = 60
"""A client that is silent for so long has hung, and the bench ends."""


class Client(Protocol):
    """A client as a trial sees it."""

    def verdicts(self, tokens: Sequence[str]) -> list[str]:
        """What it says of tokens that come at once: nothing where it accepts, else the name of the error."""
        ...

    def close(self) -> None:
        """Ends whatever it began."""
        ...


class Threads:
    """A client that is called from threads, a thread for each token."""

    def __init__(self, verify: Callable[[str], object], close: Callable[[], object] | None = None) -> None:
        self._verify, self._close = verify, close

    def verdicts(self, tokens: Sequence[str]) -> list[str]:
        """As Client; the threads begin together."""
        if len(tokens) == 1:
            return [self._verdict(tokens[0])]
        together = threading.Barrier(len(tokens))

        def one(token: str) -> str:
            together.wait(ANSWER_SECONDS_MAX)
            return self._verdict(token)

        with ThreadPoolExecutor(len(tokens)) as pool:
            return list(pool.map(one, tokens, timeout=ANSWER_SECONDS_MAX))

    def close(self) -> None:
        """As Client."""
        if self._close is not None:
            self._close()

    def _verdict(self, token: str) -> str:
        try:
            self._verify(token)
        except Exception as error:  # noqa: BLE001  # each client has errors of its own; which one is shown
            return type(error).__name__
        return ""


class Tasks:
    """A client that is called from tasks, on an event loop in a thread of its own.

    `make` runs on the loop and gives what verifies and what closes.
    """

    def __init__(self, make: Callable[[], Awaitable[tuple[Callable[[str], Awaitable[Any]], Any]]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._verify, self._close = self._run(make())

    def verdicts(self, tokens: Sequence[str]) -> list[str]:
        """As Client."""
        found: list[str] = self._run(self._all(tokens))
        return found

    def close(self) -> None:
        """Closes the client, then the loop."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Awaitable[Any]) -> Any:
        async def done() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(ANSWER_SECONDS_MAX)

    async def _all(self, tokens: Sequence[str]) -> list[str]:
        return await asyncio.gather(*map(self._verdict, tokens))

    async def _verdict(self, token: str) -> str:
        try:
            await self._verify(token)
        except Exception as error:  # noqa: BLE001  # each client has errors of its own; which one is shown
            return type(error).__name__
        return ""


class Process:
    """A client in another language: one line of JSON for tokens that come at once, one for the verdicts."""

    def __init__(self, program: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            program, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def verdicts(self, tokens: Sequence[str]) -> list[str]:
        """As Client."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(tokens)) + "\n")
        self._process.stdin.flush()
        found: list[str] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        """Ends its input, and so the process."""
        ended(self._process)


def ended(process: "subprocess.Popen[str]") -> None:
    """Ends the input of a program that lives as long as it; one that does not end is killed."""
    try:
        process.communicate(timeout=ANSWER_SECONDS_MAX)
    finally:
        process.kill()

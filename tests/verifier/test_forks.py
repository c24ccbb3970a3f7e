"""A verifier across fork and exit: the child begins a thread of its own, whatever the parent was doing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from jwturn import AsyncVerifier, Verifier
from jwturn.core.jwks_cache import Flight
from tests.verifier.issuer import Issuer, served
from tests.verifier.test_verifier import PATIENCE_SECONDS, until

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


class Child:
    """A forked child at work; one that hangs is ended by an alarm."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._told, tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            signal.alarm(int(PATIENCE_SECONDS))
            try:
                told = json.dumps(work())
            except BaseException as error:  # noqa: BLE001  # nothing of the child may go on in the parent's place
                told = json.dumps(repr(error))
            os.write(tell, told.encode())
            os._exit(0)
        os.close(tell)

    def result(self) -> Any:
        with os.fdopen(self._told, "rb") as told:
            text = told.read()
        _, status = os.waitpid(self._pid, 0)
        assert status == 0, "the child hung"
        return json.loads(text)


@contextmanager
def held_by_another_thread(*locks: Any) -> Iterator[None]:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            done.wait(PATIENCE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        assert held.wait(PATIENCE_SECONDS)
        yield
        done.set()


def sub_of(verifier: Verifier, token: str) -> object:
    return verifier.verify(token)["sub"]


def test_a_child_verifies_and_fetches_by_itself_and_its_parent_goes_on() -> None:
    with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
        verifier.verify(issuer.token())
        issuer.publish("k1", "k2")
        child = Child(lambda: [sub_of(verifier, issuer.token()), sub_of(verifier, issuer.token("k2"))])
        assert child.result() == ["alice", "alice"]
        assert issuer.fetches == 2
        assert verifier.status().kids == ("k1",)
        assert sub_of(verifier, issuer.token("k2")) == "alice"
        assert issuer.fetches == 3


def test_a_fork_of_a_cold_verifier() -> None:
    with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
        children = [Child(lambda: sub_of(verifier, issuer.token())) for _ in range(3)]
        assert [child.result() for child in children] == ["alice"] * 3
        assert sub_of(verifier, issuer.token()) == "alice"


def test_a_fork_in_the_middle_of_a_fetch() -> None:
    with served("k1") as issuer, Verifier(**issuer.rules) as verifier, ThreadPoolExecutor(1) as pool:
        assert issuer.site is not None
        verifier.verify(issuer.token())
        issuer.site.gate.clear()
        issuer.publish("k1", "k2")
        waiting = pool.submit(sub_of, verifier, issuer.token("k2"))
        until(lambda: issuer.fetches == 2)
        child = Child(lambda: [sub_of(verifier, issuer.token()), sub_of(verifier, issuer.token("k2"))])
        until(lambda: issuer.fetches == 3)
        issuer.site.gate.set()
        assert child.result() == ["alice", "alice"]
        assert waiting.result(PATIENCE_SECONDS) == "alice"


def test_a_fork_while_another_thread_holds_every_lock() -> None:
    with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
        verifier.verify(issuer.token())
        issuer.publish("k1", "k2")
        with held_by_another_thread(verifier._keys._lock, verifier._thread._changed):
            child = Child(lambda: [sub_of(verifier, issuer.token()), sub_of(verifier, issuer.token("k2"))])
            assert child.result() == ["alice", "alice"]
        assert sub_of(verifier, issuer.token("k2")) == "alice"


def test_a_child_does_not_send_what_its_parent_began() -> None:
    with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
        verifier.verify(issuer.token())
        with held_by_another_thread(verifier._thread._changed):
            verifier._thread._begun.append(Flight(99, 0.0, 0.0))
            assert Child(lambda: len(verifier._thread._begun)).result() == 0


def test_a_child_of_a_child() -> None:
    with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
        verifier.verify(issuer.token())
        issuer.publish("k1", "k2")
        child = Child(lambda: Child(lambda: sub_of(verifier, issuer.token("k2"))).result())
        assert child.result() == "alice"


def test_closing_in_a_child_leaves_the_parents_thread_alone() -> None:
    def close() -> str:
        verifier.close()
        return "closed"

    with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
        verifier.verify(issuer.token())
        assert Child(close).result() == "closed"
        issuer.publish("k1", "k2")
        assert sub_of(verifier, issuer.token("k2")) == "alice"


def test_an_async_verifier_forked_while_another_thread_holds_its_locks() -> None:
    with served("k1") as issuer:
        verifier = AsyncVerifier(**issuer.rules)

        def verify(kid: str) -> object:
            return asyncio.run(verifier.verify(issuer.token(kid)))["sub"]

        assert verify("k1") == "alice"
        issuer.publish("k1", "k2")
        with held_by_another_thread(verifier._keys._lock, verifier._waiters.lock):
            assert Child(lambda: [verify("k1"), verify("k2")]).result() == ["alice", "alice"]
        assert verify("k2") == "alice"


HANGS = """
import threading
from jwturn import Verifier

class Hangs:
    asked = threading.Event()

    def get(self, get, *, deadline):
        self.asked.set()
        threading.Event().wait()

verifier = Verifier(issuer="https://a.example", audience="orders", fetch=Hangs())
threading.Thread(target=verifier.verify, args=(%r,), daemon=True).start()
assert Hangs.asked.wait(20)
print("bye")
"""


def test_an_interpreter_ends_while_a_fetch_hangs_for_ever() -> None:
    script = HANGS % Issuer("k1", name="https://a.example").token()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "bye\n", "")

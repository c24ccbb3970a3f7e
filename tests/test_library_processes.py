"""jwturn in applications of several processes: started at once, or forked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jwturn
from jwturn.core.jws import read_claims, split
from jwturn.core.ledger import Actor

ISSUER = "https://auth.example.com"
WHO = Actor("ann", "because")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("JWTURN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def kid_of(token: str) -> object:
    return split(token).header.kid


def python(code: str, *args: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: "subprocess.Popen[str]") -> list[str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.split()


SIGNER = """
import sys, jwturn
with jwturn.open(sys.argv[1], issuer="https://auth.example.com") as ring:
    for _ in range(20):
        print(ring.sign({}))
"""


def test_processes_that_open_an_empty_folder_at_once_share_one_ring(folder: Path) -> None:
    tokens = [output(process) for process in [python(SIGNER, str(folder)) for _ in range(4)]]
    assert [len(signed) for signed in tokens] == [20] * 4
    with jwturn.open(folder) as ring:
        assert len({kid_of(token) for signed in tokens for token in signed}) == 1
        for token in [token for signed in tokens for token in signed]:
            ring.verify(token)
        states = [str(key.state) for key in ring.app.store.load("default").ring.keys]
    assert states == ["active", "standby"]


FORKED = """
import os, sys, threading, jwturn
ring = jwturn.open(sys.argv[1], issuer="https://auth.example.com")
parent = ring.app
print(ring.sign({"by": "parent"}), flush=True)
pid = os.fork()
if pid == 0:
    assert len(threading.enumerate()) == 1
    print(ring.sign({"by": "child"}), flush=True)
    assert ring.app is not parent and ring.app.node != parent.node
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("jwturn_")]
    assert sorted(names) == ["jwturn_run", "jwturn_watch"], names
    ring.close()
    os._exit(0)
_, status = os.waitpid(pid, 0)
assert status == 0, status
assert ring.app is parent
print(ring.sign({"by": "parent"}), flush=True)
assert sum(thread.name.startswith("jwturn_") for thread in threading.enumerate()) == 2
marks = {mark.node for mark in parent.store.load("default").leases.marks}
assert len(marks) == 2, marks
ring.close()
"""


def test_a_forked_child_signs_as_a_node_of_its_own_and_the_parent_goes_on(folder: Path) -> None:
    tokens = output(python(FORKED, str(folder)))
    with jwturn.open(folder) as ring:
        assert [ring.verify(token)["by"] for token in tokens] == ["parent", "child", "parent"]
        node = ring.app.store.load("default")
        assert node.leases.leases == ()


CLOSED_IN_CHILD = """
import gc, os, sys, jwturn
ring = jwturn.open(sys.argv[1], issuer="https://auth.example.com")
ring.sign({})
pid = os.fork()
if pid == 0:
    ring.close()
    del ring
    gc.collect()
    os._exit(0)
_, status = os.waitpid(pid, 0)
assert status == 0
print(ring.sign({}))
ring.close()
"""


def test_a_child_that_only_closes_takes_nothing_from_its_parent(folder: Path) -> None:
    (token,) = output(python(CLOSED_IN_CHILD, str(folder)))
    with jwturn.open(folder) as ring:
        assert ring.verify(token)
    assert read_claims(split(token).payload)["iss"] == ISSUER

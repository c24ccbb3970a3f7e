"""A child that is forked while its parent writes can use the same store at once."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys, threading
import jwturn

ring = jwturn.open(sys.argv[1], issuer="https://a.example")
stop = threading.Event()


def write() -> None:
    while not stop.is_set():
        ring.app.store.checkpoint("test")
        ring.app.store.tick(boottime=ring.app.clock.boottime(), before=None)


writers = [threading.Thread(target=write) for _ in range(3)]
for writer in writers:
    writer.start()
failed = 0
for _ in range(5):
    child = os.fork()
    if child == 0:
        try:
            ring.sign({"sub": "child"})
        except BaseException as error:
            print(f"child: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    failed += os.waitpid(child, 0)[1] != 0
    ring.sign({"sub": "parent"})
stop.set()
for writer in writers:
    writer.join(20)
ring.close()
sys.exit(failed)
"""


def test_children_forked_in_the_middle_of_writes_sign_and_so_does_their_parent(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")

"""The service as a process that ends by itself: once the ring has turned, or after some seconds.

python -m tests.faults.serving: on the store of the folder it is started in.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from jwturn.compose import App, open_app
from jwturn.core.errors import FatalStorage, JwturnError
from jwturn.core.states import STANDBY
from jwturn.server.run import serve
from tests.faults.yard import settings_of

SECONDS = 3.0
"""Enough for a turn on a slow machine; where a fault forbids one, this is how long it takes."""
LOOK_SECONDS = 0.02


def main() -> int:
    """Serves until the turn that is due is over."""
    try:
        app = open_app(settings_of(Path.cwd()))
        kid = active(app)
        serve(app, host="127.0.0.1", port=0, on_ready=lambda _: _watch(app, kid))
    except (JwturnError, FatalStorage) as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    return 0


def active(app: App) -> str | None:
    """The kid that signs; None where the store cannot say."""
    try:
        ring = app.store.load("default").ring
    except JwturnError:
        return None
    return ring.active.kid if ring.active and ring.in_state(STANDBY) else None


def _watch(app: App, kid: str | None) -> None:
    def end() -> None:
        limit = time.monotonic() + SECONDS
        while time.monotonic() < limit and active(app) in (kid, None):
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())

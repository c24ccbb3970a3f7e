"""`jwturn` under a clock that the documentation's test moves: the file named in DOCS_CLOCK holds the time."""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from jwturn.cli.main import run
from jwturn.ports.clock import Clock, SystemClock
from jwturn.testing.clock import FakeClock

BEGAN = datetime.fromisoformat("2026-12-01T09:00:00+00:00")


def clock() -> Clock:
    """The clock of this call."""
    file = os.environ.get("DOCS_CLOCK")
    if file is None:
        return SystemClock()
    clock = FakeClock(BEGAN)
    clock.advance(timedelta(seconds=float(Path(file).read_text())))
    return clock


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], clock=clock()))

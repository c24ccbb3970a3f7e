"""What every endpoint is handed: the app, its lanes, and what is kept between calls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from jwturn.compose import App
from jwturn.server.auth import Callers
from jwturn.server.idempotency import Replays
from jwturn.server.lanes import Lane, Recent
from jwturn.server.limits import BODY_DEADLINE, Gate
from jwturn.server.metrics import Metrics
from jwturn.server.sites import Sets

PROBED: Final = timedelta(seconds=1)
"""How long an answer to a probe is given again: probes need no API token, and must not load the store."""
T = TypeVar("T")


class Service:
    """One node's service. `document` is the text of /openapi.json."""

    def __init__(self, app: App, *, document: bytes, body_deadline: timedelta = BODY_DEADLINE) -> None:
        limits = app.settings.service
        self.app = app
        self.document = document
        self.body_max = limits.body_max
        self.body_deadline = body_deadline
        self.batch_max = limits.batch_max
        self.signing_lane = Lane(16)
        self.reading_lane = Lane(8)
        self.command_lane = Lane(4)
        self.gate = Gate(limits.concurrency_max)
        self.callers = Callers(app.store, Lane(1), app.clock, rate_max=limits.rate_max)
        self.replays = Replays(app.clock)
        self.sets = Sets(app.store, app.publisher, app.clock, width=limits.concurrency_max)
        self.metrics = Metrics()
        self._probes: dict[str, Recent[Any]] = {}
        self._probe_lane = Lane(3)

    async def probe(self, name: str, read: Callable[[], T]) -> T:
        """What `read` finds, read in a thread at most once in `PROBED`."""
        if name not in self._probes:
            self._probes[name] = Recent(read, self._probe_lane, self.app.clock, fresh=PROBED)
        found: T = await self._probes[name].get()
        return found

"""Metrics, in the Prometheus text format: what the rings are, and what callers got.

Labels are few and bounded.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from jwturn.compose import App
from jwturn.core.errors import JwturnError
from jwturn.core.leases import last_exp
from jwturn.core.states import RETIRED
from jwturn.ports.store import View
from jwturn.server.tell import steps_booked
from jwturn.service.health import findings
from jwturn.service.publish import JWKS_PATH

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Counts = Counter[tuple[str, str, int]]


class Metrics:
    """Counts of what was answered, by route, method and code. Written by the event loop only."""

    def __init__(self) -> None:
        self.requests: Counts = Counter()
        self.spent: dict[str, list[int]] = {}
        self.seconds: Counter[str] = Counter()

    def count(self, route: str, method: str, *, code: int, seconds: float) -> None:
        """One answer. `route` is a path of the table, never one that was sent."""
        self.requests[route, method, code] += 1
        buckets = self.spent.setdefault(route, [0] * (len(BUCKETS) + 1))
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds[route] += seconds  # type: ignore[assignment]  # a Counter of seconds adds floats

    def text(self, app: App) -> bytes:
        """Everything, with the rings as the store has them now. Blocks."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once([*self._answers(), *_of_app(app)]))
        return generate_latest(registry)

    def _answers(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "jwturn_http_requests", "Calls answered.", labels=["route", "method", "code"]
        )
        jwks = CounterMetricFamily("jwturn_jwks_requests", "JWKS answered.", labels=["code"])
        by_code: Counter[str] = Counter()
        for (route, method, code), number in list(self.requests.items()):
            requests.add_metric([route, method, str(code)], number)
            if route.endswith(JWKS_PATH):
                by_code[str(code)] += number
        for text, number in sorted(by_code.items()):
            jwks.add_metric([text], number)
        yield from (requests, jwks)
        spent = HistogramMetricFamily("jwturn_http_request_seconds", "Time to the answer.", labels=["route"])
        for route, buckets in list(self.spent.items()):
            spent.add_metric([route], buckets=_cumulated(buckets), sum_value=self.seconds[route])
        yield spent


class _Once(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, number in zip([*map(str, BUCKETS), "+Inf"], list(buckets), strict=True):
        total += number
        found.append((bound, float(total)))
    return found


def _of_app(app: App) -> Iterator[Metric]:
    views: list[View] = []
    up = GaugeMetricFamily("jwturn_store_up", "1 while the store answers and is whole.")
    try:
        views = [app.store.load(row.name) for row in app.store.rings()]
        up.add_metric([], 1)
        yield _findings(app, views)
    except JwturnError:
        up.add_metric([], 0)
    yield up
    yield from _keys(views)
    yield _steps(views)
    signed = CounterMetricFamily("jwturn_signatures", "Tokens signed by this node.", labels=["ring", "kid"])
    for (ring, kid), number in sorted(app.signing.totals().items()):
        signed.add_metric([ring, kid], number)
    yield signed
    yield from _loop(app)


def _keys(views: list[View]) -> Iterator[Metric]:
    info = GaugeMetricFamily("jwturn_key_info", "A key, by state.", labels=["ring", "kid", "alg", "state"])
    ends = GaugeMetricFamily(
        "jwturn_last_exp_timestamp_seconds", "The last exp that a token of the key can have.", labels=["kid"]
    )
    for view in views:
        for key in view.ring.keys:
            if key.state is RETIRED:
                continue
            info.add_metric([view.ring.name, key.kid, key.alg, str(key.state)], 1)
            exp = last_exp(view.leases, key)
            if exp is not None:
                ends.add_metric([key.kid], exp.timestamp())
    yield from (info, ends)


def _steps(views: list[View]) -> Metric:
    family = GaugeMetricFamily(
        "jwturn_next_step_timestamp_seconds",
        "When the next step of a kind may be taken.",
        labels=["ring", "step"],
    )
    for view in views:
        soonest: dict[str, datetime] = {}
        for booked in steps_booked(view):
            if booked.at is not None:
                soonest.setdefault(booked.step, booked.at)
        for step, at in soonest.items():
            family.add_metric([view.ring.name, step], at.timestamp())
    return family


def _findings(app: App, views: list[View]) -> Metric:
    family = GaugeMetricFamily(
        "jwturn_finding", "Something a person should know.", labels=["ring", "code", "serious"]
    )
    seen = app.store.seen()
    for view in views:
        found: Mapping[str, bool] = {one.code: one.serious for one in findings(view, seen)}
        for code, serious in found.items():
            family.add_metric([view.ring.name, code, str(serious).lower()], 1)
    return family


def _loop(app: App) -> Iterator[Metric]:
    health = app.loop.health
    last = GaugeMetricFamily(
        "jwturn_rotate_last_success_timestamp_seconds", "When every part of a pass went well."
    )
    if health.last_success is not None:
        last.add_metric([], health.last_success.timestamp())
    errors = CounterMetricFamily("jwturn_rotate_errors", "Passes of the loop in which a part failed.")
    errors.add_metric([], health.errors)
    yield from (last, errors)

"""Made-up kids by the thousand beside a steady stream of good tokens, in the threads of one process.

Time is cut into slices of three kinds in turn, so that whatever else the machine does falls on all of them:
`quiet`, good tokens alone; `flood`, and made-up kids beside them; `control`, and beside them as much work of
the interpreter as refusing those took, without any key being looked up. What a flood costs good tokens beyond
the control is the client's doing; the rest is that one interpreter runs one thread at a time.

Latencies are counted twice: `verify`, the call alone, and `due`, from the moment the token was due, which has
the wait for the interpreter and for a CPU in it, as a request has.
"""

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final

from bench.clients.issuer import Loopback, Trial, new_key

SLICES: Final = ("quiet", "flood", "control")
SLICE_SECONDS: Final = 0.5
VALID_THREADS: Final = 2
FLOOD_THREADS: Final = 2
VALID_PER_SECOND: Final = 200
"""Of each thread."""
ANSWER_SECONDS: Final = 0.2
"""The issuer is as far away as this; a caller who waits behind a fetch waits so long."""
COST_CALLS: Final = 400
DRAIN_CALLS: Final = 10
START_SECONDS: Final = 0.2
CYCLE_SECONDS: Final = len(SLICES) * SLICE_SECONDS

Verify = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds of the good tokens in slices of one kind.

    `due_p99_slice` is the median of what the p99 was in each slice: what other processes do to a few slices
    is not in it, nor is what a fetch does to the one it falls in; `due_p99` and `due_max` have both.
    """

    slices: str
    tokens: int
    verify_p50: float
    verify_p99: float
    due_p50: float
    due_p99: float
    due_p99_slice: float
    due_max: float


@dataclass(frozen=True, slots=True)
class Flood:
    """One client's minute: made-up kids sent, fetches caused (the first one too), CPU time of a refusal."""

    client: str
    seconds: float
    kids: int
    fetches: int
    good_refused: int
    refusal_micros: float
    latencies: list[Latency]


@dataclass(frozen=True, slots=True)
class Call:
    """One good token: the slice it was due in, seconds of the call, seconds since it was due, its error."""

    slice: int
    verify: float
    due: float
    error: str


def measure(
    client: str, made: Callable[[Trial], Verify], issuer: Loopback, *, seconds: float, kids: int
) -> Flood:
    """One client under `kids` made-up kids in `seconds`; `made` gives what verifies a token."""
    refusal_seconds = refusal_cost(made, issuer)
    key = new_key()
    trial = issuer.trial(key, delay=ANSWER_SECONDS)
    verify = made(trial)
    cycles = max(1, round(seconds / CYCLE_SECONDS))
    each = round(kids / FLOOD_THREADS / cycles)
    good = [trial.tokens(key, round(VALID_PER_SECOND * cycles * CYCLE_SECONDS)) for _ in range(VALID_THREADS)]
    bad = [trial.unknown(each * cycles) for _ in range(FLOOD_THREADS)]
    verify(trial.token(key))
    work = work_of(refusal_seconds)
    began = time.perf_counter() + START_SECONDS
    with ThreadPoolExecutor(VALID_THREADS + FLOOD_THREADS) as pool:
        floods = [pool.submit(_made_up, verify, work, _dues(began, cycles, each), tokens) for tokens in bad]
        streams = [pool.submit(_valid, verify, began, tokens) for tokens in good]
        calls = [call for stream in streams for call in stream.result()]
        accepted = sum(flood.result() for flood in floods)
    assert not accepted, "a made-up kid was accepted"
    return Flood(
        client=client,
        seconds=cycles * CYCLE_SECONDS,
        kids=sum(map(len, bad)),
        fetches=trial.fetches,
        good_refused=sum(bool(call.error) for call in calls),
        refusal_micros=refusal_seconds * 1e6,
        latencies=[_latency(slices, calls) for slices in SLICES],
    )


def refusal_cost(made: Callable[[Trial], Verify], issuer: Loopback) -> float:
    """Seconds of CPU that refusing a made-up kid takes the caller once no fetch is allowed any more."""
    key = new_key()
    trial = issuer.trial(key)
    verify = made(trial)
    verify(trial.token(key))
    for token in trial.unknown(DRAIN_CALLS):
        _refused(verify, token)
    tokens = trial.unknown(COST_CALLS)
    began = time.thread_time()
    refused = [_refused(verify, token) for token in tokens]
    assert all(refused), "a made-up kid was accepted"
    return (time.thread_time() - began) / COST_CALLS


def work_of(seconds: float) -> Callable[[], None]:
    """Work of the interpreter that takes so much CPU and looks up no key."""
    text = json.dumps({"alg": "ES256", "kid": "k" * 22, "typ": "JWT"})
    began = time.thread_time()
    for _ in range(COST_CALLS):
        json.loads(text)
    number = max(1, round(seconds * COST_CALLS / (time.thread_time() - began)))

    def work() -> None:
        for _ in range(number):
            json.loads(text)

    return work


def kind_of(number: int) -> str:
    """What a slice is, the first one being 0."""
    return SLICES[number % len(SLICES)]


def _dues(began: float, cycles: int, each: int) -> Iterator[tuple[float, str]]:
    """When something beside good tokens is due, and in what kind of slice."""
    for number in range(cycles * len(SLICES)):
        slices = kind_of(number)
        if slices != "quiet":
            for done in range(each):
                yield began + (number + done / each) * SLICE_SECONDS, slices


def _made_up(
    verify: Verify, work: Callable[[], None], dues: Iterator[tuple[float, str]], tokens: Sequence[str]
) -> int:
    """Sends made-up kids and works, in turn; how many of the kids were accepted."""
    waiting, accepted = iter(tokens), 0
    for due, slices in dues:
        time.sleep(max(due - time.perf_counter(), 0))
        if slices == "flood":
            accepted += not _refused(verify, next(waiting))
        else:
            work()
    return accepted


def _valid(verify: Verify, began: float, tokens: Sequence[str]) -> list[Call]:
    """Verifies good tokens at a steady pace; one that is late is sent as soon as can be."""
    calls = []
    for number, token in enumerate(tokens):
        since = number / VALID_PER_SECOND
        due = began + since
        time.sleep(max(due - time.perf_counter(), 0))
        sent = time.perf_counter()
        error = _refused(verify, token)
        ended = time.perf_counter()
        calls.append(Call(int(since / SLICE_SECONDS), ended - sent, ended - due, error))
    return calls


def _refused(verify: Verify, token: str) -> str:
    try:
        verify(token)
    except Exception as error:  # noqa: BLE001  # each client has errors of its own; which one is shown
        return type(error).__name__
    return ""


def _latency(slices: str, calls: Sequence[Call]) -> Latency:
    by_slice: dict[int, list[float]] = defaultdict(list)
    for call in calls:
        if kind_of(call.slice) == slices:
            by_slice[call.slice].append(call.due * 1e6)
    verify = sorted(call.verify * 1e6 for call in calls if kind_of(call.slice) == slices)
    due = sorted(chain.from_iterable(by_slice.values()))
    return Latency(
        slices=slices,
        tokens=len(due),
        verify_p50=_at(verify, 0.5),
        verify_p99=_at(verify, 0.99),
        due_p50=_at(due, 0.5),
        due_p99=_at(due, 0.99),
        due_p99_slice=statistics.median(_at(sorted(each), 0.99) for each in by_slice.values()),
        due_max=due[-1],
    )


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]

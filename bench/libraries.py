"""Ours beside other libraries: fresh tokens, one core; then repeated tokens, and one or two threads.

Every library signs the same claims and verifies the same tokens, each in a string object of its own that
nobody has seen or hashed before. The raw primitive is measured just before each of them, and `over` is the
difference of the two. It gets other data and another signature at each call, as the libraries do: the time of
ECDSA and Ed25519 depends on both, and a processor learns a signature that it meets again. The quarter
of the rounds counts in which both together took least: in others the machine was busy with something else.
"""

import statistics
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.contenders import NAMES, Claims, Contender, contender, longer
from bench.tokens import raw
from jwturn.core.jws import cut
from jwturn.crypto.generate import KeyPair, generate

ALGS: Final = ("HS256", "RS256", "ES256", "EdDSA")
OURS: Final = NAMES[0]
RAW: Final = "raw"
SIGN: Final = "sign"
VERIFY: Final = "verify"
ROUND_SECONDS: Final = 0.004
"""How long the raw primitive shall take in a round."""
MEMO_TOKENS: Final = 200
"""Fewer than the memo holds."""


@dataclass(frozen=True, slots=True)
class Line:
    """Medians in microseconds: a whole operation, and what it adds to the raw primitive of the same round."""

    alg: str
    what: str
    library: str
    total: float
    over: float


@dataclass(frozen=True, slots=True)
class Threads:
    """Verifications a second, all threads together."""

    alg: str
    library: str
    one: float
    two: float


@dataclass(frozen=True, slots=True)
class Repeated:
    """Median microseconds for a token that was verified before, and its length."""

    alg: str
    characters: int
    micros: float


def measure(*, rounds: int, algs: Sequence[str] = ALGS, names: Sequence[str] = NAMES) -> list[Line]:
    """A line for each algorithm, operation and library that is installed, and one for the raw primitive."""
    lines = []
    for alg in algs:
        pair, found = _field(alg, names)
        data = cut(found[OURS].sign(_claims(0)))[3]
        samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for turn in range(rounds + 1):
            for key, times in _round(raw(pair), found, data, turn).items():
                samples.setdefault(key, []).extend([times] if turn else [])
        lines += [_line(alg, what, name, pairs) for (what, name), pairs in samples.items()]
        for what in (SIGN, VERIFY):
            base = statistics.median(before for before, _ in _calm(samples[what, OURS]))
            lines.append(Line(alg, what, RAW, base, 0.0))
    return lines


def measure_threads(
    *, seconds: float, algs: Sequence[str] = ALGS, names: Sequence[str] = NAMES
) -> list[Threads]:
    """How many fresh tokens a second one thread verifies, and two that share the same number of tokens."""
    rates = []
    for alg in algs:
        pair, found = _field(alg, names)
        number = _number(found[OURS].verify, found[OURS].sign(_claims(0)), seconds)
        tokens = [found[OURS].sign(_claims(index)) for index in range(number)]
        for name in found:
            per_second = []
            for threads in (1, 2):
                anew = contender(name, alg, pair)
                assert anew is not None
                per_second.append(_rate(anew.verify, _fresh(tokens), threads))
            rates.append(Threads(alg, name, *per_second))
    return rates


def measure_repeated(*, rounds: int, algs: Sequence[str] = ALGS) -> list[Repeated]:
    """Tokens of 600 to 900 characters that come again, in new string objects each time."""
    found = []
    for alg in algs:
        ours = _field(alg, (OURS,))[1][OURS]
        tokens = [ours.sign(longer(_claims(index))) for index in range(MEMO_TOKENS)]
        for _ in range(3):
            _each(ours.verify, _fresh(tokens))
        times = [_each(ours.verify, _fresh(tokens)) for _ in range(rounds)]
        found.append(Repeated(alg, len(tokens[0]), statistics.median(times)))
    return found


def _field(alg: str, names: Sequence[str]) -> tuple[KeyPair, dict[str, Contender]]:
    """A new key, and every library that is installed and knows its algorithm."""
    warnings.simplefilter("ignore")
    pair = generate(alg, rsa_bits=2048)
    made = {name: contender(name, alg, pair) for name in names}
    return pair, {name: one for name, one in made.items() if one is not None}


def _round(
    primitive: tuple[Any, Any], found: dict[str, Contender], data: bytes, turn: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """Microseconds of raw and of the library, by both; who goes first changes with each round."""
    raw_sign, raw_verify = primitive
    first, tag = turn * 100_000, raw_sign(data)
    texts = [b"%s%08d" % (data[:-8], first + n) for n in range(_number(raw_sign, data))]
    claims = [_claims(first + n) for n in range(len(texts))]
    number = _number(lambda _: raw_verify(data, tag), None)
    signed = [(text, raw_sign(text)) for text in (b"%s%08d" % (data[:-8], first + n) for n in range(number))]
    tokens = [found[OURS].sign(_claims(first + n)) for n in range(number)]
    names = [*found][turn % len(found) :] + [*found][: turn % len(found)]
    times = {}
    for name in names:
        before = _each(raw_sign, texts)
        times[SIGN, name] = before, _each(found[name].sign, claims)
    for name in names:
        own = _fresh(tokens)
        before = _each(lambda one: raw_verify(*one), signed)
        times[VERIFY, name] = before, _each(found[name].verify, own)
    return times


def _each(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Microseconds of this thread's processor time for each item; what comes out is let go at once."""
    began = time.thread_time()
    for item in items:
        work(item)
    return (time.thread_time() - began) / len(items) * 1e6


def _fresh(tokens: Sequence[str]) -> list[str]:
    """The same texts in new objects, whose hashes nobody has computed."""
    return [f"{token[:9]}{token[9:]}" for token in tokens]


def _number(work: Callable[[Any], object], item: Any, seconds: float = ROUND_SECONDS) -> int:
    once = min(_each(work, [item] * 5) for _ in range(3)) / 1e6
    return max(8, min(20_000, int(seconds / once)))


def _rate(verify: Callable[[str], object], tokens: Sequence[str], threads: int) -> float:
    """Verifications a second by so many threads, which share the tokens."""
    ready = threading.Barrier(threads + 1)

    def work(own: Sequence[str]) -> None:
        ready.wait()
        for token in own:
            verify(token)

    running = [threading.Thread(target=work, args=(tokens[first::threads],)) for first in range(threads)]
    for thread in running:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in running:
        thread.join()
    return len(tokens) / (time.perf_counter() - began)


def _calm(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The quarter that took least, both together: choosing by one of them would bias the difference."""
    return sorted(pairs, key=sum)[: len(pairs) // 4 + 1]


def _line(alg: str, what: str, name: str, pairs: list[tuple[float, float]]) -> Line:
    calm = _calm(pairs)
    total = statistics.median(took for _, took in calm)
    return Line(alg, what, name, total, statistics.median(took - before for before, took in calm))


def _claims(index: int) -> Claims:
    return {"sub": f"user-{index}", "scope": "read write", "tenant": 7}

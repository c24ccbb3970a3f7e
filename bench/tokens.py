"""Sign and verify against the raw primitive of `cryptography`, in the same run.

Each round makes new tokens and verifies each of them once, so no token string is ever seen twice. The raw
primitive is one call on a key object that is parsed already, over as many bytes as our signing input has.
What ours adds includes the caches that the primitive has emptied; where a primitive is slow or draws until it
succeeds (ML-DSA), its own spread is larger than what ours adds.
"""

import hmac
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.contenders import AUDIENCE, ISSUER, contender
from jwturn.compose import App, create_app
from jwturn.core.jws import split
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy
from jwturn.crypto.algorithms import Ecdsa, Hmac, Rsa, algorithm
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.private import private_key
from jwturn.settings import load

ALGS: Final = ("HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "ML-DSA-65")
ROUND_SECONDS: Final = 0.01
"""How long the raw primitive shall take in a round."""
BUDGETS: Final = {"sign": 4.0, "verify": 5.0}
"""Microseconds above the raw primitive (DESIGN section 7)."""

Claims = dict[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in microseconds per operation; `over` is what ours adds to the primitive in the same round."""

    alg: str
    what: str
    raw: float
    ours: float
    over: float
    budget: float | None


@dataclass(frozen=True, slots=True)
class Paths:
    """What is compared for one algorithm; `granted` signs under a grant, as the service does."""

    raw_sign: Callable[[bytes], bytes]
    raw_verify: Callable[[bytes, bytes], object]
    sign: Callable[[Claims], str]
    verify: Callable[[str], Any]
    granted: Callable[[Claims], str]


def measure(folder: Path, *, rounds: int, algs: Sequence[str] = ALGS) -> list[Row]:
    """Three rows an algorithm; `folder` holds the KEK of the signing service."""
    located = {"JWTURN_STORE__URI": "memory:", "JWTURN_STORE__KEK": f"file:{folder / 'kek'}"}
    app = create_app(load(located, cwd=folder))
    try:
        return [row for alg in algs for row in _rows(alg, paths(alg, app), rounds)]
    finally:
        app.close()


def paths(alg: str, app: App) -> Paths:
    """The raw primitive, the pure paths, and a ring of `alg` on `app`."""
    pair = generate(alg, rsa_bits=2048)
    raw_sign, raw_verify = raw(pair)
    ours = contender("jwturn", alg, pair)
    assert ours is not None
    policy = RotationPolicy(alg=alg, rsa_bits=2048, audience=(AUDIENCE,))
    app.commands.add_ring(alg, issuer=f"{ISSUER}/{alg}", policy=policy, actor=Actor("bench"))
    app.rotator.turn(alg)

    def granted(claims: Claims) -> str:
        return app.signing.sign(alg, claims).token

    return Paths(raw_sign, raw_verify, ours.sign, ours.verify, granted)


def raw(pair: KeyPair) -> tuple[Callable[[bytes], bytes], Callable[[bytes, bytes], object]]:
    """One direct call of the primitive for signing and one for verifying, in the primitive's own encoding."""
    row = algorithm(pair.alg)
    if isinstance(row, Hmac):
        secret, digest = pair.private.reveal(), row.digest
        return (
            lambda data: hmac.digest(secret, data, digest),
            lambda data, tag: hmac.compare_digest(hmac.digest(secret, data, digest), tag),
        )
    key: Any = private_key(pair.alg, pair.private)
    sign, verify_raw = key.sign, key.public_key().verify
    if isinstance(row, Rsa):
        padding, hashed = row.padding, row.hash
        return (
            lambda data: sign(data, padding, hashed),
            lambda data, sig: verify_raw(sig, data, padding, hashed),
        )
    if isinstance(row, Ecdsa):
        from cryptography.hazmat.primitives.asymmetric import ec

        scheme = ec.ECDSA(row.hash)
        return (lambda data: sign(data, scheme), lambda data, sig: verify_raw(sig, data, scheme))
    return sign, lambda data, sig: verify_raw(sig, data)


def _rows(alg: str, on: Paths, rounds: int) -> list[Row]:
    sample = on.sign(_claims(0))
    data = split(sample).signing_input
    once = _seconds(lambda: [on.raw_sign(data) for _ in range(20)]) / 20
    number = max(8, min(2000, int(ROUND_SECONDS / once)))
    samples: dict[str, list[tuple[float, float]]] = {"sign": [], "verify": [], "sign, granted": []}
    for turn in range(rounds):
        for what, pair in _round(on, data, number, turn * number).items():
            samples[what].append(pair)
    return [_row(alg, what, pairs) for what, pairs in samples.items()]


def _round(on: Paths, data: bytes, number: int, first: int) -> dict[str, tuple[float, float]]:
    """Seconds per operation, raw and ours, over `number` new tokens."""
    claims = [_claims(first + index) for index in range(number)]
    texts = [b"%s%08d" % (data[:-8], index) for index in range(number)]
    signatures: list[bytes] = []
    tokens: list[str] = []
    judged: list[Any] = []
    raw_sign = _seconds(lambda: signatures.extend(map(on.raw_sign, texts)))
    sign = _seconds(lambda: tokens.extend(map(on.sign, claims)))
    raw_verify = _seconds(lambda: judged.extend(map(on.raw_verify, texts, signatures)))
    verified = _seconds(lambda: judged.extend(map(on.verify, tokens)))
    granted = _seconds(lambda: judged.extend(map(on.granted, claims)))
    assert judged[number]["sub"] == claims[0]["sub"]
    assert judged[0] is not False
    return {
        "sign": (raw_sign / number, sign / number),
        "verify": (raw_verify / number, verified / number),
        "sign, granted": (raw_sign / number, granted / number),
    }


def _claims(index: int) -> Claims:
    return {"sub": f"user-{index}", "scope": "read write", "tenant": 7}


def _row(alg: str, what: str, pairs: list[tuple[float, float]]) -> Row:
    micro = [(before * 1e6, after * 1e6) for before, after in pairs]
    return Row(
        alg,
        what,
        raw=statistics.median(before for before, _ in micro),
        ours=statistics.median(after for _, after in micro),
        over=statistics.median(after - before for before, after in micro),
        budget=BUDGETS.get(what),
    )


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread: what others do on the machine meanwhile is not counted."""
    began = time.thread_time()
    work()
    return time.thread_time() - began

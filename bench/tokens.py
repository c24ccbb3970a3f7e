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
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from jwturn.compose import App, create_app
from jwturn.core.claims import Rules, prepare
from jwturn.core.jws import header_segment, signing_input, split, token_of
from jwturn.core.ledger import Actor
from jwturn.core.policy import RotationPolicy
from jwturn.crypto.algorithms import Ecdsa, Hmac, Rsa, algorithm
from jwturn.crypto.generate import KeyPair, generate
from jwturn.crypto.private import private_key
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import hmac_key, verify_key
from jwturn.settings import load
from jwturn.verifier.checks import verify

ALGS: Final = ("HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "ML-DSA-65")
ISSUER: Final = "https://auth.example.com"
AUDIENCE: Final = "https://api.example.com"
KID: Final = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
JTI: Final = "3Jv0cN2nQmKqfYV0m4TzGw"
TTL: Final = timedelta(hours=1)
RULES: Final = Rules(issuer=ISSUER, audience=frozenset({AUDIENCE}), leeway=timedelta(), token_ttl_max=TTL)
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
    verify: Callable[[str], dict[str, Any]]
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
    header, sign_bytes = header_segment(alg, KID, "JWT"), signer(alg, pair.private).sign
    keys = {KID: hmac_key(alg, pair.private) if pair.public is None else verify_key(pair.public, alg=alg)}
    policy = RotationPolicy(alg=alg, rsa_bits=2048, audience=(AUDIENCE,))
    app.commands.add_ring(alg, issuer=f"{ISSUER}/{alg}", policy=policy, actor=Actor("bench"))
    app.rotator.turn(alg)

    def sign(claims: Claims) -> str:
        full = prepare(
            claims, issuer=ISSUER, now=time.time(), ttl=TTL, ttl_max=TTL, jti=JTI, audience=AUDIENCE
        )
        data = signing_input(header, full)
        return token_of(data, sign_bytes(data))

    def check(token: str) -> dict[str, Any]:
        return verify(token, keys, RULES, time.time())

    def granted(claims: Claims) -> str:
        return app.signing.sign(alg, claims).token

    return Paths(raw_sign, raw_verify, sign, check, granted)


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
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

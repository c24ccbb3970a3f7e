"""The fuzz targets find nothing in their seeds and some mutants, and do notice what they are there for.

`make fuzz` runs the same targets for longer, guided by coverage.
"""

import base64
import json
import random
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from fuzz import issuer, text
from fuzz.target import Target, Wrong
from fuzz.targets import TARGETS
from jwturn.core import claims, jws, strict_json
from jwturn.core.errors import BadInput

MUTANTS = 400


def mutants(target: Target, count: int) -> Iterator[bytes]:
    """Seeds, and seeds with pieces of others, words of the dictionary and stray bytes put in or cut out."""
    draw = random.Random(target.name)
    seeds = list(target.seeds())
    yield from seeds
    for _ in range(count):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 2, 3))):
            at, width = draw.randrange(len(data) + 1), draw.randrange(9)
            piece = draw.choice(seeds)[at : at + width]
            data[at : at + draw.choice((0, width))] = draw.choice(
                [*target.words, piece, draw.randbytes(width // 2)]
            )
        yield bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_finds_nothing_in_its_seeds_and_some_mutants(name: str) -> None:
    for data in mutants(TARGETS[name], MUTANTS):
        TARGETS[name].run(data)


def finds(name: str) -> bool:
    try:
        for data in mutants(TARGETS[name], MUTANTS):
            TARGETS[name].run(data)
    except Wrong:
        return True
    return False


def lenient(data: bytes, *, depth: int = 0) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput("not JSON", code="json_malformed") from error


def test_json_notices_a_reader_that_takes_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "loads", lenient)
    assert finds("json")


def test_claims_notices_a_rule_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "check", lambda *_, **__: None)
    assert finds("claims")


def test_claims_notices_a_memo_that_would_live_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "good_during", lambda claims, *_: (0.0, claims["exp"] + 3600.0))
    assert finds("claims")


def test_base64_notices_a_lenient_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jws, "decode", lambda data: base64.urlsafe_b64decode(data + b"==="))
    assert finds("base64")


def test_token_notices_a_signature_that_nobody_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in issuer.KEYS.values():
        monkeypatch.setattr(key, "verify", lambda *_: True)
    assert finds("token")


def test_ecdsa_notices_another_der(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "encode_dss_signature", lambda r, s: encode_dss_signature(s, r))
    assert finds("ecdsa")

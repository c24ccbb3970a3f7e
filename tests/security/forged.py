"""The corpus: every forged or malformed token, by family, and what the judges said of it."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, TypeAlias

from tests.security import (
    forged_claims,
    forged_headers,
    forged_keys,
    forged_rsa,
    forged_signatures,
    forged_text,
)
from tests.security.court import judged
from tests.security.forged_form import Forged

Family: TypeAlias = Callable[[], Iterator[Forged]]

FAMILIES: Final[tuple[Family, ...]] = (
    forged_headers.none,
    forged_headers.alg_names,
    forged_headers.extensions,
    forged_headers.content_types,
    forged_headers.types,
    forged_headers.serializations,
    forged_keys.confusion,
    forged_keys.other_algorithms,
    forged_keys.other_keys,
    forged_keys.embedded,
    forged_keys.kids,
    forged_text.alphabet,
    forged_text.lengths,
    forged_text.stray_bits,
    forged_text.whole_tokens,
    forged_text.json_texts,
    forged_signatures.shapes,
    forged_signatures.other_texts,
    forged_signatures.ecdsa,
    forged_signatures.eddsa,
    forged_signatures.hmacs,
    forged_signatures.ml_dsa,
    forged_rsa.pkcs1,
    forged_rsa.pss,
    forged_rsa.numbers,
    forged_rsa.short,
    forged_claims.types,
    forged_claims.absent,
    forged_claims.times,
    forged_claims.names,
)


def named(family: Family) -> str:
    return f"{family.__module__.rpartition('.')[2]}.{family.__name__}"


@cache
def made(family: Family) -> tuple[Forged, ...]:
    return tuple(family())


@cache
def verdicts(family: Family) -> dict[str, str]:
    """The code for every token of a family, by the token's name."""
    return {forged.name: judged(forged.token) for forged in made(family)}


def complaints(family: Family, *, only: str = "") -> list[str]:
    """What was wrong with the verdicts: accepted, or refused for another fault than its own.

    `only` keeps those whose name has it; that there are any is asserted.
    """
    chosen = [forged for forged in made(family) if only in forged.name]
    assert chosen, only
    found = verdicts(family)
    return [
        f"{forged.name}: {found[forged.name] or 'ACCEPTED'}"
        for forged in chosen
        if not found[forged.name] or forged.code not in {"", found[forged.name]}
    ]

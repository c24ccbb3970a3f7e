"""Idempotency-Key: a command that is sent twice is done once.

Answers are kept for 24 hours in this process, the newest 4096: a client that repeats a call after a lost
reply reaches the same answer here, not on another node nor after a restart. There the commands themselves
hold: a turn that is booked, a key that is revoked or retired is not so twice. Only what was done is kept,
not what was refused.
"""

import hashlib
from collections import OrderedDict
from datetime import timedelta
from typing import Final, TypeAlias

from jwturn.core.errors import BadInput
from jwturn.ports.clock import Clock
from jwturn.service.publish import Answer

KEPT: Final = timedelta(hours=24)
COUNT_MAX: Final = 4096
KEY_MAX: Final = 128

Place: TypeAlias = tuple[str, str, str]
"""Whose key it is: the caller's name, the path, the key."""


class Replays:
    """Answers by Idempotency-Key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: OrderedDict[Place, tuple[bytes, timedelta, Answer | None]] = OrderedDict()

    def begin(self, place: Place, body: bytes) -> Answer | None:
        """The answer given before, or None: then the caller does the work and calls `end`.

        Raises BadInput: the key is malformed, came with another body, or the first call is still at work.
        """
        _demand_key(place[2])
        digest, now = hashlib.sha256(body).digest(), self._clock.boottime()
        kept = self._answers.get(place)
        if kept is not None and now - kept[1] < KEPT:
            return _again(kept[0], digest, kept[2])
        self._answers[place] = (digest, now, None)
        self._answers.move_to_end(place)
        while len(self._answers) > COUNT_MAX:
            self._answers.popitem(last=False)
        return None

    def end(self, place: Place, answer: Answer | None) -> None:
        """Keeps the answer; None: nothing was done, so the key is free again."""
        digest, since, _ = self._answers.pop(place, (b"", timedelta(), None))
        if answer is not None and digest:
            self._answers[place] = (digest, since, answer)


def _again(first: bytes, digest: bytes, answer: Answer | None) -> Answer:
    if first != digest:
        raise BadInput(
            "this Idempotency-Key was used with another body",
            hint="take a new key",
            code="idempotency_conflict",
        )
    if answer is None:
        raise BadInput(
            "the first call with this Idempotency-Key is still at work",
            hint="ask again in a second",
            code="idempotency_in_flight",
        )
    return answer


def _demand_key(key: str) -> None:
    if not (0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable()):
        raise BadInput(
            f"an Idempotency-Key has 1 to {KEY_MAX} printable ASCII characters",
            hint="a UUID will do",
            code="idempotency_key",
        )

"""Every way to ask whether a token is to be trusted; `judged` fails unless all of them agree."""

import warnings
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final, TypeVar

from jwturn import AsyncVerifier, LegacySecret, MigrationWarning, TokenRefused, Verifier
from jwturn.core import jws
from jwturn.core.claims import Check
from jwturn.core.rules import Rules
from jwturn.verifier import checks
from tests.security import mint

T = TypeVar("T")
_SECRETS: Final = {mint.kid(alg) for alg in mint.HMAC}
_AFTER_ALL: Final = datetime(2100, 1, 1, tzinfo=UTC)


class Court:
    """The keys of mint.py under one set of rules, and every judge there is for them.

    Verifiers hold the public set, and the secret of HS256 as that of an older issuer: the other secrets are
    unknown to them. One remembers tokens, one does not, one is for tasks.
    """

    def __init__(self, now: float, **rules: Any) -> None:
        self.now = now
        self.rules = Rules(**_as_sets({"issuer": mint.ISSUER, "audience": mint.AUDIENCE} | rules))
        options = {"issuer": mint.ISSUER, "audience": mint.AUDIENCE} | rules
        self._remembering: Verifier = self._made(Verifier, memo=True, **options)
        self._forgetting: Verifier = self._made(Verifier, memo=False, **options)
        self._of_tasks: AsyncVerifier = self._made(AsyncVerifier, **options)

    def judged(self, token: Any) -> str:
        """The code of the refusal on which all judges agree, or nothing if all accept."""
        code, claims = _asked(partial(checks.verify, keys=mint.keys(), rules=self.rules, now=self.now), token)
        _agree(code, checks.explain(token, mint.keys(), self.rules, self.now))
        allowed = {code} | _otherwise(token)
        for verifier in (self._remembering, self._remembering, self._forgetting):
            found, theirs = _asked(verifier.verify, token)
            assert found in allowed, (code, found, verifier)
            assert found or theirs == claims
            _agree(found, verifier.explain(token))
        found, theirs = _asked(lambda text: _at_once(self._of_tasks.verify(text)), token)
        assert found in allowed, (code, found, self._of_tasks)
        assert found or theirs == claims
        return code

    def _made(self, kind: Any, **options: Any) -> Any:
        legacy = LegacySecret(mint.private("HS256"), until=_AFTER_ALL, kid=mint.kid("HS256"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MigrationWarning)
            return kind(jwks=mint.jwks(), legacy=legacy, now=self._time, **options)

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


def _asked(verify: Callable[[Any], dict[str, Any]], token: Any) -> tuple[str, dict[str, Any]]:
    try:
        return "", verify(token)
    except TokenRefused as refused:
        assert refused.code in checks.CODES
        assert refused.message
        assert refused.hint
        return refused.code, {}


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that has nothing to wait for; a set that was handed in is never fetched."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    coroutine.close()
    raise AssertionError("it waited")


def _as_sets(rules: dict[str, Any]) -> dict[str, Any]:
    names = {
        name: rules[name] for name in ("audience", "typ", "algorithms") if isinstance(rules.get(name), str)
    }
    sets = {name: frozenset(value) for name, value in rules.items() if isinstance(value, list | set | tuple)}
    return rules | {name: frozenset({value}) for name, value in names.items()} | sets


def _agree(code: str, told: list[Check]) -> None:
    assert all(check.words for check in told)
    failed = [check.code for check in told if not check.passed]
    assert code in failed if code else not failed, (code, failed)


def _otherwise(token: Any) -> set[str]:
    """What a verifier may say instead: it does not hold every secret, and looks for ASCII before dots."""
    if isinstance(token, bytes) and not token.isascii():
        return {"token_base64"}
    try:
        return {"kid_unknown"} if jws.split(token).header.kid in _SECRETS else set()
    except TokenRefused:
        return set()


@cache
def court(now: float = mint.NOW, **rules: Any) -> Court:
    """The court with these rules, kept for the next token."""
    return Court(now, **rules)


def judged(token: Any, **rules: Any) -> str:
    """The code of the refusal on which every judge agrees, or nothing.

    `rules` are options of `Verifier`; `now` is the time of the judgement, in Unix seconds.
    """
    return court(**rules).judged(token)

"""Answers: JSON, problems (RFC 9457), and how either is sent.

Every error of the tree becomes `application/problem+json` here and nowhere else: type, title, status, detail,
code, hint. What is not of the tree says nothing of itself.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from jwturn.core.errors import JwturnError
from jwturn.service.publish import Answer

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
CORS: Final = {"access-control-allow-origin": "*"}
_STATUS: Final[Mapping[str, int]] = {
    "body_slow": 408,
    "content_type": 415,
    "method_not_allowed": 405,
    "no_store": 503,
    "idempotency_conflict": 422,
    "idempotency_in_flight": 409,
}
"""Refusals that only HTTP knows, by code; every other error brings its status along. A service has begun on a
store, so one that is not there is away."""
_CLOSING: Final = frozenset({408, 413})
_encode: Final = msgspec.json.Encoder().encode


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. `code` is stable and may be matched on; `hint` is the next thing to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str


def json_answer(value: Any, *, status: int = 200) -> Answer:
    """A JSON document that no cache keeps."""
    return Answer(status, {"content-type": JSON, "cache-control": "no-store"}, _encode(value))


def problem(error: JwturnError, *, headers: Mapping[str, str] | None = None) -> Answer:
    """The problem an error is; `headers` come on top."""
    status = _STATUS.get(error.code, error.http_status)
    found = Problem(
        type=f"urn:jwturn:problem:{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code,
        hint=error.hint,
    )
    retry = getattr(error, "retry_after", None)
    return Answer(
        status,
        {
            "content-type": PROBLEM,
            "cache-control": "no-store",
            **({} if retry is None else {"retry-after": str(retry)}),
            **(_challenge(error) if status in (401, 403) else {}),
            **({"connection": "close"} if status in _CLOSING else {}),
            **(headers or {}),
        },
        _encode(found),
    )


def internal() -> Answer:
    """What callers see of a defect: nothing but that it happened; the log has the rest."""
    return problem(
        JwturnError(
            "something went wrong here", code="internal", hint="the service's log says what; try again"
        )
    )


def _challenge(error: JwturnError) -> dict[str, str]:
    """RFC 6750 section 3: no error code where no token was presented."""
    reason = {"token_missing": "", "not_permitted": ', error="insufficient_scope"'}
    return {"www-authenticate": f'Bearer realm="jwturn"{reason.get(error.code, _INVALID)}'}


_INVALID: Final = ', error="invalid_token"'


def start_of(answer: Answer) -> dict[str, Any]:
    """The ASGI message that begins an answer, with its length (a 304 has none)."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.status != HTTPStatus.NOT_MODIFIED:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}

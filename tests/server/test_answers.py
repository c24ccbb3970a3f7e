"""Every error of the tree is a problem with its status; and what a call says is read strictly."""

import json
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core import errors
from jwturn.core.errors import BadInput, JwturnError, NotPermitted, Overloaded, Unauthenticated, Unavailable
from jwturn.server import bodies
from jwturn.server.answers import internal, problem, start_of
from jwturn.server.call import Call
from jwturn.service.publish import Answer

TREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, JwturnError) and kind is not JwturnError
]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_an_error_of_the_tree_is_a_problem_with_its_status_code_and_hint(kind: type[JwturnError]) -> None:
    found = problem(kind("what happened", hint="what to do"))
    assert json.loads(found.body) == {
        "type": f"urn:jwturn:problem:{kind.code}",
        "title": json.loads(found.body)["title"],
        "status": kind.http_status,
        "detail": "what happened",
        "code": kind.code,
        "hint": "what to do",
    }
    assert found.status == kind.http_status
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("error", [Overloaded("busy", retry_after=3), Unavailable("away", retry_after=3)])
def test_who_should_wait_is_told_how_long(error: JwturnError) -> None:
    assert problem(error).headers["retry-after"] == "3"
    assert "retry-after" not in problem(BadInput("no")).headers


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (Unauthenticated("none", code="token_missing"), 'Bearer realm="jwturn"'),
        (Unauthenticated("bad"), 'Bearer realm="jwturn", error="invalid_token"'),
        (NotPermitted("no"), 'Bearer realm="jwturn", error="insufficient_scope"'),
    ],
)
def test_who_may_not_is_challenged_as_rfc_6750_says(error: JwturnError, challenge: str) -> None:
    assert problem(error).headers["www-authenticate"] == challenge


def test_a_defect_says_nothing_of_itself() -> None:
    found = internal()
    assert (found.status, json.loads(found.body)["code"]) == (500, "internal")


def test_an_answer_says_its_length_and_a_304_does_not() -> None:
    headers = dict(start_of(Answer(200, {"etag": '"a"'}, b"12345"))["headers"])
    assert headers == {b"etag": b'"a"', b"content-length": b"5"}
    assert dict(start_of(Answer(304, {"etag": '"a"'}, b""))["headers"]) == {b"etag": b'"a"'}


def call_of(query: str = "", *headers: tuple[bytes, bytes]) -> Call:
    async def nothing() -> Any:
        raise AssertionError("nothing is received")

    return Call({"query_string": query.encode(), "headers": headers, "client": None}, nothing)


@pytest.mark.parametrize(("query", "number"), [("", 7), ("n=0", 0), ("n=12", 12), ("m=3", 7), ("n=0012", 12)])
def test_a_number_of_the_query(query: str, number: int) -> None:
    assert call_of(query).number("n", 7, least=0, most=12) == number


@pytest.mark.parametrize(
    "query", ["n=", "n=-1", "n=13", "n=1&n=1", "n=1.0", "n=%D9%A1", "n=" + "1" * 20, "n=+1"]
)
def test_a_number_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(BadInput) as refused:
        call_of(query).number("n", 7, least=0, most=12)
    assert refused.value.code == "query_malformed"


def test_headers_that_come_twice_are_one_list() -> None:
    call = call_of("", (b"if-none-match", b'"a"'), (b"x", b"y"), (b"if-none-match", b'"b"'))
    assert call.header(b"if-none-match") == '"a", "b"'
    assert call.header(b"absent") is None
    assert call.client == ""


@pytest.mark.parametrize(
    ("ttl", "lives"), [(None, None), (1, timedelta(seconds=1)), ("1h", timedelta(hours=1))]
)
def test_a_lifetime_as_it_is_sent(ttl: int | str | None, lives: timedelta | None) -> None:
    assert bodies.lifetime(ttl) == lives


@pytest.mark.parametrize("ttl", [0, -1, 10**10, "0", "x", ""])
def test_a_lifetime_that_is_none_is_refused(ttl: int | str) -> None:
    with pytest.raises(BadInput):
        bodies.lifetime(ttl)


def test_no_body_is_an_empty_object() -> None:
    assert bodies.parsed(b"", None, bodies.Command) == bodies.Command()
    with pytest.raises(BadInput, match="kid"):
        bodies.parsed(b"", None, bodies.OfKey)


def test_the_refusal_of_a_body_names_the_member_and_not_its_value() -> None:
    with pytest.raises(BadInput) as refused:
        bodies.parsed(b'{"kid": {"d": "canary"}}', "application/json", bodies.OfKey)
    assert "$.kid" in refused.value.message
    assert "canary" not in refused.value.message
    assert "dry_run, reason, kid" in refused.value.hint


def test_a_strange_member_is_cut_and_escaped() -> None:
    data = json.dumps({"\x1b[31m" + "x" * 500: 1}).encode()
    with pytest.raises(BadInput) as refused:
        bodies.parsed(data, "application/json", bodies.Command)
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message) < 150

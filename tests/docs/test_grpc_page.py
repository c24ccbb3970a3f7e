"""The interceptor of the gRPC page, in front of every kind of method."""

import types
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from jwturn import Verifier
from jwturn.core import jws
from jwturn.crypto.sign import signer
from tests.crypto.keys import pair
from tests.docs.page import ROOT, items

ISSUER = "https://auth.example.com"
Call = Callable[[grpc.Channel, list[tuple[str, str]]], bytes]


def tokens_py() -> Any:
    """`tokens.py` as the page has it."""
    page = (ROOT / "docs" / "howto" / "verify-grpc.md").read_text("utf-8")
    text = next(item.text for item in items(page) if item.name == "tokens.py")
    module = types.ModuleType("tokens")
    exec(text, vars(module))
    return module


TOKENS = tokens_py()


def token(audience: str) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": ISSUER, "aud": audience, "sub": "alice", "iat": now, "exp": now + 600}
    made = jws.signing_input(jws.header_segment("ES256", "k1", "JWT"), claims)
    return jws.token_of(made, signer("ES256", pair("ES256").private).sign(made))


def who(*_: object) -> bytes:
    return str(TOKENS.CLAIMS.get()["sub"]).encode()


def who_in_two_pieces(*_: object) -> Iterator[bytes]:
    yield b"piece of "
    yield who()


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(who),
    "Answers": grpc.unary_stream_rpc_method_handler(who_in_two_pieces),
    "Messages": grpc.stream_unary_rpc_method_handler(who),
    "Both": grpc.stream_stream_rpc_method_handler(who_in_two_pieces),
}


def joined(answer: Iterable[bytes]) -> bytes:
    return b"".join(answer)


CALLS: dict[str, Call] = {
    "Unary": lambda channel, sent: channel.unary_unary("/Who/Unary")(b"", metadata=sent, timeout=10),
    "Answers": lambda channel, sent: joined(
        channel.unary_stream("/Who/Answers")(b"", metadata=sent, timeout=10)
    ),
    "Messages": lambda channel, sent: channel.stream_unary("/Who/Messages")(
        iter([b"1", b"2"]), metadata=sent, timeout=10
    ),
    "Both": lambda channel, sent: joined(
        channel.stream_stream("/Who/Both")(iter([b"1", b"2"]), metadata=sent, timeout=10)
    ),
}


@pytest.fixture
def channel() -> Iterator[grpc.Channel]:
    public = {**(pair("ES256").public or {}), "kid": "k1", "alg": "ES256"}
    verifier = Verifier(issuer=ISSUER, audience="who", jwks={"keys": [public]})
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[TOKENS.TokenInterceptor(verifier)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Who", METHODS)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as made:
        yield made
    server.stop(None).wait(10)


@pytest.mark.parametrize("kind", CALLS)
def test_a_method_of_any_kind_knows_its_caller(channel: grpc.Channel, kind: str) -> None:
    answer = CALLS[kind](channel, [("authorization", f"Bearer {token('who')}")])
    assert answer == (b"piece of alice" if kind in {"Answers", "Both"} else b"alice")


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([], "a token is needed"),
        ([("authorization", "Basic eDp5")], "a token is needed"),
        ([("authorization", "Bearer ")], "token_segments"),
        ([("authorization", f"Bearer {token('others')}")], "aud_wrong"),
    ],
)
def test_a_call_without_a_good_token_is_refused_whatever_the_kind(
    channel: grpc.Channel, kind: str, sent: list[tuple[str, str]], told: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        CALLS[kind](channel, sent)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.UNAUTHENTICATED, told)


def test_a_method_that_is_not_there_stays_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/Who/Nobody")(b"", timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED

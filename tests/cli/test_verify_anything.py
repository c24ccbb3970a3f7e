"""Whatever bytes come in: `inspect` explains them, agrees with `verify`, and prints only text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwturn.core.jwk import b64url_bytes
from tests.cli.stage import Stage
from tests.cli.strangers import NOW
from tests.cli.verifying import BY_FILE, STRANGER, put

KINDS = ("store", "file", "nothing")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["alg", "kid", "typ", "cty", "crit", "jwk", "iss", "aud", "exp", "iat", "nbf", "sub"])
OBJECTS = st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=6)
SEGMENTS = st.binary(max_size=40) | OBJECTS.map(lambda members: json.dumps(members).encode())
MADE = st.tuples(SEGMENTS, SEGMENTS, st.binary(max_size=80)).map(
    lambda three: b".".join(map(b64url_bytes, three))
)
SIGNED = OBJECTS.map(lambda more: STRANGER.token(STRANGER.claims() | more))


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """A folder with a store, one with a stranger's set, one with nothing."""
    found = {kind: Stage(tmp_path_factory.mktemp(kind)) for kind in KINDS}
    found["store"].init("--issuer", STRANGER.issuer, "--set", "verifiers=jose")
    put(found["file"].folder, STRANGER.jwks())
    return found


@given(st.binary(max_size=200) | MADE | SIGNED | st.text().map(str.encode))
def test_inspect_explains_any_bytes_and_agrees_with_verify(stages: dict[str, Stage], data: bytes) -> None:
    for kind, stage in stages.items():
        asked = BY_FILE if kind == "file" else ()
        verified = stage.jwturn("verify", *asked, stdin=data)
        for inspected in (
            stage.jwturn("inspect", *asked, stdin=data),
            stage.jwturn("inspect", "--json", *asked, stdin=data),
        ):
            assert inspected.code == (0 if verified.code == 0 else 2), inspected.err
            assert verified.code in (0, 65), verified.err
            assert inspected.err == ""
            assert all(char == "\n" or char.isprintable() for char in inspected.out + verified.out)
        told = json.loads(inspected.out)
        assert told["valid"] is (verified.code == 0)
        assert all(check["words"].isascii() and "\n" not in check["words"] for check in told["checks"])


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_token_that_was_touched_anywhere_never_passes(
    stages: dict[str, Stage], place: int, flip: int
) -> None:
    token = bytearray(STRANGER.token(STRANGER.claims(jti=str(NOW))))
    token[place % len(token)] ^= flip
    done = stages["file"].jwturn("inspect", *BY_FILE, stdin=bytes(token))
    assert (done.code, "every check passed" in done.out) == (2, False)

"""inspect: what is shown of a token, and what the store knows of its key."""

import json
from pathlib import Path

import pytest

from jwturn.cli.main import run
from jwturn.core import jws
from jwturn.core.jwk import b64url_bytes
from tests.cli.stage import Stage, Stream, in_place
from tests.cli.verifying import BY_FILE, STRANGER, both, checks, put

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"


@pytest.fixture
def nowhere(empty: Stage) -> Stage:
    """A folder without a store, with the set of a stranger."""
    put(empty.folder, STRANGER.jwks())
    return empty


def test_members_that_would_choose_a_key_are_named_and_never_shown(nowhere: Stage) -> None:
    asked = {"jku": "https://evil.example/", "jwk": STRANGER.jwk(), "x5u": "u", "x5c": ["c"], "x5t": "t"}
    token = STRANGER.token(x5t=asked["x5t"], **{n: v for n, v in asked.items() if n != "x5t"})
    done = nowhere.jwturn("inspect", *BY_FILE, stdin=token)
    assert done.code == 0
    for name in asked:
        assert f'  "{name}": present, never read\n' in done.out
    assert "evil" not in done.out
    assert checks(nowhere, *BY_FILE, token=token)[""]["never_read"] == sorted(asked)


def test_claims_are_the_data_of_others(nowhere: Stage) -> None:
    wild = {
        "note": "\x1b[2J\x9b31m\x7f\u202e\u2028",
        "\x1b]0;owned\x07": 1,
        "long": "x" * 500,
        "name": "Žofie",
    }
    token = STRANGER.token(STRANGER.claims(**wild, **{f"c{n}": n for n in range(60)}))
    verified, inspected = both(nowhere, *BY_FILE, token=token)
    assert (verified.code, inspected.code) == (0, 0)
    assert json.loads(verified.out).items() >= wild.items()
    assert "Žofie" in verified.out
    for text in (verified.out, inspected.out, nowhere.jwturn("inspect", "--json", *BY_FILE, stdin=token).out):
        assert all(char == "\n" or char.isprintable() for char in text)
    assert '"note": "\\u001b[2J\\u009b31m' in inspected.out
    assert max(map(len, inspected.out.splitlines())) < 150
    assert inspected.out.endswith("  and 29 more\n")


def test_numbers_are_printed_as_they_stand_in_the_token(nowhere: Stage) -> None:
    token = STRANGER.token(STRANGER.claims(big=99_999_999_999_999_999_999, small=1e-300))
    done = nowhere.jwturn("verify", *BY_FILE, stdin=token)
    assert (done.code, json.loads(done.out)["big"]) == (0, 99_999_999_999_999_999_999)


def test_the_verdict_is_coloured_at_a_terminal_only(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    first = []
    for terminal in (True, False):
        out = Stream(terminal=terminal)
        with in_place(stage.folder, Stream(b"garbage"), out, Stream()):
            assert run(["inspect"], clock=stage.clock) == 2
        first.append(out.text().splitlines()[0])
    assert first[0] == f"\x1b[31m{first[1]}\x1b[0m"


def test_the_state_of_the_key_is_shown(stage: Stage) -> None:
    kid, token = stage.kids()[0], stage.jwturn("sign", "--claim", "sub=a").out.encode()
    key = checks(stage, token=token)[""]["key"]
    assert key == {
        "kid": kid, "ring": "default", "issuer": "https://auth.example.com", "alg": "ES256",
        "state": "active", "since": "2030-01-01T00:00:00Z",
    }  # fmt: skip
    assert stage.jwturn("revoke", kid, "--reason", "stolen", "--yes").code == 0
    found = checks(stage, token=token)
    assert (found[""]["key"]["state"], found[""]["code"]) == ("revoked", "kid_unknown")
    assert found["kid"]["words"] == f"key {kid[:8]} was revoked just now"


def test_a_superseded_key_is_verify_only(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=a").out.encode()
    assert stage.jwturn("promote", "--before-lead", "--reason", "test", "--yes").code == 0
    told = checks(stage, token=token)
    assert told[""]["key"]["state"] == "verify-only"
    assert ", of ring default, verify-only since 2030-01-01 00:00:00Z (now)" in told["kid"]["words"]


def test_a_kid_of_another_issuers_ring_is_told_so_and_refused(stage: Stage) -> None:
    stage.init("--ring", "partners", "--issuer", "https://partners.example.com", "--set", "verifiers=jose")
    token = stage.jwturn("sign", "--ring", "partners", "--claim", "sub=a").out.strip().encode()
    header, payload, signature, _ = jws.cut(token)
    claims = json.loads(jws.decode(payload)) | {"iss": "https://auth.example.com"}
    forged = b".".join([header, b64url_bytes(json.dumps(claims).encode()), signature])
    found = checks(stage, token=forged)
    assert found["kid"]["code"] == "kid_unknown"
    assert "of ring partners" in found["kid"]["words"]


def test_a_token_of_no_issuer_of_the_store_is_refused_with_the_way_on(stage: Stage) -> None:
    verified, inspected = both(stage, token=STRANGER.token())
    assert (verified.code, inspected.code) == (65, 2)
    assert "--issuer URL" in verified.err
    assert inspected.out.splitlines()[0] == (
        "refused: no ring of this store signs for this issuer; iss is 'https://accounts.example.net'"
    )
    assert checks(stage, token=STRANGER.token())["kid"]["code"] == "not_checked"


def test_every_member_of_the_answer_is_on_the_page(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=a").out.encode()
    told, text = checks(stage, token=token)[""], PAGE.read_text()
    assert [name for name in (*told, *told["key"], *told["checks"][0]) if f"`{name}`" not in text] == []

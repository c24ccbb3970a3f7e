"""verify and inspect: tokens as people paste them."""

from typing import Any

import pytest

from tests.cli.stage import Stage
from tests.cli.verifying import both


@pytest.mark.parametrize(
    ("paste", "words"),
    [
        (lambda token: b"", "the input is empty"),
        (lambda token: b"Bearer " + token, "after the word `Bearer`"),
        (lambda token: b"Authorization: Bearer " + token, "after the word `Bearer`"),
        (lambda token: b'"' + token + b'"', "the quotes"),
        (lambda token: b'{"access_token": "' + token + b'"}', "jq -r .access_token"),
        (lambda token: token[:50] + b"\n" + token[50:], "tr -d '[:space:]'"),
        (lambda token: b" " + token, "blanks or line ends around"),
        (lambda token: token + b"\n\n", "blanks or line ends around"),
        (lambda token: b"\xef\xbb\xbf" + token, "UTF-16 or has a BOM"),
        (lambda token: token.decode().encode("utf-16"), "UTF-16 or has a BOM"),
        (lambda token: token[:30] + b"..." + token[-9:], "cut for display"),
        (lambda token: token.rpartition(b".")[0], "was it cut off?"),
        (lambda token: token.rpartition(b".")[0] + b".", "anybody can write this"),
        (lambda token: b"-----BEGIN PUBLIC KEY-----", "this is PEM"),
        (lambda token: b"jwturn_" + b"x" * 43, "API token of `jwturn serve`"),
    ],
)
def test_a_paste_is_refused_and_the_hint_says_what_to_do(stage: Stage, paste: Any, words: str) -> None:
    token = stage.jwturn("sign", "--claim", "sub=a").out.strip().encode()
    verified, inspected = both(stage, token=paste(token))
    assert (verified.code, inspected.code) == (65, 2)
    assert words in verified.err
    assert words in inspected.out


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_one_line_end_is_no_part_of_a_token(stage: Stage, end: bytes) -> None:
    token = stage.jwturn("sign", "--claim", "sub=a").out.strip().encode()
    assert [done.code for done in both(stage, token=token + end)] == [0, 0]


@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_a_token_on_the_command_line_is_refused_and_not_repeated(stage: Stage, prefix: str) -> None:
    token = stage.jwturn("sign", "--claim", "sub=a").out.strip()
    for verb in ("verify", "inspect"):
        done = stage.jwturn(verb, prefix + token)
        assert (done.code, done.out) == (64, "")
        assert "on the command line others can read it" in done.err
        assert token[:12] not in done.err


def test_a_file_may_have_a_name_like_a_token(stage: Stage) -> None:
    name = "eyJhbGciOiJFUzI1NiJ9.txt"
    (stage.folder / name).write_text(stage.jwturn("sign", "--claim", "sub=a").out)
    assert stage.jwturn("verify", name).code == 0


def test_a_person_at_a_terminal_is_told_that_it_waits(stage: Stage) -> None:
    token = stage.jwturn("sign", "--claim", "sub=a").out.encode()
    done = stage.jwturn("inspect", stdin=token, terminal=True)
    assert (done.code, "Paste the token" in done.err) == (0, True)

"""Each transcript must come out as it is written; JWTURN_TRANSCRIPTS=write writes what came out."""

import os
from pathlib import Path

import pytest

from tests.cli.stage import Stage
from tests.cli.transcript import Player

FILES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_person_sees_what_the_transcript_says(path: Path, tmp_path: Path) -> None:
    told = path.read_text("utf-8")
    played = Player(Stage(tmp_path)).play(told)
    if os.environ.get("JWTURN_TRANSCRIPTS") == "write":
        path.write_text(played, "utf-8")
    assert played == told


def test_a_transcript_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    told = "$ jwturn status\nall is well\n"
    assert Player(Stage(tmp_path)).play(told) == (
        "$ jwturn status\nerror: there is no store at sqlite:///.jwturn/jwturn.db\nhint:  jwturn init\n[65]\n"
    )

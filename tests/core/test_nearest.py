"""Hints for names that are unknown."""

import pytest

from jwturn.core.nearest import meant

KNOWN = ("rotate_every", "signer_lease", "ES256")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("rotate_evry", "rotate_every"),
        ("signerlease", "signer_lease"),
        ("es256", "ES256"),
        ("Rotate_Every", "rotate_every"),
    ],
)
def test_a_near_name_is_offered_as_it_is_spelled(name: str, near: str) -> None:
    assert meant(name, KNOWN) == f"did you mean {near}?"


def test_far_from_all_names_all_are_listed() -> None:
    assert meant("zzz", KNOWN) == "one of rotate_every, signer_lease, ES256"


def test_without_known_names_there_is_none() -> None:
    assert meant("x", ()) == "there is none"


@pytest.mark.parametrize(
    ("name", "near"),
    [("fil", "file"), ("fiel", "file"), ("xfile", "file"), ("fi", "file"), ("f", None), ("filesystem", None)],
)
def test_up_to_two_edits_are_near_a_short_name(name: str, near: str | None) -> None:
    assert meant(name, ["file"]) == (f"did you mean {near}?" if near else "one of file")


def test_the_nearest_of_two_is_offered() -> None:
    assert meant("publish_delay", ["publish_delay_max", "publish_relay"]) == "did you mean publish_relay?"


def test_a_huge_name_is_cut() -> None:
    assert meant("rotate_every" + " " * 10**6, KNOWN) == "one of rotate_every, signer_lease, ES256"

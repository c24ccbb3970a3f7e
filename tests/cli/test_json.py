"""Every verb speaks JSON: one object on stdout, schema jwturn/1; errors are one object on stderr."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jwturn.cli.main import VERBS
from tests.cli.stage import Stage

ISO = datetime.fromisoformat
MEMBERS = {
    ("init", "--offline", "--ring", "more"): {"created", "store", "ring"},
    ("status",): {"rings", "last_tick", "seen_seconds"},
    ("plan",): {"ring", "lead_seconds", "decided_by", "agenda"},
    ("plan", "--set", "rotate_every=30d"): {"ring", "dry_run", "changes", "trust_ends"},
    ("keys",): {"ring", "keys"},
    ("jwks",): {"headers", "jwks"},
    ("doctor",): {"checks"},
    ("config", "show"): {"settings"},
    ("rotate",): {"dry_run", "steps", "ring"},
    ("promote", "--before-lead", "--reason", "test", "--yes"): {"dry_run", "steps", "ring"},
    ("rollback", "--dry-run"): {"error"},
    ("revoke", "KID", "--reason", "test", "--yes"): {"dry_run", "effect", "steps", "ring"},
    ("discard", "KID", "--yes"): {"error"},
    ("hold", "KID", "--reason", "test"): {"dry_run", "steps", "ring"},
    ("release", "KID"): {"dry_run", "steps", "ring"},
    ("delivered", "KID"): {"error"},
    ("policy", "show"): {"ring", "version", "policy", "warnings"},
    ("policy", "set", "rotate_every=30d"): {"ring", "dry_run", "changes", "trust_ends"},
    ("policy", "presets"): {"presets"},
    ("policy", "verifiers"): {"verifiers"},
    ("sign", "--claim", "sub=a"): {"token", "kid", "expires"},
    ("verify", "token"): {"valid", "claims"},
    ("inspect", "token"): {
        *("valid", "verdict", "code", "why", "hint", "checks", "key"),
        *("header", "never_read", "claims"),
    },
    ("import", "-", "--alg", "RS256"): {"error"},
    ("export", "--format", "jwk"): None,
    ("token", "new", "a"): {"name", "role", "rings", "expires", "token"},
    ("token", "list"): {"tokens"},
    ("token", "withdraw", "a"): {"error"},
    ("audit", "verify"): {"chains"},
    ("audit", "head"): {"store", "heads"},
    ("recover", "--reason", "test"): {"recovered"},
}
"""What each call prints beside `schema`; `error` stands alone, on stderr. A key is printed as it is."""
SPOKEN_ELSEWHERE = {"serve", "demo", "events"}
"""The first two run a service; `events` prints an object a line, which a test below reads."""


def spoken(stage: Stage, *arguments: str) -> dict[str, Any]:
    """The one object that a call prints."""
    done = stage.jwturn(*arguments, "--json")
    found: dict[str, Any] = json.loads(done.out or done.err)
    assert found.pop("schema") == "jwturn/1"
    assert (done.code in (0, 2)) is ("error" not in found)
    return found


@pytest.mark.parametrize("arguments", MEMBERS, ids=" ".join)
def test_a_verb_prints_the_members_that_are_promised(stage: Stage, arguments: tuple[str, ...]) -> None:
    (stage.folder / "token").write_text(stage.jwturn("sign", "--claim", "sub=a").out)
    words = [stage.kids()[0] if word == "KID" else word for word in arguments]
    members = MEMBERS[arguments]
    if members is None:
        assert json.loads(stage.jwturn(*words, "--json").out)["kty"] == "EC"
        return
    assert spoken(stage, *words).keys() == members


def test_every_verb_is_asked_above() -> None:
    assert {arguments[0] for arguments in MEMBERS} | SPOKEN_ELSEWHERE == set(VERBS)


def test_an_error_has_a_code_a_message_a_hint_and_the_exit_code(stage: Stage) -> None:
    done = stage.jwturn("keys", "--ring", "ordres", "--json")
    assert done.out == ""
    assert json.loads(done.err) == {
        "schema": "jwturn/1",
        "error": {
            "code": "no_ring",
            "message": "there is no ring ordres",
            "hint": "jwturn status lists the rings",
            "exit_code": 65,
        },
    }


def test_a_usage_error_is_an_object_too(stage: Stage) -> None:
    done = stage.jwturn("--json", "hold")
    assert done.code == 64
    assert json.loads(done.err)["error"]["code"] == "usage"


def test_events_are_an_object_a_line_that_hangs_together(stage: Stage) -> None:
    lines = [json.loads(line) for line in stage.jwturn("events", "--json").out.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert {line["schema"] for line in lines} == {"jwturn/1"}
    assert [line["prev"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]


def test_times_are_utc_and_say_so(stage: Stage) -> None:
    key = spoken(stage, "keys")["keys"][0]
    assert key["promoted"] == "2030-01-01T00:00:00Z"
    assert ISO(key["sign_until"]).utcoffset() == ISO("2030-01-01T00:00:00Z").utcoffset()


def test_the_agenda_says_when_what_and_why(stage: Stage) -> None:
    step = spoken(stage, "plan")["agenda"][-1]
    assert step["step"] == "promote"
    assert step["kid"] == stage.kids()[1]
    assert (step["due"], step["reason"]) == (False, "turn_due")
    assert step["why"] == "the booked turn has come and the standby is mature"


def test_the_findings_of_status_are_told_apart(stage: Stage) -> None:
    assert [(f["code"], f["serious"]) for f in spoken(stage, "status")["rings"][0]["findings"]] == [
        ("no_mature_standby", False)
    ]
    stage.clock.advance(timedelta(days=100))
    codes = [f["code"] for f in spoken(stage, "status")["rings"][0]["findings"] if f["serious"]]
    assert codes == ["overdue", "loop_silent", "pending"]


def test_no_private_half_is_ever_in_the_json(stage: Stage) -> None:
    printed = "".join(
        stage.jwturn(*verb, "--json").out for verb in (("status",), ("keys", "--all"), ("jwks",), ("events",))
    )
    assert '"d"' not in printed
    assert "ciphertext" not in printed


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"


def documented() -> dict[str, set[str]]:
    """The members that the page promises, by command; what stands in brackets is inside of a member."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    found: dict[str, set[str]] = {}
    for commands, members in rows:
        outer = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", members)))
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", commands), outer)
    return found


@pytest.mark.parametrize("arguments", MEMBERS, ids=" ".join)
def test_the_page_promises_what_is_printed(arguments: tuple[str, ...]) -> None:
    members, page = MEMBERS[arguments], documented()
    command = next(
        name for name in (" ".join(arguments[:2]), arguments[0], "export") if name in page or name == "export"
    )
    if members is not None and members != {"error"}:
        assert page[command] == members


def test_rings_keys_and_effects_are_as_the_page_says(stage: Stage) -> None:
    text = PAGE.read_text()
    ring = spoken(stage, "status")["rings"][0]
    effect = spoken(stage, "revoke", stage.kids()[0], "--reason", "test", "--dry-run")["effect"]
    for found in (ring, ring["keys"][0], ring["agenda"][0], effect, effect["trust_ends"][0]):
        assert [name for name in found if f"`{name}`" not in text] == []

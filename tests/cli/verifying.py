"""Both verbs that judge a token, asked at once, and a folder with the set of a stranger."""

import json
from pathlib import Path
from typing import Any, Final

from tests.cli.stage import Done, Stage
from tests.cli.strangers import Stranger

STRANGER: Final = Stranger()
SET: Final = "set.json"
BY_FILE: Final = ("--issuer", STRANGER.issuer, "--jwks", SET, "--aud", "orders")
"""Judged by the stranger's set in the folder."""


def put(folder: Path, jwks: dict[str, Any]) -> None:
    """Writes the set into a folder."""
    (folder / SET).write_text(json.dumps(jwks))


def checks(stage: Stage, *arguments: str, token: bytes) -> dict[str, dict[str, Any]]:
    """What `inspect` says, by the name of the check; the whole answer under the empty name."""
    told = json.loads(stage.jwturn("inspect", "--json", *arguments, stdin=token).out)
    return {check["name"]: check for check in told["checks"]} | {"": told}


def both(stage: Stage, *arguments: str, token: bytes) -> tuple[Done, Done]:
    """What `verify` and `inspect` say of a token."""
    return (
        stage.jwturn("verify", *arguments, stdin=token),
        stage.jwturn("inspect", *arguments, stdin=token),
    )

"""A stage for every test, and one with a ring on it."""

from pathlib import Path

import pytest

from tests.cli.stage import Stage

ISSUER = "https://auth.example.com"


@pytest.fixture
def empty(tmp_path: Path) -> Stage:
    """An empty folder."""
    return Stage(tmp_path)


@pytest.fixture
def stage(empty: Stage) -> Stage:
    """A folder with a store, the ring `default`, and short leads."""
    empty.init("--issuer", ISSUER, "--set", "verifiers=jose")
    return empty

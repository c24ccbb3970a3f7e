from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A node with one ring, `default` (ES256), under https://auth.example.com."""
    made = World(tmp_path)
    yield made
    made.close()

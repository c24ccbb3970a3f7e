"""Each store of ours passes the public suite."""

from pathlib import Path

import pytest

from jwturn.stores.memory import MemoryStore
from jwturn.stores.rowstore import RowStore
from jwturn.stores.sqlite import SqliteStore
from jwturn.testing.clock import FakeClock
from jwturn.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    def make_store(self, clock: FakeClock) -> RowStore:
        return MemoryStore(clock)


class TestSqliteStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_store(self, clock: FakeClock) -> RowStore:
        return SqliteStore(self.folder / "store" / "jwturn.db", clock)

"""Stores are chosen by explicit URI, and nothing is made or imported before it is needed."""

import subprocess
import sys

import pytest

from jwturn.core.errors import ConfigError
from jwturn.stores.memory import MemoryStore
from jwturn.stores.sqlite import SqliteStore
from jwturn.stores.uri import SCHEMES, open_store
from jwturn.testing.clock import FakeClock
from jwturn.testing.rings import Stage


def test_memory_gives_a_store_of_its_own_each_time():
    first, second = (open_store("memory:", FakeClock()) for _ in range(2))
    assert isinstance(first, MemoryStore)
    Stage(first).open()
    assert second.identity() is None


def test_three_slashes_name_an_absolute_path(tmp_path):
    store = open_store(f"sqlite://{tmp_path}/a/jwturn.db", FakeClock())
    assert isinstance(store, SqliteStore)
    assert store.identity() is None
    assert list(tmp_path.iterdir()) == []
    Stage(store).open().store.close()
    assert (tmp_path / "a" / "jwturn.db").is_file()


def test_no_slash_names_a_path_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Stage(open_store("sqlite:state/jwturn.db", FakeClock())).open().store.close()
    assert (tmp_path / "state" / "jwturn.db").is_file()


def test_a_path_is_taken_to_the_letter(tmp_path):
    name = "a%20b?mode=ro#c d.db"
    Stage(open_store(f"sqlite://{tmp_path}/{name}", FakeClock())).open().store.close()
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("uri", ["sqlite:", "sqlite://host/path.db", "sqlite://", "memory:name", "memory://"])
def test_a_uri_that_says_too_little_or_too_much_is_refused(uri):
    with pytest.raises(ConfigError) as refused:
        open_store(uri, FakeClock())
    assert refused.value.code == "malformed_uri"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("uri", "meant"),
    [("sqlit:///x", "sqlite:"), ("SQLITE:///x", "sqlite:"), ("mem:", "memory:"), ("memory", "memory:")],
)
def test_an_unknown_scheme_is_refused_with_the_nearest(uri, meant):
    with pytest.raises(ConfigError, match="no kind of store") as refused:
        open_store(uri, FakeClock())
    assert f"did you mean {meant}?" in refused.value.hint


def test_a_scheme_like_no_other_is_refused_with_all_there_are():
    with pytest.raises(ConfigError) as refused:
        open_store("xyz://host/db", FakeClock())
    assert all(example in refused.value.hint for _, example in SCHEMES.values())


def test_no_driver_is_imported_before_it_is_named():
    code = "import sys, jwturn.stores.uri; print('sqlite3' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"

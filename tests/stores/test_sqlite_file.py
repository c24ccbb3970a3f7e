"""The SQLite file: private, migrated forward only, whole after any failure, plain about what is wrong."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.errors import ConfigError, FatalStorage, IntegrityError, NotFound, NotPermitted, Unavailable
from jwturn.core.ledger import verify
from jwturn.core.steps import BookTurn, Revoke
from jwturn.stores import migrations, sqlite
from jwturn.stores.sqlite import SqliteStore
from jwturn.testing.clock import FakeClock
from jwturn.testing.rings import ISSUER, Stage, add_key, envelope


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "jwturn.db"


@pytest.fixture
def stage(path):
    clock = FakeClock()
    stage = Stage(SqliteStore(path, clock), clock).open()
    stage.add()
    stage.first_key()
    yield stage
    stage.store.close()


def again(stage: Stage, path: Path) -> Stage:
    """The same store, opened by another process."""
    other = Stage(SqliteStore(path, stage.clock), stage.clock, stage.seal, stage.witness)
    other.store.unlock(other.seal, other.witness)
    return other


def raw(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_asking_makes_nothing(path):
    store = SqliteStore(path, FakeClock())
    assert store.identity() is None
    with pytest.raises(NotFound, match="no store") as refused:
        store.unlock(Stage(None).seal, Stage(None).witness)
    assert "jwturn init" in refused.value.hint
    assert not path.parent.exists()


@pytest.mark.parametrize("umask", [0o000, 0o777], ids=oct)
def test_every_file_is_private_whatever_the_umask(path, umask):
    before = os.umask(umask)
    try:
        stage = Stage(SqliteStore(path, FakeClock())).open()
        stage.add()
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    stage.store.close()
    assert modes == {"jwturn.db": 0o600, "jwturn.db-wal": 0o600, "jwturn.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_refused(stage, path):
    path.chmod(0o644)
    with pytest.raises(NotPermitted, match="0644") as refused:
        stage.store.load("web")
    assert "chmod 600" in refused.value.hint
    path.chmod(0o600)
    assert stage.store.load("web").ring.epoch == 1


def test_a_symbolic_link_is_not_a_store(stage, path, tmp_path):
    (tmp_path / "link.db").symlink_to(path)
    with pytest.raises(NotPermitted, match="not a plain file"):
        again(stage, tmp_path / "link.db")


def test_a_store_is_there_after_a_restart(stage, path):
    kept = stage.store.load("web").ring
    stage.store.close()
    assert not path.with_name("jwturn.db-wal").exists()
    assert again(stage, path).store.load("web").ring == kept


def test_a_path_that_cannot_be_looked_at_is_named(tmp_path):
    with pytest.raises(Unavailable, match="too long"):
        SqliteStore(tmp_path / ("x" * 300), FakeClock()).identity()


def test_a_relative_path_stays_what_it_was_when_the_working_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage = Stage(SqliteStore("jwturn.db", FakeClock())).open()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert stage.add().epoch == 0
    stage.store.close()


def test_a_closed_store_says_so(stage):
    stage.store.close()
    with pytest.raises(Unavailable, match="was closed"):
        stage.store.load("web")


def test_the_settings_of_every_connection(stage):
    with stage.store._database.writing() as rows:
        pragmas = ("foreign_keys", "secure_delete", "synchronous", "journal_mode", "user_version")
        found = [rows._one(f"PRAGMA {name}")[0] for name in pragmas]
    assert found == [1, 1, 2, "wal", max(migrations.scripts())]


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT name FROM rings WHERE due_us <= 5 ORDER BY due_us, name LIMIT 5", "rings_by_due"),
        ("SELECT id FROM rings WHERE issuer = 'x' ORDER BY name", "rings_by_issuer"),
        ("SELECT * FROM leases WHERE node = 'n'", "leases_by_node"),
        ("DELETE FROM counts WHERE minute < 5", "counts_by_minute"),
    ],
)
def test_frequent_questions_use_an_index(stage, path, sql, index):
    assert index in str(raw(path).execute(f"EXPLAIN QUERY PLAN {sql}").fetchall())


def test_a_shredded_half_is_nowhere_in_the_files(stage, path):
    needle = envelope("k1").ciphertext
    stage.turn("web", "k2")
    kept = raw(path).execute("SELECT envelope FROM halves WHERE kid = 'k1'").fetchone()[0]
    assert any(kept in file.read_bytes() for file in path.parent.iterdir())
    stage.take("web", Revoke("k1"))
    assert [file.name for file in path.parent.iterdir() if kept[40:120] in file.read_bytes()] == []
    assert [file.name for file in path.parent.iterdir() if needle in file.read_bytes()] == []
    other = raw(path).execute("SELECT envelope FROM halves WHERE kid = 'k2'").fetchone()[0]
    assert other in path.read_bytes()


def test_without_overwriting_a_shredded_half_would_stay(stage, path, monkeypatch):
    monkeypatch.setattr(sqlite, "SETTINGS", ("PRAGMA secure_delete = OFF",))
    careless = again(stage, path)
    careless.turn("web", "k2")
    kept = raw(path).execute("SELECT envelope FROM halves WHERE kid = 'k1'").fetchone()[0]
    careless.take("web", Revoke("k1"))
    assert kept[40:120] in path.read_bytes()


def test_another_program_s_database_is_left_alone(path):
    path.parent.mkdir()
    other = raw(path)
    other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another program"):
        SqliteStore(path, FakeClock()).identity()
    assert path.read_bytes() == before


def test_a_store_of_a_newer_jwturn_is_refused(stage, path):
    newest = max(migrations.scripts())
    raw(path).execute(f"PRAGMA user_version = {newest + 1}")
    with pytest.raises(ConfigError, match=f"schema {newest + 1}") as refused:
        again(stage, path)
    assert (refused.value.code, "newer" in refused.value.hint) == ("newer_store", True)


def test_a_store_of_an_older_jwturn_is_brought_forward(stage, path, monkeypatch):
    found = migrations.scripts()
    following = max(found) + 1
    later = found | {following: "CREATE TABLE later (x TEXT) STRICT;\nINSERT INTO later VALUES ('a;b');\n"}
    monkeypatch.setattr(migrations, "scripts", lambda: later)
    kept = stage.store.load("web").ring
    newer = again(stage, path)
    assert newer.store.load("web").ring == kept
    assert raw(path).execute("SELECT x FROM later").fetchall() == [("a;b",)]
    assert raw(path).execute("PRAGMA user_version").fetchone() == (following,)
    newer.store.close()


def test_a_migration_that_fails_changes_nothing(stage, path, monkeypatch):
    found = migrations.scripts()
    broken = found | {max(found) + 1: "CREATE TABLE half (x TEXT);\nCREATE TABLE rings (x TEXT);\n"}
    monkeypatch.setattr(migrations, "scripts", lambda: broken)
    with pytest.raises(Unavailable, match="rings already exists"):
        again(stage, path)
    tables = [row[0] for row in raw(path).execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert "half" not in tables
    assert raw(path).execute("PRAGMA user_version").fetchone() == (max(found),)


def test_a_file_that_is_no_database_is_refused(path):
    path.parent.mkdir()
    path.write_bytes(b"this is a letter to my aunt\n" * 200)
    path.chmod(0o600)
    with pytest.raises(IntegrityError, match="not a store") as refused:
        SqliteStore(path, FakeClock()).identity()
    assert (refused.value.code, "backup" in refused.value.hint) == ("corrupt_store", True)


def test_a_damaged_file_is_refused(stage, path):
    for number in range(2, 30):
        stage.take("web", add_key(f"k{number}"))
    stage.store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError) as refused:
        again(stage, path).store.load("web")
    assert refused.value.code == "corrupt_store"


def fill(stage: Stage) -> None:
    for number in range(2, 200):
        stage.take("web", add_key(f"k{number}"))


def test_a_full_disk_loses_nothing(stage, path, monkeypatch):
    pages = raw(path).execute("PRAGMA page_count").fetchone()[0]
    limit = f"PRAGMA max_page_count = {pages + 1}"
    monkeypatch.setattr(sqlite, "SETTINGS", (*sqlite.SETTINGS, limit))
    full = again(stage, path)
    with pytest.raises(Unavailable, match="disk full") as refused:
        fill(full)
    assert (refused.value.code, "df -h" in refused.value.hint) == ("disk_full", True)
    kept = full.store.load("web").ring
    assert stage.store.load("web").ring == kept
    assert stage.witness.heads[-1].epoch == kept.epoch
    assert verify(stage.store.events(kept.id), chain=kept.id).count == kept.event_count
    assert stage.take("web", BookTurn(None)).epoch == kept.epoch + 1


GROW = """
import resource, sys
from jwturn.core.errors import Unavailable
from jwturn.core.ledger import verify
from jwturn.stores.sqlite import SqliteStore
from jwturn.testing.clock import FakeClock
from jwturn.testing.rings import Stage, add_key

clock = FakeClock()
stage = Stage(SqliteStore(sys.argv[1], clock), clock).open()
stage.add()
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    for number in range(500):
        stage.take("web", add_key(f"k{number}"))
except Unavailable as error:
    print(error.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ring = stage.store.load("web").ring
print(ring.epoch == len(ring.keys) == stage.take("web", add_key("more")).epoch - 1)
print(verify(stage.store.events(ring.id), chain=ring.id).count == ring.event_count + 1)
"""


def test_a_file_that_may_not_grow_loses_nothing(path):
    ran = subprocess.run(
        [sys.executable, "-c", GROW, str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (ran.stdout.split(), ran.stderr) == (["disk_full", "True", "True"], "")


def test_a_store_that_another_process_holds_is_busy(stage, path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    holder = raw(path)
    holder.execute("BEGIN IMMEDIATE")
    waiting = again(stage, path)
    with pytest.raises(Unavailable, match="another process") as refused:
        waiting.take("web", BookTurn(None))
    assert refused.value.code == "store_busy"
    assert waiting.store.load("web").ring.epoch == 1
    holder.execute("ROLLBACK")
    assert waiting.take("web", BookTurn(None)).epoch == 2
    waiting.store.close()


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "LostRace", "lost_race"),
        (sqlite3.SQLITE_READONLY, "NotPermitted", "not_permitted"),
        (sqlite3.SQLITE_CANTOPEN, "NotPermitted", "not_permitted"),
        (sqlite3.SQLITE_IOERR_READ, "Unavailable", "unavailable"),
        (sqlite3.SQLITE_IOERR_FSYNC, "FatalStorage", "fatal_storage"),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, "IntegrityError", "corrupt_store"),
    ],
)
def test_what_sqlite_refuses_is_said_with_a_way_out(path, number, kind, code):
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = number
    told: Any = sqlite.SqliteDatabase(path)._told(error)
    assert (type(told).__name__, told.code) == (kind, code)
    assert str(path) in told.message
    assert told.hint


def test_an_fsync_that_fails_is_fatal_and_not_an_ordinary_error(stage):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(FatalStorage), stage.store._database.writing():
        raise error


def test_connections_are_used_again_and_closed(stage):
    database = stage.store._database
    for _ in range(5):
        stage.store.load("web")
        stage.store.published(ISSUER)
    assert len(database._pool.idle) == 1
    kept = database._pool.idle[0]
    stage.store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept.execute("SELECT 1")


def test_a_store_that_is_moved_away_while_we_run_is_unavailable_and_goes_on_when_it_is_back(stage, path):
    away = path.with_name("away.db")
    path.rename(away)
    with pytest.raises(Unavailable, match="is gone") as refused:
        stage.store.load("web")
    assert (refused.value.code, refused.value.http_status) == ("store_gone", 503)
    away.rename(path)
    assert stage.store.load("web").ring.active is not None

"""Who can write the database but does not hold the KEK plants, edits, swaps and rolls back nothing unseen."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from jwturn.core.errors import IntegrityError
from jwturn.core.ledger import STORE_CHAIN, verify
from jwturn.core.steps import BookTurn, Revoke
from jwturn.core.tokens import ApiToken, Role, digest
from jwturn.stores.memory import MemoryStore
from jwturn.stores.seals import half
from jwturn.stores.sqlite import SqliteStore
from jwturn.testing.clock import FakeClock
from jwturn.testing.rings import ACTOR, ISSUER, KeyedSeal, Stage, add_key, envelope, key, promote


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jwturn.db"


@pytest.fixture
def stage(path):
    """Two rings of one issuer, each with an active key and a past one."""
    clock = FakeClock()
    stage = Stage(SqliteStore(path, clock), clock).open()
    for name in ("web", "api"):
        stage.add(name)
        stage.first_key(name, f"{name}-1")
        stage.turn(name, f"{name}-2")
    yield stage
    stage.store.close()


@pytest.fixture
def sql(path):
    """What an intruder does to the file."""

    def run(statement: str, *values: object) -> list[tuple]:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    return run


def refusals(stage: Stage, name: str = "web") -> set[str]:
    """The codes with which every way into a ring is refused."""
    codes = set()
    for call in (
        lambda: stage.store.load(name),
        lambda: stage.store.published(ISSUER),
        lambda: stage.take(name, BookTurn(None)),
        lambda: stage.store.grant("n", name, at=stage.at()),
    ):
        with pytest.raises(IntegrityError) as refused:
            call()
        assert refused.value.hint
        codes.add(refused.value.code)
    return codes


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rings SET doc = CAST(replace(CAST(doc AS TEXT), 'verify-only', 'standby') AS BLOB)",
        "UPDATE rings SET doc = CAST(replace(CAST(doc AS TEXT), '\"epoch\":2', '\"epoch\":1') AS BLOB)",
        "UPDATE rings SET doc = CAST(replace(CAST(doc AS TEXT), 'PT3600S', 'PT36000S') AS BLOB)",
        "UPDATE rings SET mac = zeroblob(32)",
        "UPDATE rings SET mac = x''",
        "UPDATE rings SET epoch = epoch + 1",
        "DELETE FROM halves WHERE kid = 'web-2'",
        "UPDATE issuers SET served = 0",
        "UPDATE issuers SET mac = zeroblob(32)",
    ],
)
def test_an_edited_row_is_refused(stage, sql, statement):
    sql(statement)
    assert refusals(stage) == {"forged_row"}


def test_a_ring_moved_to_another_issuer_is_refused(stage, sql):
    sql("INSERT INTO issuers SELECT 'https://evil.example', served, mac FROM issuers")
    sql("UPDATE rings SET issuer = 'https://evil.example' WHERE name = 'web'")
    with pytest.raises(IntegrityError):
        stage.store.published("https://evil.example")
    with pytest.raises(IntegrityError):
        stage.store.load("web")


def test_a_ring_under_another_name_is_refused(stage, sql):
    sql("UPDATE rings SET name = 'www' WHERE name = 'web'")
    with pytest.raises(IntegrityError):
        stage.store.load("www")


def test_rows_swapped_between_rings_are_refused(stage, sql):
    sql(
        "UPDATE rings SET (doc, mac) = (SELECT other.doc, other.mac FROM rings AS other"
        " WHERE other.name = 'api') WHERE name = 'web'"
    )
    assert refusals(stage) == {"forged_row"}


def test_a_planted_key_is_refused(stage, sql):
    ring = stage.store.load("web").ring
    planted = replace(ring, keys=(*ring.keys, key("evil"))).without_private()
    sql("UPDATE rings SET doc = ? WHERE name = 'web'", msgspec.json.encode(planted))
    sql("INSERT INTO halves VALUES ('id-web', 'evil', ?)", half(envelope("evil")))
    assert refusals(stage) == {"forged_row"}


def test_a_row_sealed_under_another_key_is_refused(stage, path):
    clock = stage.clock
    stranger = Stage(SqliteStore(path, clock), clock, KeyedSeal(b"x" * 32), stage.witness)
    stranger.store.unlock(stranger.seal, stranger.witness)
    assert refusals(stranger) == {"forged_row"}
    stranger.store.close()


def test_a_row_of_another_store_under_the_same_key_is_refused(stage, sql, tmp_path):
    clock = stage.clock
    twin = Stage(SqliteStore(tmp_path / "twin.db", clock), clock).open("store-2")
    twin.add("web")
    twin.first_key("web", "web-1")
    twin.turn("web", "web-2")
    twin.store.close()
    connection = sqlite3.connect(tmp_path / "twin.db")
    doc, mac = connection.execute("SELECT doc, mac FROM rings").fetchone()
    connection.close()
    sql("UPDATE rings SET doc = ?, mac = ? WHERE name = 'web'", doc, mac)
    assert refusals(stage) == {"forged_row"}


def test_a_shredded_half_put_back_is_refused(stage, sql):
    (kept,) = sql("SELECT envelope FROM halves WHERE kid = 'web-1'")[0]
    stage.take("web", Revoke("web-1"))
    sql("INSERT INTO halves VALUES ('id-web', 'web-1', ?)", kept)
    assert refusals(stage) == {"forged_row"}


def test_a_half_that_is_no_envelope_is_refused(stage, sql):
    sql("UPDATE halves SET envelope = x'00' WHERE kid = 'web-2'")
    assert refusals(stage) == {"integrity"}


def test_a_row_rolled_back_alone_is_refused(stage, sql):
    old = sql("SELECT doc, mac, epoch FROM rings WHERE name = 'web'")[0]
    kept = sql("SELECT kid, envelope FROM halves WHERE ring_id = 'id-web'")
    stage.take("web", Revoke("web-1"))
    sql("UPDATE rings SET doc = ?, mac = ?, epoch = ? WHERE name = 'web'", *old)
    for kid, sealed in kept:
        sql("INSERT OR REPLACE INTO halves VALUES ('id-web', ?, ?)", kid, sealed)
    assert refusals(stage) == {"older_store"}


def test_a_rolled_back_row_would_be_taken_without_its_witness_but_no_longer_written(stage, sql):
    old = sql("SELECT doc, mac, epoch FROM rings WHERE name = 'web'")[0]
    stage.take("web", BookTurn(None))
    sql("UPDATE rings SET doc = ?, mac = ?, epoch = ? WHERE name = 'web'", *old)
    stage.witness.heads.clear()
    assert stage.store.load("web").ring.epoch == 2
    with pytest.raises(IntegrityError) as refused:
        stage.take("web", BookTurn(None))
    assert refused.value.code == "chain_cut"


def restored(stage: Stage, path: Path, change: str) -> Stage:
    """The store after yesterday's file came back and a commit was lost; then `change` was made on it."""
    stage.store.close()
    shutil.copyfile(path, path.with_name("yesterday.db"))
    (clock, seal, witness) = (stage.clock, stage.seal, stage.witness)
    today = Stage(SqliteStore(path, clock), clock, seal, witness)
    today.store.unlock(seal, witness)
    today.take("web", Revoke("web-1"))
    today.store.close()
    path.with_name("yesterday.db").replace(path)
    path.chmod(0o600)
    if change:
        blind = Stage(SqliteStore(path, clock), clock, seal)
        blind.store.unlock(seal, blind.witness)
        for number in range(2):
            blind.take("web", add_key(f"{change}-{number}"))
        blind.store.close()
    back = Stage(SqliteStore(path, clock), clock, seal, witness)
    back.store.unlock(seal, witness)
    return back


def test_yesterday_s_backup_does_not_bring_a_revoked_key_back(stage, path):
    back = restored(stage, path, change="")
    assert refusals(back) == {"older_store"}
    assert [head.revoked for head in back.witness.heads][-1] == ("web-1",)
    back.store.close()


def test_a_restored_store_that_went_on_is_a_fork(stage, path):
    back = restored(stage, path, change="fork")
    assert refusals(back) == {"forked_store"}
    back.store.close()


def test_a_file_put_in_place_under_a_running_store_is_noticed(stage, path):
    connection = sqlite3.connect(path)
    connection.execute("VACUUM INTO ?", (str(path.with_name("yesterday.db")),))
    connection.close()
    stage.take("web", Revoke("web-1"))
    path.with_name("yesterday.db").chmod(0o600)
    path.with_name("yesterday.db").replace(path)
    assert refusals(stage) == {"older_store"}


def test_a_cut_audit_chain_takes_no_more_events(stage, sql):
    sql(
        "DELETE FROM events WHERE chain = 'id-web'"
        " AND seq = (SELECT max(seq) FROM events WHERE chain = 'id-web')"
    )
    stage.witness.heads.clear()
    with pytest.raises(IntegrityError) as refused:
        stage.take("web", BookTurn(None))
    assert (refused.value.code, "audit verify" in refused.value.hint) == ("chain_cut", True)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events WHERE chain = 'id-web' AND seq = 2",
        "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'suite', 'nobody') AS BLOB) WHERE seq = 3",
        "UPDATE events SET body = (SELECT body FROM events WHERE chain = 'id-api' AND seq = 2) WHERE seq = 2",
    ],
)
def test_an_edited_audit_chain_does_not_verify(stage, sql, statement):
    sql(statement)
    with pytest.raises(IntegrityError):
        verify(stage.store.events("id-web"), chain="id-web")


def token(name: str, role: Role = Role.SIGNER) -> ApiToken:
    now = FakeClock().now()
    return ApiToken(name, digest(f"jwturn_{name}"), role, (), now, now)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tokens SET doc = CAST(replace(CAST(doc AS TEXT), 'signer', 'admin') AS BLOB)",
        "UPDATE tokens SET name = 'other' WHERE name = 'ci'",
        "UPDATE tokens SET mac = zeroblob(32)",
        "UPDATE tokens SET (doc, mac) = (SELECT o.doc, o.mac FROM tokens AS o WHERE o.name = 'app')",
        "INSERT INTO tokens SELECT 'new', doc, mac FROM tokens WHERE name = 'ci'",
    ],
)
def test_an_edited_token_is_refused(stage, sql, statement):
    for name in ("ci", "app"):
        stage.store.add_token(token(name), ACTOR)
    sql(statement)
    with pytest.raises(IntegrityError) as refused:
        stage.store.tokens()
    assert refused.value.code == "forged_row"


def test_a_ring_s_row_does_not_pass_for_a_token_s(stage, sql):
    sql("INSERT INTO tokens SELECT name, doc, mac FROM rings")
    with pytest.raises(IntegrityError):
        stage.store.tokens()


def test_a_token_that_cannot_be_recorded_is_not_kept(stage, sql):
    sql("INSERT INTO events VALUES (?, 1, x'00', 'x')", STORE_CHAIN)
    sql("CREATE TRIGGER no_more BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(IntegrityError):
        stage.store.add_token(token("ci"), ACTOR)
    assert list(stage.store.tokens()) == []


def test_the_memory_store_authenticates_its_rows_as_well():
    stage = Stage(MemoryStore(FakeClock())).open()
    stage.add()
    stage.first_key()
    rows = stage.store._database._rows
    kept = rows._rings["id-web"]
    rows._rings["id-web"] = replace(kept, doc=kept.doc.replace(b"active", b"standby"))
    assert refusals(stage) == {"forged_row"}
    rows._rings["id-web"] = kept
    assert stage.take("web", add_key("k2"), promote("k2")).epoch == 2

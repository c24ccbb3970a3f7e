"""An older store: it signs nothing until a person says recover, and forgets no revocation then."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jwturn.core.errors import BadInput, IntegrityError, JwturnError
from jwturn.core.leases import last_exp
from jwturn.core.ledger import Actor, verify
from jwturn.core.timing import tail
from jwturn.custody.integrity import head_seal
from jwturn.service.recover import Recovery
from jwturn.service.respond import Outcome
from jwturn.stores.sqlite import SqliteStore
from tests.service.short import GONE, MATURE, MIN, SHORT
from tests.service.stage import ANN, ISSUER, Stage


@dataclass
class Backup:
    """A stage, and what puts its store back to where it was when the copy was made."""

    stage: Stage
    restore: Callable[[], None]


def in_memory(stage: Stage, _: Path) -> Callable[[], None]:
    database: Any = stage.store._database
    was = copied(database._rows)

    def restore() -> None:
        database._rows = copied(was)

    return restore


def copied(rows: object) -> object:
    made = copy.copy(rows)
    for name, table in vars(rows).items():
        setattr(made, name, copy.copy(table))
    return made


def in_sqlite(stage: Stage, folder: Path) -> Callable[[], None]:
    store: Any = stage.store
    store.close()
    shutil.copytree(folder, folder.with_name("backup"))

    def restore() -> None:
        store.close()
        shutil.rmtree(folder)
        shutil.copytree(folder.with_name("backup"), folder)
        reopened(stage, folder)

    reopened(stage, folder)
    return restore


def reopened(stage: Stage, folder: Path) -> None:
    store: Any = SqliteStore(folder / "jwturn.db", stage.clock)
    store.unlock(head_seal(stage.identity, [stage.kek]), stage.witness)
    stage.store = store
    stage.node = stage.join()
    stage.recovery = Recovery(store, stage.witness, stage.custody, stage.clock)


def sqlite_stage(folder: Path) -> Stage:
    stage = Stage(**SHORT)
    ring = stage.view.ring
    folder.mkdir(mode=0o700)
    store: Any = SqliteStore(folder / "jwturn.db", stage.clock)
    store.initialise(stage.identity)
    reopened(stage, folder)
    stage.node.commands.add_ring("default", issuer=ISSUER, policy=ring.policy, actor=ANN)
    stage.node.rotator.turn("default")
    return stage


@pytest.fixture(params=["memory", "sqlite"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Backup:
    """A ring with a mature standby, and a copy of its store as of now."""
    folder = tmp_path / "state"
    stage = Stage(**SHORT) if request.param == "memory" else sqlite_stage(folder)
    stage.skip(MATURE)
    return Backup(stage, (in_memory if request.param == "memory" else in_sqlite)(stage, folder))


def recover(stage: Stage, actor: Actor = ANN) -> Outcome:
    ring_id = next(row.id for row in stage.store.rings() if row.name == "default")
    return stage.recovery.recover(ring_id, "default", actor)


def states(stage: Stage) -> dict[str, str]:
    return {key.kid: str(key.state) for key in stage.view.ring.keys}


def test_an_older_store_signs_and_publishes_nothing_before_a_person_says_recover(backup: Backup) -> None:
    stage = backup.stage
    stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
    backup.restore()
    node = stage.join()
    refusals: list[Callable[[], object]] = [
        lambda: stage.view,
        lambda: node.signing.sign("default", {}),
        lambda: node.rotator.turn("default"),
        lambda: node.commands.promote("default", ANN),
        lambda: node.publisher.issuer_set(ISSUER),
    ]
    for refused in refusals:
        with pytest.raises(IntegrityError) as told:
            refused()
        assert told.value.code == "older_store"
        assert "jwturn recover" in told.value.hint


def test_recover_needs_a_reason(backup: Backup) -> None:
    with pytest.raises(BadInput) as refused:
        recover(backup.stage, Actor("ann"))
    assert refused.value.code == "reason_missing"


def test_what_was_revoked_stays_revoked_and_the_ring_works_again(backup: Backup) -> None:
    stage = backup.stage
    stolen = stage.active.kid
    stage.node.commands.revoke("default", ANN, kid=stolen)
    replacement = stage.active.kid
    backup.restore()
    recover(stage)
    ring = stage.view.ring
    assert ring.era == 1
    assert (ring.key(stolen).state, ring.key(stolen).private) == ("revoked", None)
    assert stolen not in stage.node.publisher.issuer_set(ISSUER).kids
    stage.node.rotator.turn("default")
    assert stage.active.kid == replacement
    assert stage.node.signing.sign("default", {}).kid == replacement


def test_a_public_key_that_the_store_forgot_comes_back_verify_only(backup: Backup) -> None:
    stage = backup.stage
    stage.node.commands.promote("default", ANN)
    stage.node.rotator.turn("default")
    born = stage.view.ring.keys[-1]
    assert born.state == "standby"
    backup.restore()
    recover(stage)
    key = stage.view.ring.key(born.kid)
    assert (key.state, key.public, key.private) == ("verify-only", born.public, None)
    served = stage.node.publisher.issuer_set(ISSUER)
    assert born.kid in served.kids
    assert b'"exp"' not in served.body


def test_a_forgotten_key_that_may_have_signed_stays_until_its_last_token_is_over(backup: Backup) -> None:
    stage = backup.stage
    stage.node.commands.promote("default", ANN)
    stage.node.rotator.turn("default")
    stage.skip(MATURE)
    stage.node.commands.promote("default", ANN)
    born = stage.active
    signed = stage.node.signing.sign("default", {})
    assert signed.kid == born.kid
    backup.restore()
    recover(stage)
    stage.node.rotator.turn("default")
    end = stage.clock.now() + 12 * MIN + tail(born.bounds)
    assert signed.expires + tail(born.bounds) <= end
    stage.skip(end - stage.clock.now() - 2 * MIN)
    assert born.kid in stage.node.publisher.issuer_set(ISSUER).kids
    stage.skip(5 * MIN)
    assert states(stage)[born.kid] == "retired"


def test_every_mark_is_raised_by_a_lease_and_a_token_lifetime(backup: Backup) -> None:
    stage = backup.stage
    active = stage.active.kid
    stage.node.commands.hold("default", ANN, kid=None)
    backup.restore()
    recover(stage)
    end = stage.clock.now() + 12 * MIN
    for key in stage.view.ring.published:
        exp = last_exp(stage.view.leases, key)
        assert exp is not None
        assert exp >= end
    assert stage.node.signing.sign("default", {}).kid == active


def test_a_key_that_had_left_the_set_after_the_backup_does_not_sign_again(backup: Backup) -> None:
    stage = backup.stage
    gone = stage.active.kid
    stage.node.commands.promote("default", ANN)
    stage.node.rotator.turn("default")
    stage.skip(GONE)
    assert states(stage)[gone] == "retired"
    heir = stage.active.kid
    backup.restore()
    recover(stage)
    assert states(stage)[gone] == "revoked"
    stage.node.rotator.turn("default")
    assert stage.active.kid == heir
    assert gone not in stage.node.publisher.issuer_set(ISSUER).kids


def test_a_ring_whose_every_known_key_is_gone_gets_a_fresh_one_in_the_same_commit(backup: Backup) -> None:
    stage = backup.stage
    for key in stage.view.ring.published:
        stage.node.commands.revoke("default", ANN, kid=key.kid)
    fresh = stage.view.ring.published[0].kid
    stage.node.commands.revoke("default", ANN, kid=fresh)
    last = stage.view.ring.published[0].kid
    backup.restore()
    outcome = recover(stage)
    assert [key.state for key in outcome.ring.published] == ["verify-only"]
    assert outcome.ring.published[0].kid == last
    stage.node.rotator.turn("default")
    assert "standby" in states(stage).values()


def test_recovering_a_store_that_is_not_older_revokes_nothing(backup: Backup) -> None:
    stage = backup.stage
    before = states(stage)
    signed = stage.node.signing.sign("default", {})
    recover(stage)
    assert states(stage) == before
    assert stage.view.ring.era == 1
    assert stage.node.signing.sign("default", {}).kid == signed.kid


def test_the_recovered_chain_is_whole_and_tells_of_the_recovery(backup: Backup) -> None:
    stage = backup.stage
    stage.node.commands.promote("default", ANN)
    backup.restore()
    recover(stage, Actor("ann", "disk failed"))
    ring = stage.view.ring
    events = stage.store.events(ring.id)
    assert verify(events, chain=ring.id).hash == ring.event_hash
    assert (events[-1].action, events[-1].who, events[-1].why) == ("recover", "ann", "disk failed")
    assert events[-1].detail["era"] == 1


def test_the_newer_store_is_refused_once_the_older_one_was_recovered(backup: Backup) -> None:
    stage = backup.stage
    stage.node.commands.promote("default", ANN)
    backup.restore()
    recover(stage)
    backup.restore()
    with pytest.raises(JwturnError) as refused:
        _ = stage.view
    assert refused.value.code == "older_store"


def test_a_second_recovery_starts_another_era(backup: Backup) -> None:
    stage = backup.stage
    stage.node.commands.promote("default", ANN)
    backup.restore()
    recover(stage)
    backup.restore()
    recover(stage)
    assert stage.view.ring.era == 2
    stage.node.rotator.turn("default")
    assert stage.node.signing.sign("default", {}).token

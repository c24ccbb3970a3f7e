"""What is demanded of a store after a fault can fail: damage that a fault could do is found."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from jwturn.core.errors import IntegrityError
from jwturn.core.states import STANDBY
from jwturn.crypto.private import private_key
from tests.faults.acts import ACTS, judge
from tests.faults.whole import demand_whole
from tests.faults.yard import ANN, Yard, active_of, jwturn, made
from tests.integration.test_no_plaintext import raw_halves

FOUND = (AssertionError, IntegrityError)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    return made(tmp_path_factory.mktemp("whole") / "store")


@pytest.fixture
def yard(template: Yard, tmp_path: Path) -> Yard:
    return template.copy(tmp_path / "store")


def drop_an_event(yard: Yard) -> None:
    with sqlite3.connect(yard.state / "jwturn.db") as connection:
        assert connection.execute("DELETE FROM events WHERE seq = 2").rowcount >= 1


def put_back_an_older_store(yard: Yard) -> None:
    old = (yard.state / "jwturn.db").read_bytes()
    with yard.app() as app:
        app.loop.run_once()
    for file in yard.state.glob("jwturn.db*"):
        file.unlink()
    (yard.state / "jwturn.db").write_bytes(old)
    (yard.state / "jwturn.db").chmod(0o600)


def revoke_the_signer(yard: Yard) -> None:
    with yard.app() as app:
        app.commands.revoke("default", ANN, kid=active_of(app).kid)


def skip_a_lead(yard: Yard) -> None:
    with yard.app() as app:
        app.loop.run_once()
        app.commands.promote("default", ANN, before_lead=True)


def leave_a_temporary_file(yard: Yard) -> None:
    with yard.app() as app:
        key = active_of(app)
        secret = app.custody.reveal(key, app.store.load("default").ring.id).reveal()
        half = next(raw_halves(key.alg, secret, private_key(key.alg, app.custody.reveal(key, _id(yard)))))
    (yard.state / ".half.tmp").write_bytes(b"d=" + half.hex().encode())


def leave_the_kek(yard: Yard) -> None:
    (yard.state / ".kek.tmp").write_bytes((yard.state / "kek").read_bytes())


def _id(yard: Yard) -> str:
    assert yard.before is not None
    return yard.before.view.ring.id


@pytest.mark.parametrize(
    "damage",
    [
        drop_an_event,
        put_back_an_older_store,
        revoke_the_signer,
        skip_a_lead,
        leave_a_temporary_file,
        leave_the_kek,
    ],
)
def test_damage_is_found(yard: Yard, damage: Callable[[Yard], None]) -> None:
    demand_whole(yard)
    damage(yard)
    with pytest.raises(FOUND):
        demand_whole(yard)


def test_a_second_key_of_a_turn_is_found(yard: Yard) -> None:
    act = ACTS["promote"]
    ended = yard.run(act.command(yard))
    with yard.app() as app:
        (standby,) = app.store.load("default").ring.in_state(STANDBY)
        app.commands.discard("default", ANN, kid=standby.kid)
        app.loop.run_once()
    with pytest.raises(AssertionError, match="no second"):
        judge(act, yard, ended)


def test_a_command_that_says_it_was_done_and_was_not_is_found(yard: Yard) -> None:
    ended = yard.run(jwturn("--version"))
    assert ended.returncode == 0
    with pytest.raises(AssertionError, match="it said it was done"):
        judge(ACTS["promote"], yard, ended)

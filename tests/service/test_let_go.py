"""What custody is told when a private half leaves a ring, or a key that was made enters none."""

from datetime import timedelta

import pytest

from jwturn.core.keys import Key
from tests.service.stage import ANN, DAY, HOUR, Stage


class Told(list[str]):
    """The kids whose private half a custody was told to destroy."""

    def listen(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> "Told":
        destroy = stage.custody.destroy

        def heard(key: Key, ring_id: str) -> None:
            self.append(key.kid)
            destroy(key, ring_id)

        monkeypatch.setattr(stage.custody, "destroy", heard)
        return self


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.skip(2 * DAY)
    return stage


def test_a_shredded_half_is_destroyed_after_the_roll_back_window(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, old = Told().listen(stage, monkeypatch), stage.active.kid
    stage.node.commands.promote("default", ANN)
    stage.node.rotator.turn("default")
    assert told == []
    stage.skip(HOUR + timedelta(minutes=5))
    assert told == [old]


def test_a_revoked_half_is_destroyed_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    told, old = Told().listen(stage, monkeypatch), stage.active.kid
    stage.node.commands.revoke("default", ANN, kid=old)
    assert told == [old]


def test_a_dry_run_leaves_no_key_behind_and_takes_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.node.commands.revoke("default", ANN, kid=stage.active.kid)
    told, kids = Told().listen(stage, monkeypatch), {key.kid for key in stage.view.ring.keys}
    last = stage.active.kid
    stage.node.commands.revoke("default", ANN, kid=last, dry_run=True)
    assert len(told) == 1
    assert not set(told) & kids


def test_the_key_of_a_lost_race_is_destroyed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.node.commands.promote("default", ANN)
    told, create = Told().listen(stage, monkeypatch), stage.custody.create
    other = stage.join()
    calls = 0

    def beaten(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            other.rotator.turn("default")
        return create(*args, **options)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(stage.custody, "create", beaten)
    stage.node.rotator.turn("default")
    kids = {key.kid for key in stage.view.ring.keys}
    assert len(told) == 1
    assert told[0] not in kids

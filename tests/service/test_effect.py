"""What a revocation will do, said before it is done."""

from datetime import timedelta

import pytest

from jwturn.core.durations import format_duration
from jwturn.core.errors import NotFound
from jwturn.service.effect import RevokeEffect, revoke_effect
from tests.service.stage import ANN, DAY, HOUR, Stage

MIN = timedelta(minutes=1)
S = timedelta(seconds=1)


def effect_on(stage: Stage, kid: str) -> RevokeEffect:
    return revoke_effect(stage.view, kid, stage.counts())


def declared(*names: str) -> Stage:
    return Stage(verifiers=names, rotate_every=90 * DAY)


def test_the_designs_example_jose_and_dotnet() -> None:
    stage = declared("jose", "dotnet")
    jose, dotnet = effect_on(stage, stage.active.kid).verifiers
    assert (jose.name, format_duration(jose.healthy)) == ("jose", "46m 3s")
    assert jose.usual is not None
    assert format_duration(jose.usual) == "10m"
    assert dotnet.name == "dotnet"
    assert 13 * HOUR + 12 * MIN < dotnet.healthy <= 13 * HOUR + 13 * MIN
    assert dotnet.bound is None


def test_a_verifier_with_a_stale_bound_has_an_end() -> None:
    stage = declared("jwturn")
    end = effect_on(stage, stage.active.kid).verifiers[0]
    assert end.bound is not None
    assert end.bound > end.healthy


def test_an_unknown_fleet_is_one_line_with_the_policys_bounds() -> None:
    stage = Stage()
    (end,) = effect_on(stage, stage.active.kid).verifiers
    assert (end.name, end.usual) == ("any verifier", None)
    assert format_duration(end.healthy) == "24h 37m 29s"
    assert end.bound is not None
    assert format_duration(end.bound - end.healthy) == "1h 4s"


def test_live_tokens_are_counted_until_they_expire() -> None:
    stage = Stage()
    for ttl in (10 * MIN, 10 * MIN, HOUR):
        stage.node.signing.sign("default", {}, ttl=ttl)
    kid = stage.active.kid
    assert effect_on(stage, kid).live_tokens == 0
    stage.node.signing.refresh()
    assert effect_on(stage, kid).live_tokens == 3
    stage.clock.advance(11 * MIN)
    assert effect_on(stage, kid).live_tokens == 1
    stage.clock.advance(HOUR)
    assert effect_on(stage, kid).live_tokens == 0


def test_the_last_expiry_is_the_mark() -> None:
    stage = Stage()
    assert effect_on(stage, stage.active.kid).last_exp is None
    stage.node.signing.sign("default", {}, ttl=MIN)
    assert effect_on(stage, stage.active.kid).last_exp == stage.clock.now() + HOUR + 10 * MIN


def test_the_replacement_is_the_mature_standby_or_nothing() -> None:
    stage = Stage()
    assert effect_on(stage, stage.active.kid).replacement is None
    stage.skip(2 * DAY)
    standby = stage.view.ring.keys[1]
    effect = effect_on(stage, stage.active.kid)
    assert effect.replacement == standby
    stage.node.commands.revoke("default", ANN, kid=effect.kid)
    assert stage.active.kid == standby.kid


def test_revoking_the_standby_replaces_nothing_and_stops_no_signer() -> None:
    stage = Stage()
    stage.skip(2 * DAY)
    effect = effect_on(stage, stage.view.ring.keys[1].kid[:8])
    assert effect.kid == stage.view.ring.keys[1].kid
    assert effect.replacement is None
    assert effect.signers_refresh == effect.signers_lease == timedelta()
    active = effect_on(stage, stage.active.kid)
    assert (active.signers_refresh, active.signers_lease) == (10 * S, 10 * MIN)


def test_a_key_that_is_not_there_has_no_effect_to_show() -> None:
    with pytest.raises(NotFound):
        effect_on(Stage(), "nonesuch")


def test_the_slowest_verifier_stands_last() -> None:
    stage = declared("dotnet", "pyjwt", "spring", "jose")
    ends = effect_on(stage, stage.active.kid).verifiers
    assert [end.healthy for end in ends] == sorted(end.healthy for end in ends)
    assert ends[-1].name == "dotnet"

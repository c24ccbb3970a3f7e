"""Signing under a grant: leases, marks, clocks, and what a caller may set."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from jwturn.core.errors import BadInput, ClocksDisagree, JwturnError, NotFound, Unavailable
from jwturn.core.jws import read_claims, split
from jwturn.core.leases import last_exp
from jwturn.service.own_keys import exp_bounds, trusted_keys
from tests.service.stage import ANN, DAY, HOUR, ISSUER, Stage

MIN = timedelta(minutes=1)
S = timedelta(seconds=1)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def claims_of(token: str) -> dict[str, object]:
    return read_claims(split(token).payload)


def test_a_token_says_issuer_times_and_id_and_verifies_with_the_published_key(stage: Stage) -> None:
    signed = stage.node.signing.sign("default", {"sub": "alice"})
    claims = claims_of(signed.token)
    now = int(stage.clock.now().timestamp())
    assert (claims["iss"], claims["sub"], claims["iat"], claims["exp"]) == (ISSUER, "alice", now, now + 3600)
    assert signed.kid == stage.active.kid
    parts = split(signed.token)
    key = trusted_keys([stage.view], stage.custody)[signed.kid]
    assert key.verify(parts.signing_input, parts.signature)


def test_two_tokens_never_share_an_id(stage: Stage) -> None:
    tokens = [stage.node.signing.sign("default", {}).token for _ in range(50)]
    assert len({claims_of(token)["jti"] for token in tokens}) == 50


def test_the_mark_is_written_before_the_first_token_and_covers_it(stage: Stage) -> None:
    assert last_exp(stage.view.leases, stage.active) is None
    signed = stage.node.signing.sign("default", {})
    mark = last_exp(stage.view.leases, stage.active)
    assert mark is not None
    assert signed.expires <= mark == stage.clock.now() + 10 * MIN + HOUR


def test_a_token_is_shortened_to_the_mark(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    mark = last_exp(stage.view.leases, stage.active)
    assert mark is not None
    stage.clock.advance(9 * MIN + 50 * S)
    signed = stage.node.signing.sign("default", {}, ttl=HOUR)
    assert signed.expires <= mark


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "nbf", "jti"])
def test_claims_that_callers_may_not_set_are_refused(stage: Stage, name: str) -> None:
    with pytest.raises(BadInput) as refused:
        stage.node.signing.sign("default", {name: "x"})
    assert refused.value.code == "claims_reserved"


def test_a_lifetime_over_the_limit_is_refused(stage: Stage) -> None:
    with pytest.raises(BadInput) as refused:
        stage.node.signing.sign("default", {}, ttl=2 * HOUR)
    assert refused.value.code == "ttl_out_of_range"
    assert "token_ttl_max" in refused.value.hint


def test_an_unknown_ring_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.node.signing.sign("nonesuch", {})


def test_an_audience_of_the_policy_is_set_and_reserved() -> None:
    stage = Stage(audience=("orders",))
    assert claims_of(stage.node.signing.sign("default", {}).token)["aud"] == ["orders"]
    with pytest.raises(BadInput):
        stage.node.signing.sign("default", {"aud": "billing"})


def test_a_node_past_its_lease_asks_for_another_before_it_signs(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    before = stage.view.leases.leases[0]
    stage.clock.advance(11 * MIN)
    stage.node.signing.sign("default", {})
    after = stage.view.leases.leases[0]
    assert after.number > before.number
    assert after.until == stage.clock.now() + 10 * MIN


def test_a_zombie_that_wakes_after_its_lease_signs_with_the_new_key_only(stage: Stage) -> None:
    zombie = stage.join()
    zombie.signing.sign("default", {})
    old = stage.active.kid
    stage.skip(2 * DAY)
    stage.node.commands.promote("default", ANN)
    assert zombie.signing.sign("default", {}).kid == stage.active.kid != old


def test_a_partitioned_signer_keeps_its_key_until_the_lease_ends_and_no_longer(stage: Stage) -> None:
    signing = stage.node.signing
    kid = signing.sign("default", {}).kid
    stage.clock.advance(9 * MIN)
    assert signing.sign("default", {}).kid == kid
    stage.clock.advance(2 * MIN)
    fails(stage)
    with pytest.raises(Unavailable):
        signing.sign("default", {})


def fails(stage: Stage) -> None:
    def down(*_: object, **__: object) -> None:
        raise Unavailable("the store is away", hint="wait")

    stage.store.load = down  # type: ignore[method-assign,assignment]  # the store is away from here on


def test_renewal_keeps_a_lease_alive_and_reports_what_was_issued(stage: Stage) -> None:
    for _ in range(3):
        stage.node.signing.sign("default", {})
    stage.clock.advance(5 * MIN)
    stage.node.signing.refresh()
    assert stage.view.leases.leases[0].until == stage.clock.now() + 10 * MIN
    assert sum(stage.counts()[stage.active.kid].values()) == 3


def test_a_report_that_fails_is_counted_again_later(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    renew = stage.store.renew

    def down(*_: object, **__: object) -> None:
        raise Unavailable("away", hint="wait")

    stage.store.renew = down  # type: ignore[method-assign,assignment]  # for one call
    with pytest.raises(Unavailable):
        stage.node.signing.refresh()
    stage.store.renew = renew  # type: ignore[method-assign]  # it is back
    stage.node.signing.refresh()
    assert sum(stage.counts()[stage.active.kid].values()) == 1


def test_after_a_turn_the_old_mark_falls_to_what_was_really_issued(stage: Stage) -> None:
    stage.skip(2 * DAY)
    signed = stage.node.signing.sign("default", {}, ttl=5 * MIN)
    old = stage.active
    stage.node.commands.promote("default", ANN)
    stage.node.signing.refresh()
    assert last_exp(stage.view.leases, old) == signed.expires
    assert stage.node.signing.sign("default", {}).kid != old.kid


def test_a_graceful_stop_gives_lease_and_mark_back(stage: Stage) -> None:
    signed = stage.node.signing.sign("default", {}, ttl=MIN)
    stage.node.signing.release()
    assert stage.view.leases.leases == ()
    assert last_exp(stage.view.leases, stage.active) == signed.expires
    assert sum(stage.counts()[stage.active.kid].values()) == 1


def test_a_crash_leaves_the_mark_where_it_was(stage: Stage) -> None:
    stage.node.signing.sign("default", {}, ttl=MIN)
    mark = last_exp(stage.view.leases, stage.active)
    stage.join().signing.sign("default", {}, ttl=MIN)
    assert last_exp(stage.view.leases, stage.active) == mark


def test_an_idle_lease_is_given_back_after_ten_minutes(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    for _ in range(5):
        stage.clock.advance(4 * MIN)
        stage.node.signing.refresh()
    assert stage.view.leases.leases == ()


def test_a_node_whose_clock_is_wrong_is_refused_and_signs_nothing(stage: Stage) -> None:
    wrong = stage.join(skew=10 * MIN)
    with pytest.raises(ClocksDisagree):
        wrong.signing.sign("default", {})
    assert stage.view.leases.marks == ()


def test_a_node_within_the_skew_signs_on_the_stores_time(stage: Stage) -> None:
    near = stage.join(skew=20 * S)
    claims = claims_of(near.signing.sign("default", {}).token)
    assert claims["iat"] == int(stage.clock.now().timestamp())


def test_a_store_clock_that_jumps_stops_signing_until_two_refreshes_agree(stage: Stage) -> None:
    node = stage.join(skew=40 * S)
    node.signing.sign("default", {})
    stage.clock.advance(10 * S)
    stage.clock.jump(70 * S)
    with pytest.raises(Unavailable, match="move alike"):
        node.signing.refresh()
    with pytest.raises(Unavailable, match="move alike"):
        node.signing.sign("default", {})
    stage.clock.advance(10 * S)
    with pytest.raises(Unavailable, match="move alike"):
        node.signing.refresh()
    stage.clock.advance(10 * S)
    node.signing.refresh()
    assert node.signing.sign("default", {}).token


def test_a_machine_whose_clock_jumps_with_the_stores_raises_no_mark(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    before = stage.view.leases
    stage.clock.advance(10 * S)
    for clock in (stage.clock, stage.node.clock):
        clock.jump(3652 * DAY)
    with pytest.raises(ClocksDisagree, match="move alike"):
        stage.node.signing.refresh()
    with pytest.raises(Unavailable, match="move alike"):
        stage.node.signing.refresh()
    assert stage.view.leases == before


def test_one_refresh_of_many_rings_is_one_agreement(stage: Stage) -> None:
    policy = stage.view.ring.policy
    for name in ("a", "b", "c"):
        stage.node.commands.add_ring(name, issuer=f"https://{name}.example", policy=policy, actor=ANN)
        stage.node.rotator.turn(name)
        stage.node.signing.sign(name, {})
    stage.clock.advance(10 * S)
    stage.clock.jump(70 * S)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"agree twice|move alike|apart"):
            stage.node.signing.refresh()
    with pytest.raises(Unavailable, match="agree twice"):
        stage.node.signing.sign("a", {})


def test_revoked_keys_stop_signing_at_the_next_refresh(stage: Stage) -> None:
    stage.skip(2 * DAY)
    kid = stage.node.signing.sign("default", {}).kid
    stage.node.commands.revoke("default", ANN, kid=kid)
    stage.node.signing.refresh()
    assert stage.node.signing.sign("default", {}).kid != kid


def test_a_policy_edit_reaches_a_signer_at_its_next_refresh(stage: Stage) -> None:
    stage.node.signing.sign("default", {})
    stage.node.commands.set_policy("default", ANN, changes={"token_ttl_max": 5 * MIN})
    stage.node.signing.refresh()
    with pytest.raises(BadInput):
        stage.node.signing.sign("default", {}, ttl=HOUR)


def test_a_batch_is_all_or_none(stage: Stage) -> None:
    signed = stage.node.signing.sign_many("default", [{"sub": "a"}, {"sub": "b"}])
    assert [claims_of(one.token)["sub"] for one in signed] == ["a", "b"]
    with pytest.raises(BadInput):
        stage.node.signing.sign_many("default", [{"sub": "a"}, {"exp": 1}])


def test_many_threads_share_one_grant_and_every_token_is_counted(stage: Stage) -> None:
    errors: list[JwturnError] = []

    def work() -> None:
        try:
            for _ in range(50):
                stage.node.signing.sign("default", {})
        except JwturnError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    stage.node.signing.refresh()
    assert errors == []
    assert len(stage.view.leases.leases) == 1
    assert sum(stage.counts()[stage.active.kid].values()) == 400


def test_signing_goes_on_while_the_ring_turns_and_no_token_passes_its_mark(stage: Stage) -> None:
    stage.skip(2 * DAY)
    exps: dict[str, datetime] = {}
    for _ in range(3):
        for _ in range(5):
            signed = stage.node.signing.sign("default", {})
            exps[signed.kid] = max(exps.get(signed.kid, signed.expires), signed.expires)
            stage.clock.advance(30 * S)
            stage.node.signing.refresh()
        stage.node.commands.promote("default", ANN)
        stage.node.rotator.turn("default")
        stage.skip(2 * DAY)
    for kid, exp in exps.items():
        mark = last_exp(stage.view.leases, stage.view.ring.key(kid))
        assert mark is None or exp <= mark
    assert len(exps) == 3


def test_a_secret_ring_signs_and_its_own_keys_verify() -> None:
    stage = Stage(alg="HS256")
    parts = split(stage.node.signing.sign("default", {}).token)
    key = trusted_keys([stage.view], stage.custody)[stage.active.kid]
    assert key.verify(parts.signing_input, parts.signature)


def test_a_shredded_key_tells_the_last_exp_it_can_have_issued(stage: Stage) -> None:
    stage.skip(2 * DAY)
    signed = stage.node.signing.sign("default", {})
    old = stage.active.kid
    stage.node.commands.promote("default", ANN)
    stage.node.signing.refresh()
    stage.node.rotator.turn("default")
    assert exp_bounds([stage.view]) == {}
    stage.skip(HOUR - 5 * MIN)
    assert stage.view.ring.key(old).private is not None
    stage.skip(10 * MIN)
    if stage.view.ring.key(old).state == "verify-only":
        assert exp_bounds([stage.view]) == {old: int(signed.expires.replace(tzinfo=UTC).timestamp())}

"""Keys made elsewhere enter the lifecycle with what is known of their use there."""

from datetime import timedelta

import pytest

from jwturn.core.errors import BadInput, StateForbids
from jwturn.core.keys import Origin, Waiver
from jwturn.core.leases import last_exp
from jwturn.core.ledger import Actor
from jwturn.core.secret import Secret
from jwturn.crypto.generate import generate
from jwturn.ports.custody import Made
from jwturn.service.respond import Usage
from tests.service.stage import ANN, DAY, HOUR, Stage

MIN = timedelta(minutes=1)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.skip(2 * DAY)
    return stage


def foreign_key(stage: Stage, kid: str | None = "from-elsewhere", alg: str = "ES256") -> Made:
    pair = generate(alg)
    return stage.custody.adopt(alg, stage.view.ring.id, private=pair.private, public=pair.public, kid=kid)


def take(stage: Stage, made: Made, **usage: object) -> None:
    stage.node.commands.take_in("default", ANN, made=made, usage=Usage(**usage))  # type: ignore[arg-type]  # by name
    stage.node.rotator.turn("default")


def test_an_import_enters_as_standby_keeps_its_kid_and_waits_its_lead(stage: Stage) -> None:
    take(stage, foreign_key(stage))
    key = stage.view.ring.key("from-elsewhere")
    assert (key.state, key.origin, key.waiver) == ("standby", Origin.IMPORTED, None)
    assert key.sign_from is not None
    assert key.sign_from > stage.clock.now() + DAY
    with pytest.raises(StateForbids, match="may not sign yet: its lead ends in"):
        stage.node.commands.promote("default", ANN, kid="from-elsewhere")


def test_published_since_lets_a_key_in_use_elsewhere_become_active_at_once(stage: Stage) -> None:
    since = stage.clock.now() - 30 * DAY
    take(stage, foreign_key(stage), published_since=since)
    key = stage.view.ring.key("from-elsewhere")
    assert key.waiver is Waiver.PUBLISHED_SINCE
    stage.node.commands.promote("default", ANN, kid="from-elsewhere")
    assert stage.node.signing.sign("default", {}).kid == "from-elsewhere"
    assert stage.active.sign_from == key.sign_from


def test_published_since_yesterday_still_waits_the_rest_of_the_lead(stage: Stage) -> None:
    since = stage.clock.now() - 20 * HOUR
    take(stage, foreign_key(stage), published_since=since)
    with pytest.raises(StateForbids, match=r"in 4h 4\dm"):
        stage.node.commands.promote("default", ANN, kid="from-elsewhere")
    stage.skip(5 * HOUR)
    stage.node.commands.promote("default", ANN, kid="from-elsewhere")


def test_the_rest_of_the_lead_of_a_key_published_elsewhere_does_not_pass_in_a_jump(stage: Stage) -> None:
    take(stage, foreign_key(stage), published_since=stage.clock.now() - 20 * HOUR)
    for clock in (stage.clock, stage.node.clock):
        clock.jump(9 * DAY)
    with pytest.raises(StateForbids, match="may not sign yet"):
        stage.node.commands.promote("default", ANN, kid="from-elsewhere")


def test_published_since_needs_a_reason_and_a_time_in_the_past(stage: Stage) -> None:
    made, now = foreign_key(stage), stage.clock.now()
    with pytest.raises(BadInput) as refused:
        stage.node.commands.take_in("default", Actor("ann"), made=made, usage=Usage(published_since=now))
    assert refused.value.code == "reason_missing"
    with pytest.raises(BadInput, match="in the future"):
        take(stage, made, published_since=now + MIN)
    assert len(stage.view.ring.keys) == 2


def test_an_import_as_verify_only_never_signs(stage: Stage) -> None:
    take(stage, foreign_key(stage), state="verify-only", foreign_until=stage.clock.now(), foreign_ttl=DAY)
    key = stage.view.ring.key("from-elsewhere")
    assert key.state == "verify-only"
    assert "from-elsewhere" in stage.node.publisher.ring_set("default").kids
    for before_lead in (False, True):
        with pytest.raises(StateForbids):
            stage.node.commands.promote("default", ANN, kid="from-elsewhere", before_lead=before_lead)
    with pytest.raises(StateForbids):
        stage.node.commands.roll_back("default", ANN)


def test_a_key_that_others_sign_with_stays_until_their_last_token_is_over(stage: Stage) -> None:
    until = stage.clock.now() + 3 * HOUR
    take(stage, foreign_key(stage), state="verify-only", foreign_until=until, foreign_ttl=2 * HOUR)
    key = stage.view.ring.key("from-elsewhere")
    assert last_exp(stage.view.leases, key) == until + 2 * HOUR
    stage.skip(5 * HOUR)
    assert stage.view.ring.key("from-elsewhere").state == "verify-only"
    stage.skip(10 * MIN)
    assert stage.view.ring.key("from-elsewhere").state == "retired"


def test_an_imported_key_whose_use_nobody_can_say_is_retired_by_a_person_only(stage: Stage) -> None:
    take(stage, foreign_key(stage), state="verify-only")
    stage.skip(3 * DAY)
    assert stage.view.ring.key("from-elsewhere").state == "verify-only"
    stage.node.commands.discard("default", ANN, kid="from-elsewhere")
    assert stage.view.ring.key("from-elsewhere").state == "retired"


def test_a_standby_that_others_sign_with_is_not_discarded_under_their_tokens(stage: Stage) -> None:
    until = stage.clock.now() + HOUR
    take(stage, foreign_key(stage), foreign_until=until, foreign_ttl=HOUR)
    with pytest.raises(StateForbids, match="others signed"):
        stage.node.commands.discard("default", ANN, kid="from-elsewhere")
    stage.skip(2 * HOUR + MIN)
    with pytest.raises(StateForbids, match="others signed"):
        stage.node.commands.discard("default", ANN, kid="from-elsewhere")
    stage.skip(10 * MIN)
    stage.node.commands.discard("default", ANN, kid="from-elsewhere")


@pytest.mark.parametrize("half", [{"foreign_until": None}, {"foreign_ttl": None}])
def test_foreign_use_is_said_with_both_numbers(stage: Stage, half: dict[str, None]) -> None:
    usage = {"foreign_until": stage.clock.now(), "foreign_ttl": HOUR} | half
    with pytest.raises(BadInput, match="go together"):
        take(stage, foreign_key(stage), **usage)


def test_a_key_cannot_enter_in_another_state(stage: Stage) -> None:
    with pytest.raises(BadInput, match="cannot enter as 'active'"):
        take(stage, foreign_key(stage), state="active")


def test_a_kid_is_never_used_twice_under_an_issuer(stage: Stage) -> None:
    take(stage, foreign_key(stage))
    stage.node.commands.discard("default", ANN, kid="from-elsewhere")
    for _ in range(2):
        with pytest.raises(BadInput) as refused:
            take(stage, foreign_key(stage))
        assert refused.value.code == "kid_reused"


def test_a_public_half_alone_is_verify_only(stage: Stage) -> None:
    pair = generate("ES256")
    made = Made("public-only", "ES256", pair.public, None)
    with pytest.raises(BadInput, match="must be able to sign"):
        take(stage, made)
    take(stage, made, state="verify-only", foreign_until=stage.clock.now(), foreign_ttl=HOUR)
    assert "public-only" in stage.node.publisher.ring_set("default").kids


def test_a_secret_does_not_fit_a_ring_of_key_pairs(stage: Stage) -> None:
    secret = Secret(bytes(range(100, 164)))
    made = stage.custody.adopt("HS256", stage.view.ring.id, private=secret, public=None, kid="s")
    with pytest.raises(BadInput, match="does not fit ring default"):
        take(stage, made)
    assert len(stage.view.ring.keys) == 2


def test_an_import_into_a_new_ring_is_promoted_when_its_lead_is_over() -> None:
    stage = Stage()
    policy = stage.view.ring.policy
    stage.node.commands.add_ring("moved", issuer="https://moved.example.com", policy=policy, actor=ANN)
    pair = generate("ES256")
    ring = stage.store.load("moved").ring
    made = stage.custody.adopt("ES256", ring.id, private=pair.private, public=pair.public, kid="old")
    usage = Usage(published_since=stage.clock.now() - 9 * DAY)
    stage.node.commands.take_in("moved", ANN, made=made, usage=usage)
    stage.node.rotator.turn("moved")
    assert [(key.kid == "old", str(key.state)) for key in stage.store.load("moved").ring.keys] == [
        (True, "active"),
        (False, "standby"),
    ]
    assert stage.node.signing.sign("moved", {}).kid == "old"


def test_an_issuer_counts_as_served_once_an_import_is_in_its_set() -> None:
    stage = Stage()
    policy, issuer = stage.view.ring.policy, "https://moved.example.com"
    stage.node.commands.add_ring("moved", issuer=issuer, policy=policy, actor=ANN)
    pair = generate("ES256")
    moved = stage.store.load("moved").ring
    made = stage.custody.adopt("ES256", moved.id, private=pair.private, public=pair.public, kid="old")
    stage.node.commands.take_in("moved", ANN, made=made, usage=Usage())
    assert stage.node.publisher.issuer_set(issuer).kids == {"old"}
    stage.node.commands.add_ring("beside", issuer=issuer, policy=policy, actor=ANN)
    stage.node.rotator.turn("beside")
    assert stage.store.load("beside").ring.active is None


def test_a_dry_import_writes_nothing(stage: Stage) -> None:
    before = stage.view
    outcome = stage.node.commands.take_in(
        "default", ANN, made=foreign_key(stage), usage=Usage(), dry_run=True
    )
    assert [key.kid for key in outcome.ring.keys][-1] == "from-elsewhere"
    assert stage.view == before


def test_a_revoked_key_pair_does_not_come_back_under_another_kid(stage: Stage) -> None:
    pair = generate("ES256")
    ring_id = stage.view.ring.id

    def take_in(kid: str) -> None:
        made = stage.custody.adopt("ES256", ring_id, private=pair.private, public=pair.public, kid=kid)
        stage.node.commands.take_in("default", ANN, made=made, usage=Usage())

    take_in("2024-07")
    stage.node.commands.revoke("default", ANN, kid="2024-07")
    with pytest.raises(BadInput) as refused:
        take_in("2024-08")
    assert refused.value.code == "key_reused"

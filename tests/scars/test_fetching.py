"""Scars of fetching that are the publisher's to heal: what a set holds, how long it is kept, and where."""

import re
from datetime import timedelta

import pytest

from jwturn.core.errors import PolicyRefused, Unavailable
from jwturn.core.timing import horizon, lead
from jwturn.service.effect import verifier_ends
from jwturn.service.publish import Answer, answer, unavailable
from tests.interop.stale import Watched
from tests.service.short import GONE, MATURE, MIN, SHORT, S
from tests.service.stage import ANN, DAY, HOUR, ISSUER, Stage


@pytest.fixture
def stage() -> Stage:
    """A ring with a mature standby."""
    made = Stage(**SHORT)
    made.run(MATURE)
    return made


def get(stage: Stage, etag: str | None = None) -> Answer:
    """What a verifier is answered that holds the set with this ETag."""
    return answer(stage.node.publisher.issuer_set(ISSUER), etag)


def max_age(reply: Answer) -> timedelta:
    found = re.fullmatch(r"(public|private), max-age=(\d+)", reply.headers["cache-control"])
    assert found is not None
    return timedelta(seconds=int(found[2]))


def test_a_removed_kid_really_leaves_and_a_verifier_that_asks_again_is_told(stage: Stage) -> None:
    """CVE-2025-22149, svelte-langgraph#284: a set only grew, and a removed kid was never noticed."""
    old, first = stage.active.kid, get(stage)
    assert get(stage, first.headers["etag"]).status == 304
    stage.node.commands.promote("default", ANN)
    stage.run(GONE)
    reply = get(stage, first.headers["etag"])
    assert reply.status == 200
    assert old.encode() in first.body
    assert old.encode() not in reply.body
    assert reply.headers["etag"] != first.headers["etag"]


def test_sets_do_not_grow_from_turn_to_turn(stage: Stage) -> None:
    """CVE-2025-22149: a refresh appended and never removed."""
    sizes = []
    for _ in range(5):
        stage.node.commands.promote("default", ANN)
        stage.run(GONE)
        sizes.append(len(stage.node.publisher.issuer_set(ISSUER).kids))
    assert sizes == [2] * 5


def test_an_emergency_removal_is_in_the_next_answer_of_every_node(stage: Stage) -> None:
    """OpenBao: it was honoured a day later."""
    other = stage.join().publisher
    kid = stage.active.kid
    assert kid in other.issuer_set(ISSUER).kids
    stage.node.commands.revoke("default", ANN, kid=kid)
    stage.node.publisher.refresh()
    assert kid.encode() not in get(stage).body
    stage.clock.advance(5 * S)
    assert kid not in other.issuer_set(ISSUER).kids


def test_max_age_is_the_policy_s_or_less_and_never_drawn(stage: Stage) -> None:
    """OpenBao: max-age was random up to a day, so an emergency removal was honoured a day later."""
    stage.node.commands.promote("default", ANN)
    ages = []
    for _ in range(200):
        stage.run(20 * S)
        ages.append(max_age(get(stage)))
        again = stage.join().publisher.issuer_set(ISSUER)
        assert abs(again.max_age - ages[-1]) <= 5 * S
    assert max(ages) == MIN
    assert min(ages) >= 30 * S
    assert "retired" in stage.states()


def test_a_removal_is_told_with_the_time_at_which_the_last_verifier_honours_it(stage: Stage) -> None:
    """OpenBao: nobody could say when a removal would be honoured."""
    ends = verifier_ends(stage.view)
    assert [end.healthy for end in ends] == [horizon(stage.active.bounds)]
    assert horizon(stage.active.bounds) < 14 * MIN
    assert all(end.bound is not None and end.bound > end.healthy for end in ends)


def changed(edge: timedelta, age: timedelta) -> Watched:
    """A fleet behind a CDN whose oldest set is `age` old, while a new key comes as soon as it may."""
    stage = Stage(**SHORT | {"edge_ttl_max": edge, "rotate_every": 40 * HOUR}, signer_refresh=50 * S)
    watched = Watched(stage, age=age)
    stage.node.commands.set_policy("default", ANN, changes={"alg": "EdDSA"})
    watched.run(S)
    born = next(key for key in stage.view.ring.keys if key.alg == "EdDSA")
    assert born.sign_from is not None
    watched.run(born.sign_from - stage.clock.now() + 2 * MIN)
    stage.node.commands.promote("default", ANN, kid=born.kid)
    watched.run(2 * MIN)
    assert watched.signers[-1] == born.kid
    return watched


def test_how_long_a_cdn_keeps_a_set_counts_in_the_lead() -> None:
    """Logto, 8 January 2026, 60 minutes: a CDN served yesterday's JWKS after the turn."""
    behind_cdn = Stage(**SHORT | {"edge_ttl_max": 3 * HOUR, "rotate_every": DAY}).active.bounds
    assert lead(behind_cdn) - lead(Stage(**SHORT).active.bounds) >= 3 * HOUR - MIN
    assert changed(3 * HOUR, horizon(behind_cdn)).refused == []


def test_a_cdn_that_keeps_a_set_longer_than_was_declared_refuses_good_tokens() -> None:
    """Logto: without that term in the lead its verifiers refused every new token, and so they would here."""
    behind_cdn = Stage(**SHORT | {"edge_ttl_max": 3 * HOUR, "rotate_every": DAY}).active.bounds
    assert changed(MIN, horizon(behind_cdn)).refused != []


def test_a_cdn_may_not_keep_a_set_for_a_shorter_time_than_its_header_says(stage: Stage) -> None:
    """Logto: header and declared residence disagreed."""
    with pytest.raises(PolicyRefused, match="shared caches would keep sets longer"):
        stage.node.commands.set_policy("default", ANN, changes={"edge_ttl_max": 30 * S})


def test_a_ring_without_shared_caches_says_so_in_its_header() -> None:
    """Logto: a cache that nobody had counted kept the set, because nothing forbade it."""
    stage = Stage(**SHORT | {"edge_ttl_max": timedelta()})
    assert get(stage).headers["cache-control"].startswith("private, ")


def test_no_cache_keeps_an_error(stage: Stage) -> None:
    """Logto and others: what must not be kept was kept, as nothing said that it must not."""
    stage.node.commands.add_ring(
        "new", issuer="https://new.example.com", policy=stage.view.ring.policy, actor=ANN
    )
    with pytest.raises(Unavailable) as refused:
        stage.node.publisher.issuer_set("https://new.example.com")
    reply = unavailable(refused.value)
    assert (reply.status, reply.headers["cache-control"]) == (503, "no-store")
    assert b'"keys"' not in reply.body

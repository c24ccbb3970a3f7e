"""An origin: how often it reads the store, how long it lives without, and what it says when it has no set."""

import json
from datetime import timedelta
from typing import Any

import pytest

from jwturn.core.errors import IntegrityError, Unavailable
from jwturn.service.publish import Published, unavailable
from tests.service.stage import ANN, ISSUER, Stage

S = timedelta(seconds=1)
MIN = timedelta(minutes=1)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def issuer_set(stage: Stage) -> Published:
    return stage.node.publisher.issuer_set(ISSUER)


def away(stage: Stage) -> list[int]:
    """The store cannot be read from here on; each try is counted."""
    tries: list[int] = []

    def down(*_: object) -> None:
        tries.append(1)
        raise Unavailable("the store is away", hint="wait")

    stage.store.load = down  # type: ignore[method-assign,assignment]  # the store is away
    stage.store.published = down  # type: ignore[method-assign,assignment]  # the store is away
    return tries


def back(stage: Stage) -> None:
    del stage.store.load
    del stage.store.published


def test_a_set_is_read_once_and_again_after_five_seconds(stage: Stage) -> None:
    first = issuer_set(stage)
    stage.clock.advance(4 * S)
    assert issuer_set(stage) is first
    assert stage.node.publisher.fresh("issuer", ISSUER) is first
    stage.clock.advance(S)
    assert stage.node.publisher.fresh("issuer", ISSUER) is None
    assert issuer_set(stage).read_at == first.read_at + 5 * S


def test_a_short_publish_delay_makes_origins_read_more_often() -> None:
    stage = Stage(publish_delay_max=6 * S, clock_rate_error=0.0)
    first = issuer_set(stage)
    stage.clock.advance(2 * S)
    assert issuer_set(stage) is not first


def test_a_command_is_in_the_set_after_a_refresh_without_waiting(stage: Stage) -> None:
    kid = stage.active.kid
    assert kid in issuer_set(stage).kids
    assert kid in stage.node.publisher.ring_set("default").kids
    stage.node.commands.revoke("default", ANN, kid=kid)
    stage.node.publisher.refresh()
    assert kid not in issuer_set(stage).kids | stage.node.publisher.ring_set("default").kids


def test_the_last_good_set_is_served_while_the_store_is_away_up_to_d_and_503_after(stage: Stage) -> None:
    first = issuer_set(stage)
    away(stage)
    stage.clock.advance(first.good_for - S)
    assert issuer_set(stage).etag == first.etag
    stage.clock.advance(S)
    with pytest.raises(Unavailable):
        issuer_set(stage)
    back(stage)
    assert issuer_set(stage).etag == first.etag


def test_d_counts_from_before_the_read_and_a_clock_that_runs_slow_is_allowed_for(stage: Stage) -> None:
    read, published_views = stage.node.clock.boottime(), stage.store.published

    def slow(issuer: str) -> Any:
        views = published_views(issuer)
        stage.clock.advance(20 * MIN)
        return views

    stage.store.published = slow  # type: ignore[method-assign]  # the read takes long
    first = issuer_set(stage)
    assert first.read_at == read
    assert first.good_for == 30 * MIN / 1.001
    away(stage)
    stage.clock.advance(10 * MIN - 2 * S)
    assert issuer_set(stage).etag == first.etag
    stage.clock.advance(2 * S)
    with pytest.raises(Unavailable):
        issuer_set(stage)


def test_a_read_that_takes_longer_than_d_is_not_served(stage: Stage) -> None:
    published_views = stage.store.published

    def suspended(issuer: str) -> Any:
        views = published_views(issuer)
        stage.clock.advance(30 * MIN)
        return views

    stage.store.published = suspended  # type: ignore[method-assign]  # the node was suspended meanwhile
    with pytest.raises(Unavailable):
        issuer_set(stage)


def test_a_failed_read_that_takes_until_d_is_over_is_not_answered_from_memory(stage: Stage) -> None:
    issuer_set(stage)

    def slow(_: str) -> None:
        stage.clock.advance(10 * MIN)
        raise Unavailable("timed out", hint="wait")

    stage.clock.advance(25 * MIN)
    stage.store.published = slow  # type: ignore[method-assign,assignment]  # the store times out
    with pytest.raises(Unavailable):
        issuer_set(stage)


def test_callers_do_not_queue_behind_a_store_that_is_away(stage: Stage) -> None:
    first = issuer_set(stage)
    tries = away(stage)
    stage.clock.advance(6 * S)
    assert {issuer_set(stage).etag for _ in range(20)} == {first.etag}
    assert len(tries) == 1
    stage.clock.advance(5 * S)
    issuer_set(stage)
    assert len(tries) == 2


def test_without_a_set_every_call_asks_the_store_again(stage: Stage) -> None:
    tries = away(stage)
    for _ in range(3):
        with pytest.raises(Unavailable):
            issuer_set(stage)
    assert len(tries) == 3


def test_one_set_that_cannot_be_read_does_not_keep_the_others_old(stage: Stage) -> None:
    stage.node.commands.add_ring(
        "other", issuer="https://other.example.com", policy=stage.view.ring.policy, actor=ANN
    )
    stage.node.rotator.turn("other")
    for issuer in (ISSUER, "https://other.example.com"):
        stage.node.publisher.issuer_set(issuer)
    read = stage.store.published

    def broken(issuer: str) -> Any:
        if issuer == ISSUER:
            raise IntegrityError("edited", hint="restore")
        return read(issuer)

    stage.store.published = broken  # type: ignore[method-assign]  # one issuer's rows were edited
    kid = stage.store.load("other").ring.keys[1].kid
    stage.node.commands.revoke("other", ANN, kid=kid)
    stage.clock.advance(31 * MIN)
    with pytest.raises(IntegrityError):
        stage.node.publisher.refresh()
    assert kid not in stage.node.publisher.issuer_set("https://other.example.com").kids


def test_an_issuer_without_a_key_is_answered_503_no_store_and_never_an_empty_set(stage: Stage) -> None:
    stage.node.commands.add_ring(
        "new", issuer="https://new.example.com", policy=stage.view.ring.policy, actor=ANN
    )
    with pytest.raises(Unavailable) as refused:
        stage.node.publisher.issuer_set("https://new.example.com")
    assert refused.value.code == "no_key"
    reply = unavailable(refused.value)
    assert reply.status == 503
    assert reply.headers["cache-control"] == "no-store"
    assert int(reply.headers["retry-after"]) > 0
    assert json.loads(reply.body)["code"] == "no_key"
    stage.node.rotator.turn("new")
    assert len(stage.node.publisher.issuer_set("https://new.example.com").kids) == 2


def test_a_503_does_not_say_what_the_store_said_of_itself() -> None:
    reply = unavailable(IntegrityError("/var/lib/jwturn.db: row 7 was edited", hint="see /var/lib"))
    assert b"/var" not in reply.body
    assert (reply.status, reply.headers["cache-control"]) == (503, "no-store")

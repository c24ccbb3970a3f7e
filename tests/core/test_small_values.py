"""Secrets, envelopes, API tokens, witnesses and clocks: the small values."""

import copy
import pickle
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jwturn.core.clocks import Reading, Watch, demand_agreement
from jwturn.core.envelope import Envelope, Wrap, associated_data, canonical
from jwturn.core.errors import ClocksDisagree, Fault, IntegrityError, JwturnError, Overloaded, Unavailable
from jwturn.core.keys import KeyRing
from jwturn.core.policy import RotationPolicy
from jwturn.core.secret import Secret
from jwturn.core.tokens import PERMITS, ApiToken, Permission, Role, digest
from jwturn.core.witness import WitnessHead, demand_descent, head_of

AT = datetime(2026, 6, 1, tzinfo=UTC)
S = timedelta(seconds=1)
CANARY = b"canary-in-a-coal-mine"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(CANARY)
    assert "canary" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == CANARY
    assert len(secret) == len(CANARY)


def equal(secret: Secret) -> bool:
    return secret == Secret(CANARY)


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, hash, equal])
def test_a_secret_is_not_pickled_copied_hashed_or_compared(leak: object) -> None:
    with pytest.raises(TypeError) as refused:
        leak(Secret(CANARY))  # type: ignore[operator]  # a list of callables of several types
    assert "canary" not in "".join(traceback.format_exception(refused.value))


def test_an_envelope_shows_its_keks_and_nothing_else() -> None:
    envelope = Envelope(1, b"nonce", CANARY, (Wrap("f00d", CANARY),))
    assert repr(envelope) == "Envelope(format=1, wraps=['f00d'])"


@pytest.mark.parametrize("field", ["store_id", "ring_id", "kid", "alg", "public"])
def test_every_part_of_a_keys_place_is_bound(field: str) -> None:
    place = {"store_id": "s", "ring_id": "r", "kid": "k", "alg": "ES256", "public": {"kty": "EC"}}
    other = place | {field: {"kty": "OKP"} if field == "public" else "x"}
    assert associated_data(**place) != associated_data(**other)  # type: ignore[arg-type]  # of several types


def test_canonical_bytes_do_not_depend_on_order() -> None:
    assert canonical({"b": 1, "a": [2]}) == canonical({"a": [2], "b": 1}) == b'{"a":[2],"b":1}'


def token(role: Role, *rings: str) -> ApiToken:
    return ApiToken("ci", digest("jwturn_x"), role, rings, AT, AT + timedelta(days=1))


def test_no_role_but_verifier_reads_secrets_and_verifier_does_nothing_else() -> None:
    assert [role for role in Role if Permission.SECRETS in PERMITS[role]] == [Role.VERIFIER]
    assert PERMITS[Role.VERIFIER] == {Permission.SECRETS}


def test_a_token_is_bound_to_its_rings() -> None:
    scoped = token(Role.SIGNER, "orders")
    assert scoped.permits(Permission.SIGN, "orders")
    assert not scoped.permits(Permission.SIGN, "billing")
    assert not scoped.permits(Permission.SIGN, None)
    assert token(Role.SIGNER).permits(Permission.SIGN, "billing")
    assert not token(Role.AUDITOR).permits(Permission.OPERATE, "orders")


def test_a_token_ends_when_it_expires_or_is_withdrawn() -> None:
    made = token(Role.ADMIN)
    assert made.live(AT)
    assert not made.live(made.expires)
    assert not replace(made, withdrawn=AT).live(AT)


def head(era: int, epoch: int, digest_: str = "h") -> WitnessHead:
    return WitnessHead("r", "default", era, epoch, 3, digest_, (), ())


def ring(era: int, epoch: int) -> KeyRing:
    return KeyRing(
        id="r",
        name="default",
        issuer="https://a",
        policy=RotationPolicy(),
        issuer_served=True,
        era=era,
        epoch=epoch,
    )


def test_an_older_store_is_refused_and_told_how_to_recover() -> None:
    with pytest.raises(IntegrityError, match="older than its witness") as refused:
        demand_descent(ring(0, 4), head(0, 5), "h")
    assert refused.value.code == "older_store"
    assert "jwturn recover" in refused.value.hint


def test_a_forked_store_is_refused_at_equal_and_later_epochs() -> None:
    for epoch in (5, 9):
        with pytest.raises(IntegrityError, match="history of ring default differs"):
            demand_descent(ring(0, epoch), head(0, 5), "other")


def test_a_descendant_and_a_new_era_are_accepted() -> None:
    demand_descent(ring(0, 6), head(0, 5), "h")
    demand_descent(ring(1, 2), head(0, 5), "other")
    demand_descent(ring(0, 0), None, None)


def test_a_head_carries_what_a_recovery_needs() -> None:
    made = head_of(ring(0, 7))
    assert (made.order, made.published, made.revoked) == ((0, 7), (), ())


def test_agreement_is_demanded_of_every_transaction() -> None:
    policy = RotationPolicy(clock_skew_max=S)
    demand_agreement(Reading(AT, S), AT + 7 * S, policy)
    with pytest.raises(ClocksDisagree, match="8s apart") as refused:
        demand_agreement(Reading(AT, S), AT + 8 * S, policy)
    assert "nothing was written" in refused.value.hint


@pytest.mark.parametrize(("set_by", "words"), [(8 * S, "forward by 8s"), (-9 * S, "back by 9s")])
def test_a_store_that_moved_unlike_the_nodes_boottime_is_refused_whatever_the_wall_says(
    set_by: timedelta, words: str
) -> None:
    policy = RotationPolicy(clock_skew_max=S)
    before = heard(Watch(), 0 * S, 100 * S, took=0 * S)
    alike, other = AT + 10 * S, AT + 10 * S + set_by
    demand_agreement(Reading(alike, 110 * S, before), alike, policy)
    with pytest.raises(ClocksDisagree, match=words):
        demand_agreement(Reading(other, 110 * S, before), other, policy)


def heard(watch: Watch, store: timedelta, asked: timedelta, took: timedelta = S / 10) -> Watch:
    return watch.heard(AT + store, asked=asked, answered=asked + took, refresh=10 * S)


def test_a_nodes_time_is_store_time_carried_by_boottime() -> None:
    watch = heard(Watch(), 100 * S, 5 * S)
    assert watch.trusted
    assert watch.time(9.1 * S) == AT + 104 * S


def test_a_slow_reply_gives_no_time() -> None:
    assert heard(Watch(), 0 * S, 0 * S, took=6 * S).store_now is None


def test_after_a_fault_a_store_is_distrusted_until_two_refreshes_agree() -> None:
    watch = heard(heard(Watch(), 0 * S, 0 * S).faulted(), 3610 * S, 20 * S)
    assert not watch.trusted
    assert heard(watch, 3620 * S, 30 * S).trusted


def test_replies_in_a_row_are_no_more_than_one_refresh_that_agrees() -> None:
    watch = Watch().faulted()
    for asked in (0, 0, 1, 2, 3, 4):
        watch = heard(watch, asked * S, asked * S)
    assert not watch.trusted
    assert heard(watch, 5 * S, 5 * S).trusted


def tree(of: type[JwturnError]) -> list[type[JwturnError]]:
    return [of] + [found for sub in of.__subclasses__() for found in tree(sub)]


def test_every_error_says_whose_fault_it_is_and_maps_once() -> None:
    for kind in tree(JwturnError):
        assert isinstance(kind.fault, Fault)
        assert 400 <= kind.http_status < 600
        assert kind.exit_code in {1, 65, 69, 75, 77}
        assert kind.__doc__


def test_an_errors_code_and_details_are_its_own() -> None:
    error = JwturnError("m", hint="h", code="c", kid="k")
    assert (error.code, error.hint, error.details, JwturnError.code) == ("c", "h", {"kid": "k"}, "failed")
    assert (Overloaded("m").retry_after, Unavailable("m").retry_after) == (1, 5)

"""Any ring, any policy, any acts: the plan converges, is deterministic, and keeps every promise."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from jwturn.core import guards, steps
from jwturn.core.errors import JwturnError
from jwturn.core.keys import Hold, KeyRing
from jwturn.core.leases import last_exp
from jwturn.core.plan import next_due, plan
from jwturn.core.policy import RotationPolicy, edited
from jwturn.core.reasons import Reason
from jwturn.core.states import ACTIVE, LAW, PUBLISHED, RETIRED, REVOKED, STANDBY, VERIFY_ONLY
from jwturn.core.timing import Now
from tests.core.world import DAY, TICK, World


def any_kid(world: World, size: int) -> str:
    return world.ring.published[size % len(world.ring.published)].kid


def jump(world: World, size: int) -> None:
    world.at += timedelta(minutes=7) * (1 + size) ** 3


def promote(world: World, _: int) -> None:
    ready = guards.mature_standby(world.ring, world.now)
    world.do(steps.Promote(ready.kid if ready else "none", Reason.PERSON))


def revoke(world: World, size: int) -> None:
    fresh = world.key(world.ring.policy.alg)
    kid = any_kid(world, size)
    world.do(steps.Add(fresh, Reason.LAST_KEY_REVOKED), steps.Revoke(kid, why="x"))


def roll_back(world: World, _: int) -> None:
    target = guards.rollback_target(world.ring)
    world.do(steps.RollBack(target.kid if target else "none"))


def edit(world: World, size: int) -> None:
    field = ("verifier_ttl_max", "publish_delay_max", "leeway_max", "rotate_every")[size % 4]
    value = timedelta(hours=2) * (1 + size) if field != "rotate_every" else DAY * (8 + 3 * size)
    world.do(steps.SetPolicy(edited(world.ring.policy, {field: value}, tick_cap=TICK)))


def change_alg(world: World, size: int) -> None:
    alg = ("ES256", "RS256", "EdDSA", "ML-DSA-44")[size % 4]
    world.do(steps.SetPolicy(edited(world.ring.policy, {"alg": alg}, tick_cap=TICK)))


ACTS: dict[str, Callable[[World, int], object]] = {
    "run": lambda world, size: world.run(timedelta(minutes=7) * (1 + size) ** 3),
    "jump or down": jump,
    "sign": lambda world, _: world.sign(),
    "promote": promote,
    "rotate": lambda world, _: world.do(steps.BookTurn(world.at)),
    "revoke": revoke,
    "roll back": roll_back,
    "edit": edit,
    "alg": change_alg,
    "hold": lambda world, size: world.do(steps.HoldKey(any_kid(world, size), Hold("ann", "why", world.at))),
    "release": lambda world, _: world.do(*(steps.ReleaseKey(key.kid) for key in world.ring.keys)),
}


def nothing_is_missed(world: World, part: float) -> None:
    """Until `next_due` nothing becomes due, however much of the time was seen; then something is."""
    due = next_due(world.ring, world.leases, world.now)
    if due is None:
        assert plan(world.ring, world.leases, Now(world.at + 3650 * DAY, world.seen + 3650 * DAY, TICK)) == ()
        return
    wait = due - world.at
    for share in (part, 0.999999):
        at, seen = world.at + wait * share, world.seen + wait * share
        assert plan(world.ring, world.leases, Now(at, seen, TICK)) == ()
    assert plan(world.ring, world.leases, Now(due, world.seen + wait, TICK)) != ()


def promises_kept(before: KeyRing, after: KeyRing, world: World) -> None:
    assert len(after.in_state(ACTIVE)) <= 1
    assert not before.published or after.published
    now = {key.kid: key for key in after.keys}
    for old in before.keys:
        new = now.get(old.kid)
        if new is None:
            assert old.state in (RETIRED, VERIFY_ONLY, REVOKED, STANDBY)
            continue
        if new.state is not old.state:
            reachable = {old.state}
            for _ in range(4):
                reachable |= {b for a, b in LAW if a in reachable}
            assert new.state in reachable
        assert new.bounds == new.bounds.raised(old.bounds), "a bound was shortened"
        if old.sign_from is not None and old.waiver is None and new.waiver is None:
            assert new.sign_from is not None
            assert new.sign_from >= old.sign_from, "a promise was shortened"
        exp = last_exp(world.leases, old)
        if old.state in PUBLISHED and new.state is RETIRED and exp is not None and old.foreign is None:
            assert world.at >= exp + old.bounds.leeway_max, "a key left before its last token"
    for key in after.keys:
        if key.state is ACTIVE:
            assert key.promoted is not None
            assert key.sign_from is not None
            assert key.promoted.at >= key.sign_from
        if key.state in (REVOKED, RETIRED):
            assert key.private is None


@settings(max_examples=120, deadline=None)
@given(
    st.booleans(),
    st.sampled_from(["ES256", "RS256", "HS256", "ML-DSA-44"]),
    st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 9)), max_size=14),
)
def test_any_ring_under_any_acts_keeps_every_promise(
    served: bool, alg: str, acts: list[tuple[str, int]]
) -> None:
    world = World(edited(RotationPolicy(), {"alg": alg}, tick_cap=TICK), served=served)
    world.settle()
    for name, size in acts:
        before = world.ring
        kept = world.ring, world.leases
        try:
            ACTS[name](world, size)
        except JwturnError:
            world.ring, world.leases = kept
        assert plan(world.ring, world.leases, world.now) == plan(world.ring, world.leases, world.now)
        world.settle()
        promises_kept(before, world.ring, world)
        nothing_is_missed(world, size / 10)

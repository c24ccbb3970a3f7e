"""When each step may be taken.

One function a rule, asked by `plan` before it proposes and by `evolve` before it acts.

Each gives a `Due`: the absolute time and the seen time that must both have come, or None where no time is
known.
"""

from jwturn.core.keys import Key, KeyRing, Origin
from jwturn.core.leases import RingLeases, last_exp, last_seen, leases_over
from jwturn.core.states import REVOKED, STANDBY, VERIFY_ONLY
from jwturn.core.timing import AT_ONCE, BEGINNING, Due, Now, lead, round_up, tail


def may_sign(key: Key, now: Now) -> Due | None:
    """When a standby is mature: published for its lead, by the clock and by seen time.

    None while it is unstamped.
    """
    if key.sign_from is None or key.published is None:
        return None
    return Due(key.sign_from, key.published.seen + lead(key.bounds) + now.tick_cap)


def is_mature(key: Key, now: Now) -> bool:
    """Whether a standby may be promoted now."""
    due = may_sign(key, now)
    return key.state is STANDBY and key.private is not None and due is not None and due.reached(now)


def mature_standby(ring: KeyRing, now: Now) -> Key | None:
    """The standby that takes over at a turn.

    Of the policy's algorithm where one is mature, the oldest first.
    """
    ready = [key for key in ring.in_state(STANDBY) if is_mature(key, now)]
    return min(ready, key=lambda key: key.alg != ring.policy.alg, default=None)


def window_over(ring: KeyRing, key: Key, now: Now) -> Due | None:
    """When a key can no longer be rolled back to. None while its superseding is unstamped."""
    if key.promoted is None:
        return AT_ONCE
    if key.superseded is None:
        return None
    window = ring.policy.rollback_window
    return Due(round_up(key.superseded.at + window), key.superseded.seen + window + now.tick_cap)


def may_shred(ring: KeyRing, key: Key, leases: RingLeases, now: Now) -> Due | None:
    """When the private half of a verify-only key may be destroyed.

    None for oct (one half only) and held keys.
    """
    window = window_over(ring, key, now)
    if key.symmetric or key.holds or key.state is not VERIFY_ONLY or window is None:
        return None
    return window.after(leases_over(leases, key))


def tail_over(key: Key, leases: RingLeases, now: Now) -> Due | None:
    """When the last token of a key has expired everywhere.

    None where nobody can say (imported, no foreign end).
    """
    if (
        key.origin is not Origin.GENERATED
        and key.foreign is None
        and key.promoted is None
        and key.state is VERIFY_ONLY
    ):
        return None
    exp = last_exp(leases, key)
    if exp is None:
        return leases_over(leases, key)
    seen = last_seen(leases, key) + tail(key.bounds) + now.tick_cap
    return Due(round_up(exp + tail(key.bounds)), seen).after(leases_over(leases, key))


def may_retire(ring: KeyRing, key: Key, leases: RingLeases, now: Now) -> Due | None:
    """When a verify-only or revoked key may leave for good.

    Window and tail over, no hold, not the last of a set.
    """
    over = tail_over(key, leases, now)
    if key.holds or over is None or key.state not in (VERIFY_ONLY, REVOKED):
        return None
    if key.state is REVOKED:
        return over
    window = window_over(ring, key, now)
    if window is None or (key.private is not None and not key.symmetric):
        return None
    return over.after(window)


def last_in_issuer_set(ring: KeyRing, key: Key) -> bool:
    """Whether the ring would leave its issuer's set without a key: then only a person retires it."""
    others = [other for other in ring.published if other.in_issuer_set and other.kid != key.kid]
    return key.in_issuer_set and not others


def rollback_target(ring: KeyRing) -> Key | None:
    """The newest verify-only key that has signed and still has its private half."""
    past = [key for key in ring.in_state(VERIFY_ONLY) if key.private is not None and key.promoted is not None]
    return max(past, key=lambda key: key.promoted.at if key.promoted else BEGINNING, default=None)

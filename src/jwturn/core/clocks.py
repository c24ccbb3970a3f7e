"""Agreeing clocks: a transaction carries its node's clocks and refuses itself when the store's differs.

It differs where the two wall clocks cannot both be right, or where the store's clock moved unlike the
node's boottime since the node last heard it. So a wrong clock, the store's after a fail-over, a node's or
that of the machine which has both, poisons nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jwturn.core.durations import format_duration
from jwturn.core.errors import ClocksDisagree
from jwturn.core.policy import RotationPolicy
from jwturn.core.timing import REPLY_MAX, clocks_agree, moved_alike

REFRESHES_TO_TRUST = 2


@dataclass(frozen=True, slots=True)
class Watch:
    """What a node knows of the store's clock.

    The last reply it took, how many agreeing refreshes are still wanted after a fault, and when the last
    of them was counted.
    """

    store_now: datetime | None = None
    boottime: timedelta = timedelta()
    distrust: int = 0
    counted: timedelta = timedelta()

    @property
    def trusted(self) -> bool:
        """Whether signing may rest on the store's clock."""
        return self.distrust == 0

    def faulted(self) -> "Watch":
        """After a disagreement: two agreeing refreshes are wanted before the node signs again."""
        return Watch(distrust=REFRESHES_TO_TRUST)

    def heard(
        self, store_now: datetime, *, asked: timedelta, answered: timedelta, refresh: timedelta
    ) -> "Watch":
        """After a reply that agreed; `asked` and `answered` are the node's boottime around it.

        A reply slower than `REPLY_MAX` gives no time. Replies closer together than half a `refresh` count
        as one towards trust.
        """
        if answered - asked > REPLY_MAX:
            return self
        known = replace(self, store_now=store_now, boottime=answered)
        if self.trusted:
            return known
        if self.store_now is not None and asked - self.counted < refresh / 2:
            return known
        return replace(known, distrust=self.distrust - 1, counted=asked)

    def time(self, boottime: timedelta) -> datetime:
        """The store's time carried by the node's boottime: what this node calls now."""
        assert self.store_now is not None  # noqa: S101  # a grant came with a reply
        return self.store_now + (boottime - self.boottime)


@dataclass(frozen=True, slots=True)
class Reading:
    """A node's wall clock and boottime, read just before it asked, and what it knows of the store's clock."""

    wall: datetime
    boottime: timedelta
    watch: Watch = Watch()


def demand_agreement(node: Reading, store_now: datetime, policy: RotationPolicy) -> None:
    """Raises ClocksDisagree when the clocks cannot both be right within the policy's bounds."""
    skew_max, watch = policy.clock_skew_max, node.watch
    if not clocks_agree(node.wall, store_now, skew_max):
        apart = format_duration(abs(node.wall - store_now))
        raise ClocksDisagree(
            f"this node's clock ({node.wall:%Y-%m-%d %H:%M:%SZ}) and the store's"
            f" ({store_now:%Y-%m-%d %H:%M:%SZ}) are {apart} apart:"
            f" more than twice clock_skew_max ({format_duration(skew_max)}) and a reply",
            hint="set the clock that is wrong (chronyc tracking, timedatectl); nothing was written",
        )
    if watch.store_now is None:
        return
    store, here = store_now - watch.store_now, node.boottime - watch.boottime
    if not moved_alike(store, here, (skew_max, policy.clock_rate_error)):
        raise ClocksDisagree(
            f"the store's clock and this node's do not move alike: the store's was set"
            f" {'forward' if store > here else 'back'} by {format_duration(abs(store - here))}",
            hint="see who set it (chronyc tracking, timedatectl), or restart the node; nothing was written",
        )

"""Agreeing clocks: a transaction carries its node's wall clock and refuses itself when the store's differs.

A node also watches that the store's clock moves like its own boottime. So a wrong clock, the store's after
a fail-over or a node's, poisons nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jwturn.core.durations import format_duration
from jwturn.core.errors import ClocksDisagree
from jwturn.core.timing import REPLY_MAX, clocks_agree, moved_alike

REFRESHES_TO_TRUST = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """A node's wall clock and boottime, read just before it asked."""

    wall: datetime
    boottime: timedelta


def demand_agreement(node: Reading, store_now: datetime, skew_max: timedelta) -> None:
    """Raises ClocksDisagree when the two wall clocks cannot both be right within `skew_max` (eps)."""
    if clocks_agree(node.wall, store_now, skew_max):
        return
    apart = format_duration(abs(node.wall - store_now))
    raise ClocksDisagree(
        f"this node's clock ({node.wall:%Y-%m-%d %H:%M:%SZ}) and the store's"
        f" ({store_now:%Y-%m-%d %H:%M:%SZ}) are {apart} apart:"
        f" more than twice clock_skew_max ({format_duration(skew_max)}) and a reply",
        hint="set the clock that is wrong (chronyc tracking, timedatectl); nothing was written",
    )


@dataclass(frozen=True, slots=True)
class Watch:
    """What a node knows of the store's clock.

    The last reply it trusts, and how often they agreed since a fault.
    """

    store_now: datetime | None = None
    boottime: timedelta = timedelta()
    distrust: int = 0

    @property
    def trusted(self) -> bool:
        """Whether signing may rest on the store's clock."""
        return self.distrust == 0

    def faulted(self) -> "Watch":
        """After a disagreement: two agreeing refreshes are wanted before the node signs again."""
        return Watch(None, timedelta(), REFRESHES_TO_TRUST)

    def heard(
        self,
        store_now: datetime,
        *,
        asked: timedelta,
        answered: timedelta,
        skew_max: timedelta,
        rate_error: float,
    ) -> "Watch":
        """After a reply with the store's clock; `asked` and `answered` are the node's boottime around it.

        Gives a distrusting watch when the reply was slower than `REPLY_MAX` or the store's clock moved
        unlike ours.
        """
        if answered - asked > REPLY_MAX:
            return self
        if self.store_now is not None and not moved_alike(
            store_now - self.store_now, asked - self.boottime, (skew_max, rate_error)
        ):
            return self.faulted()
        distrust = self.distrust - 1 if self.distrust and self.store_now is not None else self.distrust
        return replace(self, store_now=store_now, boottime=answered, distrust=distrust)

    def time(self, boottime: timedelta) -> datetime:
        """The store's time carried by the node's boottime: what this node calls now."""
        assert self.store_now is not None  # noqa: S101  # a grant came with a reply
        return self.store_now + (boottime - self.boottime)

"""Every reason a step may have.

`status`, `plan` and the audit events show these words; the texts stand in docs.
"""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a step is taken."""

    FIRST_KEY = "first_key"
    NO_ACTIVE = "no_active"
    NEXT_STANDBY = "next_standby"
    ALG_CHANGED = "alg_changed"
    TURN_DUE = "turn_due"
    SEEN_COMMITTED = "seen_committed"
    WINDOW_OVER = "window_over"
    TAIL_OVER = "tail_over"
    OLD_BOUNDS_OVER = "old_bounds_over"
    REPLACEMENT = "replacement"
    LAST_KEY_REVOKED = "last_key_revoked"
    IMPORTED = "imported"
    PERSON = "person"
    RECOVERED = "recovered"


TEXTS: Final[dict[Reason, str]] = {
    Reason.FIRST_KEY: "the issuer has never been served, so its first key may sign at once",
    Reason.NO_ACTIVE: "the ring has no active key",
    Reason.NEXT_STANDBY: "a mature standby must be there after the next turn",
    Reason.ALG_CHANGED: "the policy names another algorithm, and its standby is mature",
    Reason.TURN_DUE: "the booked turn has come and the standby is mature",
    Reason.SEEN_COMMITTED: "a later transaction found the step committed; its time counts from here",
    Reason.WINDOW_OVER: "the roll-back window is over; the private half is of no more use",
    Reason.TAIL_OVER: "the last token of the key has expired everywhere",
    Reason.OLD_BOUNDS_OVER: "sets handed out under the old bounds are gone; the shorter bounds count",
    Reason.REPLACEMENT: "the active key was revoked; the mature standby takes over in the same commit",
    Reason.LAST_KEY_REVOKED: "the last published key was revoked; a fresh one keeps the set from being empty",
    Reason.IMPORTED: "a key made elsewhere enters the lifecycle",
    Reason.PERSON: "a person said so",
    Reason.RECOVERED: "an older store was recovered",
}

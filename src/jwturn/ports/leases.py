"""The port of grants, leases, marks and counts (the rules are core/leases.py)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from jwturn.core.clocks import Reading
from jwturn.core.leases import Grant, Minute, Usage


class Leases(Protocol):
    """Each call is one transaction on the store's clock, guarded like every other.

    All raise ClocksDisagree, IntegrityError and Unavailable.
    """

    def grant(self, node: str, ring: str, *, at: Reading) -> Grant:
        """A lease on the active key of the ring named `ring`, and the mark, written before the answer.

        Raises Unavailable where no key may sign (core/leases.signable), NotFound.
        """
        ...

    def renew(self, node: str, usage: Usage, *, at: Reading) -> Sequence[Grant]:
        """Renews every lease of the node whose key is still active at its ring's epoch, and adds the counts.

        A lease on a key that is no longer active is left as it is and missing from the answer.
        """
        ...

    def release(
        self, node: str, ring_id: str, kid: str, *, number: int, largest_exp: datetime | None
    ) -> None:
        """Ends the lease and lowers the mark to the largest exp signed, unless a later grant exists.

        The caller has nothing in flight. `largest_exp` None: nothing was signed.
        """
        ...

    def counts(self, ring_id: str) -> Mapping[str, Mapping[Minute, int]]:
        """Tokens issued per kid by expiry minute: the blast radius of a revocation."""
        ...

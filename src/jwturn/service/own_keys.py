"""The keys of the store's own rings as a verifier trusts them.

Published ones, and the secrets of symmetric rings.
"""

from collections.abc import Mapping, Sequence

from jwturn.core.leases import exp_bound
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key
from jwturn.ports.custody import Custody
from jwturn.ports.store import View


def trusted_keys(views: Sequence[View], custody: Custody) -> Mapping[str, VerifyKey]:
    """Every key of `views` that may verify now, by kid.

    Raises CustodyError for a secret that does not open.
    """
    keys: dict[str, VerifyKey] = {}
    for view in views:
        for key in view.ring.published:
            if key.public is not None:
                keys[key.kid] = verify_key(key.public, alg=key.alg)
            elif key.private is not None:
                keys[key.kid] = hmac_key(key.alg, custody.reveal(key, view.ring.id))
    return keys


def exp_bounds(views: Sequence[View]) -> Mapping[str, int]:
    """The last exp (Unix seconds) of keys whose private half is shredded: a later one proves theft."""
    return {
        key.kid: exp
        for view in views
        for key in view.ring.published
        if (exp := exp_bound(view.leases, key)) is not None
    }

"""The store's own rings as a verifier trusts them.

Their keys (published ones, and the secrets of symmetric rings), and the rules of their policies.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from jwturn.core.leases import exp_bound
from jwturn.core.rules import ANY, Rules, audience_of
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


def own_rules(
    views: Sequence[View],
    audience: str | Collection[str] | None,
    *,
    typ: Collection[str] | None = None,
    algorithms: Collection[str] | None = None,
) -> Rules:
    """What the store's own verification accepts of an issuer's rings.

    The loosest of their policies, never more. Raises BadInput `rules_malformed`.
    """
    policies = [view.ring.policy for view in views]
    types = frozenset({p.typ.lower() for p in policies} | {"jwt", "at+jwt", None})
    return Rules(
        issuer=views[0].ring.issuer,
        audience=audience_of(ANY if audience is None else audience),
        leeway=min((p.leeway_max for p in policies), default=timedelta()),
        token_ttl_max=max(p.token_ttl_max for p in policies),
        typ=types if typ is None else frozenset(typ),
        algorithms=None if algorithms is None else frozenset(algorithms),
    )

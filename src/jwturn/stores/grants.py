"""Grants, renewals and releases in a transaction; the rules are core/leases.py.

A grant holds the ring's row, so a key that a promote supersedes is never granted after it: either the grant
comes first and the promote sees its mark, or it finds another active key.
"""

from collections.abc import Mapping
from datetime import datetime

from jwturn.core.clocks import Reading, demand_agreement
from jwturn.core.errors import Unavailable
from jwturn.core.keys import Key
from jwturn.core.leases import Grant, Usage, granted, released, signable
from jwturn.core.witness import WitnessHead
from jwturn.ports.store import View
from jwturn.stores.commit import Transaction
from jwturn.stores.rows import Rows


def grant(deed: Transaction, node: str, ring_id: str, witnessed: WitnessHead | None, *, at: Reading) -> Grant:
    """A lease on the ring's active key and its mark.

    Raises Unavailable, ClocksDisagree, NotFound, IntegrityError.
    """
    view = deed.view(ring_id, witnessed)
    demand_agreement(at, view.now.at, view.ring.policy)
    return _write(deed.rows, view, signable(view.ring, view.now.at), node)


def renew(
    deed: Transaction, node: str, usage: Usage, witnessed: Mapping[str, WitnessHead | None], *, at: Reading
) -> list[Grant]:
    """Every lease of the node whose key may still sign, renewed; the counts added, those past dropped.

    Raises ClocksDisagree, IntegrityError; then nothing is written.
    """
    leased = {ring_id: lease.kid for ring_id, lease in deed.rows.leases_of(node)}
    views = {
        ring_id: deed.view(ring_id, witnessed.get(ring_id)) for ring_id in touched(deed.rows, node, usage)
    }
    for view in views.values():
        demand_agreement(at, view.now.at, view.ring.policy)
    for (ring_id, kid), issued in usage.issued.items():
        if ring_id in views:
            deed.rows.add_counts(ring_id, kid, issued)
    deed.rows.drop_counts(int(deed.now().at.timestamp()) // 60)
    renewable = ((views[ring_id], _still(views[ring_id], kid)) for ring_id, kid in leased.items())
    return [_write(deed.rows, view, key, node) for view, key in renewable if key is not None]


def touched(rows: Rows, node: str, usage: Usage) -> list[str]:
    """The ids of the rings that a renewal of the node looks at, in one order for all."""
    leased = {ring_id for ring_id, _ in rows.leases_of(node)}
    used = {ring_id for ring_id, kid in usage.issued if rows.mark(ring_id, kid, node) is not None}
    return sorted(leased | used)


def release(
    rows: Rows, node: str, ring_id: str, *, kid: str, number: int, largest_exp: datetime | None
) -> None:
    """Ends the lease and lowers the mark, unless a later grant exists."""
    mark = rows.mark(ring_id, kid, node)
    if mark is None:
        return
    rows.put_mark(ring_id, released(mark, number=number, largest_exp=largest_exp))
    for lease in rows.leases(ring_id).leases:
        if (lease.node, lease.kid, lease.number) == (node, kid, number):
            rows.drop_lease(ring_id, node)


def _still(view: View, kid: str) -> Key | None:
    try:
        key = signable(view.ring, view.now.at)
    except Unavailable:
        return None
    return key if key.kid == kid else None


def _write(rows: Rows, view: View, key: Key, node: str) -> Grant:
    ring, now = view.ring, view.now
    mark = rows.mark(ring.id, key.kid, node)
    number = 1 if mark is None else mark.number + 1
    before = next((lease for lease in view.leases.leases if (lease.node, lease.kid) == (node, key.kid)), None)
    lease, mark = granted(ring, key, node=node, before=before, mark=mark, number=number, now=now)
    rows.put_lease(ring.id, lease)
    rows.put_mark(ring.id, mark)
    return Grant(
        ring_id=ring.id,
        kid=key.kid,
        epoch=ring.epoch,
        number=number,
        lease=min(lease.until - now.at, ring.policy.signer_lease),
        mark=mark.exp,
        store_now=now.at,
    )

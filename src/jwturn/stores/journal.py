"""The store's own chain in a transaction: checkpoints, API tokens, and what else belongs to no ring."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from jwturn.core import ledger
from jwturn.core.errors import NotFound, StateForbids
from jwturn.core.ledger import STORE_CHAIN, Actor, Event
from jwturn.core.reasons import Reason
from jwturn.core.tokens import ApiToken
from jwturn.stores.commit import Transaction, lost_race


def record(deed: Transaction, actor: Actor, action: str, detail: Mapping[str, Any]) -> Event:
    """A line by a person in the store's chain."""
    head, now = deed.rows.head(STORE_CHAIN), deed.now()
    said = (actor.who, action, None, str(Reason.PERSON), actor.why, dict(detail))
    return _append(deed, Event(STORE_CHAIN, head.count + 1, now.at, *said, prev=head.hash).hashed())


def checkpoint(deed: Transaction, who: str) -> Event | None:
    """A line that lists the heads of the chains that moved since the last such line."""
    rows = deed.rows
    heads = {row.id: rows.head(row.id) for row in rows.rings()}
    listed = rows.heads_listed()
    moved = {chain: head for chain, head in heads.items() if listed.get(chain) != head}
    if not moved:
        return None
    event = ledger.checkpoint(rows.head(STORE_CHAIN), moved, at=deed.now().at, who=who)
    rows.list_heads(moved)
    return _append(deed, event)


def tokens(deed: Transaction) -> list[ApiToken]:
    """Every token, by name. Raises IntegrityError."""
    return [deed.seals.token(kept) for kept in deed.rows.tokens()]


def add_token(deed: Transaction, token: ApiToken, actor: Actor) -> None:
    """Keeps a token and records it. Raises StateForbids."""
    if any(kept.name == token.name for kept in deed.rows.tokens()):
        raise StateForbids(
            f"there is an API token named {token.name!r} already",
            hint="choose another name",
            code="name_taken",
        )
    deed.rows.put_token(deed.seals.token_record(token))
    detail = {
        "name": token.name,
        "role": str(token.role),
        "rings": list(token.rings),
        "expires": token.expires.isoformat(),
    }
    record(deed, actor, "add_token", detail)


def withdraw_token(deed: Transaction, name: str, at: datetime, actor: Actor) -> ApiToken:
    """Ends a token's use and records it; one that was withdrawn before stays as it is. Raises NotFound."""
    token = next((kept for kept in tokens(deed) if kept.name == name), None)
    if token is None:
        raise NotFound(f"there is no API token named {name!r}", hint="jwturn token list", code="no_token")
    if token.withdrawn is not None:
        return token
    token = replace(token, withdrawn=at)
    deed.rows.put_token(deed.seals.token_record(token))
    record(deed, actor, "withdraw_token", {"name": name})
    return token


def _append(deed: Transaction, event: Event) -> Event:
    if not deed.rows.append(event):
        raise lost_race(event.chain)
    deed.rows.moved()
    return event

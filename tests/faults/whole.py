"""What must hold of a store after any fault, and after what was cut short has run again."""

from collections.abc import Collection
from pathlib import Path

import pytest

from jwturn import ANY, TokenRefused, Verifier
from jwturn.cli.main import run
from jwturn.core import guards
from jwturn.core.jws import split
from jwturn.core.keys import Key, KeyRing, Waiver, check
from jwturn.core.leases import last_exp, signable
from jwturn.core.states import ACTIVE, PUBLISHED, REVOKED, STANDBY, VERIFY_ONLY
from jwturn.core.timing import lead, tail
from jwturn.core.witness import head_of
from jwturn.ports.store import View
from jwturn.service.audit import verify_store
from tests.cli.stage import Stream, in_place
from tests.faults.yard import Yard, secrets_of

NEVER_STORED = ("kek",)
"""The one file that may hold a secret."""


def demand_whole(yard: Yard, *, revoked: Collection[str] = ()) -> None:
    """What a fault left: nothing is lost, nothing came too early, and no secret lies about.

    `revoked` are keys that the command under test was asked to revoke.
    """
    assert yard.before is not None
    with yard.app() as app:
        view = app.store.load("default")
        check(view.ring)
        demand_one_active(view)
        demand_leads(view.ring)
        demand_kept(yard.before.view, view, revoked)
        verify_store(app.store, yard.before.heads)
        assert app.witness.last(view.ring.id) == head_of(view.ring), "the witness was not healed"
        demand_no_secrets(yard.folder, secrets_of(app, view.ring) | secrets_of(app, yard.before.view.ring))
    demand_verified(yard, yard.before.tokens, refused=revoked)
    assert said(yard.folder, "audit", "verify")[0] == 0


def demand_one_active(view: View) -> None:
    """One key signs, and a signer would take it."""
    active = view.ring.in_state(ACTIVE)
    assert len(active) == 1, [(key.kid, key.state) for key in view.ring.keys]
    assert signable(view.ring, view.now.at) == active[0]


def demand_leads(ring: KeyRing) -> None:
    """No key signed before its lead, but the first of the issuer."""
    waived = [key for key in ring.keys if key.waiver is not None]
    assert all(key.waiver is Waiver.FIRST_KEY and key == ring.keys[0] for key in waived)
    for key in ring.keys:
        if key.promoted is not None and key.waiver is None:
            assert key.sign_from is not None
            assert key.published is not None
            assert key.promoted.at >= key.sign_from >= key.published.at + lead(key.bounds)
            assert key.promoted.seen >= key.published.seen + lead(key.bounds)


def demand_kept(before: View, after: View, revoked: Collection[str]) -> None:
    """Nothing left the set but what was revoked or whose tail was over; no private half went too early."""
    for old in before.ring.keys:
        new = after.ring.key(old.kid)
        if old.state in PUBLISHED and new.state not in PUBLISHED:
            assert old.kid in revoked or over(before, after, old), f"{old.kid} left the set as {new.state}"
        if old.private is not None and new.private is None:
            due = guards.may_shred(before.ring, old, before.leases, after.now)
            assert old.kid in revoked or (due is not None and due.at <= after.now.at), f"{old.kid} shredded"
    for key in after.ring.keys:
        if key.state is REVOKED:
            assert key.private is None
        assert key.private is not None or key.state not in (ACTIVE, STANDBY)


def over(before: View, after: View, key: Key) -> bool:
    """Whether the last token of a key that was verify-only has expired everywhere."""
    exp = last_exp(before.leases, key)
    return key.state is VERIFY_ONLY and (exp is None or exp + tail(key.bounds) <= after.now.at)


def demand_verified(yard: Yard, tokens: Collection[str], *, refused: Collection[str] = ()) -> None:
    """Every token that lives passes a verifier that reads the set now; those of `refused` keys do not."""
    code, jwks = said(yard.folder, "jwks")
    assert code == 0
    with yard.app() as app:
        issuer = app.store.load("default").ring.issuer
    verifier = Verifier(issuer=issuer, audience=ANY, jwks=jwks.encode())
    for token in tokens:
        if split(token).header.kid in refused:
            with pytest.raises(TokenRefused):
                verifier.verify(token)
        else:
            verifier.verify(token)


def demand_no_secrets(folder: Path, secrets: set[bytes]) -> None:
    """No file under the folder but the KEK's own holds a private half or the KEK."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in NEVER_STORED:
            data = path.read_bytes()
            assert not any(secret in data for secret in secrets), f"a secret is in {path}"


def said(folder: Path, *arguments: str) -> tuple[int, str]:
    """A `jwturn` command in this process, in that folder."""
    out, err = Stream(), Stream()
    with in_place(folder, Stream(), out, err):
        code = run(arguments)
    return code, out.text() or err.text()

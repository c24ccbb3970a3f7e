"""Scars of stores and custody: keys that were minted twice, swapped, forgotten, brought back or shown."""

import base64
import dataclasses
import json
import pickle
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import jwturn
from jwturn.compose import open_app, recover
from jwturn.core.errors import CustodyError, IntegrityError, JwturnError, LostRace, Unavailable
from jwturn.core.jwk import PRIVATE_MEMBERS
from jwturn.core.tokens import Role
from jwturn.custody.kek.file import create_file
from jwturn.ports.files import write_private
from tests.scars.house import House, at_once, settings_of
from tests.server.world import World
from tests.service.short import GONE, MATURE
from tests.service.stage import ANN, ISSUER


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A real store with two rings that sign; the standby of each is mature."""
    house = House(tmp_path / "state")
    for name in ("default", "api"):
        house.add_ring(name)
    house.skip(2 * MATURE)
    yield house
    house.close()


def token(house: House, ring: str = "default") -> str:
    return house.first.signing.sign(ring, {"sub": "alice"}).token


def sql(house: House, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What somebody does who can write the database and does not hold the KEK."""
    connection = sqlite3.connect(house.folder / "jwturn.db", isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("kek", ["missing", "another"])
def test_a_node_without_the_kek_starts_not_and_mints_nothing(house: House, tmp_path: Path, kek: str) -> None:
    """Duende#805, #366, #224: such a node minted a key of its own."""
    path = tmp_path / "elsewhere" / "kek"
    path.parent.mkdir(mode=0o700)
    if kek == "another":
        create_file(path)
    before = [house.first.store.load(name).ring for name in ("default", "api")]
    files = sorted(str(file) for file in tmp_path.rglob("kek"))
    with pytest.raises(JwturnError) as refused:
        open_app(settings_of(house.folder, kek=path), clock=house.clock.node())
    assert refused.value.hint
    if kek == "another":
        assert isinstance(refused.value, CustodyError)
    assert sorted(str(file) for file in tmp_path.rglob("kek")) == files
    assert [house.first.store.load(name).ring for name in ("default", "api")] == before
    assert house.first.verify(token(house))["sub"] == "alice"


@pytest.mark.parametrize("between", ["kids", "rings"])
def test_ciphertexts_that_were_swapped_do_not_sign(house: House, between: str) -> None:
    """Hydra: its envelopes were bound to nothing, so rows could be swapped."""
    here, there = (house.first.store.load(name).ring for name in ("default", "api"))
    assert here.active is not None
    other = here.keys[1] if between == "kids" else there.active
    assert other is not None
    places = [(here.id, here.active.kid), ((here if between == "kids" else there).id, other.kid)]
    read = "SELECT envelope FROM halves WHERE ring_id = ? AND kid = ?"
    sealed = [sql(house, read, *place)[0][0] for place in places]
    for place, envelope in zip(places, reversed(sealed), strict=True):
        sql(house, "UPDATE halves SET envelope = ? WHERE ring_id = ? AND kid = ?", envelope, *place)
    node = house.join()
    with pytest.raises(IntegrityError):
        node.signing.sign("default", {})
    with pytest.raises(IntegrityError):
        node.commands.export("default", ANN, kid=here.active.kid, form="pem")


def test_yesterday_s_backup_revives_no_revoked_key_and_forgets_no_published_one(
    house: House, tmp_path: Path
) -> None:
    """SPIRE guards it: revoked keys lived again, and a published key was forgotten."""
    stolen = house.first.store.load("default").ring.active
    assert stolen is not None
    lost = token(house)
    house.close()
    backup = tmp_path / "backup.db"
    shutil.copyfile(house.folder / "jwturn.db", backup)
    house.nodes = [open_app(settings_of(house.folder), clock=house.clock)]
    house.first.commands.revoke("default", ANN, kid=stolen.kid)
    house.skip(MATURE)
    good, today = token(house), house.first.store.load("default").ring
    house.close()
    for rest in house.folder.glob("jwturn.db*"):
        rest.unlink()
    write_private(house.folder / "jwturn.db", backup.read_bytes())
    house.nodes = [open_app(settings_of(house.folder), clock=house.clock)]
    for attempt in (lambda: token(house), lambda: house.first.publisher.issuer_set(ISSUER)):
        with pytest.raises(IntegrityError) as refused:
            attempt()
        assert refused.value.code == "older_store"
        assert "jwturn recover" in refused.value.hint
    for name in ("default", "api"):
        recover(house.first, name, ANN)
    kids = house.first.publisher.issuer_set(ISSUER).kids
    assert stolen.kid not in kids
    assert {key.kid for key in today.published} <= kids
    assert house.first.verify(good)["sub"] == "alice"
    house.skip(MATURE)
    assert stolen.kid not in house.first.publisher.issuer_set(ISSUER).kids
    assert house.first.signing.sign("default", {}).kid != stolen.kid
    with pytest.raises(jwturn.TokenRefused):
        house.first.verify(lost)


def test_no_key_is_lost_when_the_node_that_turns_changes(house: House) -> None:
    """Nomad: a key was lost at leader election."""
    nodes, kids = (house.first, house.join()), set[str]()
    for turn in range(4):
        first, second = nodes[turn % 2], nodes[1 - turn % 2]
        tokens = [node.signing.sign("default", {"sub": "alice"}).token for node in nodes]
        first.commands.promote("default", ANN)
        assert at_once(*(partial(node.rotator.turn, "default") for node in nodes)) == []
        for node in (second, first):
            node.signing.refresh()
            signed = node.signing.sign("default", {"sub": "alice"})
            kids.add(signed.kid)
            tokens.append(signed.token)
            view = node.store.load("default")
            assert all(node.custody.open(key, view.ring.id) for key in view.ring.keys if key.private)
        assert {node.verify(one)["sub"] for one in tokens for node in nodes} == {"alice"}
        house.skip(MATURE)
    assert len(kids) == 4


def test_a_leader_that_lost_its_race_leaves_no_key_behind(house: House) -> None:
    """Nomad: what the former leader had made and what the new one published were not the same key."""
    house.first.commands.promote("default", ANN)
    late = house.join()

    def overtaken(*args: Any, **options: Any) -> Any:
        del late.store.update
        house.first.rotator.turn("default")
        return late.store.update(*args, **options)

    late.store.update = overtaken  # type: ignore[method-assign]  # another rotator comes first, once
    with suppress(LostRace):
        late.rotator.turn("default")
    ring = house.first.store.load("default").ring
    assert [str(key.state) for key in ring.keys] == ["verify-only", "active", "standby"]
    halves = {kid for (kid,) in sql(house, "SELECT kid FROM halves WHERE ring_id = ?", ring.id)}
    assert halves == {key.kid for key in ring.keys}


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sops#484: `rotate -i` emptied the file it should have changed."""
    file = tmp_path / "state" / "kek"
    file.parent.mkdir(mode=0o700)
    write_private(file, b"what must not be lost")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable, match="disk full"):
        write_private(file, b"new")
    assert file.read_bytes() == b"what must not be lost"
    assert list(file.parent.iterdir()) == [file]


def spellings(secret: bytes) -> set[bytes]:
    """How bytes look when somebody writes them down."""
    raw = {secret[start : start + 24] for start in range(0, len(secret) - 24, 8)}
    written = {secret.hex().encode(), base64.b64encode(secret), base64.urlsafe_b64encode(secret)}
    return raw | {text[start : start + 40] for text in written for start in range(0, len(text) - 40, 4)}


def renderings(thing: object) -> Iterator[bytes]:
    """Every way in which somebody turns an object into text or bytes without asking for a secret."""
    yield from (repr(thing).encode(), str(thing).encode(), f"{thing}".encode())
    yield repr(getattr(thing, "__dict__", {})).encode()
    for dump in (pickle.dumps, lambda thing: json.dumps(thing, default=repr).encode()):
        try:
            yield dump(thing)
        except TypeError:
            continue
    if isinstance(thing, msgspec.Struct):
        yield repr(msgspec.structs.asdict(thing)).encode()
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        for field in dataclasses.fields(thing):
            yield repr(getattr(thing, field.name)).encode()
        try:
            yield repr(dataclasses.asdict(thing)).encode()
        except TypeError:
            return


def test_no_object_that_the_library_gives_shows_a_private_half(house: House) -> None:
    """Several libraries: `as_dict()` put the private half into the JWKS by default."""
    node = house.first
    view = node.store.load("default")
    halves = [node.custody.reveal(key, view.ring.id).reveal() for key in view.ring.keys]
    canaries = {spelling for half in halves for spelling in spellings(half[-120:])}
    outcome = node.commands.promote("default", ANN, dry_run=True)
    objects = [
        node,
        view,
        view.ring,
        *view.ring.keys,
        *(key.private for key in view.ring.keys),
        outcome,
        *outcome.steps,
        *node.store.events(view.ring.id),
        node.custody,
        node.custody.reveal(view.ring.keys[0], view.ring.id),
        node.custody.open(view.ring.keys[0], view.ring.id),
        node.signing,
        node.signing.sign("default", {}),
        node.revoke_effect("default", view.ring.keys[0].kid),
        node.publisher.issuer_set(ISSUER),
        node.settings,
        node.identity,
        node.witness.last(view.ring.id),
    ]
    assert any(half[-40:] in pickle.dumps(half) for half in halves)
    shown = [data for thing in objects for data in renderings(thing)]
    assert len(shown) > 3 * len(objects)
    assert [data[:80] for data in shown if any(canary in data for canary in canaries)] == []


def test_no_answer_of_the_service_shows_a_private_half_whatever_the_role(tmp_path: Path) -> None:
    """Hydra: the private JWK was returned by an admin API."""
    world = World(tmp_path, rings={"default": {}, "hooks": {"alg": "HS256"}})
    try:
        for name in ("default", "hooks"):
            ring = world.app.store.load(name).ring
            halves = [world.app.custody.reveal(key, ring.id).reveal() for key in ring.keys]
            canaries = {spelling for half in halves for spelling in spellings(half[-120:])}
            for path in (path for path in world.get("/openapi.json").json["paths"]):
                for role in (None, *Role):
                    reply = world.get(path.replace("{ring}", name), role)
                    secrets = path.endswith("/secrets") and role is Role.VERIFIER
                    found = [canary for canary in canaries if canary in reply.body]
                    assert bool(found) is (secrets and name == "hooks" and reply.status == 200), (path, role)
                    private_members(reply.body, allowed=secrets)
    finally:
        world.close()


def private_members(body: bytes, *, allowed: bool) -> None:
    """No JSON object at any depth has a member that RFC 7518 keeps for private halves."""
    try:
        seen = [json.loads(body)]
    except ValueError:
        return
    while seen:
        value = seen.pop()
        if isinstance(value, dict):
            assert allowed or not ("kty" in value and PRIVATE_MEMBERS & value.keys())
            seen += value.values()
        elif isinstance(value, list):
            seen += value


def test_a_revoked_key_s_half_is_nowhere_in_the_files(house: House) -> None:
    """Several: what was deleted could still be read from the file."""
    ring = house.first.store.load("default").ring
    assert ring.active is not None
    read = "SELECT envelope FROM halves WHERE ring_id = ? AND kid = ?"
    sealed = sql(house, read, ring.id, ring.active.kid)[0][0]
    core = sealed[-120:]
    assert any(core in file.read_bytes() for file in house.folder.iterdir())
    house.first.commands.revoke("default", ANN, kid=ring.active.kid)
    house.skip(GONE)
    assert not any(core in file.read_bytes() for file in house.folder.iterdir())

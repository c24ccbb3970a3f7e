"""jwturn inside an application: real files, real threads."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import jwturn
from jwturn.core.jws import split
from jwturn.core.ledger import Actor
from jwturn.library import Jwturn
from jwturn.settings import load

ISSUER = "https://auth.example.com"
WHO = Actor("ann", "because")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("JWTURN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


@pytest.fixture
def ring(folder: Path) -> Iterator[Jwturn]:
    with jwturn.open(folder, issuer=ISSUER) as opened:
        yield opened


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def kid_of(token: str) -> object:
    return split(token).header.kid


def test_what_it_signs_it_verifies(ring: Jwturn) -> None:
    token = ring.sign({"sub": "alice"}, ttl=timedelta(minutes=5), audience="orders")
    claims = ring.verify(token, audience="orders")
    assert (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, "alice", "orders")
    assert claims["exp"] - claims["iat"] == 300
    with pytest.raises(jwturn.TokenRefused):
        ring.verify(token, audience="billing")
    with pytest.raises(jwturn.TokenRefused):
        ring.verify(token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"))


def test_the_jwks_is_answered_with_its_headers_and_304(ring: Jwturn) -> None:
    found = ring.jwks()
    assert found.status == 200
    assert found.headers["content-type"] == "application/jwk-set+json"
    assert found.headers["cache-control"] == "public, max-age=300"
    assert kid_of(ring.sign({})) in [key["kid"] for key in json.loads(found.body)["keys"]]
    again = ring.jwks(if_none_match=found.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert ring.jwks(ring="default").body == found.body
    with pytest.raises(jwturn.NotFound):
        ring.jwks(ring="nonesuch")


def test_discovery_names_issuer_set_and_algorithm(ring: Jwturn) -> None:
    said = json.loads(ring.discovery())
    assert said["issuer"] == ISSUER
    assert said["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert said["id_token_signing_alg_values_supported"] == ["ES256"]


def test_state_is_private_and_lies_in_the_folder(ring: Jwturn, folder: Path) -> None:
    ring.sign({})
    assert contents(folder) >= {"jwturn.db", "kek", "witness"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert contents(folder.parent) == {"state"}


def test_close_gives_the_lease_back_ends_the_threads_and_may_be_said_twice(folder: Path) -> None:
    before = set(threading.enumerate())
    ring = jwturn.open(folder, issuer=ISSUER)
    ring.sign({}, ttl=timedelta(minutes=1))
    app = ring.app
    ring.close()
    ring.close()
    app.close()
    assert set(threading.enumerate()) == before
    with jwturn.open(folder) as again:
        assert again.app.store.load("default").leases.leases == ()


def test_a_closed_ring_refuses_and_says_so(folder: Path) -> None:
    ring = jwturn.open(folder, issuer=ISSUER)
    token = ring.sign({})
    ring.close()
    for use in (lambda: ring.sign({}), lambda: ring.verify(token), ring.discovery, lambda: ring.app):
        with pytest.raises(jwturn.JwturnError) as refused:
            use()
        assert refused.value.code == "closed"
    answered = ring.jwks()
    assert (answered.status, answered.headers["cache-control"]) == (503, "no-store")


def test_a_use_that_races_with_close_never_opens_it_again(folder: Path) -> None:
    ring = jwturn.open(folder, issuer=ISSUER)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                ring.sign({})
        except jwturn.JwturnError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    ring.close()
    for thread in threads:
        thread.join(30)
    assert len(errors) == 4
    assert ring._app is None


def test_a_second_open_continues_the_same_ring(folder: Path) -> None:
    with jwturn.open(folder, issuer=ISSUER) as first:
        token, served = first.sign({"sub": "alice"}), first.jwks().body
    with jwturn.open(folder) as second:
        assert second.issuer == ISSUER
        assert second.verify(token)["sub"] == "alice"
        assert second.jwks().body == served
        assert kid_of(second.sign({})) == kid_of(token)


def test_two_rings_of_one_folder_have_their_own_keys(folder: Path) -> None:
    with jwturn.open(folder, issuer=ISSUER) as one:
        with jwturn.open(folder, issuer="https://b.example.com", ring="orders") as two:
            token = two.sign({})
            assert one.verify(token)["iss"] == "https://b.example.com"
            assert kid_of(token) != kid_of(one.sign({}))
        assert kid_of(one.sign({}, ring="default")) != kid_of(token)


def test_without_an_issuer_nothing_is_made(folder: Path) -> None:
    with pytest.raises(jwturn.BadInput) as refused:
        jwturn.open(folder)
    assert refused.value.code == "issuer_missing"
    assert contents(folder) == set()


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"policy": {"rotate_every": "1h"}}, jwturn.PolicyRefused),
        ({"policy": {"alg": "none"}}, jwturn.BadInput),
        ({"policy": {"rotat_every": "90d"}}, jwturn.BadInput),
        ({"policy": ["alg"]}, jwturn.BadInput),
        ({"ring": "a/b"}, jwturn.BadInput),
    ],
)
def test_a_first_open_that_is_refused_leaves_nothing_half_made(
    folder: Path, wrong: dict[str, object], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        jwturn.open(folder, issuer=ISSUER, **wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert contents(folder) == set()
    with jwturn.open(folder, issuer=ISSUER, policy={"alg": "EdDSA"}) as good:
        assert json.loads(good.discovery())["id_token_signing_alg_values_supported"] == ["EdDSA"]


def test_a_ring_that_was_made_without_its_first_key_gets_it_at_the_next_open(folder: Path) -> None:
    with jwturn.open(folder, issuer=ISSUER) as ring:
        policy = ring.app.store.load("default").ring.policy
        ring.app.loop.stop()
        ring.app.commands.add_ring("half", issuer="https://half.example.com", policy=policy, actor=WHO)
    with jwturn.open(folder, ring="half") as again:
        again.app.loop.stop()
        assert again.sign({})


@pytest.mark.parametrize("spoil", ["missing", "another", "truncated"])
def test_a_kek_that_is_missing_or_wrong_is_an_error_and_nothing_is_made(folder: Path, spoil: str) -> None:
    jwturn.open(folder, issuer=ISSUER).close()
    kek = folder / "kek"
    line = kek.read_bytes()
    kek.unlink()
    if spoil == "another":
        jwturn.open(folder.with_name("other"), issuer=ISSUER).close()
        kek.write_bytes((folder.with_name("other") / "kek").read_bytes())
        kek.chmod(0o600)
    elif spoil == "truncated":
        kek.write_bytes(line[:20])
        kek.chmod(0o600)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".db-shm"}
    with pytest.raises(jwturn.CustodyError):
        jwturn.open(folder, issuer=ISSUER)
    assert before.items() <= {path.name: path.read_bytes() for path in folder.iterdir()}.items()
    assert kek.exists() is (spoil != "missing")
    kek.unlink(missing_ok=True)
    kek.write_bytes(line)
    kek.chmod(0o600)
    with jwturn.open(folder) as ring:
        assert ring.sign({})


def test_the_folder_that_is_named_wins_over_the_environment_and_its_kek_over_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = folder.with_name("elsewhere")
    monkeypatch.setenv("JWTURN_STORE__URI", f"sqlite:///{elsewhere / 'jwturn.db'}")
    monkeypatch.setenv("JWTURN_STORE__KEK", f"file:{folder.with_name('keys') / 'kek'}")
    jwturn.open(folder, issuer=ISSUER).close()
    assert contents(folder) == {"jwturn.db", "witness"}
    assert contents(folder.with_name("keys")) == {"kek"}
    assert not elsewhere.exists()


def test_a_settings_file_beside_the_folder_is_heard(folder: Path) -> None:
    (folder.parent / "jwturn.toml").write_text(
        '[store]\nuri = "sqlite:state/jwturn.db"\n[rings.default]\nalg = "EdDSA"\n'
    )
    for _ in range(2):
        with jwturn.open(folder, issuer=ISSUER) as ring:
            assert json.loads(ring.discovery())["id_token_signing_alg_values_supported"] == ["EdDSA"]


def test_a_policy_that_contradicts_the_settings_makes_nothing(folder: Path) -> None:
    (folder.parent / "jwturn.toml").write_text('[rings.default]\nalg = "EdDSA"\n')
    with pytest.raises(jwturn.ConfigError, match="alg"):
        jwturn.open(folder, issuer=ISSUER, policy={"alg": "ES256"})
    assert contents(folder) == set()


def test_settings_can_be_handed_in(folder: Path) -> None:
    environ = {
        "JWTURN_STORE__URI": f"sqlite:///{folder / 'a.db'}",
        "JWTURN_STORE__KEK": f"file:{folder / 'k'}",
    }
    chosen = load(environ, cwd=folder.parent)
    with jwturn.open(settings=chosen, issuer=ISSUER) as ring:
        assert ring.verify(ring.sign({}))["iss"] == ISSUER
    assert contents(folder) >= {"a.db", "k"}


def test_a_store_older_than_its_witness_does_not_open_and_leaves_no_thread(folder: Path) -> None:
    jwturn.open(folder, issuer=ISSUER).close()
    kept = (folder / "jwturn.db").read_bytes()
    with jwturn.open(folder) as ring:
        ring.app.loop.stop()
        ring.app.commands.hold("default", WHO, kid=None)
    (folder / "jwturn.db").write_bytes(kept)
    before = set(threading.enumerate())
    with pytest.raises(jwturn.IntegrityError) as refused:
        jwturn.open(folder)
    assert refused.value.code == "older_store"
    assert set(threading.enumerate()) == before


def test_another_issuer_than_the_rings_is_refused_and_both_are_named(tmp_path: Path) -> None:
    jwturn.open(tmp_path / "keys", issuer="https://one.example").close()
    with pytest.raises(
        jwturn.ConfigError, match=r"https://one\.example, and https://two\.example"
    ) as refused:
        jwturn.open(tmp_path / "keys", issuer="https://two.example")
    assert refused.value.hint
    with jwturn.open(tmp_path / "keys", issuer="https://one.example") as ring:
        assert ring.issuer == "https://one.example"

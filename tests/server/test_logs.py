"""Logs are one line of JSON an event, and hold no secret whatever was put into them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from jwturn.core.tokens import Role
from jwturn.server import logs
from tests.server.world import World

PEM = "-----BEGIN " + "PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END " + "PRIVATE KEY-----"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
API = "jwturn_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0-_x"


@contextmanager
def logging_to_stderr(*, terminal: bool = False) -> Iterator[structlog.stdlib.BoundLogger]:
    """Our logs, on the standard error of this moment (pytest takes another for each phase of a test)."""
    root = logging.getLogger()
    before, raises = (list(root.handlers), root.level), logging.raiseExceptions
    logs.configure(terminal=terminal)
    try:
        yield structlog.get_logger("test")
    finally:
        structlog.reset_defaults()
        root.handlers, logging.raiseExceptions = before[0], raises
        root.setLevel(before[1])


@pytest.mark.parametrize("name", sorted(logs.PRIVATE | logs.SECRET))
def test_private_members_are_masked_by_name_at_any_depth(name: str) -> None:
    event = logs.redacted(None, "info", {"event": "x", "jwk": {"kty": "EC", name: "canary"}, name: "canary"})
    assert "canary" not in str(event)
    assert event["jwk"]["kty"] == "EC"


@pytest.mark.parametrize("secret", [PEM, JWT, API, PEM.partition("\n-----END")[0]])
@pytest.mark.parametrize("form", ["{}", "before {} after", "'{}'", '{{"x": "{}"}}'])
def test_secrets_are_masked_by_their_looks(secret: str, form: str) -> None:
    told = logs.clean(form.format(secret))
    assert secret not in told
    assert logs.MASK in told


def test_a_jwk_in_a_text_keeps_its_public_half() -> None:
    told = logs.clean('bad key {"kty": "oct", "k": "AAAA", "alg": "HS256", "d":"BBBB"}')
    assert told == 'bad key {"kty": "oct", "k": "***", "alg": "HS256", "d":"***"}'
    assert logs.clean("{'priv': 'CCCC'}") == "{'priv': '***'}"


def test_a_password_in_a_uri_is_masked() -> None:
    assert logs.clean("postgresql://ann:hunter2@db/x") == "postgresql://***@db/x"


@pytest.mark.parametrize(
    "innocent",
    [
        "key b7Jm2kQe is active",
        "jwturn_signatures_total",
        "https://auth.example.com:8443/x",
        "12:30:05 eyJ",
        "",
    ],
)
def test_what_is_no_secret_stays(innocent: str) -> None:
    assert logs.clean(innocent) == innocent


def test_objects_are_told_by_their_repr_and_masked() -> None:
    class Odd:
        def __repr__(self) -> str:
            return f"Odd({API})"

    assert logs.clean([Odd(), (JWT,), 7, None, True, 1.5]) == ["Odd(***)", ["***"], 7, None, True, 1.5]


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr() as log:
        log.info("step", ring="default", kid="b7Jm2kQe", token=API)
    found = json.loads(capsys.readouterr().err)
    assert {name: found[name] for name in ("event", "ring", "kid", "token", "level", "logger")} == {
        "event": "step",
        "ring": "default",
        "kid": "b7Jm2kQe",
        "token": "***",
        "level": "info",
        "logger": "test",
    }
    assert found["timestamp"].endswith("Z")


def test_an_exceptions_text_is_masked_too(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr() as log:
        log.error("defect", exc_info=ValueError(f"cannot read {PEM} with {API}"))
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "ValueError" in told
    assert "MIGHAgEAMBMG" not in told
    assert API not in told


def test_other_libraries_are_masked_and_told_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr():
        logging.getLogger("somebody.else").warning("got %s", JWT)
    found = json.loads(capsys.readouterr().err)
    assert (found["event"], found["level"], found["logger"]) == ("got ***", "warning", "somebody.else")


def test_a_message_that_cannot_be_made_is_not_told_raw(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr():
        logging.getLogger("somebody.else").warning("%d", JWT)
    assert JWT not in capsys.readouterr().err


def test_on_a_terminal_the_events_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(terminal=True) as log:
        log.info("step", token=API)
    told = capsys.readouterr().err
    assert "step" in told
    assert API not in told
    assert not told.startswith("{")


def test_a_defect_is_told_without_the_values_of_variables(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an application embeds the service and never set up its logs: the default shows variables."""

    def broken(*_: object, **__: object) -> None:
        held_here = "the canary"
        raise ZeroDivisionError(f"{len(held_here)} {API}")

    structlog.reset_defaults()
    monkeypatch.setattr(world.app.signing, "sign", broken)
    world.post("/v1/rings/default/sign", {"claims": {}}, role=Role.SIGNER)
    out, err = capsys.readouterr()
    assert "ZeroDivisionError" in out + err
    assert API not in out + err
    assert world.tokens[Role.SIGNER] not in out + err
    assert "'the canary'" not in out + err


def test_serving_logs_no_token_and_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path, rings={"default": {"alg": "HS256"}})
    with logging_to_stderr():
        told = world.post("/v1/rings/default/sign", {"claims": {}}, role=Role.SIGNER).json["token"]
        secret = world.get("/v1/rings/default/secrets", Role.VERIFIER).json["secrets"][0]["k"]
        world.get("/v1/rings", API)
        world.app.store.close()
        world.get("/readyz")
        world.get("/.well-known/jwks.json")
    written = capsys.readouterr().err
    for canary in (told, secret, API, *world.tokens.values()):
        assert canary not in written
    world.close()

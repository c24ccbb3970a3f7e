"""A set in use: where it comes from, what is told of it, and that tokens are never in what is told."""

import contextlib
import json
import logging
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest

from jwturn import KeysUnavailable, TokenRefused, Verifier
from jwturn.core.errors import BadInput, NotFound
from jwturn.core.jwk import RefusedKey
from jwturn.core.jwks_cache import Bounds, Fetch, Loaded, Use
from jwturn.core.jwks_fetch import Source
from jwturn.verifier.held import HeldKeys
from tests.verifier.issuer import Issuer, served


def unopened(_: object) -> NoReturn:
    raise AssertionError("no set is opened here")


def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifier.verify(token)
    return caught.value.code


def written(issuer: Issuer, path: Path) -> Path:
    path.write_text(json.dumps(issuer.jwks))
    return path


def reading(issuer: Issuer, path: Any) -> Verifier:
    return Verifier(**{**issuer.rules, "jwks": path})


class TestFile:
    @pytest.mark.parametrize("shape", [Path, str])
    def test_a_file_that_is_replaced_is_read_again_for_a_new_kid(self, tmp_path: Path, shape: Any) -> None:
        issuer = Issuer("k1")
        path = written(issuer, tmp_path / "jwks.json")
        with reading(issuer, shape(path)) as verifier:
            assert verifier.verify(issuer.token("k1"))["sub"] == "alice"
            issuer.publish("k2")
            other = written(issuer, tmp_path / "new.json")
            other.replace(path)
            assert verifier.verify(issuer.token("k2"))["sub"] == "alice"
            assert verifier.status().kids == ("k2",)

    def test_a_file_is_read_again_after_its_lifetime(self, tmp_path: Path) -> None:
        issuer = Issuer("k1", "k2")
        path = written(issuer, tmp_path / "jwks.json")
        with reading(issuer, path) as verifier:
            assert verifier.verify(issuer.token("k2"))["sub"] == "alice"
            issuer.publish("k1")
            written(issuer, path)
            assert verifier.verify(issuer.token("k2"))["sub"] == "alice"
            issuer.pass_seconds(300)
            assert refusal(verifier, issuer.token("k2")) == "kid_unknown"

    def test_a_file_that_is_gone_or_broken_later_is_a_failed_fetch(self, tmp_path: Path) -> None:
        issuer = Issuer("k1")
        path = written(issuer, tmp_path / "jwks.json")
        with reading(issuer, path) as verifier:
            path.write_text("{")
            issuer.pass_seconds(300)
            assert verifier.verify(issuer.token("k1"))["sub"] == "alice"
            assert verifier.status().failures == 1
            path.unlink()
            issuer.pass_seconds(3900)
            with pytest.raises(KeysUnavailable, match="there is no JWKS at"):
                verifier.verify(issuer.token("k1"))
            written(issuer, path)
            issuer.pass_seconds(31)
            assert verifier.verify(issuer.token("k1"))["sub"] == "alice"

    def test_a_file_that_is_not_there_at_first_is_an_error_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound) as caught:
            reading(Issuer("k1"), tmp_path / "nowhere.json")
        assert "jwturn jwks" in caught.value.hint

    def test_what_is_no_file_is_an_error_at_once(self, tmp_path: Path) -> None:
        for path in (tmp_path, "a\0b", "x" * 5000):
            with pytest.raises(KeysUnavailable) as caught:
                reading(Issuer("k1"), path)
            assert caught.value.hint

    def test_a_file_without_a_usable_key_is_an_error_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "jwks.json"
        path.write_text('{"keys":[]}')
        with pytest.raises(BadInput) as caught:
            reading(Issuer("k1"), path)
        assert caught.value.code == "jwks_empty"

    def test_threads_are_for_files_too_and_end(self, tmp_path: Path) -> None:
        issuer = Issuer("k1")
        with reading(issuer, written(issuer, tmp_path / "jwks.json")) as verifier:
            refusal(verifier, issuer.stranger("x"))
        assert not [one for one in threading.enumerate() if one.name.startswith("jwturn")]


class TestHandedIn:
    def test_a_set_as_dict_or_bytes_is_for_ever(self) -> None:
        issuer = Issuer("k1")
        for jwks in (issuer.jwks, json.dumps(issuer.jwks).encode()):
            with reading(issuer, jwks) as verifier:
                issuer.pass_seconds(10 * 365 * 86_400)
                assert verifier.verify(issuer.token())["sub"] == "alice"
                assert refusal(verifier, issuer.stranger("x")) == "kid_unknown"
                assert verifier.status().age is None
                assert verifier.status().usable

    def test_a_dict_that_is_changed_later_changes_nothing(self) -> None:
        issuer = Issuer("k1")
        jwks = issuer.jwks
        with reading(issuer, jwks) as verifier:
            jwks["keys"].clear()
            assert verifier.verify(issuer.token())["sub"] == "alice"


class TestGenerations:
    def test_the_memo_does_not_outlive_the_set(self) -> None:
        with served("k1", "k2", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
            token = issuer.token("k2")
            for _ in range(2):
                verifier.verify(token)
            issuer.publish("k1", "k3")
            verifier.verify(issuer.token("k3"))
            assert refusal(verifier, token) == "kid_unknown"

    def test_the_memo_does_not_outlive_stale_max(self) -> None:
        with served("k1", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
            assert issuer.site is not None
            token = issuer.token(exp=issuer.now + 20_000)
            verifier.verify(token)
            issuer.site.answer = lambda talk: talk.reply(503, {})
            issuer.pass_seconds(4200)
            with pytest.raises(KeysUnavailable):
                verifier.verify(token)

    def test_the_memo_stays_with_a_set_that_is_the_same(self) -> None:
        with served("k1", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
            verifier.verify(issuer.token())
            judge = verifier._keys.cache.held
            issuer.pass_seconds(600)
            verifier.verify(issuer.token())
            assert issuer.fetches == 2
            assert judge is not None
            assert verifier._keys.cache.held is not None
            assert verifier._keys.cache.held.keys is judge.keys

    def test_new_material_under_an_old_kid_is_refused_and_the_old_is_not_forgotten(self) -> None:
        with served("k1", "k2", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
            verifier.verify(issuer.token("k1"))
            good = issuer.jwks
            issuer.make("k1")
            issuer.publish("k1", "k2")
            issuer.pass_seconds(600)
            assert refusal(verifier, issuer.token("k1")) == "kid_unknown"
            assert verifier.status().refused == (RefusedKey("k1", "jwk_changed"),)
            assert issuer.site is not None
            issuer.site.body = good
            issuer.pass_seconds(600)
            verifier.verify(issuer.token("k2"))
            assert verifier.status().kids == ("k1", "k2")


class TestTold:
    def test_an_alarm_is_told_once_and_what_is_only_strange_quietly(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "jwturn")
        with served("k1", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
            assert issuer.site is not None
            for number in range(4):
                leaked = {**issuer.jwk("k1", kid="leaked"), "d": "c2VjcmV0"}
                strange = {"kty": "new", "kid": "strange", "n": number}
                issuer.site.body = {"keys": [issuer.jwk("k1"), leaked, strange]}
                verifier.verify(issuer.token())
                issuer.pass_seconds(600)
        told = [(record.levelname, record.getMessage()) for record in caplog.records]
        assert [level for level, _ in told] == ["ERROR", "INFO"]
        assert "'leaked'" in told[0][1]
        assert "jwk_private" in told[0][1]
        assert "c2VjcmV0" not in caplog.text

    def test_a_secret_in_a_set_is_an_alarm(self, caplog: pytest.LogCaptureFixture) -> None:
        with served("k1", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
            verifier.verify(issuer.token())
            assert issuer.site is not None
            issuer.site.body = {"keys": [issuer.jwk("k1"), {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}]}
            issuer.pass_seconds(600)
            assert verifier.verify(issuer.token())["sub"] == "alice"
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "c2VjcmV0" not in caplog.text

    def test_a_set_of_leaked_keys_alone_is_an_alarm(self, caplog: pytest.LogCaptureFixture) -> None:
        with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
            assert issuer.site is not None
            issuer.site.body = {"keys": [{**issuer.jwk("k1"), "d": "c2VjcmV0"}]}
            with pytest.raises(KeysUnavailable):
                verifier.verify(issuer.token())
        assert "ERROR" in [record.levelname for record in caplog.records]
        assert "c2VjcmV0" not in caplog.text

    def test_an_outage_its_end_and_another_are_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

        def verify() -> None:
            issuer.pass_seconds(31)
            with contextlib.suppress(KeysUnavailable):
                verifier.verify(issuer.token())

        with served("k1", max_age=60) as issuer, Verifier(**issuer.rules) as verifier:
            assert issuer.site is not None
            for status in (503, 503, 503, 500, 503):
                issuer.site.answer = lambda talk, status=status: talk.reply(status, {})
                verify()
            issuer.site.answer = None
            verify()
            issuer.site.answer = lambda talk: talk.reply(503, {})
            issuer.pass_seconds(60)
            verifier.verify(issuer.token())
        told = [record.levelname for record in caplog.records if record.name == "jwturn.verifier"]
        assert told == ["WARNING", "WARNING", "WARNING", "INFO", "WARNING"]

    def test_no_token_is_ever_told(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with served("k1") as issuer, Verifier(**issuer.rules) as verifier:
            assert issuer.site is not None
            tokens = [issuer.token(), issuer.stranger("x"), issuer.token(aud="other"), issuer.token()[:-3]]
            told = ""
            for answer in (lambda talk: talk.reply(503, {}), None):
                issuer.site.answer = answer
                for token in tokens:
                    try:
                        verifier.verify(token)
                    except (TokenRefused, KeysUnavailable) as error:
                        told += f"{error!r} {error.message} {error.hint} {error.details}"
                issuer.pass_seconds(31)
            told += f"{verifier!r} {verifier.status()!r} {caplog.text}"
        for token in tokens:
            for part in token.split("."):
                assert part not in told


def test_status_tells_how_it_stands() -> None:
    with served("k1", max_age=600) as issuer, Verifier(**issuer.rules) as verifier:
        status = verifier.status()
        assert (status.usable, status.kids, status.age, status.failures) == (False, (), None, 0)
        verifier.verify(issuer.token())
        issuer.pass_seconds(20)
        status = verifier.status()
        assert (status.usable, status.kids, status.failures, status.cause) == (True, ("k1",), 0, "")
        assert status.age is not None
        assert status.age.total_seconds() == 20
        assert issuer.site is not None
        issuer.site.answer = lambda talk: talk.reply(503, {})
        issuer.pass_seconds(600)
        verifier.verify(issuer.token())
        status = verifier.status()
        assert (status.usable, status.failures) == (True, 1)
        assert "503" in status.cause


def test_a_time_that_was_read_before_others_landed_is_read_again() -> None:
    """Else their set seems to come from the future, and is fetched once more."""
    issuer, seconds = Issuer("k1"), [100.0]
    others: list[float] = []

    def elapsed() -> float:
        """Just after a caller looked at the clock, another one claims a fetch, and it lands."""
        read = seconds[0]
        if not others:
            others.append(read)
            seconds[0] += 1
            claimed = keys.ask("k1", waited=False)
            assert isinstance(claimed, Fetch)
            keys.land(claimed.flight, Loaded("judge", {"k1"}, 600.0))
        return read

    source = Source(issuer.name, f"{issuer.name}/jwks.json")
    keys = HeldKeys(source, bounds=Bounds(), algorithms=None, judge=unopened, elapsed=elapsed)
    verdict = keys.ask("k1", waited=False)
    assert isinstance(verdict, Use)
    assert keys.cache.flights == 1

"""How the thread of a verifier begins and ends, and what a verifier is worth without one."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from jwturn import KeysUnavailable, Verifier
from tests.verifier.issuer import AUDIENCE, Issuer, served
from tests.verifier.test_verifier import PATIENCE_SECONDS, key_threads, until, verifying


def test_close_ends_the_thread_and_what_is_held_stays_in_use() -> None:
    with served("k1", max_age=600) as issuer:
        verifier = Verifier(**issuer.rules)
        verifier.verify(issuer.token())
        verifier.close()
        assert key_threads() == []
        assert verifier.verify(issuer.token())["sub"] == "alice"
        with pytest.raises(KeysUnavailable, match="closed"):
            verifier.verify(issuer.stranger("x"))
        verifier.close()


def test_who_waits_for_a_fetch_that_was_never_sent_is_told_at_the_end() -> None:
    with served("k1") as issuer, verifying(issuer) as verifier, ThreadPoolExecutor(2) as pool:
        assert issuer.site is not None
        issuer.site.gate.clear()
        first = pool.submit(verifier.verify, issuer.token())
        until(lambda: issuer.fetches == 1)
        issuer.pass_seconds(7)
        second = pool.submit(verifier.verify, issuer.token())
        until(lambda: bool(verifier._thread._begun))
        verifier._thread.stop()
        issuer.site.gate.set()
        with pytest.raises(KeysUnavailable, match="closed"):
            second.result(PATIENCE_SECONDS)
        with pytest.raises(KeysUnavailable):
            first.result(PATIENCE_SECONDS)
        assert issuer.fetches == 1


def test_a_cold_verifier_that_was_closed_says_so() -> None:
    with served("k1") as issuer:
        verifier = Verifier(**issuer.rules)
        verifier.close()
        with pytest.raises(KeysUnavailable, match="closed"):
            verifier.verify(issuer.token())


def test_the_thread_ends_when_nobody_holds_the_verifier_any_more() -> None:
    with served("k1") as issuer:
        verifier = Verifier(**issuer.rules)
        verifier.verify(issuer.token())
        assert len(key_threads()) == 1
        gone = weakref.ref(verifier)
        del verifier
        gc.collect()
        assert gone() is None
        until(lambda: not key_threads())


def test_a_verifier_that_never_fetched_has_no_thread() -> None:
    issuer = Issuer("k1")
    with Verifier(**issuer.rules) as verifier:
        verifier.verify(issuer.token())
        assert key_threads() == []


def test_where_no_thread_can_be_started_the_token_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with served("k1") as issuer, verifying(issuer) as verifier:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refused)
            with pytest.raises(KeysUnavailable, match="can't start new thread"):
                verifier.verify(issuer.token())
        issuer.pass_seconds(1)
        assert verifier.verify(issuer.token())["aud"] == AUDIENCE

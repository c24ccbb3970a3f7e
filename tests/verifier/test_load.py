"""A start that fetches the keys before the first token, in both colours."""

import asyncio
from typing import Any

import pytest

from jwturn import AsyncVerifier, KeysUnavailable, Verifier
from tests.verifier.issuer import Issuer, served


def loaded(colour: type[Any], issuer: Issuer, times: int = 1) -> Any:
    """The status after so many loads."""
    verifier = colour(**issuer.rules)

    async def awaited() -> Any:
        async with verifier:
            for _ in range(times):
                await verifier.load()
            return verifier.status()

    if colour is AsyncVerifier:
        return asyncio.run(awaited())
    with verifier:
        for _ in range(times):
            verifier.load()
        return verifier.status()


@pytest.mark.parametrize("colour", [Verifier, AsyncVerifier])
def test_a_load_fetches_once_and_then_the_verifier_is_ready(colour: type[Any]) -> None:
    with served("k1") as issuer:
        assert not colour(**issuer.rules).status().usable
        status = loaded(colour, issuer, times=3)
        assert (status.usable, status.kids, issuer.fetches) == (True, ("k1",), 1)


@pytest.mark.parametrize("colour", [Verifier, AsyncVerifier])
def test_a_load_that_fails_says_why(colour: type[Any]) -> None:
    with served("k1") as issuer:
        assert issuer.site is not None
        issuer.site.body = {"keys": []}
        with pytest.raises(KeysUnavailable, match="usable key") as caught:
            loaded(colour, issuer)
        assert caught.value.retry_after >= 1


@pytest.mark.parametrize("colour", [Verifier, AsyncVerifier])
def test_a_set_that_was_handed_in_is_loaded(colour: type[Any]) -> None:
    assert loaded(colour, Issuer("k1"), times=2).usable


def test_the_status_tells_a_failure_by_its_code() -> None:
    with served("k1") as issuer:
        assert issuer.site is not None
        issuer.site.body = {"keys": []}
        with Verifier(**issuer.rules) as verifier:
            with pytest.raises(KeysUnavailable):
                verifier.load()
            assert verifier.status().code == "jwks_empty"
            assert verifier.status().failures == 1

"""Several issuers: the token's iss picks among those configured, and is then verified like any claim."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from jwturn import AsyncVerifier, MultiIssuer, TokenRefused, Verifier
from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url
from tests.verifier.issuer import AUDIENCE, Issuer, served

A, B = (Issuer("k1", name=f"https://{name}.example") for name in "ab")


def both() -> "MultiIssuer[Verifier]":
    return MultiIssuer({issuer.name: Verifier(**issuer.rules) for issuer in (A, B)})


def refusal(verifiers: "MultiIssuer[Verifier]", token: object) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifiers.verify(token)  # type: ignore[call-overload]  # some are no tokens
    assert caught.value.hint
    return caught.value.code


def test_each_issuers_tokens_go_to_its_verifier() -> None:
    verifiers = both()
    for issuer in (A, B):
        assert verifiers.verify(issuer.token())["iss"] == issuer.name
        assert verifiers.of(issuer.token()).issuer == issuer.name
        assert verifiers.verify(issuer.token().encode())["iss"] == issuer.name


def test_the_same_kid_of_two_issuers_is_two_keys() -> None:
    verifiers = both()
    assert refusal(verifiers, A.token(iss=B.name)) == "signature_wrong"
    assert refusal(verifiers, B.token(iss=A.name)) == "signature_wrong"


def test_the_issuer_that_was_picked_is_compared_after_the_signature() -> None:
    """A payload that two readers read differently would pick one and be verified as another's."""
    token = A.token()
    header, _, signature = token.split(".")
    twice = b64url(json.dumps(A.claims()).encode()[:-1] + f',"iss":"{B.name}"}}'.encode())
    assert refusal(both(), f"{header}.{twice}.{signature}") == "json_duplicate"


def test_who_is_not_configured_is_not_asked() -> None:
    with served("k1") as issuer:
        assert issuer.site is not None
        assert refusal(both(), issuer.token()) == "iss_unknown"
        assert issuer.site.requests == {}


@pytest.mark.parametrize(
    "iss", ["HTTPS://A.EXAMPLE", "https://a.example/", "https://a.example ", "", "a" * 9000]
)
def test_iss_is_compared_exactly(iss: str) -> None:
    assert refusal(both(), A.token(iss=iss)) == "iss_unknown"


@pytest.mark.parametrize("iss", [None, 5, True, ["https://a.example"], {"https://a.example": 1}])
def test_an_iss_that_is_no_string_picks_nobody(iss: object) -> None:
    assert refusal(both(), A.token(iss=iss)) == "iss_unknown"


def test_without_iss_nobody_is_picked() -> None:
    assert refusal(both(), A.token(iss=...)) == "iss_missing"


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c", "a.b.c.d.e", "{}", b"\xff.a.b", 5, None, "é.a.b", "a" * 20_000]
)
def test_what_is_no_token_is_refused(token: object) -> None:
    assert refusal(both(), token).startswith(("token_", "json_", "claims_"))


def test_at_and_type_are_handed_on() -> None:
    class Claims(msgspec.Struct):
        sub: str

    found = both().verify(A.token(), type=Claims)
    assert isinstance(found, Claims)
    with pytest.raises(TokenRefused, match="exp"):
        both().verify(A.token(), at=A.clock.now().replace(year=2031))


def test_async_verifiers_give_what_to_await() -> None:
    verifiers = MultiIssuer({issuer.name: AsyncVerifier(**issuer.rules) for issuer in (A, B)})

    async def main() -> None:
        for issuer in (A, B):
            assert (await verifiers.verify(issuer.token()))["iss"] == issuer.name
        with pytest.raises(TokenRefused):
            await verifiers.verify(A.token(iss=B.name))

    asyncio.run(main())


def test_a_verifier_belongs_under_its_own_issuer() -> None:
    verifier = Verifier(**A.rules)
    wrongs: list[Any] = [{}, {B.name: verifier}, {A.name + "/": verifier}, {A.name: verifier, "x": verifier}]
    for wrong in (*wrongs, None, [verifier], {A.name: A.name}, {5: verifier}):
        with pytest.raises(BadInput) as caught:
            MultiIssuer(wrong)
        assert caught.value.code == "rules_malformed"
        assert caught.value.hint


def test_a_verifier_of_another_issuer_is_named_with_it() -> None:
    with pytest.raises(BadInput, match=f"'{B.name}' has that of '{A.name}'"):
        MultiIssuer({B.name: Verifier(**A.rules)})


def test_what_is_awaited_and_what_is_not_do_not_mix() -> None:
    """Whoever forgets one `await` would take a coroutine for claims."""
    mixed: Any = {A.name: Verifier(**A.rules), B.name: AsyncVerifier(**B.rules)}
    with pytest.raises(BadInput, match="both colours"):
        MultiIssuer(mixed)


def test_what_is_changed_outside_later_changes_nothing() -> None:
    verifiers = {A.name: Verifier(**A.rules)}
    multi = MultiIssuer(verifiers)
    verifiers[B.name] = Verifier(**B.rules)
    assert refusal(multi, B.token()) == "iss_unknown"
    assert multi.verify(A.token())["aud"] == AUDIENCE

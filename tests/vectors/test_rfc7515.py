"""RFC 7515 appendix A: the examples of JSON Web Signature."""

import json
from datetime import UTC, datetime

import pytest

from jwturn import ANY, LegacySecret, MigrationWarning, TokenRefused, Verifier
from jwturn.core.errors import WeakKey
from jwturn.core.jwk import unb64url
from jwturn.core.rules import Rules
from jwturn.core.secret import Secret
from jwturn.crypto.import_jwk import halves
from jwturn.crypto.private import pkcs8
from jwturn.crypto.sign import signer
from jwturn.verifier import checks
from tests.crypto.rfc_vectors import VECTORS
from tests.vectors.level import code_of, key_of

APPENDIX = {"HS256": "A.1", "RS256": "A.2", "ES256": "A.3", "ES512": "A.4"}
EXP = 1300819380
JOE = Rules(issuer="joe", audience=ANY, kid_when_absent="joe")
UNSECURED = (
    "eyJhbGciOiJub25lIn0"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
)


def token_of(alg: str) -> str:
    _, signed, signature = VECTORS[alg]
    return f"{signed.decode()}.{signature}"


@pytest.mark.parametrize("alg", APPENDIX)
def test_the_signature_of_the_example_holds(alg: str) -> None:
    keys = {None: key_of(VECTORS[alg][0], alg)}
    token = token_of(alg)
    assert code_of(token, keys) == ""
    head, payload, signature = token.split(".")
    assert code_of(f"{head}.{payload[4:]}.{signature}", keys) == "signature_wrong"
    for other in set(APPENDIX) - {alg}:
        assert code_of(token, {None: key_of(VECTORS[other][0], other)}) == "alg_mismatch"


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_the_claims_of_the_example_are_given_by_a_verifier(alg: str) -> None:
    jwk, _, _ = VECTORS[alg]
    public = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    with pytest.warns(MigrationWarning):
        verifier = Verifier(
            issuer="joe",
            audience=ANY,
            jwks={"keys": [public | {"kid": "joe", "alg": alg}]},
            kid_when_absent="joe",
            now=lambda: datetime.fromtimestamp(EXP - 1, UTC),
        )
    claims = verifier.verify(token_of(alg))
    assert claims == {"iss": "joe", "exp": EXP, "http://example.com/is_root": True}
    for at, code in ((EXP + 60, "expired"), (EXP - 86_401, "lifetime_too_long")):
        with pytest.raises(TokenRefused) as refused:
            verifier.verify(token_of(alg), at=datetime.fromtimestamp(at, UTC))
        assert refused.value.code == code


def test_the_claims_of_a1_are_given_and_its_secret_is_one_that_everybody_knows() -> None:
    jwk = VECTORS["HS256"][0]
    claims = checks.verify(token_of("HS256"), {"joe": key_of(jwk, "HS256")}, JOE, EXP - 1)
    assert claims["iss"] == "joe"
    with pytest.raises(WeakKey):
        LegacySecret(unb64url(jwk["k"]), until=datetime(2100, 1, 1, tzinfo=UTC))


def test_the_unsecured_token_of_a5_is_refused() -> None:
    for keys in ({}, {None: key_of(VECTORS["ES256"][0], "ES256")}):
        assert code_of(UNSECURED, keys) == "token_segments"
        assert code_of(UNSECURED + "AA", keys) == "alg_unknown"


def test_the_json_serializations_of_a6_and_a7_are_refused() -> None:
    head, payload, signature = token_of("ES256").split(".")
    flattened = {"payload": payload, "protected": head, "header": {"kid": "e9bc"}, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
    for text in (json.dumps(flattened), json.dumps(general, indent=1)):
        assert code_of(text, {None: key_of(VECTORS["ES256"][0], "ES256")}) == "token_json"


@pytest.mark.parametrize("alg", ["HS256", "RS256"])
def test_the_example_is_signed_to_the_letter(alg: str) -> None:
    jwk, signed, signature = VECTORS[alg]
    if alg == "HS256":
        private = Secret(unb64url(jwk["k"]))
    else:
        half = halves(jwk, alg)[1]
        assert half is not None
        private = pkcs8(half)
    assert signer(alg, private).sign(signed) == unb64url(signature)

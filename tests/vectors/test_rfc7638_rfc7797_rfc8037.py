"""RFC 7638 (thumbprints), RFC 7797 (unencoded payloads, refused), RFC 8037 appendix A (Ed25519)."""

import hmac
import json
from typing import Any, Final

import pytest

from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url, parse_set, thumbprint, unb64url
from jwturn.crypto.import_ import import_key
from jwturn.crypto.sign import signer
from tests.crypto.rfc_vectors import VECTORS
from tests.vectors import edwards
from tests.vectors.level import code_of, key_of

RSA_OF_7638: Final[dict[str, Any]] = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF"
        "V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9"
        "c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1"
        "jF44-csFCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
UNENCODED: Final = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"
UNENCODED_TAG: Final = "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"
ENCODED: Final = "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ"
RFC8032: Final = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
)


def test_the_thumbprint_of_rfc7638_section_3_1() -> None:
    assert thumbprint(RSA_OF_7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    shuffled = dict(reversed((RSA_OF_7638 | {"use": "sig", "x5t": "x"}).items()))
    assert thumbprint(shuffled) == thumbprint(RSA_OF_7638)
    for member in ("n", "e"):
        assert thumbprint(RSA_OF_7638 | {member: "AQAC"}) != thumbprint(RSA_OF_7638)


def test_the_unencoded_payload_of_rfc7797_section_4_2_is_refused_though_its_tag_is_right() -> None:
    secret = unb64url(VECTORS["HS256"][0]["k"])
    tag = hmac.digest(secret, f"{UNENCODED}.$.02".encode(), "sha256")
    assert b64url(tag) == UNENCODED_TAG
    keys = {None: key_of(VECTORS["HS256"][0], "HS256")}
    for payload, code in (("", "token_segments"), ("$.02", "token_segments"), ("JC4wMg", "crit_refused")):
        assert code_of(f"{UNENCODED}.{payload}.{UNENCODED_TAG}", keys) == code


def test_the_encoded_payload_of_rfc7797_section_4_1_holds() -> None:
    assert code_of(ENCODED, {None: key_of(VECTORS["HS256"][0], "HS256")}) == ""


def test_the_signature_of_rfc8037_appendix_a4_is_made_and_holds() -> None:
    jwk, signed, signature = VECTORS["EdDSA"]
    found = import_key(json.dumps(jwk).encode())
    assert (found.alg, found.public and found.public["x"]) == ("EdDSA", jwk["x"])
    assert found.private is not None
    assert signer("EdDSA", found.private).sign(signed) == unb64url(signature)
    assert code_of(f"{signed.decode()}.{signature}", {None: key_of(jwk, "EdDSA")}) == ""


def test_the_thumbprint_of_rfc8037_appendix_a3() -> None:
    assert thumbprint(VECTORS["EdDSA"][0]) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_key_agreement_keys_of_rfc8037_appendix_a6_are_no_signing_keys() -> None:
    agreement = {
        "kty": "OKP",
        "crv": "X25519",
        "kid": "Bob",
        "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
    }
    public = {name: value for name, value in VECTORS["EdDSA"][0].items() if name != "d"} | {"kid": "a"}
    found = parse_set(json.dumps({"keys": [agreement, public]}).encode())
    assert [(key.kid, key.code) for key in found.refused] == [("Bob", "jwk_unknown_alg")]
    with pytest.raises(BadInput):
        import_key(json.dumps(agreement).encode())


@pytest.mark.parametrize(("seed", "message", "signature"), RFC8032)
def test_the_signatures_of_rfc8032_section_7_1(seed: str, message: str, signature: str) -> None:
    raw, data = bytes.fromhex(seed), bytes.fromhex(message)
    public = edwards.encode(edwards.times(edwards.expanded(raw)[0], edwards.B))
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64url(public), "d": b64url(raw)}
    found = import_key(json.dumps(jwk).encode())
    assert found.private is not None
    assert signer("EdDSA", found.private).sign(data).hex() == signature == edwards.sign(raw, data).hex()
    assert key_of(jwk, "EdDSA").verify(data, bytes.fromhex(signature))

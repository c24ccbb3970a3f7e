"""SECURITY.md section 3, row by row: what a header may say beside alg and kid."""

import json
from typing import Any

import pytest

from jwturn.core import jws
from jwturn.core.errors import BadInput
from jwturn.core.jwk import b64url
from jwturn.core.policy import RotationPolicy
from tests.security import forged, forged_headers, mint
from tests.security.court import judged
from tests.service.stage import Stage


def test_crit_is_refused() -> None:
    """CVE-2025-59420, CVE-2026-32597, CVE-2026-48525: crit ignored, or taken for something understood."""
    assert forged.complaints(forged_headers.extensions, only="crit") == []


@pytest.mark.parametrize("alg", mint.ONE_OF_EACH)
def test_crit_is_refused_whatever_it_names(alg: str) -> None:
    for name in ("alg", "kid", "typ", "exp", "b64", "jwk", "zip", "crit", "x5t#S256", "http://x.example/a"):
        there: dict[str, Any] = {} if name in {"alg", "kid", "crit"} else {name: True}
        assert judged(mint.token(alg, crit=[name], **there))
        assert judged(mint.token(alg, crit=[name])) == "crit_refused"


def test_b64_is_refused() -> None:
    assert forged.complaints(forged_headers.extensions, only="b64") == []


def test_b64_is_refused_where_the_payload_is_signed_as_it_is() -> None:
    """RFC 7797 section 3: the signing input has the payload unencoded; a token that is both is two tokens."""
    head = mint.segment(mint.header("ES256", b64=False, crit=["b64"]))
    payload = mint.segment(mint.CLAIMS)
    signature = mint.sign("ES256", head.encode() + b"." + mint.text(mint.CLAIMS))
    assert judged(f"{head}.{payload}.{b64url(signature)}") == "crit_refused"
    assert judged(f"{head}..{b64url(signature)}") == "token_segments"


def test_zip_is_refused() -> None:
    """CVE-2024-33664 and its kin: a small token that unpacks to gigabytes."""
    assert forged.complaints(forged_headers.extensions, only="zip") == []


def test_jwe_is_refused() -> None:
    """CVE-2022-3102: a token of the other kind, decrypted where a signature was expected."""
    assert forged.complaints(forged_headers.serializations, only="segments") == []
    assert forged.complaints(forged_headers.serializations, only="an encrypted token") == []


def test_jwe_is_refused_behind_a_header_of_three_segments_too() -> None:
    for alg in ("dir", "RSA-OAEP", "ECDH-ES", "A128KW", "PBES2-HS256+A128KW"):
        assert judged(mint.token("ES256", alg=alg, enc="A128GCM")) == "alg_unknown"


def test_json_serialization_is_refused() -> None:
    assert forged.complaints(forged_headers.serializations) == []


def test_json_serialization_is_refused_as_a_dict_too() -> None:
    protected, payload, signature = mint.token("ES256").split(".")
    flattened = {"protected": protected, "payload": payload, "signature": signature}
    assert judged(flattened) == "token_type"
    assert judged(json.dumps(flattened)) == "token_json"
    assert judged(json.dumps([flattened]).encode()) == "token_json"


def test_cty_jwt_is_refused() -> None:
    assert forged.complaints(forged_headers.content_types) == []


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "application/at+jwt", ...]
)
def test_the_expected_typ_is_part_of_the_call_and_by_default_jwt_or_at_jwt_or_absent(typ: Any) -> None:
    assert judged(mint.token("ES256", typ=typ)) == ""


def test_the_expected_typ_is_part_of_the_call() -> None:
    assert forged.complaints(forged_headers.types) == []
    for typ in ("at+jwt", "logout+jwt", "secevent+jwt"):
        assert judged(mint.token("ES256", typ=typ), typ=typ) == ""
        for other in ("JWT", "jwt", ..., "", "dpop+jwt", f"{typ}s", f"x{typ}"):
            assert judged(mint.token("ES256", typ=other), typ=typ) == "typ_refused"
        for odd in (None, [typ], 7):
            assert judged(mint.token("ES256", typ=odd), typ=typ) == "typ_malformed"


def test_the_expected_typ_is_part_of_the_call_and_may_be_several() -> None:
    both = ("at+jwt", "JWT")
    assert judged(mint.token("ES256", typ="at+jwt"), typ=both) == ""
    assert judged(mint.token("ES256", typ="JWT"), typ=both) == ""
    assert judged(mint.token("ES256", typ=...), typ=both) == "typ_refused"
    with pytest.raises(BadInput):
        judged("x", typ=())


@pytest.mark.parametrize("named", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_typ_is_compared_lower_cased_and_stripped(named: str) -> None:
    for typ in ("at+jwt", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT"):
        assert judged(mint.token("ES256", typ=typ), typ=named) == ""
    for typ in ("application/application/at+jwt", "text/at+jwt", "at+jwt ", "at +jwt", "application/ at+jwt"):
        assert judged(mint.token("ES256", typ=typ), typ=named) == "typ_refused"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
def test_our_signer_sets_typ(typ: str) -> None:
    token = Stage(typ=typ).node.signing.sign("default", {"sub": "alice"}).token
    assert jws.split(token).header.typ == typ.lower()
    assert RotationPolicy().typ == "JWT"

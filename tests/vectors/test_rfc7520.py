"""RFC 7520 sections 3 and 4: the keys and signatures of the JOSE cookbook."""

import json
from typing import Any, Final

import pytest

from jwturn.core.errors import WeakKey
from jwturn.core.jwk import b64url, parse_set
from jwturn.crypto.import_ import import_key
from tests.vectors.level import code_of, key_of, stored

BOOK: Final = stored("rfc7520.json")
KEYS: Final[dict[str, dict[str, Any]]] = BOOK["keys"]
KEY_OF: Final = {"4.1": "3.3", "4.2": "3.3", "4.3": "3.1", "4.4": "3.5"}


def token_of(section: str) -> str:
    vector = BOOK["signatures"][section]
    return f"{vector['protected']}.{BOOK['payload']}.{vector['signature']}"


@pytest.mark.parametrize("section", KEY_OF)
def test_the_signature_of_section_4_holds(section: str) -> None:
    jwk, alg = KEYS[KEY_OF[section]], BOOK["signatures"][section]["alg"]
    keys = {jwk["kid"]: key_of(jwk, alg)}
    token = token_of(section)
    assert code_of(token, keys) == ""
    for other in set(KEY_OF) - {section}:
        forged = token.rpartition(".")[0] + "." + BOOK["signatures"][other]["signature"]
        assert code_of(forged, keys) == "signature_wrong"
    assert code_of(token.replace(BOOK["payload"], BOOK["payload"][4:]), keys) == "signature_wrong"


def test_another_rsa_algorithm_than_that_of_the_key_is_refused() -> None:
    jwk = KEYS["3.3"]
    assert code_of(token_of("4.1"), {jwk["kid"]: key_of(jwk, "PS384")}) == "alg_mismatch"
    assert code_of(token_of("4.2"), {jwk["kid"]: key_of(jwk, "RS256")}) == "alg_mismatch"


def test_a_detached_payload_is_refused() -> None:
    """Section 4.5 is the signature of 4.4 with the payload somewhere else."""
    vector = BOOK["signatures"]["4.4"]
    keys = {KEYS["3.5"]["kid"]: key_of(KEYS["3.5"], "HS256")}
    assert code_of(f"{vector['protected']}..{vector['signature']}", keys) == "token_segments"


@pytest.mark.parametrize("name", BOOK["json"])
def test_members_outside_of_the_protected_header_are_not_read(name: str) -> None:
    """Sections 4.6 to 4.8: the JSON serializations with unprotected headers, or several signatures."""
    text = json.dumps(BOOK["json"][name] | {"payload": BOOK["payload"]})
    assert code_of(text, {KEYS["3.5"]["kid"]: key_of(KEYS["3.5"], "HS256")}) == "token_json"


@pytest.mark.parametrize(("public", "private", "alg"), [("3.1", "3.2", "ES512"), ("3.3", "3.4", "RS256")])
def test_the_keys_of_section_3_are_read(public: str, private: str, alg: str) -> None:
    without = import_key(json.dumps(KEYS[public]).encode(), alg=alg)
    whole = import_key(json.dumps(KEYS[private]).encode(), alg=alg)
    assert without.public == whole.public
    assert (without.private is None, whole.private is None) == (True, False)
    assert without.kid == whole.kid == "bilbo.baggins@hobbiton.example"


def test_the_public_keys_of_section_3_make_a_set_and_the_private_ones_an_alarm() -> None:
    text = json.dumps({"keys": [KEYS["3.1"], KEYS["3.4"] | {"kid": "sam", "alg": "RS256"}]}).encode()
    found = parse_set(text)
    assert [(key.kid, key.alg) for key in found.keys] == [("bilbo.baggins@hobbiton.example", "ES512")]
    assert [(key.kid, key.code, key.alarm) for key in found.refused] == [("sam", "jwk_private", True)]


def test_the_secret_of_section_3_5_is_one_that_everybody_knows() -> None:
    assert KEYS["3.5"]["alg"] == "HS256"
    with pytest.raises(WeakKey):
        import_key(json.dumps(KEYS["3.5"]).encode())


def test_the_payload_is_the_one_of_section_4() -> None:
    line = "It\u2019s a dangerous business, Frodo, going out your door."
    assert BOOK["payload"].startswith(b64url(line.encode())[:-4])

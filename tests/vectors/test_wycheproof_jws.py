"""The classes of Wycheproof's json_web_signature_test (C2SP/wycheproof, testvectors_v1).

Its modified tokens are made here from the valid ones by the edit that their comment names; those that cannot
be made (an embedded key, an HMAC under the bytes of a public key) are quoted.
"""

import json
from typing import Any, Final, NamedTuple

import pytest

from jwturn.core.jwk import b64url, unb64url
from tests.vectors.level import code_of, key_of


class Group(NamedTuple):
    """A key, the alg it is for, and the token of the case acceptsValid (its payload is foo)."""

    alg: str
    key: dict[str, Any]
    token: str


HS256: Final = Group(
    "HS256",
    {"kty": "oct", "k": "-ebuDNsVZ2iJtoZ-akfXTSCt4UO2cruLCsbWlBinggE", "kid": "kid-aes-sign"},
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1hZXMtc2lnbiJ9.Zm9v.TD37p4c_0jmreSrBSDmE0F3mYSPtkZ3WrSyI5wb_KTg",
)
ES256: Final = Group(
    "ES256",
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",
        "y": "UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw",
        "kid": "kid-ec-sign",
    },
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v"
    ".5cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutrqWrte5P-pAvsE3Ve6xSyU3YDQwUHjVVOtvcrEbbnZ8yA",
)
RS256: Final = Group(
    "RS256",
    {
        "kty": "RSA",
        "n": (
            "kqGboBfAWttWPCA-0cGRgsY6SaYoIARt0B_PkaEcIq9HPYNdu9n6UuWHuuTHrjF_ZoQW97r5HaAorNvrMEGTGdxCHZdEtkHvNVVmrtxT"
            "BLiQCbCozXhFoIrVcr3qUBrdGnNn_M3jJi7Wg7p_-x62nS5gNG875oyheRkutHsQXikFZwsN3q_TsPNOVlCiHy8mxzaFTUQGm-X8UYex"
            "FyAivlDSjgDJLAZSWfxd7k9Gxuwa3AUfQqQcVcegmgKGCaErQ3qQbh1x7WB6iopE3_-GZ8HMAVtR9AmrVscqYsnjhaCehfAI0iKKs8zX"
            "r8tISc0ORbaalrkk03H1ZrsEnDKEWQ"
        ),
        "e": "AQAB",
        "kid": "kid-rsa-sign",
    },
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9.Zm9v"
    ".HUwxI1-cZrZgcuOgBQ7G7NE-GrqK79l6GV1KT4DKXnSMFwC8pfZCzE7pmLE7mYpLCIvzC87yuOjuhT0uW5oe6aaAEtR978cm-q8dfly4"
    "5flqMrd_ifhi9GCsMlyi8dpQ42Ou1etZljFZuWjfyk8CN1c5DaHRwhqjScAPIFp6xmzKIRUJ_xdQfUSfSlujLaixtScU518EoNP4oo1v"
    "7E8RAz6ZO4g2N4Xqs8OvSxYydcoTEg42QnLHe9JnXgI37Q5gSwinwaPsG3Ry56UYiLoL8mCUa74S51y02VsIgVmmGWgaXjM-i_lCiKQD"
    "BiBnvWlka4XhVuvd6ZWibM9cbCPtPg",
)
GROUPS: Final = (HS256, ES256, RS256)
ATTACKER_PROVIDED_EMBEDDED_JWK: Final = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoia2lkLWVjLXNpZ24iLCJ1c2UiOiJz"
    "aWciLCJhbGciOiJFUzI1NiIsIngiOiJNZG5UWkRJaERKYmZBU2RGcWFtY3BPMkNoOUdOS0sybTBNUWxoNDAyU3BvIiwieSI6Ijdhdko0bHFf"
    "V3l4LW5MUERCUTJZcHl0dUh5TWlvMDdCVXl2bDNqYUMtMVkiLCJjcnYiOiJQLTI1NiJ9fQ.Zm9v"
    ".4jmsollQD8ZxvySzXYnIEYA4fwaZi2ZbC0aI1J4LYmW2Bn31NhKdjms2N6o51Dff5-InWXQF9m45VtTexl6yjg"
)
KEY_BYTES_AS_SECRET: Final = (
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.TgWtz2FIRukBQ_mA5sgHa0Ybtgn7bl-YBPAi7Z0XdHU"
)
NONE_WITH_KID: Final = "eyJhbGciOiJub25lIiwia2lkIjoia2lkLWFlcy1zaWduIn0.Zm9v."
NONES: Final = ("eyJhbGciOiJub25lIn0.MTIzNDAw.", "eyJhbGciOiJOT05FIn0.MTIzNDAw.", NONE_WITH_KID)


def code(group: Group, token: str) -> str:
    return code_of(token, {group.key["kid"]: key_of(group.key, group.alg)})


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.alg)
def test_what_is_valid_is_accepted(group: Group) -> None:
    assert code(group, group.token) == ""


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.alg)
def test_what_was_modified_or_left_out_is_rejected(group: Group) -> None:
    head, payload, signature = group.token.split(".")
    flattened = {"protected": head, "header": {"unknown": "untrustworthy"}, "signature": signature}
    cases = {
        "ModifiedSignature": f"{head}.{payload}.X{signature[1:]}",
        "MissingSignature": f"{head}.{payload}.",
        "MissingSignatureAndSeparator": f"{head}.{payload}",
        "ModifiedPayload": f"{head}.WG9v.{signature}",
        "MissingPayload": f"{head}..{signature}",
        "MissingPayloadAndSeparator": f"{head}.{signature}",
        "MissingHeader": f".{payload}.{signature}",
        "MissingHeaderAndSeparator": f"{payload}.{signature}",
        "MissingHeaderAndSignature": f".{payload}.",
        "MissingHeaderSignatureAndSeparators": payload,
        "EmptyString": "",
        "ExtraEmptyComponent": f"{group.token}.",
        "ExtraComponent": f"{group.token}.foo",
        "ValidJsonSerialization": json.dumps({"payload": payload, "signatures": [flattened]}),
        "SpacesInside": f"{head}.{payload} .{signature}",
        "PaddedSignature": f"{group.token}=",
    }
    codes = {name: code(group, token) for name, token in cases.items()}
    assert [name for name, found in codes.items() if not found] == []


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.alg)
def test_a_modified_header_is_rejected(group: Group) -> None:
    kid = group.key["kid"]
    head = b64url(json.dumps({"alg": group.alg, "kid": f"X{kid[1:]}"}, separators=(",", ":")).encode())
    _, payload, signature = group.token.split(".")
    assert code(group, f"{head}.{payload}.{signature}") == "kid_unknown"


@pytest.mark.parametrize("token", NONES)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.alg)
def test_alg_is_none(group: Group, token: str) -> None:
    assert code(group, token) == "token_segments"


def test_a_key_that_an_attacker_provides_in_the_header_is_rejected() -> None:
    assert code(ES256, ATTACKER_PROVIDED_EMBEDDED_JWK) == "signature_wrong"


def test_the_bytes_of_a_public_key_are_no_secret() -> None:
    assert code(ES256, KEY_BYTES_AS_SECRET) == "alg_mismatch"


@pytest.mark.parametrize("other", ["RS384", "RS512", "PS256", "PS384", "PS512"])
def test_a_key_for_another_algorithm_is_rejected(other: str) -> None:
    """WrongPrimitive: the signature is of another algorithm than the key is for."""
    key = key_of(RS256.key, other)
    assert code_of(RS256.token, {RS256.key["kid"]: key}) == "alg_mismatch"
    signed, _, signature = RS256.token.rpartition(".")
    assert not key.verify(signed.encode(), unb64url(signature))

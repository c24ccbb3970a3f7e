"""Nothing of a private half may be seen in a repr, a pickle, a copy or an exception (SECURITY.md 8)."""

import base64
import copy
import json
import pickle
import traceback

import pytest

from jwturn.core.errors import JwturnError
from jwturn.core.jwk import ALGS, b64url
from jwturn.core.secret import Secret
from jwturn.crypto.export import private_jwk, private_pem
from jwturn.crypto.import_ import import_key, import_secret
from jwturn.crypto.seal import seal
from jwturn.crypto.sign import signer
from jwturn.crypto.verify import hmac_key
from tests.crypto.keys import pair
from tests.crypto.test_seal import ONE

CANARY = "Zq7CANARYx9Kp2Wv5Tn8Rb3Ym6Ld4Hs1"


def everything_in(error: BaseException) -> str:
    """What any reporter could print of an exception: its chain, the arguments and attributes of each link."""
    seen, link = [], [error]
    while link:
        one = link.pop()
        seen += [repr(one), str(one), repr(one.args), repr(vars(one))]
        seen += ["".join(traceback.format_exception(one))]
        link += [linked for linked in (one.__cause__, one.__context__) if linked is not None]
    return "".join(seen)


def spellings(secret: bytes) -> list[str]:
    return [
        secret.decode(),
        repr(secret),
        secret.hex(),
        base64.b64encode(secret).decode()[:-4],
        b64url(secret)[:-3],
    ]


@pytest.mark.parametrize("alg", ALGS)
def test_signers_and_key_pairs_have_no_telling_repr_and_no_pickle(alg):
    made = pair(alg)
    one = signer(alg, made.private)
    assert repr(one) == str(one) == f"Signer({alg})"
    assert "***" in repr(made)
    for value in (one, made, made.private):
        for spread in (pickle.dumps, copy.copy if value is not made else pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                spread(value)


def test_an_hmac_verification_key_is_as_silent():
    key = hmac_key("HS256", Secret(CANARY.encode()))
    assert repr(key) == "VerifyKey(HS256)"
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            spread(key)


def test_what_is_imported_shows_no_private_half():
    found = import_secret(CANARY.encode(), alg="HS256")
    assert CANARY not in repr(found)
    with pytest.raises(TypeError):
        pickle.dumps(found)


def test_an_envelope_shows_no_private_half():
    assert CANARY not in repr(seal(Secret(CANARY.encode()), b"", [ONE]))


def jwk_with(**edit: object) -> bytes:
    members: dict[str, object] = dict(private_jwk("ES256", pair("ES256").private))
    return json.dumps(members | edit).encode()


BROKEN = {
    "JSON cut": jwk_with(d=CANARY)[:-1],
    "JSON not UTF-8": jwk_with(d=CANARY) + b"\xff",
    "JSON twice": b'{"d":"' + CANARY.encode() + b'",' + jwk_with(d=CANARY)[1:],
    "JSON spaced and twice": b'{ "d":"' + CANARY.encode() + b'", "d":"x"}',
    "d of another key": jwk_with(d=b64url(CANARY.encode())),
    "d not base64": jwk_with(d=CANARY + "é"),
    "d padded": jwk_with(d=CANARY + "="),
    "d short": jwk_with(d=CANARY),
    "k of a wrong kty": jwk_with(k=CANARY),
    "PEM of junk": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n".encode(),
    "PEM with text": private_pem("ES256", pair("ES256").private, password=None) + CANARY.encode(),
    "DER of junk": b"0" + CANARY.encode(),
    "text": CANARY.encode(),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_refused_key_file_is_not_repeated(kind):
    with pytest.raises(JwturnError) as refused:
        import_key(BROKEN[kind])
    shown = everything_in(refused.value)
    assert not [spelling for spelling in spellings(CANARY.encode()) if spelling in shown]


@pytest.mark.parametrize(
    "secret", [CANARY[:20], CANARY + "\n", f"-----BEGIN {CANARY}", f'{{"k":"{CANARY}"}}', CANARY[:7] * 5]
)
def test_a_refused_secret_is_not_repeated(secret):
    with pytest.raises(JwturnError) as refused:
        import_secret(secret.encode(), alg="HS256")
    assert CANARY[:7] not in everything_in(refused.value)


def test_a_wrong_password_is_not_repeated():
    pem = private_pem("ES256", pair("ES256").private, password=Secret(b"right"))
    with pytest.raises(JwturnError) as refused:
        import_key(pem, password=Secret(CANARY.encode()))
    assert CANARY not in everything_in(refused.value)


def test_a_damaged_private_half_is_not_repeated():
    with pytest.raises(JwturnError) as refused:
        signer("ES256", Secret(CANARY.encode()))
    assert CANARY not in everything_in(refused.value)

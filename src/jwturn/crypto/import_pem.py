"""PEM and DER key files to key objects, strictly (RFC 7468, RFC 5958, RFC 8017, RFC 5915, RFC 5280).

One key per file, nothing around it, under a label of the list. What is something else than a key is named,
with the command that gives the key.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from jwturn.core.errors import BadInput
from jwturn.core.secret import Secret

KEY_LABELS: Final = frozenset(
    {
        "PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
    }
)

_ELSEWHERE: Final = {
    "CERTIFICATE": "take its key: openssl x509 -pubkey -noout -in FILE",
    "CERTIFICATE REQUEST": "take its key: openssl req -pubkey -noout -in FILE",
    "OPENSSH PRIVATE KEY": "convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY",
    "PKCS7": "take the key out of it first",
    "PGP PRIVATE KEY BLOCK": "an OpenPGP key is not for JSON Web Tokens: make a new one",
    "DSA PRIVATE KEY": "there is no DSA in JSON Web Signature: make a new key",
}

_BLOCK: Final = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\r?\n.*?-----END (?P=label)-----", re.DOTALL
)

Loaded: TypeAlias = object
"""A key object of any kind; import_.py takes those of the allow-list."""


def load_pem(data: bytes, password: Secret | None) -> Loaded:
    """The one key of a PEM text; raises BadInput for anything around, beside or instead of it."""
    label, block = _one_block(data)
    if label not in KEY_LABELS:
        raise BadInput(
            f"PEM {label} is not a key file that is taken here", hint=_ELSEWHERE.get(label, _hint())
        )
    if label.endswith("PUBLIC KEY"):
        _no_password(password)
        return _parsed(lambda: serialization.load_pem_public_key(block))
    load = partial(serialization.load_pem_private_key, block, _revealed(password))
    return _parsed(load, encrypted=password is not None)


def load_der(data: bytes, password: Secret | None) -> Loaded:
    """The key of a DER file: PKCS#8 (plain or encrypted), PKCS#1, SEC1 or SPKI; raises BadInput."""
    if (public := _public_der(data)) is not None:
        _no_password(password)
        return public
    load = partial(serialization.load_der_private_key, data, _revealed(password))
    return _parsed(load, encrypted=password is not None)


def _one_block(data: bytes) -> tuple[str, bytes]:
    found = [(match["label"].decode("ascii"), match[0] + b"\n") for match in _BLOCK.finditer(data)]
    if _BLOCK.sub(b"", data).strip():
        raise BadInput("the PEM text is damaged, or has other text around the key", hint=_hint())
    # `openssl ecparam -genkey` writes the curve's name in front, which the key repeats.
    keys = [block for block in found if block[0] != "EC PARAMETERS"]
    if len(keys) != 1:
        raise BadInput(f"the PEM text holds {len(keys)} keys, not one", hint="import them one by one")
    return keys[0]


def _public_der(data: bytes) -> Loaded | None:
    try:
        return serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm, InternalError):
        return None


def _parsed(load: Callable[[], Loaded], *, encrypted: bool = False) -> Loaded:
    """One wrong password in 256 leaves a good padding and nonsense under it: that is no other fault."""
    # The refusal is raised outside of the handlers: the library's errors stay out of its context.
    try:
        return load()
    except TypeError:
        refusal = BadInput(
            "a password is needed for an encrypted key, and only for one", hint="--password-file"
        )
    except (UnsupportedAlgorithm, InternalError) as error:
        if encrypted and isinstance(error, InternalError):
            refusal = _closed()
        else:
            refusal = BadInput("the key's type, curve, encryption or length is not supported", hint=_hint())
    except ValueError:
        damaged = BadInput("the file is not a key, is damaged, or its halves disagree", hint=_hint())
        refusal = _closed() if encrypted else damaged
    raise refusal


def _closed() -> BadInput:
    return BadInput(
        "the password does not open the key", code="wrong_password", hint="try again; or the file is damaged"
    )


def _revealed(password: Secret | None) -> bytes | None:
    return None if password is None else password.reveal()


def _no_password(password: Secret | None) -> None:
    if password is not None:
        raise BadInput("a public key has no password", hint="leave the password out")


def _hint() -> str:
    return "one PEM or DER key: PKCS#8, PKCS#1, SEC1 or a public key; see: openssl pkey -in FILE -noout -text"

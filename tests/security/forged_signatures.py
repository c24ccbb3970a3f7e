"""Forgeries of signatures: cut, stretched, flipped, out of range, in other encodings (SECURITY.md 5).

CVE-2022-21449 for ECDSA; RFC 8032 section 5.1.7 and FIPS 204 algorithm 8 for the others.
"""

import hashlib
import hmac
from collections.abc import Iterator
from itertools import product
from typing import Final

from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwturn.core.jwk import b64url
from jwturn.crypto.private import private_key
from tests.security import forged_rsa, mint
from tests.security.forged_form import Forged
from tests.vectors import curves, edwards

HINT_BYTES: Final = {"ML-DSA-44": (80, 4), "ML-DSA-65": (55, 6), "ML-DSA-87": (75, 8)}
"""Omega and k of FIPS 204 table 1: the hint is the last omega + k bytes of a signature."""


def wrong(name: str, alg: str, signature: bytes) -> Forged:
    return Forged(name, mint.with_signature(alg, signature), "signature_wrong")


def good(alg: str) -> bytes:
    return mint.sign(alg, mint.signing_input(alg).encode())


def seed() -> bytes:
    return mint.private("EdDSA").reveal()[-32:]


def shapes() -> Iterator[Forged]:
    for alg in (*mint.PUBLIC, *mint.HMAC):
        signature = good(alg)
        size, half = len(signature), len(signature) // 2
        for name, forged in {
            "one byte": signature[:1],
            "the first half": signature[:half],
            "the second half": signature[half:],
            "a byte less": signature[:-1],
            "no first byte": signature[1:],
            "a zero behind": signature + b"\0",
            "a zero in front": b"\0" + signature,
            "its own first byte behind": signature + signature[:1],
            "twice itself": signature * 2,
            "backwards": signature[::-1],
            "halves exchanged": signature[half:] + signature[:half],
            "zeros": bytes(size),
            "zeros and a one": bytes(size - 1) + b"\x01",
            "ones": b"\x01" * size,
            "FF": b"\xff" * size,
            "hexadecimal": signature.hex().encode(),
            "base64 of base64": b64url(signature).encode(),
            "inverted": bytes(byte ^ 0xFF for byte in signature),
        }.items():
            yield wrong(f"{alg}: {name}", alg, forged)
        for bit in (0, 7, 8 * half, 8 * half + 7, 8 * size - 8, 8 * size - 1):
            flipped = bytearray(signature)
            flipped[bit // 8] ^= 0x80 >> bit % 8
            yield wrong(f"{alg}: bit {bit} flipped", alg, bytes(flipped))
        yield Forged(f"{alg}: no signature", mint.with_signature(alg, b""), "token_segments")


def other_texts() -> Iterator[Forged]:
    for alg in (*mint.PUBLIC, *mint.HMAC):
        head, payload, signature = mint.token(alg).split(".")
        admin = mint.segment(mint.claims(sub="admin"))
        yield Forged(f"{alg}: other claims", f"{head}.{admin}.{signature}", "signature_wrong")
        later = mint.segment(mint.claims(exp=mint.NOW + 601))
        yield Forged(f"{alg}: a second more", f"{head}.{later}.{signature}", "signature_wrong")
        untyped = mint.segment(mint.header(alg, typ=...))
        yield Forged(f"{alg}: another header", f"{untyped}.{payload}.{signature}", "signature_wrong")
        spaced = mint.segment(mint.text(mint.CLAIMS) + b" ")
        yield Forged(f"{alg}: the same claims and a blank", f"{head}.{spaced}.{signature}", "signature_wrong")
        for name, data in {
            "the claims alone": payload.encode(),
            "the header alone": head.encode(),
            "the texts themselves": mint.text(mint.header(alg)) + b"." + mint.text(mint.CLAIMS),
            "nothing": b"",
            "the segments with no dot": f"{head}{payload}".encode(),
            "the segments and a dot": f"{head}.{payload}.".encode(),
            "the digest of the segments": hashlib.sha256(f"{head}.{payload}".encode()).digest(),
        }.items():
            yield wrong(f"{alg}: over {name}", alg, mint.sign(alg, data))


def ecdsa() -> Iterator[Forged]:
    for alg, curve in curves.CURVES.items():
        signature, size, n = good(alg), curve.size, curve.n
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        top = 2 ** (8 * size) - 1
        special = {"0": 0, "1": 1, "2": 2, "n - 1": n - 1, "n": n, "n + 1": n + 1, "p": curve.p, "top": top}
        for (one, first), (two, second) in product({**special, "r": r}.items(), {**special, "s": s}.items()):
            if (one, two) != ("r", "s"):
                yield wrong(f"{alg}: r = {one}, s = {two}", alg, curves.join(curve, first, second))
        for name, (first, second) in {
            "r + n": (r + n, s),
            "s + n": (r, s + n),
            "both": (r + n, s + n),
        }.items():
            if max(first, second) <= top:
                yield wrong(f"{alg}: {name}", alg, curves.join(curve, first, second))
        der = encode_dss_signature(r, s)
        raw_r, raw_s = signature[:size], signature[size:]
        for name, forged in {
            "n - r": curves.join(curve, n - r, s),
            "DER": der,
            "DER cut to size": der[: 2 * size],
            "DER filled to size": der.ljust(2 * size, b"\0"),
            "DER in front": der + signature,
            "a zero before each": b"\0" + raw_r + b"\0" + raw_s,
            "s before r": raw_s + raw_r,
            "little endian": raw_r[::-1] + raw_s[::-1],
            "r twice": raw_r * 2,
            "the other widths": r.to_bytes(size + 2, "big") + s.to_bytes(size + 2, "big"),
        }.items():
            yield wrong(f"{alg}: {name}", alg, forged)


def eddsa() -> Iterator[Forged]:
    for alg in mint.OKP:
        data, signature = mint.signing_input(alg).encode(), good(alg)
        first, s = signature[:32], int.from_bytes(signature[32:], "little")
        values = {"0": 0, "1": 1, "L": edwards.L, "L - 1": edwards.L - 1, "2**252": 2**252, "top": 2**256 - 1}
        for name, value in values.items():
            yield wrong(f"{alg}: S = {name}", alg, first + value.to_bytes(32, "little"))
        for times in range(1, 15):
            value = s + times * edwards.L
            yield wrong(f"{alg}: S + {times} L", alg, first + value.to_bytes(32, "little"))
        yield wrong(f"{alg}: L - S", alg, first + (edwards.L - s).to_bytes(32, "little"))
        for order, point in enumerate(edwards.small_order()):
            for name, value in {"0": 0, "S": s, "1": 1}.items():
                forged = edwards.encode(point) + value.to_bytes(32, "little")
                yield wrong(f"{alg}: R of small order ({order}), S = {name}", alg, forged)
            if point != edwards.NEUTRAL:
                shifted = edwards.sign(seed(), data, shift=point)
                yield wrong(f"{alg}: R and a point of small order ({order})", alg, shifted)
        for name, encoding in {
            "y = p + 1": edwards.encoded(edwards.P + 1, 0),
            "the other sign": edwards.encoded(1, 1),
            "y = p + 1, the other sign": edwards.encoded(edwards.P + 1, 1),
        }.items():
            yield wrong(f"{alg}: R neutral as {name}", alg, edwards.with_r(seed(), data, encoding))
        yield wrong(f"{alg}: S before R", alg, signature[32:] + signature[:32])
        yield wrong(
            f"{alg}: R of the other sign", alg, first[:31] + bytes([first[31] ^ 0x80]) + signature[32:]
        )
        digest = hashlib.sha512(data).digest()
        yield wrong(f"{alg}: Ed25519ph", alg, edwards.sign(seed(), digest, domain=edwards.dom2(1, b"")))
        for context in (b"", b"JWT"):
            forged = edwards.sign(seed(), data, domain=edwards.dom2(0, context))
            yield wrong(f"{alg}: Ed25519ctx with {context!r}", alg, forged)


def hmacs() -> Iterator[Forged]:
    for alg in mint.HMAC:
        data, name, key = mint.signing_input(alg).encode(), f"sha{alg[2:]}", mint.private(alg).reveal()
        tag = hmac.digest(key, data, name)
        assert mint.with_signature(alg, tag) == mint.over(alg, mint.signing_input(alg))
        for size in sorted({1, 4, 8, 10, 12, 16, 20, 24, 28, len(tag) // 2, len(tag) - 1}):
            yield wrong(f"{alg}: cut to {size} bytes", alg, tag[:size])
        for other in {"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256"} - {name}:
            yield wrong(f"{alg}: the HMAC of {other}", alg, hmac.digest(key, data, other))
            yield wrong(
                f"{alg}: the HMAC of {other}, in its size", alg, hmac.digest(key, data, other)[: len(tag)]
            )
        for what, other_key in {
            "hashed": hashlib.new(name, key).digest(),
            "in hexadecimal": key.hex().encode(),
            "in base64": b64url(key).encode(),
            "cut": key[:-1],
            "stretched": key + b"\x01",
            "and data exchanged": data,
        }.items():
            forged = hmac.digest(other_key, key if other_key is data else data, name)
            yield wrong(f"{alg}: the secret {what}", alg, forged)
        yield wrong(f"{alg}: hash of secret and data", alg, hashlib.new(name, key + data).digest())
        yield wrong(f"{alg}: hash of data and secret", alg, hashlib.new(name, data + key).digest())


def ml_dsa() -> Iterator[Forged]:
    for alg, (omega, k) in HINT_BYTES.items():
        key = private_key(alg, mint.private(alg))
        assert isinstance(key, mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey)
        data, signature = mint.signing_input(alg).encode(), good(alg)
        for context in (b"\0", b"JWT", b"x" * 255):
            forged = key.sign(data, context=context)
            yield wrong(f"{alg}: a context of {len(context)} bytes", alg, forged)
        yield wrong(f"{alg}: the context within the data", alg, key.sign(b"\0\0" + data))
        hint = len(signature) - omega - k
        used = signature[-1]
        for name, place, value in (
            ("more hints than omega", len(signature) - 1, omega + 1),
            ("hint counts that fall", len(signature) - k, min(255, used + 1)),
            ("all hints counted away", len(signature) - 1, 0),
            ("a hint behind the last", hint + omega - 1, signature[hint + omega - 1] ^ 1),
            ("the first hint moved", hint, signature[hint] ^ 1),
            ("z changed", 700, signature[700] ^ 1),
            ("the challenge changed", 0, signature[0] ^ 1),
        ):
            changed = bytearray(signature)
            changed[place] = value
            yield wrong(f"{alg}: {name}", alg, bytes(changed))
        swapped = bytearray(signature)
        swapped[hint], swapped[hint + 1] = swapped[hint + 1], swapped[hint]
        yield wrong(f"{alg}: hints out of order", alg, bytes(swapped))
        equal = bytearray(signature)
        equal[hint + 1] = equal[hint]
        yield wrong(f"{alg}: a hint twice", alg, bytes(equal))
        for other in HINT_BYTES.keys() - {alg}:
            size = len(good(other))
            yield wrong(f"{alg}: in the size of {other}", alg, signature[:size].ljust(size, b"\0"))


def every() -> Iterator[Forged]:
    for family in (shapes, other_texts, ecdsa, eddsa, hmacs, ml_dsa, forged_rsa.every):
        yield from family()

"""Forgeries of RSA signatures: paddings that are nearly right, made with the private key (RFC 8017).

CVE-2006-4339 and its kin: whoever reads the padding leniently lets it be forged where e is small.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from jwturn.core.jwk import b64url
from jwturn.crypto.private import private_key
from tests.security import mint
from tests.security.forged_form import Forged

SIZE: Final = 256
HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
OIDS: Final = {
    "sha256": "608648016503040201",
    "sha384": "608648016503040202",
    "sha512": "608648016503040203",
    "sha512_256": "608648016503040206",
    "sha1": "2b0e03021a",
    "md5": "2a864886f70d0205",
}


@cache
def key() -> rsa.RSAPrivateKey:
    loaded = private_key("RS256", mint.private("RS256"))
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


@cache
def numbers_of() -> rsa.RSAPrivateNumbers:
    return key().private_numbers()


def raw(block: bytes) -> bytes:
    """The block to the power of d: a signature whose padding is just this (RFC 8017 section 5.2.1)."""
    assert len(block) == SIZE
    own, value = numbers_of(), int.from_bytes(block, "big")
    one, two = pow(value, own.dmp1, own.p), pow(value, own.dmq1, own.q)
    return (two + own.q * ((one - two) * own.iqmp % own.p)).to_bytes(SIZE, "big")


def der(tag: int, *parts: bytes, long: bool = False) -> bytes:
    body = b"".join(parts)
    return bytes([tag, 0x81, len(body)] if long else [tag, len(body)]) + body


def digest_info(name: str, digest: bytes, *, null: bytes = b"\x05\x00", long: bool = False) -> bytes:
    identifier = der(0x30, der(0x06, bytes.fromhex(OIDS[name])), null)
    return der(0x30, identifier, der(0x04, digest), long=long)


def block(info: bytes, *, kind: bytes = b"\x00\x01", fill: bytes = b"\xff", behind: bytes = b"") -> bytes:
    filling = SIZE - len(kind) - 1 - len(info) - len(behind)
    return kind + fill * filling + b"\0" + info + behind


def pkcs1_blocks(name: str, data: bytes) -> dict[str, bytes]:
    digest = hashlib.new(name, data).digest()
    info = digest_info(name, digest)
    good = block(info)
    short = b"\x00\x01" + b"\xff" * 8 + b"\0" + info
    blocks = {
        "no NULL": block(digest_info(name, digest, null=b"")),
        "a NULL with a length of its own": block(digest_info(name, digest, null=b"\x05\x81\x00")),
        "another parameter than NULL": block(digest_info(name, digest, null=b"\x04\x00")),
        "rubbish in the parameter": block(digest_info(name, digest, null=b"\x04\x08" + b"rubbish!")),
        "a length in the long form": block(digest_info(name, digest, long=True)),
        "no DigestInfo": block(digest),
        "an octet string alone": block(der(0x04, digest)),
        "another tag": block(b"\x31" + info[1:]),
        "rubbish behind the digest": block(info, behind=b"\0" * 8),
        "rubbish within the DigestInfo": block(der(0x30, info[2:], b"\x05\x00")),
        "eight bytes of FF, then rubbish": short + b"\xa5" * (SIZE - len(short)),
        "no FF": b"\x00\x01\x00" + info + b"\xa5" * (SIZE - 3 - len(info)),
        "block type 0": block(info, kind=b"\x00\x00"),
        "block type 2": block(info, kind=b"\x00\x02"),
        "no leading zero": block(info, kind=b"\x01\x01"),
        "a filling of zeros": block(info, fill=b"\0"),
        "a filling of FE": block(info, fill=b"\xfe"),
        "one byte of the filling changed": good[:20] + b"\xfe" + good[21:],
        "the last byte of the filling changed": good.replace(b"\xff\0" + info, b"\xfe\0" + info),
        "no zero behind the filling": good.replace(b"\xff\0" + info, b"\xff\xff" + info),
        "a digest cut off": block(digest_info(name, digest[:-1])),
        "a digest of nothing": block(digest_info(name, b"")),
        "the data in place of the digest": block(digest_info(name, data[:32])),
        "two digests": block(info + info),
    }
    for other in OIDS.keys() - {name}:
        blocks[f"the digest of {other}"] = block(digest_info(other, hashlib.new(other, data).digest()))
        blocks[f"our digest called {other}"] = block(digest_info(other, digest))
    return blocks


def pkcs1() -> Iterator[Forged]:
    for bits in HASHES:
        alg = f"RS{bits}"
        data = mint.signing_input(alg).encode()
        for name, forged in pkcs1_blocks(f"sha{bits}", data).items():
            yield Forged(f"{alg} with {name}", mint.with_signature(alg, raw(forged)), "signature_wrong")


def pss() -> Iterator[Forged]:
    for bits, digest in HASHES.items():
        alg, size = f"PS{bits}", digest.digest_size
        data = mint.signing_input(alg).encode()
        longest = SIZE - size - 2
        for salt in {0, 1, 8, 20, 32, 48, 64, size - 1, size + 1, longest} - {size}:
            scheme = padding.PSS(padding.MGF1(digest), salt)
            signature = key().sign(data, scheme, digest)
            yield Forged(f"{alg}, a salt of {salt}", mint.with_signature(alg, signature), "signature_wrong")
        for other in {"256", "384", "512"} - {bits}:
            scheme = padding.PSS(padding.MGF1(HASHES[other]), size)
            signature = key().sign(data, scheme, digest)
            yield Forged(
                f"{alg}, MGF1 of SHA-{other}", mint.with_signature(alg, signature), "signature_wrong"
            )
        good = key().sign(data, padding.PSS(padding.MGF1(digest), size), digest)
        numbers = key().public_key().public_numbers()
        encoded = pow(int.from_bytes(good, "big"), numbers.e, numbers.n).to_bytes(SIZE, "big")
        assert encoded[-1] == 0xBC
        for name, changed in {
            "another trailer": encoded[:-1] + b"\xcc",
            "another first byte": bytes([encoded[0] ^ 1]) + encoded[1:],
            "another byte of the masked block": encoded[:40] + bytes([encoded[40] ^ 1]) + encoded[41:],
            "another digest": encoded[:-2] + bytes([encoded[-2] ^ 1]) + encoded[-1:],
        }.items():
            yield Forged(f"{alg} with {name}", mint.with_signature(alg, raw(changed)), "signature_wrong")


def zero_in_front(alg: str) -> tuple[str, bytes]:
    """A signing input whose signature begins with a zero byte, and that signature; one in 256 does."""
    for number in range(100_000):
        signed = f"{mint.segment(mint.header(alg))}.{mint.segment(mint.claims(jti=str(number)))}"
        if (signature := mint.sign(alg, signed.encode()))[0] == 0:
            return signed, signature
    raise AssertionError("no signature begins with a zero byte")


def short() -> Iterator[Forged]:
    """RFC 8017 sections 8.1.2 and 8.2.2: a signature is as long as the modulus, whatever it begins with."""
    for alg in mint.RSA:
        signed, signature = zero_in_front(alg)
        for name, other in {
            "without its leading zero": signature[1:],
            "its leading zero behind": signature[1:] + b"\0",
            "a zero more": b"\0" + signature,
        }.items():
            yield Forged(f"{alg} {name}", f"{signed}.{b64url(other)}", "signature_wrong")


def numbers() -> Iterator[Forged]:
    modulus = key().public_key().public_numbers().n
    for alg in mint.RSA:
        good = int.from_bytes(mint.sign(alg, mint.signing_input(alg).encode()), "big")
        values = {"0": 0, "1": 1, "2": 2, "n": modulus, "n - 1": modulus - 1, "n + 1": modulus + 1}
        values |= {"n - s": modulus - good, "all ones": 2**2048 - 1}
        for name, value in values.items():
            signature = value.to_bytes(SIZE, "big")
            yield Forged(f"{alg} with s = {name}", mint.with_signature(alg, signature), "signature_wrong")
        for times in (1, 2):
            longer = (good + times * modulus).to_bytes(SIZE + 1, "big")
            name = f"{alg} with s + {times} n"
            yield Forged(f"{name}, a byte longer", mint.with_signature(alg, longer), "signature_wrong")
            if longer[0] == 0:
                yield Forged(name, mint.with_signature(alg, longer[1:]), "signature_wrong")


def every() -> Iterator[Forged]:
    for family in (pkcs1, pss, numbers, short):
        yield from family()

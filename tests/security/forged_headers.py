"""Forgeries of the header: alg, crit, b64, zip, cty, typ, and other serializations (SECURITY.md 1 and 3)."""

import json
import zlib
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

from jwturn.core.jwk import b64url
from tests.security import mint
from tests.security.forged_form import Forged

NONES: Final = tuple("".join(letters) for letters in product("nN", "oO", "nN", "eE"))
NEARLY_NONE: Final = (" none", "none ", "none\0", "n\u043ene", "\uff4eone", "none\n", "none\u200b", "NoNe\t")
UNREGISTERED: Final = (
    "",
    "ES256K",
    "ES256K-R",
    "ES384\0",
    "HS1",
    "HS224",
    "HS256/64",
    "RS1",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "PS1",
    "dir",
    "A128KW",
    "A128GCM",
    "ECDH-ES",
    "PBES2-HS256+A128KW",
    "Ed448",
    "ed25519",
    "EDDSA",
    "MLDSA44",
    "ML-DSA",
    "ML-DSA-44-ES256",
    "SLH-DSA-SHA2-128s",
    "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "null",
    "*",
    "RS256,HS256",
    "ES256 none",
)
NOT_A_STRING: Final[tuple[Any, ...]] = (None, 1, 0, True, False, 1.5, {}, [], ...)


def none() -> Iterator[Forged]:
    for spelling in (*NONES, *NEARLY_NONE):
        for head in ({"alg": spelling}, mint.header("ES256", alg=spelling)):
            signed = f"{mint.segment(head)}.{mint.segment(mint.CLAIMS)}"
            name = f"none {spelling!a} {'with' if 'kid' in head else 'without'} kid"
            yield Forged(f"{name}, no signature", signed + ".", "token_segments")
            yield Forged(f"{name}, no third segment", signed, "token_segments")
            yield Forged(f"{name}, some signature", signed + ".AAAA", "alg_unknown")
            yield Forged(f"{name}, truly signed", mint.over("ES256", signed), "alg_unknown")


def alg_names() -> Iterator[Forged]:
    for alg in (*mint.PUBLIC, *mint.HMAC):
        near = {alg.lower(), alg.title(), alg.swapcase(), f" {alg}", f"{alg} ", f"{alg}\0", f"{alg}\n"}
        near |= {alg.replace("-", "_"), alg.replace("S", "\u017f"), f"{alg}\u200b", f"\ufeff{alg}", f"{alg}s"}
        for name in sorted(near - {alg}):
            yield Forged(f"alg {name!a} for {alg}", mint.token(alg, alg=name), "alg_unknown")
        for value in (*NOT_A_STRING, [alg], {alg: alg}, [alg, "none"]):
            yield Forged(f"alg {value!r} for {alg}", mint.token(alg, alg=value), "alg_malformed")
    for name in UNREGISTERED:
        yield Forged(f"unregistered alg {name!a}", mint.token("ES256", alg=name), "alg_unknown")


def extensions() -> Iterator[Forged]:
    crits: tuple[Any, ...] = ([], ["exp"], ["b64"], ["alg"], [""], [None], ["x", "x"], None, "exp", "", {}, 0)
    for value in (*crits, False, ["http://example.com/UNDEFINED"], {"exp": 1}):
        token = mint.token("ES256", crit=value, exp=mint.NOW + 600)
        yield Forged(f"crit {value!r}", token, "crit_refused")
    for value in (True, False, None, "false", 0, []):
        yield Forged(f"b64 {value!r}", mint.token("ES256", b64=value), "b64_refused")
        with_crit = mint.token("ES256", b64=value, crit=["b64"])
        yield Forged(f"b64 {value!r} with crit", with_crit, "crit_refused")
    head = mint.segment(mint.header("ES256", b64=False, crit=["b64"]))
    plain = f"{head}.{json.dumps(mint.CLAIMS, separators=(',', ':'))}"
    yield Forged("b64 false, the payload as it is", mint.over("ES256", plain))
    packed = zlib.compressobj(wbits=-15)
    deflated = packed.compress(mint.text(mint.CLAIMS)) + packed.flush()
    for zipped, value in product((deflated, mint.text(mint.CLAIMS)), ("DEF", "def", "", None, True, "GZIP")):
        name = f"zip {value!r}, {'deflated' if zipped is deflated else 'plain'}"
        yield Forged(name, mint.token("ES256", zipped, zip=value), "zip_refused")


def content_types() -> Iterator[Forged]:
    inner = mint.token("ES256").encode()
    for payload, value in product(
        (inner, mint.text(mint.CLAIMS)),
        ("JWT", "jwt", "application/jwt", "Application/JWT", None, 1, ["JWT"]),
    ):
        name = f"cty {value!r}, {'a token' if payload is inner else 'claims'} within"
        yield Forged(name, mint.token("ES256", payload, cty=value), "cty_refused")
    yield Forged("a token within, no cty", mint.token("ES256", inner))


def types() -> Iterator[Forged]:
    others = (
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "JWS",
        "JWE",
        "JOSE",
        "JOSE+JSON",
        "",
        "id+jwt",
        "jwk",
    )
    nearly = ("jwt ", " JWT", "JWT\0", "application/", "application/application/jwt", "jwt; charset=utf-8")
    nearer = ("text/jwt", "at+jwt+jwt", "at-jwt", "application\\/jwt", "/jwt", "application/JWT/", "J WT")
    for typ in (*others, *nearly, *nearer):
        yield Forged(f"typ {typ!a}", mint.token("ES256", typ=typ), "typ_refused")
    for value in (
        None,
        1,
        True,
        ["JWT"],
        {"typ": "JWT"},
        [],
        "JW\u0422",
        "\uff2aWT",
        "JWT\u200b",
        "\u212aWT",
    ):
        yield Forged(f"typ {value!a}", mint.token("ES256", typ=value), "typ_malformed")


def serializations() -> Iterator[Forged]:
    good = mint.token("ES256")
    protected, payload, signature = good.split(".")
    flattened = {"payload": payload, "protected": protected, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
    smuggled = {"protected": good, "payload": payload, "signature": signature}
    for name, value in {"flattened": flattened, "general": general, "smuggled": smuggled}.items():
        for before in ("", " ", "\n\t", "\ufeff"):
            written = before + json.dumps(value)
            yield Forged(f"JSON serialization, {name}, {before!a} before", written)
            yield Forged(f"JSON serialization, {name}, {before!a} before, bytes", written.encode())
    for form in (
        "{a}.{b}.{c}.{b}.{c}",
        "{a}....",
        "....",
        "{a}..{b}..{c}",
        "{a}.{b}.{c}..",
        "e30.e30.e30.e30.e30",
    ):
        yield Forged(f"five segments {form}", form.format(a=protected, b=payload, c=signature), "token_jwe")
    jwe = b64url(b'{"alg":"dir","enc":"A128GCM","kid":"key-ES256"}')
    yield Forged("an encrypted token", f"{jwe}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", "token_jwe")
    pieces = {
        "empty": "",
        "one dot": ".",
        "two dots": "..",
        "a header": protected,
        "two segments": f"{protected}.{payload}",
        "no signature": f"{protected}.{payload}.",
        "detached payload": f"{protected}..{signature}",
        "no header": f".{payload}.{signature}",
        "a dot before": f".{good}",
        "a dot behind": f"{good}.",
        "four segments": f"{good}.AAAA",
        "six segments": f"{good}.{good}",
        "many dots": "." * 8000,
    }
    for name, piece in pieces.items():
        yield Forged(name, piece, "token_segments")


def every() -> Iterator[Forged]:
    for family in (none, alg_names, extensions, content_types, types, serializations):
        yield from family()

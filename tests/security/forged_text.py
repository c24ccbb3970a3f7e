"""Forgeries of the encoding: alphabet, padding, stray bits, Unicode, JSON, limits (SECURITY.md 4).

Every signature is true for the segments just as they are, so that whoever reads them leniently accepts.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from jwturn.core.jwk import b64url
from tests.security import mint
from tests.security.forged_form import Forged

STRAYS: Final = {
    "padding": "=",
    "much padding": "====",
    "a plus": "+",
    "a slash": "/",
    "a blank": " ",
    "a line end": "\n",
    "CRLF": "\r\n",
    "a tab": "\t",
    "NUL": "\0",
    "a no-break space": "\u00a0",
    "a zero-width space": "\u200b",
    "a mark of byte order": "\ufeff",
    "a fullwidth A": "\uff21",
    "a Cyrillic A": "\u0410",
    "a percent escape": "%41",
    "a JSON escape": "\\u0041",
    "a quote": '"',
    "an exclamation mark": "!",
    "a tilde": "~",
    "a comma": ",",
}
TOO_MANY_DIGITS: Final = ("1" * 21, "-" + "1" * 21, "1" * 100, "9" * 310)
NUMBERS: Final = {
    "NaN": "json_malformed",
    "Infinity": "json_malformed",
    "-Infinity": "json_malformed",
    "1e400": "json_number",
    "-1e400": "json_number",
    "1e99999": "json_number",
    "01": "json_malformed",
    "+1": "json_malformed",
    "1.": "json_malformed",
    ".5": "json_malformed",
    "0x1": "json_malformed",
    "1_0": "json_malformed",
    "1e": "json_malformed",
    "-": "json_malformed",
    "\uff11": "json_malformed",
    "undefined": "json_malformed",
    "True": "json_malformed",
    **dict.fromkeys(TOO_MANY_DIGITS, "json_number"),
}
NO_OBJECTS: Final = (
    b"[]",
    b'"ES256"',
    b"1",
    b"1.5",
    b"true",
    b"null",
    b'["alg","ES256"]',
    b'[{"alg":"ES256"}]',
)


def strayed(segments: list[str], place: int, stray: str) -> str:
    """The token with one segment changed, the signature made over what is then there."""
    head, payload = segments[:2]
    if place == 2:
        return ".".join(segments[:2]) + "." + segments[2] + stray
    return _signed_anyway(head + stray if place == 0 else head, payload + stray if place == 1 else payload)


def _signed_anyway(head: str, payload: str) -> str:
    signed = f"{head}.{payload}"
    return f"{signed}.{b64url(mint.sign('ES256', signed.encode()))}"


def segments_of(alg: str = "ES256") -> list[str]:
    return mint.token(alg).split(".")


def alphabet() -> Iterator[Forged]:
    segments = segments_of()
    for place, where in enumerate(("header", "claims", "signature")):
        for name, stray in STRAYS.items():
            yield Forged(f"{where} with {name} behind", strayed(segments, place, stray), "token_base64")
        for name, stray in STRAYS.items():
            changed = list(segments)
            changed[place] = stray + changed[place]
            again = _signed_anyway(changed[0], changed[1]) if place < 2 else ".".join(changed)
            yield Forged(f"{where} with {name} in front", again, "token_base64")
            middle = list(segments)
            middle[place] = middle[place][:8] + stray + middle[place][8:]
            again = _signed_anyway(middle[0], middle[1]) if place < 2 else ".".join(middle)
            yield Forged(f"{where} with {name} within", again, "token_base64")


def lengths() -> Iterator[Forged]:
    for alg in ("ES256", "EdDSA", "HS256"):
        head, payload, signature = segments_of(alg)
        for name, length in (("one more", 1), ("five more", 5)):
            for more in ("A" * length, "_" * length):
                padded = {"header": head, "claims": payload, "signature": signature}
                for where, text in padded.items():
                    whole = text + "A" * (-len(text) % 4) + more
                    parts = [whole if text == own else own for own in padded.values()]
                    signed = mint.over(alg, ".".join(parts[:2])) if where != "signature" else ".".join(parts)
                    yield Forged(f"{alg}: {where} with {name} ({more})", signed)


def stray_bits() -> Iterator[Forged]:
    """The last character of a segment changed in the bits that no byte takes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spaces = (b"", b" ", b"  ")
    for first, second in ((first, second) for first in spaces for second in spaces):
        head = mint.segment(mint.text(mint.header("ES256")) + first)
        payload = mint.segment(mint.text(mint.CLAIMS) + second)
        signature = mint.over("ES256", f"{head}.{payload}").split(".")[2]
        for place, segment in enumerate((head, payload, signature)):
            unused = {0: 1, 2: 16, 3: 4}[len(segment) % 4]
            for stray in {1, unused // 2, unused - 1} - {0}:
                if unused == 1:
                    continue
                last = alphabet[alphabet.index(segment[-1]) + stray]
                parts = [head, payload, signature]
                parts[place] = segment[:-1] + last
                again = _signed_anyway(parts[0], parts[1]) if place < 2 else ".".join(parts)
                name = f"stray bits {stray} in segment {place}, {len(first)} and {len(second)} blanks"
                yield Forged(name, again, "token_base64")


def whole_tokens() -> Iterator[Forged]:
    good = mint.token("ES256")
    for name, stray in STRAYS.items():
        if name not in {"padding", "a plus", "a slash"}:
            yield Forged(f"a token with {name} in front", stray + good)
            yield Forged(f"a token with {name} behind", good + stray)
            yield Forged(f"bytes with {name} behind", (good + stray).encode())
    for before in ("Bearer ", "bearer ", "JWT ", '"', "'", "token=", "[", "<", "\\"):
        yield Forged(f"a token behind {before!r}", before + good)
    for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7", "cp037"):
        data = good.encode(code)
        if data != good.encode():
            yield Forged(f"a token in {code}", data)
    yield Forged("fullwidth letters", "".join(chr(ord(c) + 0xFEE0) for c in good), "token_base64")
    yield Forged("other dots", good.replace(".", "\u3002"))
    yield Forged("upper case", good.upper())
    yield Forged("lone surrogates", good + "\ud800", "token_base64")
    yield Forged("bytes beyond ASCII", good.encode() + b"\xff", "token_base64")
    long = mint.token("ES256", mint.claims(pad="x" * 13_000))
    assert len(long) > 16 * 1024
    yield Forged("a token above 16 KiB", long, "token_too_long")
    yield Forged("a token above 16 KiB, bytes", long.encode(), "token_too_long")
    yield Forged("a megabyte of dots", "." * 1_000_000, "token_too_long")
    yield Forged("a megabyte of A", "A" * 1_000_000, "token_too_long")
    wide = mint.header("ES256", pad="x" * 1024)
    yield Forged("a header above 1 KiB", mint.with_header("ES256", wide), "header_too_long")
    views = (bytearray(good.encode()), memoryview(good.encode()))
    others: tuple[Any, ...] = (None, 0, 1.5, True, [], {}, [good], (good,), *views)
    for value in others:
        yield Forged(f"{type(value).__name__} in place of a token ({value!r:.20})", value, "token_type")


def duplicated(text: bytes, name: str, value: str) -> dict[str, bytes]:
    """The object with a member twice: in front, behind, escaped, within a nested object."""
    member = json.dumps(name).encode()
    escaped = ('"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"').encode()
    first = ('"' + f"\\u{ord(name[0]):04X}" + name[1:] + '"').encode()
    other = value.encode()
    return {
        "behind": text[:-1] + b"," + member + b":" + other + b"}",
        "in front": b"{" + member + b":" + other + b"," + text[1:],
        "escaped behind": text[:-1] + b"," + escaped + b":" + other + b"}",
        "escaped in front": b"{" + first + b":" + other + b"," + text[1:],
        "within another": text[:-1] + b',"x":{' + member + b":1," + member + b":1}}",
        "within a list": text[:-1] + b',"x":[[{' + member + b":1," + first + b":2}]]}",
    }


def malformed(plain: str) -> dict[str, str]:
    """Texts that some parsers take for JSON, each from the good one."""
    inner = plain[1:-1]
    return {
        "a comma behind": f"{{{inner},}}",
        "no comma": f'{{{inner} "x":1}}',
        "a comment": f"{{{inner}/* x */}}",
        "a line comment": f"{{{inner}}}//",
        "single quotes": plain.replace('"', "'"),
        "names without quotes": f"{{{inner},x:1}}",
        "rubbish behind": plain + "x",
        "another object behind": plain + plain,
        "a line of JSON behind": plain + "\n{}",
        "a NUL behind": plain + "\0",
        "a form feed around": f"\f{plain}",
        "a no-break space around": f"\u00a0{plain}",
        "no end": plain[:-1],
        "no beginning": plain[1:],
        "a control character in a string": f'{{{inner},"x":"\n"}}',
        "a NUL in a string": f'{{{inner},"x":"\0"}}',
        "an unknown escape": f'{{{inner},"x":"\\x41"}}',
        "a short escape": f'{{{inner},"x":"\\u41"}}',
        "a number as a name": f"{{{inner},1:1}}",
    }


def broken(text: bytes) -> dict[str, tuple[bytes, str]]:
    """Texts that are no strict JSON, each from the good one, with the code of its fault."""
    plain = text.decode()
    inner = plain[1:-1]
    nested = {n: "[" * n + "]" * n for n in (16, 17, 100, 300)}
    texts: dict[str, tuple[bytes, str]] = {
        f"depth {n} within": (f'{{{inner},"x":{brackets}}}'.encode(), "json_depth")
        for n, brackets in nested.items()
    }
    deep = '{"x":' * 17 + "1" + "}" * 17
    texts["objects 18 deep"] = (f'{{{inner},"x":{deep}}}'.encode(), "json_depth")
    texts["brackets that do not end"] = (f'{{{inner},"x":{"[" * 300}'.encode(), "json_depth")
    for number, code in NUMBERS.items():
        texts[f"the number {number[:24]}, {len(number)} long"] = (f'{{{inner},"x":{number}}}'.encode(), code)
        texts[f"the number {number[:24]}, {len(number)} long, in a list"] = (
            f'{{{inner},"x":[[{number}]]}}'.encode(),
            code,
        )
    for name, bad in malformed(plain).items():
        texts[name] = (bad.encode(), "json_malformed")
    for name, data in {
        "UTF-8 with a mark of byte order": b"\xef\xbb\xbf" + text,
        "UTF-16": plain.encode("utf-16"),
        "UTF-16 LE": plain.encode("utf-16-le"),
        "UTF-16 BE": plain.encode("utf-16-be"),
        "UTF-32": plain.encode("utf-32"),
        "Latin-1": f'{{{inner},"x":"\u00e9"}}'.encode("latin-1"),
        "an overlong quote": text[:-1] + b',"x":"\xc0\xa2"}',
        "an overlong slash": text[:-1] + b',"x":"\xe0\x80\xaf"}',
        "a surrogate": text[:-1] + b',"x":"\xed\xa0\x80"}',
        "beyond Unicode": text[:-1] + b',"x":"\xf4\x90\x80\x80"}',
        "half a character": text[:-1] + b',"x":"\xc3"}',
        "CESU-8": text[:-1] + b',"x":"\xed\xa0\xbd\xed\xb8\x80"}',
    }.items():
        texts[name] = (data, "")
    return texts


def json_texts() -> Iterator[Forged]:
    head, payload = (
        json.dumps(part, separators=(",", ":")).encode() for part in (mint.header("ES256"), mint.CLAIMS)
    )
    for name, (data, code) in broken(head).items():
        yield Forged(f"header: {name}", mint.with_header("ES256", data), code)
    for name, (data, code) in broken(payload).items():
        yield Forged(f"claims: {name}", mint.token("ES256", data), code)
    for member, value in (
        ("alg", '"none"'),
        ("alg", '"ES256"'),
        ("kid", '"x"'),
        ("typ", '"JWT"'),
        ("b64", "true"),
    ):
        both = head[:-1] + b',"b64":true}' if member == "b64" else head
        for name, data in duplicated(both, member, value).items():
            yield Forged(
                f"header: {member} {value} twice, {name}", mint.with_header("ES256", data), "json_duplicate"
            )
    values = {"exp": "9999999999", "iss": '"x"', "aud": '"x"', "sub": '"admin"', "iat": "1", "jti": '"1"'}
    for member, value in values.items():
        for name, data in duplicated(payload, member, value).items():
            yield Forged(f"claims: {member} twice, {name}", mint.token("ES256", data), "json_duplicate")
    for data in NO_OBJECTS:
        yield Forged(f"header: {data!r}", mint.with_header("ES256", data), "header_not_object")
        yield Forged(f"claims: {data!r}", mint.token("ES256", data), "claims_not_object")


def every() -> Iterator[Forged]:
    for family in (alphabet, lengths, stray_bits, whole_tokens, json_texts):
        yield from family()

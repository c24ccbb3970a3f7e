"""What a hostile or broken site may do, as data: each act with the codes that a fetch ends with.

And bodies that are no set, or one that must not be used, though the site answers well.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.verifier.hostile import Act, Talk

JSON = {"Content-Type": "application/json"}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GIGABYTE = 1 << 30
PAUSE_SECONDS = 0.02
"""Between the bytes of a slow answer: well below a deadline, so that only a total one ends it."""


@dataclass(frozen=True, eq=False)
class Hostile:
    """An act once the request was read (or in place of a greeting), and the codes it ends with."""

    act: Act
    codes: frozenset[str]


def _then_drip(head: bytes, piece: bytes, talk: Talk) -> None:
    if head:
        talk.send(head)
    talk.repeat(piece, pause_seconds=PAUSE_SECONDS)


def _then_flood(head: bytes, piece: bytes, talk: Talk) -> None:
    talk.send(head)
    talk.repeat(piece)


def _then_reset(head: bytes, talk: Talk) -> None:
    if head:
        talk.send(head)
    talk.reset()


def _raw(data: bytes, talk: Talk) -> None:
    talk.send(data)


def _status(status: int, headers: Mapping[str, str], body: bytes, talk: Talk) -> None:
    talk.reply(status, headers, body)


def _redirect(status: int, talk: Talk) -> None:
    """To another path of this very site, where a good set is."""
    talk.reply(status, {"Location": f"{talk.site.issuer}/elsewhere"})


def gzip_bomb(talk: Talk) -> None:
    """A megabyte of blanks in a kilobyte, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"{") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    talk.send(OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + head)
    talk.repeat(block)


def empty_gzip_blocks(talk: Talk) -> None:
    """Packed bytes without end that unpack to nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"{") + packer.flush(zlib.Z_FULL_FLUSH)
    talk.send(OK + b"Content-Encoding: gzip\r\n\r\n" + head)
    talk.repeat(b"\x00\x00\x00\xff\xff" * 4096)


def _packed(data: bytes, coding: str = "gzip") -> Act:
    return partial(_status, 200, JSON | {"Content-Encoding": coding}, data)


def _hostile(act: Act, *codes: str) -> Hostile:
    return Hostile(act, frozenset(f"fetch_{code}" for code in codes))


SLOW = {
    "never a word": _hostile(Talk.wait_for_the_end, "timeout"),
    "slow status line": _hostile(partial(_then_drip, b"HTTP/1.1 200 ", b"O"), "timeout"),
    "slow header name": _hostile(partial(_then_drip, OK, b"x"), "timeout"),
    "slow headers": _hostile(partial(_then_drip, OK, b"a: b\r\n"), "timeout", "malformed"),
    "slow interim answers": _hostile(partial(_then_drip, b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
    "slow body": _hostile(partial(_then_drip, OK + b"Content-Length: 9000\r\n\r\n{", b" "), "timeout"),
    "slow body to the end": _hostile(partial(_then_drip, OK + b"\r\n{", b" "), "timeout"),
    "slow chunks": _hostile(
        partial(_then_drip, OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "timeout"
    ),
    "slow chunk size": _hostile(
        partial(_then_drip, OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"), "timeout", "malformed"
    ),
    "slow trailers": _hostile(
        partial(_then_drip, OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"a: b\r\n"), "timeout"
    ),
}
"""A byte now and then, for half a minute, in each phase of an answer."""

SLOW_GREETINGS = {
    "never a handshake": _hostile(Talk.wait_for_the_end, "timeout"),
    "slow handshake": _hostile(partial(_then_drip, b"\x16\x03\x03\x3f\x00\x02", b"\x00"), "timeout"),
}
"""The same before TLS is there: the record that never ends is a ServerHello of 16,128 bytes."""

HUGE = {
    "a gigabyte": _hostile(
        partial(_then_flood, OK + b"Content-Length: %d\r\n\r\n" % GIGABYTE, b" " * 4096), "too_large"
    ),
    "no end": _hostile(partial(_then_flood, OK + b"\r\n", b" " * 4096), "too_large"),
    "chunks without end": _hostile(
        partial(_then_flood, OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"),
        "too_large",
    ),
    "one huge chunk": _hostile(
        partial(_then_flood, OK + b"Transfer-Encoding: chunked\r\n\r\n40000000\r\n", b" " * 4096), "too_large"
    ),
    "a gzip bomb": _hostile(gzip_bomb, "too_large"),
    "gzip of nothing": _hostile(empty_gzip_blocks, "too_large"),
    "headers without end": _hostile(partial(_then_flood, OK, b"a: b\r\n" * 100), "malformed"),
    "a header without end": _hostile(partial(_then_flood, OK + b"a: ", b"b" * 4096), "malformed"),
    "a reason without end": _hostile(partial(_then_flood, b"HTTP/1.1 200 ", b"b" * 4096), "malformed"),
    "interim answers without end": _hostile(
        partial(_then_flood, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "malformed", "timeout"
    ),
    "a chunk size without end": _hostile(
        partial(_then_flood, OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 4096), "malformed"
    ),
    "trailers without end": _hostile(
        partial(_then_flood, OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 100),
        "malformed",
        "timeout",
    ),
    "an error page of a gigabyte": _hostile(
        partial(_then_flood, b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n" % GIGABYTE, b" " * 4096),
        "status",
    ),
}
"""Answers without end: each is left long before it could hurt."""

BROKEN = {
    "reset at once": _hostile(partial(_then_reset, b""), "connection"),
    "reset in the headers": _hostile(partial(_then_reset, OK), "connection"),
    "reset in the body": _hostile(partial(_then_reset, OK + b"Content-Length: 9000\r\n\r\n{"), "connection"),
    "closed at once": _hostile(partial(_raw, b""), "malformed"),
    "closed in the status line": _hostile(partial(_raw, b"HTTP/1."), "malformed"),
    "closed in the body": _hostile(partial(_raw, OK + b"Content-Length: 9000\r\n\r\n{"), "malformed"),
    "closed in a chunk": _hostile(
        partial(_raw, OK + b"Transfer-Encoding: chunked\r\n\r\n20\r\n{"), "malformed"
    ),
    "a chunk size that is none": _hostile(
        partial(_raw, OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "malformed"
    ),
    "a negative chunk size": _hostile(
        partial(_raw, OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"), "malformed"
    ),
    "HTTP/0.9": _hostile(partial(_raw, b'{"keys":[]}'), "malformed"),
    "noise": _hostile(partial(_raw, bytes(range(256)) * 4), "malformed"),
    "another protocol": _hostile(partial(_raw, b"SSH-2.0-OpenSSH_9.2\r\n"), "malformed"),
    "a cut gzip body": _hostile(_packed(gzip.compress(b'{"keys":[]}')[:-9]), "encoding"),
    "gzip and more": _hostile(_packed(gzip.compress(b"{}") + gzip.compress(b"{}")), "encoding"),
    "gzip that is none": _hostile(_packed(b'{"keys":[]}'), "encoding"),
    "an unknown coding": _hostile(_packed(b'{"keys":[]}', "br"), "encoding"),
    "two codings": _hostile(_packed(b'{"keys":[]}', "gzip, gzip"), "encoding"),
}
"""Answers that are cut, or no HTTP."""

WRONG = {
    **{f"redirect {status}": _hostile(partial(_redirect, status), "redirect") for status in (301, 302, 303)},
    **{f"redirect {status}": _hostile(partial(_redirect, status), "redirect") for status in (307, 308)},
    "a redirect to itself": _hostile(lambda talk: talk.reply(302, {"Location": talk.path}), "redirect"),
    "a redirect to a file": _hostile(
        lambda talk: talk.reply(302, {"Location": "file:///etc/passwd"}), "redirect"
    ),
    **{f"status {status}": _hostile(partial(_status, status, {}, b"{}"), "status") for status in (204, 400)},
    **{f"status {status}": _hostile(partial(_status, status, {}, b""), "status") for status in (403, 500)},
    "not here": _hostile(partial(_status, 404, {}, b""), "status"),
    "too busy": _hostile(partial(_status, 503, {"Retry-After": "1"}, b"{}"), "status"),
    "unchanged, though nothing was held": _hostile(partial(_status, 304, {}, b""), "status"),
    "a page": _hostile(partial(_status, 200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>"), "type"),
    "a picture": _hostile(partial(_status, 200, {"Content-Type": "image/png"}, b"\x89PNG"), "type"),
}
"""Good HTTP, and not what was asked for."""

Set = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Bad:
    """The body that is made of a good set, and the codes that a fetch of it ends with."""

    made: Callable[[Set], bytes]
    codes: frozenset[str]


def _bad(made: Callable[[str], str | bytes], *codes: str) -> Bad:
    def of(jwks: Set) -> bytes:
        body = made(json.dumps(jwks))
        return body if isinstance(body, bytes) else body.encode()

    return Bad(of, frozenset(codes))


def _keys(text: str) -> list[dict[str, Any]]:
    return json.loads(text)["keys"]


def _set(keys: list[dict[str, Any]]) -> str:
    return json.dumps({"keys": keys})


_SECRET = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}
BAD_BODIES = {
    "nothing": _bad(lambda _: "", "json_malformed"),
    "an empty set": _bad(lambda _: '{"keys":[]}', "jwks_empty"),
    "no members": _bad(lambda _: "{}", "jwks_malformed"),
    "keys that are no list": _bad(lambda _: '{"keys":{}}', "jwks_malformed"),
    "keys that are no objects": _bad(lambda _: '{"keys":[1]}', "jwks_malformed"),
    "a list": _bad(lambda text: json.dumps(_keys(text)), "jwks_malformed"),
    "a key without its set": _bad(lambda text: json.dumps(_keys(text)[0]), "jwks_malformed"),
    "a page by another name": _bad(lambda _: "<html></html>", "json_malformed"),
    "a byte order mark": _bad(lambda text: b"\xef\xbb\xbf" + text.encode(), "json_encoding"),
    "UTF-16": _bad(lambda text: text.encode("utf-16"), "json_encoding"),
    "bytes of no encoding": _bad(lambda text: text.encode()[:-1] + b',"x":"\xff"}', "json_encoding"),
    "more after the set": _bad(lambda text: text + "{}", "json_malformed"),
    "a set cut short": _bad(lambda text: text[:-2], "json_malformed"),
    "keys twice": _bad(lambda text: text[:-1] + ',"keys":[]}', "json_duplicate"),
    "a member twice, escaped": _bad(lambda text: text.replace("{", '{"\\u006bid":"x",', 2), "json_duplicate"),
    "a secret beside": _bad(lambda text: _set([*_keys(text), _SECRET]), "jwks_oct"),
    "private members": _bad(lambda text: _set([{**key, "d": "AA"} for key in _keys(text)]), "jwks_empty"),
    "each kid twice": _bad(lambda text: _set(_keys(text) * 2), "jwks_empty"),
    "for encryption": _bad(lambda text: _set([{**key, "use": "enc"} for key in _keys(text)]), "jwks_empty"),
    "of unknown types": _bad(lambda text: _set([{**key, "kty": "XX"} for key in _keys(text)]), "jwks_empty"),
}
"""Bodies of a good answer that give no usable key: each is a failed refresh."""

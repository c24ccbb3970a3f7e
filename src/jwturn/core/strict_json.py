"""JSON as SECURITY.md section 4 wants it: one reading or none (RFC 8259, I-JSON RFC 7493).

Two parsers that read the same bytes differently are a way past a check, so what is ambiguous is refused:
duplicate members at any level, other encodings than UTF-8, numbers that do not fit. msgspec refuses all of
that but duplicates, depth and long integers. Most texts are decided cheaply: one that fits a shallow type is
neither deep nor has long integers, and `names_once` sees most that have no duplicates. Only what these leave
open (deeper nesting, escaped quotes, longer integers) goes through the slower second reading.
"""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, NoReturn, TypeAlias

import msgspec

from jwturn.core.errors import BadInput

DEPTH_MAX: Final = 16
DIGITS_MAX: Final = 20
_SHALLOW_DEPTH: Final = 4
NOT_SHALLOW: Final = (msgspec.DecodeError, ValueError, OverflowError)
"""What `shallow` raises where it does not decide."""

CODES: Final = {
    "json_encoding": "the text is not UTF-8, or begins with a byte order mark",
    "json_malformed": "the text is not JSON (RFC 8259); NaN and Infinity are not JSON",
    "json_number": f"a number is out of range, or an integer has more than {DIGITS_MAX} digits",
    "json_depth": "arrays and objects are nested too deep",
    "json_duplicate": "an object names a member twice",
}

_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))

_Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Scalar: TypeAlias = str | _Int64 | float | bool | None
_Third: TypeAlias = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Second: TypeAlias = _Scalar | list[_Third] | dict[str, _Third]
_Shallow: TypeAlias = dict[str, _Scalar | list[_Second] | dict[str, _Second]]

_decode: Final = msgspec.json.Decoder().decode
shallow: Final[Callable[[bytes], dict[str, Any]]] = msgspec.json.Decoder(_Shallow).decode
"""The object in a text of the commonest kind: 4 levels, integers of 64 bits, duplicates unseen."""
_encode: Final = msgspec.json.Encoder().encode


def loads(data: bytes, *, depth: int = DEPTH_MAX) -> object:
    """The value of a JSON text; raises BadInput with one of CODES (SECURITY.md 4)."""
    if depth >= _SHALLOW_DEPTH:
        try:
            value = shallow(data)
            if names_once(data, value):
                return value
        except NOT_SHALLOW:
            pass
    return _loads_any(data, depth)


def object_reader(refusal: Callable[[str], Exception]) -> Callable[[bytes], dict[str, Any]]:
    """A function that reads as `loads` does, where an object is expected.

    It raises `refusal(code)`, with one of CODES or `not_object`. One frame, for the hot path.
    """
    decode, encode = shallow, _encode

    def read(data: bytes) -> dict[str, Any]:
        try:
            value = decode(data)
            if encode(value) == data or names_once(data, value):
                return value
        except NOT_SHALLOW:
            pass
        try:
            anything = _loads_any(data, DEPTH_MAX)
        except BadInput as error:
            raise refusal(error.code) from error
        if type(anything) is not dict:
            raise refusal("not_object")
        return anything

    return read


def names_once(data: bytes, value: dict[str, Any]) -> bool:
    """Whether the text of a value that `shallow` read surely names no member twice.

    It is byte for byte what the value is written as, or has just two quotes for each string of the value: a
    member that was named again left its quotes in the text, and no string in the value.
    """
    if _encode(value) == data:
        return True
    strings = 0
    inside: list[Any] = [value]
    for one in inside:
        if type(one) is str:
            strings += 1
        elif type(one) is dict:
            strings += len(one)
            inside += one.values()
        elif type(one) is list:
            inside += one
    return data.count(b'"') == 2 * strings


def _loads_any(data: bytes, depth: int) -> object:
    """The strict reading of any text: a scan for depth, a decoder for grammar, another for the rest."""
    if data.count(b"[") + data.count(b"{") > depth and _deeper_than(data, depth):
        raise _refused("json_depth")
    try:
        value: object = _decode(data)
    except UnicodeDecodeError as error:
        raise _refused("json_encoding") from error
    except msgspec.ValidationError as error:
        raise _refused("json_number") from error
    except msgspec.DecodeError as error:
        raise _refused("json_encoding" if data.startswith(_BOMS) else "json_malformed") from error
    except (ValueError, OverflowError) as error:
        raise _refused("json_number") from error
    except RecursionError as error:
        raise _refused("json_depth") from error
    _read_again(data)
    return value


def _read_again(data: bytes) -> None:
    """The strict reading, for texts with spaces, escapes or unusual numbers."""
    try:
        _STRICT.decode(data.decode())
    except UnicodeDecodeError as error:
        raise _refused("json_encoding") from error
    except (ValueError, RecursionError) as error:
        raise _refused("json_malformed") from error


def _deeper_than(data: bytes, depth: int) -> bool:
    """Whether brackets outside of strings nest deeper than `depth`: a scan, before any parser recurses."""
    level = 0
    for byte in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        level += 1 if byte in b"[{" else -1
        if level > depth:
            return True
    return False


def _members(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _refused("json_duplicate")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_MAX:
        raise _refused("json_number")
    return 0


def _constant(_: str) -> NoReturn:
    raise _refused("json_malformed")


def _refused(code: str) -> BadInput:
    return BadInput(f"refused JSON: {CODES[code]}", code=code, hint="send JSON as in RFC 8259 and RFC 7493")


_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=float, parse_constant=_constant
)

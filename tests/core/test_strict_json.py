"""SECURITY.md section 4, the rows about JSON: one reading or none."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jwturn.core import strict_json
from jwturn.core.errors import BadInput

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20) + 1, 10**20 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def code_of(data: bytes, **options: int) -> str:
    with pytest.raises(BadInput) as caught:
        strict_json.loads(data, **options)
    return caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"alg":"HS256","\\u0061lg":"none"}',
        b'{"a":{"b":1,"b":2}}',
        b'[[{"b":[],"b":[]}]]',
        b'{"a" :1,"a" :2}',
        b'{"":1,"":2}',
        b'{"\\/":1,"/":2}',
        '{"é":1,"\\u00e9":2}'.encode(),
        b'{"a":1,"b":2,"a":1}',
        b'{"a": ":", "a": 1}',
        b'{"a": {"x": 1}, "a": {}}',
        b'{"a\\"": 1, "\\u0061\\"": 2}',
        b'{"a": {":": 1, "\\u003a": ":"}, "b": [":"]}',
    ],
)
def test_duplicate_members_are_refused_at_any_level_also_when_escaped(text: bytes) -> None:
    assert code_of(text) == "json_duplicate"


@pytest.mark.parametrize("text", [b'{"a:b": ":\\":", "c": {":": ":"}}', b'{ "a" : [":", "\\\\"] }', b"{ }"])
def test_a_colon_within_a_string_is_no_member(text: bytes) -> None:
    assert strict_json.loads(text) == json.loads(text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "\\u0061", ":", '\\"']), st.sampled_from(['"x:"', "1", "[]"]))
    ),
    st.sampled_from([(",", ":"), (", ", ": "), ("\n, ", " :\t")]),
)
def test_spaced_and_escaped_members_are_counted_as_they_are_named(
    members: list[tuple[str, str]], marks: tuple[str, str]
) -> None:
    text = "{" + marks[0].join(f'"{name}"{marks[1]}{value}' for name, value in members) + "}"
    names = [json.loads(f'"{name}"') for name, _ in members]
    if len(set(names)) < len(names):
        assert code_of(text.encode()) == "json_duplicate"
    else:
        assert strict_json.loads(text.encode()) == json.loads(text)


def test_the_same_name_in_two_objects_is_no_duplicate() -> None:
    assert strict_json.loads(b'{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}') == {
        "a": {"a": 1},
        "b": [{"a": 1}, {"a": 2}],
    }


@pytest.mark.parametrize(
    "text",
    [
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b"\xfe\xff\x00{\x00}",
        b'"\xff"',
        b'{"\xff":1}',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
    ],
)
def test_only_utf8_without_a_byte_order_mark_is_read(text: bytes) -> None:
    assert code_of(text) == "json_encoding"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_without_a_mark_are_refused(codec: str) -> None:
    assert code_of('{"alg":"ES256"}'.encode(codec)) == "json_malformed"


@pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b'{"exp":-Infinity}', b'{"a": NaN}', b"nan", b"inf"])
def test_nan_and_infinity_are_refused(text: bytes) -> None:
    assert code_of(text) == "json_malformed"


@pytest.mark.parametrize("text", [b"1e400", b"[-1e400]", b'{"exp":1e999999999}', b"9" * 400 + b".0"])
def test_numbers_out_of_range_are_refused(text: bytes) -> None:
    assert code_of(text) == "json_number"


@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_have_at_most_twenty_digits(sign: str) -> None:
    fits, long = f"{sign}{'9' * 20}", f"{sign}1{'0' * 20}"
    assert strict_json.loads(fits.encode()) == int(fits)
    assert strict_json.loads(f'{{ "a": {fits} }}'.encode()) == {"a": int(fits)}
    assert code_of(long.encode()) == code_of(f'{{ "a": [{long}] }}'.encode()) == "json_number"
    assert code_of(("9" * 5000).encode()) == "json_number"


def test_digits_in_a_string_are_not_an_integer() -> None:
    assert strict_json.loads(b'"' + b"9" * 60 + b'"') == "9" * 60


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded_before_parsing(pair: tuple[str, str]) -> None:
    opening, closing = pair
    assert strict_json.loads((opening * 16 + "1" + closing * 16).encode())
    assert code_of((opening * 17 + "1" + closing * 17).encode()) == "json_depth"
    assert code_of((opening * 200_000).encode()) == "json_depth"
    assert code_of(b"[[1]]", depth=1) == "json_depth"


def test_brackets_in_strings_and_many_shallow_arrays_are_not_depth() -> None:
    assert strict_json.loads(b'["' + b"[{" * 20 + b'\\"[[["]') == ["[{" * 20 + '"[[[']
    assert strict_json.loads(b"[" + b"[],{}," * 40 + b"[]]") == [[], {}] * 40 + [[]]


def test_a_long_row_of_quotes_is_scanned_once() -> None:
    assert code_of(b"[" * 17 + b'"' + b'\\"' * 250_000) == "json_depth"
    assert code_of(b"{}" * 17 + b'"' + b'\\"' * 250_000 + b"\\") == "json_malformed"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"01",
        b"1.",
        b"+1",
        b"{}x",
        b"{}{}",
        b"'a'",
        b'"\t"',
        b'"\x00"',
        b"\x0b1",
        b"{1:2}",
        b'"\\ud800"',
        b'"\\ude00\\ud83d"',
        b'"\\x"',
        b"// c\n1",
        b"[}",
        b"\xc2\xa01",
    ],
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    assert code_of(text) in {"json_malformed", "json_encoding"}


@given(JSON, st.booleans(), st.booleans())
def test_any_json_value_is_read_however_it_is_written(value: Any, ascii_only: bool, spaces: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1 if spaces else None).encode()
    assert strict_json.loads(text) == value


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0061ab19.eE+- \n', max_size=40).map(str.encode))
@example(b'{"a":1,"a":2}')
def test_nothing_but_bad_input_leaves_and_its_code_is_listed(data: bytes) -> None:
    try:
        value = strict_json.loads(data)
    except BadInput as refused:
        assert refused.code in strict_json.CODES
        assert refused.hint
    else:
        assert json.loads(data) == value


SHALLOW = st.dictionaries(
    st.text(max_size=4),
    st.none()
    | st.text(max_size=4)
    | st.lists(st.text(max_size=2) | st.dictionaries(st.text(max_size=2), st.text())),
    max_size=4,
)


@given(SHALLOW, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_names_that_come_once_are_mostly_seen_at_once(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    data = text.encode("utf-8")
    assert strict_json.shallow(data) == value
    assert strict_json.names_once(data, value) or '\\"' in text


@pytest.mark.parametrize("space", ["", " ", "\n", "\t", "\r\n "])
@pytest.mark.parametrize("first", ['"b"', "1", '{"c":"d"}', '["e",{}]', '"\\""'])
def test_a_name_that_comes_twice_is_never_seen_as_once(space: str, first: str) -> None:
    text = f'{{"a"{space}:{first},"x":{{"y":"z"}},"a":{space}"b"}}'.encode()
    value = strict_json.shallow(text)
    assert not strict_json.names_once(text, value)
    assert code_of(text) == "json_duplicate"

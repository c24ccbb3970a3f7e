"""Secrets are compared by hmac.compare_digest, and none is kept in the repository."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy import tree

ROOMS = ("crypto", "custody", "server/auth.py")
SECRET_WORDS = {"secret", "digest", "mac", "signature"}
ABOUT_ONE = {"alg", "bits", "count", "kind", "len", "length", "name", "names", "size"}
PRIVATE_PEM = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=:,\- \r\n]{40}")
PRIVATE_JWK = re.compile(rb"""["'](?:d|k|priv)["']\s*:\s*["'][A-Za-z0-9_-]{40,}""")


def spoken(node: ast.expr) -> str:
    """The name by which an operand is known: a variable, an attribute, a call, a constant subscript."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner):
            return spoken(inner)
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Subscript(value=inner):
            return spoken(inner)
    return ""


def is_secret(name: str) -> bool:
    words = name.lower().strip("_").split("_")
    return words[-1] not in ABOUT_ONE and bool(SECRET_WORDS & set(words) or "token_hash" in name)


def leaky_comparisons(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if not isinstance(node, ast.Compare):
            continue
        equality = any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        if equality and any(is_secret(spoken(operand)) for operand in (node.left, *node.comparators)):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def guarded() -> list[Path]:
    return [
        path for path in tree.python("src") if path.relative_to(tree.PACKAGE).as_posix().startswith(ROOMS)
    ]


def test_secrets_are_compared_in_constant_time() -> None:
    assert [
        (tree.name(path), bad) for path in guarded() for bad in leaky_comparisons(tree.parsed(path))
    ] == []


@pytest.mark.parametrize(
    "line",
    [
        "mac == given",
        "a != key.signature",
        "hmac.digest(k, m, 'sha256') == tag",
        "row['token_hash'] == h",
        "x == my_secret[:8]",
    ],
)
def test_a_leaky_comparison_is_noticed(line: str) -> None:
    assert len(list(leaky_comparisons(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["len(secret) == 32", "machine == 1", "digest_size != 32", "mac is None", "kty == 'secret'"]
)
def test_what_is_known_about_a_secret_may_be_compared(line: str) -> None:
    assert list(leaky_comparisons(ast.parse(line))) == []


def kept_private(data: bytes) -> bool:
    return bool(PRIVATE_PEM.search(data) or PRIVATE_JWK.search(data))


def test_no_private_key_is_kept_outside_tests() -> None:
    paths = [path for path in tree.files() if not path.is_relative_to(tree.ROOT / "tests")]
    assert [tree.name(path) for path in paths if kept_private(path.read_bytes())] == []


def test_a_private_key_is_noticed() -> None:
    assert kept_private(b"-----BEGIN EC PRIVATE KEY-----\n" + b"A" * 64)
    assert kept_private(b'{"kty":"OKP","d": "' + b"A" * 43 + b'"}')
    assert not kept_private(b'b"-----BEGIN PRIVATE KEY-----" in data')
    assert not kept_private(b'{"kty":"OKP","x":"' + b"A" * 43 + b'"}')

"""core decides on what it is handed: no clock, no randomness, no I/O. Elsewhere one file reads the time."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy import tree

PURE = {
    *("__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "copy"),
    *("dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq"),
    *("hmac", "ipaddress", "itertools", "json", "math", "numbers", "operator", "re", "string", "struct"),
    *("textwrap", "types", "typing", "unicodedata", "urllib.parse", "zlib"),
}
EFFECTS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
CLOCK_READS = {"now", "utcnow", "today"}
CLOCK = tree.PACKAGE / "ports" / "clock.py"
TIME_OF_DAY = {
    *("clock_gettime", "clock_gettime_ns", "gmtime", "localtime"),
    *("monotonic", "monotonic_ns", "time", "time_ns"),
}


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def is_pure(name: str) -> bool:
    return name in PURE or name.startswith(("collections.", "msgspec", "jwturn.core"))


def impurities(module: ast.Module) -> Iterator[str]:
    yield from (f"imports {name}" for name in imported(module) if not is_pure(name))
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EFFECTS:
            yield f"line {node.lineno} calls {node.func.id}"
    yield from clock_reads(module)


def clock_reads(module: ast.Module) -> Iterator[str]:
    """Calls of datetime.now and its like, and of the time module's clocks (perf_counter dates nothing)."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, called = ast.unparse(node.func.value).rpartition(".")[2], node.func.attr
            if (owner in {"datetime", "date"} and called in CLOCK_READS) or (
                owner == "time" and called in TIME_OF_DAY
            ):
                yield f"line {node.lineno} reads a clock"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (
                f"line {node.lineno} takes a clock" for alias in node.names if alias.name in TIME_OF_DAY
            )


def test_core_has_no_effects() -> None:
    found = [
        (tree.name(path), bad)
        for path in tree.python("src/jwturn/core")
        for bad in impurities(tree.parsed(path))
    ]
    assert found == []


def test_only_the_clock_port_reads_the_time() -> None:
    paths = [path for path in tree.python("src") if path != CLOCK]
    assert [(tree.name(path), bad) for path in paths for bad in clock_reads(tree.parsed(path))] == []


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import time",
        "from random import choice",
        "from pathlib import Path",
        "import urllib.request",
        "from jwturn.ports import clock",
        "from . import keys",
        "import cryptography",
        "open('x')",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
    ],
)
def test_an_effect_in_core_is_noticed(line: str) -> None:
    assert len(list(impurities(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["time.time()", "time.clock_gettime(time.CLOCK_BOOTTIME)", "from time import monotonic"]
)
def test_a_clock_read_elsewhere_is_noticed(line: str) -> None:
    assert len(list(clock_reads(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["time.sleep(1)", "clock.now()", "time.perf_counter()", "datetime.fromtimestamp(0, UTC)"]
)
def test_a_clock_that_was_handed_in_may_be_asked(line: str) -> None:
    assert list(clock_reads(ast.parse(line))) == []

"""The budgets of the style: small files, small functions, few parameters, flat classes, rare comments."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator

import pytest

from tests.tidy import tree

FORBIDDEN_FILES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
FORBIDDEN_CLASSES = re.compile(r"(Manager|Helper|Handler|Processor|Base)$|^(Base|Abstract)[A-Z]")
PRAGMA = re.compile(r"#\s*(type:\s*ignore|noqa)")
REASONED = re.compile(r"#\s*(type:\s*ignore\[[\w, -]+\]|noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)\s+#\s*\w.*")

Findings = Iterator[str]


def comments(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds))


def long_files(text: str) -> Findings:
    if (lines := len(text.splitlines())) > 350:
        yield f"{lines} lines (350)"


def long_functions(text: str) -> Findings:
    for node in functions(text):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if (lines := (node.end_lineno or first) - first + 1) > 50:
            yield f"{node.name} has {lines} lines (50)"


def wide_functions(text: str) -> Findings:
    for node in functions(text):
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        if len(names) - (names[:1] in (["self"], ["cls"])) > 5:
            yield f"{node.name} takes more than 5 positional parameters"


def many_comments(text: str) -> Findings:
    said = [comment for comment in comments(text) if not PRAGMA.search(comment)]
    if len(said) > max(2, 0.08 * len(text.splitlines())):
        yield f"{len(said)} comments (8 % of lines)"


def bare_pragmas(text: str) -> Findings:
    for comment in comments(text):
        if PRAGMA.search(comment) and not REASONED.search(comment):
            yield f"no code or no reason: {comment}"


def vague_classes(text: str) -> Findings:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and FORBIDDEN_CLASSES.search(node.name):
            yield f"class {node.name}: say what it is"


TOO_MUCH: dict[Callable[[str], Findings], str] = {
    long_files: "x = 1\n" * 351,
    long_functions: "def f():\n" + "    x = 1\n" * 50,
    wide_functions: "def f(self, a, b, c, d, e, g): ...",
    many_comments: "# one\n# two\n# three\n" + "x = 1\n" * 20,
    bare_pragmas: "x = 1  # noqa\n",
    vague_classes: "class KeyManager: ...",
}


@pytest.mark.parametrize("budget", TOO_MUCH, ids=lambda budget: budget.__name__)
def test_every_file_keeps_the_budget(budget: Callable[[str], Findings]) -> None:
    paths = tree.python("src", "tests", "bench")
    assert [f"{tree.name(path)}: {found}" for path in paths for found in budget(path.read_text())] == []


@pytest.mark.parametrize("budget", TOO_MUCH, ids=lambda budget: budget.__name__)
def test_a_budget_notices_too_much(budget: Callable[[str], Findings]) -> None:
    assert len(list(budget(TOO_MUCH[budget]))) == 1


@pytest.mark.parametrize(
    ("comment", "allowed"),
    [
        ("# type: ignore[arg-type]  # why", True),
        ("# noqa: S310  # why", True),
        ("# noqa: S310", False),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore  # why", False),
    ],
)
def test_an_exception_to_a_rule_has_a_code_and_a_reason(comment: str, allowed: bool) -> None:
    assert (list(bare_pragmas(f"x = 1  {comment}\n")) == []) is allowed


def test_no_file_is_named_for_nothing() -> None:
    assert [tree.name(path) for path in tree.python("src", "tests") if path.name in FORBIDDEN_FILES] == []


def depths(sources: list[str]) -> dict[str, int]:
    """How many classes of ours each class stands on, itself counted."""
    bases: dict[str, list[str]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]

    def depth(name: str) -> int:
        ours = [base for base in bases[name] if base in bases and base != name]
        return 1 + max(map(depth, ours), default=0)

    return {name: depth(name) for name in bases}


def test_classes_are_flat() -> None:
    errors = depths([(tree.PACKAGE / "core" / "errors.py").read_text()])
    found = depths([path.read_text() for path in tree.python("src")])
    assert {name: depth for name, depth in found.items() if depth > (3 if name in errors else 2)} == {}


def test_depth_counts_only_classes_of_ours() -> None:
    assert depths(["class A(Exception): ...\nclass B(A): ...", "class C(x.B, Generic[T]): ..."]) == {
        "A": 1,
        "B": 2,
        "C": 3,
    }

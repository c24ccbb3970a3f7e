"""What is in the repository works on any machine, and is tested as much as it is written."""

import re
import tomllib
from itertools import chain

import pytest

import jwturn
from tests.tidy import tree

FOLDERS = "work|root|opt|home|Users"
MACHINE_PATH = re.compile(rf"(?<![\w./:*-])/(?:{FOLDERS})/[\w.-]")
REGISTRIES = re.compile(
    r"pypi\.org|python[h]osted|npmjs\.(?:org|com)|crates\.io|proxy\.golang", re.IGNORECASE
)


def strays(text: str) -> list[str]:
    return MACHINE_PATH.findall(text) + REGISTRIES.findall(text)


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = {tree.name(path): strays(path.read_text(errors="replace")) for path in tree.files()}
    assert {name: bad for name, bad in found.items() if bad} == {}


@pytest.mark.parametrize(
    "parts",
    [
        (" /", "work/main"),
        ("'/", "home/me/x"),
        ("https://pypi", ".org/simple"),
        ("files.python", "hosted.org"),
    ],
)
def test_a_stray_is_noticed(parts: tuple[str, str]) -> None:
    assert len(strays("".join(parts))) == 1


def test_a_path_within_the_project_is_no_stray() -> None:
    assert strays("src/work/x https://example.com/home/x ./root/y") == []


def lines(*folders: str) -> int:
    return sum(len(path.read_text().splitlines()) for path in tree.python(*folders))


def test_tests_are_at_least_as_long_as_the_code() -> None:
    assert lines("tests") >= lines("src")


def locked() -> dict[str, str]:
    return dict(
        re.findall(r"^([\w.-]+)==([^ ]+) ", (tree.ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )


def test_every_dependency_is_locked_with_hashes_and_no_index() -> None:
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    names = {re.split(r"[^\w.-]", want)[0].lower().replace("_", "-") for want in wanted}
    assert names - locked().keys() == set()
    text = (tree.ROOT / "requirements.lock").read_text()
    assert re.findall(r"^[\w.-]+==\S+(?: ;[^\\\n]*)? (?!\\\n    --hash=sha256:).*", text, re.MULTILINE) == []
    assert re.findall(r"^--.*|@ file:.*|https?://.*", text, re.MULTILINE) == []


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == jwturn.__version__

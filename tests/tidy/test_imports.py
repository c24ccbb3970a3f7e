"""`import jwturn` is cheap and its face is complete."""

import subprocess
import sys

import pytest

import jwturn

HEAVY = {
    *(
        "boto3",
        "click",
        "fastapi",
        "httpx2",
        "jinja2",
        "jwt",
        "prometheus_client",
        "psycopg",
        "rich",
        "sqlite3",
    ),
    *("starlette", "structlog", "urllib.request", "uvicorn", "uvloop"),
}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_importing_jwturn_loads_no_framework() -> None:
    assert HEAVY & loaded_by("import jwturn") == set()


def test_the_import_of_a_framework_would_be_noticed() -> None:
    assert HEAVY & loaded_by("import sqlite3, urllib.request") == {"sqlite3", "urllib.request"}


@pytest.mark.parametrize("name", jwturn.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(jwturn, name) is not None


def test_all_lists_every_public_name_once() -> None:
    public = {
        name
        for name, value in vars(jwturn).items()
        if name[0] != "_" and getattr(value, "__module__", "").startswith("jwturn")
    }
    assert public <= set(jwturn.__all__)
    assert len(set(jwturn.__all__)) == len(jwturn.__all__)
    assert "__version__" in jwturn.__all__

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
BEYOND_VERIFYING = HEAVY | {
    *("asyncio", "concurrent.futures", "email", "flask", "grpc", "http.client", "httpx2", "logging", "ssl"),
    *("jwturn.cli", "jwturn.custody", "jwturn.server", "jwturn.service", "jwturn.stores"),
    *("google", "azure", "botocore", "hypothesis", "sqlalchemy", "urllib.error", "jwturn.verifier.aio"),
    *("jwturn.verifier.legacy", "jwturn.verifier.wire"),
}
"""What a verifier that is handed its set never needs: frameworks, SQL, cloud SDKs, event loops, clients."""
OFFLINE = """
import json
from jwturn import Verifier
from jwturn.crypto.generate import generate
key = {**generate("ES256").public, "kid": "k"}
Verifier(issuer="https://a.example", audience="orders", jwks=json.dumps({"keys": [key]}).encode())
Verifier(issuer="https://a.example", audience="orders")
"""


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_importing_jwturn_loads_no_framework() -> None:
    assert HEAVY & loaded_by("import jwturn") == set()


def test_the_import_of_a_framework_would_be_noticed() -> None:
    assert HEAVY & loaded_by("import sqlite3, urllib.request") == {"sqlite3", "urllib.request"}


@pytest.mark.parametrize("statement", ["from jwturn import Verifier, TokenRefused, KeysUnavailable", OFFLINE])
def test_a_verifier_loads_no_more_than_it_needs(statement: str) -> None:
    found = loaded_by(statement)
    assert "jwturn.verifier.sync" in found
    assert BEYOND_VERIFYING & found == set()


def test_what_a_verifier_does_without_would_be_noticed() -> None:
    loads = {"asyncio", "email", "http.client", "logging", "ssl", "urllib.request", "httpx2", "click"}
    assert loads <= BEYOND_VERIFYING & loaded_by(f"import {', '.join(loads)}")


def test_the_async_verifier_loads_its_client_only_when_it_is_made() -> None:
    assert {"httpx2", "urllib.request"} & loaded_by("from jwturn import AsyncVerifier") == set()


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

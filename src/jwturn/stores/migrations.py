"""Forward-only migrations of a SQLite store: `schema/sqlite-NNNN.sql`, the number in PRAGMA user_version."""

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from jwturn.core.errors import ConfigError

APPLICATION_ID: Final = 0x6A777472
"""`jwtr`: which program a SQLite file belongs to."""
_NAME: Final = re.compile(r"sqlite-([0-9]{4})\.sql")


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Brings a database to the newest schema, each step in a transaction of its own; an empty one is begun.

    Raises ConfigError for another program's database and for one that a newer jwturn wrote.
    """
    steps = scripts()
    found = _version(connection, path, newest=max(steps))
    for number in range(found + 1, max(steps) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection, path, newest=max(steps)) < number:
                for statement in _statements(steps[number]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def scripts() -> dict[int, str]:
    """The migrations there are, by number."""
    found = {}
    for file in files("jwturn.stores").joinpath("schema").iterdir():
        if match := _NAME.fullmatch(file.name):
            found[int(match[1])] = file.read_text(encoding="utf-8")
    return found


def _version(connection: sqlite3.Connection, path: Path, *, newest: int) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    used = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
    if owner != APPLICATION_ID and (used or version):
        raise ConfigError(
            f"{path} is a database of another program",
            hint="name another file: store = sqlite:///path/to/jwturn.db",
        )
    if version > newest:
        raise ConfigError(
            f"{path} has schema {version}; this jwturn knows schemas up to {newest}",
            hint="use the jwturn that wrote it, or a newer one; nothing was changed",
            code="newer_store",
        )
    return version


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

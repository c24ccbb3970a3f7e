"""One call of `jwturn`: what it was given, what it opens with it, whom it talks to.

Results go to stdout, talk to stderr. Nothing is coloured unless stdout is a terminal and nobody said
NO_COLOR.
"""

import getpass
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwturn.core.errors import BadInput

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from jwturn.compose import App
    from jwturn.core.ledger import Actor
    from jwturn.core.secret import Secret
    from jwturn.custody.uri import SecretSource
    from jwturn.ports.clock import Clock
    from jwturn.settings import Settings

SCHEMA = "jwturn/1"


@dataclass(slots=True)
class Invocation:
    """The options that every verb takes, and the clock (None: the system's)."""

    clock: "Clock | None" = None
    config: Path | None = None
    ring: str | None = None
    json: bool = False
    no_color: bool = False
    _settings: "Settings | None" = None

    def settings(self, *, new: bool = False, given: dict[str, str] | None = None) -> "Settings":
        """The settings; `given` are JWTURN_* values from the command line. Raises ConfigError."""
        from jwturn.settings import load

        if self._settings is None or given:
            self._settings = load({**os.environ, **(given or {})}, config=self.config, new=new)
            for warning in self._settings.warnings:
                self.warn(warning)
        return self._settings

    @contextmanager
    def open(self, *, declared: bool = True) -> Iterator["App"]:
        """The app on the store of the settings, closed at the end. Raises as `compose.open_app` does.

        `declared` False leaves out the policies that the settings declare: for the verbs that change them.
        """
        from jwturn.compose import open_app

        settings = self.settings()
        if not declared:
            settings = replace(settings, rings={})
        app = open_app(settings, clock=self.clock, source=self.source(settings))
        try:
            yield app
        finally:
            app.close()

    def source(self, settings: "Settings") -> "SecretSource":
        """Where the KEK's secrets come from: the settings, or a person at a terminal."""
        from jwturn.custody.uri import SecretSource

        def ask(new: bool) -> "Secret":  # noqa: FBT001  # the port hands it in so
            return ask_secret("Passphrase of the store", new=new)

        return SecretSource(
            passphrase=settings.store.kek_passphrase,
            prompt=ask if at_terminal() else None,
            credentials=settings.credentials,
        )

    @property
    def ring_name(self) -> str:
        """The ring that was named, or the settings' own."""
        return self.ring or self.settings().service.ring

    @property
    def color(self) -> bool:
        """Whether stdout may be coloured."""
        return sys.stdout.isatty() and not self.no_color and not os.environ.get("NO_COLOR")

    def actor(self, why: str | None = None) -> "Actor":
        """Who asks, and why: the user of the operating system."""
        from jwturn.core.ledger import Actor

        return Actor(f"person:{_user()}@{socket.gethostname()}", why or "")

    def show(self, text: str) -> None:
        """A result in words; nothing under --json."""
        if not self.json:
            click.echo(text)

    def emit(self, **members: Any) -> None:
        """The result as JSON, under --json only."""
        if self.json:
            import msgspec

            text = msgspec.json.encode({"schema": SCHEMA, **members})
            click.echo(msgspec.json.format(text, indent=2).decode())

    def say(self, text: str) -> None:
        """Talk, to stderr; nothing under --json."""
        if not self.json:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """A warning, to stderr."""
        click.echo(f"warning: {text}", err=True)

    def busy(self, what: str) -> "AbstractContextManager[Any]":
        """Shows at a terminal that something takes its time."""
        if not sys.stderr.isatty() or self.json:
            return nullcontext()
        from rich.console import Console

        return Console(stderr=True, no_color=not self.color).status(what)

    def confirm(self, kid: str, shown: str, what: str, *, yes: bool) -> None:
        """A person types the kid back, whole or as shown.

        Raises UsageError where nobody can be asked and --yes was not said, BadInput for another kid.
        """
        if yes:
            return
        if not at_terminal():
            raise click.UsageError(f"{what} asks at a terminal for the kid; without one say --yes")
        typed = click.prompt(f"Type the kid to {what} ({shown})", prompt_suffix=": ", err=True)
        if typed.strip() not in (kid, shown):
            raise BadInput(
                "that is another kid; nothing was changed", hint=f"it is {shown}", code="not_confirmed"
            )


def _user() -> str:
    """The user of the operating system: the name, or the number where nobody gave it one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_secret(what: str, *, new: bool) -> "Secret":
    """A secret typed at the terminal, unseen; a new one twice."""
    from jwturn.core.secret import Secret

    typed = click.prompt(what, hide_input=True, confirmation_prompt=new, err=True)
    return Secret(typed.encode())


def read_input(source: str, *, limit: int) -> bytes:
    """The bytes of a file, or of stdin for `-`. Raises NotFound, TooLarge, NotPermitted."""
    from jwturn.core.errors import NotFound, TooLarge
    from jwturn.ports.files import naming

    if source == "-" and sys.stdin is None:
        raise click.UsageError("standard input is closed: name a file")
    if source == "-":
        data = sys.stdin.buffer.read(limit + 1)
    else:
        try:
            with naming(Path(source)), Path(source).open("rb") as file:
                data = file.read(limit + 1)
        except NotFound as error:
            raise NotFound(error.message, hint="name a file that is there, or `-` for stdin") from error
    if len(data) > limit:
        raise TooLarge(f"the input is larger than {limit} bytes", hint="is it the right one?")
    return data


def read_password(path: Path) -> "Secret":
    """The first line of a private file. Raises NotFound, NotPermitted."""
    from jwturn.core.secret import Secret
    from jwturn.ports.files import read_private

    return Secret(read_private(path, limit=4096).split(b"\n")[0].removesuffix(b"\r"))

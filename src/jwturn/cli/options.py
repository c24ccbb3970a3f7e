"""The classes of verbs, and the options they share; what every verb takes may stand before or after it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from jwturn.cli.invocation import Invocation

F = TypeVar("F", bound=Callable[..., Any])
_DASHED_KID: Final = re.compile(r"-[A-Za-z0-9_][A-Za-z0-9_-]{6,}|--[A-Za-z0-9_-]{20,}")
"""A kid of ours (RFC 7638, base64url) that begins with a dash."""


def common() -> list[click.Parameter]:
    """The options of every verb."""
    kept: dict[str, Any] = {"expose_value": False, "callback": _keep}
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Settings (./jwturn.toml).",
            **kept,
        ),
        click.Option(["--ring"], metavar="NAME", help="The ring (the settings' own).", **kept),
        click.Option(["--json"], is_flag=True, help="Print JSON, schema jwturn/1.", **kept),
        click.Option(["--no-color"], is_flag=True, help="Never colour the output.", **kept),
    ]


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    invocation = ctx.find_object(Invocation)
    if invocation is not None and value not in (None, False):
        setattr(invocation, str(param.name), value)


class Verb(click.Command):
    """A verb: takes the common options, and shows an example below its help."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.params = [*self.params, *common()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A kid may begin with a dash: such an argument is moved behind `--`."""
        if any(param.name == "kid" for param in self.params if isinstance(param, click.Argument)):
            options = {name for param in self.params for name in param.opts}
            kids = [arg for arg in args if _DASHED_KID.fullmatch(arg) and arg not in options]
            if kids and "--" not in args:
                args = [arg for arg in args if arg not in kids] + ["--", *kids]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example."""
        super().format_epilog(ctx, formatter)
        if self.example:
            with formatter.section("Example"):
                for line in self.example.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class VerbGroup(click.Group):
    """A verb with verbs of its own, such as `policy set`."""

    command_class = Verb

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *common()]


class Span(click.ParamType[timedelta]):
    """A duration such as 12h; timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Reads it. Raises BadInput."""
        del param, ctx
        from jwturn.core.durations import parse_duration

        return value if isinstance(value, timedelta) else parse_duration(value)


class Instant(click.ParamType[datetime]):
    """A time such as 2026-03-01T12:00Z (ISO 8601); one without an offset is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Reads it. Raises UsageError."""
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-03-01T12:00Z", param, ctx)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


SPAN = Span()
INSTANT = Instant()


def reason(command: F) -> F:
    """--reason: why, for the audit chain."""
    return click.option("--reason", metavar="TEXT", help="Why, for the audit chain.")(command)


def dry_run(command: F) -> F:
    """--dry-run: change nothing."""
    return click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")(command)


def yes(command: F) -> F:
    """--yes: do not ask."""
    return click.option("--yes", is_flag=True, help="Do not ask for the kid to be typed back.")(command)


def wide(command: F) -> F:
    """--wide: kids whole."""
    return click.option("--wide", is_flag=True, help="Show kids whole, and more columns.")(command)

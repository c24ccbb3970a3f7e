"""The `jwturn` command: verbs are imported when they are asked for; errors become exit codes in one place.

0 done or nothing to do, 1 failed, 2 changes pending or findings, 64 usage, 65 bad input, 69 backend
unavailable, 75 lost a race, 77 not permitted (sysexits).
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn import __version__
from jwturn.cli.invocation import SCHEMA, Invocation
from jwturn.cli.options import VerbGroup
from jwturn.core.errors import FatalStorage, JwturnError

if TYPE_CHECKING:
    from jwturn.ports.clock import Clock

EX_USAGE: Final = 64
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 1

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Begin": {"init": "init:init", "serve": "serve:serve", "demo": "demo:demo"},
    "Look": {
        "status": "status:status",
        "plan": "plan:plan",
        "keys": "keys:keys",
        "events": "events:events",
        "jwks": "jwks:jwks",
        "doctor": "doctor:doctor",
        "config": "config:config",
    },
    "Turn": {
        "rotate": "turn:rotate",
        "promote": "turn:promote",
        "rollback": "turn:rollback",
        "revoke": "revoke:revoke",
        "discard": "holds:discard",
        "hold": "holds:hold",
        "release": "holds:release",
        "delivered": "holds:delivered",
        "policy": "policy:policy",
    },
    "Tokens": {"sign": "sign:sign", "verify": "verify:verify", "inspect": "verify:inspect"},
    "Share": {"export": "export:export", "import": "import_:import_", "token": "token:token"},
    "Trust": {"audit": "audit:audit", "recover": "audit:recover"},
}
VERBS: Final = {verb: place for verbs in SECTIONS.values() for verb, place in verbs.items()}
CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
EPILOG: Final = (
    'Completion in bash: eval "$(_JWTURN_COMPLETE=bash_source jwturn)"; zsh_source and fish_source too.'
)


class Verbs(VerbGroup):
    """The verbs, each in a module that is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported; None where there is none."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"jwturn.cli.{module}"), name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The verb asked for. Raises UsageError naming the nearest."""
        from jwturn.core.nearest import meant

        if args and not args[0].startswith("-") and args[0] not in VERBS:
            hint = meant(args[0], VERBS)
            raise click.UsageError(
                f"there is no verb {args[0]!r}" + (f"; {hint}" if hint.startswith("did") else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by what they are for."""
        for title, verbs in SECTIONS.items():
            found = [(verb, self.get_command(ctx, verb)) for verb in verbs]
            with formatter.section(title):
                lines = [(verb, c.get_short_help_str(90)) for verb, c in found if c is not None]
                formatter.write_dl(lines)


@click.group(cls=Verbs, epilog=EPILOG, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="jwturn", message="%(prog)s %(version)s")
def root() -> None:
    """Make, keep, publish and turn the keys that sign JSON Web Tokens.

    Not one good token is refused by it.
    """


def main() -> int:
    """The entry point: runs the verb of the command line and gives its exit code."""
    _fill_streams()
    return run(sys.argv[1:])


def run(arguments: Sequence[str], *, clock: "Clock | None" = None) -> int:
    """Runs one command line; `clock` stands in for the system's. Raises nothing."""
    invocation = Invocation(clock=clock)
    try:
        _demand_usable(arguments)
        code = root.main(list(arguments), prog_name="jwturn", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as ended:  # click ends completion so, and a call whose reader went away
        return int(ended.code or 0)
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        return INTERRUPTED
    except OSError as error:
        return _report(invocation, _unwritten(error), 1)
    except (JwturnError, FatalStorage) as error:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
        return _report(invocation, told, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return 0 if error.ctx.parent is None else EX_USAGE
    except click.ClickException as error:
        return _report(invocation, _usage(error), EX_USAGE)
    except Exception as error:  # noqa: BLE001  # the last line: no traceback, and no text that may hold a secret
        return _report(invocation, _unexpected(error), 1)
    return code if isinstance(code, int) else 0


def _fill_streams() -> None:
    """A descriptor that came closed would be given to the next file that is opened, such as the store's."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # open until the end


def _demand_usable(arguments: Sequence[str]) -> None:
    """Before anything is done. Raises UsageError: results would be lost, or an argument is not text."""
    if sys.stdout is None:
        raise click.UsageError("standard output is closed and the result would be lost: say > FILE")
    for argument in arguments:
        if not argument.isascii() and any("\ud800" <= char <= "\udfff" for char in argument):
            raise click.UsageError("an argument is not UTF-8 text")


def _unwritten(error: OSError) -> dict[str, str]:
    """What became of output that could not be written; every other file's errors are named where they are."""
    if error.filename is not None:
        return _unexpected(error)
    _pipe_closed()
    why = (error.strerror or "it failed").lower()
    hint = "what was asked for may have been done: jwturn events"
    return {"code": "output", "message": f"standard output: {why}", "hint": hint}


def _usage(error: click.ClickException) -> dict[str, str]:
    ctx = getattr(error, "ctx", None)
    hint = f"{ctx.command_path} --help" if ctx is not None else "jwturn --help"
    text = error.format_message().rstrip(".")
    return {"code": "usage", "message": text[:1].lower() + text[1:], "hint": hint}


def _unexpected(error: Exception) -> dict[str, str]:
    if os.environ.get("JWTURN_DEBUG"):
        import traceback

        traceback.print_exc()
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    file = "" if place is None else place.tb_frame.f_code.co_filename.rpartition("/")[2]
    where = "" if place is None else f" ({file}:{place.tb_lineno})"
    return {
        "code": "failed",
        "message": f"jwturn failed with an unexpected {type(error).__name__}{where}",
        "hint": "JWTURN_DEBUG=1 shows more; please report it",
    }


def _report(invocation: Invocation, told: dict[str, str], exit_code: int) -> int:
    """The error on stderr: what, why, and the next command."""
    if invocation.json:
        import msgspec

        text = msgspec.json.encode({"schema": SCHEMA, "error": {**told, "exit_code": exit_code}}).decode()
    else:
        text = "error: " + told["message"].replace("; ", "\n").replace("\n", "\n       ")
        text += f"\nhint:  {told['hint']}" if told["hint"] else ""
    with suppress(BrokenPipeError):
        click.echo(text, err=True)
    return exit_code


def _pipe_closed() -> int:
    # What the interpreter flushes at its end must not fail again.
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # open until the process ends
    return PIPE_CLOSED

"""demo: live turns of a real service, watched by verifiers that nobody here wrote; it can fail too."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from jwturn.cli.invocation import Invocation
from jwturn.cli.options import Verb

if TYPE_CHECKING:
    from jwturn.cli.demo_run import Result
    from jwturn.core.policy import RotationPolicy

ALGS: Final = (
    *("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EdDSA",
)
"""What PyJWT and joserfc both verify."""
EXAMPLE: Final = """\
$ jwturn demo --turns 5
  ...
  issued 790, verifications 61,200, turns 5, refused 0"""


@click.command(cls=Verb, example=EXAMPLE)
@click.option(
    "--turns", type=click.IntRange(1, 100), default=5, show_default=True, help="How many turns to watch."
)
@click.option(
    "--alg", type=click.Choice(ALGS), default="ES256", show_default=True, help="The ring's algorithm."
)
@click.option("--break-lead", is_flag=True, help="Force the lead to zero: verifiers must refuse then.")
@click.option("--keep", is_flag=True, help="Leave the folder with store and log behind.")
@click.pass_obj
def demo(inv: Invocation, *, turns: int, alg: str, break_lead: bool, keep: bool) -> int:
    """Sign without pause, turn, and let PyJWT and joserfc verify every live token again and again.

    A service runs in a process and a folder of its own on a policy of seconds. Exit code 0 when no verifier
    refused a good token, 1 when one did; with --break-lead it is the other way round. Under --json the counts
    are the last line, and the timeline goes to stderr.
    """
    from jwturn.cli.demo_fleet import demand_libraries
    from jwturn.cli.demo_run import run
    from jwturn.cli.demo_service import demo_policy, site

    demand_libraries()

    def tell(text: str) -> None:
        click.echo(text, err=inv.json)

    os.environ["no_proxy"] = "127.0.0.1"
    with _terminated_is_interrupted(), site(alg, broken=break_lead, keep=keep) as made:
        for line in _opening(demo_policy(alg), turns, broken=break_lead):
            tell(line)
        tell(
            f"  service {made.issuer}, process {made.process.pid}{f', folder {made.folder}' if keep else ''}"
        )
        result = run(made, turns, tell)
    return _close(inv, result, made.policy, turns)


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """SIGTERM ends the demonstration as Ctrl-C does, so that nothing is left behind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _opening(policy: "RotationPolicy", turns: int, *, broken: bool) -> Iterator[str]:
    from jwturn.core.timing import lead

    needed = lead(policy.bounds).total_seconds()
    bounds = ("publish_delay_max", "edge_ttl_max", "verifier_ttl_max", "fetch_time_max", "clock_skew_max")
    values = ", ".join(f"{name} {getattr(policy, name).total_seconds():g}s" for name in bounds)
    yield f"{turns} turns of {policy.alg} keys; each must be published for {needed:.1f}s before it signs:"
    yield f"  {values}"
    yield f"  the lead is set by {policy.decided_by}; a turn every {policy.rotate_every.total_seconds():.1f}s"
    if broken:
        yield "  --break-lead: the lead is forced to zero, and the ring turns as fast as that lets it"


def _close(inv: Invocation, result: "Result", policy: "RotationPolicy", turns: int) -> int:
    """The counts, what they say, and the exit code."""
    import msgspec

    from jwturn.core.timing import lead

    refused, broken = result.total("refused"), policy.unproved
    idle = [kind for kind, did in result.kinds.items() if not did.verifications]
    good = (refused > 0) if broken else (refused == 0 and result.turns >= turns and not idle)
    if not inv.json:
        _tell_counts(result, broken=broken, good=good)
        return 0 if good else 1
    counts: dict[str, Any] = {
        "schema": "jwturn/1",
        "issued": result.issued,
        "verifications": result.total("verifications"),
        "turns": result.turns,
        "refused": refused,
        "refused_by": {kind: did.refused for kind, did in result.kinds.items()},
        "verified_by": {kind: did.verifications for kind, did in result.kinds.items()},
        "unjudged": result.total("unjudged"),
        "retries": result.retries,
        "seconds": round(result.seconds, 1),
        "alg": policy.alg,
        "lead_seconds": lead(policy.bounds).total_seconds(),
        "lead_broken": broken,
        "good": good,
    }
    click.echo(msgspec.json.encode(counts).decode())
    return 0 if good else 1


def _tell_counts(result: "Result", *, broken: bool, good: bool) -> None:
    from jwturn.cli.demo_fleet import KINDS
    from jwturn.cli.output import table

    rows = [
        (KINDS[kind][1], f"{did.verifications:,}", f"{did.refused:,}", f"{did.unjudged:,}")
        for kind, did in result.kinds.items()
    ]
    click.echo(table(("VERIFIER", "VERIFICATIONS", "REFUSED", "WITHOUT A SET"), rows))
    for kind, did in result.kinds.items():
        for why in did.why:
            click.echo(f"  {kind}: {why}")
    click.echo(
        f"issued {result.issued:,}, verifications {result.total('verifications'):,}, turns {result.turns},"
        f" refused {result.total('refused'):,}  ({result.seconds:.0f}s, {result.retries} calls repeated)"
    )
    click.echo(_verdict(broken=broken, good=good))


def _verdict(*, broken: bool, good: bool) -> str:
    if broken:
        return (
            "With the lead forced to zero good tokens were refused, as they must be: this can fail."
            if good
            else "The lead was forced to zero and nothing was refused: this run proves nothing."
        )
    return (
        "Every key turned, and no verifier refused a good token."
        if good
        else "This must not happen: please report it with the output of jwturn demo --keep."
    )

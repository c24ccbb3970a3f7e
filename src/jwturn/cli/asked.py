"""What `verify` and `inspect` are asked: the token, and by whose keys and rules it is judged."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from jwturn.cli.invocation import Invocation, at_terminal, read_input
from jwturn.cli.options import INSTANT, SPAN

F = TypeVar("F", bound=Callable[..., Any])
LIMIT: Final = 32 * 1024
"""Twice what a token may have, so that one that is too long is told so."""
_LIKE_A_TOKEN: Final = re.compile(
    r"\s*(?i:bearer\s+)?(?:ey[\w-]{10,}+[\w.-]*+|[\w-]{20,}+\.[\w-]{20,}+\.[\w-]*+)\s*"
)
_URL: Final = ("https:", "http:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options that say how a token is judged. None or empty: as the ring's policy or the SDK has it."""

    aud: tuple[str, ...] = ()
    any_aud: bool = False
    issuer: str | None = None
    jwks: str | None = None
    typ: tuple[str, ...] = ()
    alg: tuple[str, ...] = ()
    at: datetime | None = None
    leeway: timedelta | None = None
    token_ttl_max: timedelta | None = None
    loopback_http: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where the options contradict each other."""
        from jwturn.core.jwk import ALGS
        from jwturn.core.nearest import meant

        given = {"--issuer": [self.issuer], "--jwks": [self.jwks], "--aud": self.aud, "--typ": self.typ}
        for name, values in given.items():
            if "" in values:
                raise click.UsageError(f"{name} is empty: was a variable not set?")
        for name in self.alg:
            if name not in ALGS:
                raise click.UsageError(f"there is no --alg {name!a}: {meant(name, ALGS)}")
        if self.any_aud and self.aud:
            raise click.UsageError("--aud and --any-aud: say one of them")
        foreign = {"--leeway": self.leeway, "--token-ttl-max": self.token_ttl_max}
        if self.loopback_http:
            foreign["--loopback-http"] = timedelta()
        for name, value in foreign.items():
            if value is not None and not self.elsewhere:
                raise click.UsageError(f"{name} goes with --issuer: the store's rings have their own rules")

    @property
    def elsewhere(self) -> bool:
        """Whether the token is judged by other keys than the store's."""
        return self.issuer is not None or self.jwks is not None

    @property
    def jwks_url(self) -> str | None:
        """--jwks, if it is a URL."""
        return self.jwks if self.jwks is not None and self.jwks.lower().startswith(_URL) else None

    @property
    def jwks_file(self) -> Path | None:
        """--jwks, if it is a file."""
        return None if self.jwks is None or self.jwks_url is not None else Path(self.jwks)


_OPTIONS: Final = (
    click.option("--aud", multiple=True, metavar="NAME", help="The audience it must be for, or one of them."),
    click.option("--any-aud", is_flag=True, help="Accept any audience: to be said with --issuer."),
    click.option("--issuer", metavar="URL", help="Whose token it must be, instead of the store's."),
    click.option("--jwks", metavar="FILE|URL", help="The issuer's keys (found by discovery)."),
    click.option("--typ", multiple=True, metavar="NAME", help="Exactly this typ (JWT, at+jwt or absent)."),
    click.option("--alg", multiple=True, metavar="ALG", help="Only this algorithm (those of the keys)."),
    click.option("--at", type=INSTANT, help="Judge its times as of then."),
    click.option("--leeway", type=SPAN, help="On exp, iat and nbf (60s); with --issuer."),
    click.option("--token-ttl-max", type=SPAN, help="The longest life (24h); with --issuer."),
    click.option("--loopback-http", is_flag=True, help="Allow http to this machine: for tests only."),
)


def judged(command: F) -> F:
    """The options of Asked."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_token(inv: Invocation, file: str) -> bytes:
    """The token in a file or on stdin, one line end cut off, and nothing else.

    Raises NotFound, TooLarge, NotPermitted; UsageError for a token on the command line, which is not shown.
    """
    if _LIKE_A_TOKEN.fullmatch(file) and not _exists(file):
        raise click.UsageError(
            "this looks like a token, and on the command line others can read it (ps, the shell's history): "
            "give it on stdin, or name a file"
        )
    if file == "-" and at_terminal():
        inv.say("Paste the token, then press Enter and Ctrl-D.")
    data = read_input(file, limit=LIMIT)
    return data.removesuffix(b"\n").removesuffix(b"\r")


def _exists(file: str) -> bool:
    try:
        return Path(file).exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return False


def pasted(data: bytes) -> str:
    """What is probably wrong with something that has not the form of a token: a hint, or nothing."""
    return next((hint for found, hint in _PASTED if found(data)), "")


_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_PREFIX: Final = re.compile(rb"\s*(authorization\s*:|(bearer|dpop|jwt|token)\s)", re.IGNORECASE)
_PASTED: Final[tuple[tuple[Callable[[bytes], object], str], ...]] = (
    (lambda data: not data.strip(), "there is nothing to read: the input is empty"),
    (
        lambda data: data.startswith(_BOMS) or b"\0" in data,
        "save it as plain ASCII: this is UTF-16 or has a BOM",
    ),
    (_PREFIX.match, "the token stands after the word `Bearer`: leave out what is before it"),
    (lambda data: data.lstrip()[:1] in (b'"', b"'", b"`"), "leave out the quotes around the token"),
    (lambda data: data.lstrip().startswith(b"-----"), "this is PEM: a key or a certificate, and no token"),
    (
        lambda data: data.lstrip().startswith(b"{"),
        "this is JSON: take the token out, such as `jq -r .access_token`",
    ),
    (lambda data: data.startswith(b"jwturn_"), "this is an API token of `jwturn serve`, and no JWT"),
    (
        lambda data: b"..." in data or "\N{HORIZONTAL ELLIPSIS}".encode() in data,
        "it was cut for display: get it whole",
    ),
    (
        lambda data: len(data.split()) > 1,
        "blanks or line breaks are in it, as in a wrapped paste: tr -d '[:space:]'",
    ),
    (lambda data: data != data.strip(), "there are blanks or line ends around the token: leave them out"),
    (
        lambda data: data.count(b".") == 2 and data.endswith(b"."),
        "the signature is missing: anybody can write this",
    ),
    (lambda data: data.count(b".") == 1, "the third segment, the signature, is missing: was it cut off?"),
)

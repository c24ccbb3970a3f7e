"""Logs: one event a line, JSON (in words on a terminal), to standard error, and no secret in any of them.

Everything passes the redaction last, the text of exceptions and other libraries' messages included.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK: Final = "***"
PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
SECRET: Final = frozenset({"authorization", "passphrase", "password", "private", "secret", "text", "token"})
_TEXTS: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*"
    r"|(?<![A-Za-z0-9_-])jwturn_[A-Za-z0-9_-]{43}"
    r"|(?<=[:/]{3})[^\s/:@]+:[^\s/@]+(?=@)",
    re.DOTALL,
)
_MEMBERS: Final = re.compile(rf"""(["'](?:{"|".join(sorted(PRIVATE))})["']\s*:\s*)(["'])[^"']*\2""")


def redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The event without what must not be told."""
    return {name: clean(value, name) for name, value in event.items()}


def clean(value: Any, name: str = "") -> Any:
    """A value without secrets: private members of a JWK, PEM, JWTs, API tokens, passwords in URIs."""
    if name.lower() in PRIVATE | SECRET:
        return MASK
    if isinstance(value, Mapping):
        return {key: clean(member, str(key)) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(member) for member in value]
    if isinstance(value, int | float | bool | None):
        return value
    text = value if isinstance(value, str) else repr(value)
    return _MEMBERS.sub(rf"\1\2{MASK}\2", _TEXTS.sub(MASK, text))


def traceback_of(error: BaseException) -> str:
    """An exception as Python tells it, without the values of variables, and without secrets in its text."""
    text: str = clean("".join(traceback.format_exception(error)))
    return text


def configure(*, terminal: bool | None = None, level: int = logging.INFO) -> None:
    """Sends our events and those of every library to standard error; in words where it is a terminal."""
    words = sys.stderr.isatty() if terminal is None else terminal
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        redacted,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: Processor = structlog.dev.ConsoleRenderer() if words else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redacted, last],
        )
    )
    # What cannot be formatted would be told raw, arguments and all.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Its lines of start and stop say less than ours.
    logging.getLogger("uvicorn").setLevel(max(level, logging.WARNING))

"""All targets by name."""

from collections.abc import Mapping
from typing import Final

from fuzz import text, tokens
from fuzz.target import Target

TARGETS: Final[Mapping[str, Target]] = {target.name: target for target in (*tokens.TARGETS, *text.TARGETS)}

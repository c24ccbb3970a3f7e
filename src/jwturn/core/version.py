"""The version, for whoever has to say it; pyproject.toml names the same."""

from typing import Final

VERSION: Final = "0.1.0"

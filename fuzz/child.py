"""`python -m fuzz.child NAME FOLDER SECONDS`: one target under atheris, in a process of its own."""

import logging
import sys
from pathlib import Path
from typing import Final

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # is in .venv-fuzz alone

with atheris.instrument_imports(include=["jwturn"]):
    from fuzz.targets import TARGETS

INPUT_BYTES_MAX: Final = 4096
INPUT_SECONDS_MAX: Final = 10
"""An input that takes longer is a finding: nothing here should take a tenth of a second."""
MEMORY_MB_MAX: Final = 1024


def main(name: str, folder: Path, seconds: int) -> None:
    """Runs until the time is over or something is found; libFuzzer ends the process."""
    logging.disable()
    target = TARGETS[name]
    corpus = folder / "corpus" / name
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number:02}").write_bytes(seed)
    words = folder / f"{name}.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="ascii")
    options = {
        "artifact_prefix": f"{folder}/crashes/{name}-",
        "dict": str(words),
        "max_len": INPUT_BYTES_MAX,
        "max_total_time": seconds,
        "print_final_stats": 1,
        "rss_limit_mb": MEMORY_MB_MAX,
        "timeout": INPUT_SECONDS_MAX,
    }
    atheris.Setup(
        [sys.argv[0], str(corpus), *(f"-{option}={value}" for option, value in options.items())], target.run
    )
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

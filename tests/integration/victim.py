"""A service that signs without pause under a policy of seconds, for tests that kill it.

python victim.py FOLDER TOKENS: appends each token to TOKENS, a line each, once it was issued.
"""

import sys
import time
from pathlib import Path

import jwturn
from jwturn.settings import Settings, load

ISSUER = "https://auth.example.com"
POLICY = {
    "rotate_every": "2500ms",
    "rollback_window": "200ms",
    "token_ttl_max": "6s",
    "publish_delay_max": "400ms",
    "jwks_max_age": "1s",
    "edge_ttl_max": "0s",
    "verifier_ttl_max": "300ms",
    "fetch_time_max": "50ms",
    "clock_skew_max": "50ms",
    "signer_lease": "1s",
    "signer_refresh": "100ms",
    "leeway_max": "1s",
}


def settings_of(folder: Path) -> Settings:
    """The settings of a store in `folder` that counts seen time in tenths of a second."""
    environ = {
        "JWTURN_STORE__URI": f"sqlite:///{folder / 'jwturn.db'}",
        "JWTURN_STORE__KEK": f"file:{folder / 'kek'}",
        "JWTURN_STORE__WITNESS": str(folder / "witness"),
        "JWTURN_STORE__TICK_CAP": "100ms",
    }
    return load(environ, cwd=folder.parent)


def main(folder: Path, tokens: Path) -> None:
    """Signs until it is killed."""
    opened = jwturn.open(settings=settings_of(folder), issuer=ISSUER, policy=POLICY)
    with opened as ring, tokens.open("a", encoding="ascii", buffering=1) as out:
        while True:
            try:
                out.write(ring.sign({"sub": "victim"}) + "\n")
            except jwturn.Unavailable as error:
                sys.stderr.write(f"{error.code}\n")
            time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
